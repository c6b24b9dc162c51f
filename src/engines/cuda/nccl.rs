//! NVIDIA's library of sums over GPUs, as far as one sum a step needs it.
//!
//! Not by cudarc: it asks for `libnccl.so`, where what packages install is called
//! `libnccl.so.2`, and it panics where a function is missing.

use super::Library;
use super::gpu::Gpu;
use crate::error::{Error, Result};
use std::ffi::{CStr, c_char, c_int, c_void};

/// Name of a group, which rank 0 makes and every process of the group is given.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupId(pub [u8; 128]);

/// Place of a process in a group that trains one network, a GPU each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name of the group.
    pub id: GroupId,
    /// Number of this process, from 0.
    pub rank: usize,
    /// Number of processes.
    pub size: usize,
}

/// Numbers that NCCL gives `ncclFloat32`, `ncclFloat64` and `ncclSum`.
const FLOAT: c_int = 7;
const DOUBLE: c_int = 8;
const SUM: c_int = 0;

type Comm = *mut c_void;
type Sum = unsafe extern "C" fn(
    *const c_void,
    *mut c_void,
    usize,
    c_int,
    c_int,
    Comm,
    *mut c_void,
) -> c_int;

/// Functions of NCCL that are in use.
struct Nccl {
    get_id: unsafe extern "C" fn(*mut GroupId) -> c_int,
    init: unsafe extern "C" fn(*mut Comm, c_int, GroupId, c_int) -> c_int,
    sum: Sum,
    begin: unsafe extern "C" fn() -> c_int,
    end: unsafe extern "C" fn() -> c_int,
    abort: unsafe extern "C" fn(Comm) -> c_int,
    words: unsafe extern "C" fn(c_int) -> *const c_char,
    last: unsafe extern "C" fn(Comm) -> *const c_char,
    /// Library that the functions are in.
    _library: libloading::Library,
}

impl GroupId {
    /// Makes a new name for a group.
    ///
    /// # Errors
    /// If NCCL is missing or fails.
    pub fn new() -> Result<GroupId> {
        let nccl = Nccl::load()?;
        let mut id = GroupId([0; 128]);
        // SAFETY: writes as many bytes.
        let status = unsafe { (nccl.get_id)(&mut id) };
        nccl.check(status, "does not begin")?;
        Ok(id)
    }
}

impl Nccl {
    fn load() -> Result<Nccl> {
        Library::Nccl.load()?;
        let missing = |e: libloading::Error| {
            Error::new(format!("NCCL cannot be used: {e}")).help("install NCCL 2.13 or newer")
        };
        // SAFETY: NVIDIA's library answers for what it does when it is loaded; the types of
        // its functions are those of nccl.h, which do not change within version 2.
        unsafe {
            let library = libloading::Library::new(Library::Nccl.file()).map_err(missing)?;
            Ok(Nccl {
                get_id: *library.get(b"ncclGetUniqueId\0").map_err(missing)?,
                init: *library.get(b"ncclCommInitRank\0").map_err(missing)?,
                sum: *library.get(b"ncclAllReduce\0").map_err(missing)?,
                begin: *library.get(b"ncclGroupStart\0").map_err(missing)?,
                end: *library.get(b"ncclGroupEnd\0").map_err(missing)?,
                abort: *library.get(b"ncclCommAbort\0").map_err(missing)?,
                words: *library.get(b"ncclGetErrorString\0").map_err(missing)?,
                last: *library.get(b"ncclGetLastError\0").map_err(missing)?,
                _library: library,
            })
        }
    }

    /// Makes the error of a call that failed, in the library's own words.
    fn check(&self, status: c_int, what: &str) -> Result<()> {
        if status == 0 {
            return Ok(());
        }
        let text = |words: *const c_char| match words.is_null() {
            true => String::new(),
            // SAFETY: a C string of the library's.
            false => unsafe { CStr::from_ptr(words) }
                .to_string_lossy()
                .into_owned(),
        };
        // SAFETY: the one takes any number, the other no communicator too.
        let (words, last) = unsafe { ((self.words)(status), (self.last)(std::ptr::null_mut())) };
        let (words, last) = (text(words), text(last));
        let last = last.trim();
        let more = if last.is_empty() { "" } else { ": " };
        Err(
            Error::new(format!("NCCL {what}: {words}{more}{last}")).help(
                "NCCL_DEBUG=INFO makes it say more; each process needs a GPU of its own, and \
                 NCCL_SOCKET_IFNAME names the network between hosts",
            ),
        )
    }
}

/// Membership of this process in a group.
pub struct Communicator {
    nccl: Nccl,
    comm: Comm,
}

impl Communicator {
    /// Meets the other processes of the group, each with its own GPU; returns once all
    /// are there.
    pub fn join(gpu: &Gpu, group: &Group) -> Result<Communicator> {
        // It takes the GPU that the thread has in use.
        gpu.bind()?;
        let nccl = Nccl::load()?;
        let mut comm = std::ptr::null_mut();
        let count = |n: usize| c_int::try_from(n).unwrap_or(c_int::MAX);
        // SAFETY: writes the pointer.
        let status =
            unsafe { (nccl.init)(&mut comm, count(group.size), group.id, count(group.rank)) };
        nccl.check(status, "does not bring the processes together")?;
        Ok(Communicator { nccl, comm })
    }

    /// Queues the sums over all processes, each element of `floats` floats and of `doubles`
    /// doubles from these addresses on, in their places.
    pub fn sum(&self, gpu: &Gpu, floats: (u64, usize), doubles: (u64, usize)) -> Result<()> {
        let what = "does not sum the gradients";
        let one = |(address, count): (u64, usize), kind| {
            let data = address as *mut c_void;
            let stream = gpu.stream().cu_stream().cast();
            // SAFETY: callers name memory of that size.
            let status =
                unsafe { (self.nccl.sum)(data, data, count, kind, SUM, self.comm, stream) };
            self.nccl.check(status, what)
        };
        // SAFETY: an end follows the beginning.
        self.nccl.check(unsafe { (self.nccl.begin)() }, what)?;
        let queued = one(floats, FLOAT).and_then(|()| one(doubles, DOUBLE));
        // SAFETY: a group of sums was begun.
        let ended = self.nccl.check(unsafe { (self.nccl.end)() }, what);
        queued.and(ended)
    }
}

impl Drop for Communicator {
    fn drop(&mut self) {
        // Not `ncclCommDestroy`, which may wait for processes that are gone. All sums have
        // come to their end where a run has. SAFETY: made in `join`, and not used again.
        let _ = unsafe { (self.nccl.abort)(self.comm) };
    }
}

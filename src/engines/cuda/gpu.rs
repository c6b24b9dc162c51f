//! Card in use: its memory, its kernels, and launches on one stream.

use super::card::{Card, failed};
use super::compile::{self, CompileTarget};
use super::source::Source;
use crate::error::{Error, Result};
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::{CudaContext, CudaGraph, CudaStream, sys};
use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::sync::Arc;

/// Code that drivers of every card translate, where NVRTC does not know the card.
const PORTABLE: &str = "compute_75";

/// Card in use.
pub struct Gpu {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    /// Target that kernels are compiled for, once those of [`super::sources::SOURCES`] are.
    target: CompileTarget,
    modules: Vec<sys::CUmodule>,
    /// Files that were loaded for networks, by name and what is printed in them.
    loaded: HashMap<(&'static str, String), Module>,
    functions: HashMap<Kernel, sys::CUfunction>,
}

/// File of kernels that was loaded for some network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Module(usize);

/// Kernel that is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    name: &'static str,
    /// File of kernels; none for those of [`super::sources::SOURCES`].
    module: Option<Module>,
}

impl From<&'static str> for Kernel {
    fn from(name: &'static str) -> Kernel {
        Kernel { name, module: None }
    }
}

impl Module {
    /// Returns the kernel of this name in this file.
    pub fn kernel(self, name: &'static str) -> Kernel {
        Kernel {
            name,
            module: Some(self),
        }
    }
}

/// Block of device memory, freed when dropped.
pub struct Buffer {
    context: Arc<CudaContext>,
    /// Address of the block.
    pub at: u64,
    /// Bytes of the block.
    pub bytes: usize,
}

/// Arguments of a kernel, copied.
#[derive(Default)]
pub struct Args {
    words: Vec<u64>,
    starts: Vec<usize>,
}

/// Number of blocks, and of threads in each.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Number of blocks in each dimension.
    pub blocks: [usize; 3],
    /// Number of threads of a block in each dimension.
    pub threads: [u32; 3],
}

impl Grid {
    /// Makes a grid with a thread for each of `count`, in blocks of 256.
    pub fn for_count(count: usize) -> Grid {
        Grid {
            blocks: [count.div_ceil(256), 1, 1],
            threads: [256, 1, 1],
        }
    }
}

impl Args {
    /// Adds `value` as the next argument: a number, or a structure that is laid out as in
    /// C and as the kernel declares it.
    pub fn with<T: Copy>(self, value: T) -> Self {
        self.with_array(std::slice::from_ref(&value))
    }

    /// Adds `values` as the next argument: an `Array` of kernels/pass.cuh, which has room
    /// for one where there are none.
    pub fn with_array<T: Copy>(mut self, values: &[T]) -> Self {
        const { assert!(align_of::<T>() <= align_of::<u64>()) };
        let start = self.words.len();
        self.starts.push(start);
        let bytes = size_of::<T>() * values.len().max(1);
        self.words.resize(start + bytes.div_ceil(8), 0);
        // SAFETY: as many bytes are there, and a word is aligned for a T.
        unsafe {
            let argument = self.words.as_mut_ptr().add(start).cast::<T>();
            argument.copy_from_nonoverlapping(values.as_ptr(), values.len());
        }
        self
    }
}

impl Gpu {
    /// Takes `card` into use with the kernels in `common`, which every network shares and
    /// which come from the cache on disk or are compiled. `half` stores activations in 16
    /// bits.
    pub fn new(card: &Card, half: bool, common: &[Source]) -> Result<Gpu> {
        let begun = |e: DriverError| failed(&format!("the GPU {} cannot be used", card.name), &e);
        let context = CudaContext::new(card.ordinal).map_err(begun)?;
        let stream = context.new_stream().map_err(begun)?;
        let (major, minor) = card.capability;
        let target = |arch: String| CompileTarget { arch, half };
        let mut gpu = Gpu {
            context,
            stream,
            target: target(format!("sm_{major}{minor}")),
            modules: Vec::new(),
            loaded: HashMap::new(),
            functions: HashMap::new(),
        };
        // The card may be newer than NVRTC.
        if let Err(error) = gpu.load_common(common) {
            gpu.target = target(PORTABLE.into());
            gpu.load_common(common).map_err(|_| error)?;
        }
        Ok(gpu)
    }

    fn load_common(&mut self, common: &[Source]) -> Result<()> {
        for (source, code) in common.iter().zip(self.codes(common)?) {
            self.load_file(source, code, None)?;
        }
        Ok(())
    }

    /// Takes the kernels of `sources` into use: those that are loaded already, in the cache
    /// on disk, or else compiled.
    ///
    /// # Errors
    /// If they do not compile, or the driver refuses them.
    pub fn load(&mut self, sources: &[Source]) -> Result<Vec<Module>> {
        let key = |source: &Source| (source.name, source.printed.clone());
        let is_missing = |source: &&Source| !self.loaded.contains_key(&key(source));
        let missing: Vec<Source> = sources.iter().filter(is_missing).cloned().collect();
        for (source, code) in missing.iter().zip(self.codes(&missing)?) {
            let module = Module(self.modules.len());
            self.load_file(source, code, Some(module))?;
            self.loaded.insert(key(source), module);
        }
        Ok(sources
            .iter()
            .map(|source| self.loaded[&key(source)])
            .collect())
    }

    fn codes(&self, sources: &[Source]) -> Result<Vec<Vec<u8>>> {
        compile::all(sources, &self.target, compile::cache_folder().as_deref())
    }

    /// Loads a file's `code`, and where the driver refuses it, what is compiled anew: what
    /// the cache holds may be damaged.
    fn load_file(&mut self, source: &Source, code: Vec<u8>, module: Option<Module>) -> Result<()> {
        if self.load_code(source, code, module).is_ok() {
            return Ok(());
        }
        let fresh = compile::all(std::slice::from_ref(source), &self.target, None)?;
        let refused = |e: DriverError| {
            failed(
                &format!("the kernels in {}.cu do not load", source.name),
                &e,
            )
        };
        fresh
            .into_iter()
            .try_for_each(|code| self.load_code(source, code, module).map_err(refused))
    }

    fn load_code(
        &mut self,
        source: &Source,
        mut code: Vec<u8>,
        module: Option<Module>,
    ) -> Result<(), DriverError> {
        // Translated code is text and ends in a zero.
        code.push(0);
        // SAFETY: code that NVRTC made, or that the driver refuses.
        let loaded = unsafe { result::module::load_data(code.as_ptr().cast()) }?;
        self.modules.push(loaded);
        for name in source.kernels() {
            let c_name = CString::new(name).unwrap_or_default();
            // SAFETY: the module is loaded.
            let function = unsafe { result::module::get_function(loaded, c_name) }?;
            self.functions.insert(Kernel { name, module }, function);
        }
        Ok(())
    }

    /// Makes this card the one that libraries use in this thread.
    pub fn bind(&self) -> Result<()> {
        let bound = self.context.bind_to_thread();
        bound.map_err(|e| failed("the GPU cannot be used", &e))
    }

    /// Returns the stream of all work, for libraries.
    pub fn stream(&self) -> &Arc<CudaStream> {
        &self.stream
    }

    /// Allocates memory, all zeros.
    pub fn zeros(&self, bytes: usize) -> Result<Buffer> {
        // An allocation of nothing is an error to the driver.
        let bytes = bytes.max(1).checked_next_multiple_of(256);
        let bytes = bytes.ok_or_else(|| too_large(usize::MAX))?;
        // SAFETY: freed when the buffer goes.
        let at = unsafe { result::malloc_sync(bytes) }.map_err(|e| {
            if e.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
                too_large(bytes)
            } else {
                failed("memory of the GPU cannot be had", &e)
            }
        })?;
        let buffer = Buffer {
            context: self.context.clone(),
            at,
            bytes,
        };
        self.clear(buffer.at, bytes)?;
        Ok(buffer)
    }

    /// Makes `bytes` from `at` on zeros.
    pub fn clear(&self, at: u64, bytes: usize) -> Result<()> {
        // SAFETY: callers name memory that is theirs.
        unsafe { result::memset_d8_async(at, 0, bytes, self.stream.cu_stream()) }
            .map_err(|e| failed("memory of the GPU cannot be cleared", &e))
    }

    /// Copies `from` to the card, and returns when that is done.
    pub fn upload<T: Copy>(&self, from: &[T], to: u64) -> Result<()> {
        if from.is_empty() {
            return Ok(());
        }
        // SAFETY: callers name memory of that size; the copy is over when `from` may go.
        unsafe { result::memcpy_htod_async(to, from, self.stream.cu_stream()) }
            .map_err(|e| failed("copying to the GPU failed", &e))?;
        self.wait()
    }

    /// Copies from the card what all earlier work has left at `from`.
    pub fn download<T: Copy + Default>(&self, from: u64, count: usize) -> Result<Vec<T>> {
        let mut data = vec![T::default(); count];
        if count > 0 {
            // SAFETY: callers name memory of that size; the copy is over on return.
            unsafe { result::memcpy_dtoh_async(&mut data, from, self.stream.cu_stream()) }
                .map_err(|e| failed("copying from the GPU failed", &e))?;
            self.wait()?;
        }
        Ok(data)
    }

    /// Waits for all work so far.
    pub fn wait(&self) -> Result<()> {
        self.stream
            .synchronize()
            .map_err(|e| failed("the GPU failed", &e))
    }

    /// Queues a kernel.
    ///
    /// # Errors
    /// If the grid is larger than a GPU takes, or the driver refuses.
    ///
    /// # Safety
    /// `args` are what the kernel declares, in this order and of these sizes: the driver
    /// reads as many bytes. Addresses among them are of memory on the card that lives until
    /// the kernel has run, or null where the kernel allows it, and as large as the kernel's
    /// description makes of the other arguments and the grid.
    pub unsafe fn launch(&self, kernel: impl Into<Kernel>, grid: Grid, args: Args) -> Result<()> {
        // SAFETY: the caller promises what `start` asks for.
        unsafe { self.start(kernel.into(), grid, args, false) }
    }

    /// Queues a kernel whose blocks wait for one another, so that all must run at once.
    ///
    /// # Errors
    /// As [`Self::launch`].
    ///
    /// # Safety
    /// As [`Self::launch`].
    pub unsafe fn launch_together(
        &self,
        kernel: impl Into<Kernel>,
        grid: Grid,
        args: Args,
    ) -> Result<()> {
        // SAFETY: the caller promises what `start` asks for.
        unsafe { self.start(kernel.into(), grid, args, true) }
    }

    /// Queues a kernel; `together` says whether its blocks wait for one another.
    ///
    /// # Safety
    /// As of [`Self::launch`].
    unsafe fn start(
        &self,
        kernel: Kernel,
        grid: Grid,
        mut args: Args,
        together: bool,
    ) -> Result<()> {
        let name = kernel.name;
        let Some(&function) = self.functions.get(&kernel) else {
            return Err(Error::new(format!("there is no kernel `{name}`")));
        };
        let [x, y, z] = grid.blocks;
        if [x, y, z].contains(&0) {
            return Ok(());
        }
        let (Ok(x), Ok(y), Ok(z)) = (u32::try_from(x), u16::try_from(y), u16::try_from(z)) else {
            return Err(Error::new(format!(
                "the kernel `{name}` would need {x} × {y} × {z} blocks, more than a GPU takes"
            ))
            .help("choose a smaller --batch, or --device cpu"));
        };
        let [tx, ty, tz] = grid.threads;
        let words = args.words.as_mut_ptr();
        // SAFETY: starts are within the words.
        let mut pointers: Vec<*mut c_void> = args
            .starts
            .iter()
            .map(|&start| unsafe { words.add(start) }.cast())
            .collect();
        let launch = match together {
            true => result::launch_cooperative_kernel,
            false => result::launch_kernel,
        };
        // SAFETY: a kernel of a loaded module is given the arguments that it declares, which
        // the caller sees to; the driver copies them.
        unsafe {
            launch(
                function,
                (x, y.into(), z.into()),
                (tx, ty, tz),
                0,
                self.stream.cu_stream(),
                &mut pointers,
            )
        }
        .map_err(|e| failed(&format!("the kernel `{name}` does not start"), &e))
    }

    /// Captures what `work` queues, as a graph that is launched whole; nothing of it runs
    /// yet.
    pub fn capture(&self, work: impl FnOnce() -> Result<()>) -> Result<CudaGraph> {
        use sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL as LOCAL;
        let broken = |e: DriverError| failed("the step cannot be captured as a graph", &e);
        self.stream.begin_capture(LOCAL).map_err(broken)?;
        let worked = work();
        let ended = self.stream.end_capture(sys::CUgraphInstantiate_flags(0));
        worked?;
        ended
            .map_err(broken)?
            .ok_or_else(|| Error::new("the step cannot be captured as a graph: it is empty"))
    }

    /// Asks for the bytes that are free on the card.
    pub fn free_memory(&self) -> Result<usize> {
        let (free, _) = self
            .context
            .mem_get_info()
            .map_err(|e| failed("the GPU does not tell its memory", &e))?;
        Ok(free)
    }
}

fn too_large(bytes: usize) -> Error {
    let gib = bytes as f64 / f64::from(1 << 30);
    Error::new(format!("the GPU has no {gib:.2} GiB of memory left"))
        .help("choose a smaller --batch, or end what else uses the GPU")
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // Nothing is left to do where the driver refuses.
        let _ = self.wait();
        for module in self.modules.drain(..) {
            // SAFETY: loaded here, and no kernel of it is running any more.
            let _ = unsafe { result::module::unload(module) };
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let _ = self.context.bind_to_thread();
        // SAFETY: allocated in `zeros`; the driver waits for work that uses it.
        let _ = unsafe { result::free_sync(self.at) };
    }
}

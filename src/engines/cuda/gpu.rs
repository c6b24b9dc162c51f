//! A card in use: its memory, its kernels, and launches on one stream.

use super::card::{Card, failed};
use super::compile::{self, CompileTarget, Source};
use crate::error::{Error, Result};
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::{CudaContext, CudaGraph, CudaStream, sys};
use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::path::Path;
use std::sync::Arc;

/// Code that drivers of every card translate, where NVRTC does not know the card.
const PORTABLE: &str = "compute_75";

/// A card in use.
pub struct Gpu {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    modules: Vec<sys::CUmodule>,
    functions: HashMap<&'static str, sys::CUfunction>,
}

/// Device memory.
pub struct Buffer {
    context: Arc<CudaContext>,
    /// Where it is.
    pub at: u64,
    /// Its bytes.
    pub bytes: usize,
}

/// Arguments of a kernel, copied.
#[derive(Default)]
pub struct Args {
    words: Vec<u64>,
    starts: Vec<usize>,
}

/// How many blocks, and of how many threads.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Blocks.
    pub blocks: [usize; 3],
    /// Threads of each.
    pub threads: [u32; 3],
}

impl Grid {
    /// A thread for each of `count`, in blocks of 256.
    pub fn for_count(count: usize) -> Grid {
        Grid {
            blocks: [count.div_ceil(256), 1, 1],
            threads: [256, 1, 1],
        }
    }
}

impl Args {
    /// With `value` as the next argument: a number, or a structure that is laid out as in
    /// C and as the kernel declares it.
    pub fn with<T: Copy>(mut self, value: T) -> Self {
        let start = self.words.len();
        self.starts.push(start);
        self.words.resize(start + size_of::<T>().div_ceil(8), 0);
        debug_assert!(align_of::<T>() <= 8);
        // SAFETY: as many bytes are there, and u64 is aligned for any T in use.
        unsafe { self.words.as_mut_ptr().add(start).cast::<T>().write(value) };
        self
    }
}

impl Gpu {
    /// Takes `card` into use with its kernels, which come from the cache on disk or are
    /// compiled. `half` stores activations in 16 bits.
    pub fn new(card: &Card, half: bool) -> Result<Gpu> {
        let begun = |e: DriverError| failed(&format!("the GPU {} cannot be used", card.name), &e);
        let context = CudaContext::new(card.ordinal).map_err(begun)?;
        let stream = context.new_stream().map_err(begun)?;
        let mut gpu = Gpu {
            context,
            stream,
            modules: Vec::new(),
            functions: HashMap::new(),
        };
        let (major, minor) = card.capability;
        let target = |arch: String| CompileTarget { arch, half };
        let native = target(format!("sm_{major}{minor}"));
        let cache = compile::cache_folder();
        let cache = cache.as_deref();
        // What the cache holds may be damaged, and the card newer than NVRTC.
        let tries: [(CompileTarget, Option<&Path>); 4] = [
            (native.clone(), cache),
            (native, None),
            (target(PORTABLE.into()), cache),
            (target(PORTABLE.into()), None),
        ];
        let mut first = None;
        for (target, cache) in &tries {
            match gpu.load(target, *cache) {
                Ok(()) => return Ok(gpu),
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| Error::new("no kernels were loaded")))
    }

    fn load(&mut self, target: &CompileTarget, cache: Option<&Path>) -> Result<()> {
        let codes = compile::all(target, cache)?;
        for (source, mut code) in compile::SOURCES.iter().zip(codes) {
            // Translated code is text and ends in a zero.
            code.push(0);
            self.load_file(source, &code).map_err(|e| {
                failed(
                    &format!("the kernels in {}.cu do not load", source.name),
                    &e,
                )
            })?;
        }
        Ok(())
    }

    fn load_file(&mut self, source: &Source, code: &[u8]) -> Result<(), DriverError> {
        // SAFETY: code that NVRTC made, or that the driver refuses.
        let module = unsafe { result::module::load_data(code.as_ptr().cast()) }?;
        self.modules.push(module);
        for name in source.kernels() {
            let c_name = CString::new(name).unwrap_or_default();
            // SAFETY: the module is loaded.
            let function = unsafe { result::module::get_function(module, c_name) }?;
            self.functions.insert(name, function);
        }
        Ok(())
    }

    /// Makes this card the one that libraries use in this thread.
    pub fn bind(&self) -> Result<()> {
        let bound = self.context.bind_to_thread();
        bound.map_err(|e| failed("the GPU cannot be used", &e))
    }

    /// The stream of all work, for libraries.
    pub fn stream(&self) -> &Arc<CudaStream> {
        &self.stream
    }

    /// New memory, all zeros.
    pub fn zeros(&self, bytes: usize) -> Result<Buffer> {
        // An allocation of nothing is an error to the driver.
        let bytes = bytes.max(1).checked_next_multiple_of(256);
        let bytes = bytes.ok_or_else(|| too_large(usize::MAX))?;
        // SAFETY: freed when the buffer goes.
        let at = unsafe { result::malloc_sync(bytes) }.map_err(|e| match e.0 {
            sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => too_large(bytes),
            _ => failed("memory of the GPU cannot be had", &e),
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
    pub fn launch(&self, name: &'static str, grid: Grid, args: Args) -> Result<()> {
        self.start(name, grid, args, false)
    }

    /// Queues a kernel whose blocks wait for one another, so that all must run at once.
    pub fn launch_together(&self, name: &'static str, grid: Grid, args: Args) -> Result<()> {
        self.start(name, grid, args, true)
    }

    fn start(&self, name: &'static str, grid: Grid, mut args: Args, together: bool) -> Result<()> {
        let Some(&function) = self.functions.get(name) else {
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
        // A kernel of a loaded module is given the arguments that it declares, which each
        // caller has to see to; the driver copies them.
        let launch = match together {
            true => result::launch_cooperative_kernel,
            false => result::launch_kernel,
        };
        // SAFETY: see above.
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

    /// What `work` queues, as a graph that is launched whole; nothing of it runs yet.
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

    /// Bytes that are free on the card.
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

//! Convolutions by cuDNN, images and weights with their channels last.

use super::Precision;
use super::gpu::Gpu;
use super::libraries::Library;
use crate::error::{Error, Result};
use crate::plan::ConvPass;
use cudarc::cudnn::result::{self, CudnnError};
use cudarc::cudnn::sys;
use std::ffi::{CStr, c_int, c_void};

/// Bytes of scratch memory that an algorithm may ask for; others are passed over.
const WORKSPACE: usize = 1 << 30;
/// Number of algorithms that are asked for.
const ALGORITHMS: usize = 10;

/// Handle of cuDNN.
pub struct Dnn {
    handle: sys::cudnnHandle_t,
    precision: Precision,
}

/// Extents of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Images, channels, rows and columns of what is convolved.
    pub x: [i32; 4],
    /// Images, channels, rows and columns of the result.
    pub y: [i32; 4],
    /// Rows and columns of a window.
    pub kernel: [i32; 2],
    /// Step between windows.
    pub stride: i32,
    /// Zeros on each side.
    pub padding: i32,
}

/// Convolution that cuDNN has an algorithm for.
pub struct Convolution {
    x: sys::cudnnTensorDescriptor_t,
    y: sys::cudnnTensorDescriptor_t,
    w: sys::cudnnFilterDescriptor_t,
    windows: sys::cudnnConvolutionDescriptor_t,
    algorithm: Algorithm,
    /// Bytes of scratch memory.
    pub workspace: usize,
}

enum Algorithm {
    None,
    Forward(sys::cudnnConvolutionFwdAlgo_t),
    Input(sys::cudnnConvolutionBwdDataAlgo_t),
    Weight(sys::cudnnConvolutionBwdFilterAlgo_t),
}

impl Dnn {
    /// Starts cuDNN, where it is found.
    pub fn start(gpu: &Gpu, precision: Precision) -> Result<Dnn> {
        // cuDNN loads cuBLAS by its name.
        Library::Cublas.load()?;
        Library::Cudnn.load()?;
        let begun = |e| failed("cuDNN does not start", e);
        let handle = result::create_handle().map_err(begun)?;
        let dnn = Dnn { handle, precision };
        // SAFETY: a handle, and a stream that lives as long as the card is in use.
        unsafe { result::set_stream(handle, gpu.stream().cu_stream().cast()) }.map_err(begun)?;
        Ok(dnn)
    }

    /// Writes the version, like `9.10.2`.
    pub fn version(&self) -> String {
        let version = result::get_version();
        format!(
            "{}.{}.{}",
            version / 10_000,
            version / 100 % 100,
            version % 100
        )
    }

    /// Chooses the fastest algorithm by cuDNN's own reckoning that gives the same bits
    /// every time.
    pub fn convolution(&self, g: Geometry, pass: ConvPass) -> Result<Convolution> {
        let said = |e| failed("cuDNN cannot do a convolution of this network", e);
        let data = match self.precision {
            Precision::F32 | Precision::Tf32 => sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
            Precision::Bf16 => sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16,
        };
        let mut conv = Convolution::new().map_err(said)?;
        conv.describe(g, data).map_err(said)?;
        let math = match self.precision {
            Precision::F32 => sys::cudnnMathType_t::CUDNN_FMA_MATH,
            // Of single precision, by TF32.
            Precision::Tf32 => sys::cudnnMathType_t::CUDNN_DEFAULT_MATH,
            Precision::Bf16 => sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
        };
        // SAFETY: a descriptor made above.
        unsafe { result::set_convolution_math_type(conv.windows, math) }.map_err(said)?;
        conv.choose(self, pass).map_err(said)?;
        match conv.algorithm {
            Algorithm::None => Err(Error::new(format!(
                "cuDNN {} has no algorithm for a convolution of this network: {g:?}",
                self.version()
            ))),
            Algorithm::Forward(_) | Algorithm::Input(_) | Algorithm::Weight(_) => Ok(conv),
        }
    }

    /// Queues the convolution: `from` are x and w, dy and w, or x and dy; `to` is y, dx or
    /// dw, replaced or added to.
    pub fn run(
        &self,
        conv: &Convolution,
        from: (u64, u64),
        to: u64,
        add: bool,
        workspace: u64,
    ) -> Result<()> {
        let (one, kept) = (1.0_f32, if add { 1.0_f32 } else { 0.0 });
        let (one, kept) = ((&raw const one).cast(), (&raw const kept).cast());
        let (a, b) = (from.0 as *const c_void, from.1 as *const c_void);
        let (to, scratch) = (to as *mut c_void, workspace as *mut c_void);
        let (handle, size) = (self.handle, conv.workspace);
        let Convolution {
            x, y, w, windows, ..
        } = *conv;
        // SAFETY: the caller's memory has the shapes that were described; the factors are
        // read at once.
        unsafe {
            match conv.algorithm {
                Algorithm::None => Ok(()),
                Algorithm::Forward(algorithm) => result::convolution_forward(
                    handle, one, x, a, w, b, windows, algorithm, scratch, size, kept, y, to,
                ),
                Algorithm::Input(algorithm) => result::convolution_backward_data(
                    handle, one, w, b, y, a, windows, algorithm, scratch, size, kept, x, to,
                ),
                Algorithm::Weight(algorithm) => result::convolution_backward_filter(
                    handle, one, x, a, y, b, windows, algorithm, scratch, size, kept, w, to,
                ),
            }
        }
        .map_err(|e| failed("a convolution failed", e))
    }
}

/// Takes the first algorithm that `$find` finds which works, is deterministic and modest;
/// `$size` says how much scratch memory it wants. Both take the descriptors in one order.
macro_rules! choose {
    ($conv:expr, $dnn:expr, $kind:path, $perf:ty, $find:path, $size:path, $a:ident $b:ident $c:ident) => {{
        let conv = $conv;
        let (handle, windows) = ($dnn.handle, conv.windows);
        let (a, b, c) = (conv.$a, conv.$b, conv.$c);
        let mut found: [$perf; ALGORITHMS] = std::mem::zeroed();
        let (wanted, mut count) = (ALGORITHMS as c_int, 0);
        let results = found.as_mut_ptr();
        $find(handle, a, b, windows, c, wanted, &mut count, results)?;
        for perf in found.iter().take(usize::try_from(count).unwrap_or(0)) {
            let is_good = perf.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
                && perf.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC
                && perf.memory <= WORKSPACE;
            if !is_good {
                continue;
            }
            // Full precision was asked for as such; what it is found in is of no matter.
            if $dnn.precision != Precision::F32 {
                result::set_convolution_math_type(windows, perf.mathType)?;
            }
            if let Ok(size) = $size(handle, a, b, windows, c, perf.algo)
                && size <= WORKSPACE
            {
                conv.algorithm = $kind(perf.algo);
                conv.workspace = size;
                break;
            }
        }
    }};
}

impl Convolution {
    fn new() -> Result<Self, CudnnError> {
        let mut conv = Convolution {
            x: std::ptr::null_mut(),
            y: std::ptr::null_mut(),
            w: std::ptr::null_mut(),
            windows: std::ptr::null_mut(),
            algorithm: Algorithm::None,
            workspace: 0,
        };
        conv.x = result::create_tensor_descriptor()?;
        conv.y = result::create_tensor_descriptor()?;
        conv.w = result::create_filter_descriptor()?;
        conv.windows = result::create_convolution_descriptor()?;
        Ok(conv)
    }

    fn describe(&self, g: Geometry, data: sys::cudnnDataType_t) -> Result<(), CudnnError> {
        let last = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
        let float = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
        let cross = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        let [kh, kw] = g.kernel;
        let (pad, stride) = (g.padding, g.stride);
        // SAFETY: descriptors made in `new`.
        unsafe {
            result::set_tensor4d_descriptor(self.x, last, data, g.x)?;
            result::set_tensor4d_descriptor(self.y, last, data, g.y)?;
            result::set_filter4d_descriptor(self.w, data, last, [g.y[1], g.x[1], kh, kw])?;
            result::set_convolution2d_descriptor(
                self.windows,
                pad,
                pad,
                stride,
                stride,
                1,
                1,
                cross,
                float,
            )
        }
    }

    fn choose(&mut self, dnn: &Dnn, pass: ConvPass) -> Result<(), CudnnError> {
        // SAFETY: descriptors of this convolution; the results are plain data, for which
        // zeros are valid, and as many as are asked for.
        unsafe {
            match pass {
                ConvPass::Forward { .. } => choose!(
                    self,
                    dnn,
                    Algorithm::Forward,
                    sys::cudnnConvolutionFwdAlgoPerf_t,
                    result::get_convolution_forward_algorithm,
                    result::get_convolution_forward_workspace_size,
                    x w y
                ),
                ConvPass::Input { .. } => choose!(
                    self,
                    dnn,
                    Algorithm::Input,
                    sys::cudnnConvolutionBwdDataAlgoPerf_t,
                    result::get_convolution_backward_data_algorithm,
                    result::get_convolution_backward_data_workspace_size,
                    w y x
                ),
                ConvPass::Weight { .. } => choose!(
                    self,
                    dnn,
                    Algorithm::Weight,
                    sys::cudnnConvolutionBwdFilterAlgoPerf_t,
                    result::get_convolution_backward_filter_algorithm,
                    result::get_convolution_backward_filter_workspace_size,
                    x y w
                ),
            }
        }
        Ok(())
    }
}

fn failed(what: &str, error: CudnnError) -> Error {
    // SAFETY: a C string that is never freed.
    let text = unsafe { CStr::from_ptr(sys::cudnnGetErrorString(error.0)) };
    Error::new(format!("{what}: {}", text.to_string_lossy()))
        .help("--device cpu runs without a GPU")
}

impl Drop for Convolution {
    fn drop(&mut self) {
        // SAFETY: made in `new`, or null. Nothing is left to do where one fails.
        unsafe {
            for tensor in [self.x, self.y].into_iter().filter(|d| !d.is_null()) {
                let _ = result::destroy_tensor_descriptor(tensor);
            }
            if !self.w.is_null() {
                let _ = result::destroy_filter_descriptor(self.w);
            }
            if !self.windows.is_null() {
                let _ = result::destroy_convolution_descriptor(self.windows);
            }
        }
    }
}

impl Drop for Dnn {
    fn drop(&mut self) {
        // SAFETY: made in `start`.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

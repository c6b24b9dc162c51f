//! Products of dense layers, by cuBLAS.

use super::Precision;
use super::gpu::{Buffer, Gpu};
use super::libraries::Library;
use crate::error::{Error, Result};
use cudarc::cublas::result::{self, CublasError};
use cudarc::cublas::sys;
use std::ffi::{CStr, c_void};

/// Scratch memory that NVIDIA advises for Hopper. It must be given before a graph is
/// captured, where cuBLAS may not allocate.
const WORKSPACE: usize = 32 << 20;

/// Handle of cuBLAS, with its scratch memory.
pub struct Blas {
    handle: sys::cublasHandle_t,
    precision: Precision,
    _workspace: Buffer,
}

/// Sizes of a dense layer: a vector of `inputs` for each image, times a weight of outputs
/// × inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Number of vectors.
    pub images: i32,
    /// Length of the vectors.
    pub inputs: i32,
    /// Length of the results.
    pub outputs: i32,
}

impl Blas {
    /// Starts cuBLAS, where it is found.
    ///
    /// # Errors
    /// If the library is missing or does not start.
    pub fn start(gpu: &Gpu, precision: Precision) -> Result<Blas> {
        Library::Cublas.load()?;
        let begun = |e: CublasError| failed("cuBLAS does not start", e);
        let handle = result::create_handle().map_err(begun)?;
        let workspace = gpu.zeros(WORKSPACE)?;
        let blas = Blas {
            handle,
            precision,
            _workspace: workspace,
        };
        // SAFETY: a handle, a stream and memory that live as long as this does.
        unsafe {
            result::set_stream(handle, gpu.stream().cu_stream().cast()).map_err(begun)?;
            let scratch = blas._workspace.at as *mut c_void;
            sys::cublasSetWorkspace_v2(handle, scratch, WORKSPACE)
                .result()
                .map_err(begun)?;
        }
        Ok(blas)
    }

    /// Computes y = x·Wᵀ, row-major; `x`, `w` and `y` activations.
    pub fn forward(&self, g: Dense, x: u64, w: u64, y: u64) -> Result<()> {
        // cuBLAS is column-major: yᵀ = W·xᵀ, and a row-major matrix is its transpose.
        let (m, n, k) = (g.outputs, g.images, g.inputs);
        self.product(
            (m, n, k),
            (w, true, k),
            (x, false, k),
            (y, self.act(), m),
            false,
        )
    }

    /// Computes dx = dy·W, or added to it.
    pub fn input_gradient(&self, g: Dense, dy: u64, w: u64, dx: u64, add: bool) -> Result<()> {
        let (m, n, k) = (g.inputs, g.images, g.outputs);
        self.product(
            (m, n, k),
            (w, false, m),
            (dy, false, k),
            (dx, self.act(), m),
            add,
        )
    }

    /// Computes dW = dyᵀ·x, in single precision.
    pub fn weight_gradient(&self, g: Dense, x: u64, dy: u64, dw: u64) -> Result<()> {
        let (m, n, k) = (g.inputs, g.outputs, g.images);
        let float = sys::cudaDataType::CUDA_R_32F;
        self.product(
            (m, n, k),
            (x, false, m),
            (dy, true, n),
            (dw, float, m),
            false,
        )
    }

    /// Returns the type of activations.
    fn act(&self) -> sys::cudaDataType {
        match self.precision {
            Precision::F32 | Precision::Tf32 => sys::cudaDataType::CUDA_R_32F,
            Precision::Bf16 => sys::cudaDataType::CUDA_R_16BF,
        }
    }

    /// Computes column-major C = op(A)·op(B), m × n with k terms; the flags transpose.
    fn product(
        &self,
        (m, n, k): (i32, i32, i32),
        (a, transpose_a, lda): (u64, bool, i32),
        (b, transpose_b, ldb): (u64, bool, i32),
        (c, c_type, ldc): (u64, sys::cudaDataType, i32),
        add: bool,
    ) -> Result<()> {
        let op = |transpose| match transpose {
            true => sys::cublasOperation_t::CUBLAS_OP_T,
            false => sys::cublasOperation_t::CUBLAS_OP_N,
        };
        let compute = match self.precision {
            Precision::F32 | Precision::Bf16 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
            Precision::Tf32 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
        };
        let (one, kept) = (1.0_f32, if add { 1.0_f32 } else { 0.0 });
        // SAFETY: callers give matrices of these sizes; the factors are read at once.
        unsafe {
            result::gemm_ex(
                self.handle,
                op(transpose_a),
                op(transpose_b),
                m,
                n,
                k,
                (&raw const one).cast(),
                a as *const c_void,
                self.act(),
                lda,
                b as *const c_void,
                self.act(),
                ldb,
                (&raw const kept).cast(),
                c as *mut c_void,
                c_type,
                ldc,
                compute,
                sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        }
        .map_err(|e| failed("a matrix product failed", e))
    }
}

fn failed(what: &str, error: CublasError) -> Error {
    // SAFETY: a C string that is never freed.
    let text = unsafe { CStr::from_ptr(sys::cublasGetStatusString(error.0)) };
    Error::new(format!("{what}: {}", text.to_string_lossy()))
        .help("--device cpu runs without a GPU")
}

impl Drop for Blas {
    fn drop(&mut self) {
        // SAFETY: made in `start`. Nothing is left to do where it fails.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

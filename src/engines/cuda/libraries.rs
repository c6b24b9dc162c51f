//! The libraries of CUDA, found when the program runs.
//!
//! Nothing of CUDA is linked: a machine without it runs everything else. Each library
//! is looked for where the system keeps its libraries, and in the folders that
//! [`FOLDERS`] names. It must be there before cudarc is asked to use it, because cudarc
//! panics where it is not.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Environment variable with the folders (separated as in `PATH`) of CUDA's libraries:
/// a toolkit's, or the folder `nvidia` of packages from PyPI.
pub const FOLDERS: &str = "VANC_CUDA_PATH";

/// Library of CUDA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// The driver.
    Driver,
    /// The compiler of kernels.
    Nvrtc,
    /// Matrix products.
    Cublas,
    /// Convolutions.
    Cudnn,
    /// Sums over several GPUs.
    Nccl,
}

impl Library {
    /// Returns the file, by the name that programs ask for.
    pub fn file(self) -> &'static str {
        match self {
            Library::Driver => "libcuda.so.1",
            Library::Nvrtc => "libnvrtc.so.13",
            Library::Cublas => "libcublas.so.13",
            Library::Cudnn => "libcudnn.so.9",
            Library::Nccl => "libnccl.so.2",
        }
    }

    /// Describes the library for messages.
    fn words(self) -> &'static str {
        match self {
            Library::Driver => "NVIDIA's driver",
            Library::Nvrtc => "NVRTC, CUDA's compiler of kernels,",
            Library::Cublas => "cuBLAS",
            Library::Cudnn => "cuDNN",
            Library::Nccl => "NCCL, which sums over GPUs,",
        }
    }

    /// Tells where to get the library.
    fn package(self) -> &'static str {
        match self {
            Library::Driver => "install NVIDIA's driver, version 580 or newer",
            Library::Nvrtc => "install CUDA 13, or `pip install nvidia-cuda-nvrtc==13.*`",
            Library::Cublas => "install CUDA 13, or `pip install nvidia-cublas==13.*`",
            Library::Cudnn => "install cuDNN 9 for CUDA 13, or `pip install nvidia-cudnn-cu13`",
            Library::Nccl => "install NCCL 2 for CUDA 13, or `pip install nvidia-nccl-cu13`",
        }
    }

    /// Finds and loads the library.
    ///
    /// # Errors
    /// If it is not found; the error says which package holds it.
    pub fn load(self) -> Result<()> {
        let folders = std::env::var_os(FOLDERS).unwrap_or_default();
        for path in std::env::split_paths(&folders).flat_map(|folder| self.below(&folder)) {
            self.companions(&path).iter().for_each(|path| {
                preload(path);
            });
            if preload(&path) {
                break;
            }
        }
        if self.is_found() {
            return Ok(());
        }
        let without = match self {
            Library::Nccl => "WORLD_SIZE=1 and RANK=0 train in one process, which",
            Library::Driver | Library::Nvrtc | Library::Cublas | Library::Cudnn => "--device cpu",
        };
        let how = match self {
            Library::Driver => String::new(),
            Library::Nvrtc | Library::Cublas | Library::Cudnn | Library::Nccl => {
                format!(", and name the folder of the libraries in {FOLDERS} or LD_LIBRARY_PATH")
            }
        };
        Err(
            Error::new(format!("{} was not found ({})", self.words(), self.file())).help(format!(
                "{}{how}; {without} needs none of it",
                self.package()
            )),
        )
    }

    /// Finds the files that the library at `path` loads by name, and looks for where the
    /// system does.
    fn companions(self, path: &Path) -> Vec<PathBuf> {
        let prefix = match self {
            Library::Nvrtc => "libnvrtc-builtins.so.",
            Library::Cublas => "libcublasLt.so.",
            Library::Driver | Library::Cudnn | Library::Nccl => return Vec::new(),
        };
        let folder = path.parent().map(std::fs::read_dir);
        let entries = folder.into_iter().flatten().flatten().flatten();
        let names = entries.filter(|entry| {
            let name = entry.file_name();
            name.to_str().is_some_and(|name| name.starts_with(prefix))
        });
        names.map(|entry| entry.path()).collect()
    }

    /// Tells whether the library will be found where it is used, by cudarc but for NCCL.
    fn is_found(self) -> bool {
        // SAFETY: looks for the library; what NVIDIA's libraries do when they are
        // loaded is theirs to answer for.
        unsafe {
            match self {
                Library::Driver => cudarc::driver::sys::is_culib_present(),
                Library::Nvrtc => cudarc::nvrtc::sys::is_culib_present(),
                Library::Cublas => cudarc::cublas::sys::is_culib_present(),
                Library::Cudnn => cudarc::cudnn::sys::is_culib_present(),
                Library::Nccl => libloading::Library::new(self.file()).is_ok(),
            }
        }
    }

    /// Finds the files that may be the library in `folder`: there, in its `lib` or
    /// `lib64`, or in the `lib` of one of its folders, as the packages of PyPI have it.
    fn below(self, folder: &Path) -> Vec<PathBuf> {
        let mut folders = vec![folder.into(), folder.join("lib"), folder.join("lib64")];
        let inner = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut inner: Vec<PathBuf> = inner.map(|entry| entry.path().join("lib")).collect();
        inner.sort();
        folders.extend(inner);
        let files = folders.into_iter().map(|folder| folder.join(self.file()));
        files.filter(|file| file.is_file()).collect()
    }
}

/// Loads the library at `path` for good, so that it is found by its name from then on.
#[cfg(unix)]
fn preload(path: &Path) -> bool {
    // SAFETY: what NVIDIA's libraries do when they are loaded is theirs to answer for.
    match unsafe { libloading::Library::new(path) } {
        Ok(library) => {
            std::mem::forget(library);
            true
        }
        Err(_) => false,
    }
}

/// Loads nothing: elsewhere than on Unix a library is found by the system alone.
#[cfg(not(unix))]
fn preload(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_looked_for_in_the_layouts_of_toolkits_and_of_packages() {
        let dir = tempfile::tempdir().unwrap();
        let file = Library::Nvrtc.file();
        assert!(Library::Nvrtc.below(dir.path()).is_empty());
        assert!(Library::Nvrtc.below(&dir.path().join("none")).is_empty());
        for place in ["lib64", "cu13/lib"] {
            std::fs::create_dir_all(dir.path().join(place)).unwrap();
            std::fs::write(dir.path().join(place).join(file), "").unwrap();
        }
        let found = Library::Nvrtc.below(dir.path());
        assert_eq!(found.len(), 2);
        assert!(found[0].ends_with("lib64/libnvrtc.so.13"));
        assert!(found[1].ends_with("cu13/lib/libnvrtc.so.13"));
        // What is no library does not load, and nothing breaks.
        assert!(!preload(&found[0]));
    }
}

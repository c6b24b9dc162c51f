//! Compilation of kernel sources to what the driver loads, by NVRTC, once a machine: the
//! results are kept on disk under a hash of all they depend on.

use super::libraries::Library;
use super::source::Source;
use crate::error::{Error, Result};
use crate::files;
use cudarc::nvrtc::{result, sys};
use rayon::prelude::*;
use std::ffi::{CStr, CString};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Target that kernels are compiled for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileTarget {
    /// Architecture: `sm_90` for machine code, `compute_75` for code that the driver
    /// translates.
    pub arch: String,
    /// Whether activations are stored in 16 bits: bfloat16.
    pub half: bool,
}

impl CompileTarget {
    fn options(&self) -> Vec<String> {
        let mut options = vec![
            format!("--gpu-architecture={}", self.arch),
            "--std=c++20".into(),
        ];
        if self.half {
            options.push("--define-macro=BF16".into());
        }
        options
    }

    fn is_machine_code(&self) -> bool {
        self.arch.starts_with("sm_")
    }
}

/// Asks NVRTC for its version.
pub fn version() -> Result<(i32, i32)> {
    Library::Nvrtc.load()?;
    let (mut major, mut minor) = (0, 0);
    // SAFETY: writes two ints.
    let status = unsafe { sys::nvrtcVersion(&mut major, &mut minor) };
    status
        .result()
        .map_err(|e| Error::new(format!("NVRTC does not tell its version: {e:?}")))?;
    Ok((major, minor))
}

/// Returns the code of each of `sources` for `target`, from the `cache` where it is there.
pub fn all(
    sources: &[Source],
    target: &CompileTarget,
    cache: Option<&Path>,
) -> Result<Vec<Vec<u8>>> {
    let version = version()?;
    let each = sources.par_iter().map(|source| {
        let whole = source.whole();
        let path = cache.map(|dir| dir.join(file_name(source.name, &whole, target, version)));
        if let Some(found) = path.as_deref().and_then(read) {
            return Ok(found);
        }
        let made = compile(source.name, &whole, target)?;
        if let Some(path) = path {
            // The next run compiles again where the folder cannot be written.
            let _ = keep(&path, &made);
        }
        Ok(made)
    });
    each.collect()
}

/// Compiles the text `whole` of a file.
fn compile(name: &str, whole: &str, target: &CompileTarget) -> Result<Vec<u8>> {
    Library::Nvrtc.load()?;
    let failed = |what: &str, log: String| {
        Error::new(format!(
            "the kernels in {name}.cu do not compile for {}: {what}{log}",
            target.arch
        ))
        .help(
            "this is a mistake in vanc or an NVRTC that it does not know; --device cpu needs none",
        )
    };
    let text = CString::new(whole).map_err(|_| failed("a zero byte", String::new()))?;
    let file = CString::new(format!("{name}.cu")).unwrap_or_default();
    let program = result::create_program(&text, Some(&file))
        .map_err(|e| failed(&format!("{e:?}"), String::new()))?;
    let program = Program(program);
    // SAFETY: a program that was made above.
    unsafe { result::compile_program(program.0, &target.options()) }
        .map_err(|e| failed(&format!("{e:?}"), format!("\n{}", program.log())))?;
    let code = match target.is_machine_code() {
        true => program.machine_code(),
        // SAFETY: a program that was made and compiled above.
        false => unsafe { result::get_ptx(program.0) }
            .map(|text| text.into_iter().map(|c| c as u8).collect()),
    };
    code.map_err(|e| failed(&format!("{e:?}"), String::new()))
}

struct Program(sys::nvrtcProgram);

impl Program {
    fn log(&self) -> String {
        // SAFETY: a program; the log ends in a zero.
        match unsafe { result::get_program_log(self.0) } {
            Ok(log) if !log.is_empty() => {
                // SAFETY: the log is a C string.
                let log = unsafe { CStr::from_ptr(log.as_ptr()) };
                log.to_string_lossy().into_owned()
            }
            Ok(_) | Err(_) => String::new(),
        }
    }

    fn machine_code(&self) -> Result<Vec<u8>, result::NvrtcError> {
        let mut size = 0;
        // SAFETY: writes the size, then as many bytes.
        unsafe {
            sys::nvrtcGetCUBINSize(self.0, &mut size).result()?;
            let mut code = vec![0u8; size];
            sys::nvrtcGetCUBIN(self.0, code.as_mut_ptr().cast()).result()?;
            Ok(code)
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: made by NVRTC and not yet destroyed. Nothing is left to do if it fails.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}

/// Finds the folder of compiled kernels: `$XDG_CACHE_HOME/vanc/kernels`, else below the
/// home folder; none where there is neither.
pub fn cache_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let root = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")))?;
    Some(root.join("vanc").join("kernels"))
}

/// Makes the file's name among the cached ones: equal only where all that matters is equal.
fn file_name(name: &str, whole: &str, target: &CompileTarget, version: (i32, i32)) -> String {
    let options = target.options().join(" ");
    let parts = [
        env!("CARGO_PKG_VERSION"),
        &format!("{version:?}"),
        &options,
        whole,
    ];
    let hash = crate::random::fnv1a(&parts.join("\0"));
    format!("{name}-{}-{hash:016x}.bin", target.arch)
}

fn read(path: &Path) -> Option<Vec<u8>> {
    files::read(path).ok().filter(|bytes| !bytes.is_empty())
}

/// Writes the whole file or nothing.
fn keep(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::equations::tests;
    use super::super::layout::Layout;
    use super::super::sources::SOURCES;
    use super::super::update::Running;
    use super::*;

    #[test]
    fn a_structure_that_is_another_in_the_kernels_does_not_compile() {
        if Library::Nvrtc.load().is_err() {
            return;
        }
        let target = CompileTarget {
            arch: "sm_90".into(),
            half: false,
        };
        let compiles = |fields| {
            let running = Layout {
                fields,
                ..Running::LAYOUT
            };
            let update = SOURCES
                .iter()
                .find(|source| source.name == "update")
                .unwrap();
            let whole = update.whole() + &running.assertions();
            compile("update", &whole, &target).is_ok()
        };
        assert!(compiles(&[("share", 8), ("unbiased", 8)]));
        assert!(!compiles(&[("unbiased", 8), ("share", 8)]));
        assert!(!compiles(&[("share", 4)]));
    }

    /// Compiles every kernel for two real architectures and for the driver to translate.
    #[test]
    fn every_kernel_compiles() {
        if let Err(error) = Library::Nvrtc.load() {
            eprintln!("skipped: {error}");
            return;
        }
        let targets = [
            ("sm_80", false),
            ("sm_90", false),
            ("sm_90", true),
            ("compute_75", false),
        ];
        let equations = tests::equations();
        let mut sources = SOURCES.to_vec();
        sources.extend(equations.iter().map(Source::of_pass));
        let narrow = equations
            .iter()
            .filter(|equations| equations.join.gates == 0);
        sources.push(Source::of_narrow_mlp(&narrow.cloned().collect::<Vec<_>>()));
        for (arch, half) in targets {
            let target = CompileTarget {
                arch: arch.into(),
                half,
            };
            let codes = all(&sources, &target, None).unwrap();
            for (source, code) in sources.iter().zip(codes) {
                assert!(!code.is_empty());
                for kernel in source.kernels() {
                    let named = code.windows(kernel.len()).any(|w| w == kernel.as_bytes());
                    assert!(named, "{kernel} is not in {}", source.name);
                }
            }
        }
    }

    #[test]
    fn kernels_have_names_of_their_own() {
        let equations = &tests::equations()[..1];
        let [pass, narrow] = [
            Source::of_pass(&equations[0]),
            Source::of_narrow_mlp(equations),
        ];
        let sources = SOURCES.iter().chain([&pass, &narrow]);
        let mut names: Vec<&str> = sources.flat_map(Source::kernels).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.contains(&"pointwise_4") && names.contains(&"begin"));
    }

    #[test]
    fn a_kept_file_comes_back_and_another_folder_is_no_matter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/x.bin");
        assert_eq!(read(&path), None);
        keep(&path, b"code").unwrap();
        assert_eq!(read(&path).as_deref(), Some(&b"code"[..]));
        std::fs::write(&path, "").unwrap();
        assert_eq!(read(&path), None);
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(keep(&file.join("x.bin"), b"code").is_err());
    }

    #[test]
    fn whatever_matters_is_in_the_name() {
        let target = |arch: &str, half| CompileTarget {
            arch: arch.into(),
            half,
        };
        let equations = tests::equations();
        let sources = [0, 0, 1].map(|k| Source::of_pass(&equations[k]));
        let name = |source: usize, target, version| {
            let Source { name, .. } = sources[source];
            file_name(name, &sources[source].whole(), &target, version)
        };
        let first = name(0, target("sm_90", false), (13, 0));
        assert_eq!(first, name(1, target("sm_90", false), (13, 0)));
        for other in [
            name(2, target("sm_90", false), (13, 0)),
            name(0, target("sm_80", false), (13, 0)),
            name(0, target("sm_90", true), (13, 0)),
            name(0, target("sm_90", false), (13, 1)),
        ] {
            assert_ne!(first, other);
        }
    }
}

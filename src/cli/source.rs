//! The `.van` file that a command takes.

use super::output::Failure;
use crate::check::{self, Override, ParamInfo};
use crate::diag::{Diagnostic, Sources};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files;
use crate::flags::{TRAIN, Value};
use crate::foreign;
use crate::ir::{Model, Train};
use crate::syntax::{self, Parsed};
use crate::train::run_folder;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A file with the texts that reports about it point into.
pub(super) struct Source {
    pub path: PathBuf,
    /// Folder of the run that it was found in, where the command line names that.
    pub run: Option<PathBuf>,
    pub sources: Sources,
}

impl Source {
    /// Reads a file as UTF-8. One that another program wrote is named as what it is.
    pub fn read(path: &Path) -> Result<Source> {
        let bytes = files::read(path)
            .map_err(|e| Error::io("read", path, e).help("give the path of a `.van` file"))?;
        if let Some(foreign) = foreign::recognize(&bytes) {
            return Err(foreign.in_place_of("a `.van` file", path));
        }
        let text = String::from_utf8(bytes).map_err(|e| {
            let offset = e.utf8_error().valid_up_to();
            Error::new(format!(
                "{} is not UTF-8 text: byte {offset} is wrong",
                path.shown()
            ))
            .help("a `.van` file is plain text; save it as UTF-8")
        })?;
        Ok(Source {
            sources: Sources::new(path.shown(), text),
            path: path.to_path_buf(),
            run: None,
        })
    }

    /// Reads the file among the arguments of a command that takes one. The file's params
    /// are flags, so it has to be known before the flags are.
    pub fn find(args: &[OsString]) -> Result<Option<Source>> {
        let file = args.iter().find(|arg| {
            let is_flag = arg.to_string_lossy().starts_with('-');
            !is_flag && Path::new(arg).extension().is_some_and(|e| e == "van")
        });
        file.map(|file| Source::read(Path::new(file))).transpose()
    }

    /// Reads the file that is kept in the folder of a run, where the arguments of `vanc train` name
    /// one: a folder that is no value of a flag.
    pub fn find_in_run(args: &[OsString]) -> Result<Option<Source>> {
        let takes_value = |arg: &OsString| {
            let name = arg.to_str().and_then(|arg| arg.strip_prefix("--"));
            let mut flags = TRAIN.iter().copied().flatten();
            flags.any(|flag| Some(flag.name) == name && flag.value != Value::Switch)
        };
        let before = std::iter::once(None).chain(args.iter().map(Some));
        let mut named = args.iter().zip(before);
        let folder = named.find(|(arg, before)| {
            !before.is_some_and(takes_value) && run_folder::is_run(Path::new(arg))
        });
        folder
            .map(|(folder, _)| {
                let folder = Path::new(folder);
                let source = Source::read(&run_folder::source(folder))?;
                Ok(Source {
                    run: Some(folder.to_owned()),
                    ..source
                })
            })
            .transpose()
    }

    /// Lists the params that the file declares. Mistakes beside which they are clear are left to
    /// [`Source::model`].
    pub fn params(&self) -> Result<Vec<ParamInfo>, Vec<Diagnostic>> {
        let Parsed { file, mistakes } = syntax::read(self.text(), 0);
        file.map(|file| check::param_infos(&file)).ok_or(mistakes)
    }

    pub fn text(&self) -> &str {
        self.sources.text(0)
    }

    /// Returns the settings that the file trains with, where it has no mistakes.
    pub fn train(&mut self) -> Option<Train> {
        let model = check::check(&mut self.sources, &[], false).ok()?;
        Some(model.train)
    }

    /// Checks the file with values from the command line.
    pub fn model(&mut self, overrides: &[Override], trains: bool) -> Result<Model, Failure> {
        check::check(&mut self.sources, overrides, trains).map_err(Failure::Mistakes)
    }
}

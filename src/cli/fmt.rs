//! `vanc fmt FILE…`: the canonical form.

use super::command::{Command, Operand, OperandKind, Run};
use super::output::{FAILED, Failure, print as say, report};
use super::source::Source;
use crate::error::Error;
use crate::flags;
use crate::syntax::{parse, print};
use clap::ArgMatches;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) const COMMAND: Command = Command {
    name: "fmt",
    about: "Write files in their canonical form",
    flags: &[(None, flags::FMT)],
    run: Run::Other(Some(FILES), run),
};

const FILES: Operand = Operand {
    name: "FILE",
    help: "The .van file",
    kind: OperandKind::Paths,
};

fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let check = matches.get_flag("check");
    let mut failed = false;
    for path in matches.get_many::<PathBuf>("FILE").into_iter().flatten() {
        let source = Source::read(path)?;
        let file = match parse(source.text(), 0) {
            Ok(file) => file,
            Err(mistakes) => {
                report(&mistakes, path, &source.sources, false);
                failed = true;
                continue;
            }
        };
        let text = print(&file, source.text());
        if text == source.text() {
            continue;
        }
        if check {
            say(&format!(
                "{} is not in its canonical form\n",
                path.display()
            ))?;
            failed = true;
        } else {
            replace(path, &text)?;
            say(&format!("{} formatted\n", path.display()))?;
        }
    }
    match failed {
        true => Err(Failure::Said(ExitCode::from(FAILED))),
        false => Ok(()),
    }
}

/// Writes `text` to a temporary file beside `path` and renames it over `path`, or over
/// what `path` is a link to.
fn replace(path: &Path, text: &str) -> Result<(), Error> {
    let target = std::fs::canonicalize(path).map_err(|e| Error::io("write", path, e))?;
    let path = target.as_path();
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file()
            .set_permissions(std::fs::metadata(path)?.permissions())?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|e| Error::io("write", path, e))
}

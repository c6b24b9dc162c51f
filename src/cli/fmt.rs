//! `vanc fmt FILE…`: the canonical form.

use super::command::{Command, Operand, OperandKind, Run};
use super::output::{FAILED, Failure, print as say, report};
use super::source::Source;
use crate::escape::Shown;
use crate::files;
use crate::flags;
use crate::syntax::{parse, print};
use clap::ArgMatches;
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) const COMMAND: Command = Command {
    name: "fmt",
    about: "Write files in their canonical form",
    flags: &[(None, flags::FMT)],
    run: Run::Other(&[FILES], run),
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
            say(&format!("{} is not in its canonical form\n", path.shown()))?;
            failed = true;
        } else {
            files::rewrite(path, text.as_bytes())?;
            say(&format!("{} formatted\n", path.shown()))?;
        }
    }
    match failed {
        true => Err(Failure::Said(ExitCode::from(FAILED))),
        false => Ok(()),
    }
}

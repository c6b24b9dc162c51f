//! Tests that need something of the machine, each ignored with the reason where it is
//! missing: libtest can only ignore what is known when it is compiled.

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

/// Whether the machine has what a test needs; else what is missing.
pub type Need = Result<(), String>;

/// A test and what it needs.
pub struct Case {
    name: &'static str,
    need: Need,
    test: fn(),
}

/// The test `name`, to be run where `need` is met.
pub fn case(name: &'static str, need: &Need, test: fn()) -> Case {
    Case {
        name,
        need: need.clone(),
        test,
    }
}

/// Runs the cases as libtest would, with its flags.
pub fn run(cases: Vec<Case>) -> ExitCode {
    let trials = cases.into_iter().map(|Case { name, need, test }| {
        let trial = Trial::test(name, move || {
            test();
            Ok(())
        });
        match need {
            Ok(()) => trial,
            Err(missing) => trial
                .with_kind(format!("needs {missing}"))
                .with_ignored_flag(true),
        }
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

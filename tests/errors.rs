//! Tests of error messages: every file of `tests/errors` is wrong, and the screen that it
//! gets is beside it, in a file of the same name.
//!
//! A first line `// $ vanc train NAME.van --FLAG VALUE …` gives the flags.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use vanc::check::{Override, OverrideTarget, check};
use vanc::diag::{Code, Sources, Style};

const SETTINGS: [&str; 10] = [
    "data",
    "loss",
    "init",
    "optimizer",
    "schedule",
    "constraint",
    "epochs",
    "batch",
    "seed",
    "rate",
];

/// Parses the flags of the first line, whose values may be in `'…'`.
fn flags(text: &str) -> Vec<Override> {
    let Some(line) = text
        .lines()
        .next()
        .and_then(|l| l.strip_prefix("// $ vanc train "))
    else {
        return Vec::new();
    };
    let mut flags = Vec::new();
    for flag in line.split(" --").skip(1) {
        let (name, value) = flag.split_once(' ').expect("a flag has a value");
        flags.push(Override {
            target: match SETTINGS.contains(&name) {
                true => OverrideTarget::Setting,
                false => OverrideTarget::Param,
            },
            name: name.to_string(),
            value: value.trim_matches('\'').to_string(),
        });
    }
    flags
}

/// Renders all mistakes of a text, as the program writes them.
fn screen(name: &str, text: &str, codes: &mut BTreeSet<Code>) -> String {
    let mut sources = Sources::new(name, text);
    let mistakes = check(&mut sources, &flags(text), false).expect_err("a wrong file");
    let style = Style {
        color: false,
        width: 100,
    };
    let screens = mistakes.iter().map(|mistake| {
        codes.insert(mistake.code);
        assert!(mistake.help.is_some(), "no help: {}", mistake.message);
        mistake.render(&sources, style)
    });
    screens.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_mistake_gets_its_screen() {
    let mut codes = BTreeSet::new();
    insta::glob!("errors/*.van", |path| {
        let text = std::fs::read_to_string(path).expect("a file of UTF-8 text");
        let part = |part: Option<&OsStr>| part.and_then(OsStr::to_str).expect("a name").to_string();
        let screen = screen(&part(path.file_name()), &text, &mut codes);
        insta::with_settings!({
            snapshot_path => "errors",
            snapshot_suffix => "",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(part(path.file_stem()), screen);
        });
    });
    assert_eq!(codes.len(), 7, "not every code is here: {codes:?}");
}

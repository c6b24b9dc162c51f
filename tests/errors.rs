//! What a mistake gets: every file of `tests/errors` is wrong, and the screen that it
//! gets is beside it, in a file of the same name.
//!
//! A first line `// $ vanc train NAME.van --FLAG VALUE …` gives the flags.

use vanc::check::{Override, Target, check};
use vanc::diag::{Sources, Style};

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

/// The flags of the first line, their values perhaps in `'…'`.
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
                true => Target::Setting,
                false => Target::Param,
            },
            name: name.to_string(),
            value: value.trim_matches('\'').to_string(),
        });
    }
    flags
}

#[test]
fn every_mistake_gets_its_screen() {
    let mut unhelpful = Vec::new();
    let mut codes = std::collections::BTreeMap::new();
    insta::glob!("errors/*.van", |path| {
        let text = std::fs::read_to_string(path).expect("a file of UTF-8 text");
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        let mut sources = Sources::new(name, text.as_str());
        let mistakes = check(&mut sources, &flags(&text), false)
            .err()
            .unwrap_or_default();
        let style = Style {
            color: false,
            width: 100,
        };
        let mut screen = String::new();
        if mistakes.is_empty() {
            unhelpful.push(format!("{name}: no mistake"));
        }
        for mistake in &mistakes {
            *codes.entry(mistake.code).or_insert(0) += 1;
            if mistake.help.is_none() {
                unhelpful.push(format!("{name}: {}", mistake.message));
            }
            screen.push_str(&mistake.render(&sources, style));
        }
        insta::with_settings!({
                snapshot_path => "errors",
                snapshot_suffix => "",
                prepend_module_to_snapshot => false,
                omit_expression => true,
            }, { insta::assert_snapshot!(path.file_stem().and_then(|n| n.to_str()).expect("a name"), screen) });
    });
    assert!(unhelpful.is_empty(), "{unhelpful:#?}");
    assert_eq!(codes.len(), 7, "not every code is here: {codes:?}");
}

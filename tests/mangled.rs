//! No text makes the front end panic, hang or grow without bound: mangled examples,
//! token soup, and texts of the greatest size that dwell on one construct.

use proptest::prelude::*;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use vanc::check::check;
use vanc::describe::{dot, json, table};
use vanc::diag::{Sources, Style};
use vanc::syntax::{parse, print};

/// What is done to a text: every stage that reads it, and drawing every report.
fn read(text: &str) -> Result<(), usize> {
    let mut sources = Sources::new("mangled.van", text);
    if let Ok(file) = parse(text, 0) {
        let printed = print(&file, text);
        let fits = printed.len() <= 1 << 20;
        assert!(
            !fits || parse(&printed, 0).is_ok(),
            "printed text does not parse"
        );
    }
    match check(&mut sources, &[], true) {
        Ok(model) => {
            table(&model, false);
            dot(&model);
            json(&model);
            Ok(())
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            let style = Style {
                color: false,
                width: 100,
            };
            for mistake in &mistakes {
                let screen = mistake.render(&sources, style);
                assert!(screen.contains("van::"), "{screen}");
                mistake.to_json(&sources);
            }
            Err(mistakes.len())
        }
    }
}

/// Reads a text that is wrong, soon.
fn refuse(name: &str, text: &str) {
    print!("{name}: ");
    let start = Instant::now();
    let mistakes = read(text).expect_err(name);
    let took = start.elapsed();
    println!("{took:.1?}, {mistakes} mistakes");
    // Far from what it takes, so that a busy machine does not fail it; what is
    // quadratic in a mebibyte takes minutes.
    assert!(took < Duration::from_secs(10), "{name} took {took:?}");
    assert!(mistakes <= 100, "{name}: {mistakes} mistakes");
}

/// `piece` as often as it fits into a mebibyte.
fn full(piece: &str) -> String {
    piece.repeat((1 << 20) / piece.len())
}

const PIECES: &[&str] = &[
    "{",
    "(",
    "[",
    "}",
    "-",
    "a.",
    "/",
    "//",
    "/// a\n",
    "1+",
    "not ",
    "if ",
    "$\n",
    "\n",
    "$",
    " ",
    "\t\r\n",
    "é\n",
    "漢",
    "\u{1f600} ",
    "\"",
    "a",
    "1",
    "a\n",
    "a ",
    "1 ",
    "a:",
    "a,",
    "(a)",
    "{a}",
    "[1]",
    "()\n",
    "{}",
    "a(",
    "param ",
    "model ",
    "block a ",
    "train {} ",
    "skip ",
    "repeat ",
    "concat {} ",
    "input a ",
    "..",
    "=",
    "1e",
    "if a { 1 } else ",
    "a = 1\n",
    "\u{feff}",
    "\0",
    "\u{1b}[31m",
];

#[test]
fn a_mebibyte_of_one_piece() {
    for piece in PIECES {
        let name = format!("{piece:?}");
        refuse(&name, &full(piece));
        // The same inside a model, a setting, an expression and arguments.
        let room = (1 << 20) - 200;
        let inner = piece.repeat(room / piece.len());
        let _ = refuse(
            &format!("{name} in a model"),
            &format!("model m {{ input image(3, 8, 8)\n{inner}\n}}"),
        );
        refuse(
            &format!("{name} in settings"),
            &format!("train {{\n{inner}\n}}"),
        );
        refuse(
            &format!("{name} in a default"),
            &format!("param a: int = {inner}"),
        );
        refuse(
            &format!("{name} in arguments"),
            &format!("model m {{\n conv({inner})\n}}"),
        );
    }
}

//! Fuzz target: no text makes the front end panic, and what it prints reads back as the same.
//!
//! `cargo check --manifest-path fuzz/Cargo.toml` builds it anywhere; to run it,
//! `cargo install cargo-fuzz` and `cargo +nightly fuzz run check`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vanc::check::check;
use vanc::describe::table;
use vanc::diag::{Sources, Style};
use vanc::syntax::{parse, print};

const STYLE: Style = Style {
    color: false,
    width: 80,
};

fuzz_target!(|text: &str| {
    if let Ok(file) = parse(text, 0) {
        let canonical = print(&file, text);
        let again = parse(&canonical, 0).expect("what is printed parses");
        assert_eq!(canonical, print(&again, &canonical), "the canonical form is not a fixed point");
    }
    let mut sources = Sources::new("fuzz.van", text);
    match check(&mut sources, &[], false) {
        Ok(model) => drop(table(&model, false, None)),
        Err(mistakes) => mistakes.iter().for_each(|m| drop(m.render(&sources, STYLE))),
    }
});

//! Tests that no text makes the front end panic, hang or grow without bound: mangled
//! examples, token soup, and large texts that repeat one construct.

use proptest::prelude::*;
use std::time::{Duration, Instant};
use vanc::check::check;
use vanc::describe::{dot, json, table};
use vanc::diag::{Diagnostic, MAX_REPORTS, Sources, Style};
use vanc::syntax::{parse, print};

const MEBIBYTE: usize = 1 << 20;

/// Runs a text through every stage that reads it, and renders every report.
fn read(text: &str) -> Result<(), Vec<Diagnostic>> {
    let mut sources = Sources::new("mangled.van", text);
    // The check parses, too: once is enough for what is long.
    if text.len() < MEBIBYTE / 4
        && let Ok(file) = parse(text, 0)
    {
        let printed = print(&file, text);
        assert!(
            parse(&printed, 0).is_ok(),
            "the printed text does not parse"
        );
    }
    let checked = check(&mut sources, &[], false);
    match &checked {
        Ok(model) => {
            table(model, false, None);
            table(model, false, Some(60));
            dot(model);
            json(model);
        }
        Err(mistakes) => {
            assert!((1..=2 * MAX_REPORTS).contains(&mistakes.len()));
            let style = Style {
                color: false,
                width: 100,
            };
            for mistake in mistakes {
                let screen = mistake.render(&sources, style);
                assert!(
                    screen.contains("van::") && screen.contains("help: "),
                    "{screen}"
                );
                assert!(screen.len() < 10_000, "{} bytes of report", screen.len());
                mistake.to_json(&sources);
            }
        }
    }
    checked.map(|_| ())
}

/// Reads a text within a time far longer than it takes, so that a busy machine does not fail
/// it, and far shorter than quadratic time.
fn read_soon(name: &str, text: &str) -> Result<(), Vec<Diagnostic>> {
    assert!(text.len() <= MEBIBYTE);
    let start = Instant::now();
    let result = read(text);
    let took = start.elapsed();
    println!("{took:8.1?} for {name}, {} bytes", text.len());
    assert!(took < Duration::from_secs(20), "{name} took {took:?}");
    result
}

/// Repeats `piece` between `before` and `after`.
fn filled(before: &str, piece: &str, after: &str, bytes: usize) -> String {
    let room = bytes - before.len() - after.len();
    format!("{before}{}{after}", piece.repeat(room / piece.len()))
}

/// Surroundings in which a piece can be repeated.
const PLACES: [(&str, &str); 5] = [
    ("", ""),
    ("model m {\ninput image(3, 8, 8)\n", "\n}"),
    ("train {\n", "\n}"),
    ("param a: int = ", ""),
    ("model m {\nconv(", ")\n}"),
];

#[test]
fn a_mebibyte_of_one_piece() {
    let pieces = [
        (0, "{"),
        (0, "("),
        (1, "}"),
        (3, "-"),
        (3, "a."),
        (0, "/"),
        (3, "1+"),
        (3, "not "),
        (3, "if "),
        (0, "$\n"),
        (1, "$\n"),
        (1, "a\n"),
        (4, "a,"),
        (1, "漢"),
    ];
    for (place, piece) in pieces {
        let (before, after) = PLACES[place];
        let text = filled(before, piece, after, MEBIBYTE);
        read_soon(piece, &text).expect_err(piece);
    }
}

#[test]
fn many_of_every_piece_at_every_place() {
    let pieces = [
        "[",
        "//",
        "/// a\n",
        "\n",
        "$",
        " ",
        "\t\r\n",
        "é\n",
        "\u{1f600} ",
        "\"",
        "a",
        "1",
        "a ",
        "1 ",
        "a:",
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
        "a = 1\n",
        "if a { 1 } else ",
        "\u{feff}",
        "\0",
        "\u{1b}[31m",
        "relu ",
        "a: relu\n",
        "epochs: 1\n",
        "a: 1,",
        "skip resnet { ",
        "repeat 2 { ",
        "1 ^ ",
        "min(",
        "[1, ",
        "a{}\n",
        "if a {",
        "//\r",
        "block b { b }\n",
        "param p: int = q\n",
        "\u{2028}",
        "e\u{301}",
        "с",
        "conс\n",
        "（",
        "“",
        "'\n",
        "\u{200b}",
        "// \u{202e}\n",
        "/*",
        "a,\n",
        ";",
        "(1, 1)\n",
    ];
    for piece in pieces {
        for (before, after) in PLACES {
            let _ = read_soon(piece, &filled(before, piece, after, MEBIBYTE / 16));
        }
    }
}

#[test]
fn long_chains() {
    let chain = |item: &dyn Fn(usize) -> String, n: usize| (1..n).map(item).collect::<String>();
    let model = "model m { input image(3, 8, 8) conv(p1, kernel: 3) }\n";
    let forward = chain(&|i| format!("param p{i}: int = p{}\n", i - 1), 30_000);
    read_soon(
        "params, each by the one before",
        &format!("param p0: int = 1\n{forward}{model}"),
    )
    .expect("a sound file");
    let backward = chain(&|i| format!("param p{i}: int = p{}\n", i + 1), 30_000);
    read_soon(
        "params, each by the one after",
        &format!("{backward}param p30000: int = 1\n{model}"),
    )
    .expect_err("too deep");
    let cycle = format!("{backward}param p30000: int = p1\n{model}");
    read_soon("params in a cycle", &cycle).expect_err("a cycle");
    let documented = chain(&|i| format!("/// p\nparam p{i}: int = 1\n"), 30_000);
    read_soon("documented params", &format!("{documented}{model}")).expect("a sound file");

    let model = "model m { input image(3, 8, 8) b1 }\n";
    let calls = chain(&|i| format!("block b{i} {{ b{} }}\n", i + 1), 30_000);
    read_soon(
        "blocks in a chain",
        &format!("{calls}block b30000 {{ relu }}\n{model}"),
    )
    .expect_err("too deep");
    read_soon(
        "blocks in a cycle",
        &format!("{calls}block b30000 {{ b1 }}\n{model}"),
    )
    .expect_err("a cycle");
    let back = chain(
        &|i| format!("block b{i} {{ b{} b{} }}\n", i + 1, i / 2 + 1),
        20_000,
    );
    read_soon(
        "blocks in many cycles",
        &format!("{back}block b20000 {{ relu }}\n{model}"),
    )
    .expect_err("cycles");

    let formals = chain(&|i| format!("a{i}: int = 1, "), 120);
    let args = chain(&|i| format!("a{i}: 1, "), 120);
    let wide = format!(
        "block b1({formals}) {{ relu }}\nmodel m {{ input image(3, 8, 8)\nrepeat 33333 {{ b1({args}) }}\n}}"
    );
    read_soon("calls with many arguments", &wide).expect("a sound file");
    let long = format!(
        "model m {{ input image(3, 8, 8) {}: repeat 9999 {{ relu }} }}",
        "a".repeat(MEBIBYTE / 2)
    );
    read_soon("a long label", &long).expect_err("too long");
    let word = "x".repeat(MEBIBYTE / 8);
    let text = format!(
        "param {word}y: int = 1\nmodel m {{ input image(3, 8, 8) conv({word}, kernel: {word}z) {word}(1) }}"
    );
    read_soon("long names", &text).expect_err("unknown names");
}

#[test]
fn the_deepest_that_is_allowed() {
    let nested = |open: &str, inner: &str, close: &str, n: usize| {
        let body = format!("{}{inner}{}", open.repeat(n), close.repeat(n));
        format!("model m {{ input image(3, 8, 8)\n{body}\n}}")
    };
    let sums = |n: usize| {
        nested(
            "conv(",
            &format!("{}3{}, kernel: 1", "(1 + ".repeat(n), ")".repeat(n)),
            ")",
            1,
        )
    };
    read(&sums(126)).expect("127 brackets");
    read(&sums(127)).expect_err("129 brackets");
    for open in ["skip resnet {", "concat {", "x: repeat 1 {"] {
        read(&nested(open, "relu", "}", 127)).unwrap_or_else(|e| panic!("{open}: {e:#?}"));
        read(&nested(open, "relu", "}", 128)).expect_err(open);
    }
    for chain in ["-", "not ", "2 ^ ", "1 + ", "1 - -"] {
        let value = format!("param p: int = {}1\n", chain.repeat(120));
        let _ = read(&format!("{value}{}", nested("", "relu", "", 0)));
    }
    let choice = "if true { ".repeat(126) + "1" + &" } else { 2 }".repeat(126);
    let _ = read(&format!(
        "param p: int = {choice}\n{}",
        nested("", "relu", "", 0)
    ));
}

fn examples() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = std::fs::read_dir(folder).expect("the examples");
    let paths = files.map(|file| file.expect("an example").path());
    let mut texts: Vec<String> = paths
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect();
    texts.sort();
    texts
}

/// Words of the language, and some that are none.
const WORDS: &[&str] = &[
    "param",
    "block",
    "model",
    "train",
    "input",
    "skip",
    "repeat",
    "concat",
    "if",
    "else",
    "and",
    "or",
    "not",
    "true",
    "false",
    "as",
    "in",
    "int",
    "float",
    "bool",
    "image",
    "conv",
    "linear",
    "relu",
    "batch_norm",
    "max_pool",
    "global_avg_pool",
    "plain",
    "resnet",
    "highway",
    "dirac",
    "variable",
    "project",
    "pad",
    "none",
    "min",
    "floor",
    "n",
    "x",
    "i",
    "kernel",
    "stride",
    "0",
    "1",
    "3",
    "8",
    "32",
    "0.5",
    "1e9",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ",",
    ":",
    "=",
    "==",
    "<",
    "..=",
    "..",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "//",
    "///",
    "\n",
    "é",
    "$",
    "data",
    "epochs",
    "synthetic",
    "sgd",
    "rate",
    "optimizer",
    "lambda",
    "alpha",
];

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn examples_with_bytes_changed(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let examples = examples();
        let mut bytes = which.get(&examples).clone().into_bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn examples_that_are_cut_and_spliced(
        which in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
        cuts in any::<[prop::sample::Index; 3]>(),
    ) {
        let examples = examples();
        let (text, other) = (which.get(&examples), other.get(&examples));
        let cut = |text: &str, end: &prop::sample::Index| {
            let mut end = end.index(text.len() + 1);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            end
        };
        let head = &text[..cut(text, &cuts[0])];
        let _ = read(head);
        let (a, b) = (cut(other, &cuts[1]), cut(other, &cuts[2]));
        let _ = read(&format!("{head}{}", &other[a.min(b)..a.max(b)]));
    }

    #[test]
    fn soup(words in prop::collection::vec(prop::sample::select(WORDS), 0..120)) {
        let soup = words.join(" ");
        let _ = read(&soup);
        let _ = read(&format!("model m {{ input image(3, 32, 32)\n{soup}\n}}"));
        let _ = read(&format!("train {{ {soup} }} model m {{ input image(3, 32, 32) linear(10) }}"));
    }

    #[test]
    fn any_text(text in any::<String>()) {
        let _ = read(&text);
        let _ = read(&format!("param n: int = 1 {text}"));
    }
}

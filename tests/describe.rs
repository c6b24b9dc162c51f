//! Tests of `vanc describe`: the folded table, JSON, DOT.

use proptest::prelude::*;
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;
use vanc::check::{Override, OverrideTarget, check};
use vanc::describe::{dot, json, table, totals, train_section};
use vanc::diag::Sources;
use vanc::ir::Model;

fn made(text: &str, flags: &[(&str, &str)]) -> Model {
    let flags = flags.iter().map(|(name, value)| Override {
        target: OverrideTarget::Param,
        name: name.to_string(),
        value: value.to_string(),
    });
    let flags: Vec<Override> = flags.collect();
    check(&mut Sources::new("test.van", text), &flags, false)
        .unwrap_or_else(|e| panic!("{text}\n{e:#?}"))
}

fn example(name: &str, flags: &[(&str, &str)]) -> Model {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    made(
        &std::fs::read_to_string(folder.join(name)).expect("an example"),
        flags,
    )
}

/// Small network with most kinds of layers.
const SMALL: &str = "
/// A network of odds and ends.
model small {
    input image(3, 8, 8)
    stem: conv(4, kernel: 3)
    stage: repeat 3 as i {
        skip if i == 1 { highway } else { variable } {
            conv(4, kernel: 3, stride: if i == 2 { 2 } else { 1 })
            batch_norm
            relu
        }
    }
    concat { conv(2, kernel: 1, bias: true) elu(alpha: 2) }
    max_pool(kernel: 2)
    global_avg_pool
    skip resnet(scale: 0.5) project: pad { linear(9) tanh }
    dropout(0.5)
    fc: linear(10, bias: false)
}
";

#[test]
fn tables() {
    insta::assert_snapshot!(
        "cifar_8n2",
        table(&example("cifar_8n2.van", &[]), false, None)
    );
    let unfolded = table(&example("cifar_8n2.van", &[("n", "2")]), true, None);
    insta::assert_snapshot!("cifar_8n2_all", unfolded);
    insta::assert_snapshot!("small", table(&made(SMALL, &[]), false, None));
}

#[test]
fn tables_fit_the_terminal() {
    let model = example("cifar_8n2.van", &[]);
    insta::assert_snapshot!("cifar_8n2_80", table(&model, false, Some(80)));
    insta::assert_snapshot!("cifar_8n2_60", table(&model, false, Some(60)));
    for model in [model, made(SMALL, &[])] {
        for room in [60, 80, 120] {
            for line in table(&model, true, Some(room)).lines() {
                assert!(line.width() <= room, "{room}: {line}");
            }
        }
        for room in [0, 1, 20] {
            table(&model, true, Some(room));
        }
    }
}

#[test]
fn json_and_dot() {
    let model = made(SMALL, &[]);
    insta::assert_snapshot!("small_json", format!("{:#}", json(&model)));
    insta::assert_snapshot!("small_dot", dot(&model));
}

#[test]
fn depth_counts_weighted_layers_on_the_main_path() {
    for n in ["1", "4", "10"] {
        for policy in ["plain", "resnet", "highway", "dirac", "variable"] {
            let model = example("cifar_8n2.van", &[("n", n), ("policy", policy)]);
            let depth = 8 * n.parse::<usize>().expect("a number") + 2;
            assert_eq!(totals(&model).depth, depth, "{policy}");
        }
    }
    assert_eq!(totals(&example("densenet.van", &[])).depth, 40);
}

#[test]
fn params_are_json_values() {
    let text = "param n: int = 3\nparam x: float = 0.5\nparam b: bool = true\n\
                param s: skip = variable(lambda: 0)\nmodel m { input image(1, 2, 2) }";
    assert_eq!(
        json(&made(text, &[]))["params"],
        serde_json::json!({ "n": 3, "x": 0.5, "b": true, "s": "variable(lambda: 0)" })
    );
}

/// Lists every path that `a.{0..2}.b` stands for.
fn unfold(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else {
        return vec![path.to_string()];
    };
    let (range, after) = rest.split_once('}').expect("a closing brace");
    let (from, to) = range.split_once("..").expect("a range");
    let (from, to): (usize, usize) = (from.parse().expect("a start"), to.parse().expect("an end"));
    let turns = (from..=to).flat_map(|turn| unfold(&format!("{before}{turn}{after}")));
    turns.collect()
}

/// Lines of a table by path, each without its path and its sums.
fn lines(table: &str) -> BTreeMap<String, Vec<String>> {
    let body = table
        .lines()
        .skip_while(|line| !line.starts_with('─'))
        .skip(1);
    let rows = body.take_while(|line| !line.is_empty());
    rows.map(|line| {
        let mut cells = line
            .split("  ")
            .filter(|cell| !cell.is_empty())
            .map(str::trim);
        let path = cells.next().expect("a path").to_string();
        (path, cells.take(2).map(String::from).collect())
    })
    .collect()
}

/// Checks that the folded table says of every layer what the unfolded one does.
fn folds_well(model: &Model) {
    let unfolded = lines(&table(model, true, None));
    let mut seen = BTreeMap::new();
    for (path, cells) in lines(&table(model, false, None)) {
        for path in unfold(&path) {
            assert!(
                seen.insert(path.clone(), cells.clone()).is_none(),
                "{path} twice"
            );
        }
    }
    assert_eq!(seen, unfolded);
    let mut layers = 0;
    model.walk(&mut |_| layers += 1);
    assert_eq!(seen.len(), layers);
}

#[test]
fn repeats_fold_where_they_are_alike() {
    let folded = |body: &str| {
        let model = made(&format!("model m {{ input image(3, 32, 32) {body} }}"), &[]);
        folds_well(&model);
        lines(&table(&model, false, None))
            .into_keys()
            .collect::<Vec<_>>()
    };
    assert_eq!(folded("a: repeat 3 { relu }"), ["a.{0..2}.relu0"]);
    assert_eq!(folded("a: repeat 1 { relu }"), ["a.0.relu0"]);
    // One that differs in the middle.
    let middle = "a: repeat 5 as i { conv(if i == 2 { 4 } else { 3 }, kernel: 1) }";
    assert_eq!(
        folded(middle),
        ["a.2.conv0", "a.3.conv0", "a.4.conv0", "a.{0..1}.conv0"]
    );
    let inner = "a: repeat 4 as i { repeat if i < 2 { 2 } else { 3 } { relu } }";
    assert_eq!(
        folded(inner),
        [
            "a.{0..1}.repeat0.{0..1}.relu0",
            "a.{2..3}.repeat0.{0..2}.relu0"
        ]
    );
    let skip = "skip resnet { a: repeat 2 { skip plain { relu } } }";
    assert_eq!(
        folded(skip),
        [
            "skip0",
            "skip0.a.{0..1}.skip0",
            "skip0.a.{0..1}.skip0.relu0"
        ]
    );
    // Settings that the table would not tell apart otherwise.
    let eps = "a: repeat 2 as i { batch_norm(eps: if i == 0 { 1e-3 } else { 1e-5 }) }";
    assert_eq!(folded(eps), ["a.0.batch_norm0", "a.1.batch_norm0"]);
    assert_eq!(
        folded("a: repeat 2 {} repeat 2 { repeat 0 { relu } tanh }"),
        ["repeat1.{0..1}.tanh0"]
    );
}

/// Generates layers that keep the shape, with repeats and scopes around them, and counters
/// that make some turns differ.
fn body() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "relu",
        "tanh",
        "conv(3, kernel: 3)",
        "dropout(if i < 1 { 0.5 } else { 0.1 })",
        "elu(alpha: if i == 2 { 2 } else { 1 })",
        "l: batch_norm",
    ]);
    leaf.prop_map(String::from)
        .prop_recursive(4, 24, 3, |inner| {
            let some = prop::collection::vec(inner, 1..3).prop_map(|layers| layers.join(" "));
            let open = prop::sample::select(vec![
                "repeat 3 as i {",
                "repeat i + 1 {",
                "repeat 4 as i {",
                "skip resnet {",
                "skip if i == 1 { plain } else { variable } {",
            ]);
            (open, some).prop_map(|(open, some)| format!("{open} {some} }}"))
        })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn folding_loses_nothing(bodies in prop::collection::vec(body(), 1..4)) {
        let bodies = bodies.join("\n");
        let text = format!("param i: int = 0\nmodel m {{ input image(3, 4, 4)\n{bodies}\n}}");
        // Two layers of one scope may have drawn the same label.
        if let Ok(model) = check(&mut Sources::new("test.van", text), &[], false) {
            folds_well(&model);
        }
    }
}

/// The section that is shown is the file's own: read again, it sets the same.
#[test]
fn the_settings_are_shown_as_they_would_be_written() {
    let network = "model m { input image(3, 32, 32) linear(10) }\n";
    let sections = [
        "",
        "train { data: cifar10(augment: [pad_crop(2), flip_horizontal]) batch: 7 seed: 3 }",
        "train { schedule: step(at: [1, 2], factor: 0.5) init: orthogonal epochs: 4 }",
        "train { schedule: cosine(warmup: 2) data: synthetic(noise: 0, train: 99) \
         optimizer: sgd(rate: 1e-7, momentum: 0, weight_decay: 2.5e-4) \
         constraint: lagrange(lambda: -2, every: epoch, alpha_granularity: layer) }",
    ];
    for section in sections {
        let model = |train: &str| {
            let mut sources = Sources::new("m.van", format!("{network}{train}"));
            check(&mut sources, &[], false).unwrap_or_else(|e| panic!("{train}: {e:#?}"))
        };
        let first = model(section);
        let shown = train_section(&first.train, None);
        assert_eq!(model(&shown).train, first.train, "{shown}");
        assert!(
            shown.lines().all(|line| line.chars().count() <= 80),
            "{shown}"
        );
    }
}

/// The README shows the settings that a file without `train` has.
#[test]
fn the_readme_shows_the_defaults() {
    let section = train_section(&vanc::ir::Train::default(), None);
    assert!(include_str!("../README.md").contains(&section), "{section}");
}

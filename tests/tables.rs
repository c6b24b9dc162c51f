//! Tests of every row of the language's tables: it can be checked, it means its defaults, it
//! keeps its bounds, and it is in the README and in the help.

use std::collections::HashSet;
use vanc::check::{check, layers, policies};
use vanc::diag::{Code, Diagnostic, Sources};
use vanc::ir::call::{Arguments, Bounds, Integers, Kind, Literal, Row, Slot, SlotDefault};
use vanc::ir::train::{
    AUGMENTS, CONSTRAINTS, DATASET_LIST, DATASETS, INIT_LIST, INITS, LOSS_LIST, LOSSES, OPTIMIZERS,
    SCHEDULE_LIST, SCHEDULES, SETTINGS,
};
use vanc::ir::{INPUTS, Layer, Model, Op};
use vanc::syntax::{parse, print};

/// A row without what it builds, and a file around a call of it.
struct Entry {
    name: &'static str,
    doc: &'static str,
    slots: &'static [Slot<'static>],
    file: fn(&str) -> String,
}

fn entries() -> Vec<Entry> {
    fn of_table<T>(rows: &'static [Row<T>], file: fn(&str) -> String) -> Vec<Entry> {
        let entry = |row: &'static Row<T>| Entry {
            name: row.name,
            doc: row.doc,
            slots: row.slots,
            file,
        };
        rows.iter().map(entry).collect()
    }
    let tables = [
        of_table(layers(), |call| model(&format!("relu {call}"))),
        of_table(policies(), |call| {
            model(&format!("skip {call} {{ conv(3, kernel: 3) relu }}"))
        }),
        of_table(INPUTS, |call| format!("model m {{ input {call} relu }}")),
        of_table(DATASETS, |call| {
            // What fits any dataset is checked elsewhere: here only the call counts.
            let body = match call {
                call if call.contains("mnist") => "input image(1, 28, 28) linear(10)",
                call if call.contains("cifar100") => "input image(3, 32, 32) linear(100)",
                _ => "input image(3, 32, 32) linear(10)",
            };
            format!("model m {{ {body} }} train {{ data: {call} }}")
        }),
        of_table(AUGMENTS, |call| {
            train(&format!("data: synthetic(augment: [{call}])"))
        }),
        of_table(LOSSES, |call| train(&format!("loss: {call}"))),
        of_table(INITS, |call| train(&format!("init: {call}"))),
        of_table(OPTIMIZERS, |call| train(&format!("optimizer: {call}"))),
        of_table(SCHEDULES, |call| train(&format!("schedule: {call}"))),
        of_table(CONSTRAINTS, |call| train(&format!("constraint: {call}"))),
    ];
    tables.into_iter().flatten().collect()
}

fn model(body: &str) -> String {
    format!("model m {{ input image(3, 32, 32) {body} }}")
}

fn train(setting: &str) -> String {
    format!("{} train {{ {setting} }}", model("linear(10)"))
}

fn run(text: &str) -> Result<Model, Vec<Diagnostic>> {
    check(&mut Sources::new("row.van", text), &[], false)
}

fn sound(text: &str) -> Model {
    run(text).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes:#?}"))
}

fn written(literal: Literal) -> String {
    match literal {
        Literal::Int(n) => n.to_string(),
        Literal::Float(x) => format!("{x:?}"),
        Literal::Bool(b) => b.to_string(),
        Literal::Word(word) => word.to_string(),
        Literal::Epochs(epochs) => format!("{epochs:?}"),
        Literal::NoAugments => "[]".to_string(),
    }
}

/// A call of the row with the values that `value` gives its slots.
fn call(entry: &Entry, value: impl Fn(&Slot) -> Option<String>) -> String {
    let args: Vec<String> = entry
        .slots
        .iter()
        .filter_map(|slot| Some((slot, value(slot)?)))
        .map(|(slot, value)| format!("{}: {value}", slot.name))
        .collect();
    match args.as_slice() {
        [] => entry.name.to_string(),
        args => format!("{}({})", entry.name, args.join(", ")),
    }
}

/// The example of a slot that must be given.
fn required(slot: &Slot) -> Option<String> {
    match slot.default {
        SlotDefault::Required(example) => example.map(written),
        SlotDefault::Value(_) | SlotDefault::Derived => None,
    }
}

/// Tells the content of a model, without the places where the file says it.
fn meaning(model: &Model) -> (Vec<(String, Op)>, String) {
    let mut layers = Vec::new();
    model.walk(&mut |layer: &Layer| {
        if layer.op.body().is_empty() {
            layers.push((layer.path.clone(), layer.op.clone()));
        }
    });
    (layers, format!("{:?} {}", model.train, model.output))
}

#[test]
fn every_row_can_be_checked_and_formatted() {
    for entry in entries() {
        let text = (entry.file)(&call(&entry, required));
        sound(&text);
        let file = parse(&text, 0).expect(&text);
        let printed = print(&file, &text);
        assert_eq!(meaning(&sound(&printed)), meaning(&sound(&text)), "{text}");
    }
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    for entry in entries() {
        let short = (entry.file)(&call(&entry, required));
        let long = (entry.file)(&call(&entry, |slot| slot.example().map(written)));
        assert_eq!(meaning(&sound(&long)), meaning(&sound(&short)), "{long}");
    }
}

#[test]
fn every_layer_is_built_under_its_own_name() {
    for row in layers() {
        let op = (row.build)(&Arguments::examples(row.name, row.slots)).expect(row.name);
        assert_eq!(op.keyword(), row.name);
    }
    for row in DATASETS {
        let data = (row.build)(&Arguments::examples(row.name, row.slots)).expect(row.name);
        assert_eq!(data.kind.keyword(), row.name);
    }
}

/// Values just outside the bounds of a slot.
fn outside(kind: Kind) -> Vec<String> {
    match kind {
        Kind::Int(range) => {
            let (least, most) = range.ends();
            let beyond = [least.checked_sub(1), most.checked_add(1)];
            beyond
                .into_iter()
                .flatten()
                .map(|n| n.to_string())
                .collect()
        }
        Kind::Float(bounds) => {
            let values: &[f64] = match bounds {
                Bounds::Any => &[],
                Bounds::Positive => &[0.0, -1.0],
                Bounds::NotNegative => &[-0.5],
                Bounds::Share => &[0.0, 1.5],
                Bounds::BelowOne => &[-0.5, 1.0],
                Bounds::Unit => &[-0.5, 1.5],
            };
            values.iter().map(|x| format!("{x:?}")).collect()
        }
        Kind::Padding => outside(Kind::Int(Integers::Size(0))),
        Kind::Word(_) => vec!["nonsense".to_string()],
        Kind::Epochs => vec!["[3, 2]".to_string(), "[-1]".to_string()],
        Kind::Bool | Kind::Augments => vec!["0".to_string()],
        Kind::Skip | Kind::Any => Vec::new(),
    }
}

#[test]
fn a_value_out_of_bounds_is_one_mistake_at_its_slot() {
    let mut tried = 0;
    for entry in entries() {
        for slot in entry.slots {
            for value in outside(slot.kind) {
                let call = call(&entry, |other| match other.name == slot.name {
                    true => Some(value.clone()),
                    false => required(other),
                });
                let text = (entry.file)(&call);
                let mistakes = run(&text).expect_err(&text);
                let [mistake] = mistakes.as_slice() else {
                    panic!("{text}\n{mistakes:#?}");
                };
                let code = match slot.kind {
                    Kind::Word(_) => Code::Name,
                    Kind::Bool | Kind::Augments => Code::Type,
                    Kind::Int(Integers::Size(least)) if value != (least - 1).to_string() => {
                        Code::Limit
                    }
                    Kind::Padding if !value.starts_with('-') => Code::Limit,
                    Kind::Int(_)
                    | Kind::Float(_)
                    | Kind::Skip
                    | Kind::Any
                    | Kind::Padding
                    | Kind::Epochs => Code::Value,
                };
                assert_eq!(mistake.code, code, "{text}");
                let named = mistake.message.contains(&format!("`{}`", slot.name));
                assert!(named, "{text}\n{}", mistake.message);
                tried += 1;
            }
        }
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn a_misspelt_slot_is_told_its_name() {
    for entry in entries() {
        let Some(slot) = entry.slots.iter().find(|slot| slot.name.len() > 3) else {
            continue;
        };
        let text = (entry.file)(&format!("{}({}x: 1)", entry.name, slot.name));
        let mistakes = run(&text).expect_err(&text);
        let help = format!("did you mean `{}`?", slot.name);
        let told = mistakes.iter().any(|m| m.help.as_deref() == Some(&help));
        assert!(told, "{text}\n{mistakes:#?}");
    }
}

/// The names in a text.
fn names(text: &str) -> HashSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect()
}

#[test]
fn every_row_and_slot_is_in_the_readmes_section_on_the_language() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).expect("README.md");
    let (_, section) = readme.split_once("\n## The language\n").expect("section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let known = names(section);
    for entry in entries() {
        assert!(known.contains(entry.name), "{} is not there", entry.name);
        for slot in entry.slots {
            let (row, slot) = (entry.name, slot.name);
            assert!(known.contains(slot), "{slot} of {row} is not there");
        }
    }
    for (name, _) in SETTINGS {
        assert!(known.contains(name), "{name} is not there");
    }
}

#[test]
fn every_row_and_slot_has_a_line_about_it_and_a_name_of_its_own() {
    let mut seen = HashSet::new();
    for entry in entries() {
        assert!(
            seen.insert((entry.name, entry.file as usize)),
            "{}",
            entry.name
        );
        let docs = entry.slots.iter().map(|slot| slot.doc).chain([entry.doc]);
        for doc in docs {
            let is_line = !doc.is_empty() && !doc.ends_with('.') && !doc.contains('\n');
            assert!(is_line, "{}: {doc}", entry.name);
        }
        let slots: HashSet<&str> = entry.slots.iter().map(|slot| slot.name).collect();
        assert_eq!(slots.len(), entry.slots.len(), "{}", entry.name);
    }
}

#[test]
fn the_help_lists_every_row() {
    fn assert_lists<T>(list: &str, rows: &[Row<T>]) {
        for row in rows {
            assert!(
                names(list).contains(row.name),
                "{} is not in {list}",
                row.name
            );
        }
    }
    assert_lists(DATASET_LIST, DATASETS);
    assert_lists(LOSS_LIST, LOSSES);
    assert_lists(INIT_LIST, INITS);
    assert_lists(SCHEDULE_LIST, SCHEDULES);
}

//! Flags of the commands beside `vanc train`, and the whole table.

use super::flag::{Flag, Value};
use super::options::{NO_WINOGRAD, Options, TRAIN};
use super::values::{Format, NetworkFormat, PredictionFormat, Resize, ScriptTarget, Split, Which};

type Flags = &'static [Flag<Options>];

/// Flag that chooses how a command prints what it found.
pub const FORMAT: Flags =
    &[Flag::new("format", Value::Choice(Format::NAMES), "How to print it").default("text")];

/// Flags of `vanc describe`.
pub const DESCRIBE: Flags = &[
    Flag::new(
        "format",
        Value::Choice(NetworkFormat::NAMES),
        "How to print it",
    )
    .default("text"),
    Flag::new(
        "all",
        Value::Switch,
        "Show every repeat by itself, folding none",
    ),
    Flag::new(
        "plan",
        Value::Switch,
        "Show the steps and buffers of training",
    ),
    Flag::new("batch", Value::Number("N"), "Images in a step of the plan"),
    NO_WINOGRAD,
];

/// Flags of `vanc fmt`.
pub const FMT: Flags = &[Flag::new(
    "check",
    Value::Switch,
    "Change nothing; fail if a file is not in its canonical form",
)];

/// Flags of what a sweep varies.
pub const GRID: Flags = &[
    Flag::new(
        "vary",
        Value::Texts("NAME=VALUE,…"),
        "Train with each value of a param, a setting or a flag of train, \
         which may be ranges: 1..=4, linear(0..1, 5), log(0.0001..1, 9); \
         given again, with each combination",
    ),
    Flag::new(
        "seeds",
        Value::Text("N"),
        "Seeds 0 to N−1, or a list like 3,5,8 [default: the file's seed]",
    ),
];

/// Flags of where and in how many parts a sweep is done.
pub const PARTS: Flags = &[
    Flag::new(
        "out",
        Value::Path("DIR"),
        "The sweep's folder [default: sweeps/FILE]",
    ),
    Flag::new(
        "jobs",
        Value::Number("N"),
        "Runs at a time [default: one a thread, as memory allows]",
    ),
    Flag::new(
        "shard",
        Value::Text("I/N"),
        "Do only the I-th of N parts of the grid, beside the other parts",
    ),
    Flag::new(
        "dry-run",
        Value::Switch,
        "Show the runs of the grid, and which are there already; start nothing",
    ),
];

/// Flags of the script that does a sweep in parts.
pub const SCRIPT: Flags = &[
    Flag::new(
        EMIT,
        Value::Choice(ScriptTarget::NAMES),
        "Print a script that does the sweep in parts; run nothing",
    ),
    Flag::new(
        "shards",
        Value::Number("N"),
        "Parts of the script [default: one a run, 100 at most]",
    ),
    Flag::new(
        "partition",
        Value::Text("NAME"),
        "Partition of Slurm that the parts are queued in",
    ),
    Flag::new(
        "time",
        Value::Text("TIME"),
        "Time that Slurm gives a part before it is queued again: minutes, h:mm:ss or d-hh",
    ),
    Flag::new(
        "mem",
        Value::Text("SIZE"),
        "Memory that Slurm gives a part, like 4GiB",
    ),
    Flag::new(
        "gpus-per-task",
        Value::Count("N"),
        "GPUs that Slurm gives a part [default: 1 with --device cuda]",
    ),
];

/// Name of the flag that the others of [`SCRIPT`] stand beside.
pub const EMIT: &str = "emit";

const CHECKPOINT: Flag<Options> = Flag::new(
    "checkpoint",
    Value::Choice(Which::NAMES),
    "Which checkpoint of a run folder",
)
.default("last");
const DATA_DIR: Flag<Options> =
    Flag::new("data-dir", Value::Path("DIR"), "The folder of the dataset");
const BATCH: Flag<Options> = Flag::new(
    "batch",
    Value::Number("N"),
    "Images at a time [default: the run's]",
);

/// Flags of what `vanc eval` tests, and on what.
pub const EVAL: Flags = &[
    CHECKPOINT,
    Flag::new("split", Value::Choice(Split::NAMES), "Which images").default("test"),
    Flag::new(
        "data",
        Value::Text("KIND"),
        "Another dataset than the run's",
    ),
    DATA_DIR,
    BATCH,
];

/// Flags of what `vanc predict` reads and writes.
pub const PREDICT: Flags = &[
    CHECKPOINT,
    Flag::new(
        "split",
        Value::Choice(Split::NAMES),
        "Predict images of a dataset in place of files: which of them",
    ),
    Flag::new(
        "data",
        Value::Text("KIND"),
        "Predict images of that dataset [default: the run's]",
    ),
    DATA_DIR,
    BATCH,
    Flag::new(
        "resize",
        Value::Choice(Resize::NAMES),
        "Fit images of another size: stretch both sides, or cut out the middle; \
         by the triangle filter, which is Pillow's bilinear",
    ),
    Flag::new(
        "top",
        Value::Number("K"),
        "Classes of each image, the most probable first",
    )
    .default("1"),
    Flag::new(
        "format",
        Value::Choice(PredictionFormat::NAMES),
        "How to print them",
    )
    .default("text"),
    Flag::new(
        "out",
        Value::Path("FILE"),
        "A new file for them [default: standard output]",
    )
    .letter('o'),
];

/// Flags of `vanc report`.
pub const REPORT: Flags = &[
    Flag::new(
        "out",
        Value::Path("FILE"),
        "The page [default: DIR/report.html]",
    )
    .letter('o'),
    Flag::new(
        "compare",
        Value::Path("FILE"),
        "Published results to be shown beside those of a sweep (JSON)",
    ),
];

/// Flags of what `vanc bench` measures.
pub const BENCH: Flags = &[
    Flag::new(
        "inference",
        Value::Switch,
        "Measure evaluation in place of training, of 1 image and of 128 unless --batch says",
    ),
    Flag::new(
        "max-steps",
        Value::Number("N"),
        "Steps to time [default: as many as take five seconds]",
    ),
    Flag::new(
        "profile",
        Value::Switch,
        "Show what each step of the plan takes",
    ),
];

/// Groups of the flags that a param of a file could be taken for.
const TABLE: &[&[Flags]] = &[
    TRAIN,
    &[
        FORMAT, DESCRIBE, FMT, GRID, PARTS, SCRIPT, EVAL, PREDICT, REPORT, BENCH,
    ],
];

/// Flags that every command has.
const COMMON: [&str; 2] = ["help", "version"];

/// Whether a command has a flag called `name`, so that no param may.
pub fn is_flag(name: &str) -> bool {
    let mut flags = TABLE
        .iter()
        .flat_map(|groups| groups.iter().copied().flatten());
    COMMON.contains(&name) || flags.any(|flag| flag.name == name)
}

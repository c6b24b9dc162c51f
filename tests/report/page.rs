//! Tests of the page and the figures: their contents, and the inputs that stop them.

use crate::support::{COMPLAINT, copy, fail, run, succeed, sweep, vanc};
use std::path::Path;

/// Writes the page of the sweep or run in `dir`; returns its text, and the folder of its
/// figures.
fn report(dir: &Path) -> (String, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("page.html");
    let said = succeed(&[
        "report".as_ref(),
        dir.as_os_str(),
        "-o".as_ref(),
        out.as_os_str(),
    ]);
    assert!(said.contains("page.html"), "{said}");
    let html = std::fs::read_to_string(&out).expect("a page");
    (html, folder)
}

#[test]
fn a_sweep_becomes_figures_and_tables() {
    let (html, folder) = report(sweep());
    // The layers that `n` makes are counted: stem, n blocks, head.
    for part in [
        "Test accuracy by layers",
        "3 layers",
        "5 layers",
        "Sweep of tiny",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(html.contains("6 of 8 done"));
    assert!(html.contains("1 failed") && html.contains("1 missing"));
    assert!(html.contains("the loss is NaN in step 12, &lt;b&gt;sadly&lt;/b&gt;"));
    assert!(!html.contains(COMPLAINT), "what a run says is escaped");
    assert!(html.contains("--vary n=3,1 --vary policy=plain,variable --seeds 2 --rate 0.01"));
    assert!(html.contains("repeat n { skip policy"), "the file is there");
    let figures = folder.path().join("page-figures");
    let names: Vec<String> = std::fs::read_dir(&figures)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let svg: Vec<&String> = names.iter().filter(|name| name.ends_with(".svg")).collect();
    assert_eq!(svg.len() * 2, names.len(), "a PNG for each SVG: {names:?}");
    assert_eq!(svg.len(), html.matches("<figure>").count());
    for name in [
        "test-accuracy-by-layers",
        "training-accuracy-by-layers",
        "test-error-by-epoch-5-layers",
        "variable-training-and-test-error-5-layers",
        "variable-alpha-and-lambda-5-layers",
    ] {
        assert!(
            svg.iter().any(|file| **file == format!("{name}.svg")),
            "{name}: {svg:?}"
        );
        let file = std::fs::File::open(figures.join(format!("{name}.png"))).expect("a picture");
        let png = png::Decoder::new(std::io::BufReader::new(file));
        let width = png.read_info().expect("a PNG").info().width;
        assert!(width >= 1000, "{width}");
    }
}

/// Mean and deviation in a table are those of the runs.
#[test]
fn tables_hold_means_and_deviations() {
    let results = std::fs::read_to_string(sweep().join("results.jsonl")).expect("results");
    let best: Vec<f64> = results
        .lines()
        .take(2)
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|row| 100.0 * row["best_test_accuracy"].as_f64().expect("a number"))
        .collect();
    let mean = (best[0] + best[1]) / 2.0;
    let deviation = (best[0] - best[1]).abs() / 2f64.sqrt();
    let (html, _folder) = report(sweep());
    let cell = format!("{mean:.2} ± {deviation:.2}");
    let table = html.split("Best test accuracy").nth(1).expect("the table");
    assert!(
        table
            .split("</table>")
            .next()
            .expect("its end")
            .contains(&cell),
        "{cell}"
    );
}

#[test]
fn links_lead_to_the_runs() {
    let copy = copy();
    succeed(&["report".as_ref(), copy.path().as_os_str()]);
    let html = std::fs::read_to_string(copy.path().join("report.html")).expect("a page");
    assert!(
        html.contains("<a href=\"runs/n=3,policy=plain,seed=0\">"),
        "{html}"
    );
    let deeper = copy.path().join("a/b.html");
    succeed(&[
        "report".as_ref(),
        copy.path().as_os_str(),
        "-o".as_ref(),
        deeper.as_os_str(),
    ]);
    let moved = std::fs::read_to_string(deeper).expect("a page");
    assert!(moved.contains("<a href=\"../runs/n=3,policy=plain,seed=0\">"));
    assert!(
        !html.contains("<a href=\"runs/n=1,policy=variable,seed=1\">"),
        "it is not there"
    );
}

#[test]
fn published_results_stand_beside_ours() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("theirs.json");
    let text = r#"{"source": "Table <2>", "best_test_accuracy": [
        {"policy": "plain", "depth": 5, "mean": 12.345, "deviation": 0.5},
        {"policy": "variable", "depth": 3, "mean": 67.8}]}"#;
    std::fs::write(&path, text).expect("written");
    let out = folder.path().join("report.html");
    let args: [&std::ffi::OsStr; 6] = [
        "report".as_ref(),
        sweep().as_ref(),
        "--compare".as_ref(),
        path.as_ref(),
        "-o".as_ref(),
        out.as_ref(),
    ];
    succeed(&args);
    let html = std::fs::read_to_string(&out).expect("a page");
    assert!(html.contains("<i>12.35 ± 0.50</i>") || html.contains("<i>12.34 ± 0.50</i>"));
    assert!(html.contains("<i>67.80</i>") && html.contains("Table &lt;2&gt;"));
    std::fs::write(&path, "{\"source\": 3}").expect("written");
    assert!(fail(&args).contains("holds no published results"));
}

#[test]
fn a_run_alone_becomes_its_curves() {
    let (html, folder) = report(&run(sweep(), "3", "variable", 0));
    for part in [
        "Run of tiny, variable",
        "Training and test error",
        "λ of each skip",
        "3 epochs",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(html.contains("blocks.2.skip0"));
    assert!(
        folder
            .path()
            .join("page-figures/alpha-of-each-skip.png")
            .exists()
    );
    let (plain, _folder) = report(&run(sweep(), "3", "plain", 0));
    assert!(!plain.contains("of each skip") && !plain.contains("α residual (right)"));
}

#[test]
fn what_cannot_be_reported_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let says = |dir: &Path, part: &str| {
        let said = fail(&["report".as_ref(), dir.as_os_str()]);
        assert!(said.contains(part), "{part}: {said}");
    };
    says(&path("absent"), "is not there");
    says(folder.path(), "neither a sweep nor a run");
    std::fs::write(path("file"), "").expect("written");
    says(&path("file"), "is no folder");
    std::fs::create_dir(path("s")).expect("made");
    std::fs::write(path("s/sweep.json"), "{").expect("written");
    says(&path("s"), "sweep.json is damaged");
    let settings = r#"{"version": 9, "file": "x.van", "axes": [], "seeds": [0], "options": {}}"#;
    std::fs::write(path("s/sweep.json"), settings).expect("written");
    says(&path("s"), "version 9");
    std::fs::write(path("s/sweep.json"), settings.replace('9', "1")).expect("written");
    says(&path("s"), "results.jsonl is not there yet");
    std::fs::write(path("s/results.jsonl"), "nonsense\n").expect("written");
    says(&path("s"), "damaged in line 1");
    let out = [
        "report".as_ref(),
        sweep().as_os_str(),
        "-o".as_ref(),
        folder.path().as_os_str(),
    ];
    assert!(fail(&out).contains("names no file"));
}

/// A sweep under way, or one whose runs were thrown away, still has a page.
#[test]
fn a_sweep_without_logs_has_a_page() {
    let copy = copy();
    std::fs::remove_dir_all(copy.path().join("runs")).expect("removed");
    let (html, _folder) = report(copy.path());
    assert!(html.contains("Best test accuracy"));
    assert!(!html.contains("by epoch"), "there are no curves");
    let results = copy.path().join("results.jsonl");
    let text = std::fs::read_to_string(&results).expect("results");
    let first = text
        .lines()
        .next()
        .expect("a line")
        .replace("\"done\"", "\"missing\"");
    // The second line is cut off.
    std::fs::write(&results, format!("{first}\n{}", &text[..40])).expect("written");
    let (html, _folder) = report(copy.path());
    assert!(html.contains("nothing to draw") && html.contains("0 of 1 done"));
}

/// Reports what there is of a run that was killed, and says how to go on.
#[test]
fn a_run_that_has_not_ended_has_a_page() {
    let copy = copy();
    let dir = run(copy.path(), "3", "variable", 0);
    let log = dir.join("metrics.jsonl");
    let text = std::fs::read_to_string(&log).expect("a log");
    let lines: Vec<&str> = text.lines().collect();
    let go_on = format!("vanc train --resume {}", dir.display());
    let says = |log_text: &str, parts: &[&str]| {
        std::fs::write(&log, log_text).expect("written");
        let said = succeed(&["report".as_ref(), dir.as_os_str()]);
        let html = std::fs::read_to_string(dir.join("report.html")).expect("a page");
        assert!(said.contains(&go_on) && html.contains(&go_on), "{said}");
        for part in parts {
            assert!(said.contains(part), "{part}: {said}");
        }
    };
    // Two epochs and a line that is torn; a line within the first; nothing.
    let two = format!("{}\n{{\"split\":\"tr", lines[..4].join("\n"));
    says(&two, &["figures", "stopped: step ", " of "]);
    let within = lines[0].split(",\"epoch_loss\"").next().expect("a line");
    says(
        &format!("{within}}}\n"),
        &["nothing to draw", "no epoch has ended"],
    );
    says("", &["nothing to draw", "nothing is logged yet"]);
    std::fs::remove_file(&log).expect("removed");
    let said = succeed(&["report".as_ref(), dir.as_os_str()]);
    assert!(said.contains("nothing is logged yet"), "{said}");
    // A log alone cannot go on.
    std::fs::write(&log, &two).expect("written");
    std::fs::remove_file(dir.join("config.json")).expect("removed");
    let said = succeed(&["report".as_ref(), dir.as_os_str()]);
    assert!(
        said.contains("config.json is lost") && !said.contains("--resume"),
        "{said}"
    );
}

/// Names the file and the line of a log that is damaged, wherever it is read, and goes on with the
/// other lines.
#[test]
fn a_damaged_log_is_told_and_the_rest_is_read() {
    let copy = copy();
    let dir = run(copy.path(), "3", "variable", 0);
    let log = dir.join("metrics.jsonl");
    let text = std::fs::read_to_string(&log).expect("a log");
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1] = "{\"split\": NaN}";
    std::fs::write(&log, lines.join("\n") + "\n").expect("written");
    let commands: [&[&std::ffi::OsStr]; 4] = [
        &["report".as_ref(), dir.as_ref()],
        &["report".as_ref(), copy.path().as_ref()],
        &["watch".as_ref(), dir.as_ref()],
        &["train".as_ref(), "--resume".as_ref(), dir.as_ref()],
    ];
    for command in commands {
        let output = vanc(command);
        assert!(output.status.success(), "{output:?}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = format!("{} is damaged: line 2 is left out", log.display());
        assert!(said.contains(&words), "{said}");
    }
    let rest = std::fs::read_to_string(&log).expect("a log");
    assert_eq!(rest.lines().count(), lines.len() - 1, "{rest}");
    let kept = std::fs::read_to_string(dir.join("metrics.jsonl.damaged"));
    assert_eq!(kept.expect("the log as it was"), lines.join("\n") + "\n");
}

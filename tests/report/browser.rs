//! Tests of the page in a real browser.

#[path = "../needs/mod.rs"]
mod needs;
#[allow(dead_code, reason = "shared with the suite of reports")]
mod support;

use crate::needs::{Need, case};
use crate::support::{run, succeed, sweep};
use std::path::{Path, PathBuf};
use std::process::Command;

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    found.into_iter().find(|path| path.is_file())
}

/// Opens `page` in a window of this width; returns the browser's document, and its messages.
fn open(chromium: &Path, page: &Path, width: u32) -> (String, String) {
    let profile = tempfile::tempdir().expect("a folder");
    let output = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
        ])
        .args(["--no-first-run", "--disable-background-networking"])
        .args([
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--window-size={width},800"))
        .args(["--enable-logging=stderr", "--dump-dom"])
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn console(log: &str) -> Vec<&str> {
    log.lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect()
}

fn pages_open_without_errors_and_fit_a_phone() {
    let chromium = chromium().expect("Chromium");
    let folder = tempfile::tempdir().expect("a folder");
    for (name, dir) in [
        ("sweep", sweep().to_owned()),
        ("run", run(sweep(), "3", "variable", 0)),
    ] {
        let page = folder.path().join(format!("{name}.html"));
        succeed(&[
            "report".as_ref(),
            dir.as_os_str(),
            "-o".as_ref(),
            page.as_os_str(),
        ]);
        let html = std::fs::read_to_string(&page).expect("a page");
        let (dom, log) = open(&chromium, &page, 1280);
        assert_eq!(console(&log), [""; 0], "{name}");
        assert_eq!(
            dom.matches("</svg>").count(),
            html.matches("</svg>").count(),
            "{name}"
        );
        let measured = folder.path().join(format!("{name}-measured.html"));
        std::fs::write(&measured, with_a_measure(&html)).expect("written");
        for width in [390, 1280] {
            // A window of its own is never as narrow as a phone.
            let frame = format!(
                "<title></title><script>onmessage = e => document.title = e.data</script>\
                 <iframe src=\"{name}-measured.html\" width={width} height=800></iframe>"
            );
            let frame_page = folder.path().join("frame.html");
            std::fs::write(&frame_page, frame).expect("written");
            let (dom, log) = open(&chromium, &frame_page, 1600);
            assert_eq!(console(&log), [""; 0], "{name} at {width}");
            let title = dom.split("<title>").nth(1).expect("a title");
            let measures = title.split("</title>").next().expect("its end");
            let measures: Vec<u32> = measures
                .split(' ')
                .map(|m| m.parse().expect(title))
                .collect();
            assert_eq!(measures[0], width, "{name}: the frame is as asked");
            assert!(
                measures[1] <= width,
                "{name} at {width}: {} wide",
                measures[1]
            );
            assert!(
                measures[2] >= 330,
                "{name} at {width}: a figure of {}",
                measures[2]
            );
        }
    }
}

/// Adds a script, which the page itself does not allow, that tells the widths of the window,
/// of the page and of the narrowest figure.
fn with_a_measure(html: &str) -> String {
    let script = "<script>
        const widths = [...document.querySelectorAll('figure svg')].map(
            figure => Math.round(figure.getBoundingClientRect().width));
        const page = document.documentElement.scrollWidth;
        parent.postMessage([innerWidth, page, Math.min(...widths)].join(' '), '*');
        </script></body>";
    html.replace("default-src 'none'; ", "script-src 'unsafe-inline'; ")
        .replace("</body>", script)
}

/// A script that the page does not allow is an error, so the test above can fail.
fn errors_on_the_console_are_seen() {
    let chromium = chromium().expect("Chromium");
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("wrong.html");
    std::fs::write(&page, "<script>nonsense()</script>").expect("written");
    let (_, log) = open(&chromium, &page, 390);
    assert_eq!(console(&log).len(), 1, "{log}");
}

fn main() -> std::process::ExitCode {
    let browser: Need = chromium().map(|_| ()).ok_or("Chromium".into());
    needs::run(vec![
        case(
            "pages_open_without_errors_and_fit_a_phone",
            &browser,
            pages_open_without_errors_and_fit_a_phone,
        ),
        case(
            "errors_on_the_console_are_seen",
            &browser,
            errors_on_the_console_are_seen,
        ),
    ])
}

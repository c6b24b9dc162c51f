//! The page of a report: one HTML file that needs no other.

use super::chart::escape;
use super::figure::Figure;
use std::fmt::Write;
use std::path::{Component, Path};

/// Style sheet for phone, desk and paper, in light and dark.
const STYLE: &str = include_str!("page.css");

/// A page under construction.
#[derive(Debug)]
pub struct Page {
    title: String,
    lead: String,
    sections: Vec<(String, String)>,
    /// Link to the folder of the figures.
    figures: String,
}

impl Page {
    /// Starts a page; `figures` is the folder of the figures' files.
    pub fn new(title: &str, figures: &Path) -> Self {
        Page {
            title: title.into(),
            lead: String::new(),
            sections: Vec::new(),
            figures: link(figures),
        }
    }

    /// Adds named facts under the title; the facts are HTML.
    pub fn facts(&mut self, facts: &[(&str, String)]) {
        self.lead.push_str("<dl>");
        for (name, fact) in facts {
            let _ = write!(self.lead, "<dt>{}</dt><dd>{fact}</dd>", escape(name));
        }
        self.lead.push_str("</dl>\n");
    }

    /// Adds a section; its body is HTML.
    pub fn section(&mut self, title: &str, body: String) {
        self.sections.push((title.into(), body));
    }

    /// Adds a section of figures below a text in HTML.
    pub fn figures(&mut self, title: &str, text: &str, figures: &[Figure]) {
        let mut body = format!("<p>{text}</p>\n<div class=\"figures\">\n");
        for figure in figures {
            let file = format!("{}/{}", self.figures, encode(&figure.name));
            let _ = writeln!(
                body,
                "<figure>{}<figcaption><a href=\"{file}.svg\">SVG</a> <a href=\"{file}.png\">PNG</a>\
                 </figcaption></figure>",
                figure.chart.svg(),
            );
        }
        body.push_str("</div>\n");
        self.section(title, body);
    }

    /// Writes the text of the whole HTML file.
    pub fn html(&self) -> String {
        let mut out = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; img-src data:\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <link rel=\"icon\" href=\"data:,\">\n\
             <title>{0}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <header>\n<h1>{0}</h1>\n{1}",
            escape(&self.title),
            self.lead
        );
        out.push_str("<nav>");
        for (i, (title, _)) in self.sections.iter().enumerate() {
            let _ = write!(out, "<a href=\"#s{i}\">{}</a> ", escape(title));
        }
        out.push_str("</nav>\n</header>\n<main>\n");
        for (i, (title, body)) in self.sections.iter().enumerate() {
            let _ = writeln!(
                out,
                "<section id=\"s{i}\">\n<h2>{}</h2>\n{body}</section>",
                escape(title)
            );
        }
        let _ = writeln!(
            out,
            "</main>\n<footer>Written by vanc {}.</footer>\n</body>\n</html>",
            env!("CARGO_PKG_VERSION")
        );
        out
    }
}

/// Formats a shell command or a file as it is.
pub fn code(text: &str) -> String {
    format!("<pre><code>{}</code></pre>\n", escape(text.trim_end()))
}

/// Makes the link from the folder `from` to `to`, relative if possible. Both exist.
pub fn link_between(from: &Path, to: &Path) -> Option<String> {
    let from = std::fs::canonicalize(from).ok()?;
    let to = std::fs::canonicalize(to).ok()?;
    let (from, to): (Vec<Component>, Vec<Component>) =
        (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if shared == 0 {
        return None; // another drive
    }
    let up = from[shared..].iter().map(|_| "..".to_string());
    let down = to[shared..]
        .iter()
        .map(|part| encode(&part.as_os_str().to_string_lossy()));
    let parts: Vec<String> = up.chain(down).collect();
    Some(match parts.is_empty() {
        true => ".".into(),
        false => parts.join("/"),
    })
}

/// Encodes a relative path as a link.
fn link(path: &Path) -> String {
    let parts = path
        .components()
        .map(|part| encode(&part.as_os_str().to_string_lossy()));
    parts.collect::<Vec<_>>().join("/")
}

/// Encodes a name as one part of a link's path.
fn encode(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'=' | b',' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_and_encoded() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = folder.path().join("sweep/runs/policy=variable(lambda: 0)");
        std::fs::create_dir_all(&run).expect("made");
        let link = |path: &str| link_between(&folder.path().join(path), &run);
        let name = "policy=variable%28lambda%3A%200%29";
        assert_eq!(link("sweep"), Some(format!("runs/{name}")));
        assert_eq!(link(""), Some(format!("sweep/runs/{name}")));
        assert_eq!(link("sweep/runs/.."), link("sweep"));
        std::fs::create_dir(folder.path().join("other")).expect("made");
        assert_eq!(link("other"), Some(format!("../sweep/runs/{name}")));
        assert_eq!(link("absent"), None);
    }

    #[test]
    fn text_cannot_leave_its_place() {
        let mut page = Page::new("<script>alert(1)</script>", Path::new("a \"b\""));
        page.section("<b>", code("</code><script>"));
        let html = page.html();
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"));
        assert!(!html.contains("<b>"));
    }
}

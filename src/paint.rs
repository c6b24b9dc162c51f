//! Colours, weights and the width of text on a terminal.

use console::{Style, Term};

/// Returns the columns of the terminal that standard output is; none in a pipe or a file.
pub fn width() -> Option<usize> {
    let term = Term::stdout();
    term.is_term().then(|| usize::from(term.size().1))
}

/// Meaning that a text is painted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Text like any other.
    Plain,
    /// Less important text.
    Dim,
    /// Good news.
    Good,
    /// Bad news.
    Bad,
    /// Text about the fading of skips.
    Accent,
}

/// Painter of text for a terminal; the flag tells whether it uses any styles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    /// Paints text by its meaning.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Plain => text.into(),
            Tone::Dim => self.dim(text),
            Tone::Good => self.good(text),
            Tone::Bad => self.bad(text),
            Tone::Accent => self.accent(text),
        }
    }

    /// Dims less important text.
    pub fn dim(self, text: &str) -> String {
        self.apply(Style::new().dim(), text)
    }

    /// Sets a title, or a number to look at, in bold.
    pub fn bold(self, text: &str) -> String {
        self.apply(Style::new().bold(), text)
    }

    /// Colours good news green.
    pub fn good(self, text: &str) -> String {
        self.apply(Style::new().green().bold(), text)
    }

    /// Colours bad news red.
    pub fn bad(self, text: &str) -> String {
        self.apply(Style::new().red().bold(), text)
    }

    /// Colours text about the fading of skips.
    pub fn accent(self, text: &str) -> String {
        self.apply(Style::new().cyan(), text)
    }

    fn apply(self, style: Style, text: &str) -> String {
        style.force_styling(self.0).apply_to(text).to_string()
    }
}

//! Colours and weights of text on a terminal.

use console::Style;

/// Painter of text for a terminal; the flag tells whether it uses any styles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
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

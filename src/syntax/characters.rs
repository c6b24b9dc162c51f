//! Characters that are not of the language, and what a keyboard writes instead.

/// Meaning of a character that is not of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// A control of the direction of text, which reorders what is shown, also in comments.
    Direction,
    /// A break that some editors show as one of lines, also in comments.
    Break(&'static str),
    /// A blank.
    Blank(&'static str),
    /// Nothing that can be seen.
    Invisible(&'static str),
    /// A sign that stands for this one.
    Sign(&'static str),
    /// A mark around a quotation.
    Quote,
    /// A letter or digit; with the ASCII characters that it stands for, where there are any.
    Letter(Option<&'static str>),
}

use Foreign::{Blank, Break, Direction, Invisible, Letter, Quote, Sign};

/// ASCII characters from `!` on, which full-width ones from U+FF01 on stand for.
const FULL_WIDTH: &str = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ\
                          [\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

/// Letters of other alphabets that look like ASCII ones, each before the one that it looks like.
const LOOK_ALIKES: &str = "аaеeоoрpсcхxуyіiѕsјjԁdһhԛqԝwАAВBЕEКKМMНHОOРPСCТTХXУYІIЅSЈJ\
                           οoνvΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧX";

/// Greek letters, as they are called.
const GREEK: &[(char, &str)] = &[
    ('α', "alpha"),
    ('β', "beta"),
    ('γ', "gamma"),
    ('δ', "delta"),
    ('ε', "epsilon"),
    ('ζ', "zeta"),
    ('η', "eta"),
    ('θ', "theta"),
    ('ι', "iota"),
    ('κ', "kappa"),
    ('λ', "lambda"),
    ('μ', "mu"),
    ('µ', "mu"),
    ('ξ', "xi"),
    ('π', "pi"),
    ('ρ', "rho"),
    ('σ', "sigma"),
    ('τ', "tau"),
    ('φ', "phi"),
    ('χ', "chi"),
    ('ψ', "psi"),
    ('ω', "omega"),
];

/// Finds what a character from outside ASCII means; `None` where it is not known.
pub(super) fn foreign(c: char) -> Option<Foreign> {
    Some(match c {
        c if c.is_ascii() => return None,
        '\u{61c}' | '\u{200e}' | '\u{200f}' => Direction,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Direction,
        '\u{85}' | '\u{2028}' => Break("line separator"),
        '\u{2029}' => Break("paragraph separator"),
        '\u{a0}' => Blank("no-break space"),
        '\u{202f}' => Blank("narrow no-break space"),
        '\u{3000}' => Blank("full-width space"),
        '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{205f}' => Blank("space of another width"),
        '\u{ad}' => Invisible("soft hyphen"),
        '\u{200b}' => Invisible("zero-width space"),
        '\u{200c}' | '\u{200d}' => Invisible("zero-width joiner"),
        '\u{2060}' => Invisible("word joiner"),
        '\u{feff}' => Invisible("byte order mark"),
        '“' | '”' | '„' | '‟' | '‘' | '’' | '‚' | '‛' | '«' | '»' | '‹' | '›' | '′' | '″'
        | '＂' | '＇' | '｀' => Quote,
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => Sign("-"),
        '×' | '·' | '∗' | '⋅' => Sign("*"),
        '÷' | '∕' | '⁄' => Sign("/"),
        '≤' | '⩽' => Sign("<="),
        '≥' | '⩾' => Sign(">="),
        '≠' => Sign("!="),
        '…' => Sign(".."),
        '∶' | '꞉' => Sign(":"),
        '、' => Sign(","),
        '【' => Sign("["),
        '】' => Sign("]"),
        '\u{ff01}'..='\u{ff5e}' => {
            let index = c as usize - 0xff01;
            let ascii = &FULL_WIDTH[index..=index];
            match c.is_alphanumeric() || ascii == "_" {
                true => Letter(Some(ascii)),
                false => Sign(ascii),
            }
        }
        c if c.is_alphanumeric() || is_mark(c) => Letter(look_alike(c)),
        _ => return None,
    })
}

/// Whether `c` is a mark upon the letter before it.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

fn look_alike(c: char) -> Option<&'static str> {
    let at = LOOK_ALIKES.find(c)? + c.len_utf8();
    LOOK_ALIKES.get(at..at + 1)
}

/// Returns the name of a Greek letter.
pub(super) fn greek(c: char) -> Option<&'static str> {
    let found = GREEK.iter().find(|(letter, _)| *letter == c)?;
    Some(found.1)
}

/// Returns the adjective for the alphabet that a letter is of, where it can be taken for ASCII.
pub(super) fn alphabet(c: char) -> &'static str {
    match c {
        '\u{370}'..='\u{3ff}' => "Greek ",
        '\u{400}'..='\u{52f}' => "Cyrillic ",
        '\u{ff01}'..='\u{ff5e}' => "full-width ",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_stand_before_what_they_look_like() {
        let letters: Vec<char> = LOOK_ALIKES.chars().collect();
        for pair in letters.chunks(2) {
            assert!(!pair[0].is_ascii() && pair[1].is_ascii(), "{pair:?}");
        }
        assert_eq!(foreign('с'), Some(Letter(Some("c"))));
        assert_eq!(foreign('é'), Some(Letter(None)));
        assert_eq!(foreign('（'), Some(Sign("(")));
        assert_eq!(foreign('～'), Some(Sign("~")));
        assert_eq!(foreign('Ａ'), Some(Letter(Some("A"))));
    }

    /// What is written instead fits where the character stood.
    #[test]
    fn nothing_gets_longer() {
        for c in (0x80..0x1_0000).filter_map(char::from_u32) {
            match foreign(c) {
                Some(Sign(ascii) | Letter(Some(ascii))) => {
                    assert!(ascii.len() <= c.len_utf8() && ascii.is_ascii(), "{c}");
                }
                Some(Direction | Break(_) | Blank(_) | Invisible(_) | Quote | Letter(None))
                | None => {}
            }
        }
    }
}

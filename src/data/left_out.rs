//! Files of a folder that were passed over, counted by kind, for one line of the heading.

use crate::foreign::Foreign;
use std::collections::BTreeMap;

/// Columns that the line may take: what is left of 80 beside its label.
const WIDTH: usize = 66;

/// Kind of a file that was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Known by its first bytes.
    Known(&'static Foreign),
    /// Beside the class folders, not in one of them.
    Outside,
    /// A folder or file beside those of the splits.
    NoSplit,
    /// Of no known kind.
    Other,
}

impl Kind {
    /// Counts files of this kind.
    fn count(self, files: usize) -> String {
        let plural = if files == 1 { "" } else { "s" };
        match self {
            Kind::Known(foreign) => foreign.count(files),
            Kind::Outside => format!("{files} file{plural} beside the class folders"),
            Kind::NoSplit => {
                format!("{files} file{plural} or folder{plural} beside train and test")
            }
            Kind::Other => format!("{files} other file{plural}"),
        }
    }
}

/// Numbers of files that were passed over.
#[derive(Default)]
pub(super) struct LeftOut(BTreeMap<Kind, usize>);

impl LeftOut {
    /// Counts a file.
    pub fn add(&mut self, kind: Kind) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Writes the line, the most frequent kinds first; none if nothing was passed over.
    pub fn line(&self) -> Option<String> {
        let mut kinds: Vec<(Kind, usize)> = self.0.iter().map(|(&kind, &n)| (kind, n)).collect();
        kinds.sort_by_key(|&(kind, files)| (std::cmp::Reverse(files), kind));
        let mut line = String::new();
        for (index, &(kind, files)) in kinds.iter().enumerate() {
            let more: usize = kinds[index..].iter().map(|(_, files)| files).sum();
            let rest = format!("{more} more");
            let part = kind.count(files);
            let separator = if index == 0 { "" } else { ", " };
            let is_last = index + 1 == kinds.len();
            let room = if is_last { 0 } else { ", ".len() + rest.len() };
            if line.len() + separator.len() + part.len() + room > WIDTH && index > 0 {
                line.push_str(&format!("{separator}{rest}"));
                break;
            }
            line.push_str(&format!("{separator}{part}"));
        }
        (!line.is_empty()).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::recognize;

    fn left_out(kinds: &[(Kind, usize)]) -> Option<String> {
        let mut all = LeftOut::default();
        for &(kind, files) in kinds {
            (0..files).for_each(|_| all.add(kind));
        }
        all.line()
    }

    #[test]
    fn the_line_counts_by_kind_and_fits_the_screen() {
        let gif = Kind::Known(recognize(b"GIF89a").unwrap());
        let page = Kind::Known(recognize(b"<html>").unwrap());
        let pointer =
            Kind::Known(recognize(b"version https://git-lfs.github.com/spec/v1").unwrap());
        assert_eq!(left_out(&[]), None);
        assert_eq!(left_out(&[(Kind::Other, 1)]).unwrap(), "1 other file");
        assert_eq!(
            left_out(&[(Kind::Other, 1), (gif, 12), (Kind::Outside, 2)]).unwrap(),
            "12 GIF pictures, 2 files beside the class folders, 1 other file"
        );
        let all = [
            (gif, 12),
            (Kind::Outside, 3),
            (page, 2),
            (pointer, 1),
            (Kind::Other, 1),
        ];
        let line = left_out(&all).unwrap();
        assert_eq!(
            line,
            "12 GIF pictures, 3 files beside the class folders, 4 more"
        );
        assert!(line.len() <= WIDTH);
    }
}

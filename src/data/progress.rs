//! Progress of reading a dataset.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Callback for progress, called with (pieces done, pieces in all); a piece is an image, or a
/// file of many images.
pub(super) type Report<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Counter of pieces done on any thread; it reports each.
pub(super) struct Progress<'a> {
    done: AtomicUsize,
    total: usize,
    report: Report<'a>,
}

impl<'a> Progress<'a> {
    pub fn new(total: usize, report: Report<'a>) -> Self {
        report(0, total);
        Progress {
            done: AtomicUsize::new(0),
            total,
            report,
        }
    }

    pub fn advance(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        (self.report)(done, self.total);
    }
}

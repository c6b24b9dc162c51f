//! Batches made on a thread of their own while a step runs.

use std::sync::mpsc::sync_channel;
use std::thread;

/// Batches made and waiting while one is used.
const WAITING: usize = 1;

/// Calls `make` on every index on a thread of its own and hands what it makes, in
/// order, to `consume`; a `consume` that returns early ends the thread.
pub fn prefetch<T: Send, R>(
    indices: impl Iterator<Item = usize> + Send,
    make: impl Fn(usize) -> T + Send,
    consume: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
) -> R {
    thread::scope(|scope| {
        let (send, receive) = sync_channel(WAITING);
        scope.spawn(move || {
            for index in indices {
                if send.send(make(index)).is_err() {
                    break;
                }
            }
        });
        // The receiver goes before the scope ends, so a thread that still sends wakes.
        consume(&mut receive.into_iter())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_and_ends_early() {
        let all: Vec<usize> = prefetch(0..100, |i| i * i, |items| items.collect());
        assert_eq!(all, (0..100).map(|i| i * i).collect::<Vec<_>>());
        let some: Vec<usize> = prefetch(0..1_000_000_000, |i| i, |items| items.take(3).collect());
        assert_eq!(some, [0, 1, 2]);
    }
}

//! Searches at once.

use std::sync::mpsc;

/// Two searches by a thread of their own, one after the other, beside one here that asks for what
/// the first of them gives. The thread has ended when this returns.
pub(crate) fn beside<A: Send, B: Send, C>(
    first: impl Fn() -> A + Sync,
    second: impl Fn() -> B + Sync,
    here: impl FnOnce(&dyn Fn() -> A) -> C,
) -> (C, B) {
    std::thread::scope(|scope| {
        let (given, asked) = mpsc::channel();
        let (one, two) = (&first, &second);
        let other = scope.spawn(move || {
            // Nobody may ask.
            given.send(one()).ok();
            two()
        });
        // What failed there fails here, too, and says why.
        let here = here(&|| asked.recv().unwrap_or_else(|_| first()));
        (here, other.join().unwrap_or_else(|_| second()))
    })
}

//! Two searches at once.

/// What both give; the second one is done by a thread of its own, which has ended when this returns.
pub(crate) fn both<A, B: Send>(here: impl FnOnce() -> A, there: impl Fn() -> B + Sync) -> (A, B) {
    std::thread::scope(|scope| {
        let other = scope.spawn(&there);
        let here = here();
        // What failed there fails here, too, and says why.
        (here, other.join().unwrap_or_else(|_| there()))
    })
}

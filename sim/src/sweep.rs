//! Many runs on all cores, their outcomes in order.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

/// Runs that may be ahead of the one whose outcome is due, for each thread.
const AHEAD_MAX: usize = 16;

/// As many threads as this machine runs at once.
pub fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Runs every number on so many threads, and hands over what came of each in the order of numbers,
/// until `take` says that it is enough. Threads share nothing but the next number.
pub fn sweep<T: Send>(
    numbers: Range<u64>,
    threads: NonZeroUsize,
    run: impl Fn(u64) -> T + Sync,
    take: impl FnMut(u64, T) -> bool,
) {
    let (give, given) = mpsc::channel();
    let (done, outcomes) = mpsc::channel();
    let (given, run) = (Mutex::new(given), &run);
    let next = || given.lock().unwrap_or_else(PoisonError::into_inner).recv();
    thread::scope(|scope| {
        for _ in 0..threads.get() {
            let done = done.clone();
            scope.spawn(move || {
                while let Ok(number) = next() {
                    // Nobody is to wait for a run that failed.
                    let outcome = catch_unwind(AssertUnwindSafe(|| run(number)));
                    if done.send((number, outcome)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        in_order(numbers, threads.get() * AHEAD_MAX, give, outcomes, take);
    });
}

/// Gives numbers out, never more than so many whose outcomes were not taken.
fn in_order<T>(
    numbers: Range<u64>,
    ahead: usize,
    give: mpsc::Sender<u64>,
    outcomes: mpsc::Receiver<(u64, thread::Result<T>)>,
    mut take: impl FnMut(u64, T) -> bool,
) {
    let (mut due, mut next, mut early) = (numbers.start, numbers, BTreeMap::new());
    let give = &|number| {
        // The other end is there for as long as threads are.
        give.send(number).ok();
    };
    next.by_ref().take(ahead).for_each(give);
    while due < next.start {
        let Ok((number, outcome)) = outcomes.recv() else { return };
        early.insert(number, outcome);
        while let Some(outcome) = early.remove(&due) {
            let outcome = outcome.unwrap_or_else(|panic| resume_unwind(panic));
            if !take(due, outcome) {
                return;
            }
            due += 1;
            next.next().into_iter().for_each(give);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const SOME: NonZeroUsize = NonZeroUsize::new(4).unwrap();

    #[test]
    fn outcomes_come_in_order_and_all_of_them() {
        let mut taken = Vec::new();
        let slow = |number: u64| {
            thread::sleep(std::time::Duration::from_micros(number * 7919 % 500));
            number * 2
        };
        sweep(5..505, SOME, slow, |number, twice| {
            taken.push((number, twice));
            true
        });
        assert_eq!(taken, (5..505).map(|number| (number, number * 2)).collect::<Vec<_>>());
        sweep(3..3, SOME, |_| (), |_, ()| unreachable!("there is none"));
    }

    #[test]
    fn nothing_runs_far_ahead_of_what_is_due() {
        let (due, furthest) = (AtomicU64::new(0), AtomicU64::new(0));
        let run = |number: u64| {
            if number == 0 {
                thread::sleep(std::time::Duration::from_millis(50));
            }
            furthest.fetch_max(number - due.load(Ordering::SeqCst).min(number), Ordering::SeqCst);
        };
        sweep(0..2_000, SOME, run, |number, ()| {
            due.store(number, Ordering::SeqCst);
            true
        });
        assert!(furthest.into_inner() <= 1 + 4 * AHEAD_MAX as u64);
    }

    #[test]
    fn enough_is_enough() {
        let ran = AtomicU64::new(0);
        let run = |_| ran.fetch_add(1, Ordering::Relaxed);
        let mut taken = 0;
        sweep(0..u64::MAX, SOME, run, |number, _| {
            taken += 1;
            number < 10
        });
        assert_eq!(taken, 11);
        assert!(ran.into_inner() <= 11 + 4 * AHEAD_MAX as u64);
    }

    #[test]
    #[should_panic(expected = "run 7 failed")]
    fn a_run_that_fails_is_not_waited_for() {
        let run = |number: u64| assert_ne!(number, 7, "run 7 failed");
        sweep(0..10_000, SOME, run, |_, ()| true);
    }
}

//! Many seeds on all cores, their outcomes in order.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use crate::{Outcome, Scenario, Wishes};

/// Outcomes that may wait for an earlier one, for each thread.
const WAITING_MAX: usize = 16;

/// Runs every seed, and hands over what came of each in the order of seeds, until `take` says that
/// it is enough. A world is one thread's alone; threads share nothing but the next seed's number.
pub fn sweep(
    scenario: &Scenario,
    seeds: Range<u64>,
    wishes: Wishes,
    mut take: impl FnMut(u64, Outcome) -> bool,
) {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (next, enough) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let (done, outcomes) = mpsc::sync_channel(threads * WAITING_MAX);
    thread::scope(|scope| {
        for _ in 0..threads {
            let done = done.clone();
            scope.spawn(|| {
                let done = done;
                while !enough.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    if done.send((seed, scenario.run(seed, wishes))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let (mut early, mut due) = (BTreeMap::new(), seeds.start);
        for (seed, outcome) in outcomes {
            early.insert(seed, outcome);
            while let Some(outcome) = early.remove(&due) {
                if !enough.load(Ordering::Relaxed) && !take(due, outcome) {
                    enough.store(true, Ordering::Relaxed);
                }
                due += 1;
            }
        }
    });
}

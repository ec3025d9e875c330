//! How the members of a stage add what each of them computed.
//!
//! Sums are integers (see `fixed`), so members may arrive and be added in any order. A member that
//! goes away, or does not come in time, ends the wait of all others with an error: none of them
//! can go on without it.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use thiserror::Error;

/// A group of devices that compute one stage together.
pub trait Collective: Send {
    /// Adds the `sums` of all members, element by element; every member gets the same totals.
    fn all_reduce(&mut self, sums: &mut [i64]) -> Result<(), CollectiveError>;

    /// How many members there are.
    fn members(&self) -> usize;
}

/// Why members of a stage could not add their sums. The step is lost, the group too.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CollectiveError {
    /// A member is gone.
    #[error("a member of the stage is gone")]
    Gone,
    /// A member did not come in time.
    #[error("a member of the stage did not come within {} ms", waited.as_millis())]
    Late {
        /// How long it was waited for.
        waited: Duration,
    },
    /// Members do not agree on what they add.
    #[error("a member of the stage adds {found} sums, expected {expected}")]
    Length {
        /// How many the others add.
        expected: usize,
        /// How many this one does.
        found: usize,
    },
}

/// A group of one: nothing to add.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Collective for Alone {
    fn all_reduce(&mut self, _sums: &mut [i64]) -> Result<(), CollectiveError> {
        Ok(())
    }

    fn members(&self) -> usize {
        1
    }
}

/// One member's handle on a group within this process. Dropping it ends the group.
#[derive(Debug)]
pub struct Shared {
    meeting: Arc<Meeting>,
    patience: Duration,
}

#[derive(Debug)]
struct Meeting {
    members: usize,
    round: Mutex<Round>,
    changed: Condvar,
}

/// A round has two halves: all bring their sums, then all take the totals. The last to take opens
/// the next round.
#[derive(Debug, Default)]
struct Round {
    totals: Vec<i64>,
    brought: usize,
    taken: usize,
    failed: Option<CollectiveError>,
}

impl Shared {
    /// The handles of a group of `members`, each of which waits at most `patience` for the others.
    pub fn group(members: usize, patience: Duration) -> Vec<Self> {
        let (round, changed) = Default::default();
        let meeting = Arc::new(Meeting { members, round, changed });
        (0..members).map(|_| Self { meeting: Arc::clone(&meeting), patience }).collect()
    }
}

impl Meeting {
    fn round(&self) -> MutexGuard<'_, Round> {
        // A panic elsewhere drops that member's handle, which fails the round in its own words.
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, round: &mut Round, error: CollectiveError) -> CollectiveError {
        self.changed.notify_all();
        round.failed.get_or_insert(error).clone()
    }

    /// Waits until `ready`, the group's failure, or the end of `patience`.
    fn wait<'a>(
        &'a self,
        mut round: MutexGuard<'a, Round>,
        patience: Duration,
        ready: impl Fn(&Round) -> bool,
    ) -> Result<MutexGuard<'a, Round>, CollectiveError> {
        let start = Instant::now();
        loop {
            // Ready first: who leaves after a full round does not spoil it for those still taking.
            if ready(&round) {
                return Ok(round);
            }
            if let Some(error) = &round.failed {
                return Err(error.clone());
            }
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(self.fail(&mut round, CollectiveError::Late { waited: patience }));
            }
            let woken = self.changed.wait_timeout(round, left);
            round = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Collective for Shared {
    fn all_reduce(&mut self, sums: &mut [i64]) -> Result<(), CollectiveError> {
        let meeting = &*self.meeting;
        // A quick member can be back before a slow one took the last totals.
        let emptied = |round: &Round| round.taken == 0 && round.failed.is_none();
        let mut round = meeting.wait(meeting.round(), self.patience, emptied)?;
        if round.brought == 0 {
            round.totals.clear();
            round.totals.extend_from_slice(sums);
        } else if round.totals.len() == sums.len() {
            let totals = round.totals.iter_mut().zip(sums.iter());
            totals.for_each(|(total, sum)| *total = total.wrapping_add(*sum));
        } else {
            let (expected, found) = (round.totals.len(), sums.len());
            return Err(meeting.fail(&mut round, CollectiveError::Length { expected, found }));
        }
        round.brought += 1;
        if round.brought == meeting.members {
            meeting.changed.notify_all();
        }
        let everyone = |round: &Round| round.brought == meeting.members;
        let mut round = meeting.wait(round, self.patience, everyone)?;
        sums.copy_from_slice(&round.totals);
        round.taken += 1;
        if round.taken == meeting.members {
            (round.brought, round.taken) = (0, 0);
            meeting.changed.notify_all();
        }
        Ok(())
    }

    fn members(&self) -> usize {
        self.meeting.members
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.meeting.fail(&mut self.meeting.round(), CollectiveError::Gone);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Far longer than any test takes: a wait that should end by itself must not end by this.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn every_member_gets_the_same_totals_round_after_round() {
        let members = Shared::group(3, PATIENCE).into_iter().enumerate();
        let work = |(index, mut handle): (usize, Shared)| {
            move || {
                let mut all = Vec::new();
                for round in 0..200i64 {
                    let mut sums = vec![index as i64 + round, i64::MAX - 1];
                    handle.all_reduce(&mut sums).unwrap();
                    all.push(sums);
                }
                all
            }
        };
        let threads: Vec<_> = members.map(|member| thread::spawn(work(member))).collect();
        for thread in threads {
            for (round, sums) in thread.join().unwrap().into_iter().enumerate() {
                let wrapped = (i64::MAX - 1).wrapping_mul(3);
                assert_eq!(sums, [3 + 3 * round as i64, wrapped]);
            }
        }
    }

    #[test]
    fn a_member_that_leaves_ends_the_wait_of_the_others() {
        let mut group = Shared::group(3, PATIENCE);
        let leaver = group.pop().unwrap();
        let threads: Vec<_> = group
            .into_iter()
            .map(|mut handle| thread::spawn(move || handle.all_reduce(&mut [1])))
            .collect();
        drop(leaver);
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Err(CollectiveError::Gone));
        }
    }

    #[test]
    fn a_member_that_does_not_come_is_late() {
        let waited = Duration::from_millis(1);
        let mut group = Shared::group(2, waited);
        let late = Err(CollectiveError::Late { waited });
        assert_eq!(group[0].all_reduce(&mut [1]), late);
        assert_eq!(group[1].all_reduce(&mut [1]), late, "and finds the group ended");
    }

    #[test]
    fn members_that_add_different_things_fail_together() {
        let mut group = Shared::group(2, PATIENCE);
        let mut other = group.pop().unwrap();
        let waiting = thread::spawn(move || other.all_reduce(&mut [1, 2]).unwrap_err());
        let ours = group[0].all_reduce(&mut [1]).unwrap_err();
        assert!(matches!(ours, CollectiveError::Length { .. }));
        assert_eq!(waiting.join().unwrap(), ours);
    }
}

//! Tensor-parallel sums between devices, of one host or of several.
//!
//! Twice a layer the members of a stage add up what each of them computed. The values are 64-bit
//! fixed-point integers, so the order of adding does not matter and all members get the same bits.
//! Each member gives its own sums to everyone else and adds up what it gets: one trip, no root.
//! Members of this process meet in memory; others are reached by frames on the data plane.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use swarm_core::{Found, GroupKey, MEETING_MAX, Meetings, Shard};
use swarm_engine::{Collective, CollectiveError};
use swarm_proto::{FrameHeader, NodeId, PlanId, SumsHeader};

/// A way to other hosts.
pub trait Wire: Send + Sync {
    /// Sends a frame; whether it was taken.
    fn frame(&self, to: NodeId, head: Bytes, body: Bytes) -> bool;
}

/// The table where members meet, threads that wait around it, and the way to other hosts.
pub struct Exchange {
    wire: Arc<dyn Wire>,
    meetings: Mutex<Meetings<Bytes>>,
    changed: Condvar,
}

/// One member's place in one batch of a stage.
pub struct Seat {
    exchange: Arc<Exchange>,
    seat: swarm_core::Seat,
    members: usize,
    hosts: Vec<NodeId>,
}

impl Exchange {
    /// An exchange that reaches other hosts by `wire`.
    pub fn new(me: NodeId, wire: Arc<dyn Wire>) -> Self {
        Self { wire, meetings: Mutex::new(Meetings::new(me)), changed: Condvar::new() }
    }

    /// Makes the stage of `shard` known, in place of what earlier plans had there.
    pub fn form(&self, plan: PlanId, shard: &Shard) {
        self.meetings().form(plan, shard);
        self.changed.notify_all();
    }

    /// Ends every wait for a peer that is gone or sits out.
    pub fn break_up_with(&self, peer: NodeId) {
        self.meetings().break_up_with(peer);
        self.changed.notify_all();
    }

    /// Takes another host's sums in; an error says why they are refused.
    pub fn arrived(
        &self,
        from: NodeId,
        header: SumsHeader,
        bytes: Bytes,
    ) -> Result<(), &'static str> {
        self.meetings().arrived(from, header, bytes)?;
        self.changed.notify_all();
        Ok(())
    }

    /// The place of `device` in a batch; `None` if it has none.
    pub fn seat(self: &Arc<Self>, key: GroupKey, device: u8) -> Option<Seat> {
        let mut meetings = self.meetings();
        let seat = meetings.seat(key, device)?;
        let (members, hosts) = (meetings.members(&seat), meetings.hosts(&seat));
        Some(Seat { exchange: Arc::clone(self), seat, members, hosts })
    }

    fn meetings(&self) -> MutexGuard<'_, Meetings<Bytes>> {
        // Nothing in here panics half-way through a change, so a poisoned table is a sound one.
        self.meetings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Gives our sums to everyone else.
    fn give(&self, bytes: &Bytes) -> Result<(), CollectiveError> {
        self.exchange.meetings().give(&self.seat, bytes.clone());
        self.exchange.changed.notify_all();
        let head = FrameHeader::Sums(self.seat.header()).seal().expect("a header of a few bytes");
        let head = Bytes::from(head);
        let send = |host: &NodeId| self.exchange.wire.frame(*host, head.clone(), bytes.clone());
        if self.hosts.iter().all(send) { Ok(()) } else { Err(CollectiveError::Gone) }
    }

    /// Waits for the sums of all others.
    fn wait(&self, until: Instant) -> Result<Vec<Bytes>, CollectiveError> {
        let mut meetings = self.exchange.meetings();
        loop {
            match meetings.look(&self.seat) {
                Found::All(parts) => return Ok(parts),
                Found::Gone => return Err(CollectiveError::Gone),
                Found::Some => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(CollectiveError::Late { waited: MEETING_MAX });
            }
            let waited = self.exchange.changed.wait_timeout(meetings, left);
            meetings = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Collective for Seat {
    fn members(&self) -> usize {
        self.members
    }

    fn all_reduce(&mut self, sums: &mut [i64]) -> Result<(), CollectiveError> {
        let mine: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        self.give(&Bytes::from(mine))?;
        for bytes in self.wait(Instant::now() + MEETING_MAX)? {
            if bytes.len() != size_of_val(sums) {
                let (expected, found) = (sums.len(), bytes.len() / 8);
                return Err(CollectiveError::Length { expected, found });
            }
            for (sum, other) in sums.iter_mut().zip(bytes.chunks_exact(8)) {
                let other = i64::from_le_bytes(other.try_into().expect("chunks of eight"));
                // A peer's numbers: whatever they are, they must not end this process.
                *sum = sum.wrapping_add(other);
            }
        }
        self.seat.advance();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use swarm_proto::{ColumnRange, Epoch, HeadRange, LayerRange, Term};

    use super::*;

    const ME: NodeId = NodeId([1; 32]);
    const PEER: NodeId = NodeId([2; 32]);

    /// A wire to a peer that never answers.
    struct Silence;

    impl Wire for Silence {
        fn frame(&self, _: NodeId, _: Bytes, _: Bytes) -> bool {
            true
        }
    }

    fn plan(epoch: u64) -> PlanId {
        PlanId { term: Term(1), epoch: Epoch(epoch) }
    }

    /// An exchange with a stage that we share with a peer.
    fn exchange() -> Arc<Exchange> {
        let exchange = Exchange::new(ME, Arc::new(Silence));
        exchange.form(plan(1), &shard());
        Arc::new(exchange)
    }

    fn shard() -> Shard {
        Shard {
            pipeline: 0,
            stage: 0,
            layers: LayerRange::new(0, 1).unwrap(),
            kv_heads: HeadRange::new(0, 1).unwrap(),
            ffn_columns: ColumnRange::new(0, 8).unwrap(),
            embeds: true,
            samples: true,
            leads: true,
            kv_blocks: 16,
            members: vec![(ME, 0), (PEER, 0)],
        }
    }

    fn key(batch: u64) -> GroupKey {
        GroupKey { plan: plan(1), pipeline: 0, stage: 0, batch }
    }

    /// The peer's sums of a batch.
    fn arrives(exchange: &Exchange, batch: u64, sum: i64) {
        let GroupKey { plan, pipeline, stage, .. } = key(batch);
        let header = SumsHeader { plan, pipeline, stage, batch, index: 0, member: 1 };
        let bytes = Bytes::copy_from_slice(&sum.to_le_bytes());
        exchange.arrived(PEER, header, bytes).unwrap();
    }

    /// A thread that waits is woken by whatever ends its wait.
    fn woken(wake: impl FnOnce(&Exchange)) -> Result<Vec<Bytes>, CollectiveError> {
        let exchange = exchange();
        let seat = exchange.seat(key(1), 0).unwrap();
        let waiter = std::thread::spawn(move || seat.wait(Instant::now() + MEETING_MAX));
        wake(&exchange);
        waiter.join().unwrap()
    }

    #[test]
    fn a_wait_ends_when_the_sums_come_or_will_not() {
        assert_eq!(woken(|exchange| arrives(exchange, 1, 5)).unwrap().len(), 1);
        for end in [
            |exchange: &Exchange| exchange.break_up_with(PEER),
            |exchange: &Exchange| exchange.form(plan(2), &shard()),
            |exchange: &Exchange| arrives(exchange, 2, 5),
        ] {
            assert!(matches!(woken(end), Err(CollectiveError::Gone)));
        }
    }

    #[test]
    fn a_wait_for_one_that_is_silent_has_an_end() {
        let exchange = exchange();
        let seat = exchange.seat(key(1), 0).unwrap();
        assert!(matches!(seat.wait(Instant::now()), Err(CollectiveError::Late { .. })));
    }

    #[test]
    fn sums_are_added_up_and_those_of_another_length_refused() {
        let exchange = exchange();
        let mut seat = exchange.seat(key(2), 0).unwrap();
        arrives(&exchange, 2, 41);
        let mut sums = [1];
        seat.all_reduce(&mut sums).unwrap();
        assert_eq!(sums, [42]);
        let mut seat = exchange.seat(key(3), 0).unwrap();
        arrives(&exchange, 3, 41);
        assert!(matches!(
            seat.all_reduce(&mut [1, 2]),
            Err(CollectiveError::Length { expected: 2, found: 1 })
        ));
    }
}

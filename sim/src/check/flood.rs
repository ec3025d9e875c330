//! Nobody says so much that queues grow without bound: so many messages to one peer in a second.

use std::{collections::BTreeMap, time::Duration};

use swarm_proto::{Climb, Message, NodeId, Time};

use super::Broken;

/// Control messages to one peer in a second, beats aside: several times what was ever seen.
const CONTROL_MAX: usize = 150;
/// Frames to one peer in a second of few requests, and of each of many: a step takes a millisecond or
/// more, and sends a frame to a peer or two.
const FRAMES_MAX: usize = 6_000;
const FRAMES_EACH_MAX: usize = 2_000;
const WINDOW: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Flood(BTreeMap<(NodeId, NodeId), Count>);

#[derive(Debug, Default)]
struct Count {
    since: Time,
    control: usize,
    frames: usize,
}

impl Flood {
    pub(super) fn sent(
        &mut self,
        now: Time,
        from: NodeId,
        to: NodeId,
        message: &Message,
    ) -> Result<(), Broken> {
        // What voters hand on of a large swarm is bounded by how many come and go there.
        let handed_on = matches!(message, Message::Climb(Climb { hops_left: 0, .. }));
        if handed_on || matches!(message, Message::Beat(_)) {
            return Ok(());
        }
        let count = self.count(now, from, to);
        count.control += 1;
        let messages = count.control;
        if messages > CONTROL_MAX { Err(Broken::Flood { from, to, messages }) } else { Ok(()) }
    }

    /// A frame, while so many requests are open.
    pub(super) fn framed(
        &mut self,
        now: Time,
        from: NodeId,
        to: NodeId,
        open: usize,
    ) -> Result<(), Broken> {
        let count = self.count(now, from, to);
        count.frames += 1;
        let messages = count.frames;
        let most = FRAMES_MAX.max(FRAMES_EACH_MAX.saturating_mul(open));
        if messages > most { Err(Broken::Flood { from, to, messages }) } else { Ok(()) }
    }

    fn count(&mut self, now: Time, from: NodeId, to: NodeId) -> &mut Count {
        let count = self.0.entry((from, to)).or_default();
        if now.since(count.since) >= WINDOW {
            *count = Count { since: now, ..Count::default() };
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether so many frames within a second are none too many while so many requests are open.
    fn may_be(frames: usize, open: usize) -> bool {
        let (mut flood, [from, to]) = (Flood::default(), [1, 2].map(|n| NodeId([n; 32])));
        let at = |frame: usize| Time::ZERO + WINDOW.mul_f64(frame as f64 / 100_000.0);
        (0..frames).all(|frame| flood.framed(at(frame), from, to, open).is_ok())
    }

    #[test]
    fn many_requests_may_send_more_frames_than_few() {
        assert!(may_be(6_000, 0) && !may_be(6_001, 0) && !may_be(6_001, 3));
        assert!(may_be(20_000, 10) && !may_be(20_001, 10));
    }
}

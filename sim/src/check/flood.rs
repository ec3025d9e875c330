//! Nobody says so much that queues grow without bound: so many messages to one peer in a second.

use std::{collections::BTreeMap, time::Duration};

use swarm_proto::{Climb, FrameHeader, Message, NodeId, Time};

use super::Broken;

/// Control messages to one peer in a second, beats aside: several times what was ever seen.
const CONTROL_MAX: usize = 150;
/// Frames to one peer in a second: sessions are few in here, and a step takes milliseconds.
const FRAMES_MAX: usize = 6_000;
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

    pub(super) fn framed(
        &mut self,
        now: Time,
        from: NodeId,
        to: NodeId,
        _header: &FrameHeader,
    ) -> Result<(), Broken> {
        let count = self.count(now, from, to);
        count.frames += 1;
        let messages = count.frames;
        if messages > FRAMES_MAX { Err(Broken::Flood { from, to, messages }) } else { Ok(()) }
    }

    fn count(&mut self, now: Time, from: NodeId, to: NodeId) -> &mut Count {
        let count = self.0.entry((from, to)).or_default();
        if now.since(count.since) >= WINDOW {
            *count = Count { since: now, ..Count::default() };
        }
        count
    }
}

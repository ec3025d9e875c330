//! How busy pipelines are, as far as an entry can tell: what members said with their beats, and what
//! it has sent there since.

use std::collections::BTreeMap;

use swarm_proto::{NodeId, Pipeline, Plan, Time};

use super::route::Load;

/// Peers that are kept in mind; of pipelines of others only own sessions are counted.
const PEERS_MAX: usize = 4096;

/// Sessions that peers hold KV cache for, and when they said so.
#[derive(Debug, Default)]
pub(super) struct Busy(BTreeMap<NodeId, (u32, Time)>);

impl Busy {
    pub(super) fn hear(&mut self, peer: NodeId, sessions: u32, now: Time) {
        if self.0.len() < PEERS_MAX || self.0.contains_key(&peer) {
            self.0.insert(peer, (sessions, now));
        }
    }

    pub(super) fn forget(&mut self, peer: NodeId) {
        self.0.remove(&peer);
    }

    /// Sessions through each pipeline, out of those told of and own ones: the pipeline each goes
    /// through, and since when.
    pub(super) fn loads(&self, plan: &Plan, own: &[(u16, Time)]) -> Vec<Load> {
        let through = |(pipeline, number): (&Pipeline, u16)| {
            let sent: Vec<Time> =
                own.iter().filter(|(to, _)| *to == number).map(|(_, at)| *at).collect();
            let since = |time: Time| sent.iter().filter(|at| **at > time).count() as u32;
            // Every session through a pipeline is held by all its members, which may hold others too.
            let told = pipeline.members().filter_map(|member| self.0.get(&member.node));
            let least = told.map(|(held, at)| held.saturating_add(since(*at))).min();
            let own = sent.len() as u32;
            Load { under_way: least.unwrap_or(0).max(own), own }
        };
        plan.pipelines.iter().zip(0u16..).map(through).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use swarm_proto::Predicted;

    use super::{super::made, *};

    #[test]
    fn what_members_hold_and_what_was_sent_since_is_under_way() {
        let at = |ms| Time::ZERO + Duration::from_millis(ms);
        let through = |nodes: &[u8]| made::pipeline(nodes, Predicted::default());
        // Node 2 has part in both.
        let plan = made::plan(vec![through(&[1, 2]), through(&[2, 3]), through(&[4])]);
        let own = [(0, at(5)), (0, at(20)), (2, at(1)), (2, at(2))];
        let mut busy = Busy::default();
        let under_way = |busy: &Busy| {
            let loads = busy.loads(&plan, &own);
            assert_eq!(loads.iter().map(|load| load.own).collect::<Vec<_>>(), [2, 0, 2]);
            loads.iter().map(|load| load.under_way).collect::<Vec<_>>()
        };
        assert_eq!(under_way(&busy), [2, 0, 2]);
        busy.hear(NodeId([1; 32]), 3, at(10));
        busy.hear(NodeId([2; 32]), 9, at(10));
        busy.hear(NodeId([3; 32]), 5, at(10));
        busy.hear(NodeId([4; 32]), 0, at(10));
        assert_eq!(under_way(&busy), [4, 5, 2], "no fewer than own");
        busy.forget(NodeId([1; 32]));
        assert_eq!(under_way(&busy), [10, 5, 2]);
    }

    #[test]
    fn no_more_peers_are_kept_in_mind_than_there_is_room_for() {
        let mut busy = Busy::default();
        for peer in 0..PEERS_MAX as u64 + 9 {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&peer.to_le_bytes());
            busy.hear(NodeId(id), 1, Time::ZERO);
        }
        assert_eq!(busy.0.len(), PEERS_MAX);
    }
}

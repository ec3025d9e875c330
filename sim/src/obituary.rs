//! Who has died, and when somebody first noticed.

use std::{collections::BTreeMap, time::Duration};

use swarm_proto::{NodeId, Time};

/// All deaths, and how long each took to be noticed.
#[derive(Debug, Default)]
pub(crate) struct Obituary {
    /// Those that nobody has noticed.
    unnoticed: BTreeMap<NodeId, Time>,
    /// Since when who is dead is so.
    dead: BTreeMap<NodeId, Time>,
    noticed: Vec<Duration>,
}

impl Obituary {
    /// A node has died.
    pub(crate) fn died(&mut self, node: NodeId, now: Time) {
        self.unnoticed.insert(node, now);
        self.dead.insert(node, now);
    }

    /// Somebody says that a node is lost.
    pub(crate) fn missed(&mut self, node: NodeId, now: Time) {
        if let Some(died) = self.unnoticed.remove(&node) {
            self.noticed.push(now.since(died));
        }
    }

    /// A node is back.
    pub(crate) fn back(&mut self, node: NodeId) {
        self.unnoticed.remove(&node);
        self.dead.remove(&node);
    }

    /// Since when a node is dead, if it is.
    pub(crate) fn since(&self, node: NodeId) -> Option<Time> {
        self.dead.get(&node).copied()
    }

    /// How long each death took to be noticed, of those that were.
    pub(crate) fn noticed(&self) -> &[Duration] {
        &self.noticed
    }
}

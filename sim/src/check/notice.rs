//! A dead node is noticed by everyone it had a connection with, within a second.

use std::time::Duration;

use super::Broken;
use crate::{World, host::State, keys::node_id};

/// What the design allows.
const NOTICE_MAX: Duration = Duration::from_secs(1);

impl World {
    /// Whether everyone who runs has noticed that a node died at `since`, if it is time.
    pub fn check_noticed(&self, number: usize, since: swarm_proto::Time) -> Result<(), Broken> {
        let dead = node_id(number);
        if self.now().since(since) < NOTICE_MAX {
            return Ok(());
        }
        let counts_on = |host: &&crate::host::Host| {
            host.number != number && matches!(host.state, State::Up) && host.node.is_alive(dead)
        };
        match self.hosts.values().find(counts_on) {
            Some(host) => Err(Broken::Unnoticed {
                node: number,
                by: host.number,
                after_ms: self.now().since(since).as_millis() as u64,
            }),
            None => Ok(()),
        }
    }
}

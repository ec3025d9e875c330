//! A dead node is noticed by everyone it had a connection with, within a second.

use std::time::Duration;

use swarm_proto::Time;

use super::Broken;
use crate::{
    World,
    host::{Host, State},
    keys::node_id,
};

/// What the design allows.
pub(crate) const NOTICE_MAX: Duration = Duration::from_secs(1);

impl World {
    /// Whether everyone who runs has noticed that a node died at `since`, if it is time: a second after
    /// its last word could come to a node that hears it, or later if nodes are told to wait longer.
    pub fn check_noticed(&self, number: usize, since: Time) -> Result<(), Broken> {
        let (dead, now) = (node_id(number), self.now());
        let told = &self.setup.told;
        let most = NOTICE_MAX.max(told.silence_max + told.beat_every);
        let is_time = |host: &&Host| {
            let heard = self.links.last_word(dead, host.id());
            now.since(since.max(heard).max(host.runs_since)) >= most
        };
        let counts_on = |host: &&Host| {
            host.number != number && matches!(host.state, State::Up) && host.node.is_alive(dead)
        };
        match self.hosts.values().filter(counts_on).find(is_time) {
            Some(host) => Err(Broken::Unnoticed {
                node: number,
                by: host.number,
                after_ms: now.since(since).as_millis() as u64,
            }),
            None => Ok(()),
        }
    }

    /// The same of all that are dead, where all meet: of many only some have a connection with one.
    pub(crate) fn check_deaths(&self) -> Result<(), Broken> {
        let dead = self.hosts.values().filter(|host| self.all_meet() && !host.is_there());
        dead.filter_map(|host| Some((host.number, self.obituary.since(host.id())?)))
            .try_for_each(|(number, since)| self.check_noticed(number, since))
    }
}

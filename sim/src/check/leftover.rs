//! When all answers have ended, nobody holds anything for one.

use super::Broken;
use crate::{World, host::State, world::Event};

impl World {
    /// No session, no KV block that is neither free nor cached, no job, no message of a session
    /// under way.
    pub fn check_leftover(&self) -> Result<(), Broken> {
        for host in self.hosts.values().filter(|host| matches!(host.state, State::Up)) {
            let (node, load) = (host.number, host.node.load());
            let left = |what: String| Err(Broken::Leftover { node, what });
            if !host.node.is_idle() {
                return left("a session".to_owned());
            }
            let held = load.kv_blocks - load.kv_blocks_free;
            if held > 0 {
                return left(format!("{held} KV blocks"));
            }
            let busy = |w: &crate::worker::Worker| w.running.is_some() || !w.queue.is_empty();
            if host.workers.values().any(busy) {
                return left("a job on a device".to_owned());
            }
        }
        let frame = self.under_way().find_map(|(to, event)| match event {
            Event::Input(swarm_core::Input::Arrived { header, .. }) => {
                Some((to, format!("{header:?}")))
            }
            _ => None,
        });
        match frame.and_then(|(to, what)| Some((self.hosts.get(&to)?.number, what))) {
            Some((node, what)) => Err(Broken::Leftover { node, what }),
            None => Ok(()),
        }
    }
}

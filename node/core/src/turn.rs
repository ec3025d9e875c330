//! What every machine is handed when its turn comes.

use rand_chacha::ChaCha8Rng;
use swarm_proto::{Message, NodeId, Time};

use crate::{Config, Effect, keys::Keys};

/// One input's handling: the time, the settings, the dice, and the effects so far.
pub(crate) struct Turn<'a> {
    pub(crate) now: Time,
    pub(crate) config: &'a Config,
    pub(crate) keys: &'a dyn Keys,
    pub(crate) rng: &'a mut ChaCha8Rng,
    pub(crate) effects: &'a mut Vec<Effect>,
}

impl Turn<'_> {
    /// Who we are.
    pub(crate) fn me(&self) -> NodeId {
        self.keys.id()
    }

    /// A number that rises with time, over restarts too, with room for 2^20 more to each
    /// millisecond.
    pub(crate) fn rising(&self) -> u64 {
        let millis = self.config.advert_base.saturating_add(self.now.0 / 1_000_000);
        millis.min(u64::MAX >> 20) << 20
    }

    /// Wants something done.
    pub(crate) fn emit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Says something to a peer.
    pub(crate) fn send(&mut self, to: NodeId, message: Message) {
        self.emit(Effect::Send { to, message });
    }
}

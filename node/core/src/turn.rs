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

    /// Wants something done.
    pub(crate) fn emit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Says something to a peer.
    pub(crate) fn send(&mut self, to: NodeId, message: Message) {
        self.emit(Effect::Send { to, message });
    }
}

//! The node: hands each input to the machine it concerns.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use swarm_proto::{Ballot, Time};

use crate::{Config, Effect, Input, keys::Keys, session::Sessions, turn::Turn};

/// A node's mind. See the crate's front page.
pub struct Node {
    config: Config,
    keys: Box<dyn Keys>,
    rng: ChaCha8Rng,
    sessions: Sessions,
    effects: Vec<Effect>,
}

impl Node {
    /// A node that remembers `ballot` from before its last stop, if there was one.
    pub fn new(config: Config, keys: Box<dyn Keys>, seed: u64, _ballot: Ballot) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { config, keys, rng, sessions: Sessions::default(), effects: Vec::new() }
    }

    /// Takes in one input and gives out what follows from it.
    pub fn handle(&mut self, now: Time, input: Input) -> impl Iterator<Item = Effect> {
        let Self { config, keys, rng, sessions, effects } = self;
        let turn = &mut Turn { now, config, keys: &**keys, rng, effects };
        match input {
            Input::Tick => sessions.tick(turn),
            Input::Asked { request, ask } => sessions.asked(request, ask, turn),
            Input::Cancelled(request) => sessions.cancelled(request, turn),
            Input::Computed { device, job, outcome } => {
                sessions.computed(device, job, outcome, turn)
            }
            _ => {}
        }
        self.effects.drain(..)
    }

    /// When this node wants a [`Input::Tick`] at the latest.
    pub fn deadline(&self) -> Time {
        self.sessions.deadline()
    }
}

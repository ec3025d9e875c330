//! Every request ends, with the whole answer or with a clear reason. That tokens are right, in
//! order and none too many is seen as they come, in [`crate::client`].

use super::Broken;
use crate::{
    World,
    host::{Host, State},
};

impl World {
    /// What must hold once there is nothing more to come: every request ended whole.
    pub fn check_answers(&self) -> Result<(), Broken> {
        self.clients.finish(0)
    }

    /// The same where things went wrong: requests before the `strict`th may have been refused.
    pub fn check_answers_from(&self, strict: u64) -> Result<(), Broken> {
        self.clients.finish(strict)
    }

    /// Whoever waits for an answer waits for something: the node that was asked knows of the request.
    pub(crate) fn check_waits(&self) -> Result<(), Broken> {
        let up = |host: &&Host| matches!(host.state, State::Up);
        let forgot = |request, at| {
            self.hosts.get(&at).filter(up).is_some_and(|host| !host.node.knows(request))
        };
        match self.clients.running().find(|(request, at)| forgot(*request, *at)) {
            Some((request, _)) => Err(self.clients.unanswered(request)),
            None => Ok(()),
        }
    }
}

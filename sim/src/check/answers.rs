//! Every request ends, with the whole answer or with a clear reason. That tokens are right, in
//! order and none too many is seen as they come, in [`crate::client`].

use super::Broken;
use crate::World;

impl World {
    /// What must hold once there is nothing more to come; `refusals` says whether reasons will do.
    pub fn check_answers(&self, refusals: bool) -> Result<(), Broken> {
        self.clients.finish(refusals)
    }
}

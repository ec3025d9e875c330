//! One leader a term: nobody is ever led to believe in another.

use std::collections::BTreeMap;

use swarm_proto::{NodeId, Term};

use super::Broken;

#[derive(Debug, Default)]
pub(super) struct Leaders(BTreeMap<Term, NodeId>);

impl Leaders {
    /// Some node has come to believe that this is so.
    pub(super) fn led(&mut self, term: Term, one: NodeId) -> Result<(), Broken> {
        match *self.0.entry(term).or_insert(one) {
            leader if leader == one => Ok(()),
            other => Err(Broken::TwoLeaders { term, one, other }),
        }
    }
}

//! All hosts, found by the number in a node's id.

use std::ops::Index;

use swarm_proto::NodeId;

use crate::{
    host::Host,
    keys::{node_id, number_of},
};

/// All hosts, by their numbers.
#[derive(Default)]
pub(crate) struct Hosts(Vec<Host>);

impl Hosts {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, node: &NodeId) -> Option<&Host> {
        self.0.get(number_of(*node))
    }

    pub(crate) fn get_mut(&mut self, node: &NodeId) -> Option<&mut Host> {
        self.0.get_mut(number_of(*node))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Host> {
        self.0.iter()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Host> {
        self.0.iter_mut()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.0.len()).map(node_id)
    }
}

impl FromIterator<Host> for Hosts {
    fn from_iter<I: IntoIterator<Item = Host>>(hosts: I) -> Self {
        Self(hosts.into_iter().collect())
    }
}

impl Index<&NodeId> for Hosts {
    type Output = Host;

    fn index(&self, node: &NodeId) -> &Host {
        &self.0[number_of(*node)]
    }
}

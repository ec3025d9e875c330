//! What a flow is computed over.

use std::ops::Range;

/// One node, by what it can do with so many layers.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowNode {
    /// Tokens per second with 1, 2, ... layers held, `T_i(k)`; as long as the node has room.
    pub tokens_per_s: Vec<f64>,
    /// Tokens per second from the coordinator (bandwidth over the bytes of a token id).
    pub entry: f64,
    /// Tokens per second to the coordinator.
    pub exit: f64,
}

/// A model of so many layers and the nodes that may hold them.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// The model's layers, `m`.
    pub layers: u32,
    /// The nodes.
    pub nodes: Vec<FlowNode>,
    /// Tokens per second from node to node (bandwidth over the bytes of an activation), by
    /// sender, then receiver; the diagonal is not read.
    pub links: Vec<Vec<f64>>,
}

/// The layers that each node holds, in the order of [`Fleet::nodes`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement(pub Vec<Option<Range<u32>>>);

impl FlowNode {
    /// The most layers that this node can hold.
    #[must_use]
    pub fn max_layers(&self) -> usize {
        self.tokens_per_s.len()
    }
}

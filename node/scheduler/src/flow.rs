//! Tokens per second through a swarm whose requests each take a path of their own.
//!
//! Helix's view (ASPLOS 2025, arXiv 2406.01566): nodes hold ranges of layers, and a placement
//! is worth the maximum flow from the coordinator through the layers and back.

mod fleet;
mod graph;
mod search;
mod simple;
mod throughput;

pub use fleet::{Fleet, FlowNode, Placement};
pub use graph::{EdgeId, Graph, MaxFlow};
pub use search::helix;
pub use simple::{even, petals};
pub use throughput::{Carried, FlowError, Hop, Throughput, throughput};

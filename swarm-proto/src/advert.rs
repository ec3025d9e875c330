//! What a peer tells everyone about itself.

use bincode::{Decode, Encode};

use crate::{
    Device, Hash, LinkReport, NodeId, Time,
    checked::{all, decode_checked},
};

/// Devices one peer may advertise.
pub const DEVICES_MAX: usize = 64;
/// Links one peer may advertise: its neighbours, not the swarm.
pub const LINKS_MAX: usize = 64;

/// A peer's offer and state. A later `sequence` replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Encode)]
pub struct Advert {
    /// Whose.
    pub node: NodeId,
    /// Rises with every advert, over restarts too.
    pub sequence: u64,
    /// The swarm it belongs to: the node that founded it. `None` if it has not met one.
    pub origin: Option<NodeId>,
    /// How long it has been up: long-lived peers make better voters.
    pub up_ms: u64,
    /// What it computes with; empty for a peer that is only an entry.
    pub devices: Vec<Device>,
    /// How it sees the way to its neighbours.
    pub links: Vec<LinkReport>,
    /// The model it has weights of, if any.
    pub model: Option<Hash>,
    /// What it is doing.
    pub load: Load,
    /// Whether peers can open connections to it.
    pub reachable: bool,
    /// Whether it is leaving: no new sessions, no place in the next plan.
    pub draining: bool,
    /// Where its HTTP API listens, if it says so.
    pub api: Option<String>,
}

/// How busy a peer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Load {
    /// Sessions that hold KV cache here.
    pub sessions: u32,
    /// KV blocks not held by any session.
    pub kv_blocks_free: u32,
    /// KV blocks altogether.
    pub kv_blocks: u32,
}

/// An advert with the time it was heard at, as a view holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// What was heard.
    pub advert: Advert,
    /// When.
    pub at: Time,
}

impl Advert {
    /// Names the first bound that this advert breaks. Decoding refuses the same.
    pub fn check(&self) -> Result<(), &'static str> {
        let figures = self.devices.iter().flat_map(|d| [d.bandwidth_bytes_per_s, d.flops_per_s]);
        let links = self.links.iter().flat_map(|l| [l.rtt_ms, l.rtt_spread_ms, l.bytes_per_s]);
        all([
            (self.devices.len() <= DEVICES_MAX, "more than 64 devices"),
            (self.links.len() <= LINKS_MAX, "more than 64 links"),
            (self.devices.windows(2).all(|d| d[0].index < d[1].index), "devices out of order"),
            (figures.chain(links).all(|x| x.is_finite() && x >= 0.0), "an impossible figure"),
            (self.links.iter().all(|l| (0.0..=1.0).contains(&l.loss)), "a loss above 1"),
        ])
    }
}

decode_checked!(Advert {
    node,
    sequence,
    origin,
    up_ms,
    devices,
    links,
    model,
    load,
    reachable,
    draining,
    api,
});

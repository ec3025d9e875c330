//! Plans that tests want to see in force, in the product's own shape.

use serde_json::{Value, json};

/// One device's share of a stage: whose, KV heads, FFN columns.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Which member of the swarm.
    pub node: usize,
    /// Which device of it.
    pub device: u8,
    /// `first..end` of its KV-head groups.
    pub kv_heads: (u32, u32),
    /// `first..end` of its FFN columns.
    pub ffn_columns: (u32, u32),
}

/// One pipeline: stages of layers `first..end`, each with its shares.
#[derive(Clone, Debug)]
pub struct Layout(pub Vec<((u32, u32), Vec<Share>)>);

impl Layout {
    /// The plan as `--plan` takes it, for members with these peer ids.
    pub fn plan(&self, peers: &[String]) -> Value {
        let stages: Vec<_> = self
            .0
            .iter()
            .map(|(layers, shares)| {
                let members: Vec<_> = shares
                    .iter()
                    .map(|share| {
                        json!({
                            "peer": peers[share.node],
                            "device": share.device,
                            "kv_heads": [share.kv_heads.0, share.kv_heads.1],
                            "ffn_columns": [share.ffn_columns.0, share.ffn_columns.1],
                        })
                    })
                    .collect();
                json!({ "layers": [layers.0, layers.1], "members": members })
            })
            .collect();
        json!({ "term": 0, "epoch": 0, "leader": "", "pipelines": [{ "stages": stages }] })
    }
}

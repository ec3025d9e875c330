//! Batches, as far as they say how long they take.

use swarm_proto::Batch;

/// A batch for a device, as far as it says how long it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Load {
    pub(super) rows: f64,
    /// Rows of sessions that come one by one: steps of answers.
    pub(super) steps: f64,
    /// Rows that a token is drawn after.
    pub(super) drawn: f64,
    /// Tokens that are looked back at: once for every session, and once for every row.
    pub(super) read: f64,
    pub(super) seen: f64,
}

impl Load {
    pub(super) fn of(batch: &Batch) -> Self {
        let mut all = Self::default();
        for item in &batch.items {
            let (rows, before) = (item.tokens.len() as f64, f64::from(item.position));
            all.rows += rows;
            all.steps += if item.tokens.len() == 1 { 1.0 } else { 0.0 };
            all.drawn += f64::from(u8::from(item.sample.is_some()));
            all.read += before + rows;
            all.seen += rows * before + rows * (rows + 1.0) / 2.0;
        }
        all
    }
}

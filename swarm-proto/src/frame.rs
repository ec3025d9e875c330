//! What travels with activations: a small header, then raw little-endian f32 rows.

use bincode::{Decode, Encode};

use crate::{
    Attempt, PlanId,
    checked::{all, decode_checked},
};

/// Rows in one frame at most: a batch of a stage.
pub const FRAME_ROWS_MAX: usize = 4096;

/// The header of a frame of activations.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct RowsHeader {
    /// Under which plan.
    pub plan: PlanId,
    /// Which pipeline.
    pub pipeline: u16,
    /// The stage that is to compute them.
    pub stage: u16,
    /// `None`: to the stage's leader, who batches them as it likes. `Some`: from the leader to the
    /// other members, who compute this batch, numbered from 0, as it stands.
    pub batch: Option<u64>,
    /// Whose rows, in order.
    pub items: Vec<RowsItem>,
}

/// Consecutive rows of one session.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RowsItem {
    /// Of which try.
    pub attempt: Attempt,
    /// Position of the first row.
    pub position: u32,
    /// The token of each row: names the KV blocks they fill.
    pub tokens: Vec<u32>,
    /// `Some(step)`: the last row ends the prompt or continues the answer, so a token is due for
    /// that place in the answer.
    pub step: Option<u32>,
}

/// Names one exchange of partial sums among the members of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SumsHeader {
    /// Under which plan.
    pub plan: PlanId,
    /// Which pipeline.
    pub pipeline: u16,
    /// Which stage.
    pub stage: u16,
    /// Which batch of that stage.
    pub batch: u64,
    /// The how-manieth sum of that batch: two a layer.
    pub index: u32,
    /// Whose: a place in the stage's list of members.
    pub member: u16,
}

/// Names a batch of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BatchId {
    /// Under which plan.
    pub plan: PlanId,
    /// Which pipeline.
    pub pipeline: u16,
    /// Which stage.
    pub stage: u16,
    /// Which batch of that stage.
    pub batch: u64,
}

impl RowsHeader {
    /// The batch, if the stage's leader has made it one.
    pub fn batch_id(&self) -> Option<BatchId> {
        let Self { plan, pipeline, stage, batch, .. } = *self;
        batch.map(|batch| BatchId { plan, pipeline, stage, batch })
    }

    /// Refuses a frame of no rows, or of too many. Decoding refuses the same.
    pub fn check(&self) -> Result<(), &'static str> {
        all([
            (!self.items.is_empty(), "a frame of no rows"),
            (self.items.iter().all(|item| !item.tokens.is_empty()), "an item of no rows"),
            (self.rows() <= FRAME_ROWS_MAX, "a frame of more than 4096 rows"),
        ])
    }

    /// Rows over all items.
    pub fn rows(&self) -> usize {
        self.items.iter().map(|item| item.tokens.len()).sum()
    }
}

decode_checked!(RowsHeader { plan, pipeline, stage, batch, items });

//! A chain: stages chosen in their order, before they are a plan.

use swarm_proto::{
    ColumnRange, HeadRange, LayerRange, Member, NodeId, Pipeline, Plan, PlanId, Stage,
};

use crate::{
    field::Field,
    table::{Candidate, arrange},
};

/// Candidates and how many layers each takes.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) ms: f64,
    /// The devices used.
    pub(crate) mask: u128,
    pub(crate) links: Vec<(usize, u32)>,
}

impl Chain {
    /// Faster; of equals, with fewer devices; of these, with those of lower ids.
    pub(crate) fn beats(&self, other: &Self) -> bool {
        let near = (self.ms - other.ms).abs() <= 1e-9 * self.ms.abs().max(other.ms.abs());
        if !near {
            return self.ms < other.ms;
        }
        let rank = |c: &Self| (c.mask.count_ones(), c.mask.reverse_bits());
        let (mine, others) = (rank(self), rank(other));
        mine.0 < others.0 || (mine.0 == others.0 && mine.1 > others.1)
    }

    /// The better of two.
    pub(crate) fn better(best: Option<Self>, other: Self) -> Option<Self> {
        match best {
            Some(best) if !other.beats(&best) => Some(best),
            _ => Some(other),
        }
    }

    /// The chain as a plan, with shares.
    pub(crate) fn plan(&self, field: &Field<'_>, candidates: &[Candidate]) -> Option<Plan> {
        let mut stages = Vec::new();
        let mut next = 0;
        for &(candidate, layers) in &self.links {
            let c = &candidates[candidate];
            let (embeds, samples) = (next == 0, next + layers == field.model.layers);
            let (order, found) = arrange(field, &c.members, c.machine, layers, embeds, samples)?;
            let (mut head, mut column) = (0, 0);
            let mut members = Vec::new();
            for (&spot, &(heads, columns)) in order.iter().zip(&found.parts) {
                members.push(Member {
                    node: field.spots[spot].node,
                    device: field.spots[spot].device,
                    kv_heads: HeadRange::new(head, head + heads)?,
                    ffn_columns: ColumnRange::new(column, column + columns)?,
                });
                head += heads;
                column += columns;
            }
            stages.push(Stage { layers: LayerRange::new(next, next + layers)?, members });
            next += layers;
        }
        let plan = Plan {
            id: PlanId::default(),
            leader: NodeId([0; 32]),
            model: field.model.hash,
            pipelines: vec![Pipeline { stages }],
        };
        plan.check(field.model).is_ok().then_some(plan)
    }
}

//! Which replica a session goes to.

use std::{collections::BTreeSet, sync::Arc};

use swarm_proto::{NodeId, Pipeline, Plan, SessionId};

use crate::session::post::Route;

/// What a session's id is multiplied with to go elsewhere: odd, and without a pattern (2^128 by the
/// golden ratio), so that whatever it is divided by, the rest is another.
const ELSEWHERE: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// The pipeline for a session: of those whose members are all here, one by the session's id, which
/// spreads sessions as the pipelines are fast without anyone keeping count. Where two tries in a row
/// came to nothing, the next two go elsewhere: the first repeats, because what it has computed lies
/// in that pipeline's KV cache.
pub(super) fn choose(
    live: Option<&Arc<Plan>>,
    gone: &BTreeSet<NodeId>,
    session: SessionId,
    failures: u32,
) -> Option<Route> {
    let plan = live?;
    let whole = || {
        let here = |p: &Pipeline| p.members().all(|member| !gone.contains(&member.node));
        plan.pipelines.iter().zip(0u16..).filter(move |(p, _)| here(p))
    };
    // Of a pipeline that nobody predicts it is not known how slow it is.
    let known = whole().all(|(p, _)| p.predicted.requests_per_ks > 0);
    let rate = |p: &Pipeline| if known { u128::from(p.predicted.requests_per_ks) } else { 1 };
    let all: u128 = whole().map(|(p, _)| rate(p)).sum();
    let turned = session.0.wrapping_mul(ELSEWHERE.wrapping_pow(failures / 2));
    let mut left = turned.checked_rem(all)?;
    for (p, pipeline) in whole() {
        match left.checked_sub(rate(p)) {
            None => return Some(Route { plan: Arc::clone(plan), pipeline }),
            Some(rest) => left = rest,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use swarm_proto::{ColumnRange, Hash, HeadRange, LayerRange, Member, PlanId, Predicted, Stage};

    use super::*;

    fn pipeline(node: u8, requests_per_ks: u64) -> Pipeline {
        let member = Member {
            node: NodeId([node; 32]),
            device: 0,
            kv_heads: HeadRange::new(0, 1).unwrap(),
            ffn_columns: ColumnRange::new(0, 1).unwrap(),
        };
        let layers = LayerRange::new(0, 1).unwrap();
        let stages = vec![Stage { layers, members: vec![member], step_us: 0 }];
        Pipeline { stages, predicted: Predicted { requests_per_ks, ..Predicted::default() } }
    }

    #[test]
    fn sessions_are_spread_as_pipelines_serve() {
        let plan = Arc::new(Plan {
            id: PlanId::default(),
            leader: NodeId([0; 32]),
            model: Hash([0; 32]),
            pipelines: vec![pipeline(1, 100), pipeline(2, 300), pipeline(3, 0)],
        });
        let spread = |gone: &[u8]| {
            let gone = gone.iter().map(|node| NodeId([*node; 32])).collect();
            let mut counts = [0; 3];
            for id in 0..1200 {
                if let Some(route) = choose(Some(&plan), &gone, SessionId(id), 0) {
                    counts[usize::from(route.pipeline)] += 1;
                }
            }
            counts
        };
        assert_eq!(spread(&[3]), [300, 900, 0]);
        assert_eq!(spread(&[3, 1]), [0, 1200, 0]);
        assert_eq!(spread(&[]), [400; 3], "one is not known");
        assert_eq!(spread(&[1, 2, 3]), [0; 3]);
        let tried = |failures| {
            let id = SessionId(0x1234_5678_9abc_def0_1234_5678_9abc_def1);
            choose(Some(&plan), &BTreeSet::new(), id, failures).unwrap().pipeline
        };
        assert_eq!(tried(0), tried(1), "its KV cache may be of use");
        assert_eq!((0..16).map(tried).collect::<BTreeSet<_>>().len(), 3, "none is tried for ever");
    }
}

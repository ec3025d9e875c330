//! Which replica a session goes to.

use std::{collections::BTreeSet, sync::Arc};

use swarm_proto::{NodeId, Pipeline, Plan, PlanId, SessionId};

use crate::session::post::Route;

/// A pipeline where tries came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Avoid {
    pub(super) plan: PlanId,
    pub(super) pipeline: u16,
}

/// The pipeline for a session: of those whose members are all here, one by the session's id, which
/// spreads sessions as the pipelines are fast without anyone keeping count. Not the one it is to
/// avoid, if there is another.
pub(super) fn choose(
    live: Option<&Arc<Plan>>,
    gone: &BTreeSet<NodeId>,
    session: SessionId,
    avoid: Option<Avoid>,
) -> Option<Route> {
    let plan = live?;
    let here = |p: &Pipeline| p.members().all(|member| !gone.contains(&member.node));
    let mut whole: Vec<(&Pipeline, u16)> =
        plan.pipelines.iter().zip(0u16..).filter(|(p, _)| here(p)).collect();
    let shunned = |number: u16| avoid == Some(Avoid { plan: plan.id, pipeline: number });
    if whole.iter().any(|(_, number)| !shunned(*number)) {
        whole.retain(|(_, number)| !shunned(*number));
    }
    // Of a pipeline that nobody predicts it is not known how slow it is.
    let known = whole.iter().all(|(p, _)| p.predicted.requests_per_ks > 0);
    let rate = |p: &Pipeline| if known { u128::from(p.predicted.requests_per_ks) } else { 1 };
    let all: u128 = whole.iter().map(|(p, _)| rate(p)).sum();
    let mut left = session.0.checked_rem(all)?;
    for (p, pipeline) in whole {
        match left.checked_sub(rate(p)) {
            None => return Some(Route { plan: Arc::clone(plan), pipeline }),
            Some(rest) => left = rest,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use swarm_proto::{ColumnRange, Hash, HeadRange, LayerRange, Member, Predicted, Stage};

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
                if let Some(route) = choose(Some(&plan), &gone, SessionId(id), None) {
                    counts[usize::from(route.pipeline)] += 1;
                }
            }
            counts
        };
        assert_eq!(spread(&[3]), [300, 900, 0]);
        assert_eq!(spread(&[3, 1]), [0, 1200, 0]);
        assert_eq!(spread(&[]), [400; 3], "one is not known");
        assert_eq!(spread(&[1, 2, 3]), [0; 3]);
        for id in (0..1200).map(SessionId) {
            let tried = |gone: &[u8], avoid| {
                let gone = gone.iter().map(|node| NodeId([*node; 32])).collect();
                choose(Some(&plan), &gone, id, avoid).unwrap().pipeline
            };
            let first = tried(&[], None);
            let avoid = |pipeline| Some(Avoid { plan: plan.id, pipeline });
            assert_ne!(tried(&[], avoid(first)), first);
            assert_eq!(tried(&[2, 3], avoid(0)), 0, "no other");
        }
    }
}

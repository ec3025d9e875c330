//! Which replica a session goes to.

use std::{collections::BTreeSet, sync::Arc};

use swarm_proto::{NodeId, Pipeline, Plan, PlanId, Predicted, SessionId};

use crate::session::post::Route;

/// A pipeline of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) plan: PlanId,
    pub(super) pipeline: u16,
}

impl Route {
    pub(super) fn place(&self) -> Place {
        Place { plan: self.plan.id, pipeline: self.pipeline }
    }
}

/// What is known of a session that is to be sent somewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) session: SessionId,
    pub(super) answer_tokens_max: u32,
    /// Where its last try came to nothing.
    pub(super) tried: Option<Place>,
    /// Whether it is to go there again, if it can; else it goes elsewhere, if it can.
    pub(super) again: bool,
    /// Sessions through each pipeline of the plan.
    pub(super) loads: &'a [Load],
    /// How many of our own there may be, for each stage of a pipeline.
    pub(super) stage_sessions_max: u32,
}

/// Sessions through a pipeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Under way, as far as they are known here.
    pub(super) under_way: u32,
    /// Of this entry's.
    pub(super) own: u32,
}

impl Load {
    /// One more of ours. A peer may say that it holds as many as can be said.
    pub(super) fn add(&mut self) {
        self.under_way = self.under_way.saturating_add(1);
        self.own = self.own.saturating_add(1);
    }
}

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// A live plan with a pipeline whose members are all here.
    Plan,
    /// Its turn.
    Room,
}

/// The pipeline for a session: of those whose members are all here, the one that would likely be done
/// with it first; of equals, one by the session's id. Without predictions, the one with the fewest
/// sessions.
pub(super) fn choose(
    live: Option<&Arc<Plan>>,
    gone: &BTreeSet<NodeId>,
    wanted: Wanted<'_>,
) -> Result<Route, Lack> {
    let plan = live.ok_or(Lack::Plan)?;
    let here = |p: &Pipeline| p.members().all(|member| !gone.contains(&member.node));
    let mut whole: Vec<(&Pipeline, u16)> =
        plan.pipelines.iter().zip(0u16..).filter(|(p, _)| here(p)).collect();
    let lack = if whole.is_empty() { Lack::Plan } else { Lack::Room };
    let load = |number: u16| wanted.loads.get(usize::from(number)).copied().unwrap_or_default();
    let most = |p: &Pipeline| wanted.stage_sessions_max.saturating_mul(p.stages.len() as u32);
    whole.retain(|(p, number)| load(*number).own < most(p));
    let tried = |number: u16| wanted.tried == Some(Place { plan: plan.id, pipeline: number });
    let likes = |number: u16| tried(number) == wanted.again;
    if wanted.tried.is_some() && whole.iter().any(|(_, number)| likes(*number)) {
        whole.retain(|(_, number)| likes(*number));
    }
    // Of a pipeline that nobody predicts it is not known how slow it is.
    let known = whole.iter().all(|(p, _)| p.predicted.sessions > 0);
    let done = |(p, number): &(&Pipeline, u16)| {
        let load = load(*number).under_way;
        if known { done_at(&p.predicted, wanted.answer_tokens_max, load) } else { load.into() }
    };
    let first = whole.iter().map(done).min().ok_or(lack)?;
    whole.retain(|pipeline| done(pipeline) == first);
    let equal = whole.len() as u128;
    let (_, pipeline) = whole[(wanted.session.0 % equal) as usize];
    Ok(Route { plan: Arc::clone(plan), pipeline })
}

/// How much an answer's time weighs beside what is under way: a step takes the longer the more share
/// it, and one more waits for whoever is there.
const LOAD_WEIGHT: u128 = 5;

/// What tells when an answer would be done, to compare pipelines by: its time, the longer the nearer
/// the pipeline is to as many sessions as it serves at once, or the further beyond.
fn done_at(predicted: &Predicted, answer_tokens_max: u32, load: u32) -> u128 {
    let each = u128::from(predicted.tpot_us) * u128::from(answer_tokens_max);
    let time_us = u128::from(predicted.ttft_us) + each;
    let at_once = u128::from(predicted.sessions.max(1));
    // In thousandths, so that no small difference is lost; what is absurd stays so.
    let weight = 1000 * (at_once + LOAD_WEIGHT * (u128::from(load) + 1)) / at_once;
    time_us.saturating_mul(weight)
}

#[cfg(test)]
mod tests {
    use super::{
        super::made::{self, plan},
        *,
    };

    fn pipeline(node: u8, tpot_us: u64, sessions: u32) -> Pipeline {
        made::pipeline(&[node], Predicted { tpot_us, sessions, ..Predicted::default() })
    }

    /// How many of so many sessions go where, if none ends.
    fn spread<const N: usize>(plan: &Arc<Plan>, gone: &[u8], sessions: u128) -> [u32; N] {
        within(u32::MAX, plan, gone, sessions).0
    }

    /// The same if there may be so many for each stage, and what the last had to wait for, if it did.
    fn within<const N: usize>(
        stage_sessions_max: u32,
        plan: &Arc<Plan>,
        gone: &[u8],
        sessions: u128,
    ) -> ([u32; N], Option<Lack>) {
        let gone = gone.iter().map(|node| NodeId([*node; 32])).collect();
        let (mut loads, mut lack) = ([Load::default(); N], None);
        for id in 0..sessions {
            let wanted = Wanted {
                session: SessionId(id),
                answer_tokens_max: 10,
                tried: None,
                again: false,
                loads: &loads,
                stage_sessions_max,
            };
            match choose(Some(plan), &gone, wanted) {
                Ok(route) => loads[usize::from(route.pipeline)].add(),
                Err(what) => lack = Some(what),
            }
        }
        (loads.map(|load| load.under_way), lack)
    }

    #[test]
    fn no_more_go_through_a_pipeline_than_its_stages_take() {
        let long = made::pipeline(&[1, 2, 3], Predicted::default());
        let two = plan(vec![long, made::pipeline(&[4], Predicted::default())]);
        assert_eq!(within(2, &two, &[], 7), ([5, 2], None));
        assert_eq!(within(2, &two, &[], 9), ([6, 2], Some(Lack::Room)));
        assert_eq!(within(2, &two, &[2], 9), ([0, 2], Some(Lack::Room)));
        assert_eq!(within(2, &two, &[2, 4], 9), ([0, 0], Some(Lack::Plan)));
    }

    #[test]
    fn a_session_goes_where_it_is_done_first() {
        let two = plan(vec![pipeline(1, 100, 4), pipeline(2, 300, 6)]);
        assert_eq!(spread(&two, &[], 2), [2, 0], "the first is faster");
        let [first, second] = spread(&two, &[], 300);
        assert!((195..=205).contains(&first) && second == 300 - first, "{first}, as both serve");
        assert_eq!(spread(&two, &[1], 300), [0, 300]);
        assert_eq!(spread(&two, &[1, 2], 300), [0, 0]);
    }

    #[test]
    fn equals_are_drawn_by_the_sessions_id() {
        let three = plan(vec![pipeline(1, 100, 1 << 20); 3]);
        assert_eq!(spread(&three, &[], 300), [100; 3]);
        let unknown = plan(vec![pipeline(1, 100, 4), pipeline(2, 1, 0)]);
        assert_eq!(spread(&unknown, &[], 300), [150; 2]);
    }

    #[test]
    fn a_try_that_came_to_nothing_is_made_again_there_or_elsewhere_if_that_can_be() {
        let two = plan(vec![pipeline(1, 100, 4), pipeline(2, 300, 4)]);
        let next = |gone: &[u8], pipeline, again| {
            let gone = gone.iter().map(|node| NodeId([*node; 32])).collect();
            let tried = Some(Place { plan: two.id, pipeline });
            let wanted = Wanted {
                session: SessionId(7),
                answer_tokens_max: 1,
                tried,
                again,
                loads: &[],
                stage_sessions_max: u32::MAX,
            };
            choose(Some(&two), &gone, wanted).unwrap().pipeline
        };
        assert_eq!(next(&[], 0, false), 1);
        assert_eq!(next(&[], 1, false), 0);
        assert_eq!(next(&[2], 0, false), 0, "no other");
        assert_eq!(next(&[], 1, true), 1, "its cache is there");
        assert_eq!(next(&[2], 1, true), 0, "it is gone");
    }

    #[test]
    fn absurd_predictions_are_no_trouble() {
        let most = Predicted {
            ttft_us: u64::MAX,
            tpot_us: u64::MAX,
            requests_per_ks: u64::MAX,
            sessions: 1,
        };
        assert_eq!(done_at(&most, u32::MAX, u32::MAX), u128::MAX);
        let many = Predicted { sessions: u32::MAX, ..most };
        assert!(done_at(&many, 1, 0) < done_at(&many, 1, u32::MAX));
        assert_eq!(done_at(&Predicted::default(), 0, 0), 0);
    }
}

//! Which replica a session goes to.

use std::{collections::BTreeSet, sync::Arc};

use swarm_proto::{NodeId, Pipeline, Plan, PlanId, SessionId};

use crate::{Ask, Effect, Notice, Router, Soonest, Way, session::post::Route, turn::Turn};

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
    pub(super) ask: &'a Ask,
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
    /// A router that does not send it through a pipeline that it cannot take, as it did with this one.
    Sense(u16),
}

/// The pipeline that the router chooses for a session. If it cannot take that, [`Soonest`] decides.
pub(super) fn routed(
    router: &mut dyn Router,
    live: Option<&Arc<Plan>>,
    gone: &BTreeSet<NodeId>,
    wanted: Wanted<'_>,
    turn: &mut Turn<'_>,
) -> Result<Route, Lack> {
    match choose(router, live, gone, wanted) {
        Err(Lack::Sense(number)) => {
            let reason = format!("its router chose pipeline {number}, which a session cannot take");
            turn.emit(Effect::Notice(Notice::Refused { peer: turn.me(), reason }));
            choose(&mut Soonest, live, gone, wanted)
        }
        route => route,
    }
}

/// What the router makes of the pipelines whose members are all here and that have room.
fn choose(
    router: &mut dyn Router,
    live: Option<&Arc<Plan>>,
    gone: &BTreeSet<NodeId>,
    wanted: Wanted<'_>,
) -> Result<Route, Lack> {
    let plan = live.ok_or(Lack::Plan)?;
    let here = |p: &Pipeline| p.members().all(|member| !gone.contains(&member.node));
    let whole = plan.pipelines.iter().zip(0u16..).filter(|(p, _)| here(p));
    let mut ways: Vec<Way<'_>> =
        whole.map(|(pipeline, number)| wanted.way(pipeline, number)).collect();
    if ways.is_empty() {
        return Err(Lack::Plan);
    }
    let most = |p: &Pipeline| wanted.stage_sessions_max.saturating_mul(p.stages.len() as u32);
    ways.retain(|way| way.own < most(way.pipeline));
    let tried = |number: u16| wanted.tried == Some(Place { plan: plan.id, pipeline: number });
    let likes = |way: &Way<'_>| tried(way.number) == wanted.again;
    if wanted.tried.is_some() && ways.iter().any(likes) {
        ways.retain(likes);
    }
    if ways.is_empty() {
        return Err(Lack::Room);
    }
    let pipeline = router.choose(wanted.session, wanted.ask, &ways).ok_or(Lack::Room)?;
    match ways.iter().any(|way| way.number == pipeline) {
        true => Ok(Route { plan: Arc::clone(plan), pipeline }),
        false => Err(Lack::Sense(pipeline)),
    }
}

impl Wanted<'_> {
    fn way<'p>(&self, pipeline: &'p Pipeline, number: u16) -> Way<'p> {
        let Load { under_way, own } =
            self.loads.get(usize::from(number)).copied().unwrap_or_default();
        Way { number, pipeline, under_way, own }
    }
}

#[cfg(test)]
mod tests {
    use swarm_proto::Predicted;

    use super::{
        super::{
            made::{self, plan},
            running::canary,
        },
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
        let ask = Ask { answer_tokens_max: 10, ..canary() };
        for id in 0..sessions {
            let wanted = Wanted {
                session: SessionId(id),
                ask: &ask,
                tried: None,
                again: false,
                loads: &loads,
                stage_sessions_max,
            };
            match choose(&mut Soonest, Some(plan), &gone, wanted) {
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
        let ask = canary();
        let next = |gone: &[u8], pipeline, again| {
            let gone = gone.iter().map(|node| NodeId([*node; 32])).collect();
            let tried = Some(Place { plan: two.id, pipeline });
            let wanted = Wanted {
                session: SessionId(7),
                ask: &ask,
                tried,
                again,
                loads: &[],
                stage_sessions_max: u32::MAX,
            };
            choose(&mut Soonest, Some(&two), &gone, wanted).unwrap().pipeline
        };
        assert_eq!(next(&[], 0, false), 1);
        assert_eq!(next(&[], 1, false), 0);
        assert_eq!(next(&[2], 0, false), 0, "no other");
        assert_eq!(next(&[], 1, true), 1, "its cache is there");
        assert_eq!(next(&[2], 1, true), 0, "it is gone");
    }

    /// Says always the same.
    #[derive(Debug)]
    struct Always(Option<u16>);

    impl Router for Always {
        fn choose(&mut self, _: SessionId, _: &Ask, ways: &[Way<'_>]) -> Option<u16> {
            assert!(!ways.is_empty(), "there is nothing to choose");
            self.0
        }
    }

    /// Where a router that says always the same sends a session, of four pipelines of which the first is
    /// the fastest, the third is not whole and the last has no room.
    fn sent(number: Option<u16>) -> Result<u16, Lack> {
        let slow: Vec<_> = (1..5).map(|node| pipeline(node, 100 * u64::from(node), 4)).collect();
        let four = plan(slow);
        let (ask, full) = (canary(), Load { under_way: 1, own: 1 });
        let loads = [Load::default(), Load::default(), Load::default(), full];
        let wanted = Wanted {
            session: SessionId(7),
            ask: &ask,
            tried: None,
            again: false,
            loads: &loads,
            stage_sessions_max: 1,
        };
        let gone = BTreeSet::from([NodeId([3; 32])]);
        choose(&mut Always(number), Some(&four), &gone, wanted).map(|route| route.pipeline)
    }

    #[test]
    fn a_router_decides_among_pipelines_that_can_be_taken() {
        assert_eq!((sent(Some(0)), sent(Some(1))), (Ok(0), Ok(1)));
        assert_eq!(sent(None), Err(Lack::Room), "the session waits for its turn");
        for number in [2, 3, 4, u16::MAX] {
            assert_eq!(sent(Some(number)), Err(Lack::Sense(number)));
        }
    }
}

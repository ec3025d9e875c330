//! Which pipeline of the live plan a session takes.

use std::fmt;

use swarm_proto::{Pipeline, Predicted, SessionId};

use crate::Ask;

/// Decides which pipeline a session takes; a node's entry asks it once for each try of a session. It
/// gets neither clock nor dice, so that what a node did can be done again; what it must know of
/// sessions before, it keeps itself.
///
/// ```
/// use swarm_core::{Ask, Router, Way};
/// use swarm_proto::SessionId;
///
/// /// The shortest pipeline.
/// #[derive(Debug)]
/// struct Shortest;
///
/// impl Router for Shortest {
///     fn choose(&mut self, _: SessionId, _: &Ask, ways: &[Way<'_>]) -> Option<u16> {
///         ways.iter().min_by_key(|way| way.pipeline.stages.len()).map(|way| way.number)
///     }
/// }
/// ```
pub trait Router: fmt::Debug + Send {
    /// The number of one of `ways`: at least one pipeline, in the order of their numbers, whose
    /// members are all here and that has room. After a try that came to nothing, it is only the same
    /// pipeline, or only others, if that can be. With `None` the session waits for its turn, as it
    /// does where nothing has room. A number that is none of theirs is not believed: then
    /// [`Soonest`] decides.
    fn choose(&mut self, session: SessionId, ask: &Ask, ways: &[Way<'_>]) -> Option<u16>;
}

/// A pipeline that a session can take.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Its number in the live plan.
    pub number: u16,
    /// Its stages, and what is expected of it.
    pub pipeline: &'a Pipeline,
    /// Sessions through it, as far as they are known here.
    pub under_way: u32,
    /// Those of them that began at this entry.
    pub own: u32,
}

/// The pipeline that would likely be done with the session first; of equals, one by the session's id.
/// Without predictions, the one with the fewest sessions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Soonest;

impl Router for Soonest {
    fn choose(&mut self, session: SessionId, ask: &Ask, ways: &[Way<'_>]) -> Option<u16> {
        // Of a pipeline that nobody predicts it is not known how slow it is.
        let known = ways.iter().all(|way| way.pipeline.predicted.sessions > 0);
        let done = |way: &&Way<'_>| match known {
            true => done_at(&way.pipeline.predicted, ask.answer_tokens_max, way.under_way),
            false => way.under_way.into(),
        };
        let first = ways.iter().map(|way| done(&way)).min()?;
        let equal: Vec<_> = ways.iter().filter(|way| done(way) == first).collect();
        Some(equal[(session.0 % equal.len() as u128) as usize].number)
    }
}

impl Default for Box<dyn Router> {
    fn default() -> Self {
        Box::new(Soonest)
    }
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
    use super::*;

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

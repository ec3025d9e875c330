//! The times at which a film is looked at, and how all stands then.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

use swarm_proto::Time;

use crate::film::{Counts, Film, Moment, Seen, Source};

/// Steps of a film, at most.
pub(super) const STEPS_MAX: usize = 240;

/// What a machine's process does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Down,
    Up,
    Leaving,
    Stopped,
    Slow,
}

/// How all stands at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    pub(super) at: Time,
    /// Since when things that flow are counted.
    pub(super) since: Time,
    /// The moments since the step before.
    pub(super) moments: Range<usize>,
    pub(super) machines: Vec<State>,
    pub(super) leader: Option<usize>,
    pub(super) plan: Option<usize>,
    /// Tokens since the step before.
    pub(super) flows: BTreeMap<Source, u64>,
    /// Requests of each entry since the step before.
    pub(super) asks: BTreeMap<usize, usize>,
    pub(super) counts: Counts,
    /// Tokens so far.
    pub(super) tokens: u64,
}

/// All steps of a film.
pub(super) struct Steps {
    pub(super) all: Vec<Step>,
    /// From one step to the next, at most.
    pub(super) span: Duration,
    /// Times of moments that have no step of their own.
    pub(super) left_out: usize,
}

/// What a small picture is worth: something went wrong, or another plan is live.
pub(super) fn is_main(moment: &Moment) -> bool {
    moment.what.is_fault() || matches!(moment.what, Seen::Live(_))
}

impl Steps {
    pub(super) fn of(film: &Film) -> Self {
        let (times, span, left_out) = times(film);
        let mut all: Vec<Step> = Vec::with_capacity(times.len());
        let mut now = Step { machines: vec![State::Down; film.machines.len()], ..Step::default() };
        let mut counts = film.tokens.counts().peekable();
        let mut asked = film.requests.iter().peekable();
        for at in times {
            let since = std::mem::replace(&mut now.at, at);
            now.since = since;
            now.moments = now.moments.end..now.moments.end;
            while let Some(moment) = film.moments.get(now.moments.end).filter(|m| m.at <= at) {
                now.take(moment.what);
                now.moments.end += 1;
            }
            now.flows.clear();
            while let Some((_, source, count)) = counts.next_if(|(begins, ..)| *begins <= at) {
                *now.flows.entry(source).or_default() += u64::from(count);
            }
            now.tokens += now.flows.values().sum::<u64>();
            now.asks.clear();
            while let Some(asked) = asked.next_if(|asked| asked.at <= at) {
                *now.asks.entry(asked.entry).or_default() += 1;
            }
            now.counts = film.counts(at);
            all.push(now.clone());
        }
        Self { all, span, left_out }
    }
}

impl Step {
    fn take(&mut self, what: Seen) {
        use Seen::*;
        let state = match what {
            Starts(node) | Resumes(node) | Mends(node) => Some((node, State::Up)),
            Dies(node) | Vanishes(node) | Ends(node) => Some((node, State::Down)),
            Leaves(node) => Some((node, State::Leaving)),
            Pauses(node) => Some((node, State::Stopped)),
            Slows(node, _) | Stalls(node) => Some((node, State::Slow)),
            Cuts(..) | Opens(..) | Loses(..) | Keeps(_) | Heals => None,
            Leads(node) => {
                self.leader = Some(node);
                None
            }
            Live(plan) => {
                self.plan = Some(plan);
                None
            }
        };
        if let Some((node, state)) = state
            && let Some(machine) = self.machines.get_mut(node)
        {
            // Devices of a machine that is dead may be mended.
            let mends = matches!(what, Mends(_)) && *machine == State::Down;
            *machine = if mends { State::Down } else { state };
        }
    }
}

/// Times of moments, at most half of all steps, those that matter first; the rest at equal spans
/// from the first plan on.
fn times(film: &Film) -> (BTreeSet<Time>, Duration, usize) {
    let (mut main, mut other) = (BTreeSet::new(), BTreeSet::new());
    for moment in &film.moments {
        if is_main(moment) {
            main.insert(moment.at)
        } else {
            other.insert(moment.at)
        };
    }
    other.retain(|at| !main.contains(at));
    let moments = main.len() + other.len();
    let mut times: BTreeSet<Time> = main.into_iter().chain(other).take(STEPS_MAX / 2).collect();
    let left_out = moments - times.len();
    let live = film.moments.iter().find(|moment| matches!(moment.what, Seen::Live(_)));
    let begins = live.map_or(Time::ZERO, |moment| moment.at);
    let even = (STEPS_MAX - times.len()) as u32; // the last of them at the end
    let span = film.end.since(begins) / even;
    times.extend((1..even).map(|number| begins + span * number));
    times.insert(film.end);
    (times, span, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(moments: impl Iterator<Item = (u64, Seen)>) -> Film {
        let at = |(s, what)| Moment { at: Time(s * 1_000_000_000), what };
        let machines = vec![vec!["card".to_owned()]; 2];
        let moments = moments.map(at).collect();
        Film { machines, moments, end: Time(1_000_000_000_000), ..Film::default() }
    }

    #[test]
    fn steps_are_bounded_and_what_is_left_out_is_counted() {
        let many =
            film((0..900).map(|s| (s, if s % 2 == 0 { Seen::Dies(0) } else { Seen::Starts(0) })));
        let steps = Steps::of(&many);
        assert_eq!(steps.all.len(), STEPS_MAX);
        assert_eq!(steps.left_out, 900 - STEPS_MAX / 2);
        let shown: usize = steps.all.iter().map(|step| step.moments.len()).sum();
        assert_eq!(shown, 900, "what has no step of its own is in the next");
        assert!(steps.all.is_sorted_by_key(|step| step.at));
    }

    #[test]
    fn machines_are_what_they_were_last_said_to_be() {
        let all = [(0, Seen::Starts(0)), (0, Seen::Starts(1)), (5, Seen::Leads(1))];
        let more = [(7, Seen::Dies(0)), (8, Seen::Mends(0)), (9, Seen::Pauses(1))];
        let steps = Steps::of(&film(all.into_iter().chain(more)));
        let at = |s: u64| steps.all.iter().rfind(|step| step.at.0 <= s * 1_000_000_000).unwrap();
        assert_eq!((at(0).machines.as_slice(), at(0).leader), (&[State::Up; 2][..], None));
        assert_eq!((at(8).machines[0], at(8).leader), (State::Down, Some(1)));
        assert_eq!(at(9).machines[1], State::Stopped);
    }
}

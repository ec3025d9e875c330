//! The shortest script that still shows a failure, as far as it is found in so many runs.
//!
//! Delta debugging: things are left out, half of the script at a time, then a quarter and so on down
//! to single things; then what is left is made shorter, time by time. Each candidate is run; what
//! fails in the same way is gone on with.

use crate::script::{Deed, Script, Seconds, Thing, When};

/// What a script came down to.
#[derive(Clone, Debug, PartialEq)]
pub struct Shrunk {
    /// What is left.
    pub script: Script,
    /// Runs that it took.
    pub runs: usize,
}

/// Makes a script smaller that fails, as long as it still `fails`, with so many runs at most.
pub fn shrink(script: Script, runs_max: usize, fails: impl FnMut(&Script) -> bool) -> Shrunk {
    let mut search = Search { best: script, runs: 0, runs_max, fails };
    let mut chunk = search.best.things.len().div_ceil(2);
    while chunk > 0 && search.goes_on() {
        // What was needed for something that is gone may be gone now, too.
        let less = search.leave_out(chunk);
        chunk = if chunk == 1 && less { 1 } else { chunk / 2 };
    }
    while search.goes_on() && search.shorten() {}
    Shrunk { script: search.best, runs: search.runs }
}

struct Search<Fails> {
    best: Script,
    runs: usize,
    runs_max: usize,
    fails: Fails,
}

impl<Fails: FnMut(&Script) -> bool> Search<Fails> {
    fn goes_on(&self) -> bool {
        self.runs < self.runs_max
    }

    /// Goes on with a candidate if it fails, too.
    fn tries_things(&mut self, things: Vec<Thing>) -> bool {
        let candidate = Script { things, ..self.best.clone() };
        self.tries(candidate)
    }

    fn tries(&mut self, candidate: Script) -> bool {
        if !self.goes_on() {
            return false;
        }
        self.runs += 1;
        let fails = (self.fails)(&candidate);
        if fails {
            self.best = candidate;
        }
        fails
    }

    /// Leaves out so many things in a row, wherever it can; from the end, as what comes late has the
    /// least to do with all else. Whether it could.
    fn leave_out(&mut self, chunk: usize) -> bool {
        let mut end = self.best.things.len();
        let mut less = false;
        while end > 0 {
            let first = end.saturating_sub(chunk);
            less |= self.tries_things(without(&self.best.things, first, end));
            end = first;
        }
        less
    }

    /// Makes times and requests shorter, each as far as it goes. Whether any has become so.
    fn shorten(&mut self) -> bool {
        let mut less = false;
        while let Some(ready_s) = half(self.best.head.ready_s) {
            let mut candidate = self.best.clone();
            candidate.head.ready_s = ready_s;
            if !self.tries(candidate) {
                break;
            }
            less = true;
        }
        for place in 0..self.best.things.len() {
            for way in WAYS {
                while let Some(shorter) = way(&self.best.things[place]) {
                    let mut things = self.best.things.clone();
                    things[place] = shorter;
                    if !self.tries_things(things) {
                        break;
                    }
                    less = true;
                }
            }
        }
        less
    }
}

/// Things without some of them. What comes later comes when it came.
fn without(things: &[Thing], first: usize, end: usize) -> Vec<Thing> {
    let mut rest = things[..first].to_vec();
    let gone = things[first..end].iter();
    let spans = gone.filter_map(|thing| match thing.after {
        When::S(Seconds(span)) => Some(span),
        _ => None,
    });
    let gap: std::time::Duration = spans.sum();
    rest.extend(things[end..].iter().cloned());
    if let Some(Thing { after: When::S(Seconds(span)), .. }) = rest.get_mut(first) {
        *span += gap;
    }
    rest
}

/// Ways to make a thing shorter, if it can be.
const WAYS: [fn(&Thing) -> Option<Thing>; 5] = [at_once, sooner, for_less, fewer_words, less_said];

fn at_once(thing: &Thing) -> Option<Thing> {
    let after = When::S(Seconds::default());
    (thing.after != after).then(|| Thing { after, ..thing.clone() })
}

fn sooner(thing: &Thing) -> Option<Thing> {
    let after = match thing.after {
        When::S(span) => When::S(half(span)?),
        When::Tokens(tokens) if tokens > 0 => When::Tokens(tokens / 2),
        _ => return None,
    };
    Some(Thing { after, ..thing.clone() })
}

fn for_less(thing: &Thing) -> Option<Thing> {
    let mut shorter = thing.clone();
    let span = match &mut shorter.deed {
        Deed::Pause { for_s, .. } => for_s,
        Deed::Slow { latency_s, .. } => latency_s,
        Deed::Fault(fault) => fault.for_s.as_mut()?,
        _ => return None,
    };
    *span = half(*span)?;
    Some(shorter)
}

fn fewer_words(thing: &Thing) -> Option<Thing> {
    let mut shorter = thing.clone();
    let Deed::Ask(ask) = &mut shorter.deed else { return None };
    let words = ask.tokens.len();
    ask.tokens.truncate(words / 2);
    (words > 1).then_some(shorter)
}

fn less_said(thing: &Thing) -> Option<Thing> {
    let mut shorter = thing.clone();
    let Deed::Ask(ask) = &mut shorter.deed else { return None };
    ask.answer_tokens /= 2;
    (ask.answer_tokens > 0).then_some(shorter)
}

/// Half of a time, in whole milliseconds; none if it is a millisecond already.
fn half(Seconds(span): Seconds) -> Option<Seconds> {
    let ms = span.as_millis() as u64;
    (ms > 1).then(|| Seconds::ms(ms / 2))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::script::{Head, Scene};

    fn script(things: Vec<Thing>) -> Script {
        let head = Head { play: Scene::Storm, pairs: false, ready_s: Seconds::default() };
        Script { head, things }
    }

    fn kill(after_ms: u64, node: usize) -> Thing {
        Thing::later(Duration::from_millis(after_ms), Deed::Kill { node })
    }

    fn kills(script: &Script) -> Vec<usize> {
        let node = |thing: &Thing| match thing.deed {
            Deed::Kill { node } => Some(node),
            _ => None,
        };
        script.things.iter().filter_map(node).collect()
    }

    #[test]
    fn what_is_not_needed_is_left_out() {
        let all = script((0..100).map(|node| kill(10, node)).collect());
        let needs = |script: &Script| {
            let kills = kills(script);
            [13, 57, 58].iter().all(|node| kills.contains(node))
        };
        let Shrunk { script, runs } = shrink(all, 1_000, needs);
        assert_eq!(script.things, [kill(0, 13), kill(0, 57), kill(0, 58)]);
        assert!(runs < 150, "{runs} runs");
    }

    #[test]
    fn what_is_left_comes_when_it_came_or_as_soon_as_still_fails() {
        let at = |script: &Script, wanted| {
            let mut ms = 0;
            for thing in &script.things {
                let When::S(Seconds(span)) = thing.after else { continue };
                ms += span.as_millis();
                if thing.deed == (Deed::Kill { node: wanted }) {
                    return Some(ms);
                }
            }
            None
        };
        let all = script((0..10).map(|node| kill(100, node)).collect());
        let Shrunk { script, .. } =
            shrink(all, 1_000, |script| at(script, 7).is_some_and(|ms| ms >= 150));
        assert_eq!(script.things, [kill(200, 7)]);
    }

    #[test]
    fn no_more_runs_are_made_than_may_be() {
        let all = script((0..100).map(|node| kill(10, node)).collect());
        let mut ran = 0;
        let Shrunk { runs, script } = shrink(all, 20, |script| {
            ran += 1;
            kills(script).len() > 30
        });
        assert_eq!((runs, ran), (20, 20));
        assert!((31..100).contains(&script.things.len()));
    }

    #[test]
    fn what_is_asked_and_said_becomes_shorter() {
        let ask = swarm_core::Ask {
            tokens: (0..50).collect(),
            answer_tokens_max: 30,
            sampling: swarm_proto::Sampling::default(),
            end_tokens: Vec::new(),
        };
        let all = script(vec![Thing { after: When::Tokens(9), deed: Deed::ask(3, ask) }]);
        let long = |script: &Script| {
            let Some(Thing { deed: Deed::Ask(ask), .. }) = script.things.first() else {
                return false;
            };
            ask.tokens.len() > 5 && ask.answer_tokens > 2
        };
        let Shrunk { script, .. } = shrink(all, 100, long);
        let Deed::Ask(ask) = &script.things[0].deed else { panic!() };
        assert_eq!((ask.tokens.len(), ask.answer_tokens), (6, 3));
        assert_eq!(script.things[0].after, When::S(Seconds::default()));
    }
}

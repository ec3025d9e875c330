//! What a log comes to: how many inputs of what kinds, what people would have read, and the
//! sessions that the node led.

use std::{collections::BTreeMap, time::Duration};

use swarm_core::{Answer, Effect, Input, Notice, RequestId};
use swarm_proto::Time;

use super::{Peers, Step};

/// All steps so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Inputs, by kind.
    pub inputs: BTreeMap<&'static str, u64>,
    /// When the first input came, and the last.
    pub span: Option<(Time, Time)>,
    /// Inputs whose effects could be compared, and those whose effects are others.
    pub compared: u64,
    /// See `compared`.
    pub different: u64,
    /// The first of them.
    pub first_difference: Option<Box<Step>>,
    /// News, in words.
    pub notices: Vec<(Time, String)>,
    /// Sessions that this node led, as an entry.
    pub led: BTreeMap<RequestId, Led>,
}

/// A session, as its entry knows it.
#[derive(Clone, Debug, Default)]
pub struct Led {
    /// When the client asked.
    pub asked: Time,
    /// Tokens of the prompt, and those that were in the KV cache.
    pub prompt_tokens: usize,
    /// See `prompt_tokens`.
    pub cached_tokens: u32,
    /// When the first token came, and the last.
    pub first: Option<Time>,
    /// See `first`.
    pub last: Option<Time>,
    /// Tokens of the answer.
    pub tokens: usize,
    /// How it ended, in words, if it did.
    pub end: Option<String>,
}

impl Led {
    /// Time to the first token.
    pub fn ttft(&self) -> Option<Duration> {
        self.first.map(|first| first.since(self.asked))
    }

    /// Time for each token after the first.
    pub fn tpot(&self) -> Option<Duration> {
        let after = u32::try_from(self.tokens).ok()?.checked_sub(1)?;
        self.last?.since(self.first?).checked_div(after)
    }
}

impl Tally {
    /// Counts one step; of those before `from` only what is needed to understand later ones.
    pub fn count(&mut self, step: &Step, from: Time) {
        let Step { at, input, effects, same, .. } = step;
        if let Some(same) = same {
            self.compared += 1;
            if !same {
                self.different += 1;
                self.first_difference.get_or_insert_with(|| Box::new(step.clone()));
            }
        }
        let counts = *at >= from;
        if counts {
            *self.inputs.entry(kind(input)).or_default() += 1;
            self.span.get_or_insert((*at, *at)).1 = *at;
        }
        match input {
            Input::Asked { request, ask } if counts => {
                let led = Led { asked: *at, prompt_tokens: ask.tokens.len(), ..Led::default() };
                self.led.insert(*request, led);
            }
            Input::Cancelled(request) => self.ended(*request, "the client left".to_owned()),
            _ => {}
        }
        for effect in effects {
            match effect {
                Effect::Notice(notice) if counts => self.notices.push((*at, said(notice))),
                Effect::Answer { request, event } => self.answered(*at, *request, event),
                _ => {}
            }
        }
    }

    fn answered(&mut self, at: Time, request: RequestId, event: &Answer) {
        let Some(led) = self.led.get_mut(&request) else { return };
        match event {
            Answer::Started { cached_tokens } => led.cached_tokens = *cached_tokens,
            Answer::Token(_) => {
                led.tokens += 1;
                led.first.get_or_insert(at);
                led.last = Some(at);
            }
            Answer::Finished(finish) => self.ended(request, format!("{finish:?}").to_lowercase()),
            Answer::Failed(refusal) => self.ended(request, refusal.to_string()),
        }
    }

    fn ended(&mut self, request: RequestId, how: String) {
        if let Some(led) = self.led.get_mut(&request) {
            led.end.get_or_insert(how);
        }
    }
}

/// What an input is called.
pub fn kind(input: &Input) -> &'static str {
    match input {
        Input::Tick => "tick",
        Input::PeerUp(_) => "peer_up",
        Input::PeerDown(_) => "peer_down",
        Input::Received { .. } => "received",
        Input::Heard(_) => "heard",
        Input::Undeliverable(_) => "undeliverable",
        Input::Arrived { .. } => "arrived",
        Input::Measured(_) => "measured",
        Input::LinkMeasured(_) => "link_measured",
        Input::Persisted(_) => "persisted",
        Input::Planned { .. } => "planned",
        Input::Loaded { .. } => "loaded",
        Input::Computed { .. } => "computed",
        Input::Reachability { .. } => "reachability",
        Input::Asked { .. } => "asked",
        Input::Cancelled(_) => "cancelled",
        Input::Drain => "drain",
    }
}

fn said(notice: &Notice) -> String {
    let name = |peer: &swarm_proto::NodeId| Peers::name(*peer);
    match notice {
        Notice::Leader { leader, term } => format!("term {}: {} leads", term.0, name(leader)),
        Notice::Live(plan) => format!("plan {plan} is live"),
        Notice::Infeasible(reason) => format!("no plan: {reason}"),
        Notice::Lost(peer) => format!("lost {}", name(peer)),
        Notice::LeftInDebt => "leaves, though the others may have too few votes".to_owned(),
        Notice::Refused { peer, reason } => format!("refused {}: {reason}", name(peer)),
        Notice::OtherSwarm(peer) => format!("{} is of another swarm of this name", name(peer)),
        Notice::Stranded { ours, theirs } => {
            format!("stranded: knows voter set {ours}, others {theirs}, and nobody proves how")
        }
    }
}

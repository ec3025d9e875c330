//! Clients: what they asked for, what they should get, and what came.

use std::collections::{BTreeMap, BTreeSet};

use swarm_core::{Answer, Ask, RequestId};
use swarm_proto::{Finish, ModelSpec, NodeId, Time};

use crate::{
    check::Broken,
    device::{Reference, Shape},
};

/// All requests so far.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    pub(crate) wanted: BTreeMap<RequestId, Wanted>,
    asked: u64,
    /// How many have not ended.
    open: usize,
    shape: Shape,
    /// What devices keep of all prompts and answers, up to the first token after whole blocks.
    said: BTreeSet<u64>,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Where it was asked.
    pub(crate) at: NodeId,
    /// When it was asked, and when its first token came and its last.
    pub(crate) asked: Time,
    pub(crate) first: Option<Time>,
    pub(crate) last: Option<Time>,
    expected: Vec<u32>,
    finish: Finish,
    pub(crate) got: usize,
    /// Tokens of the prompt that were in the KV cache already, once it runs.
    pub(crate) cached: Option<u32>,
    end: Option<End>,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With the whole answer.
    Whole,
    /// With a reason.
    Refused(String),
    /// The client left, or the node that it had asked died.
    Left,
}

impl Clients {
    /// Nobody yet, who asks that model.
    pub(crate) fn of(model: &ModelSpec) -> Self {
        Self { shape: Shape::of(model), ..Self::default() }
    }

    /// Notes a request and gives it its number.
    pub(crate) fn ask(&mut self, now: Time, at: NodeId, ask: &Ask) -> RequestId {
        let request = RequestId(self.asked);
        (self.asked, self.open) = (self.asked + 1, self.open + 1);
        let (expected, finish) = answer_to(ask, self.shape, &mut self.said);
        let (asked, first, last) = (now, None, None);
        let (got, cached, end) = (0, None, None);
        let wanted = Wanted { at, asked, first, last, expected, finish, got, cached, end };
        self.wanted.insert(request, wanted);
        request
    }

    /// Something came for a client.
    pub(crate) fn hear(
        &mut self,
        now: Time,
        request: RequestId,
        event: &Answer,
    ) -> Result<(), Broken> {
        let Some(wanted) = self.wanted.get_mut(&request) else { return Ok(()) };
        let order = |what| Err(Broken::OutOfOrder { request: request.0, what });
        if wanted.end == Some(End::Left) {
            return Ok(()); // nobody listens any more
        }
        if wanted.end.is_some() {
            return order("something after the end");
        }
        match event {
            Answer::Started { .. } if wanted.cached.is_some() => {
                return order("a second beginning");
            }
            Answer::Started { cached_tokens } => wanted.cached = Some(*cached_tokens),
            Answer::Token(_) if wanted.cached.is_none() => {
                return order("a token before the beginning");
            }
            Answer::Token(sampled) => {
                let (step, found) = (wanted.got, sampled.token);
                let expected = wanted.expected.get(step).copied();
                wanted.got += 1;
                wanted.first.get_or_insert(now);
                wanted.last = Some(now);
                if expected != Some(found) {
                    return Err(Broken::WrongToken { step, found, expected });
                }
            }
            Answer::Finished(finish) => {
                if wanted.got != wanted.expected.len() || *finish != wanted.finish {
                    return Err(wanted.cut(request, format!("{finish:?}")));
                }
                self.end(request, End::Whole);
            }
            Answer::Failed(refusal) => self.end(request, End::Refused(refusal.to_string())),
        }
        Ok(())
    }

    /// A request has ended, if it had not before.
    fn end(&mut self, request: RequestId, how: End) {
        let wanted = self.wanted.get_mut(&request).filter(|wanted| wanted.end.is_none());
        if let Some(wanted) = wanted {
            wanted.end = Some(how);
            self.open -= 1;
        }
    }

    /// A client leaves.
    pub(crate) fn leave(&mut self, request: RequestId) {
        self.end(request, End::Left);
    }

    /// That nothing more came of a request, as a property that does not hold.
    pub(crate) fn unanswered(&self, request: RequestId) -> Broken {
        let (tokens, wanted) =
            self.wanted.get(&request).map_or((0, 0), |w| (w.got, w.expected.len()));
        let reason = "nothing more came".to_owned();
        Broken::Unanswered { request: request.0, tokens, wanted, reason }
    }

    /// Whether this is what a device keeps of some prompt and answer, up to the first token after whole
    /// blocks.
    pub(crate) fn said(&self, kept: u64) -> bool {
        self.said.contains(&kept)
    }

    /// A node is gone, and its clients with it.
    pub(crate) fn lost(&mut self, node: NodeId) {
        let theirs: Vec<_> = self.running().filter(|(_, at)| *at == node).collect();
        theirs.into_iter().for_each(|(request, _)| self.end(request, End::Left));
    }

    /// Requests that have not ended, and where they were asked.
    pub(crate) fn running(&self) -> impl Iterator<Item = (RequestId, NodeId)> {
        let open = self.wanted.iter().filter(|(_, wanted)| wanted.end.is_none());
        open.map(|(request, wanted)| (*request, wanted.at)).take(self.open)
    }

    /// How many have not ended.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// Tokens that came, over all requests.
    pub(crate) fn tokens(&self) -> usize {
        self.wanted.values().map(|wanted| wanted.got).sum()
    }

    /// How many requests there were.
    pub(crate) fn asked(&self) -> u64 {
        self.asked
    }

    /// How many requests were refused.
    pub(crate) fn refused(&self) -> usize {
        let refused = |wanted: &&Wanted| matches!(wanted.end, Some(End::Refused(_)));
        self.wanted.values().filter(refused).count()
    }

    /// Every request must have ended: those before `strict` whole or with a reason, the others
    /// whole.
    pub(crate) fn finish(&self, strict: u64) -> Result<(), Broken> {
        for (request, wanted) in &self.wanted {
            match &wanted.end {
                Some(End::Whole | End::Left) => {}
                Some(End::Refused(_)) if request.0 < strict => {}
                Some(End::Refused(reason)) => return Err(wanted.cut(*request, reason.clone())),
                None => return Err(wanted.cut(*request, "nothing more came".to_owned())),
            }
        }
        Ok(())
    }
}

impl Wanted {
    /// How it ended, if it has.
    pub(crate) fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    fn cut(&self, request: RequestId, reason: String) -> Broken {
        let (tokens, wanted) = (self.got, self.expected.len());
        Broken::Unanswered { request: request.0, tokens, wanted, reason }
    }
}

/// What one device alone would answer. The token that ends an answer is not part of it.
fn answer_to(ask: &Ask, shape: Shape, said: &mut BTreeSet<u64>) -> (Vec<u32>, Finish) {
    let mut alone = Reference::new(shape);
    let mut say = |alone: &mut Reference, token| {
        alone.push(token);
        said.extend(alone.after_blocks());
    };
    ask.tokens.iter().for_each(|token| say(&mut alone, *token));
    let mut answer = Vec::new();
    for step in 0..ask.answer_tokens_max {
        let token = alone.next(&ask.sampling, step);
        if ask.end_tokens.contains(&token) {
            return (answer, Finish::Stop);
        }
        answer.push(token);
        say(&mut alone, token);
    }
    (answer, Finish::Length)
}

//! One choice of an answer as it grows: tokens in, pieces of text out.

use swarm_core::{Answer, Refusal};
use swarm_engine::Detokenizer;
use swarm_proto::{Finish, Sampled};

use super::stops::Stops;
use crate::handle::Answering;

/// What came next.
#[derive(Clone, Debug)]
pub(super) enum Next {
    /// Text, perhaps none yet, with the tokens it came by.
    Piece { text: String, token: Option<Sampled> },
    /// The end, with the text that was held back.
    End { text: String, reason: &'static str },
    /// It cannot be answered.
    Refused(Refusal),
}

/// A choice under way. Dropping it frees its session.
pub(super) struct Choice {
    answering: Answering,
    /// Until the end.
    detokenizer: Option<Detokenizer>,
    stops: Stops,
    pub(super) cached_tokens: u32,
    pub(super) tokens: u32,
}

impl Choice {
    pub(super) fn new(answering: Answering, detokenizer: Detokenizer, stops: Vec<String>) -> Self {
        let stops = Stops::new(stops);
        Self { answering, detokenizer: Some(detokenizer), stops, cached_tokens: 0, tokens: 0 }
    }

    /// The next piece. After an end or a refusal nothing comes.
    pub(super) async fn next(&mut self) -> Next {
        loop {
            match self.answering.next().await {
                Some(Answer::Started { cached_tokens }) => self.cached_tokens = cached_tokens,
                Some(Answer::Token(sampled)) => {
                    self.tokens += 1;
                    let more = self.detokenizer.as_mut().and_then(|d| d.push(sampled.token));
                    let text = more.unwrap_or_default();
                    let shown = self.stops.push(&text);
                    if shown.stopped {
                        return Next::End { text: shown.text, reason: "stop" };
                    }
                    return Next::Piece { text: shown.text, token: Some(sampled) };
                }
                Some(Answer::Finished(finish)) => return self.end(finish),
                Some(Answer::Failed(refusal)) => return Next::Refused(refusal),
                None => return Next::Refused(Refusal::Draining),
            }
        }
    }

    fn end(&mut self, finish: Finish) -> Next {
        let tail = self.detokenizer.take().and_then(Detokenizer::finish).unwrap_or_default();
        let shown = self.stops.push(&tail);
        if shown.stopped {
            return Next::End { text: shown.text, reason: "stop" };
        }
        let text = shown.text + &self.stops.finish();
        let reason = match finish {
            Finish::Stop => "stop",
            Finish::Length => "length",
        };
        Next::End { text, reason }
    }
}

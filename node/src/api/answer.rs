//! One choice of an answer as it grows: tokens in, pieces of text out.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use swarm_core::Answer;
use swarm_engine::Detokenizer;
use swarm_proto::{Finish, Sampled};

use super::{
    error::{self, ApiError},
    metrics::Metrics,
    stops::{Shown, Stops},
};
use crate::handle::Answering;

/// A token and its place in the text of its answer, in characters. A token that only begins a
/// character has an empty place.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) sampled: Sampled,
    pub(super) first: usize,
    pub(super) end: usize,
}

/// What came next: text, perhaps none, with the tokens that are shown with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) tokens: Vec<Placed>,
    /// Why the answer ended with it, if it did.
    pub(super) reason: Option<&'static str>,
}

/// A choice under way. Dropping it frees its session.
pub(super) struct Choice {
    answering: Answering,
    /// News that was waited for and not yet used.
    ahead: Option<Answer>,
    /// Until the end.
    detokenizer: Option<Detokenizer>,
    stops: Stops,
    /// Tokens whose text is held back, for it may become a stop string.
    held: VecDeque<Placed>,
    /// Characters of the answer, and of those, shown.
    characters: usize,
    shown: usize,
    metrics: Arc<Metrics>,
    /// When the last token came; before the first, when the answer was asked for.
    last: Instant,
    pub(super) cached_tokens: u32,
    pub(super) tokens: u32,
}

impl Choice {
    pub(super) fn new(
        answering: Answering,
        detokenizer: Detokenizer,
        stops: Vec<String>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            answering,
            ahead: None,
            detokenizer: Some(detokenizer),
            stops: Stops::new(stops),
            held: VecDeque::new(),
            characters: 0,
            shown: 0,
            metrics,
            last: Instant::now(),
            cached_tokens: 0,
            tokens: 0,
        }
    }

    /// Waits until the answer runs, or is refused.
    pub(super) async fn started(&mut self) -> Result<(), ApiError> {
        match self.answering.next().await {
            Some(Answer::Failed(refusal)) => Err(error::refusal(&refusal)),
            None => Err(error::interrupted()),
            news => {
                self.ahead = news;
                Ok(())
            }
        }
    }

    /// The next piece that has something to show. Nothing comes after one with a reason.
    pub(super) async fn next(&mut self) -> Result<Piece, ApiError> {
        loop {
            let news = match self.ahead.take() {
                None => self.answering.next().await,
                news => news,
            };
            let piece = match news {
                Some(Answer::Started { cached_tokens }) => {
                    self.cached_tokens = cached_tokens;
                    continue;
                }
                Some(Answer::Token(sampled)) => self.token(sampled),
                Some(Answer::Finished(finish)) => self.end(finish),
                Some(Answer::Failed(refusal)) => return Err(error::refusal(&refusal)),
                None => return Err(error::interrupted()),
            };
            if piece.reason.is_some() || !piece.text.is_empty() || !piece.tokens.is_empty() {
                return Ok(piece);
            }
        }
    }

    fn token(&mut self, sampled: Sampled) -> Piece {
        self.metrics.token(self.last.elapsed(), self.tokens == 0);
        self.last = Instant::now();
        self.tokens += 1;
        let text = self.detokenizer.as_mut().and_then(|d| d.push(sampled.token));
        let text = text.unwrap_or_default();
        let first = self.characters;
        self.characters += text.chars().count();
        self.held.push_back(Placed { sampled, first, end: self.characters });
        let shown = self.stops.push(&text);
        self.show(shown)
    }

    fn end(&mut self, finish: Finish) -> Piece {
        let tail = self.detokenizer.take().and_then(Detokenizer::finish).unwrap_or_default();
        self.characters += tail.chars().count();
        let shown = self.stops.push(&tail);
        let mut piece = self.show(shown);
        if piece.reason.is_none() {
            piece.text += &self.stops.finish();
            piece.tokens.extend(self.held.drain(..));
            piece.reason = Some(match finish {
                Finish::Stop => "stop",
                Finish::Length => "length",
            });
            self.metrics.answered();
        }
        piece
    }

    /// A piece with the tokens that all of their text is shown of; at a stop string, with those
    /// that some is.
    fn show(&mut self, shown: Shown) -> Piece {
        self.shown += shown.text.chars().count();
        let so_far = self.shown;
        let whole = |token: &Placed| token.end <= so_far;
        let begun = |token: &Placed| token.first < so_far;
        let is_shown = |token: &&Placed| if shown.stopped { begun(token) } else { whole(token) };
        let count = self.held.iter().take_while(is_shown).count();
        let tokens = self.held.drain(..count).collect();
        if shown.stopped {
            self.metrics.answered();
        }
        Piece { text: shown.text, tokens, reason: shown.stopped.then_some("stop") }
    }
}

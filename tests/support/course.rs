//! The course of clients' sessions in a form without times and ids, in which a live swarm's and a
//! simulated one's can be compared.
//!
//! What a node does has an order, and so has what it hears from one peer. Whose message comes first
//! of two peers' is chance, and is not in it. Nor are adverts, beats and votes, which go by time, nor
//! which tokens were drawn: simulated devices say others.

use std::collections::{BTreeMap, BTreeSet};

use swarm_core::{Answer, Effect, Input};
use swarm_proto::{Attempt, FrameHeader, Message, RowsHeader, RowsItem, SessionMessage};

use crate::{History, Witness};

/// What nodes did for clients' sessions, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Course(pub BTreeMap<String, Part>);

/// What one node did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// What it wanted done, in order.
    pub does: Vec<String>,
    /// What it heard from each peer, in order.
    pub hears: BTreeMap<String, Vec<String>>,
}

impl Course {
    /// The course of a history's sessions.
    pub fn of(history: &History) -> Self {
        let parts = history.nodes.iter().map(|node| (node.name.clone(), part(history, node)));
        Self(parts.collect())
    }

    /// Where another course goes on otherwise, in words: the first place of every list that does.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let (nothing, none) = (Part::default(), Vec::new());
        let mut all = Vec::new();
        let names: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        for name in names {
            let [ours, theirs] = [self, other].map(|course| course.0.get(name).unwrap_or(&nothing));
            all.extend(unlike(&format!("{name} does"), &ours.does, &theirs.does));
            let peers: BTreeSet<_> = ours.hears.keys().chain(theirs.hears.keys()).collect();
            all.extend(peers.into_iter().filter_map(|peer| {
                let [ours, theirs] =
                    [ours, theirs].map(|part| part.hears.get(peer).unwrap_or(&none));
                unlike(&format!("{name} hears from {peer}"), ours, theirs)
            }));
        }
        all
    }

    /// How many messages of each kind a session took, over all nodes: what was sent.
    pub fn messages(&self) -> BTreeMap<(String, String), usize> {
        let mut counts = BTreeMap::new();
        for line in self.0.values().flat_map(|part| &part.does) {
            let mut words = line.split(' ');
            let (Some(kind), Some(session)) = (words.next(), words.next()) else { continue };
            if line.contains(" to ") {
                *counts.entry((session.to_owned(), kind.to_owned())).or_default() += 1;
            }
        }
        counts
    }
}

fn unlike(what: &str, ours: &[String], theirs: &[String]) -> Option<String> {
    let longest = ours.len().max(theirs.len());
    let at = (0..longest).find(|at| ours.get(*at) != theirs.get(*at))?;
    let said = |lines: &[String]| lines.get(at).map_or("nothing more".to_owned(), Clone::clone);
    Some(format!("{what}, number {}: `{}`, and `{}`", at + 1, said(ours), said(theirs)))
}

fn part(history: &History, node: &Witness) -> Part {
    let mut part = Part::default();
    for step in node.serving(&history.sessions) {
        let heard = match &step.input {
            Input::Arrived { from, header, .. } => Some((*from, frame(history, header))),
            Input::Received { from, message: Message::Session(message) } => {
                Some((*from, session(history, message)))
            }
            _ => None,
        };
        if let Some((from, Some(what))) = heard {
            part.hears.entry(history.name(from).to_owned()).or_default().push(what);
        }
        part.does.extend(step.effects.iter().filter_map(|effect| does(history, effect)));
    }
    part
}

fn does(history: &History, effect: &Effect) -> Option<String> {
    match effect {
        Effect::Forward { to, header, .. } => {
            Some(format!("{} to {}", frame(history, header)?, history.name(*to)))
        }
        Effect::Send { to, message: Message::Session(message) } => {
            Some(format!("{} to {}", session(history, message)?, history.name(*to)))
        }
        Effect::Compute { device, batch, .. } => {
            let items: Vec<_> = batch
                .items
                .iter()
                .map(|item| {
                    let drawn = if item.sample.is_some() { ", drawn after" } else { "" };
                    format!("{} rows from {}{drawn}", item.tokens.len(), item.position)
                })
                .collect();
            Some(format!("computes on device {device}: {}", items.join("; ")))
        }
        Effect::Answer { event, .. } => Some(match event {
            Answer::Started { cached_tokens } => format!("begins: {cached_tokens} tokens cached"),
            Answer::Token(_) => "tells a token".to_owned(),
            Answer::Finished(finish) => format!("ends: {finish:?}"),
            Answer::Failed(refusal) => format!("fails: {refusal}"),
        }),
        _ => None,
    }
}

/// A frame, if it is of a client's session.
fn frame(history: &History, header: &FrameHeader) -> Option<String> {
    match header {
        FrameHeader::Session(message) => session(history, message),
        FrameHeader::Rows(rows) => self::rows(history, rows),
        FrameHeader::Sums(_) | FrameHeader::Dropped(_) => None,
    }
}

fn rows(history: &History, rows: &RowsHeader) -> Option<String> {
    let item = |item: &RowsItem| {
        let whose = whose(history, item.attempt)?;
        let RowsItem { position, tokens, step, .. } = item;
        Some(format!("{whose} {} from {position} for {step:?}", tokens.len()))
    };
    let items: Vec<_> = rows.items.iter().filter_map(item).collect();
    let form = if rows.batch.is_some() { ", a batch" } else { "" };
    (!items.is_empty()).then(|| format!("rows {} at stage {}{form}", items.join("; "), rows.stage))
}

fn session(history: &History, message: &SessionMessage) -> Option<String> {
    Some(match message {
        SessionMessage::Open(open) => {
            let whose = whose(history, open.attempt)?;
            let (prefix, tokens, most) = (open.prefix.len(), open.prompt_tokens, open.tokens_max);
            format!("open {whose} {tokens} tokens of {most} and {prefix} blocks")
        }
        // How many blocks a device has is no matter of a session: simulated rows are short, so that
        // scratch leaves room for more of them.
        SessionMessage::Opened { attempt, cached_blocks, .. } => {
            format!("opened {} {cached_blocks} blocks cached", whose(history, *attempt)?)
        }
        SessionMessage::Prompt { attempt, position, tokens, last } => {
            let whose = whose(history, *attempt)?;
            let last = if *last { ", the last" } else { "" };
            format!("prompt {whose} {} tokens from {position}{last}", tokens.len())
        }
        SessionMessage::Token(token) => {
            let whose = whose(history, token.attempt)?;
            format!("token {whose} {} and then {:?}", token.step, token.finish)
        }
        SessionMessage::Fault { attempt, fault } => {
            format!("fault {} {fault:?}", whose(history, *attempt)?)
        }
        SessionMessage::Close { attempt } => format!("close {}", whose(history, *attempt)?),
    })
}

/// The number of a client's request, and which try at it.
fn whose(history: &History, attempt: Attempt) -> Option<String> {
    let request = history.session(attempt.session)?;
    Some(format!("{request}.{}", attempt.number))
}

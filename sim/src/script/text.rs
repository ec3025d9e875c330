//! Scripts as text: a JSON object a line, the head first.

use std::fmt;

use super::{Deed, Head, Scene, Script, Thing, When, deed::AskDeed};
use crate::{model, recipe::What};

/// Longer texts are not read.
pub const SCRIPT_BYTES_MAX: u64 = 16 << 20;
/// Nodes of a story or storm.
const NODES: usize = 5;
/// Tokens of a prompt and its answer together, at most: what a session of a story has room for.
const TOKENS_MAX: usize = 512;
/// Times as slow as it was, at most.
const SLOW_MAX: f64 = 1e4;

/// What is wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ScriptError {
    /// Where, counted from 1.
    pub line: usize,
    /// What.
    pub reason: String,
}

impl Script {
    /// A script out of its text.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut lines = text.lines().zip(1..).filter(|(text, _)| !text.trim().is_empty());
        let Some((first, line)) = lines.next() else {
            let reason = r#"a script begins with its head, such as {"play":"storm"}"#.to_owned();
            return Err(ScriptError { line: 1, reason });
        };
        let head: Head = read(first, line)?;
        let things = lines.map(|(text, line)| {
            let thing: Thing = read(text, line)?;
            check(&head, &thing).map_err(|reason| ScriptError { line, reason })?;
            Ok(thing)
        });
        Ok(Self { head, things: things.collect::<Result<_, _>>()? })
    }
}

fn read<T: serde::de::DeserializeOwned>(text: &str, line: usize) -> Result<T, ScriptError> {
    serde_json::from_str(text).map_err(|error| {
        let told = error.to_string();
        let what = told.rsplit_once(" at line ").map_or(told.as_str(), |(what, _)| what);
        ScriptError { line, reason: format!("{what} (column {})", error.column()) }
    })
}

/// What cannot be, if anything.
fn check(head: &Head, thing: &Thing) -> Result<(), String> {
    let of_a_workload = matches!(thing.deed, Deed::Fault(_));
    match (head.play == Scene::Workload, of_a_workload) {
        (true, false) => {
            Err("while a workload is served there is only {\"fault\": ...}".to_owned())
        }
        (false, true) => {
            Err("`fault` is for workloads: a story or storm has kill, pause and others".to_owned())
        }
        (true, true) if !matches!(thing.after, When::S(_)) => {
            Err("while a workload is served things have times: {\"s\": ...}".to_owned())
        }
        _ => can_be(&thing.deed),
    }
}

fn can_be(deed: &Deed) -> Result<(), String> {
    match deed {
        Deed::Ask(ask) => known(ask.node).and_then(|()| askable(ask)),
        Deed::Kill { node }
        | Deed::Vanish { node }
        | Deed::Pause { node, .. }
        | Deed::FailLoads { node, .. }
        | Deed::FailBatches { node, .. }
        | Deed::Drain { node } => known(*node),
        Deed::SlowDevice { node, factor, .. } => known(*node).and_then(|()| slow(*factor)),
        Deed::Partition { side, .. } => side.iter().try_for_each(|node| known(*node)),
        Deed::Cut { node, other, .. } | Deed::CutOneWay { node, other } => way(*node, *other),
        Deed::Slow { node, other, loss, .. } => {
            way(*node, *other).and_then(|()| part("loss", *loss))
        }
        Deed::LoseGossip { part: lost } => part("part", *lost),
        Deed::Fault(fault) => match (&fault.does, fault.for_s) {
            (What::Slow(factor), _) => slow(*factor),
            (What::Pause | What::Stall, None) => {
                Err("a pause or stall needs for_s: for how long".to_owned())
            }
            (What::Lossy { loss, .. }, _) => part("loss", *loss),
            (does, _) if does.others().contains(&fault.machine) => {
                Err(format!("machine {} is its own other side", fault.machine))
            }
            _ => Ok(()),
        },
        Deed::Leave
        | Deed::KillLeader { .. }
        | Deed::Noticed
        | Deed::RestartDead
        | Deed::Heal
        | Deed::Calm => Ok(()),
    }
}

fn known(node: usize) -> Result<(), String> {
    match node < NODES {
        true => Ok(()),
        false => Err(format!("node {node}: there are {NODES}, counted from 0")),
    }
}

fn way(node: usize, other: usize) -> Result<(), String> {
    match node == other {
        true => Err(format!("node {node} has no way to itself")),
        false => known(node).and_then(|()| known(other)),
    }
}

fn part(name: &str, part: f64) -> Result<(), String> {
    match (0.0..=1.0).contains(&part) {
        true => Ok(()),
        false => Err(format!("{name} = {part}: may be from 0 to 1")),
    }
}

fn slow(factor: f64) -> Result<(), String> {
    match factor > 0.0 && factor <= SLOW_MAX {
        true => Ok(()),
        false => Err(format!("{factor} times as slow: may be above 0, at most {SLOW_MAX}")),
    }
}

fn askable(ask: &AskDeed) -> Result<(), String> {
    let (prompt, answer) = (ask.tokens.len(), ask.answer_tokens as usize);
    if prompt == 0 || answer == 0 || prompt.saturating_add(answer) > TOKENS_MAX {
        return Err(format!(
            "a prompt and an answer have at least a token each, and {TOKENS_MAX} together"
        ));
    }
    if let Some(token) = ask.tokens.iter().find(|token| **token >= model::VOCAB) {
        return Err(format!("token {token}: there are {}, counted from 0", model::VOCAB));
    }
    if !(0.0..=10.0).contains(&ask.temperature) || !(0.1..=10.0).contains(&ask.repetition_penalty) {
        return Err("temperature may be from 0 to 10, repetition_penalty from 0.1 to 10".to_owned());
    }
    Ok(())
}

/// Its text.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", serde_json::to_string(&self.head).map_err(|_| fmt::Error)?)?;
        self.things.iter().try_for_each(|thing| {
            writeln!(f, "{}", serde_json::to_string(thing).map_err(|_| fmt::Error)?)
        })
    }
}

//! The event log: a JSON object a line, the same bytes for the same seed.

use std::fmt::Debug;

use serde_json::{Value, json};
use swarm_core::{Computed, Input};
use swarm_proto::{NodeId, Time};

use crate::{keys::number_of, replay::Peers};

/// What happened, if anyone wants to know.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: Option<String>,
    /// The numbers of peers that are not simulated.
    peers: Option<Peers>,
}

impl Log {
    /// A log that writes down everything, or nothing.
    pub(crate) fn new(on: bool) -> Self {
        Self { lines: on.then(String::new), peers: None }
    }

    /// A log of what a real node was handed. Whom it names for the first time gets a line.
    pub(crate) fn of_a_recording(peers: Peers) -> Self {
        Self { lines: Some(String::new()), peers: Some(peers) }
    }

    /// All lines so far.
    pub(crate) fn text(&self) -> &str {
        self.lines.as_deref().unwrap_or_default()
    }

    /// The lines since they were last taken.
    pub(crate) fn take(&mut self) -> String {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// A node was handed something.
    pub(crate) fn input(&mut self, at: Time, node: NodeId, input: &Input) {
        if self.lines.is_none() {
            return;
        }
        match input {
            Input::Tick => self.line(at, node, "tick", None, &""),
            Input::PeerUp(peer) => self.line(at, node, "peer_up", Some(*peer), &""),
            Input::PeerDown(peer) => self.line(at, node, "peer_down", Some(*peer), &""),
            Input::Undeliverable(to) => self.line(at, node, "undeliverable", Some(*to), &""),
            Input::Received { from, message } => {
                self.line(at, node, "received", Some(*from), message);
            }
            Input::Arrived { from, header, body } => {
                self.line(at, node, "arrived", Some(*from), &(header, body.0.len()));
            }
            Input::Heard(advert) => {
                let by = Some(advert.by);
                self.line(at, node, "heard", by, &advert.statement.sequence);
            }
            Input::Computed { device, job, outcome: Ok(Computed::Activations(rows)) } => {
                self.line(at, node, "computed", None, &(device, job, rows.0.len()));
            }
            Input::Computed { device, job, outcome } => {
                self.line(at, node, "computed", None, &(device, job, outcome));
            }
            other => self.line(at, node, "input", None, other),
        }
    }

    /// Something else happened at a node.
    pub(crate) fn note(&mut self, at: Time, node: NodeId, what: &str, detail: &dyn Debug) {
        self.line(at, node, what, None, detail);
    }

    fn line(
        &mut self,
        at: Time,
        node: NodeId,
        what: &str,
        peer: Option<NodeId>,
        detail: &dyn Debug,
    ) {
        if self.lines.is_none() {
            return;
        }
        let number = self.number(at, node);
        let peer = peer.map(|peer| self.number(at, peer));
        let mut line = json!({ "t_us": at.0 / 1000, "node": number, "what": what });
        if let Some(peer) = peer {
            line["peer"] = json!(peer);
        }
        let detail = format!("{detail:?}");
        if detail != "\"\"" && detail != "()" {
            line["detail"] = json!(detail);
        }
        self.push(&line);
    }

    /// What a node is called in a line.
    fn number(&mut self, at: Time, node: NodeId) -> usize {
        let Some(peers) = &mut self.peers else { return number_of(node) };
        let (number, is_new) = peers.number(node);
        if is_new {
            let id = Peers::name(node);
            let (t_us, what) = (at.0 / 1000, "peer");
            let line =
                json!({ "t_us": t_us, "node": 0, "what": what, "peer": number, "detail": id });
            self.push(&line);
        }
        number
    }

    fn push(&mut self, line: &Value) {
        if let Some(lines) = &mut self.lines {
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
    }
}

//! What nodes send, and what becomes of it on the way.

use std::time::Duration;

use bytes::Bytes;
use rand::RngExt;
use swarm_core::{Body, Input};
use swarm_proto::{
    CouncilMessage, FrameHeader, Message, NodeId, Pulse, RoundMessage, SessionMessage, Vote,
};

use super::{Entry, Event, Part};
use crate::{
    Sabotage, World,
    check::Broken,
    host::State,
    keys::forged,
    link::{Fate, Lane},
};

/// What a control message weighs, about.
const MESSAGE_BYTES: u64 = 300;

/// How long a call to a machine that has gone takes to fail.
const CALL_MAX: Duration = Duration::from_secs(5);

impl World {
    pub(super) fn send(&mut self, from: NodeId, to: NodeId, mut message: Message) {
        match (self.setup.sabotage, &message) {
            (Sabotage::ForgeCertificate, Message::Council(CouncilMessage::Certified(real))) => {
                self.forge(from, to, (**real).clone());
            }
            (Sabotage::ReplayLive, Message::Round(RoundMessage::Live { .. })) => {
                self.replayed.push(message.clone());
            }
            (
                Sabotage::DeafToPlans,
                Message::Round(RoundMessage::Live { .. }) | Message::Hello(_),
            ) if self.hosts.get(&to).is_some_and(|host| host.number == 1) => {
                return;
            }
            (Sabotage::Echo, message) if !matches!(message, Message::Beat(_)) => {
                for _ in 0..40 {
                    let copy = Input::Received { from, message: message.clone() };
                    self.carry(from, to, Lane::Control, MESSAGE_BYTES, Event::Input(copy));
                }
            }
            (Sabotage::IdleBeats, Message::Beat(pulse)) => {
                message = Message::Beat(Pulse { sessions: 0, ..*pulse });
            }
            _ => {}
        }
        self.traffic.sent(from, to, &message);
        let input = Input::Received { from, message };
        self.carry(from, to, Lane::Control, MESSAGE_BYTES, Event::Input(input));
    }

    pub(super) fn forward(&mut self, from: NodeId, to: NodeId, header: FrameHeader, body: Bytes) {
        let mut body = body;
        match (self.setup.sabotage, &header) {
            (Sabotage::CorruptRows, _) if !body.is_empty() && self.rng.random_bool(0.05) => {
                let mut bytes = body.to_vec();
                let at = self.rng.random_range(0..bytes.len());
                bytes[at] ^= 1;
                body = bytes.into();
            }
            (Sabotage::EchoOpens, FrameHeader::Session(SessionMessage::Open(_))) => {
                for _ in 0..8_000 {
                    let body = Body(body.clone());
                    let copy = Input::Arrived { from, header: header.clone(), body };
                    self.carry(from, to, Lane::Data, MESSAGE_BYTES, Event::Input(copy));
                }
            }
            (Sabotage::LoseClose, FrameHeader::Session(SessionMessage::Close { .. }))
                if self.rng.random_bool(0.5) =>
            {
                return;
            }
            _ => {}
        }
        let rows = match &header {
            FrameHeader::Rows(rows) if !body.is_empty() => rows.rows() as u64,
            _ => 0,
        };
        let bytes = MESSAGE_BYTES + rows * self.setup.row_bytes;
        let input = Input::Arrived { from, header, body: Body(body) };
        self.carry(from, to, Lane::Data, bytes, Event::Input(input));
    }

    /// A member's part goes to another host: two sums a layer, eight bytes a number. It is one message
    /// here and arrives when the last of them would, each of which waits for the one before.
    pub(crate) fn carry_part(&mut self, from: NodeId, to: NodeId, part: Part, layers: u32) {
        let mut part = part;
        if self.setup.sabotage == Sabotage::CorruptParts && self.rng.random_bool(0.05) {
            let mut values = part.values.to_vec();
            let at = self.rng.random_range(0..values.len());
            values[at] ^= 1;
            part.values = values.into();
        }
        let rows = part.values.len() as u64;
        let bytes = rows * 2 * self.setup.row_bytes * 2 * u64::from(layers);
        let waits = self.links.get(from, to).quality.latency * (2 * layers).saturating_sub(1);
        self.carry_later(from, to, (Lane::Data, bytes, waits), Event::Part { from, part });
    }

    fn carry(&mut self, from: NodeId, to: NodeId, lane: Lane, bytes: u64, event: Event) {
        self.carry_later(from, to, (lane, bytes, Duration::ZERO), event);
    }

    fn carry_later(
        &mut self,
        from: NodeId,
        to: NodeId,
        (lane, bytes, waits): (Lane, u64, Duration),
        event: Event,
    ) {
        let (undeliverable, life) = match self.hosts.get(&to).map(|host| (&host.state, host.life)) {
            Some((State::Up | State::Paused(_), life)) => (false, life),
            Some((State::Vanished, _)) => return self.unanswered(from, to),
            _ => (true, 0),
        };
        let waits = if undeliverable { waits } else { waits + self.on_demand(from, to) };
        let fate = match undeliverable {
            true => Fate::Undeliverable,
            false => self.links.carry((from, to), self.now, (lane, bytes), &mut self.rng),
        };
        match fate {
            Fate::Arrives(at) => {
                let via = Some(self.links.get(from, to).via(from));
                self.requeue(at + waits, Entry { to, life, via, event });
            }
            Fate::Vanishes => {}
            Fate::Undeliverable => {
                let delay = self.between(1.0, 5.0);
                self.push(self.now + delay, from, Event::Input(Input::Undeliverable(to)));
            }
        }
    }

    /// Nobody says that a machine has gone. Where connections are made for what is to be sent, the
    /// call for one fails in the end.
    fn unanswered(&mut self, from: NodeId, to: NodeId) {
        if !self.all_meet() && !self.links.get(from, to).up {
            let input = Event::Input(Input::Undeliverable(to));
            self.push(self.now + CALL_MAX, from, input);
        }
    }

    pub(super) fn answer(
        &mut self,
        request: swarm_core::RequestId,
        event: &swarm_core::Answer,
    ) -> Result<(), Broken> {
        use swarm_core::Answer;
        if let Some(wanted) = self.clients.wanted.get(&request) {
            self.log.note(self.now, wanted.at, "answer", &(request.0, event));
            if let (Some(film), Some(host)) = (&mut self.film, self.hosts.get(&wanted.at)) {
                film.answered(self.now, (request, host.number), event, host.node.way(request));
            }
        }
        match (self.setup.sabotage, event) {
            (Sabotage::TwoStarts, Answer::Started { .. }) => {
                self.clients.hear(self.now, request, event)?
            }
            (Sabotage::DoubleToken, Answer::Token(_)) if self.rng.random_bool(0.05) => {
                self.clients.hear(self.now, request, event)?;
            }
            (Sabotage::CutAnswer, Answer::Token(_)) if self.rng.random_bool(0.05) => {
                let end = Answer::Finished(swarm_proto::Finish::Length);
                return self.clients.hear(self.now, request, &end);
            }
            (Sabotage::LoseEnd, Answer::Finished(_)) if self.rng.random_bool(0.1) => return Ok(()),
            _ => {}
        }
        self.clients.hear(self.now, request, event)
    }

    /// Sends a certificate for the same term that names another leader.
    fn forge(&mut self, from: NodeId, to: NodeId, real: swarm_proto::Certificate) {
        let Some(leader) = real.electorate().voters.iter().find(|v| **v != real.leader) else {
            return;
        };
        let leader = *leader;
        let vote = Vote { leader, ..real.vote() };
        let votes = real.electorate().voters.iter();
        let votes = votes.map(|voter| (*voter, forged(*voter, vote).signature)).collect();
        let false_one = swarm_proto::Certificate { leader, votes, ..real };
        let message = Message::Council(CouncilMessage::Certified(Box::new(false_one)));
        let input = Input::Received { from, message };
        self.carry(from, to, Lane::Control, MESSAGE_BYTES, Event::Input(input));
    }
}

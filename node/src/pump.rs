//! Carries what the network says to the driver: bytes in, checked inputs out.

use std::sync::Arc;

use swarm_core::{Body, Input};
use swarm_net::{Event, Events, Net};
use swarm_proto::{Advert, FrameHeader, LinkReport, Message, NodeId, Signed, codec};
use tokio::sync::mpsc;

use crate::{probe::Probe, sums::Exchange, view, wire::Traffic};

/// What the pump needs beside the network's events.
pub struct Pump {
    /// Where inputs go.
    pub inputs: mpsc::Sender<Input>,
    /// Where sums go: they are for a device, not for the core.
    pub exchange: Arc<Exchange>,
    /// Who cuts off peers that send what cannot be read.
    pub net: Net,
    /// Who measures throughput.
    pub probe: Arc<Probe>,
    /// Where our own addresses are written down.
    pub about: view::About,
    /// Where bytes are counted.
    pub traffic: Traffic,
}

impl Pump {
    /// Runs until the network stops or the driver does.
    pub async fn run(self, mut events: Events) {
        while let Some(event) = events.next().await {
            self.count(&event);
            if let Some(input) = self.take(event)
                && self.inputs.send(input).await.is_err()
            {
                return;
            }
        }
    }

    fn count(&self, event: &Event) {
        match event {
            Event::Message { from, bytes } => self.traffic.received(*from, bytes.len()),
            Event::Frame { from, head, body } => {
                self.traffic.received(*from, head.len() + body.len());
            }
            _ => {}
        }
    }

    /// What an event means to the core, if anything.
    fn take(&self, event: Event) -> Option<Input> {
        match event {
            Event::PeerUp { node } => {
                self.probe.watch(node);
                Some(Input::PeerUp(node))
            }
            Event::PeerDown { node } => {
                self.probe.forget(node);
                Some(Input::PeerDown(node))
            }
            Event::Message { from, bytes } => match Message::open(&bytes) {
                Ok(message) => Some(Input::Received { from, message }),
                Err(error) => self.cut_off(from, format!("a message: {error}")),
            },
            Event::Gossip { author, bytes } => match codec::open::<Signed<Advert>>(&bytes) {
                Ok(advert) if advert.by != author => {
                    tracing::warn!(peer = %view::peer(author), "refused an advert for another");
                    None
                }
                Ok(advert) => Some(Input::Heard(Box::new(advert))),
                Err(error) => {
                    tracing::warn!(peer = %view::peer(author), %error, "refused an advert");
                    None
                }
            },
            Event::Frame { from, head, body } => match FrameHeader::open(&head) {
                Ok(FrameHeader::Sums(header)) => {
                    if let Err(reason) = self.exchange.arrived(from, header, body) {
                        tracing::info!(peer = %view::peer(from), reason, "refused sums");
                    }
                    None
                }
                Ok(header) => Some(Input::Arrived { from, header, body: Body(body) }),
                Err(error) => self.cut_off(from, format!("a frame's header: {error}")),
            },
            Event::Rtt { node, rtt } => Some(Input::LinkMeasured(self.probe.round_trip(node, rtt))),
            Event::Undeliverable { to, reason, .. } => {
                tracing::debug!(peer = %view::peer(to), %reason, "undeliverable");
                Some(Input::Undeliverable(to))
            }
            Event::Opened { from, purpose, stream } => {
                self.probe.answer(from, purpose, stream);
                None
            }
            Event::Reachability { addr, reachable } => {
                tracing::info!(%addr, reachable, "reachability");
                Some(Input::Reachability { address: addr.to_string(), reachable })
            }
            other => {
                self.tell(other);
                None
            }
        }
    }

    /// Honest peers send nothing that cannot be read, and a log has better uses than to repeat it.
    fn cut_off(&self, peer: NodeId, reason: String) -> Option<Input> {
        if let Err(error) = self.net.refuse(peer, reason) {
            tracing::debug!(peer = %view::peer(peer), %error, "not cut off yet");
        }
        None
    }

    /// News for whoever runs the node.
    fn tell(&self, event: Event) {
        match event {
            Event::Listening { addr } => {
                tracing::info!(%addr, "listening");
                self.about.listens(addr.to_string());
            }
            Event::JoinFailed { addr, reason, retry_in } => {
                tracing::warn!(%addr, %reason, retry_in_s = retry_in.as_secs_f64(), "cannot join");
            }
            Event::Joined { addr, door } => tracing::info!(%addr, door, "joined"),
            Event::Refused { node, addr, reason } => {
                let peer = node.map_or_else(|| "unknown".to_owned(), view::peer);
                tracing::warn!(%peer, %addr, %reason, "refused a peer");
            }
            Event::Path { node, relayed: true } => {
                tracing::info!(peer = %view::peer(node), "reached through a relay");
            }
            Event::Path { node, relayed: false } => {
                tracing::info!(peer = %view::peer(node), "the way is now direct");
            }
            Event::NotPunched { node, reason } => {
                tracing::info!(peer = %view::peer(node), %reason, "no direct way");
            }
            Event::ListenFailed { addr, reason } => {
                tracing::warn!(%addr, %reason, "no longer listening");
            }
            _ => {}
        }
    }
}

/// A link's report before anything but its round trip is known.
pub fn fresh_link(to: swarm_proto::NodeId) -> LinkReport {
    LinkReport {
        to,
        rtt_ms: 0.0,
        rtt_spread_ms: 0.0,
        bytes_per_s: 0.0,
        loss: 0.0,
        age_ms: 0,
        predicted: false,
    }
}

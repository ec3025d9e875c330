//! Figures for Prometheus, in OpenMetrics' text form.
//!
//! Names are those of the field where it has them. A figure's unit ends its name; those of no unit
//! are counts of what their name says.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use swarm_net::GossipCounts;

use crate::status::Status;

/// Bounds of the histogram of the time to the first token, in seconds.
const TTFT_S: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Bounds of the histogram of the time for each token after the first, in seconds.
const TPOT_S: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5];

/// A figure of each link: the peer at its far end.
type PerPeer = Family<[(&'static str, String); 1], Counter>;

/// What is counted of this node.
pub(super) struct Metrics {
    registry: Registry,
    requests: Counter,
    answers: Counter,
    refusals: Counter,
    tokens: Counter,
    prompt_tokens: Counter,
    ttft: Histogram,
    tpot: Histogram,
    seen: Seen,
}

/// What is seen when someone looks.
#[derive(Default)]
struct Seen {
    ready: Gauge,
    peers: Gauge,
    sessions: Gauge,
    kv_free: Gauge,
    kv: Gauge,
    term: Gauge<u64, AtomicU64>,
    plan_term: Gauge<u64, AtomicU64>,
    plan_epoch: Gauge<u64, AtomicU64>,
    sent: PerPeer,
    received: PerPeer,
    gossip: Gossip,
}

/// What gossip comes to.
#[derive(Default)]
struct Gossip {
    mesh: Gauge,
    sent: Counter,
    sent_bytes: Counter,
    received: Counter,
    received_bytes: Counter,
    duplicates: Counter,
    asked: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("hexswarm");
        let seen = Seen::default();
        seen.register(&mut registry);
        let tokens = || Unit::Other("tokens".to_owned());
        let counter = |registry: &mut Registry, name, help, unit: Option<Unit>| {
            let counter = Counter::default();
            match unit {
                Some(unit) => registry.register_with_unit(name, help, unit, counter.clone()),
                None => registry.register(name, help, counter.clone()),
            }
            counter
        };
        let histogram = |registry: &mut Registry, name, help, bounds: &[f64]| {
            let histogram = Histogram::new(bounds.iter().copied());
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
            histogram
        };
        let own = &mut registry;
        Self {
            requests: counter(own, "requests", "Requests for answers", None),
            answers: counter(own, "answers", "Answers finished here as an entry", None),
            refusals: counter(own, "refusals", "Requests refused", None),
            tokens: counter(own, "generation", "Tokens of answers told here", Some(tokens())),
            prompt_tokens: counter(own, "prompt", "Tokens of prompts asked here", Some(tokens())),
            ttft: histogram(
                own,
                "time_to_first_token",
                "Time from a question to the first token of its answer",
                &TTFT_S,
            ),
            tpot: histogram(
                own,
                "time_per_output_token",
                "Time for each token of an answer after its first",
                &TPOT_S,
            ),
            seen,
            registry,
        }
    }
}

impl Metrics {
    /// Someone wants an answer.
    pub(super) fn asked(&self) {
        self.requests.inc();
    }

    /// A request is sound, and its prompts have this many tokens.
    pub(super) fn prompted(&self, tokens: u64) {
        self.prompt_tokens.inc_by(tokens);
    }

    /// A token came, this long after the one before, or after the question if it is the `first`.
    pub(super) fn token(&self, after: Duration, first: bool) {
        self.tokens.inc();
        let histogram = if first { &self.ttft } else { &self.tpot };
        histogram.observe(after.as_secs_f64());
    }

    /// An answer is whole.
    pub(super) fn answered(&self) {
        self.answers.inc();
    }

    /// A request was refused.
    pub(super) fn refused(&self) {
        self.refusals.inc();
    }

    /// Everything as text.
    pub(super) fn text(&self, status: &Status, gossip: GossipCounts) -> String {
        self.seen.look(status);
        self.seen.gossip.look(gossip);
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Seen {
    fn register(&self, registry: &mut Registry) {
        let blocks = || Unit::Other("blocks".to_owned());
        registry.register("ready", "1 if the live plan can serve, else 0", self.ready.clone());
        registry.register("peers", "Nodes thought alive, this one included", self.peers.clone());
        registry.register("sessions", "Sessions with KV cache here", self.sessions.clone());
        let help = "KV blocks free on this node's devices";
        registry.register_with_unit("kv_free", help, blocks(), self.kv_free.clone());
        let help = "KV blocks of this node's devices";
        registry.register_with_unit("kv", help, blocks(), self.kv.clone());
        registry.register("term", "The latest term heard of", self.term.clone());
        let help = "The term of the live plan's leader; 0 without a plan";
        registry.register("plan_term", help, self.plan_term.clone());
        let help = "The live plan's number in its term; 0 without a plan";
        registry.register("plan_epoch", help, self.plan_epoch.clone());
        let help = "Messages and frames handed to the network for a peer";
        registry.register_with_unit("link_sent", help, Unit::Bytes, self.sent.clone());
        let help = "Messages and frames that came from a peer";
        registry.register_with_unit("link_received", help, Unit::Bytes, self.received.clone());
        self.gossip.register(registry);
    }

    fn look(&self, status: &Status) {
        let alive = status.nodes.iter().filter(|node| node.alive).count();
        self.ready.set(i64::from(status.ready));
        self.peers.set(alive as i64);
        let plan = status.plan.as_ref().map_or((0, 0), |plan| (plan.term, plan.epoch));
        let gauges =
            [(&self.term, status.term), (&self.plan_term, plan.0), (&self.plan_epoch, plan.1)];
        for (gauge, value) in gauges {
            gauge.inner().store(value, Ordering::Relaxed);
        }
        let Some((own, others)) = status.nodes.split_first() else { return };
        self.sessions.set(i64::from(own.sessions));
        self.kv_free.set(i64::from(own.kv_blocks_free));
        self.kv.set(i64::from(own.kv_blocks));
        for node in others {
            let link = [("peer", node.peer.clone())];
            let ways = [(&self.sent, node.sent_bytes), (&self.received, node.received_bytes)];
            for (figure, bytes) in ways {
                figure.get_or_create(&link).inner().store(bytes, Ordering::Relaxed);
            }
        }
    }
}

impl Gossip {
    fn register(&self, registry: &mut Registry) {
        let help = "Peers to whom all gossip that is new is handed on";
        registry.register("gossip_mesh_peers", help, self.mesh.clone());
        let messages = || Unit::Other("messages".to_owned());
        for (name, help, unit, counter) in [
            ("gossip_sent", "Gossip handed to peers", messages(), &self.sent),
            ("gossip_sent", "Gossip handed to peers", Unit::Bytes, &self.sent_bytes),
            ("gossip_received", "Gossip that came from peers", messages(), &self.received),
            ("gossip_received", "Gossip that came from peers", Unit::Bytes, &self.received_bytes),
            ("gossip_duplicate", "Gossip that was here already", messages(), &self.duplicates),
            ("gossip_asked", "Gossip missed and asked for", messages(), &self.asked),
        ] {
            registry.register_with_unit(name, help, unit, counter.clone());
        }
    }

    fn look(&self, counts: GossipCounts) {
        self.mesh.set(counts.mesh_peers as i64);
        for (counter, value) in [
            (&self.sent, counts.sent),
            (&self.sent_bytes, counts.sent_bytes),
            (&self.received, counts.received),
            (&self.received_bytes, counts.received_bytes),
            (&self.duplicates, counts.duplicates),
            (&self.asked, counts.asked),
        ] {
            counter.inner().store(value, Ordering::Relaxed);
        }
    }
}

//! Figures for Prometheus.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::status::Status;

/// Bounds of the histogram of the time to the first token, in seconds.
const TTFT_S: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// What is counted of this node.
pub(super) struct Metrics {
    registry: Registry,
    answers: Counter,
    refusals: Counter,
    tokens: Counter,
    ttft_s: Histogram,
    ready: Gauge,
    nodes: Gauge,
    sessions: Gauge,
    kv_blocks_free: Gauge,
    kv_blocks: Gauge,
    term: Gauge<u64, AtomicU64>,
    epoch: Gauge<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("hexswarm");
        let metrics = Self {
            answers: Counter::default(),
            refusals: Counter::default(),
            tokens: Counter::default(),
            ttft_s: Histogram::new(TTFT_S),
            ready: Gauge::default(),
            nodes: Gauge::default(),
            sessions: Gauge::default(),
            kv_blocks_free: Gauge::default(),
            kv_blocks: Gauge::default(),
            term: Gauge::default(),
            epoch: Gauge::default(),
            registry: Registry::default(),
        };
        let m = &metrics;
        registry.register("answers", "Answers finished here as an entry", m.answers.clone());
        registry.register("refusals", "Requests refused", m.refusals.clone());
        registry.register("tokens", "Tokens of answers told here", m.tokens.clone());
        let help = "Time to the first token of an answer, in seconds";
        registry.register("time_to_first_token_seconds", help, m.ttft_s.clone());
        registry.register("ready", "Whether the live plan can serve", m.ready.clone());
        registry.register("nodes", "Nodes thought alive", m.nodes.clone());
        registry.register("sessions", "Sessions with KV cache here", m.sessions.clone());
        registry.register("kv_blocks_free", "KV blocks free here", m.kv_blocks_free.clone());
        registry.register("kv_blocks", "KV blocks here", m.kv_blocks.clone());
        registry.register("term", "The latest term heard of", m.term.clone());
        registry.register("epoch", "The live plan's number in its term", m.epoch.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// A token was told; `first` of an answer that was asked for at `began`.
    pub(super) fn token(&self, began: Instant, first: bool) {
        self.tokens.inc();
        if first {
            self.ttft_s.observe(began.elapsed().as_secs_f64());
        }
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
    pub(super) fn text(&self, status: &Status) -> String {
        let alive = status.nodes.iter().filter(|node| node.alive).count();
        self.ready.set(i64::from(status.ready));
        self.nodes.set(alive as i64);
        self.term.inner().store(status.term, Ordering::Relaxed);
        let epoch = status.plan.as_ref().map_or(0, |plan| plan.epoch);
        self.epoch.inner().store(epoch, Ordering::Relaxed);
        if let Some(own) = status.nodes.first() {
            self.sessions.set(i64::from(own.sessions));
            self.kv_blocks_free.set(i64::from(own.kv_blocks_free));
            self.kv_blocks.set(i64::from(own.kv_blocks));
        }
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

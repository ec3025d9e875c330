//! Figures for Prometheus.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::status::Status;

/// Bounds of the histogram of the time to the first token, in seconds.
const TTFT_S: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Bounds of the histogram of the time for each token after the first, in seconds.
const TPOT_S: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5];

/// What is counted of this node.
pub(super) struct Metrics {
    registry: Registry,
    requests: Counter,
    answers: Counter,
    refusals: Counter,
    tokens: Counter,
    prompt_tokens: Counter,
    ttft_s: Histogram,
    tpot_s: Histogram,
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
            requests: Counter::default(),
            answers: Counter::default(),
            refusals: Counter::default(),
            tokens: Counter::default(),
            prompt_tokens: Counter::default(),
            ttft_s: Histogram::new(TTFT_S),
            tpot_s: Histogram::new(TPOT_S),
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
        registry.register("requests", "Requests for answers", m.requests.clone());
        registry.register("answers", "Answers finished here as an entry", m.answers.clone());
        registry.register("refusals", "Requests refused", m.refusals.clone());
        registry.register("tokens", "Tokens of answers told here", m.tokens.clone());
        let help = "Tokens of prompts asked here";
        registry.register("prompt_tokens", help, m.prompt_tokens.clone());
        let help = "Time to the first token of an answer, in seconds";
        registry.register("time_to_first_token_seconds", help, m.ttft_s.clone());
        let help = "Time for each token of an answer after its first, in seconds";
        registry.register("time_per_output_token_seconds", help, m.tpot_s.clone());
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
        let histogram = if first { &self.ttft_s } else { &self.tpot_s };
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

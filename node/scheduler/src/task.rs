//! How long a share, an exchange or a hop takes.
//!
//! Weight scan and arithmetic are added up, as HexGen does (Jiang et al., ICML 2024, section 3);
//! fitted rules count KV cache, attention and what a layer takes at least as well, as `fit` has them.

use crate::{
    ground::{Ground, Share, Way},
    rules::{Exchange, Phase},
};

/// What a stage computes at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Task {
    /// Positions that go through the layers.
    pub(crate) rows: f64,
    /// Requests that they belong to.
    pub(crate) requests: f64,
    /// Tokens before each position, on average.
    pub(crate) context: f64,
    /// Whether the weights are read for it.
    pub(crate) scan: bool,
}

impl Ground {
    /// A request's prompt. HexGen charges a scan for every token of the answer and none for the
    /// prompt.
    pub(crate) fn prefill(&self) -> Task {
        let rows = f64::from(self.workload.input_tokens);
        Task { rows, requests: 1.0, context: rows / 2.0, scan: !self.rules.plain() }
    }

    /// One token of each of so many requests, half-way through their answers.
    pub(crate) fn decode(&self, requests: u32) -> Task {
        let context = f64::from(self.workload.input_tokens) + self.steps() / 2.0;
        let requests = f64::from(requests);
        Task { rows: requests, requests, context, scan: true }
    }

    /// Decode steps of a request: the prefill gives its first token, unless the rules are HexGen's.
    pub(crate) fn steps(&self) -> f64 {
        if self.phase == Phase::Prefill {
            return 0.0;
        }
        let tokens = self.workload.output_tokens;
        f64::from(if self.rules.plain() { tokens } else { tokens.saturating_sub(1) })
    }

    /// KV cache of a request's prompt, a layer.
    pub(crate) fn prompt_cache_bytes(&self) -> f64 {
        let m = &self.model;
        m.kv_bytes as f64 * f64::from(m.kv_heads) * f64::from(self.workload.input_tokens)
    }

    /// Milliseconds of one layer of a share on a device, exchanges apart.
    pub(crate) fn layer_ms(&self, spot: usize, share: Share, task: Task) -> f64 {
        let m = &self.model;
        let [heads, columns, width] = [share.heads, share.columns, m.head_dim].map(f64::from);
        let queries = heads * f64::from(m.heads) / f64::from(m.kv_heads);
        let (read, computed) = match &self.mixture {
            Some(mixture) => (mixture.read(task.rows), mixture.computed()),
            None => (1.0, 1.0),
        };
        let params = self.params.0 * heads + self.params.1 * columns * computed;
        let bytes = m.head_bytes as f64 * heads + m.column_bytes * columns * read;
        let flops = 2.0 * params * task.rows;
        let pace = &self.spots[spot].pace;
        if self.rules.plain() {
            let scan = if task.scan { bytes / pace.bytes_per_ms } else { 0.0 };
            return scan + flops / pace.flops_per_ms;
        }
        let cache = m.kv_bytes as f64 * heads * task.context * task.requests;
        let attention = 4.0 * queries * width * task.context * task.rows;
        pace.layer_ms
            + (bytes + m.layer_shared_bytes as f64) / pace.bytes_per_ms
            + cache / pace.kv_bytes_per_ms
            + flops / pace.flops_per_ms
            + attention / pace.attention_flops_per_ms
    }

    /// Milliseconds of the output head for the last position of so many requests; nothing by plain
    /// rules.
    pub(crate) fn head_ms(&self, spot: usize, task: Task) -> f64 {
        if self.rules.plain() {
            return 0.0;
        }
        let pace = &self.spots[spot].pace;
        let flops =
            2.0 * f64::from(self.model.hidden) * f64::from(self.model.vocab) * task.requests;
        self.model.output_bytes as f64 / pace.bytes_per_ms + flops / pace.flops_per_ms
    }

    /// Milliseconds that the members of a stage exchange sums for, a layer; infinite if two of
    /// them cannot talk.
    pub(crate) fn exchange_ms(&self, members: &[usize], task: Task) -> f64 {
        let count = members.len() as f64;
        let bytes = f64::from(self.model.hidden) * self.rules.sum_bytes * task.rows;
        let way = |a: usize, b: usize| self.way(self.spots[a].machine, self.spots[b].machine);
        let one = |a: usize| -> f64 {
            let others = members.iter().filter(|b| **b != a);
            match self.rules.exchange {
                Exchange::Sliced => {
                    let trip =
                        |b: &usize| way(a, *b).map_or(f64::INFINITY, |w| w.of(bytes / count));
                    4.0 * others.map(trip).sum::<f64>()
                }
                Exchange::Direct => {
                    let trip = |b: &usize| way(a, *b).map_or(f64::INFINITY, |w| w.of(bytes));
                    2.0 * others.map(trip).fold(0.0, f64::max)
                }
            }
        };
        members.iter().map(|a| one(*a)).fold(0.0, f64::max)
    }

    /// Milliseconds that a way is busy with the activations of one request. HexGen's rules do not ask.
    pub(crate) fn carried_ms(&self, way: Option<Way>, phase: Phase) -> f64 {
        if self.rules.plain() {
            return 0.0;
        }
        way.map_or(f64::INFINITY, |way| self.carried_bytes(phase) / way.bytes_per_ms)
    }

    /// Activations of one request between two stages.
    pub(crate) fn carried_bytes(&self, phase: Phase) -> f64 {
        let (prompt, answer) = (f64::from(self.workload.input_tokens), self.steps());
        let rows = match phase {
            Phase::Both => prompt + answer,
            Phase::Prefill => prompt,
            Phase::Decode => answer,
        };
        f64::from(self.model.hidden) * self.rules.activation_bytes * rows
    }

    /// Milliseconds for activations over a way.
    pub(crate) fn hop_ms(&self, way: Option<Way>, task: Task) -> f64 {
        let bytes = f64::from(self.model.hidden) * self.rules.activation_bytes * task.rows;
        way.map_or(f64::INFINITY, |way| way.of(bytes))
    }
}

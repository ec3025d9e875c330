//! Published measurements.

use std::sync::OnceLock;

use serde::Deserialize;

use super::{BATCH_TOKENS, PACKED_BELOW_BITS, Sort, peak_tflop_s};
use crate::catalogue::{DeviceFacts, ModelFacts, device, format, model, table};

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Tokens of an answer, one request at a time.
    Decode,
    /// Tokens of a prompt.
    Prefill,
}

/// A row of the table.
#[derive(Debug, Deserialize)]
struct Row {
    device: String,
    devices: f64,
    model: String,
    weights: String,
    weights_gib: f64,
    phase: Phase,
    tokens: f64,
    tokens_per_s: f64,
    fault: u8,
}

/// One measurement, with what the fit needs of its device and model.
#[derive(Clone, Debug)]
pub struct Point {
    /// The device.
    pub device: &'static DeviceFacts,
    /// The model.
    pub model: &'static ModelFacts,
    /// Devices, each with its part of the layers.
    pub devices: f64,
    /// The phase.
    pub phase: Phase,
    /// Tokens of the answer, or of the prompt.
    pub tokens: f64,
    /// What was measured: for a token of an answer, or for all of a prompt.
    pub ms: f64,
    /// Whether its source is thought to have measured a fault of software.
    pub fault: bool,
    pub(super) bits: f64,
    pub(super) weights_bytes: f64,
    pub(super) layers: f64,
    pub(super) flops: f64,
    pub(super) attention_flops: f64,
    pub(super) peak_tflop_s: f64,
}

/// All of them.
pub fn points() -> &'static [Point] {
    static POINTS: OnceLock<Vec<Point>> = OnceLock::new();
    POINTS.get_or_init(|| {
        let rows: Vec<Row> = table(include_str!("../../data/measured.csv"));
        rows.into_iter().map(Point::of).collect()
    })
}

impl Point {
    fn of(row: Row) -> Self {
        let known = "a name that a test has looked up";
        let (device, model) = (device(&row.device).expect(known), model(&row.model).expect(known));
        let layers = f64::from(model.layers);
        let tokens = match row.phase {
            Phase::Decode => 1.0,
            Phase::Prefill => row.tokens,
        };
        let queries = f64::from(model.heads) * f64::from(model.head_dim);
        Self {
            devices: row.devices,
            phase: row.phase,
            tokens: row.tokens,
            ms: 1e3 * tokens / row.tokens_per_s,
            fault: row.fault != 0,
            bits: format(&row.weights).expect(known).bits,
            weights_bytes: row.weights_gib * f64::from(1 << 30),
            layers,
            flops: 2e9 * model.params_b * tokens,
            attention_flops: 4.0 * queries * layers * tokens * row.tokens / 2.0,
            peak_tflop_s: peak_tflop_s(device),
            device,
            model,
        }
    }

    /// The sort of its device.
    pub fn sort(&self) -> Sort {
        Sort::of(self.device)
    }

    /// 1 if weights are unpacked first.
    pub(super) fn packed(&self) -> usize {
        usize::from(self.bits < PACKED_BELOW_BITS)
    }

    /// What one scan of the weights takes at the maker's bandwidth.
    pub(super) fn read_ms(&self) -> f64 {
        self.weights_bytes / (self.device.bandwidth_gb_s * 1e6)
    }

    /// What reading the KV cache takes, half-way through the answer.
    pub(super) fn kv_ms(&self) -> f64 {
        let bytes = self.model.kv_bytes_per_token as f64 * self.tokens / 2.0;
        bytes / (self.device.bandwidth_gb_s * 1e6)
    }

    /// The batches that its prompt is computed in.
    pub(super) fn batches(&self) -> f64 {
        (self.tokens / BATCH_TOKENS).ceil()
    }
}

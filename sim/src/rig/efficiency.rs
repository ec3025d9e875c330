//! Which parts of their makers' figures cards reach, fitted to layers that were measured: what a card
//! reaches of its bandwidth and of its arithmetic so that a roofline is nearest to them.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Deserialize;
use swarm_scheduler::{Model, PoolFile, catalogue};

use super::{
    layers::{Layers, LayersError, Points},
    roofline::weights,
};
use crate::shipped;

/// The model whose layers were measured, and its weights.
const MODEL: (&str, &str) = ("llama-2-70b", "fp16");
/// Parts that are tried.
const STEP: f64 = 0.005;
const STEPS: std::ops::RangeInclusive<u32> = 1..=300;

/// What a card reaches.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Reach {
    /// Of its bandwidth.
    pub bandwidth: f64,
    /// Of its arithmetic.
    pub arithmetic: f64,
}

/// What cards reach, and the mean of them, for others.
#[derive(Clone, Debug, PartialEq)]
pub struct Efficiency {
    cards: BTreeMap<String, Reach>,
    mean: Reach,
}

#[derive(Deserialize)]
struct Row {
    gpu: String,
    bandwidth: f64,
    arithmetic: f64,
}

impl Efficiency {
    /// That which comes with the simulator: `sim/data/efficiency.csv`.
    pub(crate) fn shipped() -> Result<Self, csv::Error> {
        let mut reader = csv::Reader::from_reader(shipped::EFFICIENCY.as_bytes());
        let rows = reader.deserialize().collect::<Result<Vec<Row>, _>>()?;
        let count = rows.len().max(1) as f64;
        let mean = |of: fn(&Row) -> f64| rows.iter().map(of).sum::<f64>() / count;
        let mean =
            Reach { bandwidth: mean(|row| row.bandwidth), arithmetic: mean(|r| r.arithmetic) };
        let reach = |row: Row| {
            let Row { gpu, bandwidth, arithmetic } = row;
            (gpu, Reach { bandwidth, arithmetic })
        };
        Ok(Self { cards: rows.into_iter().map(reach).collect(), mean })
    }

    /// What a card reaches: the mean if it was not measured.
    pub(crate) fn of(&self, gpu: &str) -> Reach {
        self.cards.get(gpu).copied().unwrap_or(self.mean)
    }
}

/// What is wrong with layers that are to be fitted to.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// No table.
    #[error("{0}")]
    Layers(#[from] LayersError),
    /// The catalogue lacks the model, or a card.
    #[error("{0}")]
    Unknown(String),
}

/// The table that `sim/data/efficiency.csv` is, fitted anew to the layers that come with the simulator.
pub fn efficiency_table() -> Result<String, FitError> {
    let unknown = |e: &dyn std::fmt::Display| FitError::Unknown(e.to_string());
    let facts = catalogue::model(MODEL.0).map_err(|e| unknown(&e))?;
    let model = facts.model(catalogue::format(MODEL.1).map_err(|e| unknown(&e))?);
    let layers = Layers::parse(shipped::LAYERS[0].1, &model.spec.name)?;
    let mut table = "gpu,bandwidth,arithmetic,points,error_median\n".to_owned();
    for (gpu, points) in layers.alone() {
        let pool = PoolFile::parse(&format!("[[machine]]\ngpu = \"{gpu}\"\n"), &|_| {
            Err(std::io::ErrorKind::NotFound.into())
        });
        let pool = pool.map_err(|e| unknown(&e))?;
        let device = pool.machines.iter().flat_map(|machine| &machine.devices).next();
        let device = device.ok_or_else(|| FitError::Unknown(format!("no device in {gpu}")))?;
        let card = Card::of(&model, (device.bytes_per_s, device.flops_per_s));
        let (Reach { bandwidth, arithmetic }, error) = card.fit(&points);
        let count = points.decode.len() + points.prefill.len();
        let _ = writeln!(table, "{gpu},{bandwidth:.3},{arithmetic:.3},{count},{error:.3}");
    }
    Ok(table)
}

/// What a layer takes a card that reaches all that its maker says.
struct Card {
    read_ms: f64,
    row_ms: f64,
}

impl Card {
    fn of(model: &Model, (bytes_per_s, flops_per_s): (f64, f64)) -> Self {
        let spec = &model.spec;
        let whole = weights(spec, f64::from(spec.kv_heads), f64::from(spec.ffn));
        let params_per_byte = model.head_params / spec.head_bytes as f64;
        let bytes = whole + spec.layer_shared_bytes as f64;
        let row_ms = 2.0 * whole * params_per_byte / flops_per_s * 1e3;
        Self { read_ms: bytes / bytes_per_s * 1e3, row_ms }
    }

    /// How far off a point is.
    fn error(&self, reach: Reach, (rows, ms): (f64, f64)) -> f64 {
        let (read, compute) =
            (self.read_ms / reach.bandwidth, self.row_ms * rows / reach.arithmetic);
        libm::log(read.max(compute) / ms).abs()
    }

    /// The parts at which it is off least, and its median error there. Answers and prompts count alike,
    /// whichever has more points.
    fn fit(&self, points: &Points) -> (Reach, f64) {
        let mean = |reach, of: &[(f64, f64)]| {
            let sum: f64 = of.iter().map(|point| self.error(reach, *point)).sum();
            sum / of.len().max(1) as f64
        };
        let off = |reach| mean(reach, &points.decode) + mean(reach, &points.prefill);
        let part = |step: u32| f64::from(step) * STEP;
        let all = STEPS.flat_map(|of| STEPS.map(move |and| (part(of), part(and))));
        let all = all.map(|(bandwidth, arithmetic)| Reach { bandwidth, arithmetic });
        let best = all.map(|reach| (off(reach), reach)).min_by(|a, b| a.0.total_cmp(&b.0));
        let reach = best.map_or(Reach { bandwidth: 1.0, arithmetic: 1.0 }, |(_, reach)| reach);
        let points = points.decode.iter().chain(&points.prefill);
        let mut errors: Vec<f64> = points.map(|point| self.error(reach, *point)).collect();
        errors.sort_by(f64::total_cmp);
        (reach, errors.get(errors.len() / 2).copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_is_what_is_fitted() {
        assert_eq!(shipped::EFFICIENCY, efficiency_table().unwrap());
    }

    #[test]
    fn a_card_that_reaches_parts_is_found_out() {
        let card = Card { read_ms: 2.0, row_ms: 0.01 };
        let ms = |rows: f64| (rows, f64::max(2.0 / 0.8, 0.01 * rows / 0.4));
        let (decode, prefill) =
            ([1.0, 8.0, 64.0].map(ms).to_vec(), [512.0, 2048.0].map(ms).to_vec());
        let (reach, error) = card.fit(&Points { decode, prefill });
        assert!((reach.bandwidth - 0.8).abs() < 1e-9 && (reach.arithmetic - 0.4).abs() < 1e-9);
        assert!(error < 1e-9, "{error}");
    }

    #[test]
    fn a_card_that_was_not_measured_reaches_the_mean() {
        let all = Efficiency::shipped().unwrap();
        let sum = |of: fn(&Reach) -> f64| all.cards.values().map(of).sum::<f64>();
        assert_eq!(all.cards.len(), 4);
        let mean = all.of("RTX5090");
        assert!((4.0 * mean.bandwidth - sum(|reach| reach.bandwidth)).abs() < 1e-9);
        assert!((4.0 * mean.arithmetic - sum(|reach| reach.arithmetic)).abs() < 1e-9);
        assert_ne!(all.of("T4"), mean);
    }
}

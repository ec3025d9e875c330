//! Tables of how long a layer takes, as it was measured on some cards.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;

/// Rows of a table, at most.
const POINTS_MAX: usize = 100_000;
/// Rows of a batch and milliseconds above these are a mistake.
const ROWS_MAX: f64 = 1e7;
const MS_MAX: f64 = 1e6;

/// Layers of one model, on some cards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layers(BTreeMap<String, Arc<Card>>);

/// A layer on one kind of card, by how many of them share it.
pub(super) type Card = BTreeMap<usize, Times>;

/// A whole layer, shared evenly by some cards of one machine, what they exchange included.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Times {
    decode: Curve,
    prefill: Curve,
}

/// Rows of a batch, and milliseconds.
pub(super) struct Points {
    pub(super) decode: Vec<(f64, f64)>,
    pub(super) prefill: Vec<(f64, f64)>,
}

/// Milliseconds by rows of a batch, in the order of rows.
#[derive(Clone, Debug, Default, PartialEq)]
struct Curve(Vec<(f64, f64)>);

/// What is wrong with a table of layer times.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LayersError {
    /// A line that cannot be.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1, the header included.
        line: u64,
        /// Why not.
        reason: String,
    },
    /// Nothing of the model that is served.
    #[error("it has layers of {has}, and none of {wanted}")]
    Model {
        /// Which models it has.
        has: String,
        /// Which is served.
        wanted: String,
    },
    /// Half a table.
    #[error("of {gpus} {gpu} together it has no {phase} times")]
    Half {
        /// Which card.
        gpu: String,
        /// How many of them.
        gpus: usize,
        /// What is missing.
        phase: &'static str,
    },
}

#[derive(Deserialize)]
struct Row {
    model: String,
    gpu: String,
    n_gpu: usize,
    phase: Phase,
    batch_or_tokens: f64,
    ms_per_layer: f64,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Prefill,
    Decode,
}

impl Layers {
    /// Reads a table for a model: CSV with the header
    /// `model,gpu,n_gpu,phase,batch_or_tokens,ms_per_layer`, cards as the catalogue calls them.
    pub fn parse(text: &str, model: &str) -> Result<Self, LayersError> {
        let mut cards: BTreeMap<String, Card> = BTreeMap::new();
        let mut others = std::collections::BTreeSet::new();
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.trim(csv::Trim::All).from_reader(text.as_bytes());
        for (count, row) in reader.deserialize().enumerate() {
            let line = count as u64 + 2;
            let wrong = |reason: String| LayersError::Line { line, reason };
            let row: Row = row.map_err(|e| wrong(e.to_string()))?;
            if count >= POINTS_MAX {
                return Err(wrong(format!("more than {POINTS_MAX} rows")));
            }
            row.check().map_err(wrong)?;
            if !row.model.eq_ignore_ascii_case(model) {
                others.insert(row.model);
                continue;
            }
            let times = cards.entry(row.gpu).or_default().entry(row.n_gpu).or_default();
            let curve = match row.phase {
                Phase::Prefill => &mut times.prefill,
                Phase::Decode => &mut times.decode,
            };
            curve.push(row.batch_or_tokens, row.ms_per_layer).map_err(wrong)?;
        }
        if cards.is_empty() {
            let has: Vec<String> = others.into_iter().take(8).collect();
            let has = if has.is_empty() { "nothing".to_owned() } else { has.join(", ") };
            return Err(LayersError::Model { has, wanted: model.to_owned() });
        }
        for (gpu, card) in &mut cards {
            for (gpus, times) in card {
                times.join().map_err(|phase| LayersError::Half {
                    gpu: gpu.clone(),
                    gpus: *gpus,
                    phase,
                })?;
            }
        }
        Ok(Self(cards.into_iter().map(|(gpu, card)| (gpu, Arc::new(card))).collect()))
    }

    /// What was measured of cards alone, by their names.
    pub(super) fn alone(&self) -> impl Iterator<Item = (&String, Points)> {
        self.0.iter().filter_map(|(gpu, card)| {
            let Times { decode, prefill } = card.get(&1)?;
            Some((gpu, Points { decode: decode.0.clone(), prefill: prefill.0.clone() }))
        })
    }

    /// Those of a card, if it was measured.
    pub(super) fn card(&self, gpu: &str) -> Option<Arc<Card>> {
        self.0.get(gpu).cloned()
    }
}

impl Row {
    fn check(&self) -> Result<(), String> {
        let within = |x: f64, most: f64| x > 0.0 && x <= most;
        if !(1..=64).contains(&self.n_gpu) {
            return Err(format!("n_gpu of {}: from 1 to 64 may be", self.n_gpu));
        }
        if !within(self.batch_or_tokens, ROWS_MAX) || !within(self.ms_per_layer, MS_MAX) {
            return Err(format!(
                "{} rows in {} ms: both are above 0, and at most {ROWS_MAX:e} and {MS_MAX:e}",
                self.batch_or_tokens, self.ms_per_layer
            ));
        }
        Ok(())
    }
}

impl Times {
    /// The smallest batch there is takes as long as reading the weights, whatever its rows are of: so
    /// do prompts that are shorter than any that was measured.
    fn join(&mut self) -> Result<(), &'static str> {
        let first = *self.decode.0.first().ok_or("decode")?;
        let shortest = self.prefill.0.first().ok_or("prefill")?;
        if shortest.0 > first.0 {
            self.prefill.0.insert(0, first);
        }
        Ok(())
    }

    /// Milliseconds of a batch of so many rows of prompts and so many steps of answers.
    ///
    /// Either alone takes what was measured. Both together read the weights once, and each measured
    /// time begins with that reading: it is taken off once. (Helix's own simulator adds both up.)
    pub(super) fn ms(&self, prompt: f64, steps: f64) -> f64 {
        match (prompt > 0.0, steps > 0.0) {
            (true, false) => self.prefill.at(prompt),
            (false, true) => self.decode.at(steps),
            (false, false) => 0.0,
            (true, true) => {
                let (prompt, steps) = (self.prefill.at(prompt), self.decode.at(steps));
                (prompt + steps - self.decode.at(0.0)).max(prompt).max(steps)
            }
        }
    }
}

impl Curve {
    fn push(&mut self, rows: f64, ms: f64) -> Result<(), String> {
        if let Some((last, _)) = self.0.last().filter(|(last, _)| *last >= rows) {
            return Err(format!("{rows} rows after {last}: rows of a card and phase rise"));
        }
        self.0.push((rows, ms));
        Ok(())
    }

    /// On the straight line between the two nearest points; below the first as long as that, for the
    /// weights are read all the same; above the last in proportion.
    fn at(&self, rows: f64) -> f64 {
        let after = self.0.partition_point(|(point, _)| *point < rows);
        match (after.checked_sub(1).map(|before| self.0[before]), self.0.get(after)) {
            (None, None) => 0.0,
            (None, Some((_, ms))) => *ms,
            (Some((last, ms)), None) => ms * rows / last,
            (Some((low, from)), Some((high, to))) => {
                if rows == *high {
                    return *to;
                }
                from + (to - from) * (rows - low) / (high - low)
            }
        }
    }
}

#[cfg(test)]
mod tests;

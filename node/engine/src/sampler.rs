//! How a token is chosen from the logits.
//!
//! A function of the logits and the draw alone: the dice are seeded by `(seed, step)`, so a replay
//! chooses the same token, whoever replays it. All arithmetic is f64 with our own `exp` and `ln`,
//! for the same reason. The order is: repetition penalty, temperature, top-k, top-p, min-p.

use std::cmp::Ordering;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use swarm_proto::{Draw, Sampled, Sampling};

use crate::math::{exp_f64, ln_f64};

/// Chooses a token; `None` if a logit is not finite, or there is none.
///
/// The draw's sampling is one that passes its own check.
pub fn sample(logits: &[f32], draw: &Draw) -> Option<Sampled> {
    if logits.is_empty() || logits.iter().any(|logit| !logit.is_finite()) {
        return None;
    }
    let sampling = &draw.sampling;
    let mut penalised = None;
    if sampling.repetition_penalty != 1.0 {
        penalised = Some(penalise(logits, draw));
    }
    let chosen = penalised.as_deref().unwrap_or(logits);
    let token = match sampling.temperature {
        0.0 => likeliest(chosen),
        _ => throw(&filter(chosen, sampling), draw),
    };
    Some(report(logits, token, sampling.logprobs))
}

/// Makes recent tokens less likely, each once however often it occurred.
fn penalise(logits: &[f32], draw: &Draw) -> Vec<f32> {
    let mut penalised = logits.to_vec();
    let penalty = draw.sampling.repetition_penalty;
    for &token in &draw.recent {
        // From the raw logit, so that a second occurrence changes nothing.
        let Some(&logit) = logits.get(token as usize) else { continue };
        // A tiny penalty may push a large logit out of range; kept finite, it stays a logit.
        let changed = if logit > 0.0 { logit / penalty } else { logit * penalty };
        penalised[token as usize] = changed.clamp(f32::MIN, f32::MAX);
    }
    penalised
}

/// The index of the greatest logit, the lowest among equals.
fn likeliest(logits: &[f32]) -> usize {
    let greater =
        |best: usize, index: usize| if logits[index] > logits[best] { index } else { best };
    (0..logits.len()).fold(0, greater)
}

/// A token that may be chosen, and how likely it is beside the likeliest, whose weight is 1.
type Candidate = (usize, f64);

fn by_likelihood(a: &Candidate, b: &Candidate) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

fn filter(logits: &[f32], sampling: &Sampling) -> Vec<Candidate> {
    let greatest = f64::from(logits[likeliest(logits)]);
    let temperature = f64::from(sampling.temperature);
    let weight = |logit: &f32| exp_f64((f64::from(*logit) - greatest) / temperature);
    let mut candidates: Vec<Candidate> = logits.iter().map(weight).enumerate().collect();
    keep_top_k(&mut candidates, sampling.top_k as usize);
    keep_top_p(&mut candidates, f64::from(sampling.top_p));
    candidates.retain(|candidate| candidate.1 >= f64::from(sampling.min_p));
    candidates
}

fn keep_top_k(candidates: &mut Vec<Candidate>, k: usize) {
    if k == 0 || k >= candidates.len() {
        return;
    }
    candidates.select_nth_unstable_by(k - 1, by_likelihood);
    candidates.truncate(k);
    candidates.sort_unstable_by(by_likelihood);
}

fn keep_top_p(candidates: &mut Vec<Candidate>, p: f64) {
    if p >= 1.0 {
        return;
    }
    let total = sum(candidates);
    // All that are less likely than this add up to less than 1 - p: they need not be sorted.
    let least = (1.0 - p) * total / candidates.len() as f64;
    candidates.retain(|candidate| candidate.1 >= least);
    candidates.sort_unstable_by(by_likelihood);
    let mut reached = 0.0;
    let enough = candidates.iter().position(|candidate| {
        reached += candidate.1;
        reached >= p * total
    });
    candidates.truncate(enough.map_or(candidates.len(), |last| last + 1));
}

fn sum(candidates: &[Candidate]) -> f64 {
    candidates.iter().fold(0.0, |sum, candidate| sum + candidate.1)
}

/// Throws the dice of `(seed, step)`.
fn throw(candidates: &[Candidate], draw: &Draw) -> usize {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&draw.sampling.seed.to_le_bytes());
    seed[8..12].copy_from_slice(&draw.step.to_le_bytes());
    // The upper 53 bits are a number from 0 to 1 that an f64 holds exactly.
    let dice = (ChaCha8Rng::from_seed(seed).next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let target = dice * sum(candidates);
    let mut reached = 0.0;
    let passed = candidates.iter().find(|candidate| {
        reached += candidate.1;
        reached > target
    });
    // The likeliest is always a candidate, and the sum is at least its weight.
    passed.or(candidates.last()).map_or(0, |candidate| candidate.0)
}

fn report(logits: &[f32], token: usize, logprobs: Option<u8>) -> Sampled {
    let mut sampled = Sampled { token: token as u32, logprob: None, top: Vec::new() };
    let Some(count) = logprobs else { return sampled };
    let greatest = f64::from(logits[likeliest(logits)]);
    let total: f64 = logits.iter().fold(0.0, |sum, l| sum + exp_f64(f64::from(*l) - greatest));
    let norm = greatest + ln_f64(total);
    let logprob = |token: usize| (f64::from(logits[token]) - norm) as f32;
    sampled.logprob = Some(logprob(token));
    let mut all: Vec<Candidate> = logits.iter().map(|l| f64::from(*l)).enumerate().collect();
    let count = usize::from(count).min(all.len());
    if count > 0 {
        all.select_nth_unstable_by(count - 1, by_likelihood);
        all[..count].sort_unstable_by(by_likelihood);
        sampled.top = all[..count].iter().map(|top| (top.0 as u32, logprob(top.0))).collect();
    }
    sampled
}

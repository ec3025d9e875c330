//! Each way of choosing a token, alone and together, and that the dice depend on seed and step
//! alone.

use std::collections::BTreeSet;

use swarm_engine::sample;
use swarm_proto::{Draw, Sampling};

/// Probabilities 0.4, 0.3, 0.2, 0.1 in that order at tokens 2, 0, 3, 1.
fn logits() -> Vec<f32> {
    [0.3f32, 0.1, 0.4, 0.2].map(f32::ln).to_vec()
}

fn warm() -> Sampling {
    Sampling { temperature: 1.0, ..Sampling::default() }
}

fn draw(sampling: Sampling, step: u32) -> Draw {
    Draw { sampling, step, recent: Vec::new() }
}

fn token(logits: &[f32], draw: &Draw) -> u32 {
    sample(logits, draw).unwrap().token
}

/// How often each of four tokens is chosen in 4,000 steps.
fn counts(sampling: &Sampling, logits: &[f32]) -> [u32; 4] {
    let mut counts = [0; 4];
    for step in 0..4000 {
        counts[token(logits, &draw(sampling.clone(), step)) as usize] += 1;
    }
    counts
}

fn chosen(sampling: &Sampling) -> BTreeSet<u32> {
    (0..300).map(|step| token(&logits(), &draw(sampling.clone(), step))).collect()
}

#[test]
fn greedy_takes_the_lowest_of_the_likeliest() {
    let greedy = draw(Sampling::default(), 0);
    assert_eq!(token(&logits(), &greedy), 2);
    assert_eq!(token(&[1.0, 3.0, 3.0, 2.0], &greedy), 1);
    assert_eq!(token(&[-5.0], &greedy), 0);
}

#[test]
fn temperature_one_is_the_models_own_distribution() {
    for (count, expected) in counts(&warm(), &logits()).iter().zip([1200, 400, 1600, 800]) {
        assert!(count.abs_diff(expected) < 120, "{count}, not about {expected}");
    }
}

#[test]
fn temperature_sharpens_and_flattens() {
    // Squared probabilities: 9, 1, 16, 4 of 30.
    let sharp = Sampling { temperature: 0.5, ..warm() };
    for (count, expected) in counts(&sharp, &logits()).iter().zip([1200, 133, 2133, 533]) {
        assert!(count.abs_diff(expected) < 120, "{count}, not about {expected}");
    }
    let cold = Sampling { temperature: 1e-30, ..warm() };
    assert_eq!(chosen(&cold), BTreeSet::from([2]));
    let hot = Sampling { temperature: 100.0, ..warm() };
    assert!(counts(&hot, &logits()).iter().all(|count| count.abs_diff(1000) < 120));
}

#[test]
fn top_k_keeps_the_likeliest() {
    for (top_k, expected) in [(1, vec![2]), (2, vec![0, 2]), (3, vec![0, 2, 3])] {
        let sampling = Sampling { top_k, ..warm() };
        assert_eq!(chosen(&sampling), BTreeSet::from_iter(expected));
    }
    for top_k in [0, 4, u32::MAX] {
        assert_eq!(chosen(&Sampling { top_k, ..warm() }).len(), 4);
    }
}

#[test]
fn top_p_keeps_the_fewest_that_reach_it() {
    for (top_p, expected) in [
        (0.01, vec![2]),
        (0.39, vec![2]),
        (0.41, vec![0, 2]),
        (0.69, vec![0, 2]),
        (0.8, vec![0, 2, 3]),
    ] {
        let sampling = Sampling { top_p, ..warm() };
        assert_eq!(chosen(&sampling), BTreeSet::from_iter(expected), "{top_p}");
    }
    // Of what top-k left, 0.4 and 0.3, the first is 57 %.
    let both = Sampling { top_k: 2, top_p: 0.56, ..warm() };
    assert_eq!(chosen(&both), BTreeSet::from([2]));
}

#[test]
fn min_p_is_measured_against_the_likeliest() {
    for (min_p, expected) in [(0.0, 4), (0.3, 3), (0.6, 2), (0.8, 1), (1.0, 1)] {
        assert_eq!(chosen(&Sampling { min_p, ..warm() }).len(), expected, "{min_p}");
    }
}

#[test]
fn recent_tokens_are_penalised_once_whatever_their_sign() {
    let sampling = Sampling { repetition_penalty: 2.0, ..Sampling::default() };
    let recent =
        |recent: &[u32]| Draw { sampling: sampling.clone(), step: 0, recent: recent.into() };
    let positive = [3.0, 2.0, 1.0];
    assert_eq!(token(&positive, &recent(&[])), 0);
    assert_eq!(token(&positive, &recent(&[0])), 1, "3 becomes 1.5");
    assert_eq!(token(&positive, &recent(&[0, 1, 1, 1])), 0, "1.5, 1, 1: each but once");
    let negative = [-1.0, -1.5, -9.0];
    assert_eq!(token(&negative, &recent(&[0])), 1, "-1 becomes -2");
    assert_eq!(token(&negative, &recent(&[0, 77_777])), 1, "a token nobody has is no harm");
    let tiny = Sampling { repetition_penalty: 1e-38, ..Sampling::default() };
    let wild = Draw { sampling: tiny, step: 0, recent: vec![1] };
    assert_eq!(token(&[3.0, 2.0], &wild), 1, "still a number");
}

#[test]
fn seed_and_step_fix_the_dice() {
    let flat = vec![0.0; 50_000];
    let choose = |seed, step| token(&flat, &draw(Sampling { seed, ..warm() }, step));
    assert_eq!(choose(1, 2), choose(1, 2));
    let different: BTreeSet<_> =
        (0..10u32).flat_map(|n| [choose(n.into(), 7), choose(7, n + 100)]).collect();
    assert_eq!(different.len(), 20);
    // What a replay on another machine must choose as well.
    assert_eq!([choose(0, 0), choose(0, 1), choose(u64::MAX, 3)], GOLDEN);
}

const GOLDEN: [u32; 3] = [41_845, 12_484, 37_668];

#[test]
fn filters_over_a_large_vocabulary_keep_what_a_full_sort_would() {
    let logits: Vec<f32> = (0..20_000u32).map(|i| (i * 7919 % 20_000) as f32 * 7e-4).collect();
    let sampling = Sampling { top_p: 0.9, ..warm() };
    let mut sorted: Vec<(f64, u32)> =
        logits.iter().zip(0..).map(|(l, i)| (f64::from(*l), i)).collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let total: f64 = sorted.iter().map(|(logit, _)| logit.exp()).sum();
    let mut reached = 0.0;
    let mut nucleus = BTreeSet::new();
    for (logit, token) in sorted {
        if reached < 0.9 * total {
            nucleus.insert(token);
        }
        reached += logit.exp();
    }
    for step in 0..2000 {
        assert!(nucleus.contains(&token(&logits, &draw(sampling.clone(), step))));
    }
}

#[test]
fn logprobs_are_those_of_the_raw_logits() {
    let sampling =
        Sampling { temperature: 0.3, top_k: 1, logprobs: Some(3), ..Sampling::default() };
    let sampled = sample(&logits(), &draw(sampling, 0)).unwrap();
    assert_eq!(sampled.token, 2);
    let near = |found: f32, expected: f32| assert!((found - expected.ln()).abs() < 1e-6);
    near(sampled.logprob.unwrap(), 0.4);
    assert_eq!(sampled.top.iter().map(|top| top.0).collect::<Vec<_>>(), [2, 0, 3]);
    sampled.top.iter().zip([0.4, 0.3, 0.2]).for_each(|(top, expected)| near(top.1, expected));
    let none = Sampling { logprobs: Some(0), ..Sampling::default() };
    let sampled = sample(&logits(), &draw(none, 0)).unwrap();
    near(sampled.logprob.unwrap(), 0.4);
    assert!(sampled.top.is_empty());
    let many = Sampling { logprobs: Some(20), ..Sampling::default() };
    assert_eq!(sample(&logits(), &draw(many, 0)).unwrap().top.len(), 4);
    assert_eq!(sample(&logits(), &draw(Sampling::default(), 0)).unwrap().logprob, None);
}

#[test]
fn what_is_not_a_number_is_not_sampled() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(sample(&[0.0, bad], &draw(Sampling::default(), 0)), None);
        assert_eq!(sample(&[0.0, bad], &draw(warm(), 0)), None);
    }
    assert_eq!(sample(&[], &draw(Sampling::default(), 0)), None);
}

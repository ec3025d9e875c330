//! The default model against references from another engine: weights dequantised to float32,
//! float32 arithmetic throughout. The tolerances are those of `oracle/README.md`.

mod layout;
mod support;

use std::fs;

use layout::{Pipeline, alone, item};
use serde_json::Value;
use support::default_model;
use swarm_engine::{BATCH_ROWS_MAX, Weights};
use swarm_proto::Batch;

const LOGIT_TOLERANCE: f64 = 2e-3;
/// Where the reference's best two logits are nearer than this, either may win.
const MARGIN: f64 = 0.01;

fn read(file: &str) -> Value {
    let path = format!("{}/tests/oracle/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn prompts() -> Vec<Value> {
    read("smollm2.json")["reference_f32"]["prompts"].as_array().unwrap().clone()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn model() -> Pipeline {
    let weights = Weights::open(&default_model()).unwrap();
    Pipeline::open(&weights, &alone(&weights), 64, 2)
}

#[test]
fn logits_are_the_references_within_tolerance() {
    let mut model = model();
    for prompt in prompts() {
        let name = prompt["name"].as_str().unwrap();
        let batch = Batch { items: vec![item(0, 0, &ids(&prompt["ids"]))] };
        let logits = model.logits(&batch).remove(0);
        let strided = (0..).step_by(97).zip(numbers(&prompt["logits_stride97"]));
        let top = ids(&prompt["top20_ids"]).into_iter().zip(numbers(&prompt["top20_logits"]));
        let mut worst = 0.0f64;
        for (id, expected) in strided.chain(top) {
            worst = worst.max((f64::from(logits[id as usize]) - expected).abs());
        }
        println!("{name}: largest difference {worst:e}");
        assert!(worst < LOGIT_TOLERANCE, "{name}: {worst}");
        let sum: f64 = logits.iter().map(|logit| f64::from(*logit)).sum();
        let mean = (sum - prompt["logits_sum_f64"].as_f64().unwrap()) / logits.len() as f64;
        assert!(mean.abs() < LOGIT_TOLERANCE, "{name}: off by {mean} on average");
    }
}

#[test]
fn greedy_tokens_are_the_references_wherever_its_choice_is_clear() {
    let mut model = model();
    for prompt in prompts() {
        let (tokens, greedy) = (ids(&prompt["ids"]), ids(&prompt["greedy48"]));
        // Teacher-forced: the reference's own tokens, each a row of one batch.
        let text: Vec<u32> = tokens.iter().chain(&greedy).copied().collect();
        let start = item(0, 0, &tokens[..tokens.len() - 1]);
        let first = tokens.len() - 1;
        let steps = (first..text.len() - 1).map(|at| item(0, at, &text[at..at + 1]));
        let batch = Batch { items: std::iter::once(start).chain(steps).collect() };
        let logits = model.logits(&batch);
        let margins = numbers(&prompt["greedy_margins"]);
        assert_eq!(logits.len(), 1 + greedy.len());
        for ((logits, expected), margin) in logits[1..].iter().zip(&greedy).zip(&margins) {
            let best = best(logits);
            assert!(best == *expected || *margin < MARGIN, "{best}, not {expected}");
        }
        assert!(margins.iter().filter(|margin| **margin >= MARGIN).count() > 40);
    }
}

/// The greatest logit's token.
fn best(logits: &[f32]) -> u32 {
    (0..logits.len()).fold(0, |a, b| if logits[b] > logits[a] { b } else { a }) as u32
}

#[test]
fn logits_of_further_prompts_are_the_references_at_every_row_they_name() {
    let weights = Weights::open(&default_model()).unwrap();
    for prompt in read("logits.json").as_array().unwrap() {
        let (name, tokens) = (prompt["name"].as_str().unwrap(), ids(&prompt["ids"]));
        let mut model = Pipeline::open(&weights, &alone(&weights), 300, 2);
        let (mut from, mut worst) = (0, 0.0f64);
        for row in prompt["rows"].as_array().unwrap() {
            let end = row["row"].as_u64().unwrap() as usize + 1;
            let mut logits = Vec::new();
            while from < end {
                let until = end.min(from + BATCH_ROWS_MAX);
                let batch = Batch { items: vec![item(0, from, &tokens[from..until])] };
                logits = model.logits(&batch).remove(0);
                from = until;
            }
            let strided = (0..).step_by(769).zip(numbers(&row["logits_stride769"]));
            let (top, tops) = (ids(&row["top20_ids"]), numbers(&row["top20_logits"]));
            assert!(best(&logits) == top[0] || tops[0] - tops[1] < MARGIN, "{name}, row {end}");
            for (id, expected) in strided.chain(top.into_iter().zip(tops)) {
                worst = worst.max((f64::from(logits[id as usize]) - expected).abs());
            }
            let sum: f64 = logits.iter().map(|logit| f64::from(*logit)).sum();
            let mean = (sum - row["logits_sum"].as_f64().unwrap()) / logits.len() as f64;
            assert!(mean.abs() < LOGIT_TOLERANCE, "{name}, row {end}: off by {mean} on average");
        }
        println!("{name}: largest difference {worst:e}");
        assert!(worst < LOGIT_TOLERANCE, "{name}: {worst}");
    }
}

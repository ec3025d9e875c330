//! What a plan will be like.

use swarm_proto::{Plan, Pool, Stage};

use crate::{
    cost::{Bound, exchange_ms, hop_ms, share_ms},
    field::Field,
    ground::Share,
};

/// Tokens of the prompt that TTFT is predicted for.
const PROMPT: f64 = 256.0;
/// Tokens of the answer that the rate of requests is predicted for.
const ANSWER: f64 = 128.0;

/// Figures of a plan; infinite times if it names a device that cannot be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicted {
    /// To the first token of an answer to 256 tokens, in milliseconds; the slowest pipeline's.
    pub ttft_ms: f64,
    /// From token to token of one answer, in milliseconds; the slowest pipeline's.
    pub tpot_ms: f64,
    /// Answers of 128 tokens to 256 tokens, a second, when every stage is kept busy, unbatched.
    pub requests_per_s: f64,
    /// One token's time in every stage, hops apart, pipeline after pipeline.
    pub step_ms: Vec<f64>,
}

/// One stage at one token, or a prompt.
struct Step {
    ms: f64,
    exchanges_ms: f64,
    bound: Bound,
    machine: Option<usize>,
}

/// Predicts `plan` on `pool`.
pub fn predict(pool: &Pool, plan: &Plan) -> Predicted {
    measure(&Field::new(pool), plan).0
}

/// The figures, and what binds the time from token to token.
pub(crate) fn measure(field: &Field<'_>, plan: &Plan) -> (Predicted, String) {
    let mut all =
        Predicted { ttft_ms: 0.0, tpot_ms: 0.0, requests_per_s: 0.0, step_ms: Vec::new() };
    let mut binding = (0.0, "nothing".to_owned());
    for pipeline in &plan.pipelines {
        let run = |rows| steps(field, &pipeline.stages, rows);
        let ((tokens, token_hops), (prompts, prompt_hops)) = (run(1.0), run(PROMPT));
        let sum = |steps: &[Step]| steps.iter().map(|s| s.ms).sum::<f64>();
        let worst = |steps: &[Step]| steps.iter().map(|s| s.ms).fold(0.0, f64::max);
        all.tpot_ms = all.tpot_ms.max(sum(&tokens) + token_hops);
        all.ttft_ms = all.ttft_ms.max(sum(&prompts) + prompt_hops);
        let busy = worst(&prompts) + ANSWER * worst(&tokens);
        if busy > 0.0 {
            all.requests_per_s += 1e3 / busy;
        }
        if token_hops > binding.0 {
            binding = (token_hops, "the way between stages".to_owned());
        }
        for (number, step) in tokens.iter().enumerate() {
            if step.exchanges_ms > binding.0 {
                binding = (step.exchanges_ms, format!("exchanges within stage {number}"));
            }
            let compute = step.ms - step.exchanges_ms;
            if compute > binding.0 {
                let what = match step.bound {
                    Bound::Bandwidth => "memory bandwidth",
                    Bound::Arithmetic => "arithmetic",
                };
                binding = (compute, format!("{what} of stage {number}"));
            }
        }
        all.step_ms.extend(tokens.iter().map(|s| s.ms));
    }
    (all, binding.1)
}

/// Every stage's step, and the hops between them, the ring's last included.
fn steps(field: &Field<'_>, stages: &[Stage], rows: f64) -> (Vec<Step>, f64) {
    let steps: Vec<_> = stages
        .iter()
        .enumerate()
        .map(|(n, stage)| step(field, stage, n + 1 == stages.len(), rows))
        .collect();
    let hop = |a: &Step, b: &Step, rows| match (a.machine, b.machine) {
        (Some(a), Some(b)) => hop_ms(field, a, b, rows),
        _ => 0.0,
    };
    let mut hops: f64 = steps.windows(2).map(|pair| hop(&pair[0], &pair[1], rows)).sum();
    if let [first, .., last] = steps.as_slice() {
        hops += hop(last, first, 1.0);
    }
    (steps, hops)
}

fn step(field: &Field<'_>, stage: &Stage, last: bool, rows: f64) -> Step {
    let lost = |ms| Step { ms, exchanges_ms: 0.0, bound: Bound::Bandwidth, machine: None };
    let mut spots = Vec::new();
    let mut slowest = (0.0, Bound::Bandwidth);
    for (number, member) in stage.members.iter().enumerate() {
        let Some(spot) = field.place(member.node, member.device) else {
            return lost(f64::INFINITY);
        };
        let share = Share {
            layers: stage.layers.len(),
            heads: member.kv_heads.len(),
            columns: member.ffn_columns.len(),
            embeds: stage.layers.first() == 0,
            samples: last && number == 0,
        };
        let time = share_ms(field, spot, share, rows);
        if time.0 > slowest.0 {
            slowest = time;
        }
        spots.push(spot);
    }
    let exchanges_ms = f64::from(stage.layers.len()) * exchange_ms(field, &spots, rows);
    Step {
        ms: slowest.0 + exchanges_ms,
        exchanges_ms,
        bound: slowest.1,
        machine: spots.first().map(|&s| field.spots[s].machine),
    }
}

/// Whether every device of `plan` is there and has room for its share.
pub(crate) fn holds(field: &Field<'_>, plan: &Plan) -> bool {
    plan.check(field.model).is_ok()
        && plan.pipelines.iter().all(|pipeline| {
            pipeline.stages.iter().enumerate().all(|(number, stage)| {
                stage.members.iter().enumerate().all(|(place, member)| {
                    let share = Share {
                        layers: stage.layers.len(),
                        heads: member.kv_heads.len(),
                        columns: member.ffn_columns.len(),
                        embeds: number == 0,
                        samples: number + 1 == pipeline.stages.len() && place == 0,
                    };
                    field
                        .place(member.node, member.device)
                        .is_some_and(|spot| field.fits(spot, share))
                })
            })
        })
}

//! Plans the pools of the HexGen paper for Llama-2-70B in 16 bits with every search and prints what
//! they find, how long that took, and how far it is from the bound. Links are taken from general
//! knowledge: those of the paper were not published.
//!
//!     cargo run --release -p swarm-scheduler --example paper_pools

use std::time::Instant;

use swarm_proto::{Hash, ModelSpec};
use swarm_scheduler::{
    Ask, Ground, Model, Objective, Pace, Planner, Proposal, Rules, Spot, Way, Ways, Workload,
    propose, propose_from,
};

/// (card, how many, region): Illinois, Iceland, Nevada, Norway. The last five are the half-price
/// pool.
const FULL: [(&str, usize, usize); 9] = [
    ("A6000", 8, 0),
    ("A6000", 8, 0),
    ("A5000", 8, 0),
    ("A40", 4, 0),
    ("3090Ti", 8, 1),
    ("3090Ti", 8, 1),
    ("A5000", 8, 2),
    ("3090Ti", 3, 3),
    ("3090Ti", 3, 3),
];
/// Five times what eight A100 take for 128 tokens in and 64 out.
const DEADLINE_MS: f64 = 5.0 * 1446.0;

/// (GiB, GB/s, TFLOP/s) of a card.
fn card(name: &str) -> (f64, f64, f64) {
    match name {
        "A6000" => (48.0, 768.0, 154.8),
        "A5000" => (24.0, 768.0, 111.1),
        "3090Ti" => (24.0, 1008.0, 80.0),
        _ => (48.0, 696.0, 149.7),
    }
}

fn llama_70b() -> ModelSpec {
    ModelSpec {
        name: "Llama-2-70b".into(),
        hash: Hash([0; 32]),
        layers: 80,
        hidden: 8192,
        heads: 64,
        kv_heads: 8,
        head_dim: 128,
        ffn: 28672,
        ffn_grain: 1,
        vocab: 32000,
        context_max: 4096,
        head_bytes: 2 * 8192 * 128 * 18,
        column_bytes: 6.0 * 8192.0,
        layer_shared_bytes: 0,
        embedding_bytes: 32000 * 8192 * 2,
        output_bytes: 32000 * 8192 * 2,
        tied: false,
        kv_bytes: 512,
    }
}

fn ground(machines: &[(&str, usize, usize)], rules: Rules) -> Ground {
    let mut spots = Vec::new();
    for (machine, (name, count, _)) in machines.iter().enumerate() {
        let (gib, gb, tflop) = card(name);
        let spot = Spot {
            machine,
            name: (*name).to_owned(),
            memory_bytes: (gib * (1u64 << 30) as f64) as u64,
            pace: Pace::peak(gb * 1e6, tflop * 1e9),
        };
        spots.extend(vec![spot; *count]);
    }
    let ms = [
        [1.0, 55.0, 25.0, 60.0],
        [55.0, 1.0, 75.0, 20.0],
        [25.0, 75.0, 1.0, 80.0],
        [60.0, 20.0, 80.0, 1.0],
    ];
    let way = |ms: &f64| {
        let gbit = if *ms == 1.0 { 10.0 } else { 0.5 };
        Some(Way { ms: *ms, bytes_per_ms: gbit * 125e3 })
    };
    let ways = Ways::Regions {
        of: machines.iter().map(|machine| machine.2).collect(),
        regions: 4,
        ways: ms.iter().flatten().map(way).collect(),
    };
    let inside = vec![Way { ms: 0.01, bytes_per_ms: 12e6 }; machines.len()];
    let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
    Ground::new(Model::llama(llama_70b()), spots, inside, ways, (rules, workload))
}

/// A line of figures, and a line of pipelines: cards and degrees of their stages.
fn show(ground: &Ground, what: &str, found: &Proposal, ms: u128) {
    println!(
        "{what:24} {ms:6} ms  {:8.3} of at most {:8.3} requests/s, {:2} pipelines, {:2} idle, {:4} judged",
        found.requests_per_s,
        found.bound_requests_per_s,
        found.pipelines.len(),
        found.idle.len(),
        found.evaluations,
    );
    let stage = |stage: &swarm_scheduler::ProposedStage| {
        format!("{}x{}", ground.name(stage.members[0].spot), stage.members.len())
    };
    let pipeline = |pipeline: &swarm_scheduler::ProposedPipeline| {
        let stages: Vec<_> = pipeline.stages.iter().map(stage).collect();
        format!("{} ({:.0} ms, batch {})", stages.join(" "), pipeline.latency_ms, pipeline.batch)
    };
    let all: Vec<_> = found.pipelines.iter().map(pipeline).collect();
    println!("    {}", all.join("; "));
}

fn main() {
    let objectives = [Objective::Slo { deadline_ms: DEADLINE_MS }, Objective::Throughput];
    let planners = [
        Planner::Petals,
        Planner::Parallax,
        Planner::Symmetric,
        Planner::Helix,
        Planner::Hexgen2,
        Planner::HexgenInitial,
        Planner::HexgenRandom,
        Planner::Hexgen,
        Planner::Default,
    ];
    for (rules, named) in [(Rules::exact(), "HexGen's sums"), (Rules::fitted(), "batched")] {
        for machines in [&FULL[..], &FULL[4..]] {
            let ground = ground(machines, rules);
            for objective in objectives {
                let devices: usize = machines.iter().map(|machine| machine.1).sum();
                println!("\n{devices} devices, {named}, {objective:?}");
                for planner in planners {
                    let began = Instant::now();
                    let found = propose(&ground, &Ask { planner, objective, seed: 1 });
                    let ms = began.elapsed().as_millis();
                    match found {
                        Some(found) => show(&ground, &format!("{planner:?}"), &found, ms),
                        None => println!("{planner:?} found nothing in {ms} ms"),
                    }
                }
            }
        }
        leave(rules);
    }
}

/// Four A6000 of Illinois go: what a search from the plan before finds, and one from nothing.
fn leave(rules: Rules) {
    let (planner, objective) = (Planner::Default, Objective::Slo { deadline_ms: DEADLINE_MS });
    let ask = Ask { planner, objective, seed: 1 };
    let Some(before) = propose(&ground(&FULL, rules), &ask) else { return };
    let mut fewer = FULL;
    fewer[0].1 = 4;
    let after = ground(&fewer, rules);
    let place = |spot: usize| match spot {
        0..4 => Some(spot),
        4..8 => None,
        _ => Some(spot - 4),
    };
    let groups: Vec<Vec<usize>> = before
        .pipelines
        .iter()
        .map(|p| p.stages.iter().flat_map(|s| &s.members).filter_map(|m| place(m.spot)).collect())
        .collect();
    println!("\nfour devices leave");
    let began = Instant::now();
    let warm = propose_from(&after, &ask, &groups);
    let warm_ms = began.elapsed().as_millis();
    let began = Instant::now();
    let cold = propose(&after, &ask);
    let cold_ms = began.elapsed().as_millis();
    for (what, found, ms) in [("warm", warm, warm_ms), ("cold", cold, cold_ms)] {
        if let Some(found) = found {
            show(&after, what, &found, ms);
        }
    }
}

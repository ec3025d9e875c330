//! The pools of the HexGen paper, for tests.

use crate::{Ground, Rules, Spot, Way, Ways, Workload};

/// (GiB, GB/s, TFLOP/s).
fn card(name: &str) -> (f64, f64, f64) {
    match name {
        "A100-40" => (40.0, 1555.0, 312.0),
        "A6000" => (48.0, 768.0, 154.8),
        "A5000" => (24.0, 768.0, 111.1),
        "3090Ti" => (24.0, 1008.0, 80.0),
        _ => (48.0, 696.0, 149.7),
    }
}

/// 58 devices in Illinois, Iceland, Nevada and Norway; the last three are the half-price pool.
pub(crate) const FULL: [(&str, usize, usize); 9] = [
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

pub(crate) fn ground(
    machines: &[(&str, usize, usize)],
    workload: Workload,
    rules: Rules,
) -> Ground {
    let mut spots = Vec::new();
    for (machine, (name, count, _)) in machines.iter().enumerate() {
        let (gib, gb, tflop) = card(name);
        let spot = Spot {
            machine,
            name: (*name).to_owned(),
            memory_bytes: (gib * (1u64 << 30) as f64) as u64,
            bytes_per_ms: gb * 1e6,
            flops_per_ms: tflop * 1e9,
            layer_ms: 0.0,
        };
        spots.extend(vec![spot; *count]);
    }
    let way = |ms, gbit: f64| Way { ms, bytes_per_ms: gbit * 125e3 };
    let inside = |(name, ..): &(&str, usize, usize)| match *name {
        "A100-40" => Way { ms: 0.005, bytes_per_ms: 300e6 },
        _ => Way { ms: 0.01, bytes_per_ms: 12e6 },
    };
    let ms = [
        [1.0, 55.0, 25.0, 60.0],
        [55.0, 1.0, 75.0, 20.0],
        [25.0, 75.0, 1.0, 80.0],
        [60.0, 20.0, 80.0, 1.0],
    ];
    let regions = ms.iter().flatten().map(|ms| Some(way(*ms, if *ms == 1.0 { 10.0 } else { 0.5 })));
    let ways = Ways::Regions {
        of: machines.iter().map(|machine| machine.2).collect(),
        regions: 4,
        ways: regions.collect(),
    };
    let model = crate::phase1::llama_70b(rules.flavor);
    Ground::new(model, None, spots, machines.iter().map(inside).collect(), ways, (rules, workload))
}

#[test]
#[ignore = "prints"]
fn show() {
    use crate::{Ask, Objective, Planner, propose};
    let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
    for rules in [Rules::exact(), Rules::fitted()] {
        for machines in [&FULL[..], &FULL[4..]] {
            let ground = ground(machines, workload, rules);
            for objective in [
                Objective::Slo { deadline_ms: 1446.0 * 5.0 },
                Objective::Throughput,
                Objective::Latency,
            ] {
                for planner in [
                    Planner::HexgenInitial,
                    Planner::HexgenRandom,
                    Planner::Hexgen,
                    Planner::Default,
                ] {
                    let now = std::time::Instant::now();
                    let found = propose(&ground, &Ask { planner, objective, seed: 1 });
                    let ms = now.elapsed().as_millis();
                    let Some(found) = found else {
                        println!("{planner:?}: nothing in {ms} ms");
                        continue;
                    };
                    let shape: Vec<String> = found
                        .pipelines
                        .iter()
                        .map(|p| {
                            let stages: Vec<String> = p
                                .stages
                                .iter()
                                .map(|s| {
                                    format!(
                                        "{}x{}",
                                        ground.spots[s.members[0].spot].name,
                                        s.members.len()
                                    )
                                })
                                .collect();
                            format!(
                                "{}@{:.0}/{:.2}b{}",
                                stages.join(">"),
                                p.latency_ms,
                                p.requests_per_s,
                                p.batch
                            )
                        })
                        .collect();
                    println!(
                        "{} {objective:?} {planner:?} {ms} ms: {:.3}/s idle {} evals {} {shape:?}",
                        machines.len(),
                        found.requests_per_s,
                        found.idle.len(),
                        found.evaluations
                    );
                }
            }
        }
    }
}

#[test]
#[ignore = "prints"]
fn large() {
    use crate::{Ask, Objective, Planner, propose};
    let names = ["A100-40", "A6000", "A5000", "3090Ti", "A40"];
    let machines: Vec<(&str, usize, usize)> =
        (0..140).map(|n| (names[n * 7 % 5], [8, 8, 4, 8][n % 4], n % 4)).collect();
    println!("{} devices", machines.iter().map(|m| m.1).sum::<usize>());
    let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
    for rules in [Rules::exact(), Rules::fitted()] {
        let ground = ground(&machines, workload, rules);
        println!("{} classes", ground.classes.len());
        for objective in [Objective::Slo { deadline_ms: 1446.0 * 5.0 }, Objective::Throughput] {
            let now = std::time::Instant::now();
            let found = propose(&ground, &Ask { planner: Planner::Default, objective, seed: 1 });
            let found = found.unwrap();
            println!(
                "{objective:?} {} ms: {:.2}/s, {} pipelines, {} idle, {} evaluations {:?}",
                now.elapsed().as_millis(),
                found.requests_per_s,
                found.pipelines.len(),
                found.idle.len(),
                found.evaluations,
                found.progress
            );
        }
    }
}

#[test]
#[ignore = "prints"]
fn warm() {
    use crate::{Ask, Objective, Planner, propose, propose_from};
    let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
    for rules in [Rules::exact(), Rules::fitted()] {
        let before = ground(&FULL, workload, rules);
        let mut fewer = FULL;
        fewer[0].1 = 4;
        let after = ground(&fewer, workload, rules);
        let ask = Ask {
            planner: Planner::Default,
            objective: Objective::Slo { deadline_ms: 7230.0 },
            seed: 1,
        };
        let old = propose(&before, &ask).unwrap();
        let groups: Vec<Vec<usize>> = old
            .pipelines
            .iter()
            .map(|p| {
                p.stages
                    .iter()
                    .flat_map(|s| &s.members)
                    .map(|m| m.spot)
                    .filter(|s| !(4..8).contains(s))
                    .map(|s| if s < 4 { s } else { s - 4 })
                    .collect()
            })
            .collect();
        let now = std::time::Instant::now();
        let warm = propose_from(&after, &ask, &groups).unwrap();
        let warm_ms = now.elapsed().as_millis();
        let now = std::time::Instant::now();
        let cold = propose(&after, &ask).unwrap();
        println!(
            "before {:.3} of {:.3}; warm {:.3} in {warm_ms} ms, {} evaluations; cold {:.3} in {} ms",
            old.requests_per_s,
            old.bound_requests_per_s,
            warm.requests_per_s,
            warm.evaluations,
            cold.requests_per_s,
            now.elapsed().as_millis()
        );
    }
}

//! How soon our planner plans, beside what it is to keep: the HexGen paper's pools, pools drawn by
//! lot of a thousand and of ten thousand devices, and pools that four devices leave, from the plan
//! before and from nothing. The median of five runs, or of as many as a minute has room for. For
//! Llama-2-70B in 16 bits, prompts of 128 tokens and answers of 64, done within five times what eight
//! A100 take.
//!
//!     cargo run --release -p swarm-scheduler --example pace [-- --runs 5]

mod common;

use std::fmt::Write;

use common::{ground, median, parsed, pool, rules, slo, table, timed};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use swarm_scheduler::{Ask, Planner, PoolFile, Proposal, Rules, propose, propose_from};

/// Cards of pools that are drawn by lot, and how many a machine has.
const CARDS: [&str; 8] =
    ["RTX3090", "RTX4090", "RTX3090Ti", "RTX-A5000", "RTX-A6000", "A40", "L4", "A100-SXM-40GB"];
const SIZES: [usize; 4] = [1, 2, 4, 8];
const REGIONS: usize = 12;

/// Who leaves: four of the first machine with such cards.
const LEAVERS: [&str; 2] = ["RTX-A6000", "RTX3090Ti"];
const LEAVE: usize = 4;

/// Pools and the seconds they may take; where nothing is said, none.
const POOLS: [(&str, Option<f64>); 3] =
    [("hexgen_full58", Some(1.0)), ("hexgen_half30", Some(0.5)), ("hexgen_homogeneous", None)];
const DRAWN: [(usize, Option<f64>); 2] = [(1_000, Some(10.0)), (10_000, None)];
const WARM_S: f64 = 0.2;

fn main() {
    let mut flags = std::env::args().skip(1);
    let runs = match (flags.next().as_deref(), flags.next()) {
        (None, _) => 5,
        (Some("--runs"), Some(runs)) => runs.parse().unwrap_or(5).max(1),
        _ => panic!("there is --runs N"),
    };
    let ask = Ask { planner: Planner::Default, objective: slo(common::SCALE), seed: 1 };
    let heads = ["pool", "ms", "least", "most", "bar", "requests/s", "of bound", "judged"];
    for (named, rules) in rules() {
        println!("\n{named}, median of up to {runs}");
        let mut rows = Vec::new();
        for (name, bar) in POOLS {
            rows.push(cold(name, &pool(name), rules, &ask, (runs, bar)));
        }
        for card in LEAVERS {
            rows.extend(leave(card, rules, &ask, runs));
        }
        table(&heads, &rows);
    }
    for (devices, bar) in DRAWN {
        for (named, rules) in rules() {
            println!("\n{named}, median of up to {runs}");
            let name = format!("{devices} drawn by lot");
            table(&heads, &[cold(&name, &drawn(devices, 1), rules, &ask, (runs, bar))]);
        }
    }
}

/// A row: times, what they are to keep, and what was found.
fn row(what: &str, (found, ms): (Option<Proposal>, Vec<f64>), bar: Option<f64>) -> Vec<String> {
    let mid = median(&ms);
    let mut cells = vec![what.to_owned()];
    cells.extend([mid, ms[0], ms[ms.len() - 1]].map(|ms| format!("{ms:.0}")));
    cells.push(bar.map_or(String::new(), |s| format!("{:.0}", s * 1e3)));
    match found {
        None => cells.extend(["nothing", "", ""].map(str::to_owned)),
        Some(found) => cells.extend([
            format!("{:.3}", found.requests_per_s),
            format!("{:.1} %", 100.0 * found.requests_per_s / found.bound_requests_per_s),
            found.evaluations.to_string(),
        ]),
    }
    cells.push(match bar {
        Some(s) if mid > s * 1e3 => "MISSED".to_owned(),
        Some(_) => "kept".to_owned(),
        None => String::new(),
    });
    cells
}

fn cold(
    what: &str,
    pool: &PoolFile,
    rules: Rules,
    ask: &Ask,
    (runs, bar): (usize, Option<f64>),
) -> Vec<String> {
    let ground = ground(pool, rules);
    row(what, timed(runs, || propose(&ground, ask)), bar)
}

/// Four devices of a machine of the pool of 58 go: the search from the plan before, and the one from
/// nothing.
fn leave(card: &str, rules: Rules, ask: &Ask, runs: usize) -> Vec<Vec<String>> {
    let mut pool = pool("hexgen_full58");
    let before = propose(&ground(&pool, rules), ask).expect("a plan of all");
    let machine = pool.machines.iter().position(|machine| machine.device == card);
    let machine = machine.expect("a machine with such cards");
    let first: usize = pool.machines[..machine].iter().map(|machine| machine.devices.len()).sum();
    let end = first + pool.machines[machine].devices.len();
    let stay = end - LEAVE;
    pool.machines[machine].devices.truncate(stay - first);
    let place = |spot: usize| match spot {
        spot if spot < stay => Some(spot),
        spot if spot < end => None,
        spot => Some(spot - LEAVE),
    };
    let group = |pipeline: &swarm_scheduler::ProposedPipeline| {
        let members = pipeline.stages.iter().flat_map(|stage| &stage.members);
        members.filter_map(|member| place(member.spot)).collect()
    };
    let groups: Vec<Vec<usize>> = before.pipelines.iter().map(group).collect();
    let after = ground(&pool, rules);
    let warm = timed(runs, || propose_from(&after, ask, &groups));
    let cold = timed(runs, || propose(&after, ask));
    vec![
        row(&format!("58 less {LEAVE} {card}, warm"), warm, Some(WARM_S)),
        row(&format!("58 less {LEAVE} {card}, cold"), cold, None),
    ]
}

/// So many devices: machines of one, two, four or eight like cards each, in regions 10 to 120 ms and
/// 0.2 to 2 Gbit/s apart.
fn drawn(devices: usize, seed: u64) -> PoolFile {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |below: usize| (random.next_u64() % below as u64) as usize;
    let mut text =
        String::from("[network]\ninside_latency_ms = 1.0\ninside_bandwidth_gbit_s = 10.0\n");
    for (from, to) in (0..REGIONS).flat_map(|from| (0..from).map(move |to| (from, to))) {
        let (ms, gbit) = (10 + draw(111), 0.2 + draw(19) as f64 / 10.0);
        let between = format!("regions = [\"{from}\", \"{to}\"]");
        let figures = format!("latency_ms = {ms}\nbandwidth_gbit_s = {gbit:.1}");
        writeln!(text, "[[network.between]]\n{between}\n{figures}").expect("text");
    }
    let mut left = devices;
    while left > 0 {
        let (card, gpus) = (CARDS[draw(CARDS.len())], SIZES[draw(SIZES.len())].min(left));
        let region = draw(REGIONS);
        writeln!(text, "[[machine]]\ngpu = \"{card}\"\ngpus = {gpus}\nregion = \"{region}\"")
            .expect("text");
        left -= gpus;
    }
    parsed(&text)
}

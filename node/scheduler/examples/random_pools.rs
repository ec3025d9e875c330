//! How far our plans for pools drawn by lot are from the best that HexGen's searches and ours with other
//! seeds find in a while (plans whose replicas share devices are not counted): Llama-2-70B in 16 bits, prompts of 128 tokens and answers of 64, as many requests as are done within four times the
//! time of the fastest pipeline.
//!
//!     cargo run --release -p swarm-scheduler --example random_pools [-- --pools 12] [--search 60] [--first 1]
//!
//! Half of the pools have a few regions of several machines, the other half a region for each machine.

mod common;

use std::time::Instant;

use common::{again, ground, parsed, table, timed};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use swarm_scheduler::{Ask, Ground, Objective, Planner, PoolFile, Rules, propose};

/// Cards, from small to large.
const CARDS: [&str; 10] = [
    "T4",
    "RTX3080-10GB",
    "RTX3090",
    "RTX4090",
    "RTX-A5000",
    "RTX-A6000",
    "L4",
    "L40S",
    "V100-SXM2-32GB",
    "A100-SXM-40GB",
];
const DEVICES_MAX: usize = 64;
/// What 70 billion parameters of 16 bits take, and something.
const LEAST_GIB: f64 = 180.0;
/// How many times the fastest pipeline's time a request may take.
const PATIENCE: f64 = 4.0;
/// For our plan; others begin with the next.
const SEED: u64 = 1;
/// Those that draw lots, each in turn.
const BY_LOT: [Planner; 3] = [Planner::Default, Planner::Hexgen, Planner::HexgenRandom];
/// How far ours may be from the best.
const NEAR: f64 = 0.02;

/// Machines of one to eight cards, so many as a draw says, or more until there is room for the model.
fn drawn(seed: u64) -> PoolFile {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let apart = seed.is_multiple_of(2);
    let regions = random.random_range(2..=5);
    let wanted = random.random_range(8..=DEVICES_MAX);
    let (mut text, mut devices, mut gib, mut names) = (String::new(), 0, 0.0, Vec::new());
    loop {
        let card = CARDS[random.random_range(0..CARDS.len())];
        let most: usize = if apart { 4 } else { 8 };
        let cards = 1 << random.random_range(0..=most.ilog2());
        if devices + cards > DEVICES_MAX || devices >= wanted && gib >= LEAST_GIB {
            break;
        }
        let facts = swarm_scheduler::catalogue::device(card).expect("a card of the catalogue");
        (devices, gib) = (devices + cards, gib + cards as f64 * facts.memory_gib);
        let region = if apart { names.len() } else { random.random_range(0..regions) };
        let region = format!("r{region}");
        text += &format!("[[machine]]\ngpu = \"{card}\"\ngpus = {cards}\nregion = \"{region}\"\n");
        if !names.contains(&region) {
            names.push(region);
        }
    }
    text += "[network]\ninside_latency_ms = 0.5\ninside_bandwidth_gbit_s = 10\n";
    for (place, one) in names.iter().enumerate() {
        for other in &names[..place] {
            let ms: f64 = random.random_range(2.0..80.0);
            let gbit_s: f64 = random.random_range(0.3..5.0);
            text += &format!(
                "[[network.between]]\nregions = [\"{one}\", \"{other}\"]\nlatency_ms = {ms:.1}\n\
                 bandwidth_gbit_s = {gbit_s:.2}\n"
            );
        }
    }
    parsed(&text)
}

/// A row for a pool: what it is, how long ours took, and its part of the best.
fn row(seed: u64, pool: &PoolFile, ground: &Ground, search_s: u64) -> Option<Vec<String>> {
    let ask = |planner, objective, seed| Ask { planner, objective, seed };
    let fastest = propose(ground, &ask(Planner::Default, Objective::Latency, SEED))?;
    let deadline_ms = PATIENCE * fastest.routes[0].latency_ms;
    let objective = Objective::Slo { deadline_ms };
    let (found, ms) = timed(1, || propose(ground, &ask(Planner::Default, objective, SEED)));
    let found = found?;
    let ours = found.requests_per_s;
    let (mut best, mut by) = (ours, "ours".to_owned());
    let mut better = |worth: f64, whose: String| {
        if worth > best {
            (best, by) = (worth, whose);
        }
    };
    let began = Instant::now();
    for lot in SEED + 1.. {
        for planner in BY_LOT {
            if began.elapsed().as_secs() < search_s {
                let theirs = propose(ground, &ask(planner, objective, lot));
                let worth = theirs.map_or(0.0, |found| again(&found, objective, SEED));
                better(worth, format!("{planner:?} {lot}"));
            }
        }
        if began.elapsed().as_secs() >= search_s {
            break;
        }
    }
    let part = ours / best;
    Some(vec![
        seed.to_string(),
        ground.devices().to_string(),
        pool.machines.len().to_string(),
        if seed.is_multiple_of(2) { "each its own" } else { "some" }.to_owned(),
        format!("{:.0}", ms[0]),
        found.pipelines.len().to_string(),
        format!("{ours:.3}"),
        format!("{best:.3}"),
        by,
        format!("{:.1} %", 100.0 * part),
        if part >= 1.0 - NEAR { "kept" } else { "MISSED" }.to_owned(),
    ])
}

fn main() {
    let mut flags = std::env::args().skip(1);
    let (mut pools, mut search_s, mut first) = (12, 60, 1);
    let number = |flag: Option<String>| flag.and_then(|n| n.parse::<u64>().ok()).expect("a number");
    while let Some(flag) = flags.next() {
        match flag.as_str() {
            "--pools" => pools = number(flags.next()),
            "--search" => search_s = number(flags.next()),
            "--first" => first = number(flags.next()),
            other => panic!("{other}: there are --pools N, --search SECONDS and --first SEED"),
        }
    }
    let heads = ["pool", "devices", "machines", "regions", "ms", "replicas", "ours", "best", "by"];
    let heads = [&heads[..], &["part", "within 2 %"]].concat();
    let mut rows = Vec::new();
    for seed in first..first + pools {
        let pool = drawn(seed);
        let ground = ground(&pool, Rules::fitted());
        eprintln!("pool {seed}: {} devices", ground.devices());
        rows.push(row(seed, &pool, &ground, search_s).unwrap_or_else(|| {
            vec![seed.to_string(), ground.devices().to_string(), "no plan".to_owned()]
        }));
    }
    table(&heads, &rows);
    let kept = rows.iter().filter(|row| row.last().is_some_and(|last| last == "kept")).count();
    let planned = rows.iter().filter(|row| row.len() == heads.len()).count();
    println!("\nwithin 2 % on {kept} of {planned} pools that have a plan; requests/s");
}

//! What each planner finds on the pools of the HexGen and the Helix papers, for Llama-2-70B in 16
//! bits, prompts of 128 tokens and answers of 64: a row a planner, ours last. Three objectives: the
//! rate at which 99 of 100 requests are done within so many times what eight A100 take; the part that
//! is, at a twentieth more than the best of these rates; and requests a second, whatever they take.
//!
//!     cargo run --release -p swarm-scheduler --example planners [-- --runs 3] [--json] [--search 60]
//!
//! With `--search`, searches by lot go on with other seeds for so many seconds, to see how far ours is
//! from the best that anyone finds in that time.
//!
//! Links of the HexGen paper's pools are from general knowledge: its own were not published.

mod common;

use std::time::Instant;

use common::{again, ground, median, pool, rules, slo, table, timed};
use swarm_scheduler::{Ask, Ground, Objective, Planner, Proposal, Rules, Workload, propose};

/// Pools, and how many times what eight A100 take a request may: in less than 20 times hardly any is
/// done by L4 and T4 cards, whoever plans.
const POOLS: [(&str, f64); 5] = [
    ("hexgen_full58", 5.0),
    ("hexgen_half30", 5.0),
    ("hexgen_homogeneous", 5.0),
    ("helix_single24", 20.0),
    ("helix_geo24", 20.0),
];
/// All but the one that looks at every partition. Ours is the last.
const PLANNERS: [Planner; 9] = [
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
/// For tables.
const SEED: u64 = 1;
/// Those that draw lots.
const BY_LOT: [Planner; 3] = [Planner::Default, Planner::Hexgen, Planner::HexgenRandom];
/// How far ours may be from what they find.
const NEAR: f64 = 0.02;
/// What is asked for beyond the best rate, where the part in time is looked at.
const BEYOND: f64 = 1.05;

/// What a planner found.
struct Row {
    planner: Planner,
    found: Option<Proposal>,
    ms: Vec<f64>,
}

impl Row {
    /// What planners are compared by: the part in time where a rate is given.
    fn worth(&self, rate: Option<f64>) -> f64 {
        self.found.as_ref().map_or(0.0, |found| match rate {
            Some(_) => found.attainment.unwrap_or(0.0),
            None => found.requests_per_s,
        })
    }

    fn cells(&self, note: String) -> Vec<String> {
        let ms = [self.ms[0], median(&self.ms)].map(|ms| format!("{ms:.0}"));
        let mut cells = vec![format!("{:?}", self.planner)];
        cells.extend(ms);
        match &self.found {
            None => cells.extend(["nothing", "", "", "", "", "", ""].map(str::to_owned)),
            Some(found) => cells.extend([
                format!("{:.3}", found.requests_per_s),
                format!("{:.3}", found.bound_requests_per_s),
                format!("{:.1} %", 100.0 * found.requests_per_s / found.bound_requests_per_s),
                found.attainment.map_or(String::new(), |part| format!("{:.2} %", 100.0 * part)),
                found.pipelines.len().to_string(),
                found.idle.len().to_string(),
                found.evaluations.to_string(),
            ]),
        }
        cells.push(note);
        cells
    }

    fn json(&self, case: &Case<'_>) -> serde_json::Value {
        let figures = self.found.as_ref().map(|found| {
            serde_json::json!({
                "requests_per_s": found.requests_per_s,
                "bound_requests_per_s": found.bound_requests_per_s,
                "attainment": found.attainment,
                "pipelines": found.pipelines.len(),
                "idle": found.idle.len(),
                "evaluations": found.evaluations,
            })
        });
        serde_json::json!({
            "pool": case.pool,
            "rules": case.rules,
            "objective": case.named(),
            "planner": format!("{:?}", self.planner),
            "wall_ms": self.ms,
            "found": figures,
        })
    }
}

/// What is asked of this program.
struct Asked {
    runs: usize,
    json: bool,
    search_s: u64,
}

/// A table: a pool, whose sums, and what is asked for.
struct Case<'a> {
    pool: &'a str,
    rules: &'a str,
    objective: Objective,
    rate: Option<f64>,
}

impl Case<'_> {
    fn named(&self) -> String {
        match (self.objective, self.rate) {
            (Objective::Slo { deadline_ms }, Some(rate)) => {
                format!("part within {deadline_ms:.0} ms at {rate:.3} requests/s")
            }
            (Objective::Slo { deadline_ms }, None) => {
                format!("requests/s of which 99 % within {deadline_ms:.0} ms")
            }
            (objective, _) => format!("{objective:?}").to_lowercase(),
        }
    }

    /// Runs all planners, shows what they found, and gives the best worth, and what is to be said
    /// of ours.
    fn run(&self, ground: &Ground, asked: &Asked) -> (f64, String) {
        let row = |planner| {
            let ask = Ask { planner, objective: self.objective, seed: SEED };
            let (found, ms) = timed(asked.runs, || propose(ground, &ask));
            Row { planner, found, ms }
        };
        let rows: Vec<Row> = PLANNERS.into_iter().map(row).collect();
        let (ours, others) = rows.split_last().expect("planners");
        let worth = |row: &Row| row.worth(self.rate);
        let best = others.iter().max_by(|a, b| worth(a).total_cmp(&worth(b))).expect("others");
        let by = 100.0 * (worth(ours) / worth(best) - 1.0);
        let note = match worth(ours) >= worth(best) {
            true if worth(best) > 0.0 => format!("never below; {by:+.2} % to {:?}", best.planner),
            true => "never below".to_owned(),
            false => format!("BELOW {:?} by {:.2} %", best.planner, -by),
        };
        if asked.json {
            rows.iter().for_each(|row| println!("{}", row.json(self)));
            return (worth(ours).max(worth(best)), note);
        }
        println!("\n{}, {}: {}", self.pool, self.rules, self.named());
        let heads = ["planner", "ms", "median", "requests/s", "bound", "of it", "in time"];
        let heads = [&heads[..], &["pipelines", "idle", "judged"]].concat();
        let last = |row: &Row| if row.planner == ours.planner { note.clone() } else { "".into() };
        table(&heads, &rows.iter().map(|row| row.cells(last(row))).collect::<Vec<_>>());
        if asked.search_s > 0 && self.rate.is_none() {
            self.search(ground, worth(best).max(worth(ours)), worth(ours), asked.search_s);
        }
        (worth(ours).max(worth(best)), note)
    }
}

impl Case<'_> {
    /// Searches with other seeds as long as is asked for, and says how far ours is from the best.
    fn search(&self, ground: &Ground, mut best: f64, ours: f64, search_s: u64) {
        let (began, mut searches) = (Instant::now(), 0);
        for seed in 2.. {
            if began.elapsed().as_secs() >= search_s {
                break;
            }
            for planner in BY_LOT {
                let found = propose(ground, &Ask { planner, objective: self.objective, seed });
                searches += 1;
                best = found.map_or(best, |found| best.max(again(&found, self.objective, SEED)));
            }
        }
        let part = ours / best;
        let kept = if part >= 1.0 - NEAR { "kept" } else { "MISSED" };
        println!(
            "best of {searches} searches in {search_s} s: {best:.3}; ours has {:.2} %: {kept}",
            100.0 * part
        );
    }
}

fn main() {
    let mut flags = std::env::args().skip(1);
    let mut asked = Asked { runs: 3, json: false, search_s: 0 };
    let number =
        |flag: Option<String>| flag.and_then(|n| n.parse::<usize>().ok()).expect("a number");
    while let Some(flag) = flags.next() {
        match flag.as_str() {
            "--json" => asked.json = true,
            "--runs" => asked.runs = number(flags.next()).max(1),
            "--search" => asked.search_s = number(flags.next()) as u64,
            other => panic!("{other}: there are --runs N, --json and --search SECONDS"),
        }
    }
    let mut below = Vec::new();
    for (name, scale) in POOLS {
        for (named, rules) in rules() {
            for (case, note) in cases((name, scale), (named, rules), &asked) {
                if note.starts_with("BELOW") {
                    below.push(format!("{name}, {named}, {}: {note}", case.named()));
                }
            }
        }
    }
    if !asked.json {
        println!("\nours is below a baseline in {} tables", below.len());
        below.iter().for_each(|case| println!("  {case}"));
    }
}

/// The objectives of a pool, and what is to be said of ours in each.
fn cases<'a>(
    (name, scale): (&'a str, f64),
    (named, rules): (&'a str, Rules),
    asked: &Asked,
) -> Vec<(Case<'a>, String)> {
    let case = |objective, rate| Case { pool: name, rules: named, objective, rate };
    let free = ground(&pool(name), rules);
    let peak = case(slo(scale), None);
    let (best, of_peak) = peak.run(&free, asked);
    let mut all = vec![(peak, of_peak)];
    if best > 0.0 {
        // Three figures, as it is printed.
        let rate = Some((BEYOND * best * 1e3).round() / 1e3);
        let workload = Workload { requests_per_s: rate, ..common::WORKLOAD };
        let crowded = pool(name).ground(common::llama_70b(), rules, workload);
        let part = case(slo(scale), rate);
        let (_, of_part) = part.run(&crowded, asked);
        all.push((part, of_part));
    }
    let most = case(Objective::Throughput, None);
    let (_, of_most) = most.run(&free, asked);
    all.push((most, of_most));
    all
}

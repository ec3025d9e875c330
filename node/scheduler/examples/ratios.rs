//! What the HexGen paper's pools serve beside each other: by layouts made by hand, whose figures
//! another program's simulation gave; by our simulation of the same layouts; and by our planner's
//! plans, each made for the very deadline (HexGen's sums, Llama-2-70B in 16 bits, prompts of 128
//! tokens and answers of 64). Deadlines are so many times what eight A100 take.
//!
//!     cargo run --release -p swarm-scheduler --example ratios

mod common;

use common::{eight_ms, middle, pool, table};
use swarm_scheduler::{Ask, Objective, Planner, Replica, Rules, Serving, Workload, propose};

const SCALES: [f64; 5] = [3.0, 5.0, 8.0, 10.0, 20.0];
/// Requests a second at which the earliest deadline is looked for.
const RATE: f64 = 1.25;
/// Which is found with so many halvings of all up to this scale.
const SCALE_MAX: f64 = 12.0;
const HALVINGS: usize = 10;
/// Requests of a simulation, and seeds, of which medians are told.
const REQUESTS: usize = 8_000;
const SEEDS: u64 = 5;
/// How far off ours may be from the other simulation.
const NEAR: f64 = 0.1;
/// How far equal layouts may be apart where their figures were looked for by halving.
const HALVED: f64 = 0.005;

/// Peak rates at the scales, and the least scale.
#[derive(Clone, Copy)]
struct Figures {
    rates: [f64; 5],
    scale: f64,
}

/// A layout made by hand: replicas as (count, latency, period) in seconds, and what it serves.
struct Layout {
    name: &'static str,
    replicas: &'static [(usize, f64, f64)],
    said: Figures,
}

const fn layout(
    name: &'static str,
    replicas: &'static [(usize, f64, f64)],
    rates: [f64; 5],
    scale: f64,
) -> Layout {
    Layout { name, replicas, said: Figures { rates, scale } }
}

/// The other simulation counts 1.446 s for what eight A100 take.
const OTHER_MS: f64 = 1446.0;
const LAYOUTS: [Layout; 4] = [
    layout("16 as 2 x TP8", &[(2, 1.446, 1.446)], [0.77, 1.06, 1.20, 1.26, 1.35], 10.3),
    layout("16 as 4 x TP4", &[(4, 1.744, 1.744)], [1.64, 1.96, 2.14, 2.20, 2.29], 2.2),
    layout(
        "58",
        &[
            (4, 3.581, 3.581),
            (1, 3.878, 3.878),
            (2, 2.985, 2.985),
            (2, 2.657, 2.657),
            (1, 6.148, 1.607),
        ],
        [1.56, 2.69, 3.17, 3.29, 3.41],
        2.6,
    ),
    layout(
        "30",
        &[(2, 2.657, 2.657), (1, 6.148, 1.607), (1, 2.985, 2.985)],
        [0.33, 0.96, 1.41, 1.52, 1.68],
        6.5,
    ),
];

impl Layout {
    /// What our simulation says.
    fn simulated(&self) -> Figures {
        let replica = |latency: f64, period: f64| Replica {
            latency_ms: latency * 1e3,
            period_ms: period * 1e3,
        };
        let of =
            |(count, latency, period): &(usize, f64, f64)| vec![replica(*latency, *period); *count];
        let replicas: Vec<Replica> = self.replicas.iter().flat_map(of).collect();
        let servings: Vec<Serving> = (1..=SEEDS).map(|seed| Serving::new(seed, REQUESTS)).collect();
        let median = |of: &dyn Fn(&Serving) -> f64| middle(servings.iter().map(of).collect());
        let earliest = |serving: &Serving| {
            let mut all: Vec<f64> = serving.latencies_ms(&replicas[..], RATE).collect();
            all.sort_by(f64::total_cmp);
            all[(all.len() * 99).div_ceil(100) - 1] / OTHER_MS
        };
        let rate = |scale: f64| median(&|s| s.peak_rate(&replicas[..], scale * OTHER_MS));
        Figures { rates: SCALES.map(rate), scale: median(&earliest) }
    }
}

/// What our plans of a pool serve.
fn planned(name: &str) -> Figures {
    let pool = pool(name);
    let reference = eight_ms();
    let plan = |scale: f64, rate: Option<f64>, seed: u64| {
        let workload = Workload { requests_per_s: rate, ..common::WORKLOAD };
        let ground = pool.ground(common::llama_70b(), Rules::exact(), workload);
        let objective = Objective::Slo { deadline_ms: scale * reference };
        propose(&ground, &Ask { planner: Planner::Default, objective, seed })
    };
    let peak = |scale: f64| {
        let rate = |seed| plan(scale, None, seed).map_or(0.0, |found| found.requests_per_s);
        middle((1..=SEEDS).map(rate).collect())
    };
    let earliest = |seed: u64| {
        let (mut early, mut met) = (0.0, SCALE_MAX);
        for _ in 0..HALVINGS {
            let scale = (early + met) / 2.0;
            let part = plan(scale, Some(RATE), seed).and_then(|found| found.attainment);
            if part.is_some_and(|part| part >= 0.99) { met = scale } else { early = scale }
        }
        met
    };
    Figures { rates: SCALES.map(peak), scale: middle((1..=SEEDS).map(earliest).collect()) }
}

impl Figures {
    /// How many times the rates of another, and by how many times sooner.
    fn over(&self, other: &Self) -> Self {
        let rate = |place: usize| self.rates[place] / other.rates[place];
        Self { rates: std::array::from_fn(rate), scale: other.scale / self.scale }
    }

    fn all(&self) -> impl Iterator<Item = f64> {
        self.rates.into_iter().chain([self.scale])
    }

    fn row(&self, what: &str) -> Vec<String> {
        let figures = self.all().map(|figure| format!("{figure:.2}"));
        [what.to_owned()].into_iter().chain(figures).collect()
    }

    /// The same with the most and the mean of the rates, as papers tell them.
    fn ratios(&self, what: &str) -> Vec<String> {
        let mut row = self.row(what);
        let most = self.rates.iter().copied().fold(0.0, f64::max);
        let mean = self.rates.iter().sum::<f64>() / self.rates.len() as f64;
        row.splice(6..6, [most, mean].map(|figure| format!("{figure:.2}")));
        row
    }
}

fn lower(plan: f64, hand: f64) -> bool {
    plan < hand * (1.0 - HALVED)
}

fn main() {
    println!("Peak rate (requests/s) of which 99 % are in time, by the scale of the deadline;");
    println!("and the least scale at which 99 % are at {RATE} requests/s\n");
    let simulated = LAYOUTS.each_ref().map(Layout::simulated);
    let mut rows = Vec::new();
    for (layout, own) in LAYOUTS.iter().zip(&simulated) {
        rows.push(layout.said.row(&format!("{}, by hand, said", layout.name)));
        rows.push(own.row(&format!("{}, by hand, simulated", layout.name)));
    }
    let [sixteen, full, half] =
        ["hexgen_homogeneous", "hexgen_full58", "hexgen_half30"].map(planned);
    rows.push(sixteen.row("16, our plans"));
    rows.push(full.row("58, our plans"));
    rows.push(half.row("30, our plans"));
    let heads = ["pool", "3x", "5x", "8x", "10x", "20x", "at 1.25/s"];
    table(&heads, &rows);

    println!("\nRates and deadlines of a pool over another's (above 1: more, or sooner)\n");
    let said = LAYOUTS.each_ref().map(|layout| layout.said);
    let (mut rows, mut worse, mut far) = (Vec::new(), Vec::new(), Vec::new());
    for (name, place, ours, paper) in
        [("58", 2, &full, ["4.00", "2.00", "2.3, mean 1.5"]), ("30", 3, &half, ["", "1", "1"])]
    {
        for base in [0, 1] {
            let pair = format!("{name} over {}", LAYOUTS[base].name);
            let (told, own) =
                (said[place].over(&said[base]), simulated[place].over(&simulated[base]));
            let plans = ours.over(&simulated[base]);
            rows.push(told.ratios(&format!("{pair}, said")));
            rows.push(own.ratios(&format!("{pair}, simulated")));
            rows.push(plans.ratios(&format!("{pair}, our plan of {name}")));
            note(&mut far, &pair, own.all().zip(told.all()), |own, told| {
                (own / told - 1.0).abs() > NEAR
            });
            note(&mut worse, &pair, plans.all().zip(own.all()), lower);
        }
        let both = ours.over(&sixteen);
        rows.push(both.ratios(&format!("{name} over 16, our plans of both")));
        let best = simulated[place].over(&simulated[1]);
        let pair = format!("{name} over 16, our plans of both, beside by hand over 4 x TP4");
        note(&mut worse, &pair, both.all().zip(best.all()), lower);
        let headline = paper.map(str::to_owned);
        let row = [format!("{name} over 16, the paper's")].into_iter();
        rows.push(row.chain(vec![String::new(); 5]).chain(headline).collect());
    }
    let plans = [&sixteen, &sixteen, &full, &half];
    for ((layout, hand), ours) in LAYOUTS.iter().zip(&simulated).zip(plans) {
        let pair = format!("our plan over {}", layout.name);
        note(&mut worse, &pair, ours.over(hand).all().zip([1.0; 6]), lower);
    }
    let heads = ["pools", "3x", "5x", "8x", "10x", "20x", "most", "mean", "at 1.25/s"];
    table(&heads, &rows);
    tell(&format!("ratios by hand off by more than {NEAR}"), &far);
    tell("ratios where our plan is worse than the layout by hand", &worse);
}

/// Notes figures of which something is to be said.
fn note(
    all: &mut Vec<String>,
    pair: &str,
    figures: impl Iterator<Item = (f64, f64)>,
    which: impl Fn(f64, f64) -> bool,
) {
    let names = SCALES.map(|scale| format!("{scale}x")).into_iter().chain([format!("{RATE}/s")]);
    for (name, (one, other)) in names.zip(figures) {
        if which(one, other) {
            all.push(format!("{pair}, {name}: {one:.3} beside {other:.3}"));
        }
    }
}

fn tell(what: &str, all: &[String]) {
    println!("\n{what}: {}", if all.is_empty() { "none" } else { "" });
    all.iter().for_each(|one| println!("  {one}"));
}

//! What came after the paper: Helix' pools with the layer times that it measured, and what the rules of
//! Helix, Parallax and HexGen-2 are worth on the paper's own pools.

use swarm_scheduler::{Ask, Objective, Planner};

use super::{
    claim::{Claim, Verdict},
    extent::Extent,
    runs::{Case, PaperError, beside, ran},
    system::System,
};
use crate::{
    Draft, Setting,
    report::{Chart, Drawn, Key, Series},
};

/// Helix' pools: scenario, name, and what its artifact expects of its own simulator, in tokens of
/// answers a second, for its placement, Swarm's and separate pipelines.
type Pool = (&'static str, &'static str, [f64; 3]);
const POOLS: [Pool; 3] = [
    ("helix24", "24 machines", [252.1, 124.7, 124.3]),
    ("helix-geo24", "24 in three places", [98.0, 51.9, 61.9]),
    ("helix42", "42 machines", [645.6, 473.2, 219.3]),
];
/// What it expects, as it is drawn.
const LABELS: [&str; 3] = ["published: Helix", "published: Swarm", "published: pipelines apart"];
/// Planners whose plans a swarm runs, and whether replicas that share a device must be left out for that.
const PLANNERS: [(&str, &str, bool); 5] = [
    ("ours", "replicas", false),
    ("HexGen's search", "hexgen", false),
    ("symmetric", "symmetric", false),
    ("Petals' rule", "petals", true),
    ("Parallax' rule", "parallax", true),
];
/// Planners that are only judged: HexGen-2's and Helix' plans are none that a swarm of ours runs.
const JUDGED: [(&str, Planner); 5] = [
    ("ours", Planner::Replicas),
    ("HexGen's search", Planner::Hexgen),
    ("Parallax' rule", Planner::Parallax),
    ("Helix' rule", Planner::Helix),
    ("HexGen-2's rule", Planner::Hexgen2),
];
const CARDS: [(System, &str); 2] = [(System::OursFull, "58 cards"), (System::OursHalf, "30 cards")];
const SEED: u64 = 0;
/// The figure that shows it.
const FIGURE: u32 = 10;
/// How long each pool is asked for more than it can serve.
const WHOLE_S: u32 = 660;
const QUICK_S: u32 = 330;

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowUps {
    /// Tokens of answers a second, by Helix' pools and planners.
    simulated: Vec<[f64; PLANNERS.len()]>,
    /// For how many seconds each was asked.
    seconds: u32,
    /// Requests a second by our sums, by the paper's pools and planners; none without a plan.
    judged: Vec<[Option<f64>; JUDGED.len()]>,
}

impl FollowUps {
    pub(super) fn run(extent: &Extent) -> Result<Self, PaperError> {
        let quick = *extent == Extent::quick();
        let (seconds, pools) = if quick { (QUICK_S, 1) } else { (WHOLE_S, POOLS.len()) };
        // The largest first, for they take longest.
        let jobs: Vec<(usize, usize)> =
            (0..pools).rev().flat_map(|pool| (0..PLANNERS.len()).map(move |p| (pool, p))).collect();
        let tokens = beside(&jobs, |&(pool, planner)| simulated(pool, planner, seconds));
        let mut simulated = vec![[0.0; PLANNERS.len()]; pools];
        for ((pool, planner), tokens) in jobs.into_iter().zip(tokens) {
            simulated[pool][planner] = tokens?;
        }
        let judged = CARDS.iter().map(|(system, _)| judged(*system)).collect::<Result<_, _>>()?;
        Ok(Self { simulated, seconds, judged })
    }

    pub(super) fn charts(&self) -> Vec<Chart> {
        let dots = |label: &str, values: Vec<Option<f64>>| Series {
            label: label.to_owned(),
            points: (0..).map(f64::from).zip(values).filter_map(|(x, y)| Some((x, y?))).collect(),
            drawn: Drawn::Dots,
        };
        let pools = || POOLS.iter().take(self.simulated.len());
        let ours = |shared: bool| {
            let planners =
                PLANNERS.iter().enumerate().filter(move |(_, planner)| planner.2 == shared);
            planners.map(move |(number, (label, ..))| {
                let above = |tokens: f64| Some(tokens).filter(|tokens| *tokens > 0.0);
                dots(label, self.simulated.iter().map(|pool| above(pool[number])).collect())
            })
        };
        let theirs = || {
            let labels = LABELS.iter().enumerate();
            labels.map(|(number, label)| dots(label, pools().map(|p| Some(p.2[number])).collect()))
        };
        let chart = |title: &str, y: &str, names: Vec<&str>, series| Chart {
            title: title.to_owned(),
            y: y.to_owned(),
            names: names.into_iter().map(str::to_owned).collect(),
            key: Key::UpperLeft,
            series,
            ..Chart::default()
        };
        // Two pictures, for one tells seven marks apart.
        let simulated = |title: &str, shared: bool| {
            let names = pools().map(|pool| pool.1).collect();
            chart(
                title,
                "tokens of answers a second",
                names,
                ours(shared).chain(theirs()).collect(),
            )
        };
        let apart = simulated("Helix' pools, asked for more than they can serve", false);
        let shared =
            simulated("the same by rules whose replicas share devices: the first is kept", true);
        let judged = JUDGED.iter().enumerate().map(|(number, (label, _))| {
            dots(label, self.judged.iter().map(|pool| pool[number]).collect())
        });
        let judged = chart(
            "the paper's pools by our sums, nothing run",
            "requests a second",
            CARDS.map(|(_, label)| label).to_vec(),
            judged.collect(),
        );
        vec![apart, shared, judged]
    }

    pub(super) fn claims(&self) -> Vec<Claim> {
        let pools = self.simulated.iter().zip(POOLS).map(|(tokens, pool)| self.pool(tokens, pool));
        let over = [
            self.over("Parallax", "up to 3.6x, average 1.58x", Planner::Parallax),
            self.over("HexGen-2", "up to 1.5x, average 1.4x", Planner::Hexgen2),
        ];
        pools.chain(over).collect()
    }

    /// What five planners make of a pool of Helix'.
    fn pool(&self, tokens: &[f64; PLANNERS.len()], (scenario, name, published): Pool) -> Claim {
        let [helix, swarm, apart] = published;
        let ours = PLANNERS.iter().zip(tokens).map(|((label, ..), t)| format!("{label} {t:.0}"));
        Claim {
            what: format!("Helix' {name}: tokens of answers a second"),
            published: format!("Helix {helix}, Swarm {swarm}, pipelines apart {apart}"),
            source: "its artifact's table, of its own simulator",
            ours: ours.collect::<Vec<_>>().join(", "),
            verdict: Verdict::NotComparable,
            why: "cards, mean links, layer times and lengths are the same, the engine is not: ours reads weights once \
                  for prompts and steps together, and fills the KV cache. Of Petals' and Parallax' replicas that share \
                  a device only the first is kept, for no swarm runs the others, which is why they are so low"
                .to_owned(),
            figure: FIGURE,
            seeds: [SEED, SEED + 1],
            commands: self.runs(scenario).collect(),
        }
    }

    /// What a rule is worth beside HexGen's search.
    fn over(&self, what: &str, published: &str, planner: Planner) -> Claim {
        let judged = |pool: &[Option<f64>; JUDGED.len()], wanted: Planner| {
            pool[JUDGED.iter().position(|(_, planner)| *planner == wanted)?]
        };
        let times = self.judged.iter().zip(CARDS).map(|(pool, (_, label))| {
            match (judged(pool, planner), judged(pool, Planner::Hexgen)) {
                (Some(of), Some(hexgen)) => format!("{:.2}x on {label}", of / hexgen),
                _ => format!("no plan for {label}"),
            }
        });
        Claim {
            what: format!("{what} over HexGen: rate, whatever requests take"),
            published: published.to_owned(),
            source: "summaries of its paper",
            ours: format!("{}, by our sums", times.collect::<Vec<_>>().join(", ")),
            verdict: Verdict::NotComparable,
            why: "its rule by our sums on HexGen's pools, nothing is run; its own pools, models and engines are others"
                .to_owned(),
            figure: FIGURE,
            seeds: [SEED, SEED + 1],
            commands: vec![format!("hexswarm-sim paper --figure {FIGURE} --json")],
        }
    }

    /// What runs a point of it.
    pub(super) fn commands(&self) -> Vec<String> {
        let pools = POOLS.iter().take(self.simulated.len());
        pools.flat_map(|(scenario, ..)| self.runs(scenario)).collect()
    }

    fn runs(&self, scenario: &str) -> impl Iterator<Item = String> {
        let seconds = self.seconds;
        PLANNERS.iter().map(move |(label, planner, disjoint)| {
            format!(
                "hexswarm-sim run {scenario} --set planner.name={planner} --set planner.disjoint={disjoint} \
                 --set run.seconds={seconds} --seed {SEED}   # {label}"
            )
        })
    }
}

/// Tokens of answers a second; none if no replica is left that fits.
fn simulated(pool: usize, planner: usize, seconds: u32) -> Result<f64, PaperError> {
    let ((name, ..), (system, planner, disjoint)) = (POOLS[pool], PLANNERS[planner]);
    let mut draft = Draft::named(name)?;
    draft.set(&Setting::new("planner.name", planner))?;
    draft.set(&Setting::new("planner.disjoint", &disjoint.to_string()))?;
    draft.set(&Setting::new("run.seconds", &seconds.to_string()))?;
    Ok(ran(&draft.scenario()?, SEED, system)?.decode_tokens_per_s())
}

fn judged(system: System) -> Result<[Option<f64>; JUDGED.len()], PaperError> {
    let recipe = Case::usual(system).recipe()?;
    Ok(JUDGED.map(|(_, planner)| {
        let objective = Objective::Throughput;
        let found = recipe.fleet.propose(|ask| Ask { planner, objective, ..ask });
        found.map(|found| found.requests_per_s)
    }))
}

//! What the examples that print figures share: pools of `docs/pools`, the model of the HexGen
//! paper, its deadline, and how figures are laid out.
#![allow(dead_code, reason = "each example uses a part of it")]

use std::{fs, path::Path, time::Instant};

use swarm_scheduler::{
    Ground, Model, Objective, PoolFile, Proposal, ProposedRoute, Replica, Rules, Serving, Workload,
    catalogue, reference_ms,
};

/// Tokens of a prompt and of an answer, and the scale of the deadline, where nothing else is said.
pub(crate) const WORKLOAD: Workload =
    Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
pub(crate) const SCALE: f64 = 5.0;

/// Whose sums, and what they are called.
pub(crate) fn rules() -> [(&'static str, Rules); 2] {
    [("HexGen's sums", Rules::exact()), ("fitted", Rules::fitted())]
}

/// A pool of `docs/pools`.
pub(crate) fn pool(name: &str) -> PoolFile {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pools");
    let read = |name: &str| fs::read_to_string(folder.join(name));
    let text = read(&format!("{name}.toml")).expect("a pool of docs/pools");
    PoolFile::parse(&text, &read).expect("a pool that can be read")
}

/// A pool out of a text that names no other file.
pub(crate) fn parsed(text: &str) -> PoolFile {
    PoolFile::parse(text, &|_| Err(std::io::ErrorKind::NotFound.into())).expect("a pool")
}

/// Llama-2-70B in 16 bits.
pub(crate) fn llama_70b() -> Model {
    let facts = catalogue::model("Llama-2-70b").expect("a model of the catalogue");
    facts.model(catalogue::format("fp16").expect("a format"))
}

/// What a pool is for that model.
pub(crate) fn ground(pool: &PoolFile, rules: Rules) -> Ground {
    pool.ground(llama_70b(), rules, WORKLOAD)
}

/// What eight A100 take for a request.
pub(crate) fn eight_ms() -> f64 {
    reference_ms(&llama_70b(), WORKLOAD).expect("the model fits eight A100")
}

/// So many times what eight A100 take.
pub(crate) fn slo(scale: f64) -> Objective {
    Objective::Slo { deadline_ms: scale * eight_ms() }
}

/// A search is not run again once all its runs have taken so long.
const ENOUGH_MS: f64 = 60e3;

/// Runs a search so many times: what it found, and milliseconds, least first.
pub(crate) fn timed(
    runs: usize,
    search: impl Fn() -> Option<Proposal>,
) -> (Option<Proposal>, Vec<f64>) {
    let one = || {
        let began = Instant::now();
        let found = search();
        (found, began.elapsed().as_secs_f64() * 1e3)
    };
    let (found, ms) = one();
    let mut all = vec![ms];
    while all.len() < runs && all.iter().sum::<f64>() < ENOUGH_MS {
        all.push(one().1);
    }
    all.sort_by(f64::total_cmp);
    (found, all)
}

/// What a plan of another seed is worth with the requests of this one: plans are told by 8,000.
/// Nothing if requests share devices, which cannot be reckoned from outside.
pub(crate) fn again(found: &Proposal, objective: Objective, seed: u64) -> f64 {
    let Objective::Slo { deadline_ms } = objective else { return found.requests_per_s };
    let stages = found.pipelines.iter().flat_map(|pipeline| &pipeline.stages);
    let mut spots: Vec<usize> =
        stages.flat_map(|stage| &stage.members).map(|member| member.spot).collect();
    let all = spots.len();
    spots.sort_unstable();
    spots.dedup();
    if spots.len() < all || found.routes.iter().any(|route| route.pipelines.len() > 1) {
        return 0.0;
    }
    let replica = |route: &ProposedRoute| Replica {
        latency_ms: route.latency_ms,
        period_ms: 1e3 / route.requests_per_s,
    };
    let replicas: Vec<Replica> = found.routes.iter().map(replica).collect();
    Serving::new(seed, 8_000).peak_rate(&replicas[..], deadline_ms)
}

/// The middle of figures that are in order; of an even number, the lower.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    sorted[(sorted.len() - 1) / 2]
}

/// The middle of figures.
pub(crate) fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    median(&figures)
}

/// Prints columns: the first to the left, the others to the right, and what has no heading as it is.
pub(crate) fn table(heads: &[&str], rows: &[Vec<String>]) {
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let width = |place: usize| {
        let all = rows.iter().chain([&heads]).filter_map(|row| row.get(place));
        all.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    for row in [&heads].into_iter().chain(rows) {
        let cell = |(place, cell): (usize, &String)| match place {
            0 => format!("{cell:<w$}", w = width(0)),
            _ if place >= heads.len() => cell.clone(),
            _ => format!("{cell:>w$}", w = width(place)),
        };
        let cells: Vec<String> = row.iter().enumerate().map(cell).collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

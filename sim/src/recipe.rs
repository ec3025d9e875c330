//! Scenarios as people write them, in TOML: machines, a model, who plans, how fast things are in truth,
//! what is asked and what goes wrong.

use std::{io, path::Path, sync::Arc, time::Duration};

use serde::Deserialize;
use swarm_scheduler::{
    Ask, Deadline, Model, Objective, Planner, PoolFile, Rules, Workload, catalogue,
};

use crate::{
    Fleet, Truth,
    workload::{Arrival, Arrivals, Drawn, Lengths, TOKENS_MAX, Trace, hurried},
};

/// Gives the text of a file that a scenario names, by its path from the scenario's folder.
pub type Reads<'a> = dyn Fn(&str) -> io::Result<String> + 'a;

/// More seconds than this are not simulated in a lifetime.
const SECONDS_MAX: f64 = 1e7;
/// Requests a second, at most.
const RATE_MAX: f64 = 1e5;
/// Multiples of the deadline's scale that attainment is told at, if the scenario does not say.
const SCALES: [f64; 6] = [2.0, 3.0, 5.0, 8.0, 10.0, 20.0];

/// What is wrong with a scenario.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// It is no TOML, or has keys that mean nothing.
    #[error("{0}")]
    Toml(String),
    /// A value that cannot be.
    #[error("{key} = {value}: {reason}")]
    Value {
        /// Which key.
        key: &'static str,
        /// What it says.
        value: String,
        /// Why not.
        reason: String,
    },
    /// A file that it names.
    #[error("{file}: {reason}")]
    File {
        /// Which.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a scenario is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Play {
    /// Machines of a pool serve a workload.
    #[default]
    Serve,
    /// Five nodes join, elect, plan and serve; one is killed in mid-answer; the answers go on.
    Story,
    /// Anything goes wrong at any time, then nothing does.
    Storm,
}

/// A scenario's text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    about: Option<String>,
    #[serde(default)]
    play: Play,
    swarm: Option<SwarmKeys>,
    #[serde(default)]
    planner: PlannerKeys,
    #[serde(default)]
    truth: TruthKeys,
    workload: Option<WorkloadKeys>,
    #[serde(default)]
    run: RunKeys,
    #[serde(default)]
    fault: Vec<FaultKeys>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SwarmKeys {
    pool: String,
    model: String,
    weights: Option<String>,
    #[serde(default)]
    without: Vec<String>,
    /// Machines that clients ask; all if it does not say.
    #[serde(default)]
    entries: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlannerKeys {
    name: Option<String>,
    slo: Option<String>,
    objective: Option<Aim>,
    input_tokens: Option<u32>,
    output_tokens: Option<u32>,
    seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Aim {
    Slo,
    Throughput,
    Latency,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TruthKeys {
    bandwidth: Option<f64>,
    arithmetic: Option<f64>,
    layer_us: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkloadKeys {
    arrivals: Option<Kind>,
    requests_per_s: Option<f64>,
    cv: Option<f64>,
    input_tokens: Option<OneOrMany>,
    output_tokens: Option<OneOrMany>,
    trace: Option<String>,
    speed: Option<f64>,
    from_s: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Poisson,
    Gamma,
    Even,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunKeys {
    seconds: Option<f64>,
    patience_s: Option<f64>,
    slo: Option<String>,
    scales: Option<Vec<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultKeys {
    at_s: f64,
    machine: String,
    does: What,
    for_s: Option<f64>,
}

/// What a machine does that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Its process dies, and its connections close.
    Die,
    /// It is gone without a word.
    Vanish,
    /// Its process is stopped.
    Pause,
    /// It leaves in good order.
    Leave,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// How long after the first request could come.
    pub at: Duration,
    /// Which machine, by its number.
    pub machine: usize,
    /// What it does.
    pub does: What,
    /// After what time it is started again, or goes on; never if it does not say.
    pub lasts: Option<Duration>,
}

/// Where requests come from.
#[derive(Clone, Debug)]
enum Source {
    Drawn(Drawn),
    Recorded(Arc<[Arrival]>),
}

/// Machines that serve a workload.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The machines, and who plans them.
    pub fleet: Arc<Fleet>,
    /// How fast they are.
    pub truth: Truth,
    /// Whom clients ask, one after the other.
    pub entries: Vec<usize>,
    source: Source,
    /// For how long requests come, and then how long they are waited for.
    pub span: Duration,
    /// Then they are waited for, at most so long.
    pub patience: Duration,
    /// What a deadline's scale counts.
    pub unit: Duration,
    /// Scales that attainment is told at.
    pub scales: Vec<f64>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// What was left out or assumed.
    pub notes: Vec<String>,
}

/// A reader's words, and of keys that mean nothing the nearest that does.
fn told(error: &toml::de::Error) -> String {
    let text = format!("{error}");
    let names: Vec<&str> = error.message().split('`').skip(1).step_by(2).collect();
    let Some((unknown, known)) = names.split_first() else { return text };
    if !error.message().starts_with("unknown") {
        return text;
    }
    let near = catalogue::nearest_name(unknown, known.iter().copied());
    near.map_or(text.clone(), |near| format!("{text}did you mean `{near}`?"))
}

fn wrong(key: &'static str, value: impl ToString, reason: impl Into<String>) -> RecipeError {
    RecipeError::Value { key, value: value.to_string(), reason: reason.into() }
}

/// A figure above nothing and at most so much.
fn figure(key: &'static str, value: f64, most: f64) -> Result<f64, RecipeError> {
    match value > 0.0 && value <= most {
        true => Ok(value),
        false => Err(wrong(key, value, format!("may be from above 0 to {most}"))),
    }
}

fn seconds(key: &'static str, value: f64) -> Result<Duration, RecipeError> {
    match (0.0..=SECONDS_MAX).contains(&value) {
        true => Ok(Duration::from_secs_f64(value)),
        false => Err(wrong(key, value, format!("may be from 0 to {SECONDS_MAX:e} seconds"))),
    }
}

fn read(file: &str, reads: &Reads<'_>) -> Result<String, RecipeError> {
    reads(file).map_err(|e| RecipeError::File { file: file.to_owned(), reason: e.to_string() })
}

/// What a scenario says that it is about.
pub(crate) fn about(text: &str) -> Option<String> {
    toml::from_str::<Keys>(text).ok()?.about
}

/// What a scenario's text says.
pub(crate) fn parse(text: &str, reads: &Reads<'_>) -> Result<(Play, Option<Recipe>), RecipeError> {
    let keys: Keys = toml::from_str(text).map_err(|e| RecipeError::Toml(told(&e)))?;
    let recipe = match keys.play {
        Play::Serve => Some(recipe(&keys, reads)?),
        _ => None,
    };
    Ok((keys.play, recipe))
}

fn recipe(keys: &Keys, reads: &Reads<'_>) -> Result<Recipe, RecipeError> {
    let Some(swarm) = &keys.swarm else {
        return Err(wrong("swarm", "nothing", "a scenario that serves needs [swarm] with a pool"));
    };
    let Some(work) = &keys.workload else {
        return Err(wrong("workload", "nothing", "a scenario that serves needs [workload]"));
    };
    let pool = pool(swarm, reads)?;
    let model = model(swarm)?;
    let (source, failed) = source(work, reads)?;
    let workload = believed(&keys.planner, work)?;
    let (ask, rules) = ask(&keys.planner, &model, workload)?;
    let run = &keys.run;
    let scales = run.scales.clone().unwrap_or(SCALES.to_vec());
    scales.iter().try_for_each(|scale| figure("scales", *scale, 1e6).map(drop))?;
    let slo = deadline("run.slo", run.slo.as_deref().unwrap_or("1x"))?;
    let unit_ms = slo.ms(&model, workload).ok_or_else(|| {
        wrong("run.slo", "x", "eight A100 do not hold the model: give seconds, such as 5s")
    })?;
    let mut notes = pool.notes.clone();
    if failed > 0 {
        notes.push(format!("{failed} requests of the trace had no answer: left out"));
    }
    let number = |name: &str| numbers(&pool, name);
    let entries = match swarm.entries.is_empty() {
        true => (0..pool.machines.len()).collect(),
        false => {
            let named = swarm.entries.iter().map(|name| number(name));
            named.collect::<Result<Vec<_>, _>>()?.concat()
        }
    };
    let faults = keys.fault.iter().map(|fault| faults(fault, number));
    let faults = faults.collect::<Result<Vec<_>, _>>()?.concat();
    Ok(Recipe {
        truth: truth(&keys.truth)?,
        entries,
        source,
        span: seconds("run.seconds", run.seconds.unwrap_or(300.0))?,
        patience: seconds("run.patience_s", run.patience_s.unwrap_or(600.0))?,
        unit: Duration::from_secs_f64(unit_ms / 1e3),
        scales,
        faults,
        notes,
        fleet: Arc::new(Fleet::new(pool, model, (rules, workload), ask)),
    })
}

fn pool(swarm: &SwarmKeys, reads: &Reads<'_>) -> Result<PoolFile, RecipeError> {
    let text = read(&swarm.pool, reads)?;
    let folder = Path::new(&swarm.pool).parent().unwrap_or(Path::new(""));
    let beside = |name: &str| reads(&folder.join(name).to_string_lossy());
    let failed = |e: swarm_scheduler::PoolError| RecipeError::File {
        file: swarm.pool.clone(),
        reason: e.to_string(),
    };
    let mut pool = PoolFile::parse(&text, &beside).map_err(failed)?;
    for name in &swarm.without {
        pool.leave_out(name).map_err(|e| wrong("without", name, e.to_string()))?;
    }
    Ok(pool)
}

fn model(swarm: &SwarmKeys) -> Result<Model, RecipeError> {
    let facts =
        catalogue::model(&swarm.model).map_err(|e| wrong("model", &swarm.model, e.to_string()))?;
    let name = swarm.weights.as_deref().unwrap_or(&facts.weights);
    let format = catalogue::format(name).map_err(|e| wrong("weights", name, e.to_string()))?;
    Ok(facts.model(format))
}

fn numbers(pool: &PoolFile, name: &str) -> Result<Vec<usize>, RecipeError> {
    pool.named(name).map_err(|e| wrong("machine", name, e.to_string()))
}

fn truth(keys: &TruthKeys) -> Result<Truth, RecipeError> {
    let layer_us = keys.layer_us.unwrap_or(0.0);
    if !(0.0..=1e6).contains(&layer_us) {
        return Err(wrong("layer_us", layer_us, "may be from 0 to a million"));
    }
    Ok(Truth {
        bandwidth: figure("bandwidth", keys.bandwidth.unwrap_or(1.0), 10.0)?,
        arithmetic: figure("arithmetic", keys.arithmetic.unwrap_or(1.0), 10.0)?,
        layer: Duration::from_secs_f64(layer_us / 1e6),
    })
}

fn deadline(key: &'static str, text: &str) -> Result<Deadline, RecipeError> {
    text.parse().map_err(|reason: String| wrong(key, text, reason))
}

/// What planners think that requests are like: what is said, or the first of the workload's lengths.
fn believed(keys: &PlannerKeys, work: &WorkloadKeys) -> Result<Workload, RecipeError> {
    let first = |lengths: &Option<OneOrMany>| match lengths {
        Some(OneOrMany::One(length)) => Some(*length),
        Some(OneOrMany::Many(all)) => all.first().copied(),
        None => None,
    };
    let input = keys.input_tokens.or(first(&work.input_tokens)).unwrap_or(128);
    let output = keys.output_tokens.or(first(&work.output_tokens)).unwrap_or(64);
    Ok(Workload {
        input_tokens: tokens("input_tokens", input)?,
        output_tokens: tokens("output_tokens", output)?,
        requests_per_s: None,
    })
}

fn tokens(key: &'static str, count: u32) -> Result<u32, RecipeError> {
    match (1..=TOKENS_MAX).contains(&count) {
        true => Ok(count),
        false => Err(wrong(key, count, format!("may be from 1 to {TOKENS_MAX}"))),
    }
}

fn ask(keys: &PlannerKeys, model: &Model, workload: Workload) -> Result<(Ask, Rules), RecipeError> {
    let name = keys.name.as_deref().unwrap_or("replicas");
    let planner: Planner =
        name.parse().map_err(|reason: String| wrong("planner.name", name, reason))?;
    let slo = keys.slo.as_deref().unwrap_or("5x");
    let objective = match keys.objective.unwrap_or(Aim::Slo) {
        Aim::Throughput => Objective::Throughput,
        Aim::Latency => Objective::Latency,
        Aim::Slo => {
            let late =
                || wrong("planner.slo", slo, "eight A100 do not hold the model: give seconds");
            let deadline_ms = deadline("planner.slo", slo)?.ms(model, workload).ok_or_else(late)?;
            Objective::Slo { deadline_ms }
        }
    };
    let rules = if planner.hexgens() { Rules::exact() } else { Rules::fitted() };
    Ok((Ask { planner, objective, seed: keys.seed.unwrap_or(0) }, rules))
}

fn source(work: &WorkloadKeys, reads: &Reads<'_>) -> Result<(Source, usize), RecipeError> {
    let speed = figure("speed", work.speed.unwrap_or(1.0), 1e6)?;
    let from = seconds("from_s", work.from_s.unwrap_or(0.0))?;
    let Some(file) = &work.trace else {
        if work.speed.is_some() || work.from_s.is_some() {
            return Err(wrong("speed", speed, "and from_s are for a trace: name one"));
        }
        return Ok((Source::Drawn(drawn(work)?), 0));
    };
    if work.arrivals.is_some() || work.requests_per_s.is_some() {
        let reason =
            "a trace says itself when requests come: leave out arrivals and requests_per_s";
        return Err(wrong("trace", file, reason));
    }
    let text = read(file, reads)?;
    let trace: Trace = text.parse().map_err(|e: crate::workload::TraceError| {
        RecipeError::File { file: file.clone(), reason: e.to_string() }
    })?;
    let arrivals = hurried(trace.arrivals, speed, from, Duration::MAX);
    Ok((Source::Recorded(arrivals.into()), trace.failed))
}

fn drawn(work: &WorkloadKeys) -> Result<Drawn, RecipeError> {
    let requests_per_s = figure("requests_per_s", work.requests_per_s.unwrap_or(1.0), RATE_MAX)?;
    let arrivals = match (work.arrivals.unwrap_or(Kind::Poisson), work.cv) {
        (Kind::Poisson, None) => Arrivals::Poisson { requests_per_s },
        (Kind::Even, None) => Arrivals::Even { requests_per_s },
        (Kind::Gamma, cv) => {
            Arrivals::Gamma { requests_per_s, cv: figure("cv", cv.unwrap_or(2.0), 100.0)? }
        }
        (_, Some(cv)) => return Err(wrong("cv", cv, "is for arrivals = \"gamma\"")),
    };
    let lengths = |key, lengths: &Option<OneOrMany>, default| {
        let all = match lengths {
            None => vec![default],
            Some(OneOrMany::One(length)) => vec![*length],
            Some(OneOrMany::Many(all)) if all.is_empty() => {
                return Err(wrong(key, "[]", "is empty: give a length"));
            }
            Some(OneOrMany::Many(all)) => all.clone(),
        };
        all.iter().try_for_each(|length| tokens(key, *length).map(drop))?;
        Ok(Lengths(all))
    };
    Ok(Drawn {
        arrivals,
        input_tokens: lengths("input_tokens", &work.input_tokens, 128)?,
        output_tokens: lengths("output_tokens", &work.output_tokens, 64)?,
    })
}

fn faults(
    keys: &FaultKeys,
    number: impl Fn(&str) -> Result<Vec<usize>, RecipeError>,
) -> Result<Vec<Fault>, RecipeError> {
    let at = seconds("at_s", keys.at_s)?;
    let lasts = keys.for_s.map(|span| seconds("for_s", span)).transpose()?;
    if keys.does == What::Pause && lasts.is_none() {
        return Err(wrong("does", "pause", "needs for_s: for how long"));
    }
    let does = keys.does;
    Ok(number(&keys.machine)?
        .into_iter()
        .map(|machine| Fault { at, machine, does, lasts })
        .collect())
}

impl Recipe {
    /// The requests of a seed.
    pub fn arrivals(&self, seed: u64) -> Vec<Arrival> {
        match &self.source {
            Source::Drawn(drawn) => drawn.requests(self.span, seed),
            Source::Recorded(all) => {
                all.iter().take_while(|arrival| arrival.at < self.span).cloned().collect()
            }
        }
    }
}

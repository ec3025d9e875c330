//! Scenarios as people write them, in TOML: machines, a model, who plans, how fast things are in truth,
//! what is asked and what goes wrong.

mod asked;
mod churn;
mod fault;
mod figure;
mod keys;
mod swarm;

use std::{io, sync::Arc, time::Duration};

use serde::Deserialize;

pub use self::fault::{Fault, What};
use self::{
    asked::{Source, believed, source},
    figure::{figure, seconds, told, wrong},
    keys::Keys,
    swarm::{ask, belief, deadline, entries, model, numbers, pool, truth},
};
use crate::{Fleet, Truth, churn::Churn, workload::Arrival};

/// Gives the text of a file that a scenario names, by its path from the scenario's folder.
pub type Reads<'a> = dyn Fn(&str) -> io::Result<String> + 'a;

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
    /// What goes wrong,
    pub faults: Vec<Fault>,
    /// and who comes and goes.
    pub churn: Option<Churn>,
    /// What was left out or assumed.
    pub notes: Vec<String>,
}

/// A scenario's TOML, as it stands or with keys set anew.
#[derive(Clone, Debug)]
pub(crate) struct Text(toml::Table);

impl Text {
    /// A scenario's text.
    pub(crate) fn parse(text: &str) -> Result<Self, RecipeError> {
        // Once as what it is to be, for that says where a key is wrong.
        toml::from_str::<Keys>(text).map_err(|e| RecipeError::Toml(told(&e)))?;
        text.parse().map(Self).map_err(|e| RecipeError::Toml(told(&e)))
    }

    /// What a scenario says that it is about.
    pub(crate) fn about(&self) -> Option<&str> {
        self.0.get("about")?.as_str()
    }

    /// Sets a key, such as `workload.requests_per_s`.
    pub(crate) fn set(&mut self, key: &str, value: toml::Value) -> Result<(), RecipeError> {
        let mut table = &mut self.0;
        let (path, last) = key.rsplit_once('.').unwrap_or(("", key));
        for part in path.split('.').filter(|part| !part.is_empty()) {
            let inner = table.entry(part).or_insert_with(|| toml::Table::new().into());
            table = inner.as_table_mut().ok_or_else(|| {
                RecipeError::Toml(format!("{key}: `{part}` is no table that a key could be set in"))
            })?;
        }
        table.insert(last.to_owned(), value);
        Ok(())
    }

    /// What it comes to.
    pub(crate) fn recipe(&self, reads: &Reads<'_>) -> Result<(Play, Option<Recipe>), RecipeError> {
        let keys: Keys = self.0.clone().try_into().map_err(|e| RecipeError::Toml(told(&e)))?;
        let recipe = match keys.play {
            Play::Serve => Some(recipe(&keys, reads)?),
            _ => None,
        };
        Ok((keys.play, recipe))
    }
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
    let (source, left_out) = source(work, reads)?;
    let workload = believed(&keys.planner, work)?;
    let (ask, rules) = ask(&keys.planner, &model, workload)?;
    let belief = belief(&keys.belief, rules, workload)?;
    let run = &keys.run;
    let scales = run.scales.clone().unwrap_or(SCALES.to_vec());
    scales.iter().try_for_each(|scale| figure("scales", *scale, 1e6).map(drop))?;
    let slo = deadline("run.slo", run.slo.as_deref().unwrap_or("1x"))?;
    let unit_ms = slo.ms(&model, workload).ok_or_else(|| {
        wrong("run.slo", "x", "eight A100 do not hold the model: give seconds, such as 5s")
    })?;
    let mut notes = pool.notes.clone();
    notes.extend(left_out);
    let number = |name: &str| numbers(&pool, name);
    let faults = keys.fault.iter().map(|keys| fault::faults(keys, number));
    let faults = faults.collect::<Result<Vec<_>, _>>()?.concat();
    let entries = entries(swarm, &pool)?;
    let span = seconds("run.seconds", run.seconds.unwrap_or(300.0))?;
    let comes = |keys| churn::churn(keys, (&pool, &entries), span.as_secs_f64(), reads);
    let churn = keys.churn.as_ref().map(comes).transpose()?;
    if let Some(without) = churn.as_ref().map(|churn| churn.without_place(span))
        && without > 0
    {
        notes.push(format!(
            "{without} machines of the churn trace come when all are here: left out"
        ));
    }
    Ok(Recipe {
        truth: truth(&keys.truth, &model, reads)?,
        entries,
        source,
        span,
        patience: seconds("run.patience_s", run.patience_s.unwrap_or(600.0))?,
        unit: Duration::from_secs_f64(unit_ms / 1e3),
        scales,
        faults,
        churn,
        notes,
        fleet: Arc::new(Fleet::new(pool, model, belief, ask)),
    })
}

impl Recipe {
    /// What goes wrong for a seed.
    pub fn faults(&self, seed: u64) -> Vec<Fault> {
        let churn = self.churn.as_ref().map(|churn| churn.faults(self.span, seed));
        [self.faults.clone(), churn.unwrap_or_default()].concat()
    }

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

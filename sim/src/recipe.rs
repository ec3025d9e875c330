//! Scenarios as people write them, in TOML: machines, a model, who plans, how fast things are in truth,
//! what is asked and what goes wrong.

mod asked;
mod churn;
mod fault;
mod figure;
mod keys;
mod layout;
mod nodes;
mod swarm;

use std::{io, sync::Arc, time::Duration};

use serde::Deserialize;
use swarm_core::Config;

pub use self::fault::{Fault, What};
use self::{
    asked::{Source, believed, source},
    figure::{figure, seconds, told, wrong},
    keys::Keys,
    swarm::{ask, belief, deadline, entries, model, pool, truth},
};
use crate::{
    Fleet, Planner, Plans, Routers, Setup, Truth,
    churn::Churn,
    fleet::Planned,
    fleets::Fleets,
    workload::{Arrival, Drawn, REQUESTS_MAX},
};

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
    /// What nodes are told.
    pub told: Config,
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
    /// Who plans in place of the fleet's planner.
    plans: Option<Arc<dyn Plans>>,
    /// Who decides which pipelines sessions take.
    routers: Routers,
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

    /// Sets a key, such as `workload.requests_per_s` or `fault.0.at_s`.
    pub(crate) fn set(&mut self, key: &str, value: toml::Value) -> Result<(), RecipeError> {
        let mut table = &mut self.0;
        let mut parts = key.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                table.insert(part.to_owned(), value);
                return Ok(());
            }
            let place = parts.peek().and_then(|place| place.parse::<usize>().ok());
            let mut inner = table.entry(part).or_insert_with(|| match place {
                Some(_) => toml::Value::Array(Vec::new()),
                None => toml::Table::new().into(),
            });
            if let toml::Value::Array(all) = inner {
                parts.next();
                let many = all.len();
                inner = place.and_then(|place| all.get_mut(place)).ok_or_else(|| {
                    let which = format!("of `{part}` there are {many}, counted from 0");
                    RecipeError::Toml(format!("{key}: {which}: say which, as in {part}.0.KEY"))
                })?;
            }
            table = inner.as_table_mut().ok_or_else(|| {
                RecipeError::Toml(format!("{key}: `{part}` is no table that a key could be set in"))
            })?;
        }
        Ok(())
    }

    /// What it comes to; its fleet is one of these if there is one that is the same.
    pub(crate) fn recipe(
        &self,
        reads: &Reads<'_>,
        fleets: &Fleets,
    ) -> Result<(Play, Option<Recipe>), RecipeError> {
        let keys: Keys = self.0.clone().try_into().map_err(|e| RecipeError::Toml(told(&e)))?;
        if keys.play == Play::Serve {
            return Ok((keys.play, Some(recipe(&keys, reads, fleets)?)));
        }
        match self.0.keys().find(|key| !["about", "play"].contains(&key.as_str())) {
            Some(key) => {
                Err(RecipeError::Toml(format!("`{key}`: a story or storm has no such key")))
            }
            None => Ok((keys.play, None)),
        }
    }
}

fn recipe(keys: &Keys, reads: &Reads<'_>, fleets: &Fleets) -> Result<Recipe, RecipeError> {
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
        wrong(
            "run.slo",
            "x",
            "eight A100 do not hold the model with such requests: give seconds, such as 5s",
        )
    })?;
    let mut notes = pool.notes.clone();
    notes.extend(left_out);
    let layout = layout::layout(&keys.pipeline, &pool, &model.spec)?;
    if layout.is_some() && keys.planner.name.is_some() {
        let reason = "the scenario has pipelines of its own: leave out one or the other";
        return Err(wrong("planner.name", "and [[pipeline]]", reason));
    }
    let by = match keys.planner.is_live() {
        true => Planned::Live,
        false => Planned::By { ask, disjoint: keys.planner.disjoint },
    };
    let planned = layout.map_or(by, Planned::Laid);
    let number = |key, name: &str| pool.named(name).map_err(|e| wrong(key, name, e.to_string()));
    let count = pool.machines.len();
    let faults = keys.fault.iter().map(|keys| fault::faults(keys, count, number));
    let faults = faults.collect::<Result<Vec<_>, _>>()?.concat();
    let entries = entries(swarm, &pool)?;
    let span = seconds("run.seconds", run.seconds.unwrap_or(300.0))?;
    bounded(&source, span)?;
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
        told: nodes::told(keys.nodes)?,
        entries,
        source,
        span,
        patience: seconds("run.patience_s", run.patience_s.unwrap_or(600.0))?,
        unit: Duration::from_secs_f64(unit_ms / 1e3),
        scales,
        faults,
        churn,
        notes,
        plans: None,
        routers: Routers::default(),
        fleet: fleets.only(Fleet::new(pool, model, belief, planned)),
    })
}

/// Looks whether so many requests can be kept.
fn bounded(source: &Source, span: Duration) -> Result<(), RecipeError> {
    let Source::Drawn(Drawn { arrivals, .. }) = source else { return Ok(()) };
    let (rate, seconds) = (arrivals.requests_per_s(), span.as_secs_f64());
    match rate * seconds > REQUESTS_MAX as f64 {
        true => {
            let reason = format!(
                "in {seconds} s that is {:.0} requests; {REQUESTS_MAX} may be",
                rate * seconds
            );
            Err(wrong("requests_per_s", rate, reason))
        }
        false => Ok(()),
    }
}

impl Recipe {
    /// The same machines with the same plan, asked at another rate and for so long. Recorded requests
    /// stay what they are.
    pub fn at_rate(&self, requests_per_s: f64, span: Duration) -> Self {
        let source = match &self.source {
            Source::Drawn(drawn) => Source::Drawn(Drawn {
                arrivals: drawn.arrivals.at_rate(requests_per_s),
                ..drawn.clone()
            }),
            recorded => recorded.clone(),
        };
        Self { source, span, ..self.clone() }
    }

    /// The same, planned by a planner of one's own.
    pub fn planned_by(&self, plans: impl Plans + 'static) -> Self {
        Self { plans: Some(Arc::new(plans)), ..self.clone() }
    }

    /// The same, with routers of one's own.
    pub fn routed_by(&self, routers: Routers) -> Self {
        Self { routers, ..self.clone() }
    }

    /// The swarm that serves.
    pub fn setup(&self) -> Setup {
        let setup = self.fleet.setup(&self.truth);
        let planner = self.plans.clone().map_or(setup.planner, Planner::Own);
        Setup { planner, routers: self.routers.clone(), told: self.told.clone(), ..setup }
    }

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

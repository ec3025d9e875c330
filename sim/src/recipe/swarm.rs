//! Who serves, who plans, and how fast machines are in truth.

use std::{path::Path, sync::Arc, time::Duration};

use swarm_scheduler::{
    Ask, Deadline, Model, Objective, Planner, PoolFile, Rules, Way, Workload, catalogue,
};

use super::{
    Reads, RecipeError,
    figure::{data, figure, part, read, wrong},
    keys::{Aim, BeliefKeys, PlannerKeys, Reached, Sums, SwarmKeys, TruthKeys},
};
use crate::{
    Belief, Truth, Weather,
    rig::{Efficiency, Layers},
    shipped,
    world::SKEW_MAX_PPM,
};

/// Times as fast as they are that devices may be believed to be, at most.
const BIAS_MAX: f64 = 1e3;
/// Times its delay that a message may take beside it, at most.
const JITTER_MAX: f64 = 100.0;
/// The share of messages that all ways may lose: of more no swarm comes to be.
const LOSS_MAX: f64 = 0.5;

pub(super) fn pool(swarm: &SwarmKeys, reads: &Reads<'_>) -> Result<PoolFile, RecipeError> {
    let text = read(&swarm.pool, reads)?;
    let folder = Path::new(&swarm.pool).parent().unwrap_or(Path::new(""));
    let beside = |name: &str| reads(&folder.join(name).to_string_lossy());
    let failed = |e: swarm_scheduler::PoolError| RecipeError::File {
        file: swarm.pool.clone(),
        reason: e.to_string(),
    };
    let mut pool = PoolFile::parse(&text, &beside).map_err(failed)?;
    for name in &swarm.without {
        match name.rsplit_once(':') {
            Some((machine, count)) => leave_devices(&mut pool, machine, count)?,
            None => pool.leave_out(name).map_err(|e| wrong("without", name, e.to_string()))?,
        }
    }
    Ok(pool)
}

/// Takes so many devices from each of the machines of a name.
fn leave_devices(pool: &mut PoolFile, name: &str, count: &str) -> Result<(), RecipeError> {
    let machines = numbers(pool, name)?;
    for machine in machines {
        let devices = &mut pool.machines[machine].devices;
        let rest = count.parse().ok().and_then(|count| devices.len().checked_sub(count));
        let rest = rest.filter(|rest| *rest > 0).ok_or_else(|| {
            let reason = format!("{name} has {} devices, and one must stay", devices.len());
            wrong("without", format!("{name}:{count}"), reason)
        })?;
        devices.truncate(rest);
    }
    Ok(())
}

pub(super) fn model(swarm: &SwarmKeys) -> Result<Model, RecipeError> {
    let facts =
        catalogue::model(&swarm.model).map_err(|e| wrong("model", &swarm.model, e.to_string()))?;
    let name = swarm.weights.as_deref().unwrap_or(&facts.weights);
    let format = catalogue::format(name).map_err(|e| wrong("weights", name, e.to_string()))?;
    Ok(facts.model(format))
}

pub(super) fn numbers(pool: &PoolFile, name: &str) -> Result<Vec<usize>, RecipeError> {
    pool.named(name).map_err(|e| wrong("machine", name, e.to_string()))
}

/// Machines that clients ask; all if the scenario does not say.
pub(super) fn entries(swarm: &SwarmKeys, pool: &PoolFile) -> Result<Vec<usize>, RecipeError> {
    if swarm.entries.is_empty() {
        return Ok((0..pool.machines.len()).collect());
    }
    let known =
        |name: &String| pool.named(name).map_err(|e| wrong("swarm.entries", name, e.to_string()));
    let named = swarm.entries.iter().map(known);
    Ok(named.collect::<Result<Vec<_>, _>>()?.concat())
}

pub(super) fn truth(
    keys: &TruthKeys,
    model: &Model,
    reads: &Reads<'_>,
) -> Result<Truth, RecipeError> {
    let layer_us = keys.layer_us.unwrap_or(0.0);
    if !(0.0..=1e6).contains(&layer_us) {
        return Err(wrong("layer_us", layer_us, "may be from 0 to a million"));
    }
    let between = match (keys.between_ms, keys.between_gbit_s) {
        (None, None) => None,
        (Some(ms), Some(gbit_s)) => Some(Way {
            ms: figure("between_ms", ms, 1e6)?,
            bytes_per_ms: figure("between_gbit_s", gbit_s, 1e6)? * 1e9 / 8.0 / 1e3,
        }),
        _ => return Err(wrong("between_ms", "one", "and between_gbit_s go together: give both")),
    };
    let skew_ppm = keys.skew_ppm.unwrap_or(0);
    if skew_ppm > SKEW_MAX_PPM {
        return Err(wrong("skew_ppm", skew_ppm, format!("may be from 0 to {SKEW_MAX_PPM}")));
    }
    let usual = Weather::default();
    let weather = Weather {
        jitter: part("jitter", keys.jitter.unwrap_or(usual.jitter), JITTER_MAX)?,
        loss: part("loss", keys.loss.unwrap_or(usual.loss), LOSS_MAX)?,
    };
    Ok(Truth {
        between,
        weather,
        efficiency: keys.efficiency.map(|Reached::Fitted| efficiency(keys)).transpose()?,
        skew_ppm,
        bandwidth: figure("bandwidth", keys.bandwidth.unwrap_or(1.0), 10.0)?,
        arithmetic: figure("arithmetic", keys.arithmetic.unwrap_or(1.0), 10.0)?,
        layer: Duration::from_secs_f64(layer_us / 1e6),
        layers: keys.layers.as_deref().map(|name| layers(name, model, reads)).transpose()?,
        noise: match keys.noise.unwrap_or(0.0) {
            0.0 => 0.0,
            noise => figure("noise", noise, 10.0)
                .map_err(|_| wrong("noise", noise, "may be 0, or from 0.000001 to 10"))?,
        },
    })
}

/// What each card was fitted to reach.
fn efficiency(keys: &TruthKeys) -> Result<Arc<Efficiency>, RecipeError> {
    for (key, said) in [("bandwidth", keys.bandwidth), ("arithmetic", keys.arithmetic)] {
        if let Some(said) = said {
            let reason = "efficiency = \"fitted\" says it of each card: leave out one or the other";
            return Err(wrong(key, said, reason));
        }
    }
    let shipped = Efficiency::shipped().map(Arc::new);
    shipped.map_err(|e| wrong("efficiency", "fitted", e.to_string()))
}

/// What planners believe: that devices are as fast as they are, unless a scenario says otherwise.
pub(super) fn belief(
    keys: &BeliefKeys,
    rules: Rules,
    workload: Workload,
) -> Result<Belief, RecipeError> {
    Ok(Belief {
        rules,
        workload,
        bandwidth: figure("belief.bandwidth", keys.bandwidth.unwrap_or(1.0), BIAS_MAX)?,
        arithmetic: figure("belief.arithmetic", keys.arithmetic.unwrap_or(1.0), BIAS_MAX)?,
    })
}

/// Measured layer times of the model, with weights as those that they were measured with.
fn layers(name: &str, model: &Model, reads: &Reads<'_>) -> Result<Arc<Layers>, RecipeError> {
    let wrong = |reason: String| wrong("layers", name, reason);
    let text = data(name, shipped::LAYERS, reads)?;
    let layers = Layers::parse(&text, &model.spec.name).map_err(|e| wrong(e.to_string()))?;
    match model.bits() {
        15.9..16.1 => Ok(Arc::new(layers)),
        bits => Err(wrong(format!(
            "layers are measured with weights of 16 bits, not {bits:.1}: leave out swarm.weights"
        ))),
    }
}

pub(super) fn deadline(key: &'static str, text: &str) -> Result<Deadline, RecipeError> {
    text.parse().map_err(|reason: String| wrong(key, text, reason))
}

/// Whether nothing is said of what a swarm's leader is asked for: it plans for what it always does.
fn alone(keys: &PlannerKeys) -> Result<(), RecipeError> {
    let said = [
        ("planner.slo", keys.slo.is_some()),
        ("planner.objective", keys.objective.is_some()),
        ("planner.seed", keys.seed.is_some()),
        ("planner.sums", keys.sums.is_some()),
        ("planner.disjoint", keys.disjoint),
    ];
    match said.into_iter().find(|(_, said)| *said) {
        Some((key, _)) => Err(wrong(key, "something", "a leader is not asked: leave it out")),
        None => Ok(()),
    }
}

pub(super) fn ask(
    keys: &PlannerKeys,
    model: &Model,
    workload: Workload,
) -> Result<(Ask, Rules), RecipeError> {
    if keys.is_live() {
        alone(keys)?;
    }
    let name = keys.name.as_deref().filter(|_| !keys.is_live()).unwrap_or("replicas");
    let planner: Planner = name.parse().map_err(|reason: String| {
        wrong("planner.name", name, format!("{reason}; or live, as a swarm's leader plans"))
    })?;
    let slo = keys.slo.as_deref().unwrap_or("5x");
    let objective = match keys.objective.unwrap_or(Aim::Slo) {
        Aim::Throughput => Objective::Throughput,
        Aim::Latency => Objective::Latency,
        Aim::Slo => {
            let late = || {
                wrong(
                    "planner.slo",
                    slo,
                    "eight A100 do not hold the model with such requests: give seconds",
                )
            };
            let deadline_ms = deadline("planner.slo", slo)?.ms(model, workload).ok_or_else(late)?;
            Objective::Slo { deadline_ms }
        }
    };
    let own = if planner.hexgens() { Sums::Hexgen } else { Sums::Fitted };
    let rules = match keys.sums.unwrap_or(own) {
        Sums::Hexgen => Rules::exact(),
        Sums::Fitted => Rules::fitted(),
    };
    Ok((Ask { planner, objective, seed: keys.seed.unwrap_or(0) }, rules))
}

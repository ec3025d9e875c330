//! Who comes and goes.

use serde::Deserialize;
use swarm_scheduler::PoolFile;

use super::{
    Reads, RecipeError, What,
    figure::{data, figure, seconds, wrong},
    keys::ChurnKeys,
    swarm::numbers,
};
use crate::{
    churn::{Churn, ChurnError, ChurnTrace, GOINGS_MAX, Times},
    shipped,
};

/// How a machine goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Goes {
    Die,
    Vanish,
    Leave,
}

/// Shapes of distributions that machines are drawn from.
const SHAPES: std::ops::RangeInclusive<f64> = 0.2..=20.0;

pub(super) fn churn(
    keys: &ChurnKeys,
    (pool, entries): (&PoolFile, &[usize]),
    span_s: f64,
    reads: &Reads<'_>,
) -> Result<Churn, RecipeError> {
    let machines = machines(keys, pool, entries)?;
    let times = match (&keys.trace, keys.up_s, keys.down_s) {
        (Some(file), None, None) => recorded(file, keys, reads)?,
        (None, Some(up_s), Some(down_s)) => {
            let expected = machines.len() as f64 * span_s / (up_s + down_s);
            let times = drawn(keys, up_s, down_s)?;
            if expected > GOINGS_MAX as f64 {
                let reason = format!(
                    "with so short times machines go about {expected:.0} times; {GOINGS_MAX} may be"
                );
                return Err(wrong("up_s", up_s, reason));
            }
            times
        }
        _ => {
            let reason = "[churn] needs either trace, or both up_s and down_s";
            return Err(wrong("churn", keys.trace.as_deref().unwrap_or("nothing"), reason));
        }
    };
    let does = match keys.does.unwrap_or(Goes::Die) {
        Goes::Die => What::Die,
        Goes::Vanish => What::Vanish,
        Goes::Leave => What::Leave,
    };
    Ok(Churn { machines, does, times })
}

/// Those that are named, or all that no client asks.
fn machines(
    keys: &ChurnKeys,
    pool: &PoolFile,
    entries: &[usize],
) -> Result<Vec<usize>, RecipeError> {
    let mut machines: Vec<usize> = match &keys.machines {
        Some(names) => {
            let named = names.iter().map(|name| numbers(pool, name));
            named.collect::<Result<Vec<_>, _>>()?.concat()
        }
        None => (0..pool.machines.len()).filter(|number| !entries.contains(number)).collect(),
    };
    machines.sort_unstable();
    machines.dedup();
    if machines.is_empty() {
        let reason = "clients ask all machines, and who is asked stays: name swarm.entries, or here \
                      who comes and goes";
        return Err(wrong("churn.machines", "nothing", reason));
    }
    Ok(machines)
}

/// Shapes that it says.
fn shapes(keys: &ChurnKeys) -> [(&'static str, Option<f64>); 3] {
    [("shape", keys.shape), ("up_shape", keys.up_shape), ("down_shape", keys.down_shape)]
}

fn recorded(file: &str, keys: &ChurnKeys, reads: &Reads<'_>) -> Result<Times, RecipeError> {
    for (key, said) in shapes(keys) {
        if let Some(said) = said {
            return Err(wrong(key, said, "is for up_s and down_s, not for a trace"));
        }
    }
    let speed = figure("churn.speed", keys.speed.unwrap_or(1.0), 1e6)?;
    let from = seconds("churn.from_s", keys.from_s.unwrap_or(0.0))?;
    let text = data(file, shipped::CHURNS, reads)?;
    let trace: ChurnTrace = text.parse().map_err(|e: ChurnError| RecipeError::File {
        file: file.to_owned(),
        reason: e.to_string(),
    })?;
    Ok(Times::Recorded(trace.hurried(speed, from).into()))
}

fn drawn(keys: &ChurnKeys, up_s: f64, down_s: f64) -> Result<Times, RecipeError> {
    for (key, said) in [("churn.speed", keys.speed), ("churn.from_s", keys.from_s)] {
        if let Some(said) = said {
            return Err(wrong(key, said, "is for a trace: name one"));
        }
    }
    for (key, said) in shapes(keys) {
        if let Some(shape) = said.filter(|shape| !SHAPES.contains(shape)) {
            let (least, most) = (SHAPES.start(), SHAPES.end());
            return Err(wrong(key, shape, format!("may be from {least} to {most}")));
        }
    }
    let shape = |own: Option<f64>| own.or(keys.shape).unwrap_or(1.0);
    let (up_shape, down_shape) = (shape(keys.up_shape), shape(keys.down_shape));
    let span = |key, value| figure(key, value, 1e7).and_then(|value| seconds(key, value));
    let (up, down) = (span("up_s", up_s)?, span("down_s", down_s)?);
    Ok(Times::Drawn { up, down, up_shape, down_shape })
}

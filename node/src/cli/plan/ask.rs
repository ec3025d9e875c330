//! What a plan is asked to be good at, from the flags.

use clap::{
    ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use color_eyre::eyre::eyre;
use swarm_scheduler::{Deadline, Model, Objective, Planner, Workload};

/// Reads the name of a planner; help tells what each does.
pub(super) fn planners() -> impl TypedValueParser<Value = Planner> {
    let value = |planner: Planner| PossibleValue::new(planner.name()).help(planner.about());
    PossibleValuesParser::new(Planner::NAMED.map(value)).try_map(|name| name.parse::<Planner>())
}

/// What a planner's plans must have and ours need not.
pub(super) fn demands(planner: Planner) -> &'static str {
    match planner {
        Planner::Petals => "its servers are single devices, and each must hold a layer",
        Planner::Symmetric => "its pipelines have one degree and equal layers for all stages",
        Planner::Helix => "its servers are all of one degree, and at most 128",
        Planner::Parallax => "its servers all have the largest degree that a machine has room for",
        Planner::Hexgen2 => "it has some groups of devices for prompts and others for answers",
        _ => "its replicas share nothing, and fewer ways to lay them out are tried",
    }
}

/// What a plan is to be good at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Aim {
    /// Requests that meet the deadline
    Slo,
    /// Requests a second
    Throughput,
    /// The time of one request
    Latency,
}

/// What is asked for, the deadline in milliseconds.
pub(super) fn objective(
    aim: Option<Aim>,
    deadline: Option<Deadline>,
    (model, workload): (&Model, Workload),
) -> color_eyre::Result<Objective> {
    let aim = aim.unwrap_or(if deadline.is_some() { Aim::Slo } else { Aim::Throughput });
    Ok(match aim {
        Aim::Throughput => Objective::Throughput,
        Aim::Latency => Objective::Latency,
        Aim::Slo => {
            let deadline = deadline.unwrap_or(Deadline::Times(5.0));
            let deadline_ms = deadline.ms(model, workload).ok_or_else(|| {
                eyre!("the model does not fit eight A100, whose time --slo counts: give seconds")
            })?;
            Objective::Slo { deadline_ms }
        }
    })
}

//! What goes wrong, and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    RecipeError,
    figure::{figure, part, seconds, wrong},
    keys::{FaultKeys, Names},
};

/// What a machine does that goes wrong, or its ways to others do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Its process dies, and its connections close.
    Die,
    /// It is gone without a word.
    Vanish,
    /// Its process is stopped.
    Pause,
    /// It leaves in good order.
    Leave,
    /// Its devices take so many times as long.
    Slow(f64),
    /// Its devices stand still.
    Stall,
    /// It and another do not reach each other.
    Cut {
        /// The other.
        other: usize,
        /// Whether their connection closes, or falls silent.
        told: bool,
    },
    /// Nothing that it sends to another arrives.
    CutOneWay {
        /// To whom.
        other: usize,
    },
    /// It reaches only those on its side, and they only it and each other.
    Partition {
        /// Who else is on its side.
        with: Vec<usize>,
        /// Whether connections close, or fall silent.
        told: bool,
    },
    /// A part of what it sends and is sent is lost.
    Lossy {
        /// Which part.
        loss: f64,
        /// Whether nobody says so.
        silent: bool,
    },
}

/// As scenarios say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Does {
    Die,
    Vanish,
    Pause,
    Leave,
    Slow,
    Stall,
    Cut,
    CutOneWay,
    Partition,
    Lossy,
}

/// Times as slow, at most.
const SLOW_MAX: f64 = 1e4;
/// Ways that one fault cuts, at most.
const WAYS_MAX: usize = 100_000;

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// How long after the first request could come.
    pub at: Duration,
    /// Which machine, by its number.
    pub machine: usize,
    /// What it does.
    pub does: What,
    /// After what time it is started again, goes on or is as before; never if it does not say.
    pub lasts: Option<Duration>,
}

impl What {
    /// Machines that it is about beside the one that does it.
    pub(crate) fn others(&self) -> &[usize] {
        match self {
            Self::Cut { other, .. } | Self::CutOneWay { other } => std::slice::from_ref(other),
            Self::Partition { with, .. } => with,
            _ => &[],
        }
    }
}

/// Keys that are for some faults only must not be said of others, and what a fault needs must be.
fn fits(keys: &FaultKeys) -> Result<(), RecipeError> {
    use Does::{Cut, CutOneWay, Lossy, Partition, Pause, Slow, Stall};
    let names = keys.other.as_ref().map(|names| names.all().join(", "));
    let of: [(&'static str, Option<String>, &[Does], &str); 5] = [
        ("factor", keys.factor.map(|v| v.to_string()), &[Slow], "does = \"slow\""),
        ("other", names, &[Cut, CutOneWay], "does = \"cut\" and \"cut_one_way\""),
        (
            "told",
            keys.told.map(|v| v.to_string()),
            &[Cut, Partition],
            "does = \"cut\" and \"partition\"",
        ),
        ("loss", keys.loss.map(|v| v.to_string()), &[Lossy], "does = \"lossy\""),
        ("silent", keys.silent.map(|v| v.to_string()), &[Lossy], "does = \"lossy\""),
    ];
    for (key, said, does, whose) in of {
        if let Some(said) = said.filter(|_| !does.contains(&keys.does)) {
            return Err(wrong(key, said, format!("is for {whose}")));
        }
    }
    let needs = |key, said: bool, reason: &str| match said {
        true => Ok(()),
        false => Err(wrong(key, "nothing", reason)),
    };
    match keys.does {
        Slow => needs("factor", keys.factor.is_some(), "does = \"slow\" needs it: how many times"),
        Cut | CutOneWay => {
            needs("other", keys.other.is_some(), "a cut needs it: whom the machine does not reach")
        }
        Lossy => needs("loss", keys.loss.is_some(), "does = \"lossy\" needs it: which part"),
        Pause | Stall => {
            needs("for_s", keys.for_s.is_some(), "a pause or stall needs it: for how long")
        }
        _ => Ok(()),
    }
}

/// What each of the machines does.
fn deeds(
    keys: &FaultKeys,
    machines: Vec<usize>,
    others: &[usize],
    all: usize,
) -> Result<Vec<(usize, What)>, RecipeError> {
    let told = keys.told.unwrap_or(false);
    let each = |does: What| Ok(machines.iter().map(|machine| (*machine, does.clone())).collect());
    match keys.does {
        Does::Die => each(What::Die),
        Does::Vanish => each(What::Vanish),
        Does::Pause => each(What::Pause),
        Does::Leave => each(What::Leave),
        Does::Stall => each(What::Stall),
        Does::Slow => {
            each(What::Slow(figure("factor", keys.factor.unwrap_or_default(), SLOW_MAX)?))
        }
        Does::Lossy => {
            let loss = keys.loss.unwrap_or_default();
            each(What::Lossy {
                loss: part("loss", loss, 1.0)?,
                silent: keys.silent.unwrap_or(false),
            })
        }
        Does::Partition => {
            ways(machines.len(), all - machines.len())?;
            let [machine, with @ ..] = &machines[..] else { return Ok(Vec::new()) };
            Ok(vec![(*machine, What::Partition { with: with.to_vec(), told })])
        }
        Does::Cut | Does::CutOneWay => {
            ways(machines.len(), others.len())?;
            if let Some(both) = machines.iter().find(|machine| others.contains(machine)) {
                let reason =
                    format!("machine {both} is here and in `machine`: none is cut from itself");
                return Err(wrong("other", "machine", reason));
            }
            let cut = |other| match keys.does {
                Does::Cut => What::Cut { other, told },
                _ => What::CutOneWay { other },
            };
            let pairs = machines
                .iter()
                .flat_map(|machine| others.iter().map(move |other| (*machine, cut(*other))));
            Ok(pairs.collect())
        }
    }
}

/// Looks whether so many ways can be cut.
fn ways(these: usize, others: usize) -> Result<(), RecipeError> {
    if others == 0 {
        return Err(wrong("machine", "all", "are on one side: leave out those on the other"));
    }
    match these.saturating_mul(others) {
        0..=WAYS_MAX => Ok(()),
        many => Err(wrong("machine", these, format!("would cut {many} ways; {WAYS_MAX} may be"))),
    }
}

/// Faults of a table, for a pool of so many machines, whose names `number` knows.
pub(super) fn faults(
    keys: &FaultKeys,
    all: usize,
    number: impl Fn(&'static str, &str) -> Result<Vec<usize>, RecipeError>,
) -> Result<Vec<Fault>, RecipeError> {
    let at = seconds("at_s", keys.at_s)?;
    let lasts = keys.for_s.map(|span| seconds("for_s", span)).transpose()?;
    fits(keys)?;
    let named = |key, names: &Names| {
        if names.all().is_empty() {
            return Err(wrong(key, "[]", "is empty: name a machine, group or region"));
        }
        let each = names.all().iter().map(|name| number(key, name));
        let mut machines = each.collect::<Result<Vec<_>, _>>()?.concat();
        machines.sort_unstable();
        machines.dedup();
        Ok(machines)
    };
    let others = keys.other.as_ref().map(|names| named("other", names)).transpose()?;
    let deeds = deeds(keys, named("machine", &keys.machine)?, &others.unwrap_or_default(), all)?;
    Ok(deeds.into_iter().map(|(machine, does)| Fault { at, machine, does, lasts }).collect())
}

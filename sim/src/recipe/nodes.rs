//! What nodes are told before they start.

use super::{
    RecipeError,
    figure::{seconds, wrong},
    keys::NodesKeys,
};
use crate::host::Knobs;

/// Sessions and requests, at most.
const SESSIONS_MAX: usize = 1 << 20;

pub(super) fn knobs(keys: NodesKeys) -> Result<Knobs, RecipeError> {
    let many = |key, count: Option<usize>| match count {
        Some(count) if !(1..=SESSIONS_MAX).contains(&count) => {
            Err(wrong(key, count, format!("may be from 1 to {SESSIONS_MAX}")))
        }
        other => Ok(other),
    };
    let stage_sessions = many("stage_sessions", keys.stage_sessions.map(|count| count as usize))?;
    Ok(Knobs {
        batch_sessions_max: many("batch_sessions", keys.batch_sessions)?,
        stage_sessions_max: stage_sessions.map(|count| count as u32),
        sessions_max: many("sessions", keys.sessions)?,
        waiting_max: many("waiting", keys.waiting)?,
        turn_wait_max: keys.turn_wait_s.map(|span| seconds("turn_wait_s", span)).transpose()?,
    })
}

//! What nodes are told before they start.

use std::time::Duration;

use swarm_core::Config;

use super::{
    RecipeError,
    figure::{seconds, wrong},
    keys::NodesKeys,
};
use crate::host::usual;

/// Sessions and requests, at most.
const SESSIONS_MAX: usize = 1 << 20;
/// Beats and silences, at most.
const SPAN_MS_MAX: f64 = 1e6;

pub(super) fn told(keys: NodesKeys) -> Result<Config, RecipeError> {
    let many = |key, count: Option<usize>| match count {
        Some(count) if !(1..=SESSIONS_MAX).contains(&count) => {
            Err(wrong(key, count, format!("may be from 1 to {SESSIONS_MAX}")))
        }
        other => Ok(other),
    };
    let span = |key, ms: Option<f64>| match ms {
        Some(ms) if !(1.0..=SPAN_MS_MAX).contains(&ms) => {
            Err(wrong(key, ms, format!("may be from 1 to {SPAN_MS_MAX}")))
        }
        other => Ok(other),
    };
    let usual = usual();
    let ms = |ms: f64| Duration::from_secs_f64(ms / 1e3);
    let beat_every = span("beat_ms", keys.beat_ms)?.map_or(usual.beat_every, ms);
    let silence_max = span("silence_ms", keys.silence_ms)?.map_or(usual.silence_max, ms);
    if silence_max <= 2 * beat_every {
        let (beat_ms, silence_ms) =
            (beat_every.as_secs_f64() * 1e3, silence_max.as_secs_f64() * 1e3);
        let reason = format!("must be above two beats of {beat_ms} ms, or all are thought dead");
        return Err(wrong("silence_ms", silence_ms, reason));
    }
    let stage_sessions = many("stage_sessions", keys.stage_sessions.map(|count| count as usize))?;
    let turn_wait = keys.turn_wait_s.map(|span| seconds("turn_wait_s", span)).transpose()?;
    Ok(Config {
        batch_sessions_max: many("batch_sessions", keys.batch_sessions)?
            .unwrap_or(usual.batch_sessions_max),
        stage_sessions_max: stage_sessions.map_or(usual.stage_sessions_max, |count| count as u32),
        sessions_max: many("sessions", keys.sessions)?.unwrap_or(usual.sessions_max),
        waiting_max: many("waiting", keys.waiting)?.unwrap_or(usual.waiting_max),
        turn_wait_max: turn_wait.unwrap_or(usual.turn_wait_max),
        beat_every,
        silence_max,
        ..usual
    })
}

//! What nodes are told before they start.

use std::time::Duration;

use super::{
    RecipeError,
    figure::{figure, seconds, wrong},
    keys::NodesKeys,
};
use crate::host::Knobs;

/// Sessions and requests, at most.
const SESSIONS_MAX: usize = 1 << 20;
/// Beats and silences, at most.
const SPAN_MS_MAX: f64 = 1e6;

pub(super) fn knobs(keys: NodesKeys) -> Result<Knobs, RecipeError> {
    let many = |key, count: Option<usize>| match count {
        Some(count) if !(1..=SESSIONS_MAX).contains(&count) => {
            Err(wrong(key, count, format!("may be from 1 to {SESSIONS_MAX}")))
        }
        other => Ok(other),
    };
    let span = |key, ms: Option<f64>| ms.map(|ms| figure(key, ms, SPAN_MS_MAX)).transpose();
    let beat = span("beat_ms", keys.beat_ms)?;
    let silence = span("silence_ms", keys.silence_ms)?;
    let usual = Knobs::usual_ms();
    let (beat_ms, silence_ms) = (beat.unwrap_or(usual.0), silence.unwrap_or(usual.1));
    if silence_ms <= 2.0 * beat_ms {
        let reason = format!("must be above two beats of {beat_ms} ms, or all are thought dead");
        return Err(wrong("silence_ms", silence_ms, reason));
    }
    let ms = |ms: f64| Duration::from_secs_f64(ms / 1e3);
    let stage_sessions = many("stage_sessions", keys.stage_sessions.map(|count| count as usize))?;
    Ok(Knobs {
        batch_sessions_max: many("batch_sessions", keys.batch_sessions)?,
        stage_sessions_max: stage_sessions.map(|count| count as u32),
        sessions_max: many("sessions", keys.sessions)?,
        waiting_max: many("waiting", keys.waiting)?,
        beat_every: beat.map(ms),
        silence_max: silence.map(ms),
        turn_wait_max: keys.turn_wait_s.map(|span| seconds("turn_wait_s", span)).transpose()?,
        ..Knobs::default()
    })
}

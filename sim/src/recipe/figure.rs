//! Figures that a scenario states, and what is said of those that cannot be.

use std::{borrow::Cow, time::Duration};

use swarm_scheduler::catalogue;

use super::{Reads, RecipeError};
use crate::{shipped, workload::TOKENS_MAX};

/// More seconds than this are not simulated in a lifetime.
const SECONDS_MAX: f64 = 1e7;

/// A reader's words, and of keys that mean nothing the nearest that does.
pub(super) fn told(error: &toml::de::Error) -> String {
    let text = error.to_string().trim_end().to_owned();
    let names: Vec<&str> = error.message().split('`').skip(1).step_by(2).collect();
    let Some((unknown, known)) = names.split_first() else { return text };
    if !error.message().starts_with("unknown") {
        return text;
    }
    let near = catalogue::nearest_name(unknown, known.iter().copied());
    near.map_or(text.clone(), |near| format!("{text}\ndid you mean `{near}`?"))
}

pub(super) fn wrong(
    key: &'static str,
    value: impl ToString,
    reason: impl Into<String>,
) -> RecipeError {
    RecipeError::Value { key, value: value.to_string(), reason: reason.into() }
}

/// Less than this is as good as nothing, and what is divided by it takes for ever.
const LEAST: f64 = 1e-6;

/// A figure above nothing and at most so much.
pub(super) fn figure(key: &'static str, value: f64, most: f64) -> Result<f64, RecipeError> {
    match (LEAST..=most).contains(&value) {
        true => Ok(value),
        false => Err(wrong(key, value, format!("may be from {LEAST} to {most}"))),
    }
}

/// A part from nothing on.
pub(super) fn part(key: &'static str, value: f64, most: f64) -> Result<f64, RecipeError> {
    match (0.0..=most).contains(&value) {
        true => Ok(value),
        false => Err(wrong(key, value, format!("may be from 0 to {most}"))),
    }
}

pub(super) fn seconds(key: &'static str, value: f64) -> Result<Duration, RecipeError> {
    match (0.0..=SECONDS_MAX).contains(&value) {
        true => Ok(Duration::from_secs_f64(value)),
        false => Err(wrong(key, value, format!("may be from 0 to {SECONDS_MAX:e} seconds"))),
    }
}

pub(super) fn read(file: &str, reads: &Reads<'_>) -> Result<String, RecipeError> {
    reads(file).map_err(|e| RecipeError::File { file: file.to_owned(), reason: e.to_string() })
}

/// The text of data that comes with the simulator, by its name, or of a file.
pub(super) fn data(
    name: &str,
    known: &shipped::Texts,
    reads: &Reads<'_>,
) -> Result<Cow<'static, str>, RecipeError> {
    if let Some(text) = shipped::text(known, name) {
        return Ok(text.into());
    }
    reads(name).map(Cow::from).map_err(|e| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let reason = format!("{e}; what comes with the simulator is called {}", names.join(", "));
        RecipeError::File { file: name.to_owned(), reason }
    })
}

/// A number of tokens that a request can have.
pub(super) fn tokens(key: &'static str, count: u32) -> Result<u32, RecipeError> {
    match (1..=TOKENS_MAX).contains(&count) {
        true => Ok(count),
        false => Err(wrong(key, count, format!("may be from 1 to {TOKENS_MAX}"))),
    }
}

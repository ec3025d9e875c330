//! Recorded comings and goings: CSV with the header `time_s,event,node`, where an event is `add` or
//! `remove`, or that of [`spot`].

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use serde::Deserialize;

use super::spot;

/// Rows, at most.
pub(super) const ROWS_MAX: usize = 1_000_000;
/// Seconds that a trace may span: a year and more.
const SECONDS_MAX: f64 = 4e7;

/// A machine's time from when it came until it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// When it came.
    pub from: Duration,
    /// When it went, if it did.
    pub to: Option<Duration>,
}

/// Stays of machines, in the order in which they came.
#[derive(Clone, Debug, PartialEq)]
pub struct ChurnTrace(pub Vec<Stay>);

/// What is wrong with a trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChurnError {
    /// A line that cannot be.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1, the header included.
        line: u64,
        /// Why not.
        reason: String,
    },
    /// No line at all.
    #[error("nobody comes in it")]
    Empty,
}

#[derive(Deserialize)]
struct Row {
    time_s: f64,
    event: String,
    node: String,
}

impl FromStr for ChurnTrace {
    type Err = ChurnError;

    fn from_str(text: &str) -> Result<Self, ChurnError> {
        let mut stays: Vec<Stay> = Vec::new();
        let mut here: BTreeMap<String, usize> = BTreeMap::new();
        let mut last_s = 0.0;
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.trim(csv::Trim::All).from_reader(text.as_bytes());
        if let Some(columns) = reader.headers().ok().and_then(spot::Columns::of) {
            let rows = reader.records().zip(2..);
            return spot::stays(
                &columns,
                rows.map(|(row, line)| {
                    row.map_err(|e| ChurnError::Line { line, reason: plain(&e) })
                }),
            );
        }
        for (count, row) in reader.deserialize().enumerate() {
            let line = count as u64 + 2;
            let wrong = |reason: String| ChurnError::Line { line, reason };
            let row: Row = row.map_err(|e| wrong(plain(&e)))?;
            if count >= ROWS_MAX {
                return Err(wrong(format!("more than {ROWS_MAX} rows")));
            }
            let at = time(row.time_s, last_s).map_err(wrong)?;
            last_s = row.time_s;
            match row.event.as_str() {
                "add" => {
                    if here.contains_key(&row.node) {
                        return Err(wrong(format!("{} comes, and is here already", row.node)));
                    }
                    here.insert(row.node, stays.len());
                    stays.push(Stay { from: at, to: None });
                }
                "remove" => {
                    let stay = here.remove(&row.node);
                    let stay =
                        stay.ok_or_else(|| wrong(format!("{} goes, and is not here", row.node)))?;
                    stays[stay].to = Some(at);
                }
                other => {
                    let other: String = other.chars().take(40).collect();
                    return Err(wrong(format!("`{other}` is neither `add` nor `remove`")));
                }
            }
        }
        if stays.is_empty() { Err(ChurnError::Empty) } else { Ok(Self(stays)) }
    }
}

pub(super) fn time(seconds: f64, last_s: f64) -> Result<Duration, String> {
    if !(0.0..=SECONDS_MAX).contains(&seconds) {
        return Err(format!("a time of {seconds} s; from 0 to {SECONDS_MAX:e} may be"));
    }
    if seconds < last_s {
        let earlier = last_s - seconds;
        return Err(format!("{earlier} s before the line before; sort the trace by time"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// A reader's words without its own place, which counts otherwise.
fn plain(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} cells, where the header has {expected_len}")
        }
        csv::ErrorKind::Deserialize { err, .. } => {
            format!(
                "{}; a row is `time_s,event,node`, such as `480,add,node1`, or \
                 `start_s,end_s,available`, such as `0,480,3`",
                err.kind()
            )
        }
        _ => error.to_string(),
    }
}

impl ChurnTrace {
    /// Sooner or later: `speed` is how many times as fast, and what comes before `from` then is past:
    /// who is here by then is here from the first moment on.
    pub fn hurried(self, speed: f64, from: Duration) -> Vec<Stay> {
        let at = |time: Duration| time.div_f64(speed).saturating_sub(from);
        let stays = self.0.into_iter();
        let stays = stays.map(|stay| Stay { from: at(stay.from), to: stay.to.map(at) });
        stays.filter(|stay| stay.to.is_none_or(|to| to > stay.from)).collect()
    }
}

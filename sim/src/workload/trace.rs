//! Recorded requests, in the formats that they are published in.
//!
//! | format | is told by | source |
//! | --- | --- | --- |
//! | plain | header `timestamp_s, input_tokens, output_tokens`, and `block_ids_512` if prompts share blocks | ours |
//! | Azure | header `TIMESTAMP, ContextTokens, GeneratedTokens`; dates | Azure/AzurePublicDataset |
//! | BurstGPT | header `Timestamp, Model, Request tokens, Response tokens, Total tokens, Log Type` | HPMLL/BurstGPT |
//! | Mooncake | a JSON object a line: `timestamp` (ms), `input_length`, `output_length`, `hash_ids` | kvcache-ai/Mooncake |

mod row;

use std::{fmt, str::FromStr, time::Duration};

use self::row::{Row, mooncake, row, told_by};
use super::{Arrival, PREFIX_TOKENS, REQUESTS_MAX, TOKENS_MAX};

/// Seconds that a trace may span: a year and more.
const SECONDS_MAX: f64 = 4e7;

/// How a trace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Seconds, tokens of the prompt and of the answer.
    Plain,
    /// Azure's inference traces of 2023 and 2024.
    Azure,
    /// BurstGPT's.
    BurstGpt,
    /// Mooncake's, with the prompts' prefix blocks.
    Mooncake,
}

/// Recorded requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// How it was written.
    pub format: Format,
    /// In the order of their times, of which the first is 0.
    pub arrivals: Vec<Arrival>,
    /// Requests that came to nothing when they were recorded, and are left out.
    pub failed: usize,
}

/// What is wrong with a trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// Nobody knows this format.
    #[error(
        "not a trace: it begins with `{begins}`; a trace has a header line of `timestamp_s, input_tokens, \
         output_tokens`, or is one of Azure, BurstGPT or Mooncake as published"
    )]
    Unknown {
        /// The first line, or some of it.
        begins: String,
    },
    /// A line that cannot be.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1, the header included.
        line: u64,
        /// Why not.
        reason: String,
    },
    /// No line at all.
    #[error("there is no request in it")]
    Empty,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Azure => "Azure",
            Self::BurstGpt => "BurstGPT",
            Self::Mooncake => "Mooncake",
        })
    }
}

impl FromStr for Trace {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        if text.trim().is_empty() {
            return Err(TraceError::Empty);
        }
        let first = text.lines().next().unwrap_or_default();
        let format = told_by(first)
            .ok_or_else(|| TraceError::Unknown { begins: first.chars().take(80).collect() })?;
        let mut reading = Reading::new(format);
        match format {
            Format::Mooncake => {
                let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
                for (number, line) in lines {
                    let row = mooncake(line).map_err(|reason| at(number, reason))?;
                    reading.take(number, row)?;
                }
            }
            _ => {
                let mut reader = csv::ReaderBuilder::new();
                let mut reader = reader.trim(csv::Trim::All).from_reader(text.as_bytes());
                let heads = reader.headers().cloned().map_err(|e| at(1, e.to_string()))?;
                for record in reader.records() {
                    let record = record.map_err(|e| wrong(&e))?;
                    let line = record.position().map_or(0, csv::Position::line);
                    let row = row(format, &record, &heads).map_err(|reason| at(line, reason))?;
                    reading.take(line, row)?;
                }
            }
        }
        reading.done()
    }
}

fn at(line: u64, reason: String) -> TraceError {
    TraceError::Line { line, reason }
}

fn wrong(error: &csv::Error) -> TraceError {
    let line = error.position().map_or(0, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} cells, where the header has {expected_len}")
        }
        _ => error.to_string(),
    };
    at(line, reason)
}

/// A trace, as far as it is read.
struct Reading {
    trace: Trace,
    /// The time of the first request, and of the last.
    first_s: Option<f64>,
    last_s: f64,
}

impl Reading {
    fn new(format: Format) -> Self {
        let trace = Trace { format, arrivals: Vec::new(), failed: 0 };
        Self { trace, first_s: None, last_s: f64::NEG_INFINITY }
    }

    fn take(&mut self, line: u64, row: Row) -> Result<(), TraceError> {
        let wrong = |reason: String| Err(at(line, reason));
        // Dates are seconds since 1970; all others count from a beginning of their own.
        if !row.seconds.is_finite() || row.seconds < 0.0 && self.trace.format != Format::Azure {
            return wrong(format!("a time of {} s; 0 and more may be", row.seconds));
        }
        if row.seconds < self.last_s {
            return wrong(format!(
                "{:.3} s before the request of the line before; sort the trace by time",
                self.last_s - row.seconds
            ));
        }
        let first_s = *self.first_s.get_or_insert(row.seconds);
        self.last_s = row.seconds;
        let seconds = row.seconds - first_s;
        if seconds > SECONDS_MAX {
            return wrong(format!("{seconds:.0} s after the first request: more than a year"));
        }
        // BurstGPT has an answer of no token where none came.
        if row.output_tokens == 0 && self.trace.format == Format::BurstGpt {
            self.trace.failed += 1;
            return Ok(());
        }
        let count = |what: &str, tokens: u64| match u32::try_from(tokens) {
            Ok(tokens) if (1..=TOKENS_MAX).contains(&tokens) => Ok(tokens),
            _ => Err(at(line, format!("{what} of {tokens} tokens; from 1 to {TOKENS_MAX} may be"))),
        };
        let input_tokens = count("a prompt", row.input_tokens)?;
        let output_tokens = count("an answer", row.output_tokens)?;
        let needed = input_tokens.div_ceil(PREFIX_TOKENS) as usize;
        if !row.prefix.is_empty() && row.prefix.len() != needed {
            let told = row.prefix.len();
            return wrong(format!(
                "{told} prefix blocks, where {input_tokens} tokens are {needed} of {PREFIX_TOKENS}"
            ));
        }
        if self.trace.arrivals.len() >= REQUESTS_MAX {
            return wrong(format!("more than {REQUESTS_MAX} requests"));
        }
        let at = Duration::from_secs_f64(seconds);
        let prefix = row.prefix;
        self.trace.arrivals.push(Arrival { at, input_tokens, output_tokens, prefix });
        Ok(())
    }

    fn done(self) -> Result<Trace, TraceError> {
        if self.trace.arrivals.is_empty() { Err(TraceError::Empty) } else { Ok(self.trace) }
    }
}

#[cfg(test)]
mod tests;

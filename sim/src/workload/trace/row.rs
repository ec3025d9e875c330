//! Rows of each format.

use serde::Deserialize;

use super::Format;
use crate::workload::{PREFIX_TOKENS, TOKENS_MAX};

/// A row, whatever it was written in.
pub(super) struct Row {
    pub(super) seconds: f64,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) prefix: Vec<u64>,
}

/// Letters and digits of a heading.
fn plain(heading: &str) -> String {
    heading.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect()
}

/// The format that a trace is in which begins with this line.
pub(super) fn told_by(first: &str) -> Option<Format> {
    if first.trim_start().starts_with('{') {
        return Some(Format::Mooncake);
    }
    let heads: Vec<String> = first.split(',').map(plain).collect();
    let has = |all: &[&str]| all.iter().all(|head| heads.iter().any(|known| known == head));
    let known = [
        (Format::Plain, &["timestamps", "inputtokens", "outputtokens"][..]),
        (Format::Azure, &["timestamp", "contexttokens", "generatedtokens"]),
        (Format::BurstGpt, &["timestamp", "requesttokens", "responsetokens"]),
    ];
    known.into_iter().find(|(_, heads)| has(heads)).map(|(format, _)| format)
}

#[derive(Deserialize)]
struct MooncakeRow {
    timestamp: f64,
    input_length: u64,
    output_length: u64,
    #[serde(default)]
    hash_ids: Vec<u64>,
}

/// A row of a line of JSON.
pub(super) fn mooncake(line: &str) -> Result<Row, String> {
    let row: MooncakeRow = serde_json::from_str(line).map_err(|e| {
        // Its line is always the first; which line of the trace it is, is told with it.
        let text = e.to_string();
        text.split_once(" at line 1 ")
            .map_or(text.clone(), |(what, place)| format!("{what} ({place})"))
    })?;
    Ok(Row {
        seconds: row.timestamp / 1e3,
        input_tokens: row.input_length,
        output_tokens: row.output_length,
        prefix: row.hash_ids,
    })
}

/// A row of a line of CSV.
pub(super) fn row(
    format: Format,
    record: &csv::StringRecord,
    heads: &csv::StringRecord,
) -> Result<Row, String> {
    let place = |name: &str| heads.iter().position(|head| plain(head) == name);
    let cell = |name: &str| place(name).and_then(|place| record.get(place)).unwrap_or_default();
    let tokens = |name: &str| {
        let cell = cell(name);
        cell.parse::<u64>().map_err(|_| match cell {
            "" => {
                let head = place(name).and_then(|place| heads.get(place));
                format!("a hole where `{}` should be", head.unwrap_or(name))
            }
            _ => format!("`{cell}` is no count of tokens"),
        })
    };
    let seconds = |name: &str| {
        let cell = cell(name);
        cell.parse::<f64>().map_err(|_| match cell {
            "" => "a hole where its time should be".to_owned(),
            _ => format!("`{cell}` is no time in seconds"),
        })
    };
    let none = Vec::new;
    Ok(match format {
        Format::Azure => Row {
            seconds: date(cell("timestamp"))?,
            input_tokens: tokens("contexttokens")?,
            output_tokens: tokens("generatedtokens")?,
            prefix: none(),
        },
        Format::BurstGpt => Row {
            seconds: seconds("timestamp")?,
            input_tokens: tokens("requesttokens")?,
            output_tokens: tokens("responsetokens")?,
            prefix: none(),
        },
        _ => Row {
            seconds: seconds("timestamps")?,
            input_tokens: tokens("inputtokens")?,
            output_tokens: tokens("outputtokens")?,
            prefix: blocks(cell("blockids512"))?,
        },
    })
}

/// Seconds since 1970 of a date, which is UTC if it does not say.
fn date(text: &str) -> Result<f64, String> {
    let with_zone = text.parse::<jiff::Timestamp>().ok();
    let without = || {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    let stamp = with_zone.or_else(without).ok_or_else(|| match text {
        "" => "a hole where its date should be".to_owned(),
        _ => format!("`{}` is no date", text.chars().take(40).collect::<String>()),
    })?;
    Ok(stamp.as_nanosecond() as f64 / 1e9)
}

/// Names of blocks: numbers and runs of them, such as `0 14-27`.
fn blocks(text: &str) -> Result<Vec<u64>, String> {
    /// Blocks of the longest prompt.
    const BLOCKS_MAX: u64 = (TOKENS_MAX / PREFIX_TOKENS) as u64;
    let mut all = Vec::new();
    for word in text.split_whitespace() {
        let wrong = || format!("`{word}` is neither a block nor a run of blocks such as 14-27");
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        let (first, last) = match word.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(word)?, number(word)?),
        };
        let count = last.checked_sub(first).ok_or_else(wrong)?;
        if count >= BLOCKS_MAX || all.len() as u64 + count >= BLOCKS_MAX {
            return Err(format!("more than {BLOCKS_MAX} blocks"));
        }
        all.extend(first..=last);
    }
    Ok(all)
}

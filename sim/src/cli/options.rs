//! What all commands that run scenarios take.

use std::{num::NonZeroUsize, ops::Range};

use clap::{Args, value_parser};
use hexswarm_sim::cores;
use indicatif::{ProgressBar, ProgressStyle};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Go on after a run that fails, and print all of them
    #[arg(long)]
    pub(super) all: bool,
    /// Runs at once; as many as there are cores if it is not given
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

impl Options {
    pub(super) fn threads(&self) -> NonZeroUsize {
        self.threads.and_then(|count| NonZeroUsize::new(count.into())).unwrap_or_else(cores)
    }
}

/// Seeds as people write them.
pub(super) fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    parsed.filter(|range| !range.is_empty()).ok_or_else(|| "write 0..1000".to_owned())
}

/// A bar on stderr, if there is something to wait for.
pub(super) fn progress(runs: u64) -> ProgressBar {
    if runs < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} runs, {eta} left");
    ProgressBar::new(runs).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

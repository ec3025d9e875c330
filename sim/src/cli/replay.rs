//! `hexswarm-sim replay`: what a live node recorded, once more.

mod print;

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write as _},
    path::PathBuf,
};

use clap::Args;
use color_eyre::eyre::WrapErr as _;
use hexswarm_sim::replay::{Replay, ReplayLog, Step, Tally};
use swarm_proto::Time;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm node --record node.log
      A live node writes down what it is told; stop it, or take a copy
  hexswarm-sim replay node.log
      The same again: is everything the node wanted the same?
  hexswarm-sim replay node.log --from 61 --until 62 --effects
      All that it was told in one second, and what it wanted done
  hexswarm-sim replay node.log --log node.jsonl
      The event log of a simulation, of a real node

Exit codes: 0 all effects are the same, 1 they are not or the log cannot be read, 2 wrong usage")]
pub(crate) struct Play {
    /// What `hexswarm node --record` wrote
    log: PathBuf,
    /// Say nothing of what was before, in seconds since the node's start
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
    from: Time,
    /// Play no further, in seconds since the node's start
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    until: Option<Time>,
    /// Print every input, and what the node wanted done
    #[arg(long, conflicts_with = "json")]
    effects: bool,
    /// Write the inputs, notices and answers to this file, a JSON object a line
    #[arg(long = "log", value_name = "FILE")]
    events: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<Time, String> {
    let seconds: f64 = text.parse().map_err(|_| "write a number of seconds".to_owned())?;
    if !(0.0..=1e9).contains(&seconds) {
        return Err("write a number of seconds from 0 to 1000000000".to_owned());
    }
    Ok(Time((seconds * 1e9) as u64))
}

impl Play {
    /// Plays it. Whether all effects were the same.
    pub(super) fn play(self) -> color_eyre::Result<bool> {
        let named = || self.log.display().to_string();
        let file = File::open(&self.log).wrap_err_with(named)?;
        let mut replay = Replay::open(BufReader::new(file)).wrap_err_with(named)?;
        let unwritten = || {
            let path = self.events.as_deref().unwrap_or(&self.log);
            format!("the log was not written to {}: is its folder there?", path.display())
        };
        let events = self.events.as_ref().map(File::create).transpose();
        let mut events = events.wrap_err_with(unwritten)?.map(BufWriter::new);
        let mut lines = ReplayLog::of(replay.head());
        let (me, mut tally) = (replay.head().node, Tally::default());
        let mut out = std::io::stdout().lock();
        let mut tell = |step: &Step| -> color_eyre::Result<()> {
            if self.effects {
                print::step(&mut out, step)?;
            }
            if let Some(events) = &mut events {
                events.write_all(lines.lines(step, me).as_bytes()).wrap_err_with(unwritten)?;
            }
            Ok(())
        };
        let stopped = loop {
            match replay.step(self.until.unwrap_or(Time::NEVER)) {
                Ok(Some(step)) => {
                    tally.count(&step, self.from);
                    if step.at >= self.from {
                        tell(&step)?;
                    }
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        if let Some(mut events) = events {
            events.flush().wrap_err_with(unwritten)?;
        }
        let end = print::ended(&replay, stopped.as_ref());
        match self.json {
            true => writeln!(out, "{}", print::document(&self.log, &replay, &tally, &end))?,
            false => print::summary(&mut out, &replay, &tally, &end)?,
        }
        // What there was before it is told all the same.
        stopped.map_or(Ok(()), Err).wrap_err_with(named)?;
        Ok(tally.different == 0)
    }
}

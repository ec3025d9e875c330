//! A failure's script is made smaller, and kept with the event log of its run.

use std::{fs, mem::discriminant, path::PathBuf};

use clap::Args;
use color_eyre::eyre::WrapErr as _;
use hexswarm_sim::{Broken, Draft, Outcome, Sabotage, Script, Shrunk, Wishes, shrink};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

/// Runs that making a script smaller may take.
const RUNS_MAX: usize = 400;

/// What is to become of failures, and what is planted to see some.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Keep {
    /// Where the script of a failure is written, and the event log of its run
    #[arg(long, value_name = "DIR", default_value = "hexswarm-failures")]
    failures: PathBuf,
    /// Do not look for a smaller script that fails alike
    #[arg(long)]
    no_shrink: bool,
    /// Plant a bug around the nodes, to see it caught
    #[arg(long, value_name = "BUG", default_value_t, value_enum, hide_default_value = true)]
    sabotage: Sabotage,
}

impl Keep {
    /// How runs are to be that show failures.
    pub(in crate::cli) fn wishes(&self) -> Wishes {
        Wishes { sabotage: self.sabotage, ..Wishes::default() }
    }

    /// Itself, if scripts are to be made smaller.
    pub(super) fn wanted(&self) -> Option<Self> {
        (!self.no_shrink).then(|| self.clone())
    }

    /// Looks for the smallest script that breaks the same property with the same seed, writes it down
    /// with the event log of its run, and says all that on stderr. What programs are told of it.
    pub(super) fn smaller(
        &self,
        draft: &Draft,
        seed: u64,
        (name, broken, wishes): (&str, &Broken, Wishes),
    ) -> color_eyre::Result<Value> {
        let scenario = draft.scenario()?;
        let whole = scenario.script(seed);
        let of = whole.things.len();
        let bar = bar();
        let play =
            |script: &Script, record| scenario.play(script, seed, Wishes { record, ..wishes });
        let shrunk = shrink(whole, RUNS_MAX, |script| {
            bar.inc(1);
            let fails = alike(&play(script, false), broken);
            if fails {
                bar.set_message(format!("{} of {of} things left", script.things.len()));
            }
            fails
        });
        bar.finish_and_clear();
        let Shrunk { script, runs } = shrunk;
        let outcome = play(&script, true);
        let [file, log] =
            ["script", "log"].map(|what| self.failures.join(format!("{name}.{what}.jsonl")));
        let failed = || format!("{} cannot be written to", self.failures.display());
        fs::create_dir_all(&self.failures).wrap_err_with(failed)?;
        fs::write(&file, script.to_string()).wrap_err_with(failed)?;
        fs::write(&log, &outcome.log).wrap_err_with(failed)?;
        let again = draft.clone().scripted(&file.to_string_lossy(), script.clone());
        let again = again.again_with(seed, wishes.sabotage);
        let left = script.things.len();
        eprint!("{left} of {of} things are left of its script after {runs} runs:\n{script}");
        eprintln!("play it: {again}\nits event log: {}", log.display());
        Ok(json!({
            "file": file, "log": log, "things": left, "of": of, "runs": runs, "again": again,
        }))
    }
}

/// Whether the same property did not hold.
fn alike(outcome: &Outcome, broken: &Broken) -> bool {
    outcome.broken.first().is_some_and(|first| discriminant(first) == discriminant(broken))
}

fn bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("making its script smaller: {pos} of {len} runs, {msg}");
    let bar = ProgressBar::new(RUNS_MAX as u64);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

//! One process of the demo, on a leash, so that it never outlives the demo even if that is killed.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use color_eyre::eyre::{bail, eyre};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// How long a process may take to say that it runs.
const START_MAX: Duration = Duration::from_secs(60);
/// How long a process may take to end once its leash is gone, before it is killed.
const END_MAX: Duration = Duration::from_secs(5);
/// Lines of its log that people get to read if it fails.
const LAST_WORDS: usize = 6;

/// A process, killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts this very program with other arguments. Its stdin is the leash: it stops when that
    /// closes, which the system does for us however we end.
    pub(super) fn start(room: &Path, name: &str, arguments: &[String]) -> color_eyre::Result<Self> {
        let log = room.join(format!("{name}.log"));
        let child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .process_group(0) // Ctrl-C is for the demo, which then ends them in good order
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, log })
    }

    /// The one line of JSON that says it runs.
    pub(super) async fn first_line<T: DeserializeOwned>(&mut self) -> color_eyre::Result<T> {
        let stdout: ChildStdout = self.child.stdout.take().ok_or_else(|| eyre!("read twice"))?;
        let mut lines = BufReader::new(stdout).lines();
        match timeout(START_MAX, lines.next_line()).await {
            Ok(Ok(Some(line))) => Ok(serde_json::from_str(&line)?),
            Ok(_) => bail!("{}", self.last_words()),
            Err(_) => bail!("silent for {} s: {}", START_MAX.as_secs(), self.last_words()),
        }
    }

    /// How it ended, told once.
    pub(super) fn ended(&mut self) -> color_eyre::Result<Option<ExitStatus>> {
        match self.child.id() {
            Some(_) => Ok(self.child.try_wait()?),
            None => Ok(None), // told before
        }
    }

    /// Whether it has not ended yet.
    pub(super) fn runs(&self) -> bool {
        self.child.id().is_some()
    }

    /// Asks it to end once what runs there has ended, and waits until it does.
    pub(super) async fn drain(&mut self) {
        if let Some(leash) = &mut self.child.stdin {
            // One that is gone already is drained.
            let _ = leash.write_all(b"\n").await;
        }
        self.wait().await;
    }

    /// Lets go of the leash.
    pub(super) fn release(&mut self) {
        self.child.stdin = None;
    }

    /// Waits for its end after [`Self::release`]; one that does not end is killed.
    pub(super) async fn end(&mut self) {
        if timeout(END_MAX, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }

    /// What it wrote to stderr last: its error, if it ended with one.
    pub(super) fn last_words(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        if let Some((_, error)) = said.rsplit_once("error: ") {
            return error.trim_end().to_owned();
        }
        let lines: Vec<_> = said.lines().collect();
        lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
    }

    async fn wait(&mut self) {
        // `Child::wait` would close the leash, which asks for more than a gentle end.
        let leash = self.child.stdin.take();
        let _ = self.child.wait().await;
        drop(leash);
    }
}

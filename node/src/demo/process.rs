//! The demo's processes: a door and nodes, each on a leash, so that none outlives the demo even
//! if that is killed.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use color_eyre::eyre::{Context, bail, eyre};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// How long a process may take to say that it runs.
const START_MAX: Duration = Duration::from_secs(60);

/// A running door.
pub(super) struct Door {
    /// What nodes pass to `--join`.
    pub(super) address: String,
    _process: Process,
}

/// A running node.
pub(super) struct Member {
    /// Its number, from 0: the entry.
    pub(super) number: usize,
    /// Its peer id.
    pub(super) peer: String,
    /// Its API.
    pub(super) api: String,
    /// Memory caps of its devices.
    pub(super) caps: Vec<u64>,
    process: Process,
}

/// What a node is to be.
pub(super) struct Order<'a> {
    /// Its number.
    pub(super) number: usize,
    /// Memory caps of its devices.
    pub(super) caps: &'a [u64],
    /// The model's file.
    pub(super) model: &'a Path,
    /// The swarm's name.
    pub(super) swarm: &'a str,
    /// The door's address.
    pub(super) door: &'a str,
    /// Where its API listens.
    pub(super) api: SocketAddr,
    /// KV cache to plan for.
    pub(super) context_tokens: u32,
}

struct Process {
    child: Child,
    log: PathBuf,
}

/// The first line of a node's stdout under `--json`.
#[derive(Deserialize)]
struct Started {
    peer: String,
    api: String,
}

/// The first line of a door's stdout under `--json`.
#[derive(Deserialize)]
struct Opened {
    listen: Vec<String>,
}

impl Door {
    pub(super) async fn start(room: &Path, swarm: &str) -> color_eyre::Result<Self> {
        let state = room.join("door");
        let mut process = Process::start(room, "door", |command| {
            command.args(["bootstrap", "--json", "--leash", "--swarm", swarm]);
            command.arg("--state").arg(&state);
            command.args(["--listen", "/ip4/127.0.0.1/tcp/0"]);
        })?;
        let opened: Opened = process.first_line().await?;
        let address =
            opened.listen.into_iter().next().ok_or_else(|| eyre!("it listens nowhere"))?;
        Ok(Self { address, _process: process })
    }
}

impl Member {
    pub(super) async fn start(room: &Path, order: &Order<'_>) -> color_eyre::Result<Self> {
        let number = order.number;
        let name = format!("node{number}");
        let mut process = Process::start(room, &name, |command| {
            command.args(["node", "--json", "--leash", "--no-mdns", "-v"]);
            command.args(["--swarm", order.swarm, "--join", order.door]);
            command.args(["--listen", "/ip4/127.0.0.1/tcp/0"]);
            command.arg("--state").arg(room.join(&name)).arg("--model").arg(order.model);
            command.args(["--api", &order.api.to_string()]);
            command.args(["--context", &order.context_tokens.to_string()]);
            for cap in order.caps {
                command.args(["--device", &format!("cpu:threads=1,memory={cap}B")]);
            }
            if number == 0 {
                command.arg("--found");
            }
        })?;
        let started: Started =
            process.first_line().await.with_context(|| format!("node {number} did not start"))?;
        let caps = order.caps.to_vec();
        Ok(Self { number, peer: started.peer, api: started.api, caps, process })
    }

    /// How it ended, told once.
    pub(super) fn ended(&mut self) -> color_eyre::Result<Option<ExitStatus>> {
        match self.process.child.id() {
            Some(_) => Ok(self.process.child.try_wait()?),
            None => Ok(None), // told before
        }
    }

    /// An error if it ended.
    pub(super) fn check(&mut self) -> color_eyre::Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => {
                bail!("node {} ended early ({status}):\n{}", self.number, self.process.last_words())
            }
        }
    }
}

impl Process {
    /// Starts this very program with other arguments. Its stdin is the leash: it stops when that
    /// closes, which the system does for us however we end.
    fn start(
        room: &Path,
        name: &str,
        arguments: impl FnOnce(&mut Command),
    ) -> color_eyre::Result<Self> {
        let log = room.join(format!("{name}.log"));
        let mut command = Command::new(std::env::current_exe()?);
        arguments(&mut command);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log)?)
            .process_group(0) // Ctrl-C is for the demo, which then ends them in good order
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, log })
    }

    /// The one line of JSON that says it runs.
    async fn first_line<T: for<'a> Deserialize<'a>>(&mut self) -> color_eyre::Result<T> {
        let stdout: ChildStdout = self.child.stdout.take().ok_or_else(|| eyre!("read twice"))?;
        let mut lines = BufReader::new(stdout).lines();
        match timeout(START_MAX, lines.next_line()).await {
            Ok(Ok(Some(line))) => Ok(serde_json::from_str(&line)?),
            Ok(_) => bail!("{}", self.last_words()),
            Err(_) => bail!("silent for {} s:\n{}", START_MAX.as_secs(), self.last_words()),
        }
    }

    fn last_words(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = said.lines().collect();
        lines[lines.len().saturating_sub(6)..].join("\n")
    }
}

//! Who plays: a door and nodes, each a process, and the room they keep their files in.

use std::{net::SocketAddr, path::Path};

use color_eyre::eyre::{Context, bail, eyre};
use serde::Deserialize;

use super::{process::Process, room::Room};

/// The demo's processes, door first. Whoever stops in the middle of starting one finds it here.
#[derive(Debug)]
pub(super) struct Cast {
    swarm: String,
    door: Option<Process>,
    /// The nodes, the entry first.
    pub(super) members: Vec<Member>,
    room: Room,
}

/// A node.
#[derive(Debug)]
pub(super) struct Member {
    /// Its number, from 0: the entry.
    pub(super) number: usize,
    /// Its peer id, once it runs.
    pub(super) peer: String,
    /// Its API, once it runs.
    pub(super) api: String,
    /// Memory caps of its devices.
    pub(super) caps: Vec<u64>,
    process: Process,
}

/// What every node of a demo is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order<'a> {
    /// The model's file.
    pub(super) model: &'a Path,
    /// The door's address.
    pub(super) door: &'a str,
    /// KV cache to plan for.
    pub(super) context_tokens: u32,
    /// How many of them there will be.
    pub(super) nodes: usize,
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

/// Any free port of this machine, and nobody else's business.
const LISTEN: &str = "/ip4/127.0.0.1/tcp/0";

impl Cast {
    /// Nobody yet.
    pub(super) fn new() -> color_eyre::Result<Self> {
        let room = Room::new().wrap_err_with(|| {
            let folder = std::env::temp_dir();
            format!("no folder below {}: TMPDIR chooses another place", folder.display())
        })?;
        let swarm = format!("demo-{}", std::process::id());
        Ok(Self { swarm, door: None, members: Vec::new(), room })
    }

    /// Opens the door; what nodes pass to `--join`.
    pub(super) async fn open_door(&mut self) -> color_eyre::Result<String> {
        let state = self.room.path().join("door").display().to_string();
        let arguments = ["bootstrap", "--json", "--leash", "--swarm", &self.swarm];
        let arguments = arguments.into_iter().chain(["--state", &state, "--listen", LISTEN]);
        let arguments: Vec<_> = arguments.map(str::to_owned).collect();
        let door = self.door.insert(Process::start(self.room.path(), "door", &arguments)?);
        let opened: Opened = door.first_line().await.wrap_err("the door did not open")?;
        opened.listen.into_iter().next().ok_or_else(|| eyre!("the door listens nowhere"))
    }

    /// Starts the next node with devices of these caps.
    pub(super) async fn add(
        &mut self,
        order: Order<'_>,
        caps: &[u64],
        api: SocketAddr,
    ) -> color_eyre::Result<&Member> {
        let number = self.members.len();
        let name = format!("node{number}");
        let arguments = self.arguments(order, number, caps, api);
        let process = Process::start(self.room.path(), &name, &arguments)?;
        let (peer, caps) = (String::new(), caps.to_vec());
        self.members.push(Member { number, peer, api: String::new(), caps, process });
        let member = &mut self.members[number];
        let started = member.process.first_line().await;
        let started: Started = started.wrap_err_with(|| format!("node {number} did not start"))?;
        (member.peer, member.api) = (started.peer, started.api);
        Ok(member)
    }

    fn arguments(
        &self,
        order: Order<'_>,
        number: usize,
        caps: &[u64],
        api: SocketAddr,
    ) -> Vec<String> {
        let state = self.room.path().join(format!("node{number}")).display().to_string();
        let (model, api) = (order.model.display().to_string(), api.to_string());
        let context = order.context_tokens.to_string();
        let mut arguments: Vec<String> = ["node", "--json", "--leash", "--no-mdns", "-v"]
            .into_iter()
            .chain(["--swarm", &self.swarm, "--join", order.door, "--listen", LISTEN])
            .chain(["--state", &state, "--model", &model, "--api", &api, "--context", &context])
            .map(str::to_owned)
            .collect();
        for cap in caps {
            arguments.extend(["--device".to_owned(), format!("cpu:threads=1,memory={cap}B")]);
        }
        if number == 0 {
            // A plan that is made before all are here might do without one of them, and stay.
            arguments.extend([
                "--found".to_owned(),
                "--wait-for".to_owned(),
                order.nodes.to_string(),
            ]);
        }
        arguments
    }

    /// An error if any process ended.
    pub(super) fn check(&mut self) -> color_eyre::Result<()> {
        for Member { number, process, .. } in &mut self.members {
            if let Some(status) = process.ended()? {
                bail!("node {number} ended early ({status}): {}", process.last_words());
            }
        }
        if let Some(door) = &mut self.door
            && let Some(status) = door.ended()?
        {
            bail!("the door ended early ({status}): {}", door.last_words());
        }
        Ok(())
    }

    /// Nodes that ended since somebody asked, in words.
    pub(super) fn ended(&mut self) -> color_eyre::Result<Vec<String>> {
        let mut told = Vec::new();
        for Member { number, process, .. } in &mut self.members {
            if let Some(status) = process.ended()? {
                told.push(format!("node {number} ended ({status})"));
            }
        }
        Ok(told)
    }

    /// The number of a peer; strangers come last.
    pub(super) fn number(&self, peer: &str) -> usize {
        self.members.iter().position(|member| member.peer == peer).unwrap_or(usize::MAX)
    }

    /// Whether a node still runs.
    pub(super) fn plays(&self) -> bool {
        self.members.iter().any(|member| member.process.runs())
    }

    /// Lets the entry's answers come to their end.
    pub(super) async fn drain(&mut self) {
        if let Some(entry) = self.members.first_mut() {
            entry.process.drain().await;
        }
    }

    /// Ends every process, and removes their files.
    pub(super) async fn close(mut self) {
        let members = self.members.iter_mut().map(|member| &mut member.process);
        let mut processes: Vec<_> = members.chain(&mut self.door).collect();
        for process in &mut processes {
            process.release();
        }
        for process in processes {
            process.end().await;
        }
    }
}

//! A door, an entry that holds no layers, and members that do.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Layout, Process, eventually};

/// A node that offers devices.
#[derive(Debug)]
pub struct Member {
    /// Its process.
    pub process: Process,
    /// Its peer id.
    pub peer: String,
    /// Its API.
    pub api: String,
}

/// A swarm that runs.
#[derive(Debug)]
pub struct Swarm {
    /// Nodes with devices.
    pub members: Vec<Member>,
    /// The founder, which is only an entry.
    pub entry: Member,
    /// The door.
    pub door: Process,
    /// Where the door is.
    pub door_address: String,
    room: TempDir,
    binary: PathBuf,
    name: String,
    model: PathBuf,
}

/// What came back for a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Every token with its log-probability and those of the likeliest, as the API writes them.
    pub logprobs: Value,
    /// Why it ended.
    pub finish_reason: String,
    /// Tokens of the prompt that were in the KV cache.
    pub cached_tokens: u64,
}

impl Swarm {
    /// Starts a swarm whose members have these `--device`s each. With a layout, that is its plan;
    /// without, the planner's.
    pub async fn start(
        binary: &Path,
        model: &Path,
        devices: &[&[&str]],
        layout: Option<&Layout>,
    ) -> Self {
        let swarm = Self::begin(binary, model, devices, layout, false).await;
        swarm.ready(&swarm.entry.api).await;
        swarm
    }

    /// As `start`; what every node is told is written down, see [`Swarm::record`].
    pub async fn recorded(
        binary: &Path,
        model: &Path,
        devices: &[&[&str]],
        layout: Option<&Layout>,
    ) -> Self {
        let swarm = Self::begin(binary, model, devices, layout, true).await;
        swarm.ready(&swarm.entry.api).await;
        swarm
    }

    /// A recorded swarm of an entry and so many members that have no devices: they meet and talk, and
    /// never serve.
    pub async fn idle(binary: &Path, model: &Path, members: usize) -> Self {
        Self::begin(binary, model, &vec![&["none"][..]; members], None, true).await
    }

    /// Ends all nodes in good order, the entry first, so that their records are whole.
    pub async fn stop(&mut self) {
        self.entry.process.signal("INT");
        self.entry.process.ended().await;
        self.members.iter().for_each(|member| member.process.signal("INT"));
        for member in &mut self.members {
            member.process.ended().await;
        }
    }

    /// The record of a node: `entry`, or `node0` and so on.
    pub fn record(&self, node: &str) -> PathBuf {
        record(self.room.path(), node)
    }

    /// The key file of a node.
    pub fn key(&self, node: &str) -> PathBuf {
        self.room.path().join(node).join("key")
    }

    async fn begin(
        binary: &Path,
        model: &Path,
        devices: &[&[&str]],
        layout: Option<&Layout>,
        records: bool,
    ) -> Self {
        let room = tempfile::tempdir().expect("a folder");
        let name = format!("test-{}", std::process::id());
        let state = room.path().join("door").display().to_string();
        let listen = "/ip4/127.0.0.1/tcp/0";
        let arguments =
            ["bootstrap", "--json", "--swarm", &name, "--state", &state, "--listen", listen];
        let arguments = arguments.map(str::to_owned);
        let (door, said) = Process::start(binary, room.path(), "door", &arguments).await;
        let door_address = said["listen"][0].as_str().expect("an address").to_owned();
        let (binary, model) = (binary.to_owned(), model.to_owned());
        let mut starter = Starter { binary: &binary, room: room.path(), model: &model, records };
        let mut members = Vec::new();
        for (number, devices) in devices.iter().enumerate() {
            let node = format!("node{number}");
            members.push(starter.node(&node, &name, &door_address, devices, &[]).await);
        }
        let mut more = vec!["--found".to_owned()];
        if let Some(layout) = layout {
            let peers: Vec<_> = members.iter().map(|member| member.peer.clone()).collect();
            let file = room.path().join("plan.json");
            std::fs::write(&file, layout.plan(&peers).to_string()).expect("a file");
            more.extend(["--plan".to_owned(), file.display().to_string()]);
        }
        let entry = starter.node("entry", &name, &door_address, &["none"], &more).await;
        Self { members, entry, door, door_address, room, binary, name, model }
    }

    /// Starts another node, which joins through the door.
    pub async fn join(&mut self, devices: &[&str]) -> usize {
        let mut starter = Starter {
            binary: &self.binary,
            room: self.room.path(),
            model: &self.model,
            records: false,
        };
        let node = format!("node{}", self.members.len());
        let member = starter.node(&node, &self.name, &self.door_address, devices, &[]).await;
        self.members.push(member);
        self.members.len() - 1
    }

    /// Waits until a node says that it is ready.
    pub async fn ready(&self, api: &str) {
        let ready = eventually("ready", || async {
            let response = reqwest::get(format!("{api}/readyz")).await.ok()?;
            response.status().is_success().then_some(())
        });
        // `eventually` would panic without the logs, which say why.
        if tokio::time::timeout(crate::PATIENCE - Duration::from_secs(5), ready).await.is_err() {
            panic!("not ready: {}\n{}", self.status(api).await, self.logs());
        }
    }

    /// Waits until the entry thinks a peer alive, or not.
    pub async fn alive(&self, peer: &str, wanted: bool) {
        eventually("a peer is seen, or missed", || async {
            let status = self.status(&self.entry.api).await;
            let nodes = status["nodes"].as_array()?;
            let node = nodes.iter().find(|node| node["peer"] == peer)?;
            (node["alive"] == wanted).then_some(())
        })
        .await;
    }

    /// Waits until the swarm is not ready, and says why.
    pub async fn trouble(&self) -> String {
        eventually("trouble", || async {
            let status = self.status(&self.entry.api).await;
            (status["ready"] == false).then(|| status["trouble"].to_string())
        })
        .await
    }

    /// What a node knows.
    pub async fn status(&self, api: &str) -> Value {
        let response = reqwest::get(format!("{api}/status")).await.expect("an answer");
        response.json().await.expect("JSON")
    }

    /// The member that leads this stage of the live plan.
    pub async fn leader_of(&self, stage: usize) -> usize {
        let status = self.status(&self.entry.api).await;
        let peer = status["plan"]["pipelines"][0]["stages"][stage]["members"][0]["peer"].clone();
        let found = self.members.iter().position(|member| peer == member.peer.as_str());
        found.unwrap_or_else(|| panic!("no member {peer} in {status}"))
    }

    /// A greedy answer with log-probabilities, through `api`.
    pub async fn ask(&self, api: &str, prompt: &Value, max_tokens: u32) -> Answer {
        let body = json!({
            "model": "smollm2-135m",
            "prompt": prompt,
            "max_tokens": max_tokens,
            "temperature": 0,
            "logprobs": 5,
        });
        let response = reqwest::Client::new()
            .post(format!("{api}/v1/completions"))
            .json(&body)
            .send()
            .await
            .unwrap_or_else(|error| panic!("{error}\n{}", self.logs()));
        let document: Value = response.json().await.expect("JSON");
        let choice = &document["choices"][0];
        let text = choice["text"].as_str();
        let text = text.unwrap_or_else(|| panic!("{document}\n{}", self.logs())).to_owned();
        Answer {
            text,
            logprobs: choice["logprobs"].clone(),
            finish_reason: choice["finish_reason"].as_str().unwrap_or_default().to_owned(),
            cached_tokens: document["usage"]["prompt_tokens_details"]["cached_tokens"]
                .as_u64()
                .unwrap_or_default(),
        }
    }

    /// What all processes wrote to stderr.
    pub fn logs(&self) -> String {
        let members = self.members.iter().enumerate();
        let mut logs = format!("--- entry\n{}", self.entry.process.said());
        for (number, member) in members {
            logs += &format!("--- node{number}\n{}", member.process.said());
        }
        logs
    }
}

struct Starter<'a> {
    binary: &'a Path,
    room: &'a Path,
    model: &'a Path,
    records: bool,
}

fn record(room: &Path, node: &str) -> PathBuf {
    room.join(format!("{node}.record"))
}

impl Starter<'_> {
    async fn node(
        &mut self,
        node: &str,
        swarm: &str,
        door: &str,
        devices: &[&str],
        more: &[String],
    ) -> Member {
        let state = self.room.join(node).display().to_string();
        let model = self.model.display().to_string();
        let mut arguments: Vec<String> = ["node", "--json", "--no-mdns", "-v", "--swarm", swarm]
            .into_iter()
            .chain(["--join", door, "--state", &state, "--model", &model])
            .chain(["--listen", "/ip4/127.0.0.1/tcp/0", "--api", "127.0.0.1:0"])
            .chain(["--context", "1024"])
            .map(str::to_owned)
            .collect();
        for device in devices {
            arguments.extend(["--device".to_owned(), (*device).to_owned()]);
        }
        if self.records {
            let record = record(self.room, node).display().to_string();
            arguments.extend(["--record".to_owned(), record]);
        }
        arguments.extend_from_slice(more);
        let (process, said) = Process::start(self.binary, self.room, node, &arguments).await;
        let text = |key: &str| said[key].as_str().expect("a string").to_owned();
        Member { process, peer: text("peer"), api: text("api") }
    }
}

//! Nodes behind routers, and nodes on one LAN: real processes in networks made for the test.
//!
//! It takes root and Debian's iproute2 and nftables. Without them the tests say that they are left
//! out, or fail if `HEXSWARM_NETNS=require`.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;
use swarm_tests::{Host, Lab, Nat, Process, eventually};
use tempfile::TempDir;
use tokio::sync::Mutex;

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");
const PROMPT: &str = "Name three things that live in the sea.";
/// Too little for the whole model, enough for half of it.
const HALF: &str = "cpu:threads=1,memory=115MB";
const WHOLE: &str = "cpu:threads=1,memory=1GiB";

/// One swarm at a time: on few cores several miss each other's beats.
static TURN: Mutex<()> = Mutex::const_new(());

/// A node that runs on some host.
struct Node {
    process: Process,
    host: Host,
    peer: String,
    api: String,
}

/// What the nodes of one test share.
struct Room {
    folder: TempDir,
    model: PathBuf,
}

impl Room {
    fn new() -> Self {
        let output = std::process::Command::new(BINARY).args(["model", "pull"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let model = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
        Self { folder: tempfile::tempdir().unwrap(), model }
    }

    async fn node(&self, host: &Host, name: &str, device: &str, more: &[&str]) -> Node {
        let state = self.folder.path().join(name).display().to_string();
        let model = self.model.display().to_string();
        let arguments: Vec<String> = ["node", "--json", "-v", "--api", "127.0.0.1:0"]
            .into_iter()
            .chain(["--context", "1024", "--state", &state, "--model", &model])
            .chain(["--device", device])
            .chain(more.iter().copied())
            .map(str::to_owned)
            .collect();
        let room = self.folder.path();
        let (process, said) = host.start(Path::new(BINARY), room, name, &arguments).await;
        let text = |key: &str| said[key].as_str().unwrap().to_owned();
        Node { process, host: host.clone(), peer: text("peer"), api: text("api") }
    }

    /// A door at `address`, and what nodes pass to `--join`.
    async fn door(&self, host: &Host, address: &str, more: &[&str]) -> (Process, Vec<String>) {
        let state = self.folder.path().join("door").display().to_string();
        let (tcp, quic) =
            (format!("/ip4/{address}/tcp/4001"), format!("/ip4/{address}/udp/4001/quic-v1"));
        let arguments: Vec<String> = ["bootstrap", "--json", "-v", "--state", &state]
            .into_iter()
            .chain(["--listen", &tcp, "--listen", &quic])
            .chain(more.iter().copied())
            .map(str::to_owned)
            .collect();
        let room = self.folder.path();
        let (process, said) = host.start(Path::new(BINARY), room, "door", &arguments).await;
        let listen = said["listen"].as_array().unwrap().iter();
        (process, listen.map(|address| address.as_str().unwrap().to_owned()).collect())
    }
}

impl Node {
    async fn status(&self) -> Value {
        let arguments = ["status", "--json", "--via", &self.api];
        let output = self.host.run(Path::new(BINARY), &arguments).await;
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Waits until what it knows passes.
    async fn knows(&self, what: &str, passes: impl Fn(&Value) -> bool) -> Value {
        let seen = eventually(what, || async {
            let status = self.status().await;
            passes(&status).then_some(status)
        });
        let patience = swarm_tests::PATIENCE - Duration::from_secs(5);
        match tokio::time::timeout(patience, seen).await {
            Ok(status) => status,
            Err(_) => panic!("{what}: {}\n{}", self.status().await, self.process.said()),
        }
    }

    async fn ready(&self) -> Value {
        self.knows("ready", |status| status["ready"] == true).await
    }

    /// Waits until it has logged a line with all of these.
    async fn says(&self, parts: &[&str]) {
        self.process.says(parts).await;
    }

    async fn answer(&self) -> String {
        let arguments = ["run", "--json", "--via", &self.api, "--max-tokens", "24", PROMPT];
        let output = self.host.run(Path::new(BINARY), &arguments).await;
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let complaint = String::from_utf8_lossy(&output.stderr);
        let text = answer["text"].as_str();
        text.unwrap_or_else(|| panic!("{complaint}\n{}", self.process.said())).to_owned()
    }
}

/// What one node alone answers.
async fn alone(room: &Room, lab: &mut Lab) -> String {
    let host = lab.host("alone");
    let listen = ["--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"];
    let node = room.node(&host, "alone", WHOLE, &listen).await;
    node.ready().await;
    let text = node.answer().await;
    assert!(text.len() > 20, "{text}");
    text
}

/// Two nodes, each behind a router of its own, that only a door knows.
async fn hidden_pair(
    room: &Room,
    lab: &mut Lab,
    nat: Nat,
    terms: &[&str],
) -> (Process, Node, Node) {
    let public = lab.switch("public");
    let outside = lab.host("door");
    outside.plug("eth0", "198.51.100.1/24", &public);
    let one = lab.home(1, &public, "198.51.100.11/24", nat);
    let other = lab.home(2, &public, "198.51.100.12/24", nat);
    let (door, addresses) = room.door(&outside, "198.51.100.1", terms).await;
    let join: Vec<&str> = addresses.iter().flat_map(|address| ["--join", address]).collect();
    let one = room.node(&one, "one", HALF, &[&join[..], &["--found"]].concat()).await;
    let other = room.node(&other, "other", HALF, &join).await;
    (door, one, other)
}

/// Both hold a part of the model, and both say what one node alone would.
async fn serves(one: &Node, other: &Node, text: &str) {
    let status = one.ready().await;
    other.ready().await;
    let stages = status["plan"]["pipelines"][0]["stages"].to_string();
    assert!(stages.contains(&one.peer) && stages.contains(&other.peer), "{stages}");
    assert_eq!(one.answer().await, text, "{}", one.process.said());
    assert_eq!(other.answer().await, text, "{}", other.process.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn routers_that_keep_ports_are_talked_through() {
    let _turn = TURN.lock().await;
    let Some(mut lab) = Lab::open("punch") else { return };
    let room = Room::new();
    let text = alone(&room, &mut lab).await;
    let (_door, one, other) = hidden_pair(&room, &mut lab, Nat::Preserving, &[]).await;
    for (node, peer) in [(&one, &other.peer), (&other, &one.peer)] {
        node.says(&["reachability", "reachable=false"]).await;
        node.says(&["listening", "p2p-circuit"]).await;
        node.says(&["now direct", peer]).await;
    }
    serves(&one, &other, &text).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_carries_on_where_routers_do_not_keep_ports() {
    let _turn = TURN.lock().await;
    let Some(mut lab) = Lab::open("relay") else { return };
    let room = Room::new();
    let text = alone(&room, &mut lab).await;
    let lifetime = Duration::from_secs(10);
    let terms = ["--relay-seconds-max", "10"];
    let (door, one, other) = hidden_pair(&room, &mut lab, Nat::Random, &terms).await;
    serves(&one, &other, &text).await;
    let begin = Instant::now();
    let nodes = [(&one, &other.peer), (&other, &one.peer)];
    for (node, peer) in nodes {
        node.says(&["through a relay", peer]).await;
    }
    // No relayed connection lasts that long: others have taken its place.
    while begin.elapsed() < 3 * lifetime {
        assert_eq!(one.answer().await, text, "{}", one.process.said());
        assert_eq!(other.answer().await, text, "{}", other.process.said());
    }
    for (node, peer) in nodes {
        let said = node.process.said();
        let lost = said.lines().any(|line| line.contains(" lost ") && line.contains(peer.as_str()));
        assert!(!lost && !said.contains("now direct"), "{said}\n--- door\n{}", door.said());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_lan_nodes_find_each_other_and_founders_stay_apart() {
    let _turn = TURN.lock().await;
    let Some(mut lab) = Lab::open("lan") else { return };
    let room = Room::new();
    let lan = lab.switch("lan");
    let hosts = [1, 2, 3].map(|number| {
        let host = lab.host(&format!("desk{number}"));
        host.plug("eth0", &format!("192.168.7.{number}/24"), &lan);
        host
    });
    let founder = room.node(&hosts[0], "founder", WHOLE, &[]).await;
    founder.ready().await;
    let text = founder.answer().await;

    // Nobody is at the address that it is told to join: only the LAN can tell it of the founder.
    let nobody = ["--join", "/ip4/192.168.7.99/tcp/4001"];
    let guest = room.node(&hosts[1], "guest", "none", &nobody).await;
    assert_eq!(guest.ready().await["leader"], founder.peer.as_str());
    assert_eq!(guest.answer().await, text);

    let rival = room.node(&hosts[2], "rival", WHOLE, &[]).await;
    rival.says(&["another swarm of the same name", &founder.peer]).await;
    founder.says(&["another swarm of the same name", &rival.peer]).await;
    assert_eq!(rival.ready().await["leader"], rival.peer.as_str());
    assert_eq!(rival.answer().await, text);
    let status = founder.ready().await;
    assert_eq!(status["leader"], founder.peer.as_str());
    let plan = status["plan"].to_string();
    assert!(!plan.contains(&rival.peer), "{plan}");
    assert_eq!(founder.answer().await, text);
    assert_eq!(guest.answer().await, text);
}

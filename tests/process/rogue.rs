//! Peers that mean harm, among real nodes that serve: each is turned away, the node says whom and
//! why, and the swarm goes on to say the same.
//!
//! What no peer could say that speaks through this project's network (wrong lengths of frames,
//! half a handshake) is said in `node/net/tests`.

#[path = "rogue/peer.rs"]
mod peer;

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use peer::{Rogue, config};
use serde_json::json;
use swarm_net::{Identity, PROTOCOL_VERSION};
use swarm_proto::{
    Attempt, Certificate, CouncilMessage, Fault, FrameHeader, Message, NodeId, Pulse, RoundMessage,
    RowsHeader, RowsItem, Sampled, SessionId, SessionMessage, SumsHeader, Term, Token, VoterSet,
    codec::VERSION,
};
use swarm_tests::{Answer, Layout, Member, Share, Swarm};

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");
const DEVICE: &[&str] = &["cpu:threads=1,memory=1GiB"];
/// What a node takes in from others at once, and some air.
const GROWTH_MAX_BYTES: u64 = 256 << 20;

fn model() -> PathBuf {
    let output = std::process::Command::new(BINARY).args(["model", "pull"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// A swarm, and what it says to one prompt.
struct Victims {
    swarm: Swarm,
    answer: Answer,
}

impl Victims {
    /// A stage of one node, then a stage that two share.
    async fn gather() -> Self {
        let share = |node, kv_heads, ffn_columns| Share { node, device: 0, kv_heads, ffn_columns };
        let pair = vec![share(0, (0, 1), (0, 448)), share(1, (1, 3), (448, 1536))];
        let whole = vec![share(2, (0, 3), (0, 1536))];
        let layout = Layout(vec![((0, 9), whole), ((9, 30), pair)]);
        let devices = [DEVICE, DEVICE, DEVICE];
        let swarm = Swarm::start(Path::new(BINARY), &model(), &devices, Some(&layout)).await;
        let answer = ask(&swarm).await;
        assert!(answer.text.len() > 20, "{answer:?}");
        Self { swarm, answer }
    }

    fn nodes(&self) -> impl Iterator<Item = &Member> {
        self.swarm.members.iter().chain([&self.swarm.entry])
    }

    /// Every node says that it refused the rogue, with these words.
    async fn refused(&self, rogue: &str, words: &str) {
        for node in self.nodes() {
            node.process.says(&["refused", rogue, words]).await;
        }
    }

    /// All nodes run, and say the same.
    async fn unharmed(&mut self) {
        assert_eq!(ask(&self.swarm).await, self.answer, "{}", self.swarm.logs());
        for node in self.swarm.members.iter_mut().chain([&mut self.swarm.entry]) {
            assert!(node.process.runs(), "{}", node.process.said());
        }
    }

    fn memory_bytes(&self) -> Vec<u64> {
        self.nodes().map(|node| node.process.memory_bytes()).collect()
    }
}

async fn ask(swarm: &Swarm) -> Answer {
    let prompt = json!("The capital of France is");
    Answer { cached_tokens: 0, ..swarm.ask(&swarm.entry.api, &prompt, 16).await }
}

/// Bytes that are no message, and the complaint about them.
fn unreadable() -> Vec<(Vec<u8>, &'static str)> {
    let noise: Vec<u8> = [VERSION]
        .into_iter()
        .chain((9..999_u32).map(|at| (at.wrapping_mul(197) >> 3) as u8))
        .collect();
    let beat = Message::Beat(Pulse::default()).seal().unwrap();
    let old = [&[0], &beat[1..]].concat();
    let trailing = [&beat[..], b"and more"].concat();
    // A prompt that says it has 2^40 tokens: the codec's mark for a number of eight bytes is 253.
    let attempt = Attempt { session: SessionId(7), number: 0 };
    let tokens = Vec::new();
    let prompt = SessionMessage::Prompt { attempt, position: 0, tokens, last: true };
    let mut long = Message::Session(prompt).seal().unwrap();
    long.truncate(long.len() - 2);
    long.push(253);
    long.extend((1_u64 << 40).to_le_bytes());
    vec![
        (noise, "malformed"),
        (Vec::new(), "empty"),
        (old, "protocol version 0"),
        (trailing, "after the message's end"),
        (long, "malformed"),
    ]
}

async fn unreadable_messages_cut_their_sender_off(victims: &mut Victims) {
    for (bytes, complaint) in unreadable() {
        let rogue = Rogue::join(victims).await;
        rogue.send(&bytes);
        victims.refused(&rogue.peer, complaint).await;
    }
    let rogue = Rogue::join(victims).await;
    for target in &rogue.targets {
        rogue
            .net
            .frame(*target, Bytes::from_static(&[VERSION, 0, 255, 255, 255]), Bytes::new())
            .unwrap();
    }
    victims.refused(&rogue.peer, "a frame's header").await;
    victims.unharmed().await;
}

async fn other_versions_and_swarms_are_named(victims: &mut Victims) {
    let ours = format!("speaks version 0 of the protocol, we speak version {PROTOCOL_VERSION}");
    let cases = [
        (0, None, ours.as_str()),
        (PROTOCOL_VERSION, Some("elsewhere"), "it belongs to the swarm"),
    ];
    for (version, swarm, complaint) in cases {
        let identity = Identity::ephemeral();
        let mut config = config(&identity, &victims.swarm);
        for node in victims.nodes() {
            let status = victims.swarm.status(&node.api).await;
            config.join.push(status["listen"][0].as_str().unwrap().parse().unwrap());
        }
        config.version = version;
        config.swarm = swarm.map_or(config.swarm, str::to_owned);
        let (_net, _events) = swarm_net::start(config).await.unwrap();
        victims.refused(&swarm_net::peer_text(identity.node_id()), complaint).await;
    }
    victims.unharmed().await;
}

async fn a_plan_and_a_certificate_must_be_won(victims: &mut Victims) {
    let rogue = Rogue::join(victims).await;
    let mut plan = rogue.plan();
    plan.id.epoch.0 += 1;
    plan.leader = rogue.identity.node_id();
    let (plan, certificate) = (rogue.signed(plan), Box::new(rogue.certificate()));
    rogue.say(Message::Round(RoundMessage::Propose {
        plan: plan.clone(),
        certificate: certificate.clone(),
    }));
    rogue.say(Message::Round(RoundMessage::Live { plan, certificate }));
    victims.refused(&rogue.peer, "whose author does not lead").await;

    let crown = |change: fn(&mut Certificate, NodeId)| {
        let mut forged = rogue.certificate();
        forged.term = Term(forged.term.0 + 1);
        change(&mut forged, rogue.identity.node_id());
        rogue.say(Message::Council(CouncilMessage::Certified(Box::new(forged))));
    };
    crown(|forged, me| forged.leader = me);
    victims.refused(&rogue.peer, "a leader who is no voter").await;
    crown(|forged, _| forged.votes.clear());
    victims.refused(&rogue.peer, "too few votes").await;
    crown(|forged, me| {
        forged.leader = me;
        forged.set = VoterSet { number: forged.set.number + 1, voters: vec![me] };
        forged.previous = None;
    });
    victims.refused(&rogue.peer, "a certificate with").await;
    victims.unharmed().await;
}

/// Nobody but its entry and its stages may speak for a session, or for a stage.
async fn another_peers_work_is_left_alone(victims: &mut Victims) {
    let rogue = Rogue::join(victims).await;
    let plan = rogue.plan().id;
    let attempt = Attempt { session: SessionId(7), number: 0 };
    let items = vec![RowsItem { attempt, position: 0, tokens: vec![1], step: Some(0) }];
    for stage in 0..2 {
        for batch in [None, Some(1)] {
            let items = items.clone();
            let rows = RowsHeader { plan, pipeline: 0, stage, batch, items };
            let body = Bytes::from(vec![0; if stage == 0 { 0 } else { 4 * 576 }]);
            rogue.frame(FrameHeader::Rows(rows), &body);
        }
        let sums = SumsHeader { plan, pipeline: 0, stage, batch: 1, index: 0, member: 0 };
        rogue.frame(FrameHeader::Sums(sums), &Bytes::from(vec![0; 8 * 576]));
    }
    for member in &victims.swarm.members {
        member.process.says(&["refused", &rogue.peer, "rows"]).await;
        member.process.says(&["refused", &rogue.peer, "sums"]).await;
    }
    let one = &victims.swarm.members[0];
    one.process.says(&[&rogue.peer, "sums in another member's name"]).await;
    one.process.says(&[&rogue.peer, "a peer that is not the stage before"]).await;

    let sampled = Sampled { token: 1, logprob: None, top: Vec::new() };
    for message in [
        SessionMessage::Close { attempt },
        SessionMessage::Fault { attempt, fault: Fault::Numbers },
        SessionMessage::Token(Token { attempt, step: 0, sampled, finish: None }),
        SessionMessage::Prompt { attempt, position: 0, tokens: vec![1; 64], last: true },
        SessionMessage::Opened { attempt, cached_blocks: u32::MAX, blocks_max: u32::MAX },
    ] {
        rogue.frame(FrameHeader::Session(message.clone()), &Bytes::new());
        rogue.say(Message::Session(message));
    }
    victims.unharmed().await;
}

/// Much of everything does not add up in anyone's memory.
async fn a_flood_passes(victims: &mut Victims) {
    victims.unharmed().await;
    let before = victims.memory_bytes();
    let rogue = Rogue::join(victims).await;
    let plan = rogue.plan().id;
    let body = Bytes::from(vec![0; 4 << 20]);
    let sums = |batch| SumsHeader { plan, pipeline: 0, stage: 1, batch, index: 0, member: 0 };
    for batch in 0..150 {
        rogue.frame(FrameHeader::Sums(sums(batch)), &body);
        rogue.say(Message::Round(RoundMessage::Ready { plan }));
        tokio::task::yield_now().await;
    }
    victims.unharmed().await;
    for (before, after) in before.into_iter().zip(victims.memory_bytes()) {
        assert!(after < before + GROWTH_MAX_BYTES, "{before} bytes grew to {after}");
    }
}

/// Twice as many as may be connected, all silent: first from one other address of this machine,
/// then from so many that none of them has more than one host may.
async fn silent_crowds_keep_nobody_out(victims: &mut Victims) {
    let node = &victims.swarm.members[0];
    let status = victims.swarm.status(&node.api).await;
    let listen = status["listen"][0].as_str().unwrap().to_owned();
    let port: u16 = listen.split('/').nth(4).unwrap().parse().unwrap();
    for (hosts, complaint) in [(1, "from one host"), (64, "pending incoming")] {
        a_silent_crowd(victims, port, hosts, complaint).await;
    }
}

async fn a_silent_crowd(victims: &mut Victims, port: u16, hosts: u32, complaint: &str) {
    let mut crowd = Vec::new();
    for at in 0..2 * swarm_net::Limits::default().connections_max {
        let host = u8::try_from(2 + at % hosts).unwrap();
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into()).unwrap();
        crowd.push(socket.connect((Ipv4Addr::LOCALHOST, port).into()).await.unwrap());
    }
    let node = &victims.swarm.members[0];
    node.process.says(&["refused a peer", "/ip4/127.0.0.", "limit", complaint]).await;
    let _friend = Rogue::join(victims).await;
    victims.unharmed().await;
    for mut silent in crowd {
        use tokio::io::AsyncReadExt as _;
        let mut rest = Vec::new();
        let end = tokio::time::timeout(swarm_tests::PATIENCE, silent.read_to_end(&mut rest)).await;
        assert!(end.is_ok(), "a silent connection was left open");
    }
    victims.unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swarm_gets_over_all_of_them() {
    let mut victims = Victims::gather().await;
    unreadable_messages_cut_their_sender_off(&mut victims).await;
    other_versions_and_swarms_are_named(&mut victims).await;
    a_plan_and_a_certificate_must_be_won(&mut victims).await;
    another_peers_work_is_left_alone(&mut victims).await;
    a_flood_passes(&mut victims).await;
    silent_crowds_keep_nobody_out(&mut victims).await;
}

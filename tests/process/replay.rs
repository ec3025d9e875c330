//! A node of a live swarm is recorded, and its log is played again by the simulator.

use std::path::{Path, PathBuf};

use hexswarm_sim::replay::{Ending, Replay, Step, Tally};
use serde_json::json;
use swarm_proto::Time;
use swarm_tests::{Events, Swarm, token_ids};

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");

fn model() -> PathBuf {
    let output = std::process::Command::new(BINARY).args(["model", "pull"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

fn play(log: &Path) -> (Vec<Step>, Tally, Ending) {
    let file = std::io::BufReader::new(std::fs::File::open(log).unwrap());
    let mut replay = Replay::open(file).unwrap_or_else(|error| panic!("{error}"));
    let (mut steps, mut tally) = (Vec::new(), Tally::default());
    while let Some(step) = replay.step(Time::NEVER).unwrap_or_else(|error| panic!("{error}")) {
        tally.count(&step, Time::ZERO);
        steps.push(step);
    }
    let end = replay.end().expect("it has ended").clone();
    (steps, tally, end)
}

/// A member is killed in mid-answer, then the entry: both died with their logs open.
#[tokio::test(flavor = "multi_thread")]
async fn what_killed_nodes_recorded_is_played_with_the_same_effects() {
    let device: &[&str] = &["cpu:threads=1,memory=115MB"];
    let mut swarm =
        Swarm::recorded(Path::new(BINARY), &model(), &[device, device, device], None).await;
    let prompt = json!("The natural numbers are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,");
    let answer = swarm.ask(&swarm.entry.api, &prompt, 12).await;
    assert_eq!(answer.finish_reason, "length", "{}", swarm.logs());

    let victim = swarm.leader_of(1).await;
    let body = json!({ "model": "smollm2-135m", "prompt": prompt, "max_tokens": 400,
        "stream": true, "temperature": 0, "return_token_ids": true });
    let mut stream = Events::ask(&swarm.entry.api, "/v1/completions", &body).await;
    let mut heard = 0;
    while heard < 8 {
        heard += token_ids(&stream.next().await.expect("a token")).len();
    }
    swarm.members[victim].process.signal("KILL");
    swarm.members[victim].process.ended().await;
    while heard < 24 {
        heard += token_ids(&stream.next().await.expect("a token")).len();
    }
    swarm.entry.process.signal("KILL");
    swarm.entry.process.ended().await;

    let (steps, tally, end) = play(&swarm.record("entry"));
    same(&steps);
    assert!(matches!(end, Ending::Cut { .. }), "{end:?}");
    assert!(tally.compared > 100, "{} inputs", tally.compared);
    let lost = format!("lost {}", swarm.members[victim].peer);
    assert!(tally.notices.iter().any(|(_, said)| *said == lost), "{:?}", tally.notices);
    let led: Vec<_> = tally.led.values().collect();
    let [first, second] = led[..] else { panic!("{led:?}") };
    assert_eq!((first.tokens, first.end.as_deref()), (12, Some("length")));
    assert!(second.tokens >= heard && second.end.is_none(), "{heard} were heard of {second:?}");

    let node = format!("node{victim}");
    let (steps, tally, _) = play(&swarm.record(&node));
    same(&steps);
    for kind in ["arrived", "computed", "loaded"] {
        assert!(tally.inputs.contains_key(kind), "no {kind} in {:?}", tally.inputs);
    }
    for node in ["entry", &node] {
        is_private(&swarm.record(node), &swarm.key(node));
    }
}

fn same(steps: &[Step]) {
    let other = steps.iter().find(|step| step.same == Some(false));
    assert!(other.is_none(), "other effects: {other:?}");
    // A node is killed while it handles one input at most.
    let known = steps.iter().filter(|step| step.same.is_some()).count();
    assert!(known + 1 >= steps.len(), "{known} of {} were compared", steps.len());
}

/// Nobody but its owner reads a log, and even they do not find the key there.
fn is_private(log: &Path, key: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(log).unwrap().permissions().mode() & 0o777, 0o600);
    let (log, key) = (std::fs::read(log).unwrap(), std::fs::read(key).unwrap());
    // libp2p writes a private key as 4 bytes that say what it is, the secret, and the public half.
    let secret = &key[4..36];
    assert_eq!(key.len(), 68);
    assert!(!log.windows(32).any(|window| window == secret), "the secret key is in the log");
    assert!(log.windows(32).any(|window| window == &key[36..]), "the node's id is not");
}

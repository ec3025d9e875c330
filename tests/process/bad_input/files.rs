//! Models and state that are not what they should be.

use std::fs;

use serde_json::Value;
use swarm_tests::{Member, Room, eventually};

use crate::room;

/// A file that is given as a model, and what the refusal says of it.
async fn refused(room: &Room, what: &str, bytes: &[u8], words: &[&str]) {
    let file = room.path("broken.gguf");
    fs::write(&file, bytes).unwrap();
    let file = file.display().to_string();
    let said = room.refused(&room.arguments("state", &["--model", &file])).await;
    for word in words.iter().chain([&file.as_str()]) {
        assert!(said.contains(word), "{what}: no `{word}` in {said}");
    }
}

fn place_of(bytes: &[u8], text: &str) -> usize {
    let found = bytes.windows(text.len()).position(|window| window == text.as_bytes());
    found.unwrap_or_else(|| panic!("no {text} in the file"))
}

/// The same bytes with others in a place.
fn with(bytes: &[u8], at: usize, other: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at..at + other.len()].copy_from_slice(other);
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_missing_is_named() {
    let room = room();
    let file = room.path("nowhere.gguf").display().to_string();
    let said = room.refused(&room.arguments("state", &["--model", &file])).await;
    assert!(said.contains(&file) && said.contains("no such file"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_cut_short_is_refused_wherever_it_is_cut() {
    let room = room();
    let whole = fs::read(room.model()).unwrap();
    let tensors = place_of(&whole, "token_embd.weight");
    refused(&room, "nothing of it", &[], &["is empty"]).await;
    for end in [3, 7, 23, 40, tensors / 2, tensors + 3, tensors + 30, whole.len() / 2] {
        refused(&room, &format!("cut at {end}"), &whole[..end], &["fetch it again"]).await;
    }
    refused(&room, "one byte short", &whole[..whole.len() - 1], &["fetch it again"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_with_absurd_numbers_is_refused_before_they_are_believed() {
    let room = room();
    let whole = fs::read(room.model()).unwrap();
    let tensor = place_of(&whole, "token_embd.weight") + "token_embd.weight".len();
    let list = place_of(&whole, "tokenizer.ggml.tokens") + "tokenizer.ggml.tokens".len();
    let (most, many) = (u64::MAX.to_le_bytes(), (1_u64 << 40).to_le_bytes());
    for (what, at, bytes) in [
        ("magic", 0, &b"GGML"[..]),
        ("version", 4, &[99, 0, 0, 0]),
        ("tensor count", 8, &most),
        ("tensor count", 8, &many),
        ("key count", 16, &most),
        ("key count", 16, &many),
        ("length of a key", 24, &most),
        ("length of a key", 24, &many),
        ("kind of a value", list, &[255; 4]),
        ("length of a list", list + 8, &most),
        ("length of a list", list + 8, &many),
        ("length of a text in a list", list + 16, &most),
        ("dimensions of a tensor", tensor, &[255; 4]),
        ("rows of a tensor", tensor + 4, &most),
        ("rows of a tensor", tensor + 12, &many),
        ("format of a tensor", tensor + 20, &[255; 4]),
        ("offset of a tensor", tensor + 24, &most),
        ("offset of a tensor", tensor + 24, &many),
    ] {
        refused(&room, what, &with(&whole, at, bytes), &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_an_unknown_architecture_is_told_which_are_known() {
    let room = room();
    let whole = fs::read(room.model()).unwrap();
    let at = place_of(&whole, "general.architecture") + "general.architecture".len() + 4 + 8;
    assert_eq!(&whole[at..at + 5], b"llama");
    refused(&room, "architecture", &with(&whole, at, b"mamba"), &["mamba", "llama"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_folder_that_cannot_be_is_named() {
    let room = room();
    fs::write(room.path("file"), "not a folder").unwrap();
    let said = room.refused(&room.arguments("file/state", &[])).await;
    assert!(said.contains("file/state") && said.contains("--state DIR"), "{said}");
    let _held = room.node("held", &[]).await;
    let said = room.refused(&room.arguments("held", &[])).await;
    assert!(said.contains("--state") && said.contains("is running"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_ballot_is_damaged_or_gone_does_not_vote_again() {
    let room = room();
    let first = term(led(room.node("state", &[]).await).await).await;
    let ballot = room.path("state/ballot");
    let kept = fs::read(&ballot).unwrap();
    for at in 0..kept.len() {
        let mut changed = kept.clone();
        changed[at] ^= 0x10;
        // Every byte is tried by a unit test; here, those at the ends and in the middle.
        if at == 0 || at == kept.len() / 2 || at == kept.len() - 1 {
            fs::write(&ballot, changed).unwrap();
            let said = room.refused(&room.arguments("state", &[])).await;
            assert!(said.contains("vote twice") && said.contains("--state"), "{said}");
        }
    }
    fs::write(&ballot, &kept[..kept.len() / 2]).unwrap();
    assert!(room.refused(&room.arguments("state", &[])).await.contains("vote twice"));
    fs::remove_file(&ballot).unwrap();
    assert!(room.refused(&room.arguments("state", &[])).await.contains("is missing"));
    fs::write(&ballot, kept).unwrap();
    let second = term(led(room.node("state", &[]).await).await).await;
    assert!(second > first, "{second} after {first}: a term is voted in once");
}

/// The node once it leads.
async fn led(node: Member) -> Member {
    eventually("it leads", || async {
        (status(&node).await["leader"] == node.peer.as_str()).then_some(())
    })
    .await;
    node
}

/// Its term. The node is killed.
async fn term(node: Member) -> u64 {
    let term = status(&node).await["term"].as_u64().unwrap();
    kill(node).await;
    term
}

async fn kill(mut node: Member) {
    node.process.signal("KILL");
    node.process.ended().await;
}

async fn status(node: &Member) -> Value {
    reqwest::get(format!("{}/status", node.api)).await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_key_is_named() {
    let room = room();
    fs::create_dir(room.path("state")).unwrap();
    fs::write(room.path("state/key"), "no key").unwrap();
    fs::write(room.path("state/ballot"), "no ballot").unwrap();
    let said = room.refused(&room.arguments("state", &[])).await;
    assert!(said.contains("ballot"), "{said}");
    fs::remove_file(room.path("state/ballot")).unwrap();
    fs::remove_file(room.path("state/key")).unwrap();
    kill(room.node("state", &[]).await).await;
    fs::write(room.path("state/key"), "no key").unwrap();
    let said = room.refused(&room.arguments("state", &[])).await;
    assert!(said.contains("key"), "{said}");
}

//! Settings that cannot be, and ports that others have.

use std::{
    fs,
    net::{TcpListener, UdpSocket},
};

use crate::room;

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_with_what_to_do() {
    let room = room();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let said = room.refused(&room.arguments("state", &["--api", &address.to_string()])).await;
    assert!(said.contains(&address.to_string()) && said.contains("--api"), "{said}");

    let listen = format!("/ip4/127.0.0.1/tcp/{}", address.port());
    let said = room.refused(&room.arguments("state", &["--listen", &listen])).await;
    assert!(said.contains(&listen) && said.contains("in use"), "{said}");

    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let listen = format!("/ip4/127.0.0.1/udp/{}/quic-v1", taken.local_addr().unwrap().port());
    let said = room.refused(&room.arguments("state", &["--listen", &listen])).await;
    assert!(said.contains(&listen) && said.contains("in use"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_that_cannot_be_are_named() {
    let room = room();
    for (flag, value, words) in [
        ("--device", "gpu", "neither cpu nor cuda"),
        ("--device", "cpu:memory=8GX", "no unit"),
        ("--device", "cpu:threads=0", "no thread count"),
        ("--device", "cpu:memory=99999999GiB", "1 PiB"),
        ("--device", "cuda:0", "computes on cpu only"),
        ("--device", "cuda", "which GPU"),
        ("--listen", "localhost:4001", "no multiaddr"),
        ("--join", "12D3KooW", "no multiaddr"),
        ("--swarm", "two words", "two words"),
        ("--context", "3", "16 to 16777216"),
        ("--api-origins", "app.example", "https://app.example"),
        ("--rejoin", "", "needs --join"),
        ("--key", "/nowhere/key", "/nowhere/key"),
        ("--plan", "/nowhere/plan", "/nowhere/plan"),
    ] {
        let flags = [flag, value];
        let flags = if value.is_empty() { &flags[..1] } else { &flags[..] };
        let said = room.refused(&room.arguments("state", flags)).await;
        assert!(said.contains(words), "{flag} {value}: {said}");
        assert!(said.contains(value), "{flag} {value}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_settings_is_checked_and_flags_win_over_it() {
    let room = room();
    let file = room.path("node.toml");
    let config = file.display().to_string();
    for (text, words) in [
        ("modle = \"x\"", "did you mean `model`?"),
        ("api_origin = [\"*\"]", "did you mean `api_origins`?"),
        ("context = \"many\"", "context"),
        ("listen = 3", "listen"),
        ("swarm = ", "swarm"),
        ("compute = \"f16\"", "f16"),
    ] {
        fs::write(&file, text).unwrap();
        let said = room.refused(&room.arguments("state", &["--config", &config])).await;
        assert!(said.contains(words), "{text}: {said}");
        assert!(said.contains(&config), "{text}: {said}");
    }
    let missing = room.path("nowhere.toml").display().to_string();
    let said = room.refused(&room.arguments("state", &["--config", &missing])).await;
    assert!(said.contains(&missing), "{said}");

    fs::write(&file, "swarm = \"theirs\"\ncompute = \"f32\"\ncontext = 512").unwrap();
    let node = room.node("state", &["--config", &config, "--swarm", "mine"]).await;
    let status = reqwest::get(format!("{}/status", node.api)).await.unwrap().text().await.unwrap();
    assert!(status.contains("\"swarm\":\"mine\""), "{status}");
}

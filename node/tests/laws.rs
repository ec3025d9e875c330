//! The laws of the workspace: who may use what.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each framework and the only crates that may name it in their dependencies.
const HOMES: &[(&str, &[&str])] = &[
    ("libp2p", &["node/net"]),
    ("libp2p-stream", &["node/net"]),
    ("actix", &["node"]),
    ("axum", &["node"]),
    ("bincode", &["swarm-proto", "node/core"]),
    ("cudarc", &["node/engine"]),
    ("rayon", &["node/engine"]),
    ("memmap2", &["node/engine"]),
    ("tokenizers", &["node/engine"]),
    ("dashmap", &["node", "node/net"]),
    ("tokio", &["node", "node/net", "bootstrap", "tests"]),
];

/// What each inner crate may depend on within the workspace.
const NEIGHBOURS: &[(&str, &[&str])] = &[
    ("swarm-proto", &[]),
    ("node/core", &["swarm-proto"]),
    ("node/scheduler", &["swarm-proto"]),
    ("node/net", &["swarm-proto"]),
    ("node/engine", &["swarm-proto"]),
    ("bootstrap", &["swarm-net", "swarm-proto"]),
    ("sim", &["swarm-core", "swarm-proto", "swarm-scheduler"]),
];

/// Words that bring the outside into the core: clocks, threads, sockets, tables without order.
const FORBIDDEN_IN_CORE: &[&str] = &[
    "Instant",
    "SystemTime",
    "thread::",
    "net::",
    "fs::",
    "tokio",
    "HashMap",
    "HashSet",
    "async fn",
    "rand::rng",
    "thread_rng",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("node has a parent").to_owned()
}

fn dependencies(manifest: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifest).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let targets = table.get("target").and_then(toml::Value::as_table);
    let targets = targets.into_iter().flat_map(|all| all.values()).filter_map(|one| one.as_table());
    [&table]
        .into_iter()
        .chain(targets)
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)))
        .filter_map(|own| own.and_then(toml::Value::as_table))
        .flat_map(|own| own.keys().cloned())
        .collect()
}

fn members() -> Vec<String> {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let members = table["workspace"]["members"].as_array().unwrap();
    members.iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                files.extend(rust_files(&path));
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn each_framework_stays_at_home() {
    for member in members() {
        for dependency in dependencies(&root().join(&member).join("Cargo.toml")) {
            let Some((_, homes)) = HOMES.iter().find(|(name, _)| *name == dependency) else {
                continue;
            };
            assert!(homes.contains(&member.as_str()), "{member} may not use {dependency}");
        }
    }
}

#[test]
fn rooms_know_only_their_neighbours() {
    for (member, allowed) in NEIGHBOURS {
        for dependency in dependencies(&root().join(member).join("Cargo.toml")) {
            let ours = dependency.starts_with("swarm-") || dependency.starts_with("hexswarm");
            assert!(
                !ours || allowed.contains(&dependency.as_str()),
                "{member} may not know {dependency}"
            );
        }
    }
}

#[test]
fn the_core_has_no_clock_no_thread_and_no_hash_order() {
    for folder in ["node/core/src", "swarm-proto/src", "node/scheduler/src"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                // Threads of a scope have ended when it has, so what they found depends on nothing.
                let line = match file.ends_with("node/scheduler/src/beside.rs") {
                    true => line.replace("std::thread::scope(", ""),
                    false => line.to_owned(),
                };
                let found = FORBIDDEN_IN_CORE.iter().find(|word| line.contains(*word));
                assert!(found.is_none(), "{}: {line}", file.display());
            }
        }
    }
}

#[test]
fn unsafe_code_is_only_where_it_must_be() {
    let allowed = ["node/engine/src/cpu", "node/engine/src/cuda", "node/engine/src/mapped.rs"];
    let words = [" {", " fn", " impl", " trait", " extern"].map(|rest| ["unsafe", rest].concat());
    for member in members() {
        for file in rust_files(&root().join(&member).join("src")) {
            let inside = file.strip_prefix(root()).unwrap().display().to_string();
            let text = fs::read_to_string(&file).unwrap();
            let free = !words.iter().any(|word| text.contains(word));
            assert!(free || allowed.iter().any(|a| inside.starts_with(a)), "unsafe in {inside}");
        }
    }
}

#[test]
fn no_file_outgrows_its_noun() {
    for member in members() {
        for file in rust_files(&root().join(&member)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= 600, "{} has {lines} lines: one noun a file", file.display());
        }
    }
}

//! The golden bytes of all that is opened from outside: what mutations and the fuzzer begin with.

use std::{collections::BTreeMap, fs, path::PathBuf};

use bincode::Encode;
use swarm_proto::{FrameHeader, Message, codec};

use crate::{
    messages,
    structs::{self, Known},
};

/// Sealed messages by name.
pub(crate) fn seeds() -> BTreeMap<String, Vec<u8>> {
    let mut seeds = BTreeMap::new();
    let mut add = |name: &str, all: Vec<Vec<u8>>| {
        seeds.extend(all.into_iter().enumerate().map(|(n, bytes)| (format!("{name}-{n}"), bytes)));
    };
    add("message", sealed(messages::messages(), |message| message));
    add("session", sealed(messages::sessions(), Message::Session));
    add("council", sealed(messages::councils(), Message::Council));
    add("round", sealed(messages::rounds(), Message::Round));
    let climb = |word| Message::Climb(swarm_proto::Climb { hops_left: 6, word });
    add("climb", sealed(messages::words(), climb));
    add("frame", sealed(messages::frames(), |frame| frame));
    add("ordered", sealed(messages::sessions(), FrameHeader::Session));
    add("advert", sealed(vec![structs::advert()], |advert| advert));
    add("ballot", sealed(vec![structs::ballot()], |ballot| ballot));
    seeds
}

fn sealed<Part, T: Encode>(all: Vec<Known<Part>>, wrap: impl Fn(Part) -> T) -> Vec<Vec<u8>> {
    all.into_iter().map(|(value, _)| codec::seal(&wrap(value)).unwrap()).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/open")
}

/// If this fails, `cargo test -p swarm-proto --test wire -- --ignored write_the_seeds` mends it.
#[test]
fn the_fuzzers_seeds_are_the_golden_bytes() {
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    };
    let found: BTreeMap<_, _> =
        fs::read_dir(folder()).unwrap().map(|entry| file(entry.unwrap())).collect();
    assert!(found == seeds(), "the seeds in {} are old: write them anew", folder().display());
}

#[test]
#[ignore = "writes the fuzzer's seeds into the source tree"]
fn write_the_seeds() {
    drop(fs::remove_dir_all(folder()));
    fs::create_dir_all(folder()).unwrap();
    for (name, bytes) in seeds() {
        fs::write(folder().join(name), bytes).unwrap();
    }
}

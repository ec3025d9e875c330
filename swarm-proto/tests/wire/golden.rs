//! Golden bytes: peers of one version must agree on these, so a change here is a new version.

use std::{fmt::Debug, fs, path::Path};

use bincode::{Decode, Encode};
use swarm_proto::codec::{self, VERSION};

use crate::{
    hex, messages,
    structs::{self, Known},
};

fn holds<T: Encode + Decode<()> + PartialEq + Debug>((value, text): Known<T>) {
    let (found, wanted) =
        (codec::seal(&value).unwrap(), hex::bytes(&format!("{VERSION:02x} {text}")));
    assert_eq!(codec::sealed_bytes(&value), found.len());
    assert!(found == wanted, "{value:?}\n is {}\n not {}", hex::word(&found), hex::word(&wanted));
    assert_eq!(codec::open::<T>(&found), Ok(value));
}

/// Golden bytes that were edited are another version's.
#[test]
fn these_bytes_are_this_versions_and_no_others() {
    let (version, hash) = (5, "e024af4167b6f22b405f5a107574b3e0be9f4d87f58d4eafa1811928618b148f");
    let all = bytes_of_all();
    assert_eq!((VERSION, all.to_hex().as_str()), (version, hash), "raise the version");
}

/// One hash of everything that may travel.
fn bytes_of_all() -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    fn texts<T>(known: Vec<Known<T>>) -> impl Iterator<Item = String> {
        known.into_iter().map(|(_, text)| text)
    }
    let all = texts(messages::device_kinds())
        .chain(texts(messages::finishes()))
        .chain(texts(messages::faults()))
        .chain(texts(messages::sessions()))
        .chain(texts(messages::councils()))
        .chain(texts(messages::rounds()))
        .chain(texts(messages::messages()))
        .chain(texts(messages::frames()))
        .chain(texts(messages::words()))
        .chain(texts(messages::bonds()))
        .chain(texts(vec![structs::advert()]))
        .chain(texts(vec![structs::ballot()]));
    all.for_each(|text| {
        hasher.update(&hex::bytes(&text));
    });
    hasher.finalize()
}

#[test]
fn every_variant_has_its_bytes() {
    messages::device_kinds().into_iter().for_each(holds);
    messages::finishes().into_iter().for_each(holds);
    messages::faults().into_iter().for_each(holds);
    messages::sessions().into_iter().for_each(holds);
    messages::councils().into_iter().for_each(holds);
    messages::rounds().into_iter().for_each(holds);
    messages::messages().into_iter().for_each(holds);
    messages::frames().into_iter().for_each(holds);
    messages::words().into_iter().for_each(holds);
    messages::bonds().into_iter().for_each(holds);
}

#[test]
fn what_is_gossiped_or_kept_has_its_bytes() {
    holds(structs::advert());
    holds(structs::ballot());
}

/// The match in `messages.rs` holds the variants of the enums it knows; this, that it knows all.
#[test]
fn no_enum_on_the_wire_is_forgotten() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for file in fs::read_dir(sources).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for (place, _) in text.match_indices("\npub enum ") {
            let head = &text[text[..place].rfind("\n\n").map_or(0, |blank| blank)..place];
            if head.contains("Encode") {
                let name = &text[place + "\npub enum ".len()..];
                found.push(name.split([' ', '<']).next().unwrap().to_owned());
            }
        }
    }
    found.sort();
    let mut known = messages::ENUMS;
    known.sort();
    assert_eq!(found, known);
}

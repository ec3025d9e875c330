//! Golden bytes: peers of one version must agree on these, so a change here is a new version.

use std::{fmt::Debug, fs, path::Path};

use bincode::{Decode, Encode};
use swarm_proto::codec::{self, VERSION};

use crate::{
    hex, messages,
    structs::{self, Known},
};

fn holds<T: Encode + Decode<()> + PartialEq + Debug>((value, text): Known<T>) {
    let (found, wanted) = (codec::seal(&value).unwrap(), hex::bytes(&format!("01 {text}")));
    assert!(found == wanted, "{value:?}\n is {}\n not {}", hex::word(&found), hex::word(&wanted));
    assert_eq!(codec::open::<T>(&found), Ok(value));
}

#[test]
fn the_version_is_the_one_of_these_bytes() {
    assert_eq!(VERSION, 1);
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

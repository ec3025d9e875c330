//! Two versions of the protocol can tell each other apart, and say so.

use proptest::prelude::*;
use swarm_proto::{
    Ballot, FrameHeader, Message, Pulse,
    codec::{self, DecodeError, MESSAGE_BYTES_MAX, VERSION},
};

#[test]
fn every_message_says_its_version_first() {
    assert_eq!(Message::Beat(Pulse::default()).seal().unwrap()[0], VERSION);
    assert_eq!(codec::seal(&Ballot::default()).unwrap()[0], VERSION);
}

#[test]
fn a_refusal_names_both_versions_and_what_to_do() {
    let text = Message::open(&[VERSION + 1, 0]).unwrap_err().to_string();
    assert_eq!(text, "protocol version 6, but this peer speaks 5: update the older one");
}

proptest! {
    /// Whatever follows: another version may have other messages, and longer ones.
    #[test]
    fn another_version_is_told_by_its_first_byte(
        version in any::<u8>().prop_filter("another", |version| *version != VERSION),
        body in prop::collection::vec(any::<u8>(), 0..64),
        long in any::<bool>(),
    ) {
        let mut bytes = [vec![version], body].concat();
        if long {
            bytes.resize(MESSAGE_BYTES_MAX + 1, 0);
        }
        let refused = DecodeError::Version { found: version };
        prop_assert_eq!(Message::open(&bytes), Err(refused.clone()));
        prop_assert_eq!(FrameHeader::open(&bytes), Err(refused.clone()));
        prop_assert_eq!(codec::open::<Ballot>(&bytes), Err(refused));
    }
}

#[test]
fn a_message_of_ours_is_refused_for_its_form_not_its_version() {
    assert_eq!(Message::open(&[]), Err(DecodeError::Empty));
    let malformed = Message::open(&[VERSION, 200]).unwrap_err();
    assert!(matches!(malformed, DecodeError::Malformed { .. }), "{malformed}");
    let trailing = Message::open(&[VERSION, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 7])
        .unwrap_err();
    assert_eq!(trailing, DecodeError::Trailing { bytes: 2 });
    let long = [VERSION; MESSAGE_BYTES_MAX + 1];
    assert_eq!(Message::open(&long), Err(DecodeError::TooLong { bytes: long.len() }));
}

//! No bytes make opening panic, or allocate more than its bound.

use std::{hint::black_box, sync::LazyLock};

use bincode::{Decode, Encode};
use proptest::{prelude::*, sample::Index};
use swarm_proto::{
    Advert, Attempt, Ballot, FrameHeader, Message, RowsHeader, RowsItem, SessionId, Signed,
    codec::{self, MESSAGE_BYTES_MAX, OPEN_BYTES_MAX, VERSION},
};

use crate::{seeds::seeds, structs};

/// The most that was allocated at a time while `bytes` were opened as each of the types that are
/// opened from outside.
fn opened(bytes: &[u8]) -> usize {
    let peaks = [
        peak::<Message>(bytes),
        peak::<FrameHeader>(bytes),
        peak::<Signed<Advert>>(bytes),
        peak::<Ballot>(bytes),
    ];
    peaks.into_iter().max().unwrap()
}

/// The same for one type. What opens must seal and open again to the same bytes.
fn peak<T: Encode + Decode<()>>(bytes: &[u8]) -> usize {
    let mut value = None;
    let counted = allocation_counter::measure(|| value = black_box(codec::open::<T>(bytes).ok()));
    if let Some(value) = value {
        let sealed = codec::seal(&value).unwrap();
        assert!(sealed.len() <= bytes.len());
        assert_eq!(codec::seal(&codec::open::<T>(&sealed).unwrap()).unwrap(), sealed);
    }
    usize::try_from(counted.bytes_max).unwrap()
}

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| seeds().into_values().collect());

/// A way to spoil a message.
#[derive(Clone, Debug)]
enum Edit {
    Flip(Index, u8),
    Cut(Index),
    Put(Index, Vec<u8>),
    Over(Index, Vec<u8>),
    Splice(Index, Index, Index),
    Repeat(Index, usize, usize),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
        let at = |index: &Index, bytes: &[u8]| index.index(bytes.len() + 1);
        match self {
            Self::Flip(place, bit) if !bytes.is_empty() => {
                let place = place.index(bytes.len());
                bytes[place] ^= 1 << bit;
            }
            Self::Flip(..) => {}
            Self::Cut(place) => bytes.truncate(at(place, bytes)),
            Self::Put(place, new) => {
                let place = at(place, bytes);
                bytes.splice(place..place, new.iter().copied());
            }
            Self::Over(place, new) => {
                let place = at(place, bytes);
                let end = (place + new.len()).min(bytes.len());
                bytes.splice(place..end, new.iter().copied());
            }
            Self::Splice(place, other, from) => {
                let other = other.get(others);
                bytes.truncate(at(place, bytes));
                bytes.extend(&other[from.index(other.len())..]);
            }
            Self::Repeat(place, len, times) => {
                let place = at(place, bytes);
                let part = bytes[place..(place + len).min(bytes.len())].to_vec();
                bytes.splice(place..place, part.repeat(*times));
            }
        }
        bytes.truncate(MESSAGE_BYTES_MAX);
    }
}

/// Numbers as lists would claim their lengths: some huge, all forms of them.
fn claim() -> impl Strategy<Value = Vec<u8>> {
    let form = |mark: u8, bytes: Vec<u8>| [vec![mark], bytes].concat();
    prop_oneof![
        any::<u8>().prop_map(|n| vec![n]),
        any::<u16>().prop_map(move |n| form(0xfb, n.to_le_bytes().to_vec())),
        any::<u32>().prop_map(move |n| form(0xfc, n.to_le_bytes().to_vec())),
        any::<u64>().prop_map(move |n| form(0xfd, n.to_le_bytes().to_vec())),
        any::<u128>().prop_map(move |n| form(0xfe, n.to_le_bytes().to_vec())),
        Just(form(0xfd, vec![0xff; 8])),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = any::<Index>;
    prop_oneof![
        3 => (place(), 0..8u8).prop_map(|(place, bit)| Edit::Flip(place, bit)),
        1 => place().prop_map(Edit::Cut),
        2 => (place(), claim()).prop_map(|(place, claim)| Edit::Put(place, claim)),
        3 => (place(), claim()).prop_map(|(place, claim)| Edit::Over(place, claim)),
        2 => (place(), place(), place()).prop_map(|(a, b, c)| Edit::Splice(a, b, c)),
        1 => (place(), 1..100usize, 1..4000usize).prop_map(|(a, n, m)| Edit::Repeat(a, n, m)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn random_bytes_do_no_harm(body in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(opened(&[vec![VERSION], body.clone()].concat()) <= OPEN_BYTES_MAX);
        prop_assert!(opened(&body) <= OPEN_BYTES_MAX);
    }

    #[test]
    fn spoiled_messages_do_no_harm(
        seed in any::<Index>(),
        edits in prop::collection::vec(edit(), 1..6),
    ) {
        let mut bytes = seed.get(&SEEDS).clone();
        edits.iter().for_each(|edit| edit.apply(&mut bytes, &SEEDS));
        prop_assert!(opened(&bytes) <= OPEN_BYTES_MAX);
    }
}

/// Takes every small byte of every message for the length of a list whose element is the bytes
/// after it, of any size, and lengthens that list: among them are all lists there are (the golden
/// ones have one to three elements), at their longest.
#[test]
fn lists_at_their_longest_keep_the_bound() {
    let mut worst = 0;
    for (_, bytes) in seeds().into_iter().filter(|(name, _)| !name.starts_with("ordered")) {
        for place in (1..bytes.len()).filter(|place| (1..=3).contains(&bytes[*place])) {
            let rest = &bytes[place + 1..];
            for size in 1..rest.len().min(120) {
                for count in [250, 700, 2000, 16_000] {
                    let room = (MESSAGE_BYTES_MAX - bytes.len()) / size;
                    let count = count.min(room);
                    let length = u16::try_from(count).unwrap().to_le_bytes();
                    let list = rest[..size].repeat(count);
                    let long = [&bytes[..place], &[0xfb], &length, &list, &rest[size..]].concat();
                    worst = worst.max(opened(&long));
                    if count == room {
                        break;
                    }
                }
            }
        }
    }
    assert!(worst <= OPEN_BYTES_MAX);
    assert!(worst > MESSAGE_BYTES_MAX, "{worst}: lists in lists were not reached, or not counted");
}

/// The message that costs most for its length: as many items as are counted for their size, each
/// with as many tokens as are left.
#[test]
fn the_dearest_message_is_within_the_bound() {
    let rows = structs::rows().0;
    let attempt = Attempt { session: SessionId(0), number: 0 };
    let item = RowsItem { attempt, position: 0, tokens: vec![0; 11], step: None };
    let items = MESSAGE_BYTES_MAX / size_of::<RowsItem>() - 1;
    let header = FrameHeader::Rows(RowsHeader { items: vec![item; items], ..rows });
    let most = peak::<FrameHeader>(&header.seal().unwrap());
    assert!((MESSAGE_BYTES_MAX * 3 / 2..=OPEN_BYTES_MAX).contains(&most), "{most}");
}

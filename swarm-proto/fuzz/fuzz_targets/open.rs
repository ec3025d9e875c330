//! Opens arbitrary bytes as every type that a node opens from outside.
#![no_main]

use bincode::{Decode, Encode};
use swarm_proto::{Advert, Ballot, FrameHeader, Message, Signed, codec};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    open::<Message>(bytes);
    open::<FrameHeader>(bytes);
    open::<Signed<Advert>>(bytes);
    open::<Ballot>(bytes);
});

/// What opens must seal, no longer than it was, and open again to the same bytes.
fn open<T: Encode + Decode<()>>(bytes: &[u8]) {
    let Ok(value) = codec::open::<T>(bytes) else { return };
    let sealed = codec::seal(&value).expect("what opens seals");
    assert!(sealed.len() <= bytes.len());
    let again = codec::open::<T>(&sealed).expect("what seals opens");
    assert_eq!(codec::seal(&again).as_deref(), Ok(&*sealed));
}

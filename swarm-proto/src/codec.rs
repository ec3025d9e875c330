//! Bytes to messages and back. The only place that knows bincode's configuration.
//!
//! An encoded message is one version byte and a bincode body. Nothing is decoded beyond a limit
//! that is checked before anything is allocated, and nothing may follow the body.
//!
//! The codec counts against that limit what is read, by its size in memory, and what every list
//! claims to hold, before making room for it. So a message of very many small numbers can be short
//! enough to send and still be refused; the fullest messages that a peer sends stay well below.

use bincode::{Decode, Encode, error};

/// The version of the protocol. Peers of another version are told so and left alone.
pub const VERSION: u8 = 5;

/// Bytes of a control message at most, version byte included.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// What [`open`] allocates at most while it reads a message, whatever that message says.
///
/// A list is counted by its elements' sizes when it is made, so one list keeps the message's own
/// bound; of its elements, only what was read stays counted, so lists in lists (a frame's items and
/// their tokens, a plan's stages and their members) can come to some 1.6 times that.
pub const OPEN_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than any message may be.
    #[error("{bytes} bytes, but a message has at most {MESSAGE_BYTES_MAX}")]
    TooLong {
        /// How long.
        bytes: usize,
    },
    /// Nothing at all.
    #[error("an empty message")]
    Empty,
    /// Another version of the protocol.
    #[error("protocol version {found}, but this peer speaks {VERSION}: update the older one")]
    Version {
        /// The version found.
        found: u8,
    },
    /// Not of the form it should have.
    #[error("malformed: {reason}")]
    Malformed {
        /// What the codec says.
        reason: String,
    },
    /// More bytes than the message needs.
    #[error("{bytes} bytes after the message's end")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}

/// A message could not be sent, being longer than [`MESSAGE_BYTES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message needs more than {MESSAGE_BYTES_MAX} bytes")]
pub struct TooLong;

/// The body of a value of ours, without version or limit: for hashing and signing.
pub fn encode(value: &impl Encode) -> Vec<u8> {
    // Encoding into a vector fails only where an `Encode` of ours says so, and none does.
    bincode::encode_to_vec(value, bincode::config::standard()).expect("our types encode")
}

/// How many bytes [`seal`] would make of a value, without making them.
pub fn sealed_bytes(value: &impl Encode) -> usize {
    let counter = bincode::enc::write::SizeWriter::default();
    let mut encoder = bincode::enc::EncoderImpl::new(counter, bincode::config::standard());
    value.encode(&mut encoder).expect("our types encode");
    1 + encoder.into_writer().bytes_written
}

/// A message as it travels.
pub fn seal(value: &impl Encode) -> Result<Vec<u8>, TooLong> {
    let mut bytes = vec![VERSION];
    bytes.extend(encode(value));
    if bytes.len() > MESSAGE_BYTES_MAX { Err(TooLong) } else { Ok(bytes) }
}

/// Reads a message that came from outside, trusting nothing about it.
pub fn open<T: Decode<()>>(bytes: &[u8]) -> Result<T, DecodeError> {
    let (&version, body) = bytes.split_first().ok_or(DecodeError::Empty)?;
    // First, since another version may have another limit and another form.
    if version != VERSION {
        return Err(DecodeError::Version { found: version });
    }
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(DecodeError::TooLong { bytes: bytes.len() });
    }
    decode::<T, MESSAGE_BYTES_MAX>(body)
}

/// Reads what [`encode`] wrote and nothing after it; lists count against `LIMIT` bytes, as above.
pub fn decode<T: Decode<()>, const LIMIT: usize>(body: &[u8]) -> Result<T, DecodeError> {
    let config = bincode::config::standard().with_limit::<LIMIT>();
    let (value, used) = bincode::decode_from_slice(body, config).map_err(malformed)?;
    match body.len() - used {
        0 => Ok(value),
        bytes => Err(DecodeError::Trailing { bytes }),
    }
}

/// Our own rules say it in words; the codec's are told as it tells them.
fn malformed(error: error::DecodeError) -> DecodeError {
    let reason = match error {
        error::DecodeError::Other(rule) => rule.to_owned(),
        form => form.to_string(),
    };
    DecodeError::Malformed { reason }
}

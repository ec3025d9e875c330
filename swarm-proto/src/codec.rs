//! Bytes to messages and back. The only place that knows bincode's configuration.
//!
//! An encoded message is one version byte and a bincode body. Nothing is decoded beyond a limit
//! that is checked before anything is allocated, and nothing may follow the body.

use bincode::{
    Decode, Encode,
    config::{Configuration, Limit, LittleEndian, Varint},
};

/// The version of the protocol. Peers of another version are told so and left alone.
pub const VERSION: u8 = 1;

/// Bytes of a control message at most, version byte included.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

const CONFIG: Configuration<LittleEndian, Varint, Limit<MESSAGE_BYTES_MAX>> =
    bincode::config::standard().with_limit::<MESSAGE_BYTES_MAX>();

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

/// A message as it travels.
pub fn seal(value: &impl Encode) -> Result<Vec<u8>, TooLong> {
    let mut bytes = vec![VERSION];
    bytes.extend(encode(value));
    if bytes.len() > MESSAGE_BYTES_MAX { Err(TooLong) } else { Ok(bytes) }
}

/// Reads a message that came from outside, trusting nothing about it.
pub fn open<T: Decode<()>>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(DecodeError::TooLong { bytes: bytes.len() });
    }
    let (&version, body) = bytes.split_first().ok_or(DecodeError::Empty)?;
    if version != VERSION {
        return Err(DecodeError::Version { found: version });
    }
    let (value, used) = bincode::decode_from_slice(body, CONFIG)
        .map_err(|error| DecodeError::Malformed { reason: error.to_string() })?;
    match body.len() - used {
        0 => Ok(value),
        bytes => Err(DecodeError::Trailing { bytes }),
    }
}

//! Activations on their way through a node.

use std::fmt;

use bincode::{
    Decode, Encode,
    de::Decoder,
    enc::Encoder,
    error::{DecodeError, EncodeError},
};
use bytes::Bytes;

/// Bytes of activations that one frame can carry, at most: what a log may say that there were.
const BYTES_MAX: usize = 32 << 20;

/// What stands for activations that nobody wrote down. They take no memory.
static ZEROS: [u8; BYTES_MAX] = [0; BYTES_MAX];

/// Activations of some rows. Core looks at how many bytes they are and never at what they say, so
/// written down they are their length, and read again they are zeros.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Body(pub Bytes);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Encode for Body {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.len().encode(encoder)
    }
}

impl<Context> Decode<Context> for Body {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let zeros = ZEROS.get(..usize::decode(decoder)?);
        let zeros = zeros.ok_or(DecodeError::Other("activations of more than 32 MiB"))?;
        Ok(Self(Bytes::from_static(zeros)))
    }
}

bincode::impl_borrow_decode!(Body);

//! Runs of layers, heads and columns that are never empty, whoever sent them.

use std::{fmt, marker::PhantomData, ops::Range};

use bincode::{
    Decode, Encode,
    de::{BorrowDecode, BorrowDecoder, Decoder},
    enc::Encoder,
    error::{DecodeError, EncodeError},
};

/// A run `first..end` of things of kind `Of`. Never empty: neither the constructor nor the wire
/// can make one that is.
pub struct Span<Of> {
    first: u32,
    end: u32,
    of: PhantomData<fn() -> Of>,
}

/// Marks a span of decoder layers.
#[derive(Debug)]
pub enum Layers {}
/// Marks a span of KV-head groups: a KV head with the query heads that read it.
#[derive(Debug)]
pub enum KvHeads {}
/// Marks a span of FFN columns: rows of the gate and up matrices, columns of the down matrix.
#[derive(Debug)]
pub enum FfnColumns {}

/// Consecutive decoder layers.
pub type LayerRange = Span<Layers>;
/// Consecutive KV-head groups of every layer in a stage.
pub type HeadRange = Span<KvHeads>;
/// Consecutive FFN columns of every layer in a stage.
pub type ColumnRange = Span<FfnColumns>;

impl<Of> Span<Of> {
    /// The run `first..end`, or `None` if that is empty.
    pub fn new(first: u32, end: u32) -> Option<Self> {
        (first < end).then_some(Self { first, end, of: PhantomData })
    }

    /// Where it starts.
    pub fn first(self) -> u32 {
        self.first
    }

    /// One past where it stops.
    pub fn end(self) -> u32 {
        self.end
    }

    /// How many there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a span is never empty")]
    pub fn len(self) -> u32 {
        self.end - self.first
    }

    /// Whether `next` starts where this one stops.
    pub fn precedes(self, next: Self) -> bool {
        self.end == next.first
    }

    /// The members, as indices.
    pub fn range(self) -> Range<usize> {
        self.first as usize..self.end as usize
    }
}

impl<Of> Clone for Span<Of> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Of> Copy for Span<Of> {}

impl<Of> PartialEq for Span<Of> {
    fn eq(&self, other: &Self) -> bool {
        (self.first, self.end) == (other.first, other.end)
    }
}

impl<Of> Eq for Span<Of> {}

impl<Of> fmt::Debug for Span<Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.end)
    }
}

impl<Of> fmt::Display for Span<Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl<Of> Encode for Span<Of> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.first, self.end).encode(encoder)
    }
}

impl<Of, Context> Decode<Context> for Span<Of> {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (first, end) = Decode::decode(decoder)?;
        Self::new(first, end).ok_or(DecodeError::Other("empty span"))
    }
}

impl<'de, Of, Context> BorrowDecode<'de, Context> for Span<Of> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

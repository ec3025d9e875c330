//! Types that keep their rules on the wire: no bytes decode to a value that breaks one.

/// Decodes a struct field by field, in the order of its declaration, and refuses a value that its
/// `check` refuses. Encoding is derived; golden bytes and round trips hold the two together.
macro_rules! decode_checked {
    ($type:ident { $($field:ident),+ $(,)? }) => {
        impl<Context> bincode::Decode<Context> for $type {
            fn decode<D: bincode::de::Decoder<Context = Context>>(
                decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                let value = Self { $($field: bincode::Decode::decode(decoder)?),+ };
                value.check().map_err(bincode::error::DecodeError::Other)?;
                Ok(value)
            }
        }

        bincode::impl_borrow_decode!($type);
    };
}

/// The reason of the first rule that does not hold, if any.
pub(crate) fn all<const N: usize>(rules: [(bool, &'static str); N]) -> Result<(), &'static str> {
    rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, reason)| Err(reason))
}

pub(crate) use decode_checked;

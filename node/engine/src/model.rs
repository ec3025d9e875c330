//! Decoder families, each written once over `Backend`.

mod llama;

pub(crate) use llama::Llama;

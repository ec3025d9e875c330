//! Decoder families, each written once over `Backend`.

mod llama;

pub(crate) use llama::{LOGIT_ROWS_MAX, Llama, Source};

//! What makers and publishers say of devices and models: facts of `data/`, found by name.

mod device;
mod format;
mod lookup;
mod model;

pub use device::{DeviceFacts, device, devices};
pub use format::{Format, format, formats};
pub use lookup::{Unknown, nearest_name};
pub use model::{ModelFacts, model, models};

use serde::de::DeserializeOwned;

/// Reads a table that ships with the crate.
pub(crate) fn table<T: DeserializeOwned>(text: &str) -> Vec<T> {
    let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
    rows.collect::<Result<_, _>>().expect("a table that a test has read")
}

//! The node: actors that drive the mind, the HTTP API, the command line. Decides nothing.

pub mod config;
pub mod handle;
pub mod status;
pub mod store;

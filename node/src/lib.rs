//! The node: actors that drive the mind, the HTTP API, the command line. Decides nothing.

pub mod api;
pub mod cli;
pub mod client;
pub mod config;
pub mod demo;
pub mod driver;
pub mod fixed;
pub mod handle;
pub mod keys;
pub mod planner;
pub mod probe;
pub mod pump;
pub mod recorder;
pub mod start;
pub mod state;
pub mod status;
pub mod store;
pub mod sums;
pub mod text;
pub mod view;
pub mod wire;
pub mod worker;

//! The network as its users see it: real peers on this machine's loopback.

mod carrying;
mod crowds;
mod hostile;
mod meeting;
mod relayed;
mod support;
mod wishes;

//! A door into a swarm: a peer that stays where it is, so that newcomers have someone to ask.
//!
//! A door keeps the address book, tells nodes whether they can be reached, and relays between those
//! that cannot meet otherwise. It computes nothing and decides nothing; a swarm whose doors are
//! shut goes on, only nobody finds it. `hexswarm-bootstrap` is this library with a `main`, and so
//! is `hexswarm bootstrap`.

mod options;
mod report;
mod run;

pub use options::Options;
pub use run::run;

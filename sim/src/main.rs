//! The `hexswarm-sim` command.
fn main() {}

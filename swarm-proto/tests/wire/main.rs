//! What travels: its bytes, its rules, and what the bytes of a stranger can do.

mod golden;
mod hex;
mod hostile;
mod messages;
mod rules;
mod seeds;
mod structs;
mod version;

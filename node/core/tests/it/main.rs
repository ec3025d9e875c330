//! A few real nodes on a bench: no delays, no faults but those that a test asks for.

mod council;
mod lab;
mod large;
mod meeting;
mod plans;
mod record;
mod serving;

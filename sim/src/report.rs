//! What people look at: pictures, and a page that holds them.

mod chart;
mod page;

pub use chart::{Chart, Key, Series};
pub use page::{Grid, Section, page};

//! What people look at: pictures, and a page that holds them.

mod axis;
mod chart;
mod film;
mod forest;
mod page;
mod served;
mod sizes;
mod steps;

pub use chart::{Chart, Drawn, Key, Series};
pub use film::{Shown, show};
pub use forest::{Forest, Interval};
pub use page::{Grid, Section, page};
pub use served::{Runs, over_time, spreads, under_way};
pub use sizes::sizes;

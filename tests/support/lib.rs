//! Real swarms of real processes, for tests.
//!
//! The process tests are test targets of package `hexswarm`, so that cargo builds the binary they
//! start; each passes its path in here. Everything listens on the loopback interface, on ports
//! that the system chooses. Nothing sleeps for a result: every wait is for a condition, and ends
//! in a panic that shows the processes' logs if it never comes true.

mod course;
mod gossip;
mod history;
mod layout;
mod netns;
mod process;
mod room;
mod stream;
mod swarm;
mod times;
mod twin;

pub use course::{Course, Part};
pub use gossip::{Gossiped, Hearsay};
pub use history::{History, Witness};
pub use layout::{Layout, Share};
pub use netns::{Host, Lab, Nat};
pub use process::Process;
pub use room::Room;
pub use stream::{Events, token_ids};
pub use swarm::{Answer, Member, Swarm};
pub use times::Times;
pub use twin::Twin;

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// How long any condition may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `probe` gives something.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

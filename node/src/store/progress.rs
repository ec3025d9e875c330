//! What people see while bytes move, and how they end it.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use indicatif::{ProgressBar, ProgressStyle};

use super::StoreError;

/// A wish, from another thread, that work on the store end soon. It looks between two chunks.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Wishes it.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// An error once someone wished it.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.0.load(Ordering::Relaxed) { Err(StoreError::Stopped) } else { Ok(()) }
    }
}

/// Tells whoever watches, on stderr.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}"); // nobody there is no reason to fail
}

/// A bar of bytes on stderr, if that is a terminal.
pub(super) fn bar(bytes: u64, what: &str) -> ProgressBar {
    let style = "{msg:22} [{bar:28}] {bytes:>10} of {total_bytes:10} {bytes_per_sec:>12}";
    let style = ProgressStyle::with_template(style).expect("a sound template");
    ProgressBar::new(bytes).with_style(style.progress_chars("=> ")).with_message(what.to_owned())
}

/// Whether [`bar`] is seen.
pub(super) fn watched() -> bool {
    io::stderr().is_terminal()
}

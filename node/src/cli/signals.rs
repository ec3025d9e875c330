//! How a person or the system asks a process to end: Ctrl-C, SIGTERM, a terminal that closes.

use std::{future::pending, io};

use color_eyre::eyre::eyre;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::store::Stop;

/// Ears for those signals; what comes between two waits is not lost.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` under `nohup`, whose meaning is that a closed terminal does not matter.
    hangup: Option<Signal>,
}

impl Signals {
    /// From now on the signals are heard here and no longer end the process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        let hangup = (!hangup_is_ignored()).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }

    /// Runs `work` on a thread where it may block. A signal has it stop, and waits until it has:
    /// what it leaves behind it clears away itself.
    pub(crate) async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(Stop) -> color_eyre::Result<T> + Send + 'static,
    ) -> color_eyre::Result<T> {
        let stop = Stop::default();
        let handed = stop.clone();
        let mut task = tokio::task::spawn_blocking(move || work(handed));
        tokio::select! {
            outcome = &mut task => outcome?,
            () = self.next() => {
                stop.stop();
                task.await?.and(Err(eyre!("stopped")))
            }
        }
    }
}

/// Whether whoever started us has SIGHUP ignored; where the system does not say, no.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 != 0) // the lowest bit is signal 1
}

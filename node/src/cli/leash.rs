//! Standard input as a leash: a node ends with whoever holds the other end, however that one ends.

use std::{io::Read, thread};

use tokio::sync::mpsc;

/// What comes along a leash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pull {
    /// A byte: end once what runs has ended.
    Gentle,
    /// Nothing more, ever: end at once.
    Hard,
}

/// The node's end of it.
#[derive(Debug)]
pub(super) struct Leash {
    bytes: mpsc::Receiver<()>,
    /// Held if there is no leash, so that nothing ever comes.
    _loose: Option<mpsc::Sender<()>>,
}

impl Leash {
    /// Takes hold of standard input, if there is a leash. The thread that reads it may wait for
    /// ever, and ends with the process.
    pub(super) fn new(held: bool) -> std::io::Result<Self> {
        let (read, bytes) = mpsc::channel(1);
        if !held {
            return Ok(Self { bytes, _loose: Some(read) });
        }
        thread::Builder::new().name("leash".to_owned()).spawn(move || {
            let mut byte = [0];
            while std::io::stdin().read(&mut byte).is_ok_and(|bytes| bytes > 0) {
                // One that is not taken yet says all that another could.
                let _ = read.try_send(());
            }
        })?;
        Ok(Self { bytes, _loose: None })
    }

    /// Waits for a pull.
    pub(super) async fn pulled(&mut self) -> Pull {
        self.bytes.recv().await.map_or(Pull::Hard, |()| Pull::Gentle)
    }

    /// Waits for a hard one.
    pub(super) async fn pulled_hard(&mut self) {
        while self.pulled().await != Pull::Hard {}
    }
}

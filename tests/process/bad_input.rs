//! What a real node does with what it should not have been given: a clear error to whoever gave it,
//! and nothing lost for anyone else. What the API refuses in whichever words is tested over a
//! made-up mind, in `node/tests/api`.

#[path = "bad_input/clients.rs"]
mod clients;
#[path = "bad_input/files.rs"]
mod files;
#[path = "bad_input/settings.rs"]
mod settings;

use std::path::Path;

use swarm_engine::{Format, Shape, synth};
use swarm_tests::Room;

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");

/// A made-up model whose context is long enough for answers that take a while.
fn make(file: &Path) {
    let shape = Shape { context_max: 32_768, ..Shape::tiny() };
    synth(&shape, Format::F32, 1, file).expect("a model");
}

fn room() -> Room {
    Room::new(Path::new(BINARY), make)
}

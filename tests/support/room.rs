//! Single nodes, and nodes that must not start.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

use crate::{Member, PATIENCE, Process};

/// A folder for the states and logs of nodes that serve one model file.
#[derive(Debug)]
pub struct Room {
    binary: PathBuf,
    model: PathBuf,
    folder: TempDir,
}

impl Room {
    /// A room for nodes of `binary`; `make` puts the model where it is told to.
    pub fn new(binary: &Path, make: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let model = folder.path().join("made-up.gguf");
        make(&model);
        Self { binary: binary.to_owned(), model, folder }
    }

    /// A place in the room.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The model's file.
    pub fn model(&self) -> &Path {
        &self.model
    }

    /// The arguments of a node with its state in `state`; later ones win.
    pub fn arguments(&self, state: &str, more: &[&str]) -> Vec<String> {
        let state = self.path(state).display().to_string();
        let model = self.model.display().to_string();
        let mut arguments = vec!["node", "--json", "--no-mdns", "--state", &state];
        let mut put = |flag, value| {
            if !more.contains(&flag) {
                arguments.extend([flag, value]);
            }
        };
        put("--model", model.as_str());
        put("--listen", "/ip4/127.0.0.1/tcp/0");
        put("--api", "127.0.0.1:0");
        put("--device", "cpu:threads=1,memory=256MiB");
        arguments.extend(more);
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// Starts a node.
    pub async fn node(&self, state: &str, more: &[&str]) -> Member {
        let arguments = self.arguments(state, more);
        let (process, said) =
            Process::start(&self.binary, self.folder.path(), state, &arguments).await;
        let text = |key: &str| said[key].as_str().expect("a string").to_owned();
        Member { process, peer: text("peer"), api: text("api") }
    }

    /// What a process says that must end at once with exit code 1: one readable error on stderr.
    pub async fn refused(&self, arguments: &[String]) -> String {
        let output = Command::new(&self.binary)
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(PATIENCE, output).await;
        let output = output.unwrap_or_else(|_| panic!("it runs: {arguments:?}")).expect("output");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "nothing on stdout");
        let errors: Vec<_> = said.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "one error: {said}");
        for word in ["panicked", "backtrace", "RUST_", "Location:", "src/"] {
            assert!(!said.contains(word), "{word}: {said}");
        }
        said
    }
}

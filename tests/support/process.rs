//! One process of the binary under test.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::PATIENCE;

/// A running process, killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `binary` with `arguments`, and reads the one line of JSON it says it runs with.
    pub async fn start(
        binary: &Path,
        room: &Path,
        name: &str,
        arguments: &[String],
    ) -> (Self, Value) {
        let log = room.join(format!("{name}.log"));
        let mut child = Command::new(binary)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a log file"))
            .kill_on_drop(true)
            .spawn()
            .expect("the binary under test starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let process = Self { child, log };
        match timeout(PATIENCE, lines.next_line()).await {
            Ok(Ok(Some(line))) => {
                let value = serde_json::from_str(&line);
                let value = value.unwrap_or_else(|e| panic!("{name}: {e} in {line}"));
                (process, value)
            }
            other => panic!("{name} did not start ({other:?}):\n{}", process.said()),
        }
    }

    /// Bytes of memory that it has now.
    pub fn memory_bytes(&self) -> u64 {
        let id = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its size");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024
    }

    /// What it wrote to stderr.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it has written a line to stderr that has all of `parts` in it.
    pub async fn says(&self, parts: &[&str]) -> String {
        let begin = std::time::Instant::now();
        loop {
            let said = self.said();
            let has = |line: &&str| parts.iter().all(|part| line.contains(part));
            if let Some(line) = said.lines().find(has) {
                return line.to_owned();
            }
            assert!(begin.elapsed() < PATIENCE, "it never said {parts:?}:\n{said}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Sends it a signal, such as `KILL`, `STOP`, `CONT`, `INT`.
    pub fn signal(&self, signal: &str) {
        let Some(id) = self.child.id() else { return };
        let status = std::process::Command::new("kill")
            .args([format!("-{signal}"), id.to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success(), "kill -{signal} {id}");
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        timeout(PATIENCE, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("it does not end:\n{}", self.said()))
            .expect("a child of ours")
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }
}

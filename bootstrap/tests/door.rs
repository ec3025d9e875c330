//! The door's process: what it prints, and how it ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

struct Door {
    child: Child,
    out: BufReader<ChildStdout>,
    _state: tempfile::TempDir,
}

impl Door {
    fn open(flags: &[&str]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_hexswarm-bootstrap"))
            .args(["--listen", "/ip4/127.0.0.1/tcp/0", "--leash", "--state"])
            .arg(state.path())
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out, _state: state }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn errors(mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

#[test]
fn it_prints_an_address_to_join_and_ends_with_its_leash() {
    let mut door = Door::open(&[]);
    let line = door.line();
    assert!(line.starts_with("/ip4/127.0.0.1/tcp/") && line.contains("/p2p/12D3KooW"), "{line}");
    drop(door.child.stdin.take());
    assert!(door.child.wait().unwrap().success());
    assert_eq!(door.line(), "", "nothing else on stdout");
}

#[test]
fn json_is_one_object_and_sigterm_ends_it_well() {
    let mut door = Door::open(&["--json"]);
    let opened: serde_json::Value = serde_json::from_str(&door.line()).unwrap();
    let peer = opened["peer"].as_str().unwrap();
    assert!(opened["listen"][0].as_str().unwrap().ends_with(peer), "{opened}");
    for signal in ["-TERM", "-INT"] {
        let mut door = Door::open(&["--json"]);
        door.line();
        let pid = door.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        assert!(door.child.wait().unwrap().success(), "{signal}");
    }
    drop(door.child.stdin.take());
    assert!(door.child.wait().unwrap().success());
}

#[test]
fn a_port_in_use_is_an_error_that_says_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = format!("/ip4/127.0.0.1/tcp/{}", taken.local_addr().unwrap().port());
    let mut door = Door::open(&["--listen", &addr]);
    assert_eq!(door.child.wait().unwrap().code(), Some(1));
    let errors = door.errors();
    assert!(errors.contains(&addr) && errors.contains("listen elsewhere"), "{errors}");
}

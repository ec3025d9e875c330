//! `hexswarm plan --svg FILE`: a picture beside what is printed.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use roxmltree::Document;

/// Needs two machines; a name that XML must not take for its own.
const POOL: &str = "
[[machine]]
name = '<&\"attic'
gpu = \"RTX3090\"
count = 2
";

fn plan(pool: &Path, picture: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexswarm"));
    command.arg("plan").arg("--pool").arg(pool).arg("--svg").arg(picture);
    command.args(["--model", "llama-2-13b"]).args(more).output().unwrap()
}

#[test]
fn a_picture_comes_with_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let (pool, picture) = (folder.path().join("pool.toml"), folder.path().join("plan.svg"));
    fs::write(&pool, POOL).unwrap();
    let output = plan(&pool, &picture, &["--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = fs::read_to_string(&picture).unwrap();
    let drawn = Document::parse(&text).unwrap();
    let drawn = drawn.descendants().filter(|node| node.attribute("class") == Some("member"));
    let stages = document["pipelines"][0]["stages"].as_array().unwrap();
    let members = stages.iter().map(|stage| stage["members"].as_array().unwrap().len());
    assert_eq!(drawn.count(), members.sum::<usize>());
    assert!(text.contains("&lt;&amp;") && !text.contains("<&"), "{text}");

    fs::remove_file(&picture).unwrap();
    let output = plan(&pool, &picture, &[]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("layers 0-"));
    assert_eq!(fs::read_to_string(&picture).unwrap(), text, "the same plan is the same picture");
}

#[test]
fn a_picture_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let pool = folder.path().join("pool.toml");
    fs::write(&pool, POOL).unwrap();
    for more in [&["--json"][..], &[]] {
        let output = plan(&pool, &folder.path().join("no-such-folder/plan.svg"), more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("no-such-folder/plan.svg"), "{said}");
        assert!(output.stdout.is_empty());
    }
}

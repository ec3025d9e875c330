//! The JSON Schema of pool files takes what is read, and refuses what is refused.

use std::{fs, io, path::Path};

use jsonschema::Validator;
use serde_json::Value;
use swarm_scheduler::PoolFile;

/// The schema that ships, which `node/tests/schema.rs` holds to the types.
fn shipped() -> Validator {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let text = fs::read_to_string(docs.join("schema/pool.schema.json")).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn value(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
}

#[test]
fn the_pools_that_ship_are_valid() {
    let schema = shipped();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let pools = fs::read_dir(docs.join("pools")).unwrap().map(|entry| entry.unwrap().path());
    let pools = pools.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let all: Vec<_> = pools.chain([docs.join("pool.toml")]).collect();
    assert!(all.len() > 12, "{all:?}");
    for path in all {
        let pool = value(&fs::read_to_string(&path).unwrap());
        let wrong: Vec<_> = schema.iter_errors(&pool).map(|error| error.to_string()).collect();
        assert_eq!(wrong, Vec::<String>::new(), "{}", path.display());
    }
}

/// Both must say the same.
fn judged(schema: &Validator, text: &str, good: bool) {
    let none = |_: &str| Err(io::ErrorKind::NotFound.into());
    let read = PoolFile::parse(text, &none).map(drop);
    assert_eq!(read.is_ok(), good, "read: {text}: {read:?}");
    assert_eq!(schema.is_valid(&value(text)), good, "the schema: {text}");
}

#[test]
fn the_schema_and_the_reader_agree() {
    let schema = shipped();
    let figures = "bandwidth_gb_s = 1\ntflop_s = 0.5";
    for (machine, good) in [
        ("gpu = \"t4\"", true),
        ("gpu = \"T4\"\ngpus = 64", true),
        ("gpu = \"T4\"\ngpus = 65", false),
        ("gpu = \"T4\"\ngpus = 0", false),
        ("gpu = \"T4\"\ngpus = 1.5", false),
        ("gpu = \"T4\"\ncount = 10000", true),
        ("gpu = \"T4\"\ncount = 10001", false),
        ("gpu = \"T4\"\ncount = -1", false),
        ("gpu = \"T4\"\nprice_usd_h = 0", false),
        ("gpu = \"T4\"\ntflop_s = 1e10", false),
        ("gpu = \"T4\"\ncuont = 2", false),
        ("gpu = 4", false),
        ("region = \"x\"", false),
        ("memory = [\"8GiB\", \"512 MiB\", \"1.5g\", \".5TB\", \"16000000000\"]", true),
        ("memory = [\"16\"]", false),
        ("memory = [\"512KiB\"]", false),
        ("gpu = \"T4\"\ngpus = 2\nmemory = [\"32GiB\", \"32GiB\"]", true),
        ("memory = []", false),
        ("memory = [\"8 gigs\"]", false),
        ("memory = [\"-8GiB\"]", false),
        ("memory = [8]", false),
    ] {
        let figures = if machine.contains("memory") { figures } else { "" };
        judged(&schema, &format!("[[machine]]\n{machine}\n{figures}"), good);
    }
    let t4 = "[[machine]]\ngpu = \"T4\"";
    for (more, good) in [
        ("about = \"x\"\nsource = \"y\"\nchecked = \"z\"\nprice_usd_h = 0.5", true),
        ("stage_tensor_parallel = [4, 2, 2]\ntest_layers = 512", true),
        ("stage_tensor_parallel = [65]", false),
        ("test_layers = 0", false),
        ("test_layers = 513", false),
        ("unheard = 1", false),
        ("network = 1", false),
        ("[network]\ninside_latency_sd_ms = 0\nbetween_bandwidth_sd_gbit_s = 0.1", true),
        ("[network]\ninside_latency_ms = -1", false),
        ("[network]\ngbit_s = 0", false),
        ("[network]\nlink_min_gbit_s = 1\nlink_max_gbit_s = 2", true),
        ("[network]\nlink_min_gbit_s = 1", false),
        ("[network]\nlatency = 1", false),
    ] {
        judged(&schema, &format!("{more}\n{t4}"), good);
    }
    for (ends, good) in [
        ("regions = [\"a\", \"b\"]", true),
        ("from = \"a\"\nto = \"b\"", true),
        ("from = \"a\"", false),
        ("regions = [\"a\", \"b\"]\nto = \"b\"", false),
        ("regions = [\"a\", \"b\", \"c\"]", false),
        ("regions = [\"a\", \"b\"]\nrtt_ms = 1", false),
    ] {
        let link = "[[network.between]]\nlatency_ms = 1\nbandwidth_gbit_s = 0";
        judged(&schema, &format!("{link}\n{ends}\n{t4}"), good);
    }
}

#[test]
fn no_machine_is_no_pool() {
    let schema = shipped();
    for text in ["", "machine = []", "[[machine]]\ngpu = \"T4\"\ncount = 0"] {
        judged(&schema, text, false);
    }
    judged(&schema, "[[machine]]\ngpu = \"T4\"\ncount = 0\n[[machine]]\ngpu = \"T4\"", true);
}

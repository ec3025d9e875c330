//! Pool files: those that ship are what they say, and what cannot be is refused by name.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use swarm_scheduler::{
    Ask, Objective, Planner, PoolError, PoolFile, ProposedStage, Rules, Workload, catalogue, lack,
    propose,
};

fn pools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pools")
}

/// A pool file that names no other.
fn alone(name: &str) -> io::Result<String> {
    fs::read_to_string(name)
}

fn read(path: &Path) -> PoolFile {
    let folder = path.parent().unwrap();
    let other = |name: &str| fs::read_to_string(folder.join(name));
    PoolFile::parse(&fs::read_to_string(path).unwrap(), &other).unwrap()
}

fn devices(pool: &PoolFile) -> usize {
    pool.machines.iter().map(|machine| machine.devices.len()).sum()
}

fn refused(text: &str) -> String {
    PoolFile::parse(text, &alone).map(|pool| pool.name).unwrap_err().to_string()
}

#[test]
fn what_is_odd_in_a_file_is_noted_and_its_own_memory_counts() {
    let t4 = "[[machine]]\ngpu = \"T4\"\nname = \"attic\"\n";
    let text = format!("{t4}memory = [\"32GiB\", \"20GiB\"]\n{t4}{t4}count = 0");
    let mut pool = PoolFile::parse(&text, &alone).unwrap();
    let noted = |words: &str| pool.notes.iter().any(|note| note.contains(words));
    assert!(noted("several groups are called attic") && noted("count = 0"), "{:?}", pool.notes);
    let memory: Vec<u64> = pool.machines[0].devices.iter().map(|d| d.memory_bytes >> 30).collect();
    assert_eq!(memory, [32, 20]);
    assert_eq!(pool.named("Attic").unwrap(), [0, 1]);
    assert_eq!(pool.named("attic-1").unwrap(), [1]);
    pool.leave_out("attic").unwrap();
    assert!(pool.machines.iter().flat_map(|m| &m.devices).all(|device| device.memory_bytes == 0));
    assert!(refused(&format!("{t4}gpus = 3\nmemory = [\"8GiB\"]")).contains("1 devices"));
}

#[test]
fn the_pools_that_ship_have_the_devices_that_they_say() {
    for (name, count) in [
        ("dtfm_world64", 64),
        ("helix_geo24", 24),
        ("helix_high42", 64),
        ("helix_single24", 24),
        ("hexgen3_hetero24", 24),
        ("hexgen3_mixed5", 5),
        ("hexgen_asymmetric8", 8),
        ("hexgen_full58", 58),
        ("hexgen_half30", 30),
        ("hexgen_homogeneous", 16),
        ("parallax_a", 6),
        ("parallax_b", 5),
        ("petals_real14", 14),
    ] {
        let pool = read(&pools().join(format!("{name}.toml")));
        assert_eq!(devices(&pool), count, "{name}");
        let mut names: Vec<_> = pool.machines.iter().map(|machine| &machine.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), pool.machines.len(), "{name}: each machine has a name of its own");
    }
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let machine = "[[machine]]\ngpu = \"T4\"\n";
    for (text, words) in [
        ("", "no machine"),
        ("[[machine]]\ngpu = \"T4\"\ngpus = 0", "gpus = 0"),
        ("[[machine]]\ngpu = \"T4\"\ncuont = 2", "did you mean `count`"),
        ("[[machine]]\ngpu = \"T44\"", "did you mean T4"),
        ("[[machine]]\ngpu = \"T4\"\ncount = 10001", "10001 machines"),
        ("[[machine]]\ngpu = \"T4\"\ncount = 18446744073709551615", "18446744073709551615"),
        ("[[machine]]\ngpu = \"T4\"\ngpus = 64\ncount = 1000", "10000 devices"),
        ("[[machine]]\nregion = \"x\"", "needs `gpu`, or"),
        ("[[machine]]\nmemory = [\"many\"]\nbandwidth_gb_s = 1\ntflop_s = 1", "512MiB"),
        ("[[machine]]\nmemory = [\"1GiB\"]\nbandwidth_gb_s = nan\ntflop_s = 1", "bandwidth_gb_s"),
        ("[[machine]]\nmemory = [\"1GiB\"]\nbandwidth_gb_s = -3\ntflop_s = 1", "not above 0"),
        ("[[machine]]\nmemory = [\"1GiB\"]\nbandwidth_gb_s = 1e300\ntflop_s = 1", "too much"),
        ("test_layers = 0\n[[machine]]\ngpu = \"T4\"", "test_layers"),
        ("name = 3", "name"),
        ("[network", "line 1"),
    ] {
        let why = refused(text);
        assert!(why.contains(words), "{text}: {why}");
    }
    for (network, words) in [
        ("inside_latency_ms = -1", "inside_latency_ms = -1"),
        ("inside_bandwidth_gbit_s = 0", "inside_bandwidth_gbit_s = 0"),
        ("link_min_gbit_s = 1", "go together"),
        ("link_min_gbit_s = 2\nlink_max_gbit_s = 1", "more than link_max"),
        ("matrix = \"/nowhere.csv\"", "/nowhere.csv"),
        ("betwen_latency_ms = 3", "between_latency_ms"),
        ("[[network.between]]\nlatency_ms = 1\nbandwidth_gbit_s = 1", "needs `regions"),
    ] {
        let why = refused(&format!("{machine}[network]\n{network}"));
        assert!(why.contains(words), "{network}: {why}");
    }
}

#[test]
fn directions_and_missing_links_are_kept() {
    let text = "[network]\n[[network.between]]\nfrom = \"a\"\nto = \"b\"\nlatency_ms = 5\n\
        bandwidth_gbit_s = 1\n[[machine]]\ngpu = \"RTX3090\"\ngpus = 2\nregion = \"a\"\n\
        [[machine]]\ngpu = \"RTX3090\"\ngpus = 2\nregion = \"b\"\n";
    let pool = PoolFile::parse(text, &alone).unwrap();
    let workload = Workload { input_tokens: 8, output_tokens: 8, requests_per_s: None };
    let ask = Ask { planner: Planner::Default, objective: Objective::Throughput, seed: 1 };
    let stages = |token_return| {
        let facts = catalogue::model("llama-2-13b").unwrap();
        let model = facts.model(catalogue::format("fp32").unwrap());
        let rules = Rules { token_return, ..Rules::fitted() };
        propose(&pool.ground(model, rules, workload), &ask)
            .map(|found| found.pipelines[0].stages.len())
    };
    // 52 GB need all four cards, one way; tokens have no way back.
    assert!(stages(false).is_some_and(|stages| stages > 1));
    assert_eq!(stages(true), None);
}

#[test]
fn what_is_missing_is_said() {
    let pool = PoolFile::parse("[[machine]]\ngpu = \"T4\"\n", &alone).unwrap();
    let model = catalogue::model("llama-2-70b").unwrap();
    let model = model.model(catalogue::format("fp16").unwrap());
    let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
    let ground = pool.ground(model, Rules::fitted(), workload);
    let ask = Ask { planner: Planner::Default, objective: Objective::Throughput, seed: 1 };
    assert_eq!(propose(&ground, &ask), None);
    let why = lack(&ground, |spot| ground.name(spot).to_owned());
    assert!(why.contains("GiB of memory are missing") && why.contains("T4"), "{why}");
}

#[test]
fn ten_thousand_devices_are_read() {
    let text = "[[machine]]\ngpu = \"T4\"\ngpus = 8\ncount = 1250\n";
    assert_eq!(devices(&PoolFile::parse(text, &alone).unwrap()), 10_000);
}

proptest! {
    #[test]
    fn no_text_does_harm(text in ".{0,200}", figure in any::<f64>(), count in any::<i64>()) {
        drop(PoolFile::parse(&text, &alone));
        let text = format!(
            "[network]\nrtt_ms = {figure:?}\ngbit_s = {figure:?}\n[[machine]]\ncount = {count}\n\
             memory = [\"1GiB\"]\nbandwidth_gb_s = {figure:?}\ntflop_s = {figure:?}\n"
        );
        match PoolFile::parse(&text, &alone) {
            Ok(pool) => prop_assert!(pool.machines.len() <= 10_000),
            Err(PoolError::Toml(_) | PoolError::Value { .. } | PoolError::Other(_)) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

/// Under the same objective, simulated workload and seed.
#[test]
fn the_default_planner_is_never_below_a_baseline() {
    let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
    let model = catalogue::model("llama-2-70b").unwrap();
    let model = model.model(catalogue::format("fp16").unwrap());
    for name in ["hexgen_full58", "hexgen_half30", "helix_single24", "helix_geo24"] {
        let pool = read(&pools().join(format!("{name}.toml")));
        let ground = pool.ground(model.clone(), Rules::exact(), workload);
        for (objective, seeds) in
            [(Objective::Throughput, 3), (Objective::Slo { deadline_ms: 7_230.0 }, 2)]
        {
            for seed in 1..=seeds {
                let served = |planner| {
                    let found = propose(&ground, &Ask { planner, objective, seed });
                    found.map_or(0.0, |found| found.requests_per_s)
                };
                let ours = served(Planner::Default);
                for baseline in [Planner::Hexgen, Planner::HexgenRandom, Planner::HexgenInitial] {
                    let theirs = served(baseline);
                    assert!(
                        ours >= theirs,
                        "{name}, {objective:?}, {seed}: {baseline:?} {theirs} > {ours}"
                    );
                }
            }
        }
    }
}

fn planned(text: &str, objective: Objective, rate: Option<f64>) -> f64 {
    let pool = PoolFile::parse(text, &alone).unwrap();
    let model = catalogue::model("Llama-2-13b").unwrap().model(catalogue::format("fp16").unwrap());
    let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: rate };
    let ground = pool.ground(model, Rules::fitted(), workload);
    let ask = Ask { planner: Planner::Default, objective, seed: 0 };
    let found = propose(&ground, &ask).unwrap();
    found.routes.iter().map(|route| route.requests_per_s).sum()
}

/// A figure of the owner's counts in place of the catalogue's, also where a fit goes by the card.
#[test]
fn own_figures_take_the_place_of_the_catalogues() {
    let card = |own: &str| {
        let text = format!("[[machine]]\ngpu = \"A100-PCIe-80GB\"\n{own}\n");
        planned(&text, Objective::Throughput, None)
    };
    let (usual, same) = (card(""), card("bandwidth_gb_s = 1935"));
    assert!((same / usual - 1.0).abs() < 0.01, "{same} for {usual}");
    assert!(card("bandwidth_gb_s = 100") < usual / 2.0);
    assert!(card("tflop_s = 1") < usual / 2.0);
}

/// Where no request is in time, whoever plans, the plan is one that serves much.
#[test]
fn a_rate_that_cannot_be_met_is_served_as_well_as_can_be() {
    let pool = read(&pools().join("hexgen_half30.toml"));
    let model = catalogue::model("Llama-2-70b").unwrap().model(catalogue::format("fp16").unwrap());
    let planned = |requests_per_s| {
        let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s };
        let ground = pool.ground(model.clone(), Rules::fitted(), workload);
        let objective = Objective::Slo { deadline_ms: 7_229.0 };
        propose(&ground, &Ask { planner: Planner::Default, objective, seed: 0 }).unwrap()
    };
    let (can, cannot) = (planned(None), planned(Some(100.0)));
    assert!(cannot.requests_per_s > can.requests_per_s, "{}", cannot.requests_per_s);
}

#[test]
fn regions_that_a_list_leaves_out_are_told() {
    let text = "[[machine]]\ngpu = \"T4\"\nregion = \"a\"\n[[machine]]\ngpu = \"T4\"\nregion = \"b\"\n\
                [[network.between]]\nregions = [\"a\", \"c\"]\nlatency_ms = 1\nbandwidth_gbit_s = 1\n";
    let told = |text: &str| PoolFile::parse(text, &alone).unwrap().notes.join("; ");
    assert!(told(text).contains("no link is listed between a and b"), "{}", told(text));
    let zero =
        text.replace("\"c\"]", "\"b\"]").replace("bandwidth_gbit_s = 1", "bandwidth_gbit_s = 0");
    assert!(!told(&zero).contains("no link is listed"), "said to have none: {}", told(&zero));
}

/// However slow a link, and however far.
#[test]
fn no_plan_promises_more_than_links_carry_or_memory_keeps() {
    let model = catalogue::model("Llama-2-70b").unwrap();
    let model = model.model(catalogue::format("fp16").unwrap());
    let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
    let bytes = f64::from(model.spec.hidden) * Rules::fitted().activation_bytes * (128.0 + 63.0);
    let mut rates = Vec::new();
    for (gbit_s, ms) in [(10.0, 1.0), (0.1, 1.0), (0.001, 1.0), (10.0, 1e4)] {
        let text = format!(
            "[[machine]]\ngpu = \"A6000\"\ngpus = 2\ncount = 2\nregion = \"a\"\n\
             [[machine]]\ngpu = \"A6000\"\ngpus = 2\nregion = \"b\"\n\
             [network]\ninside_bandwidth_gbit_s = {gbit_s}\ninside_latency_ms = {ms}\n\
             between_bandwidth_gbit_s = {gbit_s}\nbetween_latency_ms = {ms}\n"
        );
        let pool = PoolFile::parse(&text, &alone).unwrap();
        let ground = pool.ground(model.clone(), Rules::fitted(), workload);
        for planner in [Planner::Default, Planner::Petals, Planner::Symmetric, Planner::Parallax] {
            let ask = Ask { planner, objective: Objective::Throughput, seed: 1 };
            let found = propose(&ground, &ask).unwrap();
            let mut sent = BTreeMap::new();
            for pipeline in &found.pipelines {
                let machine = |stage: &ProposedStage| stage.members[0].spot / 2;
                let hops = pipeline.stages.windows(2).map(|w| (machine(&w[0]), machine(&w[1])));
                for hop in hops.filter(|(from, to)| from != to) {
                    *sent.entry(hop).or_insert(0.0) += pipeline.requests_per_s * bytes;
                }
                let room = pipeline.batch as usize * pipeline.stages.len().next_power_of_two();
                let under_way = pipeline.requests_per_s * pipeline.latency_ms / 1e3;
                assert!(under_way <= room as f64 * 1.000_001, "{planner:?}: {under_way}, {room}");
            }
            let most = sent.values().copied().fold(0.0, f64::max);
            assert!(most > 0.0 && most <= gbit_s * 125e6 * 1.000_001, "{planner:?}: {most}");
            if planner == Planner::Default {
                rates.push(found.requests_per_s);
            }
        }
    }
    assert!(rates[0] > 2.0 * rates[2] && rates[0] > 2.0 * rates[3], "{rates:?}");
}

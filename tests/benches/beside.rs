//! The same sessions in a live swarm and in a simulated one: what each takes to the first token and
//! for each token after it.
//!
//! `cargo bench -p hexswarm --bench beside [-- --json] [--repetitions 5]`
//!
//! Each repetition starts a swarm of processes with one thread each, asks it one thing after the
//! other, and takes from its records how long batches and ways took; starts another, asks it other
//! prompts of the same lengths, which is what is measured; and asks a simulated swarm with the first
//! one's times the second one's requests. So what the simulator is told is never of the run that it is
//! held to. Both are timed at the entry's core: neither HTTP nor the tokenizer is in it.

use std::path::{Path, PathBuf};

use clap::Parser;
use comfy_table::{Table, presets};
use hexswarm_sim::replay::Led;
use serde_json::{Value, json};
use swarm_core::Config;
use swarm_tests::{History, Layout, Share, Swarm, Times, Twin};

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");
/// Sessions of a run, one after the other, and tokens of each.
const SESSIONS: usize = 4;
const PROMPT_TOKENS: u32 = 96;
const ANSWER_TOKENS: u32 = 48;
/// How many members, and what each offers: too little for the whole model.
const SWARMS: [(usize, &str); 2] =
    [(2, "cpu:threads=1,memory=110MB"), (3, "cpu:threads=1,memory=80MB")];

/// A live swarm beside a simulated one.
#[derive(Debug, Parser)]
struct Options {
    /// How often each is run, in turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=100))]
    repetitions: u8,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// The medians of a run.
#[derive(Clone, Copy, Debug)]
struct Figures {
    ttft_ms: f64,
    tpot_ms: f64,
}

/// One repetition: what was measured, and what the simulator made of it.
struct Pair {
    live: Figures,
    simulated: Figures,
    times: Times,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let model = model();
    let mut pairs: [Vec<Pair>; SWARMS.len()] = Default::default();
    for repetition in 0..options.repetitions {
        for ((members, device), pairs) in SWARMS.into_iter().zip(&mut pairs) {
            eprintln!(
                "repetition {} of {}, {members} members",
                repetition + 1,
                options.repetitions
            );
            pairs.push(repeat(&model, members, device, repetition).await);
        }
    }
    if options.json {
        println!("{}", document(&pairs));
    } else {
        print(&pairs);
    }
}

fn model() -> PathBuf {
    let output = std::process::Command::new(BINARY).args(["model", "pull"]).output();
    let output = output.expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim())
}

async fn repeat(model: &Path, members: usize, device: &str, repetition: u8) -> Pair {
    let salt = 2 * u32::from(repetition);
    let (profile, config) = run(model, members, device, salt).await;
    let times = Times::of(&profile, 4 * u64::from(config.model.hidden));
    let (live, config) = run(model, members, device, salt + 1).await;
    let led = live.led();
    let mut asks = live.asks();
    for (ask, led) in asks.iter_mut().zip(&led) {
        // A model may end an answer early; simulated devices would go on.
        ask.answer_tokens_max = led.tokens as u32;
    }
    let twin = Twin::of(&live, &config).timed(&live, &times);
    let simulated = Figures::of(&twin.ask(&asks, u64::from(repetition)).led());
    Pair { live: Figures::of(&led), simulated, times }
}

/// Starts a swarm whose members hold as many layers each, and asks it. Prompts of another salt are
/// others.
async fn run(model: &Path, members: usize, device: &str, salt: u32) -> (History, Config) {
    let layers = |stage: usize| (30 * stage / members) as u32;
    let whole = |node| vec![Share { node, device: 0, kv_heads: (0, 3), ffn_columns: (0, 1536) }];
    let stages = (0..members).map(|stage| ((layers(stage), layers(stage + 1)), whole(stage)));
    let layout = Layout(stages.collect());
    let devices = vec![[device]; members];
    let devices: Vec<&[&str]> = devices.iter().map(|one| &one[..]).collect();
    let mut swarm = Swarm::recorded(Path::new(BINARY), model, &devices, Some(&layout)).await;
    for session in 0..SESSIONS as u32 {
        let token = |at| 500 + (at + 131 * (salt * SESSIONS as u32 + session)) * 997 % 40_000;
        let prompt: Vec<u32> = (0..PROMPT_TOKENS).map(token).collect();
        swarm.ask(&swarm.entry.api, &json!(prompt), ANSWER_TOKENS).await;
    }
    swarm.stop().await;
    History::recorded(&swarm)
}

fn middle(figures: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = figures.collect();
    all.sort_by(f64::total_cmp);
    let half = all.len() / 2;
    match all.len() % 2 {
        _ if all.is_empty() => f64::NAN,
        0 => (all[half - 1] + all[half]) / 2.0,
        _ => all[half],
    }
}

impl Figures {
    fn of(led: &[Led]) -> Self {
        let ms = |span: std::time::Duration| span.as_secs_f64() * 1e3;
        Self {
            ttft_ms: middle(led.iter().filter_map(Led::ttft).map(ms)),
            tpot_ms: middle(led.iter().filter_map(Led::tpot).map(ms)),
        }
    }
}

/// A figure over all repetitions.
struct Row {
    members: usize,
    figure: &'static str,
    live_ms: f64,
    simulated_ms: f64,
    /// Simulated over live: of the medians, and the least and the most of one repetition.
    ratio: f64,
    least: f64,
    most: f64,
}

/// One of a run's figures.
type Figure = (&'static str, fn(&Figures) -> f64);
const FIGURES: [Figure; 2] = [("ttft_ms", |of| of.ttft_ms), ("tpot_ms", |of| of.tpot_ms)];

fn rows(pairs: &[Vec<Pair>]) -> Vec<Row> {
    let row = |members: usize, pairs: &[Pair], (figure, of): Figure| {
        let live_ms = middle(pairs.iter().map(|pair| of(&pair.live)));
        let simulated_ms = middle(pairs.iter().map(|pair| of(&pair.simulated)));
        let ratios = || pairs.iter().map(|pair| of(&pair.simulated) / of(&pair.live));
        let least = ratios().fold(f64::INFINITY, f64::min);
        let most = ratios().fold(f64::NEG_INFINITY, f64::max);
        Row { members, figure, live_ms, simulated_ms, ratio: simulated_ms / live_ms, least, most }
    };
    let swarms = SWARMS.iter().zip(pairs);
    let rows = swarms.flat_map(|((members, _), pairs)| FIGURES.map(|of| row(*members, pairs, of)));
    rows.collect()
}

/// What this was measured on: the processor, how many threads it has, and how many wanted one in the
/// last quarter of an hour.
fn machine() -> (String, usize, f64) {
    let system = sysinfo::System::new_all();
    let cpus = system.as_ref().map(sysinfo::System::cpus).unwrap_or_default();
    let name = cpus.first().map(|cpu| cpu.brand().trim().to_owned()).unwrap_or_default();
    let load = sysinfo::System::load_average().map(|load| load.fifteen).unwrap_or_default();
    (name, cpus.len(), load)
}

fn print(pairs: &[Vec<Pair>]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_FULL_CONDENSED);
    table.set_header(["members", "figure", "live", "simulated", "ratio", "of one repetition"]);
    for Row { members, figure, live_ms, simulated_ms, ratio, least, most } in rows(pairs) {
        table.add_row([
            members.to_string(),
            figure.to_owned(),
            format!("{live_ms:.1}"),
            format!("{simulated_ms:.1}"),
            format!("{ratio:.2}"),
            format!("{least:.2} to {most:.2}"),
        ]);
    }
    println!("{table}");
    let (name, threads, load) = machine();
    println!(
        "smollm2-135m, {SESSIONS} sessions a run one after the other, {PROMPT_TOKENS} tokens in, \
         {ANSWER_TOKENS} out, medians of {} repetitions; {name}, {threads} threads, load {load:.1}",
        pairs[0].len()
    );
}

fn document(pairs: &[Vec<Pair>]) -> Value {
    let (name, threads, load) = machine();
    let figures = rows(pairs).into_iter().map(|row| {
        let Row { members, figure, live_ms, simulated_ms, ratio, least, most } = row;
        json!({ "members": members, "figure": figure, "live": live_ms, "simulated": simulated_ms,
            "ratio": ratio, "ratio_least": least, "ratio_most": most })
    });
    let figures: Vec<_> = figures.collect();
    let said = |of: Figures| json!({ "ttft_ms": of.ttft_ms, "tpot_ms": of.tpot_ms });
    let swarms = SWARMS.iter().zip(pairs).flat_map(|((members, _), pairs)| {
        pairs.iter().map(move |Pair { live, simulated, times }| {
            json!({ "members": members, "live": said(*live), "simulated": said(*simulated),
                "entry_way_ms": times.entry_way.as_secs_f64() * 1e3,
                "ring_way_ms": times.ring_way.as_secs_f64() * 1e3,
                "bytes_per_s": times.bytes_per_s })
        })
    });
    let repetitions: Vec<_> = swarms.collect();
    json!({ "model": "smollm2-135m", "machine": { "processor": name, "threads": threads,
        "load_15_min": load }, "sessions": SESSIONS, "prompt_tokens": PROMPT_TOKENS,
        "answer_tokens": ANSWER_TOKENS, "figures": figures, "repetitions": repetitions })
}

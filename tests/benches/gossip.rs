//! Gossip of adverts in a live swarm and in a simulated one.
//!
//! `cargo bench -p hexswarm --bench gossip [-- --nodes 3,8,20] [--seconds 60] [--json]`
//!
//! Starts swarms of so many processes without devices on this machine, lets them talk, and counts
//! what nodes tell of gossip and what their records say of adverts; then has as many simulated nodes
//! say as much, as far from each other as the live ones measured. A delay is from the core that
//! publishes to the core that hears; clocks of two nodes are compared by ways there and back.

use std::{path::Path, time::Duration};

use clap::Parser;
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use swarm_tests::Gossiped;

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");
/// Simulated swarms beside each live one: who is in whose mesh is drawn.
const SEEDS: u64 = 10;
/// A live swarm, and simulated ones.
type Beside = (Gossiped, Vec<Gossiped>);

/// Gossip in live swarms beside simulated ones.
#[derive(Debug, Parser)]
struct Options {
    /// How many nodes each swarm has
    #[arg(long, value_delimiter = ',', default_value = "3,8,20",
        value_parser = clap::value_parser!(u8).range(2..=60))]
    nodes: Vec<u8>,
    /// How long each is looked at
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(5..=3600))]
    seconds: u16,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// One of a swarm's figures.
type Figure = (&'static str, fn(&Gossiped) -> f64);

const FIGURES: [Figure; 11] = [
    ("adverts_per_s", |of| per_s(of, of.adverts as f64)),
    ("heard_by_others", |of| of.copies.iter().sum::<usize>() as f64 / of.adverts as f64),
    ("mesh_peers", |of| of.mean(|counts| counts.mesh_peers)),
    ("duplicates", Gossiped::duplicates),
    ("asked", |of| of.mean(|counts| counts.asked) / of.adverts as f64),
    ("advert_bytes", |of| {
        of.mean(|counts| counts.received_bytes) / of.mean(|counts| counts.received)
    }),
    ("received_per_advert", |of| of.mean(|counts| counts.received) / of.adverts as f64),
    ("received_per_s", |of| per_s(of, of.mean(|counts| counts.received))),
    ("received_bytes_per_s", |of| per_s(of, of.mean(|counts| counts.received_bytes))),
    ("delay_p50_ms", |of| of.delay_ms(0.5)),
    ("delay_p99_ms", |of| of.delay_ms(0.99)),
];

fn per_s(of: &Gossiped, count: f64) -> f64 {
    count / of.span.as_secs_f64()
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let mut swarms: Vec<Beside> = Vec::new();
    for nodes in &options.nodes {
        eprintln!("{nodes} nodes, {} s", options.seconds);
        let span = Duration::from_secs(u64::from(options.seconds));
        let live = Gossiped::live(Path::new(BINARY), usize::from(*nodes), span).await;
        let simulated = (0..SEEDS).map(|seed| Gossiped::simulated(&live, seed)).collect();
        swarms.push((live, simulated));
    }
    if options.json {
        println!("{}", document(&swarms));
    } else {
        print(&swarms);
    }
}

/// A figure of a live swarm; of simulated ones, the mean, the least and the most.
struct Row {
    figure: &'static str,
    live: f64,
    simulated: f64,
    least: f64,
    most: f64,
}

fn rows((live, simulated): &Beside) -> Vec<Row> {
    let row = |(figure, of): Figure| {
        let all = || simulated.iter().map(of);
        Row {
            figure,
            live: of(live),
            simulated: all().sum::<f64>() / simulated.len() as f64,
            least: all().fold(f64::INFINITY, f64::min),
            most: all().fold(f64::NEG_INFINITY, f64::max),
        }
    };
    FIGURES.map(row).into()
}

fn print(swarms: &[Beside]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_FULL_CONDENSED);
    table.set_header(["nodes", "figure", "live", "simulated", "ratio", "of one seed"]);
    for beside in swarms {
        for Row { figure, live, simulated, least, most } in rows(beside) {
            let ratio = simulated / live;
            table.add_row([
                beside.0.counts.len().to_string(),
                figure.to_owned(),
                format!("{live:.2}"),
                format!("{simulated:.2}"),
                if ratio.is_finite() { format!("{ratio:.2}") } else { "-".to_owned() },
                format!("{least:.2} to {most:.2}"),
            ]);
        }
    }
    println!("{table}");
    for (live, _) in swarms {
        let (nodes, seconds) = (live.counts.len(), live.span.as_secs());
        let (rtt_ms, spread_ms) = (live.rtt_ms, live.rtt_spread_ms);
        println!("{nodes} nodes: {seconds} s, round trips of {rtt_ms:.2} ms, +- {spread_ms:.2}");
    }
}

fn document(swarms: &[Beside]) -> Value {
    let swarm = |beside: &Beside| {
        let figures = rows(beside).into_iter().map(|row| {
            let Row { figure, live, simulated, least, most } = row;
            json!({ "figure": figure, "live": live, "simulated": simulated,
                "ratio": simulated / live, "least": least, "most": most })
        });
        let live = &beside.0;
        json!({ "nodes": live.counts.len(), "seconds": live.span.as_secs_f64(),
            "rtt_ms": live.rtt_ms, "rtt_spread_ms": live.rtt_spread_ms,
            "figures": figures.collect::<Vec<_>>() })
    };
    json!({ "swarms": swarms.iter().map(swarm).collect::<Vec<_>>() })
}

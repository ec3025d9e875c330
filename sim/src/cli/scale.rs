//! `hexswarm-sim scale`: swarms of any size, at rest.

use std::{io::Write as _, path::PathBuf, time::Duration};

use clap::Args;
use color_eyre::eyre::WrapErr as _;
use hexswarm_sim::{
    Among, Scale, Scaled,
    report::{Section, sizes},
};
use serde_json::json;

use super::{html, outputs, print, sheet::Sheet};

/// Peers of a swarm at most: of more than this a node's number does not fit its id's place in a plan.
const PEERS_MAX: usize = 100_000;
const SECONDS_MAX: u64 = 86_400;

/// What is written of each size.
const HEADS: [&str; 30] = [
    "peers",
    "messages_per_s",
    "sent_bytes_per_s",
    "sent_bytes_per_s_p99",
    "sent_bytes_per_s_max",
    "received_bytes_per_s",
    "received_bytes_per_s_p99",
    "received_bytes_per_s_max",
    "voter_bytes_per_s_max",
    "probe_bytes_per_s",
    "probe_bytes_per_s_max",
    "neighbours",
    "neighbours_max",
    "entries_max",
    "churn_speed",
    "deaths",
    "noticed",
    "noticed_ms",
    "noticed_ms_max",
    "known_ms",
    "known_ms_max",
    "live_ms",
    "replanned_ms",
    "elected_ms",
    "agreed_ms",
    "events",
    "busy_s",
    "planning_s",
    "wall_s",
    "memory_peak_bytes",
];

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm-sim scale
      What it costs to be one of 10, 100, 1,000 and 10,000
  hexswarm-sim scale --peers 1000 --seconds 30
      One size, for half a minute
  hexswarm-sim scale --peers 100,1000 --csv scale.csv --pictures .
      For plots of one's own, and ours

Exit codes: 0 all clean, 1 something did not hold, 2 wrong usage")]
pub(crate) struct Cli {
    /// Sizes of swarms
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1_000, 10_000], value_parser = peers)]
    peers: Vec<usize>,
    /// How long each is looked at, in simulated seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    seconds: u64,
    /// What all that is drawn is drawn by
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Write a line a size to this file too
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write a page with the table and pictures
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the pictures to this folder too: scale-bytes.svg, scale-messages.svg, scale-times.svg
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
}

fn peers(text: &str) -> Result<usize, String> {
    let peers: Option<usize> = text.parse().ok().filter(|peers| (4..=PEERS_MAX).contains(peers));
    peers.ok_or_else(|| format!("write sizes from 4 to {PEERS_MAX}, as 10,100,1000"))
}

impl Cli {
    /// Lets them live. Whether all was clean.
    pub(super) fn play(self) -> color_eyre::Result<bool> {
        outputs::apart([], [&self.csv, &self.html])?;
        outputs::create(self.html.as_deref())?;
        if let Some(folder) = &self.pictures {
            std::fs::create_dir_all(folder)
                .wrap_err_with(|| format!("there cannot be a folder {}", folder.display()))?;
        }
        let mut sheet = Sheet::create(self.csv.as_deref(), HEADS)?;
        let mut rows = Vec::new();
        for peers in &self.peers {
            let span = Duration::from_secs(self.seconds);
            let scale = Scale { peers: *peers, span, seed: self.seed };
            eprintln!("{peers} peers ...");
            match scale.run() {
                Ok(seen) => {
                    let memory = memory_peak_bytes();
                    sheet.row(cells(&seen, memory));
                    rows.push((seen, memory));
                }
                Err(broken) => {
                    let (seconds, seed) = (self.seconds, self.seed);
                    eprintln!("{peers} peers, seed {seed}: {broken}");
                    eprintln!(
                        "again: hexswarm-sim scale --peers {peers} --seconds {seconds} --seed {seed}"
                    );
                    return Ok(false);
                }
            }
        }
        let seen: Vec<_> = rows.iter().map(|(seen, _)| seen.clone()).collect();
        if let Some(folder) = &self.pictures {
            for (name, chart) in sizes(&seen) {
                outputs::write(&folder.join(format!("{name}.svg")), chart.svg())?;
            }
        }
        if let Some(path) = &self.html {
            self.page(path, &rows, &seen)?;
        }
        let mut out = std::io::stdout().lock();
        if self.json {
            let rows: Vec<_> = rows.iter().map(document).collect();
            writeln!(out, "{}", json!({ "seed": self.seed, "swarms": rows }))?;
        } else {
            writeln!(out, "{}", print::scale(&rows))?;
        }
        sheet.done()?;
        Ok(true)
    }

    fn page(
        &self,
        path: &std::path::Path,
        rows: &[(Scaled, Option<u64>)],
        seen: &[Scaled],
    ) -> color_eyre::Result<()> {
        let sizes_asked: Vec<_> = self.peers.iter().map(usize::to_string).collect();
        let (peers, seconds, seed) = (sizes_asked.join(","), self.seconds, self.seed);
        let command = format!(
            "hexswarm-sim scale --peers {peers} --seconds {seconds} --seed {seed} --html FILE"
        );
        let words = "Peers go and come back as Bamboo's spot machines did, each sixteen of them from a moment of their \
                     own, and so much faster in small swarms that one goes in ten seconds; then a stage's leader is \
                     lost, and the swarm's. Bytes and messages are those of control, without the \
                     data plane.";
        let section = Section {
            title: "Swarms at rest".to_owned(),
            words: vec![words.to_owned()],
            table: html::grid(&print::scale(rows)),
            commands: vec![command],
            ..Section::default()
        };
        let charts = sizes(seen).map(|(_, chart)| chart);
        let about = "Simulated with the core of hexswarm: all but the last rows of the table is of virtual time, \
                     and the same on any machine.";
        html::write_about(path, "Sizes of swarms", about, &[section.with(&charts)])
    }
}

fn document((seen, memory): &(Scaled, Option<u64>)) -> serde_json::Value {
    let mut document = json!(seen);
    document["memory_peak_bytes"] = json!(memory);
    document
}

/// The most memory that this process has had so far, where its system says so.
fn memory_peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// A size's cells under these heads.
fn cells(seen: &Scaled, memory: Option<u64>) -> Vec<String> {
    let figure = |figure: f64| format!("{figure:.3}");
    let among = |among: Among| [figure(among.mean), figure(among.p99), figure(among.max)];
    let told = |told: Option<u64>| told.map_or(String::new(), |told| told.to_string());
    let mut row = vec![seen.peers.to_string(), figure(seen.messages_per_s.mean)];
    row.extend(among(seen.sent_bytes_per_s));
    row.extend(among(seen.received_bytes_per_s));
    row.push(figure(seen.voter_bytes_per_s.max));
    row.extend([seen.probe_bytes_per_s.mean, seen.probe_bytes_per_s.max].map(figure));
    row.extend([seen.neighbours.mean, seen.neighbours.max, seen.entries.max].map(figure));
    row.push(figure(seen.churn_speed));
    row.extend([seen.deaths, seen.noticed].map(|count| count.to_string()));
    row.extend([seen.noticed_ms.mean, seen.noticed_ms.max].map(figure));
    row.extend([seen.known_ms.mean, seen.known_ms.max].map(figure));
    row.extend([seen.live_ms, seen.replanned_ms, seen.elected_ms, seen.agreed_ms].map(told));
    row.push(seen.events.to_string());
    row.extend([seen.busy_s, seen.planning_s, seen.wall_s].map(figure));
    row.push(told(memory));
    row
}

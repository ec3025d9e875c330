//! Tables and documents.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use comfy_table::{ContentArrangement, Table, presets};
pub(super) use hexswarm_sim::table;
use hexswarm_sim::{Among, Draft, Report, SHIPPED, Scaled, Spread};
use serde_json::{Value, json};

/// A table of words, as wide as the window.
pub(super) fn words(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(heads.to_vec());
    table.add_rows(rows);
    table
}

/// The scenarios that come with the simulator.
pub(super) fn list() -> color_eyre::Result<bool> {
    let mut out = io::stdout().lock();
    let wide = SHIPPED.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, _) in SHIPPED {
        writeln!(out, "{name:<wide$}  {}", Draft::named(name)?.about().unwrap_or_default())?;
    }
    Ok(true)
}

/// `2-2-4`: the devices of each stage of a pipeline.
fn stages(pipeline: &[usize]) -> String {
    pipeline.iter().map(usize::to_string).collect::<Vec<_>>().join("-")
}

/// What people are told of runs.
pub(super) struct Told {
    /// Seeds that had no plan, and why.
    pub(super) troubles: Vec<String>,
    /// A row a seed.
    pub(super) table: Table,
    /// What the plan was, if there is but one run; what deadlines count; why answers are not whole.
    pub(super) words: Vec<String>,
}

/// A table with a row a seed, and what the plan was if there is but one.
pub(super) fn reports(out: &mut impl Write, all: &[(u64, Report)]) -> io::Result<()> {
    let Told { troubles, table, words } = told(all);
    troubles.iter().try_for_each(|trouble| writeln!(out, "{trouble}"))?;
    if table.row_count() > 0 {
        writeln!(out, "{table}")?;
    }
    words.iter().try_for_each(|words| writeln!(out, "{words}"))
}

/// What is told of requests whose clients left. It is no failure, for a scenario wants it so.
pub(super) fn unfinished(many: usize) -> String {
    format!("{many} requests were unfinished when patience ran out (run.patience_s)")
}

/// Of each seed, before its attainment.
const HEADS: [&str; 12] = [
    "seed",
    "requests",
    "whole",
    "unfinished",
    "cached tokens",
    "TTFT p50 ms",
    "p99",
    "TPOT p50 ms",
    "p99",
    "request p50 ms",
    "p99",
    "decode tokens/s",
];

/// What is to be told of runs.
pub(super) fn told(all: &[(u64, Report)]) -> Told {
    let mut troubles = Vec::new();
    let Some((_, first)) = all.first() else {
        return Told { troubles, table: Table::new(), words: Vec::new() };
    };
    let scales = first.in_time.iter().map(|(scale, _)| format!("{scale}x"));
    let mut table = table(HEADS.iter().map(|head| (*head).to_owned()).chain(scales));
    for (seed, report) in all {
        if let Some(trouble) = &report.trouble {
            troubles.push(format!("seed {seed}: there is no plan: {trouble}"));
            continue;
        }
        let mut row = vec![seed.to_string(), report.served.len().to_string()];
        row.extend([report.whole(), report.unfinished()].map(|count| count.to_string()));
        row.push(report.cached_tokens().to_string());
        let spread = |spread: Option<Spread>, places: usize| match spread {
            Some(Spread { p50, p99 }) => [format!("{p50:.places$}"), format!("{p99:.places$}")],
            None => ["-".to_owned(), "-".to_owned()],
        };
        row.extend(spread(report.ttft_ms(), 0));
        row.extend(spread(report.tpot_ms(), 1));
        row.extend(spread(report.latency_ms(), 0));
        row.push(format!("{:.1}", report.decode_tokens_per_s()));
        row.extend(report.attainment().map(|(_, met)| format!("{:.1} %", 100.0 * met)));
        table.add_row(row);
    }
    let mut words = Vec::new();
    if let [(_, report)] = all
        && !report.pipelines.is_empty()
    {
        let pipelines: Vec<String> = report.pipelines.iter().map(|p| stages(p)).collect();
        words.push(format!("replicas, by the devices of their stages: {}", pipelines.join("  ")));
    }
    if table.row_count() > 0 {
        words.push(format!("1x is {:.3} s for every request", first.unit.as_secs_f64()));
    }
    words.extend(reasons(all));
    Told { troubles, table, words }
}

/// Why answers are not whole, the most frequent reasons.
fn reasons(all: &[(u64, Report)]) -> Vec<String> {
    const REASONS_MAX: usize = 3;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in all.iter().flat_map(|(_, report)| &report.served).filter(|one| !one.unfinished) {
        one.refused.iter().for_each(|why| *counts.entry(why).or_default() += 1);
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let told = counts.iter().take(REASONS_MAX);
    told.map(|(why, count)| format!("{count} without a whole answer: {why}")).collect()
}

/// What a seed came to, for programs.
pub(super) fn document((seed, report): &(u64, Report)) -> Value {
    let spread =
        |spread: Option<Spread>| spread.map(|Spread { p50, p99 }| json!({"p50": p50, "p99": p99}));
    let attainment: Vec<Value> =
        report.attainment().map(|(scale, met)| json!({"scale": scale, "part": met})).collect();
    json!({
        "seed": seed,
        "trouble": report.trouble,
        "requests": report.served.len(),
        "whole": report.whole(),
        "unfinished": report.unfinished(),
        "cached_tokens": report.cached_tokens(),
        "span_s": report.span.as_secs_f64(),
        "ttft_ms": spread(report.ttft_ms()),
        "tpot_ms": spread(report.tpot_ms()),
        "latency_ms": spread(report.latency_ms()),
        "decode_tokens_per_s": report.decode_tokens_per_s(),
        "attainment": attainment,
        "pipelines": report.pipelines,
        "deadline_1x_s": report.unit.as_secs_f64(),
    })
}

/// A column a size, since there is much to tell of each.
pub(super) fn scale(rows: &[(Scaled, Option<u64>)]) -> Table {
    let heads: Vec<String> = rows.iter().map(|(seen, _)| format!("{} peers", seen.peers)).collect();
    let heads: Vec<&str> = std::iter::once("").chain(heads.iter().map(String::as_str)).collect();
    let mut table = table(&heads);
    let mut line = |what: &str, tell: &dyn Fn(&Scaled, Option<u64>) -> String| {
        let told = rows.iter().map(|(seen, memory)| tell(seen, *memory));
        table.add_row(std::iter::once(what.to_owned()).chain(told));
    };
    let three = |a: Among| format!("{:.0} / {:.0} / {:.0}", a.mean, a.p99, a.max);
    // Where nothing died there is nothing to tell.
    let after = |a: Among| if a == Among::default() { "-".to_owned() } else { three(a) };
    let kib = |a: Among| {
        let [mean, p99, max] = [a.mean, a.p99, a.max].map(|bytes| bytes / 1024.0);
        format!("{mean:.2} / {p99:.2} / {max:.2}")
    };
    let ms = |told: Option<u64>| told.map_or("-".to_owned(), |told| told.to_string());
    line("messages a second, mean / p99 / most", &|s, _| three(s.messages_per_s));
    line("KiB/s sent", &|s, _| kib(s.sent_bytes_per_s));
    line("KiB/s received", &|s, _| kib(s.received_bytes_per_s));
    line("KiB/s of a voter", &|s, _| kib(s.voter_bytes_per_s));
    line("KiB/s sent to measure ways", &|s, _| kib(s.probe_bytes_per_s));
    line("connections", &|s, _| three(s.neighbours));
    line("peers in view", &|s, _| three(s.entries));
    line("times as fast as recorded", &|s, _| format!("{:.1}", s.churn_speed));
    line("deaths noticed", &|s, _| format!("{} of {}", s.noticed, s.deaths));
    line("ms until noticed", &|s, _| after(s.noticed_ms));
    line("ms until the leader knows", &|s, _| after(s.known_ms));
    line("ms until all know a plan", &|s, _| ms(s.live_ms));
    line("ms until all know one without a lost stage", &|s, _| ms(s.replanned_ms));
    line("ms until another leads", &|s, _| ms(s.elected_ms));
    line("ms until all follow it", &|s, _| ms(s.agreed_ms));
    line("inputs a second of one processor", &|s, _| {
        format!("{:.0}", s.events as f64 / s.busy_s.max(1e-9))
    });
    line("seconds of it", &|s, _| format!("{:.1}", s.busy_s));
    line("  and for planning", &|s, _| format!("{:.1}", s.planning_s));
    line("seconds both took here", &|s, _| format!("{:.1}", s.wall_s));
    line("seconds of it, growth and losses too", &|s, _| {
        format!("{:.1} for {:.0} s", s.busy_in_all_s, s.lived_s)
    });
    line("MiB at most so far", &|_, memory| {
        memory.map_or("-".to_owned(), |bytes| (bytes >> 20).to_string())
    });
    table
}

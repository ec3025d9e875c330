//! `hexswarm status`: who is here, the plan, links, load.

use std::time::Duration;

use clap::Args;
use comfy_table::Table;

use super::{VIA, plan_text};
use crate::{
    cli::print,
    status::{LinkStatus, Status},
};

/// How often `--watch` looks again.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// What a node knows.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm status
      What the node on this machine knows of its swarm
  hexswarm status --via http://192.0.2.1:8080 --watch
      The same of another, again and again
  hexswarm status --json | jq .plan
      The plan, for programs; docs/schema/status.schema.json says what is what")]
pub struct Options {
    /// The API of any node
    #[arg(long, default_value = VIA, value_name = "URL")]
    via: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Look again every second, until Ctrl-C
    #[arg(long, conflicts_with = "json")]
    watch: bool,
}

/// Asks and prints.
pub(crate) async fn run(options: Options) -> color_eyre::Result<()> {
    loop {
        let status = super::status(&options.via).await?;
        if options.json {
            print::json(&status)?;
        } else {
            let clear = if options.watch { "\x1b[2J\x1b[H" } else { "" };
            print::line(format!("{clear}{}", text(&status)))?;
        }
        if !options.watch {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(WATCH_EVERY) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// A peer id as people can tell it apart: its end, for all begin alike.
pub(super) fn short(peer: &str) -> &str {
    let begin = peer.char_indices().rev().nth(7).map_or(0, |(at, _)| at);
    &peer[begin..]
}

fn text(status: &Status) -> String {
    let state = match (&status.trouble, status.ready) {
        (_, true) => "ready".to_owned(),
        (Some(trouble), _) => format!("not ready: {trouble}"),
        (None, _) => "not ready".to_owned(),
    };
    let name = |peer: &String| format!("…{}", short(peer));
    let leader = status.leader.as_ref().map_or("nobody".to_owned(), name);
    let voters: Vec<_> = status.voters.iter().map(name).collect();
    let voters = if voters.is_empty() { "nobody".to_owned() } else { voters.join(" ") };
    let head = format!(
        "swarm {}, model {}: {state}\nleader {leader}, term {}, voters {voters}\n",
        status.swarm, status.model, status.term,
    );
    let mut nodes = print::table();
    nodes.set_header([
        "node",
        "device",
        "memory, MB",
        "GB/s",
        "GFLOP/s",
        "sessions",
        "KV free",
        "alive",
    ]);
    for node in &status.nodes {
        let sessions = node.sessions.to_string();
        let kv = format!("{}/{}", node.kv_blocks_free, node.kv_blocks);
        let alive = match (node.alive, node.draining) {
            (true, false) => "yes",
            (true, true) => "leaving",
            (false, _) => "no",
        };
        let mut row = |device: [String; 4]| {
            let [name, memory, read, flops] = device;
            let peer = format!("…{}", short(&node.peer));
            nodes.add_row([
                peer,
                name,
                memory,
                read,
                flops,
                sessions.clone(),
                kv.clone(),
                alive.to_owned(),
            ]);
        };
        for device in &node.devices {
            row([
                format!("{}, {} threads", device.kind, device.threads),
                format!("{:.0}", device.memory_bytes as f64 / 1e6),
                format!("{:.1}", device.bandwidth_bytes_per_s / 1e9),
                format!("{:.1}", device.flops_per_s / 1e9),
            ]);
        }
        if node.devices.is_empty() {
            row(["none".to_owned(), String::new(), String::new(), String::new()]);
        }
    }
    let name = |peer: &str| format!("…{}", short(peer));
    let plan = status.plan.as_ref().map_or_else(|| "no plan".to_owned(), |p| plan_text(p, name));
    let links = match status.nodes.len() {
        0 | 1 => String::new(),
        _ => format!("round trip in ms / MB/s\n{}\n", links(status, name)),
    };
    format!("{head}{nodes}\n{links}{plan}")
}

/// Every way that was measured, a row a node that measured it.
pub(crate) fn links(status: &Status, name: impl Fn(&str) -> String) -> Table {
    let mut table = print::table();
    let others = status.nodes.iter().map(|node| format!("to {}", name(&node.peer)));
    table.set_header(["from".to_owned()].into_iter().chain(others));
    for from in &status.nodes {
        let mut row = vec![name(&from.peer)];
        row.extend(status.nodes.iter().map(|to| {
            let link = from.links.iter().find(|link| link.to == to.peer);
            link.map_or_else(|| "-".to_owned(), way)
        }));
        table.add_row(row);
    }
    table
}

/// One way: `~` marks what was predicted, `?` what was not measured yet.
fn way(link: &LinkStatus) -> String {
    let mark = if link.predicted { "~" } else { "" };
    let rate = match link.bytes_per_s {
        rate if rate > 0.0 => format!("{:.0}", rate / 1e6),
        _ => "?".to_owned(),
    };
    let trip = if link.rtt_ms > 0.0 { format!("{:.2}", link.rtt_ms) } else { "?".to_owned() };
    format!("{mark}{trip} / {rate}")
}

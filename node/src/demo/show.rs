//! What the demo lets people see, step by step: on stdout, or on stderr if stdout is for JSON.

use std::{
    io::{self, Write},
    path::Path,
};

use comfy_table::Table;
use swarm_proto::ModelSpec;

use super::process::{Door, Member};
use crate::{
    client::{Answer, plan_text},
    status::{PlanView, Status},
};

/// Where to show it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Show {
    /// Whether stdout is for one JSON document.
    pub(super) json: bool,
}

impl Show {
    fn say(self, text: &str) {
        // A reader that has gone away must not end the demo before its processes are.
        let _ = if self.json {
            write!(io::stderr(), "{text}").and_then(|()| io::stderr().flush())
        } else {
            write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush())
        };
    }

    pub(super) fn step(self, what: &str) {
        self.say(&format!("\n== {what}\n"));
    }

    pub(super) fn model(self, spec: &ModelSpec, path: &Path) {
        self.say(&format!(
            "{}: {} layers, {} query and {} KV heads, {:.1} MB, blake3 checked when it was fetched\n{}\n",
            spec.name,
            spec.layers,
            spec.heads,
            spec.kv_heads,
            spec.total_bytes() as f64 / 1e6,
            path.display(),
        ));
    }

    pub(super) fn door(self, door: &Door) {
        self.say(&format!("door    {}\n", door.address));
    }

    pub(super) fn member(self, member: &Member) {
        let caps: Vec<_> =
            member.caps.iter().map(|cap| format!("cpu {:.1} MB", *cap as f64 / 1e6)).collect();
        let caps = caps.join(" + ");
        self.say(&format!("node {}  {}  {caps}\n", member.number, member.peer));
    }

    /// News since the status seen last.
    pub(super) fn progress(self, before: &Status, now: &Status, nodes: usize) {
        let alive = |status: &Status| status.nodes.iter().filter(|node| node.alive).count();
        if alive(now) != alive(before) {
            self.say(&format!("{} of {nodes} nodes have met\n", alive(now)));
        }
        if now.leader != before.leader
            && let Some(leader) = &now.leader
        {
            self.say(&format!("leader {leader}, term {}\n", now.term));
        }
        if now.plan != before.plan
            && let Some(plan) = &now.plan
        {
            self.say(&format!("plan {}.{} is live\n", plan.term, plan.epoch));
        }
    }

    /// The hardware and the links, as measured.
    pub(super) fn swarm(self, status: &Status, members: &[Member]) {
        let number = |peer: &str| {
            let member = members.iter().find(|member| member.peer == peer);
            member.map_or_else(|| peer.to_owned(), |member| format!("node {}", member.number))
        };
        self.step("hardware, as measured");
        let mut table = Table::new();
        table.set_header(["node", "device", "memory, MB", "read, GB/s", "GFLOP/s"]);
        for node in &status.nodes {
            for (index, device) in node.devices.iter().enumerate() {
                table.add_row([
                    number(&node.peer),
                    format!("{} {index}", device.kind),
                    format!("{:.1}", device.memory_bytes as f64 / 1e6),
                    format!("{:.1}", device.bandwidth_bytes_per_s / 1e9),
                    format!("{:.1}", device.flops_per_s / 1e9),
                ]);
            }
        }
        self.say(&format!("{table}\n"));
        self.step("links, as measured");
        let mut table = Table::new();
        table.set_header(["from", "to", "round trip, ms", "MB/s"]);
        for node in &status.nodes {
            for link in &node.links {
                let rate = match link.bytes_per_s {
                    rate if rate > 0.0 => format!("{:.0}", rate / 1e6),
                    _ => "not yet".to_owned(),
                };
                let trip = format!("{:.2}", link.rtt_ms);
                table.add_row([number(&node.peer), number(&link.to), trip, rate]);
            }
        }
        self.say(&format!("{table}\n"));
    }

    pub(super) fn plan(self, plan: &PlanView) {
        self.step("plan");
        self.say(&format!("{}\n", plan_text(plan)));
    }

    pub(super) fn text(self, text: &str) {
        self.say(text);
    }

    pub(super) fn figures(self, answer: &Answer) {
        let rate = if answer.tpot_ms > 0.0 { 1e3 / answer.tpot_ms } else { 0.0 };
        self.say(&format!(
            "\n\n{} tokens; first after {:.0} ms (TTFT), then {:.1} ms each (TPOT), {rate:.1} tokens/s\n",
            answer.token_ids.len(),
            answer.ttft_ms,
            answer.tpot_ms,
        ));
    }

    /// What to type next.
    pub(super) fn next(self, entry: &str, model: &str) {
        self.step("next");
        self.say(&format!(
            "The swarm serves until Ctrl-C. In another terminal:\n\n\
             \x20 hexswarm status --via {entry}\n\
             \x20 hexswarm chat --via {entry}\n\
             \x20 curl {entry}/v1/chat/completions -H 'content-type: application/json' \\\n\
             \x20   -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n\n\
             Web page and API: {entry}\n"
        ));
    }

    /// Where to go from here, when nothing is kept.
    pub(super) fn done(self) {
        self.say(
            "\nAll processes are gone. `hexswarm demo --keep` leaves them serving; \
             `hexswarm node` starts a node of your own.\n",
        );
    }
}

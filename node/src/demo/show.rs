//! What the demo lets people see, step by step: on stdout, or on stderr if stdout is for JSON.

use std::{
    fmt::Display,
    io::{self, Write},
    path::Path,
    time::Instant,
};

use swarm_proto::ModelSpec;

use super::cast::Member;
use crate::{
    cli::print,
    client::{Answer, links, plan_text},
    status::{PlanView, Status},
};

/// Where it is shown, and since when.
#[derive(Debug)]
pub(super) struct Show {
    json: bool,
    began: Instant,
}

/// Tells what no step foresees.
pub(super) fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Which node a peer is, as this demo numbers them.
fn who(members: &[Member], peer: &str) -> String {
    let member = members.iter().find(|member| member.peer == peer);
    member.map_or_else(|| peer.to_owned(), |member| format!("node {}", member.number))
}

impl Show {
    /// From now on.
    pub(super) fn new(json: bool) -> Self {
        Self { json, began: Instant::now() }
    }

    fn say(&self, text: impl Display) {
        // A reader that has gone away must not end the demo before its processes are.
        let _ = if self.json {
            write!(io::stderr(), "{text}").and_then(|()| io::stderr().flush())
        } else {
            write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush())
        };
    }

    /// What comes next, and how long after the beginning.
    pub(super) fn step(&self, what: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.say(format!("\n== {what} ({seconds:.1} s)\n"));
    }

    pub(super) fn model(&self, spec: &ModelSpec, path: &Path) {
        self.say(format!(
            "{}: {} layers, {} query and {} KV heads, {} FFN columns, {:.1} MB\n{}\n",
            spec.name,
            spec.layers,
            spec.heads,
            spec.kv_heads,
            spec.ffn,
            spec.total_bytes() as f64 / 1e6,
            path.display(),
        ));
    }

    pub(super) fn door(&self, door: &str) {
        self.say(format!("door    {door}\n"));
    }

    pub(super) fn member(&self, member: &Member) {
        let device = |cap: &u64| format!("cpu {:.1} MB", *cap as f64 / 1e6);
        let devices: Vec<_> = member.caps.iter().map(device).collect();
        self.say(format!("node {}  {}  {}\n", member.number, member.peer, devices.join(" + ")));
    }

    /// News since the status seen last.
    pub(super) fn met(&self, before: &Status, now: &Status, nodes: usize) {
        let alive = |status: &Status| status.nodes.iter().filter(|node| node.alive).count();
        if alive(now) != alive(before) {
            self.say(format!("{} of {nodes} nodes have met\n", alive(now)));
        }
    }

    /// The hardware and the links, as measured.
    pub(super) fn swarm(&self, status: &Status, members: &[Member]) {
        self.step("hardware, as each measured it");
        let mut table = print::table();
        table.set_header(["node", "device", "memory, MB", "read, GB/s", "GFLOP/s"]);
        for node in &status.nodes {
            for (index, device) in node.devices.iter().enumerate() {
                table.add_row([
                    who(members, &node.peer),
                    format!("{} {index}", device.kind),
                    format!("{:.1}", device.memory_bytes as f64 / 1e6),
                    format!("{:.1}", device.bandwidth_bytes_per_s / 1e9),
                    format!("{:.1}", device.flops_per_s / 1e9),
                ]);
            }
        }
        self.say(format!("{table}\n"));
        self.step("links, as measured: round trip in ms / MB/s");
        self.say(format!("{}\n", links(status, |peer| who(members, peer))));
    }

    pub(super) fn leader(&self, status: &Status, members: &[Member]) {
        let leader = status.leader.as_deref().map_or("nobody".to_owned(), |l| who(members, l));
        let mut voters: Vec<_> = status.voters.iter().map(|voter| who(members, voter)).collect();
        voters.sort();
        let voters = voters.join(", ");
        self.step("leader");
        self.say(format!("{leader} leads term {}; voters are {voters}\n", status.term));
    }

    pub(super) fn plan(&self, plan: &PlanView, members: &[Member]) {
        self.step("plan, after a canary token went through it");
        self.say(plan_text(plan, |peer| who(members, peer)));
    }

    /// What is asked, and of whom.
    pub(super) fn question(&self, prompt: &str, entry: &str, plan: &PlanView) {
        let stages = plan.pipelines.iter().flat_map(|pipeline| &pipeline.stages);
        let holds = stages.flat_map(|stage| &stage.members).any(|member| member.peer == entry);
        let layers = if holds { "which holds layers too" } else { "which holds no layer" };
        self.step(&format!("answer, asked of node 0, {layers}"));
        self.say(format!("> {prompt}\n\n"));
    }

    /// That the question came while the swarm was busy with itself.
    pub(super) fn again(&self) {
        self.say("the swarm changed at that moment: asked again\n");
    }

    pub(super) fn text(&self, text: &str) {
        self.say(text);
    }

    pub(super) fn figures(&self, answer: &Answer) {
        let rate = if answer.tpot_ms > 0.0 { 1e3 / answer.tpot_ms } else { 0.0 };
        self.say(format!(
            "\n\n{} tokens; first after {:.0} ms (TTFT), then {:.1} ms each (TPOT): {rate:.1} tokens/s\n",
            answer.token_ids.len(),
            answer.ttft_ms,
            answer.tpot_ms,
        ));
    }

    /// What to type next.
    pub(super) fn next(&self, entry: &str, model: &str, context_tokens: u32) {
        let program = program();
        self.step("next");
        self.say(format!(
            "The swarm serves until Ctrl-C. In another terminal:\n\n\
             \x20 {program} chat --via {entry}\n\
             \x20 {program} status --via {entry}\n\
             \x20 curl {entry}/v1/chat/completions -H 'content-type: application/json' \\\n\
             \x20   -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n\n\
             API for OpenAI's clients: {entry}/v1 (any key); web page: {entry}\n\
             So little memory has room for {context_tokens} tokens of conversation: /reset in a \
             chat begins anew\n"
        ));
    }

    /// The first Ctrl-C.
    pub(super) fn draining(&self) {
        self.say("\nanswers come to their end; Ctrl-C again does not wait for them\n");
    }

    /// Where to go from here.
    pub(super) fn done(&self, kept: bool) {
        let program = program();
        self.say("\nevery process is gone, and so are their files\n");
        if !kept {
            self.say(format!(
                "`{program} demo --keep` leaves them serving; `{program} node` starts a node of \
                 your own\n"
            ));
        }
    }
}

/// How to start this program again: by name if that finds it, else by its path.
fn program() -> String {
    let own = std::env::current_exe().unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::split_paths(&path).any(|folder| folder.join("hexswarm") == own);
    if named { "hexswarm".to_owned() } else { own.display().to_string() }
}

//! What the core knows, in the words of [`crate::status`].

use std::sync::{Arc, RwLock};

use swarm_core::Node;
use swarm_proto::{Device, DeviceKind, Heard, NodeId, Plan, Time};

use crate::{
    status::{
        DeviceStatus, LinkStatus, MemberView, NodeStatus, PipelineView, PlanView, StageView, Status,
    },
    wire::Traffic,
};

/// What the core does not know of its own node, and people want to.
#[derive(Clone, Debug)]
pub struct About {
    /// The swarm's name.
    pub swarm: String,
    /// The model's name.
    pub model: String,
    /// What it has sent and received.
    pub traffic: Traffic,
    /// Where the node listens; more come while it runs.
    listen: Arc<RwLock<Vec<String>>>,
}

impl About {
    /// A node that listens nowhere yet.
    pub fn new(swarm: String, model: String) -> Self {
        Self { swarm, model, traffic: Traffic::default(), listen: Arc::default() }
    }

    /// Writes down another address.
    pub fn listens(&self, address: String) {
        let mut listen = self.listen.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if !listen.contains(&address) {
            listen.push(address);
        }
    }

    /// The addresses so far.
    pub fn listen(&self) -> Vec<String> {
        self.listen.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

/// A peer's id as libp2p writes it, and as people read it.
pub fn peer(node: NodeId) -> String {
    swarm_net::peer_text(node)
}

/// Everything a node knows.
pub fn status(about: &About, node: &Node, now: Time) -> Status {
    let plan = node.live_plan();
    let told = node.adverts().map(|heard| self::node(about, node, heard, now));
    let mut nodes: Vec<_> = told.collect();
    nodes.sort_by_key(|status| status.peer != peer(node.id()));
    let (ready, trouble) = readiness(node, plan);
    Status {
        peer: peer(node.id()),
        swarm: about.swarm.clone(),
        model: about.model.clone(),
        ready,
        idle: node.is_idle(),
        leader: node.leader().map(peer),
        term: node.term().0,
        voters: node.voters().iter().copied().map(peer).collect(),
        listen: about.listen(),
        nodes,
        plan: plan.map(self::plan),
        trouble,
    }
}

/// Whether the live plan can serve, and what stands in the way if not.
fn readiness(node: &Node, plan: Option<&Plan>) -> (bool, Option<String>) {
    let Some(plan) = plan else { return (false, Some(why_no_plan(node))) };
    if node.adverts().any(|heard| heard.advert.node == node.id() && heard.advert.draining) {
        return (false, Some("this node is leaving the swarm".to_owned()));
    }
    if let Some(dead) = plan.members().find(|member| !node.is_alive(member.node)) {
        let gone = format!("{} of the plan is gone", peer(dead.node));
        return (false, Some(format!("{gone}; {}", why_no_plan(node))));
    }
    match plan.members().find(|member| !node.holds(member.node)) {
        Some(member) => (false, Some(format!("{} is loading its share", peer(member.node)))),
        None => (true, None),
    }
}

/// What stands in the way of a plan: what the leader said, or that there is none and cannot be one.
fn why_no_plan(node: &Node) -> String {
    if let Some(trouble) = node.trouble() {
        return trouble.to_owned();
    }
    let voters = node.voters();
    if voters.is_empty() {
        return "no plan is live yet: this node waits for a swarm to join; if none was founded, \
                start one node with --found"
            .to_owned();
    }
    let (here, gone): (Vec<NodeId>, Vec<NodeId>) =
        voters.iter().partition(|voter| node.is_alive(**voter));
    let led = node.leader().is_some_and(|leader| node.is_alive(leader));
    if !led && here.len() * 2 <= voters.len() {
        let gone: Vec<_> = gone.into_iter().map(peer).collect();
        return format!(
            "no plan can be made: {} of {} voters are gone, and the rest can elect no leader; \
             start {} again",
            gone.len(),
            voters.len(),
            gone.join(" or ")
        );
    }
    let reason = if node.live_plan().is_some() {
        "another plan is being made"
    } else {
        "no plan is live yet"
    };
    reason.to_owned()
}

fn node(about: &About, mind: &Node, heard: &Heard, now: Time) -> NodeStatus {
    let advert = &heard.advert;
    let own = mind.links().find(|link| link.to == advert.node);
    let (sent_bytes, received_bytes) = about.traffic.with(advert.node);
    // What we said of ourselves is seconds old.
    let load = if advert.node == mind.id() { mind.load() } else { advert.load };
    NodeStatus {
        peer: peer(advert.node),
        devices: advert.devices.iter().map(device).collect(),
        rtt_ms: own.map(|link| link.rtt_ms),
        sent_bytes,
        received_bytes,
        links: advert.links.iter().map(|l| link(l, heard, now)).collect(),
        sessions: load.sessions,
        kv_blocks_free: load.kv_blocks_free,
        kv_blocks: load.kv_blocks,
        draining: advert.draining,
        alive: mind.is_alive(advert.node),
        api: advert.api.clone(),
    }
}

fn device(device: &Device) -> DeviceStatus {
    let kind = match device.kind {
        DeviceKind::Cpu => "cpu",
        DeviceKind::Cuda => "cuda",
    };
    DeviceStatus {
        kind: kind.to_owned(),
        name: device.name.clone(),
        memory_bytes: device.memory_bytes,
        bandwidth_bytes_per_s: device.bandwidth_bytes_per_s,
        flops_per_s: device.flops_per_s,
        threads: device.threads,
    }
}

/// Ages to the full second, so that a status changes when something happened, not all the time.
fn link(link: &swarm_proto::LinkReport, heard: &Heard, now: Time) -> LinkStatus {
    let age = link.age_ms + now.since(heard.at).as_millis() as u64;
    LinkStatus {
        to: peer(link.to),
        rtt_ms: link.rtt_ms,
        bytes_per_s: link.bytes_per_s,
        age_ms: age / 1000 * 1000,
        predicted: link.predicted,
    }
}

/// A plan in the one shape that people and programs see.
pub fn plan(plan: &Plan) -> PlanView {
    let member = |m: &swarm_proto::Member| MemberView {
        peer: peer(m.node),
        device: m.device,
        kv_heads: [m.kv_heads.first(), m.kv_heads.end()],
        ffn_columns: [m.ffn_columns.first(), m.ffn_columns.end()],
    };
    let stage = |s: &swarm_proto::Stage| StageView {
        layers: [s.layers.first(), s.layers.end()],
        members: s.members.iter().map(member).collect(),
        step_ms: s.step_us as f64 / 1e3,
    };
    let pipeline = |p: &swarm_proto::Pipeline| PipelineView {
        stages: p.stages.iter().map(stage).collect(),
        ttft_ms: p.predicted.ttft_us as f64 / 1e3,
        tpot_ms: p.predicted.tpot_us as f64 / 1e3,
        requests_per_s: p.predicted.requests_per_ks as f64 / 1e3,
    };
    PlanView {
        term: plan.id.term.0,
        epoch: plan.id.epoch.0,
        leader: peer(plan.leader),
        pipelines: plan.pipelines.iter().map(pipeline).collect(),
    }
}

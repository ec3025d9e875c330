//! What gossip of adverts came to in a swarm of nodes without devices: a live one, and a simulated one.

use std::{
    cell::RefCell, collections::BTreeMap, fs::File, io::BufReader, path::Path, process::Command,
    rc::Rc, time::Duration,
};

use hexswarm_sim::{GossipCounts, Quality, Setup, World, node_id, replay::Replay};
use swarm_core::{Config, Effect, Input};
use swarm_proto::{NodeId, Time};

use crate::{Swarm, eventually};

/// How long a swarm talks before it is looked at, and after: nodes have measured each other, and what
/// was under way has come.
const SETTLES: Duration = Duration::from_secs(6);
const LINGERS: Duration = Duration::from_secs(2);

/// An advert, by its author and its number.
type Name = (NodeId, u64);

/// Which adverts were published, and by whom they were heard. Times are by each node's own clock.
#[derive(Clone, Debug, Default)]
pub struct Hearsay {
    said: BTreeMap<Name, Time>,
    heard: BTreeMap<Name, Vec<(NodeId, Time)>>,
    /// Round trips that adverts tell of, and how much they vary, in milliseconds.
    rtts_ms: Vec<f64>,
    spreads_ms: Vec<f64>,
}

/// What gossip came to while a swarm was looked at.
#[derive(Clone, Debug)]
pub struct Gossiped {
    /// How long that was.
    pub span: Duration,
    /// How often each advert came to the core of each node but its author's.
    pub copies: Vec<usize>,
    /// Adverts that were published.
    pub adverts: usize,
    /// What each node counted meanwhile; of its mesh how large it was in the end.
    pub counts: Vec<GossipCounts>,
    /// From publication to each core that heard it, in milliseconds, in order.
    pub delays_ms: Vec<f64>,
    /// A round trip between two nodes as they measured it, in milliseconds: the median of all, and by
    /// how much one differs from it.
    pub rtt_ms: f64,
    /// See [`Gossiped::rtt_ms`].
    pub rtt_spread_ms: f64,
}

impl Gossiped {
    /// Starts so many processes and looks at them for so long.
    pub async fn live(binary: &Path, nodes: usize, span: Duration) -> Self {
        let room = tempfile::tempdir().expect("a folder");
        let model = room.path().join("made-up.gguf");
        let made = Command::new(binary).args(["model", "synth"]).arg(&model).output();
        let made = made.expect("the binary runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut swarm = Swarm::idle(binary, &model, nodes - 1).await;
        let all = std::iter::once(&swarm.entry).chain(&swarm.members);
        let apis: Vec<String> = all.map(|member| member.api.clone()).collect();
        for api in &apis {
            eventually("all are met", || async {
                let status = swarm.status(api).await;
                let known = status["nodes"].as_array()?.iter();
                (known.filter(|node| node["alive"] == true).count() == nodes).then_some(())
            })
            .await;
        }
        tokio::time::sleep(SETTLES).await;
        let (since, before) = (unix(), counted(&apis).await);
        tokio::time::sleep(span).await;
        let (until, after) = (unix(), counted(&apis).await);
        tokio::time::sleep(LINGERS).await;
        swarm.stop().await;
        let mut hearsay = Hearsay::default();
        hearsay.read(&swarm, "entry");
        (0..nodes - 1).for_each(|number| hearsay.read(&swarm, &format!("node{number}")));
        hearsay.between(since, until, &before, after)
    }

    /// Lets as many simulated nodes talk as long, as far from each other as live ones were, each of
    /// which says as much.
    pub fn simulated(live: &Self, seed: u64) -> Self {
        let nodes = live.counts.len();
        let every = live.span.mul_f64(nodes as f64 / live.adverts as f64);
        let setup = Setup { machines: vec![Vec::new(); nodes], ..Setup::default() };
        let told = Config { advert_every: every, ..setup.told.clone() };
        let setup = Setup { told, ..setup };
        let mut world = World::new(setup, seed);
        // Of two ways with evenly drawn delays the sum differs by a third of what one does at most.
        let (way_ms, jitter_ms) = (live.rtt_ms / 2.0, (3.0 * live.rtt_spread_ms).min(live.rtt_ms));
        let ms = |ms: f64| Duration::from_secs_f64(ms / 1e3);
        let (latency, jitter) = (ms(way_ms - jitter_ms / 2.0), ms(jitter_ms));
        world.set_links(Quality { latency, jitter, ..Quality::default() });
        let hearsay: Rc<RefCell<Hearsay>> = Rc::default();
        let ear = Rc::clone(&hearsay);
        world.listen(move |at, number, input, effects| {
            ear.borrow_mut().note(node_id(number), at, input, effects);
        });
        let run = |world: &mut World, span| {
            world.run(span).unwrap_or_else(|broken| panic!("{broken}"));
            let counts = (0..nodes).map(|number| world.gossiped(number)).collect::<Vec<_>>();
            (world.now(), counts)
        };
        let (since, before) = run(&mut world, 2 * SETTLES);
        let (until, after) = run(&mut world, live.span);
        run(&mut world, LINGERS);
        drop(world);
        hearsay.take().between(since, until, &before, after)
    }

    /// Of the copies that came to a node, how many it had already, for each that it had not.
    pub fn duplicates(&self) -> f64 {
        let sum = |of: fn(&GossipCounts) -> u64| self.counts.iter().map(of).sum::<u64>() as f64;
        let (received, duplicates) =
            (sum(|counts| counts.received), sum(|counts| counts.duplicates));
        duplicates / (received - duplicates)
    }

    /// A figure of a node, on average.
    pub fn mean(&self, of: impl Fn(&GossipCounts) -> u64) -> f64 {
        self.counts.iter().map(of).sum::<u64>() as f64 / self.counts.len() as f64
    }

    /// The delay that this part of all deliveries did not take longer than.
    pub fn delay_ms(&self, part: f64) -> f64 {
        let place = (self.delays_ms.len() as f64 * part) as usize;
        self.delays_ms.get(place).copied().unwrap_or(f64::NAN)
    }
}

impl Hearsay {
    /// Takes down what a node was handed, and what it wanted done, at that time.
    pub fn note(&mut self, node: NodeId, at: Time, input: &Input, effects: &[Effect]) {
        if let Input::Heard(advert) = input {
            let name = (advert.by, advert.statement.sequence);
            self.heard.entry(name).or_default().push((node, at));
        }
        for effect in effects {
            if let Effect::Publish(advert) = effect {
                self.said.insert((node, advert.statement.sequence), at);
                let links = advert.statement.links.iter();
                self.rtts_ms.extend(links.clone().map(|link| link.rtt_ms));
                self.spreads_ms.extend(links.map(|link| link.rtt_spread_ms));
            }
        }
    }

    /// Takes down what a node of a stopped swarm recorded.
    fn read(&mut self, swarm: &Swarm, name: &str) {
        let file = BufReader::new(File::open(swarm.record(name)).expect("a record"));
        let mut replay = Replay::open(file).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (node, began_ms) = (replay.head().node, replay.head().config.advert_base);
        let began = Duration::from_millis(began_ms);
        while let Some(step) = replay.step(Time::NEVER).unwrap_or_else(|e| panic!("{name}: {e}")) {
            self.note(node, step.at + began, &step.input, &step.effects);
        }
    }

    /// What came of adverts that were published then.
    fn between(
        mut self,
        since: Time,
        until: Time,
        before: &[GossipCounts],
        after: Vec<GossipCounts>,
    ) -> Gossiped {
        self.said.retain(|_, at| *at >= since && *at < until);
        let authors: Vec<_> = self.nodes();
        let copies = self.said.keys().flat_map(|name| {
            let heard = self.heard.get(name).map(Vec::as_slice).unwrap_or_default();
            let others = authors.iter().filter(|node| **node != name.0);
            others.map(|node| heard.iter().filter(|(by, _)| by == node).count())
        });
        let copies = copies.collect();
        let pairs = before.iter().zip(after);
        Gossiped {
            span: until.since(since),
            copies,
            adverts: self.said.len(),
            counts: pairs.map(|(before, after)| difference(after, before)).collect(),
            delays_ms: self.delays_ms(),
            rtt_ms: middle(self.rtts_ms),
            rtt_spread_ms: middle(self.spreads_ms),
        }
    }

    fn nodes(&self) -> Vec<NodeId> {
        let mut nodes: Vec<_> = self.said.keys().map(|(author, _)| *author).collect();
        nodes.extend(self.heard.values().flatten().map(|(by, _)| *by));
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// How long deliveries took. By how much two nodes' clocks differ is what ways there and back
    /// seem to differ by on average.
    fn delays_ms(&self) -> Vec<f64> {
        let mut seen: BTreeMap<(NodeId, NodeId), Vec<f64>> = BTreeMap::new();
        for (name, at) in &self.said {
            for (by, heard) in self.heard.get(name).into_iter().flatten() {
                let ms = (heard.0 as f64 - at.0 as f64) / 1e6;
                seen.entry((name.0, *by)).or_default().push(ms);
            }
        }
        let mean = |seen: &[f64]| seen.iter().sum::<f64>() / seen.len() as f64;
        let mut delays = Vec::new();
        for ((from, to), there) in &seen {
            let Some(back) = seen.get(&(*to, *from)) else { continue };
            let ahead = (mean(there) - mean(back)) / 2.0;
            delays.extend(there.iter().map(|ms| ms - ahead));
        }
        delays.sort_by(f64::total_cmp);
        delays
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// What nodes count at this moment.
async fn counted(apis: &[String]) -> Vec<GossipCounts> {
    let mut all = Vec::new();
    for api in apis {
        let page = reqwest::get(format!("{api}/metrics")).await.expect("an answer");
        let page = page.text().await.expect("text");
        let figure = |name: &str| -> u64 {
            let start = format!("hexswarm_gossip_{name} ");
            let value = page.lines().find_map(|line| line.strip_prefix(start.as_str()));
            value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name}: {page}"))
        };
        all.push(GossipCounts {
            mesh_peers: figure("mesh_peers"),
            sent: figure("sent_messages_total"),
            sent_bytes: figure("sent_bytes_total"),
            received: figure("received_messages_total"),
            received_bytes: figure("received_bytes_total"),
            duplicates: figure("duplicate_messages_total"),
            asked: figure("asked_messages_total"),
        });
    }
    all
}

fn difference(after: GossipCounts, before: &GossipCounts) -> GossipCounts {
    GossipCounts {
        mesh_peers: after.mesh_peers,
        sent: after.sent - before.sent,
        sent_bytes: after.sent_bytes - before.sent_bytes,
        received: after.received - before.received,
        received_bytes: after.received_bytes - before.received_bytes,
        duplicates: after.duplicates - before.duplicates,
        asked: after.asked - before.asked,
    }
}

fn unix() -> Time {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Time(since.as_nanos() as u64)
}

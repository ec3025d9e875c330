//! Two nodes with real keys on this thread, of which the first is recorded.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use ed25519_dalek::{Signer as _, SigningKey, Verifier as _, VerifyingKey};
use swarm_core::{
    Answer, Ask, Body, Computed, Config, Effect, Input, Keys, Node, RequestId,
    record::{End, Frames, Head, Outcome, Why},
};
use swarm_proto::{
    Ballot, Batch, Device, DeviceKind, Hash, LinkReport, ModelSpec, NodeId, Sampled, Sampling,
    Signature, Time,
};

/// What two nodes hold together, and neither alone.
const MEMORY_BYTES: u64 = 115_000_000;

/// The shape of the default model, with short rows.
fn model() -> ModelSpec {
    ModelSpec {
        name: "made up".to_owned(),
        hash: Hash::of(b"made up"),
        layers: 30,
        hidden: 8,
        heads: 9,
        kv_heads: 3,
        head_dim: 64,
        ffn: 1536,
        ffn_grain: 32,
        vocab: 49_152,
        context_max: 8192,
        head_bytes: 184_320,
        column_bytes: 1_080.0,
        layer_shared_bytes: 4_608,
        embedding_bytes: 30_081_024,
        output_bytes: 30_081_024,
        tied: true,
        kv_bytes: 512,
    }
}

fn device() -> Device {
    Device {
        index: 0,
        kind: DeviceKind::Cpu,
        name: "made up".to_owned(),
        memory_bytes: MEMORY_BYTES,
        bandwidth_bytes_per_s: 16e9,
        flops_per_s: 50e9,
        threads: 1,
        drift_class: Hash::of(b"made up"),
    }
}

fn link(to: NodeId) -> LinkReport {
    LinkReport {
        to,
        rtt_ms: 1.0,
        rtt_spread_ms: 0.0,
        bytes_per_s: 1e8,
        loss: 0.0,
        age_ms: 0,
        predicted: false,
    }
}

#[derive(Clone)]
struct PairKeys {
    key: SigningKey,
    signed: Arc<Mutex<Vec<Signature>>>,
}

impl Keys for PairKeys {
    fn id(&self) -> NodeId {
        NodeId(self.key.verifying_key().to_bytes())
    }

    fn sign(&self, bytes: &[u8]) -> Signature {
        let signature = Signature(self.key.sign(bytes).to_bytes());
        self.signed.lock().unwrap().push(signature);
        signature
    }

    fn verify(&self, author: NodeId, bytes: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        VerifyingKey::from_bytes(&author.0).is_ok_and(|key| key.verify(bytes, &signature).is_ok())
    }
}

struct Pair {
    nodes: [(Node, PairKeys); 2],
    now: Time,
    queue: VecDeque<(usize, Input)>,
    frames: Frames,
    log: Vec<u8>,
    answered: usize,
}

/// What the first of two nodes is handed while they meet, plan, and answer a prompt of 40 tokens
/// with 12.
pub(super) fn recorded() -> Vec<u8> {
    let node = |number: u8| {
        let key = SigningKey::from_bytes(&[number; 32]);
        let keys = PairKeys { key, signed: Arc::default() };
        let config = Config {
            founds: number == 1,
            nodes_min: 2,
            context_tokens: 1024,
            ..Config::new(model())
        };
        let head =
            Head { node: keys.id(), config, seed: u64::from(number), ballot: Ballot::default() };
        let Head { config, seed, ballot, .. } = head.clone();
        (head, (Node::new(config, Box::new(keys.clone()), seed, ballot), keys))
    };
    let ((head, first), (_, second)) = (node(1), node(2));
    let frames = Frames::opening(&head).unwrap();
    let nodes = [first, second];
    let mut pair =
        Pair { nodes, now: Time::ZERO, queue: [].into(), frames, log: Vec::new(), answered: 0 };
    for me in [0, 1] {
        pair.queue.push_back((me, Input::PeerUp(pair.id(1 - me))));
        pair.queue.push_back((me, Input::Measured(vec![device()])));
        let link = link(pair.id(1 - me));
        pair.queue.push_back((me, Input::LinkMeasured(link)));
    }
    pair.run_until(|pair| pair.nodes.iter().all(|(node, _)| node.live_plan().is_some()));
    let ask = Ask {
        tokens: (0..40).collect(),
        answer_tokens_max: 12,
        sampling: Sampling::default(),
        end_tokens: Vec::new(),
    };
    pair.queue.push_back((0, Input::Asked { request: RequestId(7), ask }));
    pair.run_until(|pair| pair.answered == 1);
    let end = End { why: Why::Stopped, inputs_missed: 0 };
    pair.frames.end(&end).unwrap();
    pair.log.extend(pair.frames.take());
    pair.log
}

impl Pair {
    fn id(&self, number: usize) -> NodeId {
        self.nodes[number].0.id()
    }

    fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            assert!(
                self.now < Time::ZERO + Duration::from_secs(60),
                "it never came to that: {:?}",
                self.nodes[0].0.trouble()
            );
            match self.queue.pop_front() {
                Some((node, input)) => self.feed(node, input),
                None => {
                    let of = |node: &usize| self.nodes[*node].0.deadline();
                    let next = [0, 1].into_iter().min_by_key(of).unwrap();
                    self.now = self.now.max(of(&next));
                    self.feed(next, Input::Tick);
                }
            }
        }
    }

    fn feed(&mut self, me: usize, input: Input) {
        // Nothing takes no time.
        self.now = self.now + Duration::from_micros(10);
        if me == 0 {
            self.frames.input(self.now, &input).unwrap();
        }
        let (node, keys) = &mut self.nodes[me];
        let effects: Vec<_> = node.handle(self.now, input).collect();
        let signed = std::mem::take(&mut *keys.signed.lock().unwrap());
        if me == 0 {
            self.frames.outcome(&Outcome::of(&effects, signed)).unwrap();
            self.log.extend(self.frames.take());
        }
        for effect in effects {
            self.perform(me, effect);
        }
    }

    fn perform(&mut self, me: usize, effect: Effect) {
        let (other, from) = (1 - me, self.id(me));
        let follows = match effect {
            Effect::Send { message, .. } => (other, Input::Received { from, message }),
            Effect::Forward { header, body, .. } => (other, Input::Arrived { from, header, body }),
            Effect::Publish(advert) => {
                // Somebody says in its name that it leaves; nobody is to believe it, then or now.
                let mut forged = advert.clone();
                (forged.statement.sequence, forged.statement.draining) = (u64::MAX, true);
                self.queue.push_back((other, Input::Heard(forged)));
                (other, Input::Heard(advert))
            }
            Effect::Persist(ballot) => (me, Input::Persisted(ballot)),
            Effect::Plan { request, pool } => {
                let found = swarm_scheduler::plan(&pool, &swarm_scheduler::Options::default());
                let outcome = found.map(|found| found.plan).map_err(|error| error.to_string());
                (me, Input::Planned { request, outcome })
            }
            Effect::Load { load, device, .. } => {
                (me, Input::Loaded { load, device, outcome: Ok(()) })
            }
            Effect::Compute { device, job, batch, input, .. } => {
                let outcome = Ok(computed(&batch, input));
                (me, Input::Computed { device, job, outcome })
            }
            Effect::Answer { event, .. } => {
                self.answered += usize::from(matches!(event, Answer::Finished(_)));
                return;
            }
            Effect::Unload { .. }
            | Effect::Absent(_)
            | Effect::Notice(_)
            | Effect::Wish { .. }
            | Effect::Part(_) => return,
        };
        self.queue.push_back(follows);
    }
}

/// Of the first stage activations that say something, of the last tokens.
fn computed(batch: &Batch, input: Option<Body>) -> Computed {
    let row_bytes = 4 * model().hidden as usize;
    let Some(_) = input else {
        return Computed::Activations(Body(vec![7; batch.rows() * row_bytes].into()));
    };
    let samples = batch.items.iter().map(|item| {
        item.sample.as_ref().map(|_| Sampled { token: 5, logprob: None, top: Vec::new() })
    });
    Computed::Samples(samples.collect())
}

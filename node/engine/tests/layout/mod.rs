//! A model shared out in any way within one process: stages one after another, the members of a
//! stage on threads of their own.

use std::{sync::Arc, thread, time::Duration};

use bytes::Bytes;
use swarm_engine::{Collective, Cpu, Engine, EngineError, Output, Shard, Shared, Stage, Weights};
use swarm_proto::{BLOCK_TOKENS, Batch, Item, Span};

/// Far longer than any step takes: only a member that is gone ends a wait.
const PATIENCE: Duration = Duration::from_secs(600);

/// A member's first and end KV head, first and end FFN column.
pub(crate) type Share = [u32; 4];

/// Stages: the end of each one's layers, and its members.
pub(crate) type Stages = Vec<(u32, Vec<Share>)>;

/// A model with all its stages.
pub(crate) struct Pipeline {
    stages: Vec<Vec<Member>>,
}

struct Member {
    engine: Stage<Cpu>,
    group: Shared,
}

/// The whole of every layer.
pub(crate) fn whole(weights: &Weights) -> Share {
    let config = weights.config();
    [0, config.kv_heads as u32, 0, config.ffn as u32]
}

/// One stage with one member.
pub(crate) fn alone(weights: &Weights) -> Stages {
    vec![(weights.config().layers as u32, vec![whole(weights)])]
}

impl Pipeline {
    pub(crate) fn open(weights: &Weights, stages: &Stages, blocks: u32, threads: usize) -> Self {
        Self::open_on(weights, stages, blocks, || Cpu::new(threads).unwrap())
    }

    /// On devices as they are made.
    pub(crate) fn open_on(
        weights: &Weights,
        stages: &Stages,
        blocks: u32,
        cpu: impl Fn() -> Cpu,
    ) -> Self {
        let mut first = 0;
        let stages = stages.iter().map(|(end, shares)| {
            let groups = Shared::group(shares.len(), PATIENCE);
            let members = shares.iter().zip(groups).enumerate().map(|(index, (share, group))| {
                let shard = Shard {
                    layers: Span::new(first, *end).unwrap(),
                    kv_heads: Span::new(share[0], share[1]).unwrap(),
                    ffn_columns: Span::new(share[2], share[3]).unwrap(),
                    embeds: first == 0,
                    heads: index == 0 && *end as usize == weights.config().layers,
                    leads: index == 0,
                    kv_blocks: blocks,
                };
                let engine = Stage::open(cpu(), weights, shard, u64::MAX).unwrap();
                Member { engine, group }
            });
            let members = members.collect();
            first = *end;
            members
        });
        Self { stages: stages.collect() }
    }

    /// The logits of each item's last row.
    pub(crate) fn logits(&mut self, batch: &Batch) -> Vec<Vec<f32>> {
        let (last, before) = self.stages.split_last_mut().unwrap();
        let mut input = None;
        for stage in before {
            let output = run(stage, |engine, group| engine.forward(batch, input.as_ref(), group));
            let Output::Activations(bytes) = output else { panic!("{output:?} from a stage") };
            input = Some(bytes);
        }
        let input: Option<Bytes> = input;
        // Only the leader has the head; the others compute their share of the layers.
        thread::scope(|scope| {
            let (leader, others) = last.split_first_mut().unwrap();
            let input = input.as_ref();
            for Member { engine, group } in others {
                scope.spawn(move || engine.forward(batch, input, group).unwrap());
            }
            leader.engine.logits(batch, input, &mut leader.group).unwrap()
        })
    }
}

/// What the leader answers; all others answer nothing.
fn run<F>(stage: &mut [Member], work: F) -> Output
where
    F: Fn(&mut Stage<Cpu>, &mut dyn Collective) -> Result<Output, EngineError> + Sync,
{
    thread::scope(|scope| {
        let threads: Vec<_> = stage
            .iter_mut()
            .map(|Member { engine, group }| scope.spawn(|| work(engine, group).unwrap()))
            .collect();
        let mut outputs = threads.into_iter().map(|thread| thread.join().unwrap());
        let first = outputs.next().unwrap();
        assert!(outputs.all(|output| output == Output::Nothing));
        first
    })
}

/// A session's rows: its blocks are every third from `first`, so that sessions interleave.
pub(crate) fn item(first: u32, position: usize, tokens: &[u32]) -> Item {
    let count = (position + tokens.len()).div_ceil(BLOCK_TOKENS as usize) as u32;
    Item {
        position: position as u32,
        tokens: tokens.to_vec(),
        blocks: Arc::from_iter((0..count).map(|index| first + 3 * index)),
        sample: None,
    }
}

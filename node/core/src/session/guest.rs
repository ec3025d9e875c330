//! A session as a member node keeps it: who asked, how far it is, and which blocks it has.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use swarm_proto::{
    Attempt, BLOCK_TOKENS, Draw, Finish, Hash, NodeId, Open, RowsItem, Sampled, Time,
};

use super::post::block_name;
use crate::kv::{KvPool, Table};

/// Tokens that the repetition penalty looks back on.
const RECENT_TOKENS: usize = 1024;

/// A session that has room here.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) entry: NodeId,
    pub(super) open: Open,
    /// By stage: a node may have devices in several of a pipeline.
    pub(super) seats: BTreeMap<u16, Seat>,
    pub(super) touched: Time,
}

/// A session in one stage.
#[derive(Debug, Default)]
pub(super) struct Seat {
    /// Up to where rows were taken in; nothing yet if `None`.
    accepted: Option<u32>,
    todo: VecDeque<Todo>,
    /// Whether the stage's queue has it.
    pub(super) queued: bool,
    /// Blocks by device.
    pub(super) tables: BTreeMap<u8, Table>,
    /// Names of the full blocks so far.
    names: Vec<Hash>,
    /// Tokens of the block that is not full yet.
    tail: Vec<u32>,
    recent: Vec<u32>,
}

/// Rows that wait to be computed.
#[derive(Debug)]
pub(super) struct Todo {
    position: u32,
    tokens: Vec<u32>,
    step: Option<u32>,
    body: Bytes,
}

/// What became of rows that were offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Queued.
    Yes,
    /// Known already.
    Again,
    /// They do not follow on what is here.
    Gap,
}

impl Guest {
    pub(super) fn attempt(&self) -> Attempt {
        self.open.attempt
    }

    /// How a token at a step is drawn, after rows of these tokens.
    pub(super) fn draw(&self, stage: u16, step: u32, tokens: &[u32]) -> Draw {
        let sampling = self.open.sampling.clone();
        let recent = match self.seats.get(&stage) {
            Some(seat) if sampling.repetition_penalty != 1.0 => [&seat.recent, tokens].concat(),
            _ => Vec::new(),
        };
        Draw { sampling, step, recent }
    }

    /// Whether and why the answer ends with this token.
    pub(super) fn finish(&self, step: u32, sampled: &Sampled) -> Option<Finish> {
        let original = self.open.prompt_tokens.saturating_sub(self.open.step);
        let answer_max = self.open.tokens_max.saturating_sub(original);
        if self.open.end_tokens.contains(&sampled.token) {
            Some(Finish::Stop)
        } else {
            (step.saturating_add(1) >= answer_max).then_some(Finish::Length)
        }
    }

    /// The position of the row that a token of the ring becomes.
    pub(super) fn position_of(&self, step: u32) -> Option<u32> {
        self.open.prompt_tokens.checked_add(step.checked_sub(self.open.step)?)
    }
}

impl Seat {
    /// Room on these devices, the first blocks of the prompt in it.
    pub(super) fn new(tables: BTreeMap<u8, Table>, prefix: &[Hash]) -> Self {
        Self { tables, names: prefix.to_vec(), ..Self::default() }
    }

    /// Takes rows in, if they follow on what is here. `false` from a pool means it is full.
    pub(super) fn take(
        &mut self,
        item: RowsItem,
        body: Bytes,
        tokens_max: u32,
        pools: &mut BTreeMap<u8, KvPool>,
    ) -> Taken {
        let rows = item.tokens.len() as u64;
        if rows == 0 || u64::from(item.position) + rows > u64::from(tokens_max) {
            return Taken::Gap;
        }
        match self.accepted {
            Some(accepted) if item.position < accepted => return Taken::Again,
            Some(accepted) if item.position > accepted => return Taken::Gap,
            Some(_) => {}
            None => {
                if !self.begin(item.position, pools) {
                    return Taken::Gap;
                }
            }
        }
        self.accepted = Some(item.position + item.tokens.len() as u32);
        let RowsItem { position, tokens, step, .. } = item;
        self.todo.push_back(Todo { position, tokens, step, body });
        Taken::Yes
    }

    /// The first rows say how much of the cached prefix counts: what all members have.
    fn begin(&mut self, position: u32, pools: &mut BTreeMap<u8, KvPool>) -> bool {
        let keep = (position / BLOCK_TOKENS) as usize;
        if !position.is_multiple_of(BLOCK_TOKENS) || keep > self.names.len() {
            return false;
        }
        self.names.truncate(keep);
        self.tables.iter_mut().all(|(device, table)| {
            pools.get_mut(device).is_some_and(|pool| pool.truncate(table, keep))
        })
    }

    /// Whether the next rows are one step of an answer, which must not wait behind prompts.
    pub(super) fn decodes(&self) -> bool {
        self.todo.front().is_some_and(|todo| todo.tokens.len() == 1 && todo.step.is_some())
    }

    pub(super) fn has_work(&self) -> bool {
        !self.todo.is_empty()
    }

    /// At most `rows` of the rows that wait, as they go into a batch.
    pub(super) fn next(
        &mut self,
        attempt: Attempt,
        rows: usize,
        row_bytes: usize,
    ) -> Option<(RowsItem, Bytes)> {
        let todo = self.todo.front_mut()?;
        if rows >= todo.tokens.len() {
            let Todo { position, tokens, step, body } = self.todo.pop_front()?;
            return Some((RowsItem { attempt, position, tokens, step }, body));
        }
        let rest = todo.tokens.split_off(rows);
        let tokens = std::mem::replace(&mut todo.tokens, rest);
        let position = todo.position;
        todo.position += rows as u32;
        let body = todo.body.split_to((rows * row_bytes).min(todo.body.len()));
        Some((RowsItem { attempt, position, tokens, step: None }, body))
    }

    /// Makes sure that there are blocks for all positions below `end`.
    pub(super) fn grow(&mut self, end: u32, pools: &mut BTreeMap<u8, KvPool>) -> bool {
        let blocks = end.div_ceil(BLOCK_TOKENS) as usize;
        self.tables
            .iter_mut()
            .all(|(device, table)| pools.get_mut(device).is_some_and(|p| p.grow(table, blocks)))
    }

    /// These tokens were computed: blocks that they fill have names now.
    pub(super) fn computed(&mut self, tokens: &[u32], pools: &mut BTreeMap<u8, KvPool>) {
        for token in tokens {
            self.tail.push(*token);
            if self.tail.len() == BLOCK_TOKENS as usize {
                let name = block_name(self.names.last().copied(), &self.tail);
                self.tail.clear();
                for (device, table) in &self.tables {
                    if let Some(pool) = pools.get_mut(device) {
                        pool.name(table, self.names.len(), name);
                    }
                }
                self.names.push(name);
            }
        }
    }

    /// Remembers tokens for the repetition penalty.
    pub(super) fn remember(&mut self, tokens: &[u32]) {
        self.recent.extend_from_slice(tokens);
        let surplus = self.recent.len().saturating_sub(RECENT_TOKENS);
        self.recent.drain(..surplus);
    }

    /// Gives all blocks back.
    pub(super) fn close(self, pools: &mut BTreeMap<u8, KvPool>) {
        for (device, table) in self.tables {
            if let Some(pool) = pools.get_mut(&device) {
                pool.close(table);
            }
        }
    }
}

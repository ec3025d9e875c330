//! Which KV blocks of a device hold what, and for whom.
//!
//! The device owns the bytes, this pool the blocks' numbers. A full block is named by the tokens
//! up to its end, so sessions that begin alike share blocks, and a follow-up turn finds those of
//! the turn before. A block that nobody uses stays until its place is needed, the longest unused
//! one first.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use swarm_proto::Hash;

/// The blocks of one device.
#[derive(Debug)]
pub(crate) struct KvPool {
    blocks: Vec<Block>,
    named: BTreeMap<Hash, u32>,
    free: Vec<u32>,
    /// Blocks that hold something and that nobody uses, by when they were used last.
    idle: BTreeMap<u64, u32>,
    /// Blocks promised to sessions and not handed out yet.
    promised: u32,
    uses: u64,
}

#[derive(Clone, Debug, Default)]
struct Block {
    users: u32,
    name: Option<Hash>,
    used: u64,
}

/// A session's blocks on one device: position `p` lies in `blocks[p / BLOCK_TOKENS]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    blocks: Arc<[u32]>,
    promised: u32,
}

impl Table {
    /// The blocks' numbers.
    pub(crate) fn blocks(&self) -> &Arc<[u32]> {
        &self.blocks
    }
}

impl KvPool {
    /// A pool of `blocks`, the last of which is the sink: where rows go whose session has ended
    /// while its batch was under way.
    pub(crate) fn new(blocks: u32) -> Self {
        let usable = blocks.saturating_sub(1);
        Self {
            blocks: vec![Block::default(); usable as usize],
            named: BTreeMap::new(),
            free: (0..usable).rev().collect(),
            idle: BTreeMap::new(),
            promised: 0,
            uses: 0,
        }
    }

    /// The block that nobody owns.
    pub(crate) fn sink(&self) -> u32 {
        self.blocks.len() as u32
    }

    /// Blocks altogether.
    pub(crate) fn len(&self) -> u32 {
        self.blocks.len() as u32
    }

    /// Blocks that a new session could be promised.
    pub(crate) fn available(&self) -> u32 {
        (self.free.len() + self.idle.len()) as u32 - self.promised
    }

    /// How many leading blocks of a prompt are here.
    pub(crate) fn cached(&self, prefix: &[Hash]) -> u32 {
        prefix.iter().take_while(|name| self.named.contains_key(*name)).count() as u32
    }

    /// Makes room for a session of `total` blocks that begins with those named in `prefix`, all of
    /// which are here. `None` if there is none.
    pub(crate) fn open(&mut self, prefix: &[Hash], total: u32) -> Option<Table> {
        let held: Vec<u32> =
            prefix.iter().filter_map(|name| self.named.get(name).copied()).collect();
        let woken = held.iter().filter(|block| self.blocks[**block as usize].users == 0).count();
        let promised = total.saturating_sub(held.len() as u32);
        if promised + woken as u32 > self.available() {
            return None;
        }
        for block in &held {
            self.hold(*block);
        }
        self.promised += promised;
        Some(Table { blocks: held.into(), promised })
    }

    /// Lets a session keep only its first `keep` blocks; the others are promised to it anew.
    /// Whether there was anything to keep them for.
    pub(crate) fn truncate(&mut self, table: &mut Table, keep: usize) -> bool {
        let dropped: Vec<u32> = table.blocks.get(keep..).unwrap_or_default().to_vec();
        if dropped.is_empty() {
            return true;
        }
        for block in &dropped {
            self.drop_use(*block);
        }
        table.blocks = table.blocks[..keep].into();
        let wanted = dropped.len() as u32;
        let fits = wanted <= self.available();
        if fits {
            self.promised += wanted;
            table.promised += wanted;
        }
        fits
    }

    /// Extends a table to `blocks`: first out of what was promised, then out of what is free.
    /// Whether that sufficed.
    pub(crate) fn grow(&mut self, table: &mut Table, blocks: usize) -> bool {
        if blocks <= table.blocks.len() {
            return true;
        }
        let mut grown = table.blocks.to_vec();
        while grown.len() < blocks && (table.promised > 0 || self.available() > 0) {
            let Some(block) = self.free.pop().or_else(|| self.evict()) else { break };
            if table.promised > 0 {
                table.promised -= 1;
                self.promised -= 1;
            }
            self.blocks[block as usize].users = 1;
            grown.push(block);
        }
        table.blocks = grown.into();
        table.blocks.len() == blocks
    }

    /// A session's block is full, and this is its name from now on. If another block has it
    /// already, this one stays nameless.
    pub(crate) fn name(&mut self, table: &Table, index: usize, name: Hash) {
        let Some(block) = table.blocks.get(index).copied() else { return };
        let state = &mut self.blocks[block as usize];
        if state.name.is_none()
            && let Entry::Vacant(place) = self.named.entry(name)
        {
            place.insert(block);
            state.name = Some(name);
        }
    }

    /// A session ends.
    pub(crate) fn close(&mut self, table: Table) {
        self.promised -= table.promised;
        for block in table.blocks.iter() {
            self.drop_use(*block);
        }
    }

    fn hold(&mut self, block: u32) {
        let state = &mut self.blocks[block as usize];
        if state.users == 0 {
            self.idle.remove(&state.used);
        }
        state.users += 1;
    }

    fn drop_use(&mut self, block: u32) {
        self.uses += 1;
        let state = &mut self.blocks[block as usize];
        state.users -= 1;
        state.used = self.uses;
        match (state.users, state.name) {
            (0, Some(_)) => drop(self.idle.insert(self.uses, block)),
            (0, None) => self.free.push(block),
            _ => {}
        }
    }

    fn evict(&mut self) -> Option<u32> {
        let (_, block) = self.idle.pop_first()?;
        if let Some(name) = self.blocks[block as usize].name.take() {
            self.named.remove(&name);
        }
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(count: u8, seed: u8) -> Vec<Hash> {
        (0..count).map(|index| Hash::of(&[seed, index])).collect()
    }

    /// Counts add up: every block is free, idle, or used; promises can be kept.
    fn sound(pool: &KvPool, tables: &[Table]) {
        let used = pool.blocks.iter().filter(|block| block.users > 0).count();
        assert_eq!(pool.free.len() + pool.idle.len() + used, pool.blocks.len());
        assert!(pool.promised as usize <= pool.free.len() + pool.idle.len());
        assert_eq!(pool.promised, tables.iter().map(|table| table.promised).sum::<u32>());
        let uses: u32 = pool.blocks.iter().map(|block| block.users).sum();
        assert_eq!(uses as usize, tables.iter().map(|table| table.blocks.len()).sum::<usize>());
    }

    #[test]
    fn a_follow_up_finds_the_blocks_of_the_turn_before() {
        let (mut pool, prefix) = (KvPool::new(9), names(3, 0));
        let mut table = pool.open(&[], 4).unwrap();
        assert!(pool.grow(&mut table, 3));
        for (index, name) in prefix.iter().enumerate() {
            pool.name(&table, index, *name);
        }
        let first = table.blocks().clone();
        pool.close(table);
        assert_eq!(pool.cached(&prefix), 3);
        let again = pool.open(&prefix, 5).unwrap();
        assert_eq!(again.blocks(), &first);
    }

    #[test]
    fn more_than_there_is_is_not_promised() {
        let mut pool = KvPool::new(5);
        let table = pool.open(&[], 3).unwrap();
        assert!(pool.open(&[], 2).is_none());
        pool.close(table);
        assert!(pool.open(&[], 4).is_some());
    }

    proptest! {
        #[test]
        fn no_block_is_lost_or_owned_twice(steps in prop::collection::vec((0u8..5, 0u8..6, 0u8..4), 1..200)) {
            let mut pool = KvPool::new(13);
            let mut tables: Vec<Table> = Vec::new();
            for (step, which, seed) in steps {
                let index = usize::from(which) % tables.len().max(1);
                match (step, tables.get_mut(index)) {
                    (0, _) => {
                        let prefix = names(which, seed);
                        let here = pool.cached(&prefix) as usize;
                        tables.extend(pool.open(&prefix[..here], u32::from(which) + 2));
                    }
                    (1, Some(table)) => {
                        let blocks = table.blocks.len() + 1;
                        pool.grow(table, blocks);
                    }
                    (2, Some(table)) => {
                        for (at, name) in names(table.blocks.len() as u8, seed).iter().enumerate() {
                            pool.name(table, at, *name);
                        }
                    }
                    (3, Some(table)) => drop(pool.truncate(table, usize::from(seed))),
                    (4, Some(_)) => pool.close(tables.swap_remove(index)),
                    _ => {}
                }
                sound(&pool, &tables);
            }
            tables.drain(..).for_each(|table| pool.close(table));
            prop_assert_eq!(pool.available(), pool.len());
        }
    }
}

//! What is to come: earliest first and, of two at the same time, the one scheduled first.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use swarm_proto::Time;

use crate::world::Entry;

/// Events to come. What is ordered is small: events stay where they are until it is their turn.
#[derive(Default)]
pub(crate) struct Queue {
    /// When, after how many others were scheduled, and where the event is.
    order: BinaryHeap<Reverse<(Time, u64, u32)>>,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    scheduled: u64,
    /// The time of the last event that was taken out,
    now: Time,
    /// and what was scheduled for that time since, which is much of all: it comes after what was
    /// before, in its own order.
    at_once: VecDeque<Entry>,
}

impl Queue {
    /// Schedules an event.
    pub(crate) fn push(&mut self, at: Time, entry: Entry) {
        if at == self.now {
            return self.at_once.push_back(entry);
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() as u32 - 1
        });
        self.entries[place as usize] = Some(entry);
        self.order.push(Reverse((at, self.scheduled, place)));
        self.scheduled += 1;
    }

    /// Takes out the next event, if it is not after `end`.
    pub(crate) fn pop_until(&mut self, end: Time) -> Option<(Time, Entry)> {
        let next = self.order.peek().map(|next| next.0.0);
        if !self.at_once.is_empty() && self.now <= end && next.is_none_or(|at| at > self.now) {
            return self.at_once.pop_front().map(|entry| (self.now, entry));
        }
        let Reverse((at, _, place)) = *self.order.peek().filter(|next| next.0.0 <= end)?;
        self.order.pop();
        self.now = at;
        self.free.push(place);
        let entry = self.entries[place as usize].take();
        Some((at, entry.expect("what is ordered has an event")))
    }

    /// All events, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().flatten().chain(&self.at_once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keys::node_id, world::Event};

    #[test]
    fn the_earliest_goes_first_and_of_two_the_one_scheduled_first() {
        let mut queue = Queue::default();
        for (at, number) in [(5, 0), (1, 1), (5, 2), (1, 3), (9, 4)] {
            let entry = Entry { to: node_id(number), life: 0, via: None, event: Event::Resume };
            queue.push(Time(at), entry);
        }
        let mut order = Vec::new();
        while let Some((at, entry)) = queue.pop_until(Time(8)) {
            order.push((at.0, crate::keys::number_of(entry.to)));
        }
        assert_eq!(order, [(1, 1), (1, 3), (5, 0), (5, 2)]);
        assert_eq!(queue.entries().count(), 1);
    }

    #[test]
    fn what_is_scheduled_for_now_comes_after_what_was_before() {
        let mut queue = Queue::default();
        let push = |queue: &mut Queue, at, number| {
            let entry = Entry { to: node_id(number), life: 0, via: None, event: Event::Resume };
            queue.push(Time(at), entry);
        };
        let pop = |queue: &mut Queue, end| {
            let next = queue.pop_until(Time(end));
            next.map(|(at, entry)| (at.0, crate::keys::number_of(entry.to)))
        };
        [(5, 0), (5, 1), (6, 2)].into_iter().for_each(|(at, number)| push(&mut queue, at, number));
        assert_eq!(pop(&mut queue, 9), Some((5, 0)));
        [(5, 3), (6, 4), (5, 5)].into_iter().for_each(|(at, number)| push(&mut queue, at, number));
        assert_eq!(pop(&mut queue, 4), None);
        let rest: Vec<_> = std::iter::from_fn(|| pop(&mut queue, 9)).collect();
        assert_eq!(rest, [(5, 1), (5, 3), (5, 5), (6, 2), (6, 4)]);
    }
}

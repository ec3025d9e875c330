//! Placements that carry much, by local search over the exact maximum flow.
//!
//! Helix has a solver of mixed-integer programs look for hours. The flow of one placement takes
//! microseconds, so tens of thousands of small changes can be tried in their place: simulated
//! annealing (Kirkpatrick et al., 1983), several times from the best so far.

use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Fleet, FlowError, Hop, Placement, Throughput, even, petals, throughput};

/// How often it is heated up anew.
const HEATS: usize = 6;
/// A loss of this part of the best flow is taken every third time while it is hot; and when cold.
const HOT: f64 = 0.08;
const COLD: f64 = 0.001;
/// What the weakest layer and all layers together count beside the flow: where no change alone
/// makes it larger, some prepare for one that does.
const WEAKEST: f64 = 0.05;
const ALL: f64 = 0.002;

/// The best placement found with so many flows looked at, and what it carries. Hops may enter a
/// range in its midst, as in Helix. The same seed finds the same.
///
/// # Errors
///
/// If the lists of the fleet differ in length, or a rate is no rate.
pub fn helix(
    fleet: &Fleet,
    seed: u64,
    evaluations: usize,
) -> Result<(Placement, Throughput), FlowError> {
    let mut search = Search { fleet, dice: ChaCha8Rng::seed_from_u64(seed) };
    let steps = evaluations / HEATS;
    let start = search.found(even(fleet))?;
    let mut best = search.anneal(start, HOT, steps)?;
    for heat in 1..HEATS {
        let (start, hot) = match heat {
            1 => (search.found(petals(fleet))?, HOT),
            _ => (best.clone(), HOT * f64::from(1 + heat as u32 % 3)),
        };
        let other = search.anneal(start, hot, steps)?;
        if other.worth > best.worth {
            best = other;
        }
    }
    let carried = throughput(fleet, &best.placement, true)?;
    Ok((best.placement, carried))
}

/// A placement and what it is worth.
#[derive(Clone)]
struct Found {
    worth: f64,
    placement: Placement,
    /// The nodes at its bottleneck.
    binding: Vec<usize>,
}

struct Search<'a> {
    fleet: &'a Fleet,
    dice: ChaCha8Rng,
}

impl Search<'_> {
    /// Changes a placement little by little, at first also for the worse; the best on the way.
    fn anneal(&mut self, start: Found, hot: f64, steps: usize) -> Result<Found, FlowError> {
        let (mut best, mut here) = (start.clone(), start);
        for step in 0..steps {
            let part = step as f64 / steps as f64;
            let heat = hot * libm::pow(COLD / hot, part) * best.worth.max(1.0);
            let mut next = here.placement.clone();
            // Mostly one change, of a node at the bottleneck as often as of any.
            loop {
                let any = here.binding.is_empty() || self.dice.random_bool(0.5);
                let node = match any {
                    true => self.dice.random_range(0..next.0.len()),
                    false => here.binding[self.dice.random_range(0..here.binding.len())],
                };
                self.change(&mut next.0, node);
                if self.dice.random_bool(0.7) {
                    break;
                }
            }
            let next = self.found(next)?;
            let loss = here.worth - next.worth;
            if loss <= 0.0 || self.dice.random_range(0.0..1.0) < libm::exp(-loss / heat) {
                here = next;
                if here.worth > best.worth {
                    best.clone_from(&here);
                }
            }
        }
        Ok(best)
    }

    /// The flow, and a little of what it could become.
    fn found(&self, placement: Placement) -> Result<Found, FlowError> {
        let mut served = vec![0.0; self.fleet.layers as usize];
        for (node, range) in placement.0.iter().enumerate() {
            let Some(range) = range else { continue };
            let rate = self.fleet.nodes[node].tokens_per_s[range.len() - 1];
            served[range.start as usize..range.end as usize].iter_mut().for_each(|s| *s += rate);
        }
        let weakest = served.iter().copied().fold(f64::INFINITY, f64::min);
        let all = served.iter().map(|rate| rate.min(4.0 * weakest.max(1.0))).sum::<f64>();
        let flow = throughput(self.fleet, &placement, true)?;
        let worth = flow.tokens_per_s + WEAKEST * weakest + ALL * all / served.len() as f64;
        let binding = flow.cut.iter().flat_map(|hop| match *hop {
            Hop::Entry(node) | Hop::Node(node) | Hop::Exit(node) => vec![node],
            Hop::Link(from, to) => vec![from, to],
        });
        let binding = binding.collect();
        Ok(Found { worth, placement, binding })
    }

    fn change(&mut self, held: &mut [Option<Range<u32>>], node: usize) {
        let room = self.room(node);
        if room == 0 {
            return;
        }
        let layers = self.fleet.layers;
        let Some(range) = held[node].clone() else {
            held[node] = Some(self.anywhere(room));
            return;
        };
        match self.dice.random_range(0..10) {
            0 => held[node] = Some(self.anywhere(room)),
            // Beside where another ends or begins, so that they follow one another.
            1 | 2 => held[node] = self.beside(held, node, range.end - range.start),
            // Two nodes take each other's places, as far as they have room.
            3 => self.swap(held, node),
            // As a whole, one layer on.
            4 | 5 => {
                let on = if self.dice.random_bool(0.5) {
                    range.start + 1
                } else {
                    range.start.saturating_sub(1)
                };
                let start = on.min(layers - (range.end - range.start));
                held[node] = Some(start..start + (range.end - range.start));
            }
            // One end; half the time the neighbour's end moves along.
            _ => self.stretch(held, node, &range),
        }
    }

    fn room(&self, node: usize) -> u32 {
        (self.fleet.nodes[node].max_layers() as u32).min(self.fleet.layers)
    }

    fn anywhere(&mut self, room: u32) -> Range<u32> {
        let count = self.dice.random_range(1..=room);
        let start = self.dice.random_range(0..=self.fleet.layers - count);
        start..start + count
    }

    fn beside(
        &mut self,
        held: &[Option<Range<u32>>],
        node: usize,
        count: u32,
    ) -> Option<Range<u32>> {
        let other = self.dice.random_range(0..held.len());
        let layers = self.fleet.layers;
        let mark = match &held[other] {
            Some(range) if other != node => [range.start, range.end][self.dice.random_range(0..2)],
            _ => [0, layers][self.dice.random_range(0..2)],
        };
        let start = if self.dice.random_bool(0.5) { mark } else { mark.saturating_sub(count) };
        let start = start.min(layers - count);
        Some(start..start + count)
    }

    fn swap(&mut self, held: &mut [Option<Range<u32>>], node: usize) {
        let other = self.dice.random_range(0..held.len());
        held.swap(node, other);
        for place in [node, other] {
            let room = self.room(place);
            if let Some(range) = &mut held[place] {
                range.end = range.end.min(range.start + room);
            }
            held[place] = held[place].take().filter(|range| !range.is_empty());
        }
    }

    fn stretch(&mut self, held: &mut [Option<Range<u32>>], node: usize, range: &Range<u32>) {
        let (longer, first) = (self.dice.random_bool(0.5), self.dice.random_bool(0.5));
        let next = match (first, longer) {
            (true, true) => range.start.saturating_sub(1)..range.end,
            (true, false) => range.start + 1..range.end,
            (false, true) => range.start..(range.end + 1).min(self.fleet.layers),
            (false, false) => range.start..range.end - 1,
        };
        if next.is_empty() || next.end - next.start > self.room(node) {
            return;
        }
        let mark = if first { (range.start, next.start) } else { (range.end, next.end) };
        held[node] = Some(next);
        if !self.dice.random_bool(0.5) {
            return;
        }
        for other in (0..held.len()).filter(|other| *other != node) {
            let room = self.room(other);
            let Some(theirs) = &held[other] else { continue };
            let moved = match first {
                true if theirs.end == mark.0 => theirs.start..mark.1,
                false if theirs.start == mark.0 => mark.1..theirs.end,
                _ => continue,
            };
            if !moved.is_empty() && moved.end - moved.start <= room {
                held[other] = Some(moved);
            }
        }
    }
}

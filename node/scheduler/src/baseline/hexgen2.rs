//! HexGen-2's disaggregation: groups that do prompts, groups that do answers, and the largest flow
//! from the ones to the others.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::{
    draft::{Draft, Route},
    flow::Graph,
    ground::{Ground, Way},
    partitions::aim,
    phase1::{Aim, Depth, Layout, Search},
    phase2::{Decoder, Group, Partition, mutate, seeds},
    place::lanes,
    propose::{Ask, Drafted, Plans},
    rules::Phase,
};

/// Changes that are tried; the end after so many that were no better.
const CHANGES: usize = 300;
const PATIENCE: usize = 100;
/// So many groups are few: of twice as many a quarter of the changes is tried, since each pair is an
/// edge. Of more than so many none are paired.
const GROUPS: usize = 128;
const GROUPS_MAX: usize = 1_024;
/// Capacities are counted in so many parts of a request a second.
const PARTS: f64 = 1e6;
/// The part of a deadline that an answer may take, so that its prompt has the rest.
const ANSWERS: f64 = 0.8;

/// HexGen-2 (Jiang et al., ICLR 2025): groups by our own beginnings, roles by what each is better at,
/// refined by swaps as long as more flows.
pub(crate) struct Hexgen2;

impl Plans for Hexgen2 {
    fn drafts(&self, ground: &Ground, ask: &Ask) -> Drafted {
        let (prompts, answers) = (ground.only(Phase::Prefill), ground.only(Phase::Decode));
        let late = match aim(ask.objective) {
            Aim::Within { latency_ms } => Aim::Within { latency_ms: latency_ms * ANSWERS },
            aim => aim,
        };
        let depth = Depth::Coarse;
        let pair = Pair {
            prompts: Decoder::new(&prompts, Search { aim: Aim::Fastest, depth }),
            answers: Decoder::new(&answers, Search { aim: late, depth }),
        };
        let mut random = ChaCha8Rng::seed_from_u64(ask.seed);
        let few = |partition: &Partition| partition.groups.len() <= GROUPS_MAX;
        let begun =
            seeds(&pair.answers).into_iter().filter(few).map(|partition| pair.flow(partition));
        let Some(mut best) = begun.max_by(|a, b| a.rate.total_cmp(&b.rate)) else {
            return Drafted::default();
        };
        let (mut evaluations, mut since) = (0, 0);
        let groups = best.partition.groups.len().max(GROUPS);
        let changes = CHANGES * GROUPS * GROUPS / groups / groups;
        while evaluations < changes && since < PATIENCE {
            let next = mutate(&pair.answers, &mut random, &best.partition, (true, false));
            let next = pair.flow(next);
            (evaluations, since) = (evaluations + 1, since + 1);
            if next.rate > best.rate {
                (best, since) = (next, 0);
            }
        }
        let drafts = (best.rate > 0.0).then(|| best.draft(ground)).into_iter().collect();
        Drafted { drafts, evaluations, ..Drafted::default() }
    }
}

/// Phase 1 for prompts and for answers.
struct Pair<'a> {
    prompts: Decoder<'a>,
    answers: Decoder<'a>,
}

/// What a group is for prompts, and what for answers.
type Able<'a> = (Layout, Layout, &'a Group);

/// Groups with roles, and what flows.
struct Flowing {
    partition: Partition,
    /// Prompts and answers, and what each group does as such a pipeline.
    layouts: Vec<(Phase, Layout)>,
    /// From which layout to which, and requests a second.
    routes: Vec<(usize, usize, f64)>,
    rate: f64,
}

impl Pair<'_> {
    /// Who is relatively best at prompts does prompts, the others answers, at the cut between them
    /// that lets the most through.
    fn flow(&self, partition: Partition) -> Flowing {
        let mut able: Vec<Able<'_>> = partition
            .groups
            .iter()
            .filter_map(|group| {
                let prompts = self.prompts.front(group).first().cloned()?;
                // In the order of their times, and so of their periods.
                let answers = self.answers.front(group).last().cloned()?;
                Some((prompts, answers, group))
            })
            .collect();
        let ratio = |(prompts, answers, _): &Able<'_>| prompts.period_ms / answers.period_ms;
        able.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
        let mut best = (0.0, Vec::new(), 0);
        for (most, cut) in cuts(&able) {
            // No other lets more through.
            if most <= best.0 {
                break;
            }
            let (rate, routes) = self.through(&able, cut);
            if rate > best.0 {
                best = (rate, routes, cut);
            }
        }
        let (rate, routes, cut) = best;
        let role = |(place, (prompts, answers, _)): (usize, &Able<'_>)| match place < cut {
            true => (Phase::Prefill, prompts.clone()),
            false => (Phase::Decode, answers.clone()),
        };
        let layouts = able.iter().enumerate().map(role).collect();
        Flowing { layouts, routes, rate, partition }
    }

    /// The largest flow with so many groups for prompts.
    fn through(&self, able: &[Able<'_>], cut: usize) -> (f64, Vec<(usize, usize, f64)>) {
        let units = |period_ms: f64| (1e3 / period_ms * PARTS).min(1e15) as u64;
        let (source, sink) = (able.len(), able.len() + 1);
        let mut graph = Graph::new(able.len() + 2);
        for (place, (prompts, answers, _)) in able.iter().enumerate() {
            if place < cut {
                graph.edge(source, place, units(prompts.period_ms));
            } else {
                graph.edge(place, sink, units(answers.period_ms));
            }
        }
        let pairs: Vec<(usize, usize)> =
            (0..cut).flat_map(|from| (cut..able.len()).map(move |to| (from, to))).collect();
        for (from, to) in &pairs {
            let ms = self.handover_ms(able[*from].2, able[*to].2);
            graph.edge(*from, *to, if ms > 0.0 { units(ms) } else { u64::MAX >> 8 });
        }
        let flow = graph.max_flow(source, sink);
        let rate = |units: u64| units as f64 / PARTS;
        let routes = pairs.iter().zip(&flow.on_edge[able.len()..]).filter(|(_, units)| **units > 0);
        let routes = routes.map(|((from, to), units)| (*from, *to, rate(*units))).collect();
        (rate(flow.value), routes)
    }

    /// A prompt's KV cache on the best way between two groups: many machines share it out, so that
    /// the way between two of them is the longest it can take.
    fn handover_ms(&self, from: &Group, to: &Group) -> f64 {
        let ground = self.answers.ground;
        let bytes = ground.prompt_cache_bytes() * f64::from(ground.model.layers);
        let machine = |class: usize| ground.classes[class].machines[0];
        let ways =
            from.iter().flat_map(|(a, _)| to.iter().map(move |(b, _)| (machine(*a), machine(*b))));
        let time = |way: Option<Way>| way.map_or(f64::INFINITY, |way| bytes / way.bytes_per_ms);
        ways.map(|(a, b)| if a == b { 0.0 } else { time(ground.way(a, b)) })
            .fold(f64::INFINITY, f64::min)
    }
}

/// Where to cut between prompts and answers, and what either side can do at most: the most first.
fn cuts(able: &[Able<'_>]) -> Vec<(f64, usize)> {
    let sum = |of: &[Able<'_>], period: fn(&Able<'_>) -> f64| {
        of.iter().map(|group| 1e3 / period(group)).sum::<f64>()
    };
    let most = |cut: usize| {
        let (prompts, answers) = able.split_at(cut);
        sum(prompts, |(layout, ..)| layout.period_ms)
            .min(sum(answers, |(_, layout, _)| layout.period_ms))
    };
    let mut cuts: Vec<(f64, usize)> = (1..able.len()).map(|cut| (most(cut), cut)).collect();
    cuts.sort_by(|a, b| b.0.total_cmp(&a.0));
    cuts
}

impl Flowing {
    fn draft(&self, ground: &Ground) -> Draft {
        let used =
            |place: usize| self.routes.iter().any(|(from, to, _)| [*from, *to].contains(&place));
        let kept: Vec<usize> = (0..self.layouts.len()).filter(|place| used(*place)).collect();
        let layouts: Vec<(Phase, &Layout)> =
            kept.iter().map(|place| (self.layouts[*place].0, &self.layouts[*place].1)).collect();
        let number = |place: usize| kept.binary_search(&place).unwrap_or(0);
        let route = |(from, to, weight): &(usize, usize, f64)| Route {
            lanes: vec![number(*from), number(*to)],
            weight: *weight,
        };
        Draft { lanes: lanes(ground, &layouts), routes: self.routes.iter().map(route).collect() }
    }
}

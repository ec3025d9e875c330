//! Pipelines that share nothing: a partition of the devices, and a pipeline for each part.

use std::{collections::BTreeSet, rc::Rc};

use crate::{
    again::{Judges, by_score},
    beside::beside,
    care::Careful,
    draft::Draft,
    ground::{Ground, TEAM_DEVICES_MAX},
    islands::{HEXGEN, Island, RANDOM, chains, hurried, progress, regrouped},
    phase1::{Aim, Depth, Layout, Search},
    phase2::{
        Decoder, Effort, Found, Judge, Judged, Objective, Partition, Score, chosen, climb, every,
        gather, genetic, regions,
    },
    place::draft,
    propose::{Ask, Drafted, Planner, Plans, TOLD_REQUESTS},
};

/// How long it is searched when little has changed.
const WARM: Effort = Effort { population: 16, evaluations: 40, patience: 40, guided: 8, ..HEXGEN };
/// Judgements of small steps when little has changed, and how many others are judged again.
const CLIMB_WARM: usize = 200;
const OTHERS_WARM: usize = 1;
/// Of so many devices a partition that was known is laid out with care, too.
const KNOWN_DEVICES_MAX: usize = 48;
/// Requests that the search serves.
const TRIAL_REQUESTS: usize = 1_000;

/// So many of the best of all chains are told of as they are; and so many partitions are laid out with
/// care: the best of each chain, then the second of each, and the third. Of those so many are told of.
const TOLD: usize = 4;
const CAREFUL: usize = 48;
const CAREFUL_TOLD: usize = 12;
const RANKS: usize = 3;
/// Of more kinds of devices what is near the best is laid out with care, too.
const FEW_KINDS: usize = 7;
/// Of more devices than this fewer partitions are judged, and more roughly. A swarm has less time: it
/// waits for its plan.
const MANY_DEVICES: usize = 192;
pub(crate) const FEW_DEVICES: usize = 64;

/// HexGen's two phases, as the planner that is asked for has them.
pub(crate) struct Partitions;

impl Plans for Partitions {
    fn drafts(&self, ground: &Ground, ask: &Ask) -> Drafted {
        drafts(ground, ask, || ()).0
    }
}

/// Drafts, and what something else gives, which is done at the same time.
pub(crate) fn drafts<T: Send>(
    ground: &Ground,
    ask: &Ask,
    other: impl Fn() -> T + Sync,
) -> (Drafted, T) {
    let (ours, all) = (ask.planner.ours(), all(ground, ask));
    // One of two islands is searched by a second thread, which changes nothing in what is found.
    let apart = || match ours && !all {
        true => {
            let decoder = decoder(ground, ask);
            let found = chains(&decoder, &judges(ground, ask), (Island::Random, ask));
            let known = if hurried(&decoder, ask) { Vec::new() } else { decoder.taught() };
            (found, known)
        }
        false => (Vec::new(), Vec::new()),
    };
    beside(apart, other, |apart| {
        run(ground, ask, None, |decoder, judges| match all {
            true => vec![judges.again(decoder, every(decoder, &judges.trial))],
            false if ours => {
                let mut found = chains(decoder, judges, (Island::Hexgen, ask));
                let (theirs, known) = apart();
                found.extend(theirs);
                decoder.learn(known);
                if !hurried(decoder, ask) {
                    found.extend(regrouped(decoder, judges, &found));
                }
                found
            }
            false => vec![judges.again(decoder, search(decoder, &judges.trial, ask))],
        })
    })
}

/// The same near some that are known, as groups of devices.
pub(crate) fn near(ground: &Ground, ask: &Ask, groups: &[Vec<usize>]) -> Drafted {
    let known = Partition::of_spots(ground, groups);
    run(ground, ask, Some(&known), |decoder, judges| {
        if small(ground) {
            return vec![judges.again(decoder, every(decoder, &judges.trial))];
        }
        let known = known.clone();
        let mut whole = known.clone();
        gather(decoder, &mut whole);
        let mut found = genetic(decoder, &judges.trial, vec![known, whole], WARM, ask.seed);
        // Time is short.
        found.others.truncate(OTHERS_WARM);
        vec![judges.again(decoder, climb(decoder, &judges.trial, found, CLIMB_WARM))]
    })
}

fn small(ground: &Ground) -> bool {
    ground.spots.len() <= TEAM_DEVICES_MAX
}

fn judges(ground: &Ground, ask: &Ask) -> Judges {
    // Where every partition is looked at there is time to serve each as often as is told of.
    let requests = if small(ground) { TOLD_REQUESTS } else { TRIAL_REQUESTS };
    Judges::new(ask.objective, ground.workload.requests_per_s, (ask.seed, requests))
}

fn decoder<'a>(ground: &'a Ground, ask: &Ask) -> Decoder<'a> {
    Decoder::new(ground, Search { aim: aim(ask.objective), depth: depth(ground, ask) })
}

/// Whether every partition is looked at.
fn all(ground: &Ground, ask: &Ask) -> bool {
    ask.planner == Planner::Exhaustive || ask.planner.ours() && small(ground)
}

fn depth(ground: &Ground, ask: &Ask) -> Depth {
    match all(ground, ask) {
        // With batches it would not be exact in any case, and take long.
        true if ground.rules.batch_max == 1 => Depth::Exact,
        true => Depth::Fine,
        false if ask.planner == Planner::Default && ground.devices() > MANY_DEVICES => Depth::Rough,
        false if ask.planner == Planner::Replicas && ground.devices() > FEW_DEVICES => Depth::Rough,
        false => Depth::Coarse,
    }
}

/// Drafts of the partitions that a search finds, and of one that is known.
fn run(
    ground: &Ground,
    ask: &Ask,
    known: Option<&Partition>,
    search: impl FnOnce(&Decoder<'_>, &Judges) -> Vec<Found>,
) -> Drafted {
    let (decoder, judges) = (decoder(ground, ask), judges(ground, ask));
    let mut found = search(&decoder, &judges);
    let (progress, mut evaluations) = progress(&found);
    found.retain(|found| found.judged.score != Score::WORST);
    found.sort_by(|a, b| by_score(b.judged.score, a.judged.score));
    let firsts = distinct(found.iter(), |found| &found.partition);
    let Some(best) = found.first() else {
        return Drafted { evaluations, ..Drafted::default() };
    };
    // Replicas that share a link are told to wait for each other there, which no judge knows of.
    let told = if ask.planner.ours() { TOLD } else { 1 };
    let plainly =
        |found: &&Found| laid_out(ground, &decoder.fronts(&found.partition), &found.judged);
    let mut drafts: Vec<Draft> = firsts.iter().take(told).map(plainly).collect();
    if ask.planner.ours() && decoder.search.depth == Depth::Coarse {
        // The second of each chain, then the third.
        let rank = |n: usize| found.iter().filter_map(move |found| found.others.get(n));
        let firsts = firsts.iter().map(|found| &found.partition);
        let mut all: Vec<&Partition> = match known {
            None => distinct(firsts.chain((0..RANKS).flat_map(rank)), |partition| partition),
            // Of more devices there is no time for it, where a plan is to be mended soon.
            Some(_) if ground.devices() > KNOWN_DEVICES_MAX => firsts.collect(),
            Some(known) => distinct(firsts.chain([known]), |partition| partition),
        };
        let many = ground.classes.len() > FEW_KINDS;
        all.truncate(CAREFUL);
        let mut careful = Careful::new(ground, decoder.search.aim, &judges);
        careful.look(all.into_iter().cloned().collect());
        // Where a plan is to be mended there is no time for more.
        if known.is_none() && !hurried(&decoder, ask) {
            careful.look_regrouped();
            if many {
                careful.look_near(&decoder);
                careful.look_regrouped();
            }
        }
        let better = careful.all.iter().filter(|(judged, _)| judged.score > best.judged.score);
        let draft = |(judged, partition): &(Judged, Partition)| {
            laid_out(ground, &careful.fronts(partition), judged)
        };
        drafts.extend(better.take(CAREFUL_TOLD).map(draft));
        evaluations += careful.evaluations;
    }
    Drafted { drafts, evaluations, progress }
}

/// The first of each partition, in the same order.
fn distinct<'a, T>(
    all: impl Iterator<Item = &'a T>,
    partition: impl Fn(&'a T) -> &'a Partition,
) -> Vec<&'a T> {
    let mut seen = BTreeSet::new();
    all.filter(|one| seen.insert(partition(one))).collect()
}

/// Which pipelines are of use for an objective.
pub(crate) fn aim(objective: Objective) -> Aim {
    match objective {
        Objective::Slo { deadline_ms } => Aim::Within { latency_ms: deadline_ms },
        Objective::Throughput => Aim::Busiest,
        Objective::Latency => Aim::Fastest,
    }
}

fn laid_out(ground: &Ground, fronts: &[Rc<Vec<Layout>>], judged: &Judged) -> Draft {
    draft(ground, chosen(fronts, &judged.choice).collect())
}

/// HexGen's search, the one at random, or only what they begin with.
fn search(decoder: &Decoder<'_>, judge: &Judge, ask: &Ask) -> Found {
    let effort = match ask.planner {
        Planner::Hexgen => HEXGEN,
        Planner::HexgenRandom => RANDOM,
        _ => Effort { evaluations: 0, ..HEXGEN },
    };
    genetic(decoder, judge, vec![regions(decoder.ground)], effort, ask.seed)
}

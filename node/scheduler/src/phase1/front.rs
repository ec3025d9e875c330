//! The pipelines of a group that no other is better than in both time and throughput.

use super::{RUN_MAX, Tables, join::ORDERED_MAX, lay::Lay, layout::Layout};
use crate::ground::Ground;

/// Which pipelines of a group are looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Aim {
    /// The one with the lowest time of a request, alone.
    Fastest,
    /// The one with the least period.
    Busiest,
    /// All that no other is better than, and that take at most so long for a request.
    Within {
        /// A request, alone.
        latency_ms: f64,
    },
}

impl Aim {
    /// What takes longer is of no use.
    pub(super) fn latest_ms(self) -> f64 {
        match self {
            Self::Within { latency_ms } => latency_ms,
            _ => f64::INFINITY,
        }
    }
}

/// What is looked for, and how deeply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Search {
    pub(crate) aim: Aim,
    pub(crate) depth: Depth,
}

/// Which batches and which limits of a stage's time are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Very few, for very many devices.
    Rough,
    /// Few.
    Coarse,
    /// Many.
    Fine,
    /// All limits, and whatever else it takes to be exact.
    Exact,
}

impl Depth {
    pub(super) fn exact(self) -> bool {
        self == Self::Exact
    }

    /// Each batch is so many times the one before.
    pub(super) fn batch_step(self) -> u32 {
        match self {
            Self::Rough => 8,
            Self::Coarse => 4,
            Self::Fine | Self::Exact => 2,
        }
    }

    /// Limits are powers of this, so that groups share them and their tables.
    pub(super) fn limit_step(self) -> f64 {
        match self {
            Self::Rough => 0.6,
            Self::Coarse => 0.75,
            Self::Fine | Self::Exact => 0.9,
        }
    }

    /// Up to so many classes every order is looked at; above, a few.
    pub(super) fn ordered_max(self) -> usize {
        match self {
            Self::Rough | Self::Coarse => 3,
            Self::Fine | Self::Exact => ORDERED_MAX,
        }
    }

    /// Of more classes, how many orders.
    pub(super) fn starts(self) -> usize {
        match self {
            Self::Rough | Self::Coarse => 2,
            Self::Fine | Self::Exact => 4,
        }
    }

    /// The most pipelines kept for a group and a batch.
    pub(super) fn front_max(self) -> usize {
        match self {
            Self::Rough => 4,
            Self::Coarse => 12,
            Self::Fine => 20,
            Self::Exact => usize::MAX,
        }
    }
}

/// The front of a group: so many devices of each class, in the order of their times.
pub(crate) fn front(
    ground: &Ground,
    tables: &Tables<'_>,
    group: &[(usize, usize)],
    search: Search,
) -> Vec<Layout> {
    let found = laid_out(ground, tables, group, search);
    let latest_ms = search.aim.latest_ms();
    let settled = found.into_iter().map(|layout| layout.settled(ground));
    let mut all: Vec<Layout> = settled.filter(|layout| layout.latency_ms <= latest_ms).collect();
    all.sort_by(|a, b| {
        a.latency_ms.total_cmp(&b.latency_ms).then(a.period_ms.total_cmp(&b.period_ms))
    });
    if search.aim == Aim::Busiest {
        let least = all.iter().min_by(|a, b| a.period_ms.total_cmp(&b.period_ms)).cloned();
        return least.into_iter().collect();
    }
    let kept = (0..all.len()).filter(|n| !all.iter().any(|other| all[*n].beaten_by(other)));
    let mut kept: Vec<Layout> = kept.map(|n| all[n].clone()).collect();
    kept.dedup_by(|a, b| (a.latency_ms, a.period_ms) == (b.latency_ms, b.period_ms));
    kept
}

/// Layouts with every batch and every limit that is looked at.
fn laid_out(
    ground: &Ground,
    tables: &Tables<'_>,
    group: &[(usize, usize)],
    search: Search,
) -> Vec<Layout> {
    let batches = match search {
        Search { aim: Aim::Fastest, .. } => vec![1],
        Search { depth, .. } => ground.rules.batches(depth.batch_step()),
    };
    // Longer runs have no tables; who is left over is idle, or in another pipeline.
    let few = |(class, count): &(usize, usize)| (*class, (*count).min(RUN_MAX));
    let group: &[(usize, usize)] = &group.iter().map(few).collect::<Vec<_>>();
    let lays =
        batches.into_iter().map(|batch| Lay { ground, tables, group, search, batch, stages: 1 });
    if search.aim == Aim::Busiest && !search.depth.exact() {
        // The largest batch mostly has the least period: the others have that to beat.
        let better = |best: Option<Layout>, lay: Lay<'_>| lay.busiest(best);
        return lays.rev().fold(None, better).into_iter().collect();
    }
    let mut all: Vec<Layout> = Vec::new();
    let mut stages = 1;
    for lay in lays {
        // Larger batches have less room for layers, and so mostly no fewer stages.
        let found = Lay { stages, ..lay }.all();
        let Some(fastest) = found.first() else {
            break; // nor is there room or time for more
        };
        stages = fastest.stages.len().next_power_of_two();
        all.extend(found);
    }
    all
}

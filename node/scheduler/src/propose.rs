//! The search for pipelines, as each planner has it.

use crate::{
    baseline::{Helix, Hexgen2, Parallax, Petals, Symmetric},
    draft::Draft,
    ground::Ground,
    measure::usable,
    partitions::{self, Partitions},
    phase2::Objective,
    proposal::{Proposal, tell},
};

/// Requests that a plan is told by.
pub(crate) const TOLD_REQUESTS: usize = 8_000;
/// Flows that Helix's search looks at; and ours, beside all else, times devices.
const HELIX_EVALUATIONS: usize = 400_000;
const SHARE_EVALUATIONS: usize = 200_000;
const SHARE_EVALUATIONS_MAX: usize = 8_000;
/// Of more devices than this others' planners are not tried beside ours.
const OTHERS_DEVICES_MAX: usize = 128;

/// Which search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planner {
    /// The best we have.
    Default,
    /// The best of replicas that share nothing, each of which does all of a request: what a swarm
    /// can run.
    Replicas,
    /// HexGen's: K-means, then merge, split and swap.
    Hexgen,
    /// HexGen's baseline: the same loop with mutations that know nothing.
    HexgenRandom,
    /// HexGen's beginning alone.
    HexgenInitial,
    /// Every partition.
    Exhaustive,
    /// One degree and equal layers for all stages of a pipeline.
    Symmetric,
    /// Petals' rule: each server takes the weakest layers.
    Petals,
    /// Helix's objective: the placement with the largest flow.
    Helix,
    /// HexGen-2's: prompts and answers on devices of their own.
    Hexgen2,
    /// Parallax's allocation: few stages, layers by speed.
    Parallax,
}

impl Planner {
    /// Whether it is ours.
    pub fn ours(self) -> bool {
        matches!(self, Self::Default | Self::Replicas)
    }
}

/// What to plan for, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
    /// Which search.
    pub planner: Planner,
    /// What the plan is to be good at.
    pub objective: Objective,
    /// For what is drawn by lot.
    pub seed: u64,
}

/// What a planner found: drafts, of which the best is told.
#[derive(Default)]
pub(crate) struct Drafted {
    pub(crate) drafts: Vec<Draft>,
    /// What was judged on the way, and the best score whenever it rose.
    pub(crate) evaluations: usize,
    pub(crate) progress: Vec<(usize, f64)>,
}

/// A way to plan.
pub(crate) trait Plans {
    /// Drafts for a ground that is sane; none if the model fits nowhere.
    fn drafts(&self, ground: &Ground, ask: &Ask) -> Drafted;
}

/// The best plan found; none if the model fits nowhere.
pub fn propose(ground: &Ground, ask: &Ask) -> Option<Proposal> {
    let planner: &dyn Plans = match ask.planner {
        Planner::Default => &Best,
        Planner::Symmetric => &Symmetric,
        Planner::Petals => &Petals,
        Planner::Helix => &Helix { evaluations: HELIX_EVALUATIONS },
        Planner::Hexgen2 => &Hexgen2,
        Planner::Parallax => &Parallax,
        _ => &Partitions,
    };
    let found = told_of(ground, ask, || planner.drafts(ground, ask));
    if found.is_some() || !ask.planner.ours() || ask.objective == Objective::Latency {
        return found;
    }
    // The fastest pipeline alone, if that is in time.
    let fastest = Ask { objective: Objective::Latency, ..*ask };
    told_of(ground, ask, || Partitions.drafts(ground, &fastest))
}

/// The best pipelines found near some that are known, as groups of devices: when a few devices have
/// come or gone. What is in no group is free.
pub fn propose_from(ground: &Ground, ask: &Ask, groups: &[Vec<usize>]) -> Option<Proposal> {
    told_of(ground, ask, || partitions::near(ground, ask, groups))
}

fn told_of(ground: &Ground, ask: &Ask, drafts: impl FnOnce() -> Drafted) -> Option<Proposal> {
    if !ground.sane() {
        return None;
    }
    let Drafted { drafts, evaluations, progress } = drafts();
    let score = |told: &Proposal| told.score(ask, ground.workload.requests_per_s);
    // What serves much and is always late is no answer.
    let in_time = |told: &Proposal| match ask.objective {
        Objective::Slo { deadline_ms } => {
            told.routes.iter().any(|route| route.latency_ms <= deadline_ms)
        }
        _ => true,
    };
    let mut best: Option<Proposal> = None;
    for draft in drafts.into_iter().filter_map(|draft| usable(ground, draft)) {
        let told = tell(ground, ask, &draft);
        if in_time(&told) && best.as_ref().is_none_or(|best| score(&told) > score(best)) {
            best = Some(told);
        }
    }
    best.map(|best| Proposal { evaluations, progress, ..best })
}

/// Ours: the best of our own search, of stages that requests share, and of prompts and answers apart.
struct Best;

impl Plans for Best {
    fn drafts(&self, ground: &Ground, ask: &Ask) -> Drafted {
        let evaluations = SHARE_EVALUATIONS / ground.devices().max(1);
        let evaluations = evaluations.min(SHARE_EVALUATIONS_MAX);
        let apart: &[&(dyn Plans + Sync)] = match ask.objective {
            // Of very many devices others take too long. A request alone has nothing to share.
            _ if ground.devices() > OTHERS_DEVICES_MAX => &[],
            Objective::Latency => &[&Hexgen2],
            _ => &[&Symmetric, &Petals, &Parallax, &Hexgen2, &Helix { evaluations }],
        };
        let others = || apart.iter().map(|planner| planner.drafts(ground, ask)).collect::<Vec<_>>();
        let (mut found, apart) = partitions::drafts(ground, ask, others);
        found.drafts.extend(apart.into_iter().flat_map(|other| other.drafts));
        found
    }
}

//! Claims on how one pool or planner does beside another.

use super::{
    claim::Claim,
    claims::{ABSTRACT, Facts, SUMMARY},
    extent::DRAWN,
    ratios::{Aim, Factors, deadlines, rates},
    runs::PaperError,
    spot::Spot,
    system::System,
};

/// What one has more of than another: its name, and how it is read.
type Kind = (&'static str, fn(&Facts<'_>, System, System) -> Factors);
const RATE: Kind = ("request rate", rates);
const DEADLINE: Kind = ("earlier deadline", deadlines);

/// Of what, of whom over whom; what was published, in words and as a figure.
type Told = (Kind, System, System, &'static str, Aim);

/// Claims that are known from one place, are told by one figure, and have the same reasons.
struct Group {
    source: &'static str,
    figure: u32,
    why: &'static str,
    /// What is said beside it if ours has more on average.
    more: &'static str,
    told: &'static [Told],
}

const LAYOUT: &str = "how the paper laid out its sixteen A100 is not known: both layouts are run";
const NO_BATCHES: &str = "none: the paper's engine has no batches";
const FAR: &str = "still far above Petals (10x at half the price)";

use Aim::{Par, Times, Unknown};
use System::{
    Full, FullBatched, Half, HalfBatched, Less3090, LessA6000, OursFull, OursHalf, Petals,
    PetalsBatched, Symmetric, SymmetricBatched, Tgi, Tp4, Tp4Batched, Tp8, Tp8Batched,
};

const GROUPS: [Group; 7] = [
    Group {
        source: ABSTRACT,
        figure: 2,
        why: LAYOUT,
        more: "",
        told: &[
            (DEADLINE, Full, Tp8, "up to 2.3x, average 1.5x", Times(2.3, Some(1.5))),
            (RATE, Full, Tp8, "up to 4x, average 2x", Times(4.0, Some(2.0))),
            (DEADLINE, Full, Tp4, "up to 2.3x, average 1.5x", Times(2.3, Some(1.5))),
            (RATE, Full, Tp4, "up to 4x, average 2x", Times(4.0, Some(2.0))),
        ],
    },
    Group {
        source: SUMMARY,
        figure: 2,
        why: LAYOUT,
        more: "",
        told: &[
            (RATE, Half, Tp8, "about equal, slightly better", Par),
            (RATE, Half, Tp4, "about equal, slightly better", Par),
        ],
    },
    Group {
        source: SUMMARY,
        figure: 2,
        why: "both planned by the paper's sums for each deadline",
        more: "",
        told: &[
            (DEADLINE, Full, Symmetric, "up to 1.8x", Times(1.8, None)),
            (RATE, Full, Symmetric, "up to 2x", Times(2.0, None)),
        ],
    },
    Group {
        source: SUMMARY,
        figure: 3,
        why: "Petals' servers come machine by machine, which is kind to it; a server that no whole \
              chain has is left out; its own batches and time-outs are not modelled",
        more: "",
        told: &[
            (DEADLINE, Half, Petals, "up to 3.5x", Times(3.5, None)),
            (RATE, Half, Petals, "up to 10x", Times(10.0, None)),
        ],
    },
    Group {
        source: SUMMARY,
        figure: 7,
        why: "TGI is taken for four replicas of TP 4 with continuous batching, which its version 1.1 \
              has; the paper's engine has none, and at high rates that decides",
        more: "",
        told: &[(DEADLINE, Full, Tgi, "on par, up to 1.25x", Par)],
    },
    Group {
        source: SUMMARY,
        figure: 4,
        why: "which four cards is not known; both tried are planned anew",
        more: "; fewer cards come out better than all, which could leave four idle: so the search of all 58 \
               missed plans",
        told: &[
            (RATE, LessA6000, Full, "only slightly less", Par),
            (RATE, Less3090, Full, "only slightly less", Par),
            (RATE, LessA6000, Petals, FAR, Times(10.0, None)),
            (RATE, Less3090, Petals, FAR, Times(10.0, None)),
        ],
    },
    Group {
        source: "nowhere",
        figure: 8,
        why: "the plans of the paper's planner, which knows no batches, on an engine that has them; at \
              one scale of deadlines and up to 32 requests/s: who serves all of them would serve more",
        more: "",
        told: &[
            (RATE, FullBatched, Tp8Batched, NO_BATCHES, Unknown),
            (RATE, FullBatched, Tp4Batched, NO_BATCHES, Unknown),
            (RATE, HalfBatched, Tp8Batched, NO_BATCHES, Unknown),
            (RATE, HalfBatched, Tp4Batched, NO_BATCHES, Unknown),
            (RATE, FullBatched, SymmetricBatched, NO_BATCHES, Unknown),
            (RATE, HalfBatched, PetalsBatched, NO_BATCHES, Unknown),
            (RATE, OursFull, FullBatched, NO_BATCHES, Unknown),
            (RATE, OursHalf, HalfBatched, NO_BATCHES, Unknown),
        ],
    },
];

/// All claims of which both sides were run.
pub(super) fn pools(facts: &Facts<'_>) -> Result<Vec<Claim>, PaperError> {
    let ran = |system| facts.runs.curve(system, facts.extent.middle(), DRAWN).is_some();
    let told = GROUPS.iter().flat_map(|group| group.told.iter().map(move |told| (group, told)));
    let told = told.filter(|(_, (_, of, over, ..))| ran(*of) && ran(*over));
    told.map(|(group, told)| group.claim(facts, told)).collect()
}

impl Group {
    fn claim(&self, facts: &Facts<'_>, told: &Told) -> Result<Claim, PaperError> {
        let ((what, read), of, over, published, aim) = *told;
        let factors = read(facts, of, over);
        // Of those that are told to be far apart, more is no wonder.
        let more = if aim == Par && factors.mean() > 1.0 { self.more } else { "" };
        let commands = factors.spots().iter().map(|spot: &Spot| spot.command(facts.extent));
        let seeds = facts.extent.seeds_of(of);
        Ok(Claim {
            what: format!("{what}: {} over {}", of.label(), over.label()),
            published: published.to_owned(),
            source: self.source,
            ours: factors.said(),
            verdict: factors.verdict(aim),
            why: format!("{}{more}", self.why),
            figure: self.figure,
            seeds: [seeds.start, seeds.end],
            commands: commands.collect::<Result<_, _>>()?,
        })
    }
}

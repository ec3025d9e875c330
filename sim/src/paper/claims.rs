//! The claims of the paper, one by one.

use super::{
    case::{CaseStudy, DELAYS_MS},
    claim::{Claim, Verdict},
    estimate::{self, Estimate},
    extent::{DRAWN, Extent},
    followups::FollowUps,
    ratios::{Factors, deadlines, rates},
    runs::Runs,
    search::{Convergence, SearchTime},
    system::System,
};

/// All that was measured.
pub(super) struct Facts<'a> {
    pub(super) extent: &'a Extent,
    pub(super) runs: &'a Runs,
    pub(super) case: Option<CaseStudy>,
    pub(super) search: Option<Convergence>,
    pub(super) time: Option<SearchTime>,
    pub(super) estimate: Option<Estimate>,
    pub(super) followups: Option<FollowUps>,
}

/// Where a published value is known from.
const ABSTRACT: &str = "the paper's abstract and a summary of its text";
const SUMMARY: &str = "a summary of the paper's text";
const CHAT: &str = "a summary of the ICML text";

/// Where the case study's factors come out, by the delay between machines.
const CASE_DELAY: usize = 2;

/// Every claim that something was measured for.
pub(super) fn all(facts: &Facts<'_>) -> Vec<Claim> {
    let mut claims = Vec::new();
    claims.extend(facts.case.as_ref().map(case).into_iter().flatten());
    claims.extend(pools(facts));
    claims.extend(facts.search.as_ref().map(search));
    claims.extend(facts.time.as_ref().map(time));
    claims.extend(facts.estimate.as_ref().map(estimated));
    claims.extend(facts.followups.as_ref().map(FollowUps::claims).into_iter().flatten());
    claims
}

fn case(study: &CaseStudy) -> [Claim; 2] {
    let [pp8, tp4] = study.factors(CASE_DELAY);
    let spans = |which: usize| {
        let all = (0..DELAYS_MS.len()).map(|place| format!("{:.1}x", study.factors(place)[which]));
        all.collect::<Vec<_>>().join(", ")
    };
    let delays = DELAYS_MS.map(|ms| format!("{ms} ms")).join(", ");
    let claim = |what: &str, published: f64, ours: f64, which: usize, why: &str| Claim {
        what: format!("case study: TP 4, 2, 2 with 48, 20, 12 layers over {what}"),
        published: format!("up to {published}x sooner"),
        source: CHAT,
        ours: format!("{ours:.1}x with {} ms between machines", DELAYS_MS[CASE_DELAY]),
        verdict: Verdict::of_factor(published, ours),
        why: format!("{why}; with {delays} between machines it is {}", spans(which)),
        figure: 1,
    };
    let order = "which factor belongs to which layout is a reading of the summary";
    let ring =
        "the paper's exchange goes round a ring, six delays each; ours goes directly, one delay";
    [
        claim("eight stages of one card", 2.0, pp8, 0, order),
        claim("two stages of TP 4", 19.0, tp4, 1, ring),
    ]
}

/// Claims about how one pool or planner does beside another.
fn pools(facts: &Facts<'_>) -> Vec<Claim> {
    let mut claims = Vec::new();
    let ran = |system: System| {
        let (output, scale) = (facts.extent.middle(), DRAWN);
        facts.runs.curve(system, output, scale).is_some()
    };
    let mut tell = |of: System, over: System, told: Told| {
        if ran(of) && ran(over) {
            claims.push(told.claim(facts, of, over));
        }
    };
    let layout = "how the paper laid out its sixteen A100 is not known: both layouts are run";
    for over in [System::Tp8, System::Tp4] {
        tell(
            System::Full,
            over,
            Told::new(DEADLINE, "up to 2.3x, average 1.5x", Some(2.3), ABSTRACT, 2, layout),
        );
        tell(
            System::Full,
            over,
            Told::new(RATE, "up to 4x, average 2x", Some(4.0), ABSTRACT, 2, layout),
        );
    }
    for over in [System::Tp8, System::Tp4] {
        tell(
            System::Half,
            over,
            Told::new(RATE, "about equal, slightly better", None, SUMMARY, 2, layout),
        );
    }
    let sums = "both planned by the paper's sums for each deadline";
    tell(
        System::Full,
        System::Symmetric,
        Told::new(DEADLINE, "up to 1.8x", Some(1.8), SUMMARY, 2, sums),
    );
    tell(System::Full, System::Symmetric, Told::new(RATE, "up to 2x", Some(2.0), SUMMARY, 2, sums));
    let chains = "Petals' servers come machine by machine, which is kind to it; a server that no whole chain has \
                  is left out; its own batches and time-outs are not modelled";
    tell(
        System::Half,
        System::Petals,
        Told::new(DEADLINE, "up to 3.5x", Some(3.5), SUMMARY, 3, chains),
    );
    tell(
        System::Half,
        System::Petals,
        Told::new(RATE, "up to 10x", Some(10.0), SUMMARY, 3, chains),
    );
    let tgi = "TGI is taken for four replicas of TP 4 with continuous batching, which its version 1.1 has; the paper's \
               engine has none, and at high rates that decides";
    tell(
        System::Full,
        System::Tgi,
        Told::new(DEADLINE, "on par, up to 1.25x", None, SUMMARY, 7, tgi),
    );
    let which = "which four cards is not known; both tried are planned anew";
    for less in [System::LessA6000, System::Less3090] {
        tell(less, System::Full, Told::new(RATE, "only slightly less", None, SUMMARY, 4, which));
        tell(
            less,
            System::Petals,
            Told::new(
                RATE,
                "still far above Petals (10x at half the price)",
                Some(10.0),
                SUMMARY,
                4,
                which,
            ),
        );
    }
    claims
}

/// What one has more of than another: its name, and how it is read.
type Kind = (&'static str, fn(&Facts<'_>, System, System) -> Factors);
const RATE: Kind = ("request rate", rates);
const DEADLINE: Kind = ("earlier deadline", deadlines);

/// How a claim about two systems is told.
struct Told {
    of: Kind,
    published: &'static str,
    /// The factor that is claimed; none where they are on par.
    most: Option<f64>,
    source: &'static str,
    figure: u32,
    why: &'static str,
}

impl Told {
    fn new(
        of: Kind,
        published: &'static str,
        most: Option<f64>,
        source: &'static str,
        figure: u32,
        why: &'static str,
    ) -> Self {
        Self { of, published, most, source, figure, why }
    }

    fn claim(self, facts: &Facts<'_>, of: System, over: System) -> Claim {
        let (what, read) = self.of;
        let factors = read(facts, of, over);
        let verdict = match (factors.most() > 0.0, self.most) {
            (false, _) => Verdict::NotComparable,
            (true, Some(most)) => Verdict::of_factor(most, factors.most()),
            (true, None) => Verdict::of_par(factors.mean()),
        };
        Claim {
            what: format!("{what}: {} over {}", of.label(), over.label()),
            published: self.published.to_owned(),
            source: self.source,
            ours: factors.said(),
            verdict,
            why: self.why.to_owned(),
            figure: self.figure,
        }
    }
}

fn search(convergence: &Convergence) -> Claim {
    let [theirs, ours] = [0, 2].map(|search| 100.0 * convergence.gain(search, 1));
    Claim {
        what: "search: attainment over random mutation".to_owned(),
        published: "+26 %".to_owned(),
        source: SUMMARY,
        ours: format!("HexGen's search {theirs:+.1} %, ours {ours:+.1} %, of the rate within the deadline"),
        verdict: Verdict::of_factor(1.26, 1.0 + theirs / 100.0),
        why: "random mutation here has the same exact layouts and early checks; where the paper measured is not \
              known (rate, deadline, how many generations)"
            .to_owned(),
        figure: 6,
    }
}

fn time(time: &SearchTime) -> Claim {
    Claim {
        what: "search time: 58 cards, 30 cards".to_owned(),
        published: "2.1 and 1.5 minutes".to_owned(),
        source: SUMMARY,
        ours: format!("{:.2} and {:.2} s", time.full.as_secs_f64(), time.half.as_secs_f64()),
        verdict: Verdict::NotComparable,
        why: "other machine and other program; both end when nothing better is found".to_owned(),
        figure: 6,
    }
}

fn estimated(estimate: &Estimate) -> Claim {
    let (believed, measured) = estimate::PUBLISHED;
    let simulated = estimate.simulated_at(believed);
    let apart = 100.0 * estimate.apart();
    Claim {
        what: "attainment estimated by the planner beside what came of it".to_owned(),
        published: format!("{:.0} % and {:.0} %", 100.0 * believed, 100.0 * measured),
        source: SUMMARY,
        ours: match simulated {
            Some(part) => format!(
                "{:.0} % and {:.0} %; {apart:.0} points apart on average",
                100.0 * believed,
                100.0 * part
            ),
            None => format!("no rate of that estimate; {apart:.0} points apart on average"),
        },
        verdict: match simulated.is_some_and(|part| (part - measured).abs() <= 0.1) {
            true => Verdict::Reproduced,
            false => Verdict::NotReproduced,
        },
        why: "which of the two was estimated is not said. The planner gives each replica a queue, entries have one; \
              where cards reach less than is believed, replicas near the deadline miss it (the third line)"
            .to_owned(),
        figure: 9,
    }
}

//! The claims of the paper, one by one.

use super::{
    case::{CaseStudy, DELAYS_MS, LAYOUTS, NO_ROOM, PUBLISHED, SEED, TOO_LARGE},
    claim::{Claim, Verdict, near},
    estimate::{self, Estimate},
    extent::Extent,
    followups::FollowUps,
    runs::{PaperError, Runs},
    search::{Convergence, SearchTime},
    told,
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
pub(super) const ABSTRACT: &str = "the paper's abstract and a summary of its text";
pub(super) const SUMMARY: &str = "a summary of the paper's text";
const CHAT: &str = "a summary of the ICML text";

/// By how much the search has more in time than random mutation.
const GAIN: f64 = 0.26;
/// Points that an estimate may be apart from what comes of it.
const APART: f64 = 0.1;
/// A stage that computes for less of the time than this has little to do.
const BUSY: f64 = 0.25;

/// Every claim that something was measured for.
pub(super) fn all(facts: &Facts<'_>) -> Result<Vec<Claim>, PaperError> {
    let seeds = [facts.extent.seeds.start, facts.extent.seeds.end];
    let mut claims = Vec::new();
    if let Some(study) = &facts.case {
        claims.extend(case(study)?);
    }
    claims.extend(told::pools(facts)?);
    if let Some(convergence) = &facts.search {
        claims.extend(search(convergence, seeds)?);
    }
    claims.extend(facts.time.as_ref().map(|time| self::time(time, seeds)));
    claims.extend(facts.estimate.as_ref().map(|estimate| estimated(estimate, seeds)));
    claims.extend(facts.followups.as_ref().map(FollowUps::claims).into_iter().flatten());
    Ok(claims)
}

fn case(study: &CaseStudy) -> Result<Vec<Claim>, PaperError> {
    let claim = |what: String, published: String, ours, verdict, why: &str, commands| Claim {
        what: format!("case study: {what}"),
        published,
        source: CHAT,
        ours,
        verdict,
        why: why.to_owned(),
        figure: 1,
        seeds: [SEED, SEED + 1],
        commands,
    };
    let mut claims = Vec::new();
    for (which, refusal) in study.refusals.iter().enumerate() {
        let refused = refusal.as_ref().is_some_and(|why| why.contains(NO_ROOM));
        claims.push(claim(
            format!("{} is out of memory", TOO_LARGE[which].0),
            "out of memory on an A4000".to_owned(),
            refusal.as_ref().map_or("it runs".to_owned(), |why| format!("no plan: {why} bytes")),
            Verdict::of(refused),
            "what the A4000's node says of its part; by the paper's own sums, whose layers are smaller, it would fit",
            vec![CaseStudy::refused(which)?],
        ));
    }
    let [own, deep] = study.alone.map(|part| 100.0 * part);
    claims.push(claim(
        format!("{}: little used", LAYOUTS[1].1),
        "low utilisation: stages work one after another".to_owned(),
        format!("a request alone has a stage compute {deep:.0} % of the time, with {} {own:.0} %", LAYOUTS[0].1),
        Verdict::of(study.alone[1] <= BUSY && study.alone[1] < study.alone[0]),
        "the slowest stage, which what is served when there are always more tells; no figure was published, a \
         quarter is taken for little",
        vec![CaseStudy::command(0)?, CaseStudy::command(1)?],
    ));
    let why = [
        "which factor belongs to which layout is a reading of the summary",
        "the paper's exchange goes round a ring, six delays each; ours goes directly, one delay",
    ];
    for (other, why) in why.into_iter().enumerate() {
        let published = PUBLISHED[other];
        let times: Vec<String> = study.factors(other).map(|f| format!("{f:.1}x")).collect();
        claims.push(claim(
            format!("{} over {}", LAYOUTS[0].1, LAYOUTS[1 + other].1),
            format!("up to {published}x sooner"),
            format!(
                "{} with {} ms between machines",
                times.join(", "),
                DELAYS_MS.map(|ms| ms.to_string()).join(", ")
            ),
            Verdict::of_all(published, study.factors(other)),
            &format!("the delay between the paper's machines is not known; {why}"),
            vec![CaseStudy::command(0)?, CaseStudy::command(1 + other)?],
        ));
    }
    Ok(claims)
}

/// What the paper found with its search, and with what it begins from.
fn search(convergence: &Convergence, seeds: [u64; 2]) -> Result<[Claim; 2], PaperError> {
    let [hexgen, random, ours, initial] = convergence.attainments.map(|part| 100.0 * part);
    let rate = convergence.requests_per_s;
    let claim = |what: &str, published: String, ours, verdict, why: &str| {
        Ok::<_, PaperError>(Claim {
            what: what.to_owned(),
            published,
            source: SUMMARY,
            ours: format!("{ours}, of {rate} requests/s"),
            verdict,
            why: why.to_owned(),
            figure: 6,
            seeds,
            commands: convergence.commands(seeds[0])?,
        })
    };
    let gain = convergence.gain(0, 1);
    Ok([
        claim(
            "search: attainment over random mutation",
            format!("{:+.0} %", 100.0 * GAIN),
            format!(
                "{:+.1} %: {hexgen:.1} % in time with HexGen's search, {random:.1} % with random mutation, {ours:.1} % with ours",
                100.0 * gain
            ),
            Verdict::of(near(GAIN, gain)),
            "by the planner's own simulation, at the rate that HexGen's search says 99 % for; random mutation has the same \
             exact layouts and early checks here; where the paper measured is not known (rate, deadline, how many \
             generations). The commands have swarms run the plans, with a queue for all replicas",
        )?,
        claim(
            "search: initial assignment only",
            "shown as an ablation, without a figure".to_owned(),
            format!("{initial:.1} % in time, {hexgen:.1} % with HexGen's search"),
            Verdict::NotComparable,
            "K-means alone; its published points are not known",
        )?,
    ])
}

fn time(time: &SearchTime, seeds: [u64; 2]) -> Claim {
    Claim {
        what: "search time: 58 cards, 30 cards".to_owned(),
        published: "2.1 and 1.5 minutes".to_owned(),
        source: SUMMARY,
        ours: format!("{:.2} and {:.2} s", time.full.as_secs_f64(), time.half.as_secs_f64()),
        verdict: Verdict::NotComparable,
        why: "other machine and other program; both end when nothing better is found".to_owned(),
        figure: 6,
        seeds,
        commands: vec!["hexswarm-sim paper --figure 6".to_owned()],
    }
}

fn estimated(estimate: &Estimate, seeds: [u64; 2]) -> Claim {
    let (believed, measured) = estimate::PUBLISHED;
    let (simulated, apart) = (estimate.simulated_at(believed), estimate.apart());
    let told = match simulated {
        Some(part) => {
            format!("{:.0} % simulated where {:.0} % is estimated", 100.0 * part, 100.0 * believed)
        }
        None => format!("{:.0} % is estimated at no rate", 100.0 * believed),
    };
    let near = simulated.is_some_and(|part| (part - measured).abs() <= APART);
    Claim {
        what: "attainment estimated by the planner beside what came of it".to_owned(),
        published: format!("{:.0} % and {:.0} %", 100.0 * believed, 100.0 * measured),
        source: SUMMARY,
        ours: format!("{told}; {:.0} points apart on average", 100.0 * apart),
        verdict: Verdict::of(near && apart <= APART),
        why: "which of the two was estimated is not said. The planner gives each replica a queue, entries have one; \
              where cards reach less than is believed, replicas near the deadline miss it (the third line)"
            .to_owned(),
        figure: 9,
        seeds,
        commands: estimate.commands.clone(),
    }
}

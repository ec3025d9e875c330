//! How fast a draft is, device by device.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    draft::{Draft, Lane, Placed, Route},
    ground::Ground,
    proposal::ProposedMember,
    rules::Phase,
    serve::Serves,
    task::Task,
};

/// How fast a stage is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StagePace {
    /// A request's prompt.
    pub(crate) prompt_ms: f64,
    /// A decode step of the batch.
    pub(crate) step_ms: f64,
    /// How long one request keeps it busy.
    pub(crate) busy_ms: f64,
}

/// How fast a lane is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LanePace {
    pub(crate) stages: Vec<StagePace>,
    /// A prompt from end to end.
    pub(crate) prompt_ms: f64,
    /// A token from end to end, and back.
    pub(crate) token_ms: f64,
    /// How long one request keeps the ways between its stages busy, by the machines at both ends.
    pub(crate) carried_ms: BTreeMap<(usize, usize), f64>,
}

/// How fast a draft is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) lanes: Vec<LanePace>,
    /// The ways, with what each of them serves when there are always more.
    pub(crate) routes: Vec<RoutePace>,
    stations: usize,
}

/// What routes use in common.
struct Common {
    stations: usize,
    /// Those that activations pass: pipelines that meet nowhere else do not wait for each other there
    /// as long as there is room for all.
    hops: BTreeSet<usize>,
}

/// A way through stations, each of which is busy for so long.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RoutePace {
    pub(crate) ttft_ms: f64,
    pub(crate) latency_ms: f64,
    pub(crate) requests_per_s: f64,
    stations: Vec<(usize, f64)>,
}

impl RoutePace {
    /// From one request to the next.
    pub(crate) fn period_ms(&self) -> f64 {
        self.stations.iter().map(|(_, busy)| *busy).fold(0.0, f64::max)
    }
}

/// What one request at a time can use: the stage that a device leads, whichever lane it belongs to,
/// the way from one machine to another, as far as KV cache takes it or activations do, or a device's
/// room for KV cache, which is free again the sooner the more requests have room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Station {
    Stage(usize),
    Way(usize, usize),
    Hop(usize, usize),
    Cache(usize),
}

/// Stations, by number.
#[derive(Default)]
struct Stations(BTreeMap<Station, usize>);

impl Stations {
    fn number(&mut self, station: Station) -> usize {
        let next = self.0.len();
        *self.0.entry(station).or_insert(next)
    }
}

/// Measures a draft.
pub(crate) fn measure(ground: &Ground, draft: &Draft) -> Measured {
    let lanes: Vec<LanePace> = draft.lanes.iter().map(|lane| pace(ground, lane)).collect();
    let (mut once, mut shared) = (BTreeSet::new(), BTreeSet::new());
    for stage in draft.lanes.iter().flat_map(|lane| &lane.stages) {
        let spot = stage.members[0].spot;
        if !once.insert(spot) {
            shared.insert(spot);
        }
    }
    let mut stations = Stations::default();
    let mut routes: Vec<RoutePace> = Vec::with_capacity(draft.routes.len());
    for route in &draft.routes {
        routes.push(through(ground, draft, &lanes, (&mut stations, &shared), route));
    }
    let stations = stations.0;
    let hop = |(station, number): (&Station, &usize)| {
        matches!(station, Station::Hop(..)).then_some(*number)
    };
    let common =
        Common { stations: stations.len(), hops: stations.iter().filter_map(hop).collect() };
    share_out(draft, &mut routes, &common);
    within_hops(&mut routes, &common);
    Measured { lanes, routes, stations: stations.len() }
}

/// A draft that fits its devices, without the routes that lead where there is no way; none if it does
/// not fit, or nothing is left.
pub(crate) fn usable(ground: &Ground, draft: Draft) -> Option<Draft> {
    if draft.holds(ground) { reachable(ground, draft) } else { None }
}

/// A draft without the routes that lead where there is no way, and the lanes that only they went
/// through; none if nothing is left.
fn reachable(ground: &Ground, mut draft: Draft) -> Option<Draft> {
    let measured = measure(ground, &draft);
    let mut ends = measured.routes.iter().map(|route| route.latency_ms.is_finite());
    draft.routes.retain(|_| ends.next().unwrap_or(false));
    let used: BTreeSet<usize> =
        draft.routes.iter().flat_map(|route| route.lanes.iter().copied()).collect();
    let places: BTreeMap<usize, usize> = used.into_iter().zip(0..).collect();
    let mut number = 0..;
    draft.lanes.retain(|_| number.next().is_some_and(|lane: usize| places.contains_key(&lane)));
    let lanes = draft.routes.iter_mut().flat_map(|route| &mut route.lanes);
    lanes.for_each(|lane| *lane = places[lane]);
    (!draft.routes.is_empty()).then_some(draft)
}

/// Requests a second of each route. Where ways meet, all are scaled so that the busiest station is
/// just busy; a way that meets no other serves what it can.
fn share_out(draft: &Draft, routes: &mut [RoutePace], common: &Common) {
    let mut users = vec![0; common.stations];
    routes.iter().flat_map(|route| &route.stations).for_each(|(s, _)| users[*s] += 1);
    let meets = |s: usize| users[s] > 1 && !common.hops.contains(&s);
    let alone: Vec<bool> =
        routes.iter().map(|route| !route.stations.iter().any(|(s, _)| meets(*s))).collect();
    let mut load_ms = vec![0.0; common.stations];
    for ((route, of), _) in
        routes.iter().zip(&draft.routes).zip(&alone).filter(|(_, alone)| !**alone)
    {
        route.stations.iter().for_each(|(s, busy)| load_ms[*s] += of.weight * busy);
    }
    let busiest_ms = load_ms.iter().copied().fold(0.0, f64::max);
    for ((route, of), alone) in routes.iter_mut().zip(&draft.routes).zip(alone) {
        let period_ms = if alone { route.period_ms() } else { busiest_ms / of.weight };
        route.requests_per_s = if period_ms > 0.0 { 1e3 / period_ms } else { 0.0 };
    }
}

/// Less of the routes over a hop that is to carry more than it can, the worst hop first.
fn within_hops(routes: &mut [RoutePace], common: &Common) {
    let mut left = common.hops.clone();
    loop {
        let mut load = vec![0.0; common.stations];
        for route in routes.iter() {
            let each = route.stations.iter();
            each.for_each(|(s, busy_ms)| load[*s] += route.requests_per_s * busy_ms / 1e3);
        }
        let worst = left.iter().copied().max_by(|a, b| load[*a].total_cmp(&load[*b]));
        let Some(worst) = worst.filter(|worst| load[*worst] > 1.0) else { return };
        left.remove(&worst);
        for route in routes.iter_mut().filter(|r| r.stations.iter().any(|(s, _)| *s == worst)) {
            route.requests_per_s /= load[worst];
        }
    }
}

fn through(
    ground: &Ground,
    draft: &Draft,
    paces: &[LanePace],
    (stations, shared): (&mut Stations, &BTreeSet<usize>),
    route: &Route,
) -> RoutePace {
    let steps = ground.steps();
    let (mut latency_ms, mut ttft_ms) = (0.0, 0.0);
    let mut busy: BTreeMap<usize, f64> = BTreeMap::new();
    for (place, lane) in route.lanes.iter().enumerate() {
        let (of, pace) = (&draft.lanes[*lane], &paces[*lane]);
        if let Some(before) = place.checked_sub(1) {
            let handover = handover(ground, &draft.lanes[route.lanes[before]], of);
            latency_ms += handover.values().copied().fold(0.0, f64::max);
            for ((from, to), ms) in handover {
                *busy.entry(stations.number(Station::Way(from, to))).or_default() += ms;
            }
        }
        let lane_ms = pace.prompt_ms + steps * pace.token_ms;
        let cached_ms = ground.cached_ms(lane_ms, of.batch, of.stages.len());
        // All stages of a lane keep its requests' KV cache for as long; one stands for those that no
        // other lane goes through.
        for (number, stage) in of.stages.iter().enumerate() {
            let spot = stage.members[0].spot;
            if cached_ms > 0.0 && (number == 0 || shared.contains(&spot)) {
                *busy.entry(stations.number(Station::Cache(spot))).or_default() += cached_ms;
            }
        }
        for (&(from, to), ms) in &pace.carried_ms {
            *busy.entry(stations.number(Station::Hop(from, to))).or_default() += ms;
        }
        latency_ms += lane_ms;
        ttft_ms += pace.prompt_ms;
        if ground.rules.plain() && of.phase != Phase::Prefill {
            ttft_ms += pace.token_ms;
        }
        for (stage, pace) in of.stages.iter().zip(&pace.stages) {
            let station = stations.number(Station::Stage(stage.members[0].spot));
            *busy.entry(station).or_default() += pace.busy_ms;
        }
    }
    RoutePace { ttft_ms, latency_ms, requests_per_s: 0.0, stations: busy.into_iter().collect() }
}

/// The KV cache of a prompt on its way from the machines that filled it to those that read it:
/// milliseconds for each pair of them.
fn handover(ground: &Ground, from: &Lane, to: &Lane) -> BTreeMap<(usize, usize), f64> {
    let layer_bytes = ground.prompt_cache_bytes();
    let machine = |stage: &Placed| ground.spots[stage.members[0].spot].machine;
    let mut ways = BTreeMap::new();
    for (a, b) in from.stages.iter().flat_map(|a| to.stages.iter().map(move |b| (a, b))) {
        let (first, end) = (a.layers.0.max(b.layers.0), a.layers.1.min(b.layers.1));
        let pair = (machine(a), machine(b));
        if first < end && pair.0 != pair.1 {
            let bytes = layer_bytes * f64::from(end - first);
            let ms = ground.way(pair.0, pair.1).map_or(f64::INFINITY, |way| way.of(bytes));
            *ways.entry(pair).or_insert(0.0) += ms;
        }
    }
    ways
}

fn pace(ground: &Ground, lane: &Lane) -> LanePace {
    let (prompt, token) = (ground.prefill(), ground.decode(lane.batch));
    let steps = ground.steps() / f64::from(lane.batch);
    let machine = |stage: &Placed| ground.spots[stage.members[0].spot].machine;
    let last = lane.stages.len().saturating_sub(1);
    let (mut prompt_ms, mut token_ms) = (0.0, 0.0);
    let mut carried_ms = BTreeMap::new();
    let mut stages = Vec::new();
    for (number, stage) in lane.stages.iter().enumerate() {
        let time = |task| stage_ms(ground, stage, number == last, task);
        let (of_prompt, of_step) = (time(prompt), time(token));
        if let Some(before) = number.checked_sub(1).map(|n| machine(&lane.stages[n])) {
            let way = ground.way(before, machine(stage));
            prompt_ms += ground.hop_ms(way, prompt);
            token_ms += ground.hop_ms(way, token);
            let ms = ground.carried_ms(way, lane.phase);
            if ms > 0.0 && before != machine(stage) {
                *carried_ms.entry((before, machine(stage))).or_insert(0.0) += ms;
            }
        }
        prompt_ms += of_prompt;
        token_ms += of_step;
        let busy_ms = match lane.phase {
            Phase::Both => of_prompt + steps * of_step,
            Phase::Prefill => of_prompt,
            Phase::Decode => steps * of_step,
        };
        stages.push(StagePace { prompt_ms: of_prompt, step_ms: of_step, busy_ms });
    }
    if let [first, .., end] = lane.stages.as_slice() {
        let bytes = 4.0 * f64::from(lane.batch);
        let back = ground.rules.token_return && machine(first) != machine(end);
        let way = ground.way(machine(end), machine(first));
        token_ms += if back { way.map_or(f64::INFINITY, |way| way.of(bytes)) } else { 0.0 };
    }
    match lane.phase {
        Phase::Both => {}
        Phase::Prefill => token_ms = 0.0,
        Phase::Decode => prompt_ms = 0.0,
    }
    LanePace { stages, prompt_ms, token_ms, carried_ms }
}

/// Milliseconds of a stage for a task: its slowest member, exchanges, and the head behind the last.
fn stage_ms(ground: &Ground, stage: &Placed, last: bool, task: Task) -> f64 {
    let member = |member: &ProposedMember| ground.layer_ms(member.spot, member.share(1), task);
    let spots: Vec<usize> = stage.members.iter().map(|member| member.spot).collect();
    let layer_ms =
        stage.members.iter().map(member).fold(0.0, f64::max) + ground.exchange_ms(&spots, task);
    let head_ms = if last { ground.head_ms(spots[0], task) } else { 0.0 };
    layer_ms * f64::from(stage.layers.1 - stage.layers.0) + head_ms
}

impl Serves for Measured {
    fn clocks(&self) -> usize {
        self.stations
    }

    /// A request begins when all stations of its way are free for it; a station that is not the
    /// busiest of a way is free again sooner.
    fn serve(&self, free: &mut [f64], arrival: f64) -> f64 {
        let begin = |route: &RoutePace, free: &[f64]| {
            route.stations.iter().map(|(s, _)| free[*s]).fold(arrival, f64::max)
        };
        let done = self.routes.iter().map(|route| (begin(route, free) + route.latency_ms, route));
        let first = done.min_by(|a, b| a.0.total_cmp(&b.0));
        let Some((done, route)) = first else { return f64::INFINITY };
        let begun = begin(route, free);
        route.stations.iter().for_each(|(s, busy)| free[*s] = begun + busy);
        done
    }

    fn requests_per_s(&self) -> f64 {
        self.routes.iter().map(|route| route.requests_per_s).sum()
    }
}

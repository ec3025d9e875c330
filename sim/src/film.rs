//! What a viewer needs of a run, in the order in which it happened. It is bounded, and has no say in
//! the run: whoever draws it is not here.

mod tokens;

use swarm_core::{Answer, RequestId};
use swarm_proto::{Plan, PlanId, Term, Time};

use crate::{keys::number_of, rig::Rig};

pub use tokens::{Source, Tokens};

/// Moments that are kept, at most.
const MOMENTS_MAX: usize = 20_000;
/// Plans that are kept, at most.
const PLANS_MAX: usize = 256;
/// Requests that are kept, at most.
const REQUESTS_MAX: usize = 100_000;

/// Ways of one request that are kept, at most.
const WAYS_MAX: usize = 8;

/// A run, as far as it can be looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Film {
    /// What each machine's devices are called.
    pub machines: Vec<Vec<String>>,
    /// Layers of the model.
    pub layers: u32,
    /// What happened to machines and plans.
    pub moments: Vec<Moment>,
    /// Plans, in the order in which they came to be live.
    pub plans: Vec<Shape>,
    /// Requests, in the order in which they were asked.
    pub requests: Vec<Asked>,
    /// Tokens that clients got.
    pub tokens: Tokens,
    /// When it was over.
    pub end: Time,
    /// Moments, plans and requests that there was no room for.
    pub left_out: u64,
    pub(crate) term: Term,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// When.
    pub at: Time,
    /// What.
    pub what: Seen,
}

/// What happened, to a machine of this number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen {
    /// Its process starts.
    Starts(usize),
    /// It is killed.
    Dies(usize),
    /// It is gone without a word.
    Vanishes(usize),
    /// It is asked to leave in good order.
    Leaves(usize),
    /// Its process ends, as it was asked to.
    Ends(usize),
    /// Its process is stopped.
    Pauses(usize),
    /// Its process goes on.
    Resumes(usize),
    /// Its devices are so many times as slow.
    Slows(usize, f64),
    /// Its devices stand still.
    Stalls(usize),
    /// Its devices are as fast as before.
    Mends(usize),
    /// Nothing reaches the other from it any more.
    Cuts(usize, usize),
    /// Something that is sent to the other arrives again.
    Opens(usize, usize),
    /// Such a part of what it sends and is sent is lost.
    Loses(usize, f64),
    /// No more of it is lost than before.
    Keeps(usize),
    /// All ways are open again.
    Heals,
    /// It leads the swarm.
    Leads(usize),
    /// The plan of this place in [`Film::plans`] is live at someone.
    Live(usize),
}

impl Seen {
    /// Whether something went wrong.
    pub fn is_fault(self) -> bool {
        use Seen::*;
        matches!(
            self,
            Dies(_)
                | Vanishes(_)
                | Leaves(_)
                | Pauses(_)
                | Slows(..)
                | Stalls(_)
                | Cuts(..)
                | Loses(..)
        )
    }

    /// In words; machines are called as `name` has it.
    pub fn words(self, name: &dyn Fn(usize) -> String) -> String {
        match self {
            Self::Starts(node) => format!("{} starts", name(node)),
            Self::Dies(node) => format!("{} dies", name(node)),
            Self::Vanishes(node) => format!("{} vanishes", name(node)),
            Self::Leaves(node) => format!("{} is to leave", name(node)),
            Self::Ends(node) => format!("{} has left", name(node)),
            Self::Pauses(node) => format!("{} is stopped", name(node)),
            Self::Resumes(node) => format!("{} goes on", name(node)),
            Self::Slows(node, factor) => format!("{} is {factor} times as slow", name(node)),
            Self::Stalls(node) => format!("{} stands still", name(node)),
            Self::Mends(node) => format!("{} is as fast as before", name(node)),
            Self::Cuts(from, to) => format!("{} does not reach {}", name(from), name(to)),
            Self::Opens(from, to) => format!("{} reaches {} again", name(from), name(to)),
            Self::Loses(node, part) => {
                format!("{:.1} % of what {} says and hears is lost", part * 100.0, name(node))
            }
            Self::Keeps(node) => format!("{} loses nothing more", name(node)),
            Self::Heals => "all ways are open".to_owned(),
            Self::Leads(node) => format!("{} leads", name(node)),
            Self::Live(plan) => format!("plan {} is live", plan + 1),
        }
    }
}

/// Who holds what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its name among plans.
    pub id: PlanId,
    /// Stages of every pipeline.
    pub pipelines: Vec<Vec<Held>>,
}

/// Layers, and who holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The first layer, and the one after the last.
    pub layers: (u32, u32),
    /// Machines and their devices; the first leads.
    pub members: Vec<(usize, u8)>,
}

impl Shape {
    fn of(plan: &Plan) -> Self {
        let held = |stage: &swarm_proto::Stage| Held {
            layers: (stage.layers.first(), stage.layers.end()),
            members: stage.members.iter().map(|m| (number_of(m.node), m.device)).collect(),
        };
        let stages = |pipeline: &swarm_proto::Pipeline| pipeline.stages.iter().map(held).collect();
        Self { id: plan.id, pipelines: plan.pipelines.iter().map(stages).collect() }
    }
}

/// A request, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The machine that was asked.
    pub entry: usize,
    /// When.
    pub at: Time,
    /// When its first token came.
    pub first: Option<Time>,
    /// When it ended, and how.
    pub end: Option<(Time, Ending)>,
    /// Plans and pipelines that it went through, and from when on; of very many the first and the last.
    pub ways: Vec<(Time, (usize, u16))>,
}

impl Asked {
    /// The last plan and pipeline that it went through.
    pub fn way(&self) -> Option<(usize, u16)> {
        self.ways.last().map(|(_, way)| *way)
    }

    fn goes(&mut self, at: Time, way: Option<(usize, u16)>) {
        let Some(way) = way.filter(|way| self.way() != Some(*way)) else { return };
        self.ways.truncate(WAYS_MAX - 1);
        self.ways.push((at, way));
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With the whole answer.
    Whole,
    /// With a reason why not.
    Refused,
    /// Its client left, or its entry was gone.
    Left,
}

/// Requests, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub asked: usize,
    /// Those that have not ended.
    pub under_way: usize,
    /// Those that have their whole answer.
    pub whole: usize,
    /// Those that were refused, or that nobody waits for any more.
    pub failed: usize,
}

impl Film {
    /// Of these machines, of which nothing is known yet.
    pub(crate) fn new(machines: &[Vec<Rig>], layers: u32) -> Self {
        let names =
            |rigs: &Vec<Rig>| rigs.iter().map(|rig| rig.told.name.clone()).collect::<Vec<_>>();
        Self { machines: machines.iter().map(names).collect(), layers, ..Self::default() }
    }

    pub(crate) fn note(&mut self, at: Time, what: Seen) {
        // Each of a machine's devices is told of, and the machine is meant.
        let of_devices = matches!(what, Seen::Slows(..) | Seen::Stalls(_) | Seen::Mends(_));
        let moment = Moment { at, what };
        match self.moments.len() < MOMENTS_MAX {
            true if of_devices && self.moments.last() == Some(&moment) => {}
            true => self.moments.push(moment),
            false => self.left_out += 1,
        }
    }

    /// Someone heard who leads.
    pub(crate) fn led(&mut self, at: Time, leader: usize, term: Term) {
        if term > self.term {
            self.term = term;
            self.note(at, Seen::Leads(leader));
        }
    }

    /// A plan is live at someone.
    pub(crate) fn live(&mut self, at: Time, plan: &Plan) {
        if self.plans.last().is_some_and(|last| last.id >= plan.id) {
            return;
        }
        if self.plans.len() < PLANS_MAX {
            self.plans.push(Shape::of(plan));
            self.note(at, Seen::Live(self.plans.len() - 1));
        } else {
            self.left_out += 1;
        }
    }

    /// A client asked.
    pub(crate) fn asked(&mut self, at: Time, entry: usize) {
        if self.requests.len() < REQUESTS_MAX {
            self.requests.push(Asked { entry, at, first: None, end: None, ways: Vec::new() });
        } else {
            self.left_out += 1;
        }
    }

    /// Something came for a client, through a pipeline of a plan if it runs still.
    pub(crate) fn answered(
        &mut self,
        at: Time,
        (request, entry): (RequestId, usize),
        event: &Answer,
        way: Option<(PlanId, u16)>,
    ) {
        let place = |id: PlanId| self.plans.iter().rposition(|plan| plan.id == id);
        let way = way.and_then(|(id, pipeline)| Some((place(id)?, pipeline)));
        let mut none = Asked { entry, at, first: None, end: None, ways: Vec::new() };
        let asked = self.requests.get_mut(request.0 as usize).unwrap_or(&mut none);
        if asked.end.is_some() {
            return;
        }
        asked.goes(at, way);
        match event {
            Answer::Started { .. } => {}
            Answer::Token(_) => {
                asked.first.get_or_insert(at);
                self.tokens.add(at, Source { way: asked.way(), entry });
            }
            Answer::Finished(_) => asked.end = Some((at, Ending::Whole)),
            Answer::Failed(_) => asked.end = Some((at, Ending::Refused)),
        }
    }

    /// A client left.
    pub(crate) fn left(&mut self, at: Time, request: RequestId) {
        if let Some(asked) = self.requests.get_mut(request.0 as usize) {
            asked.end.get_or_insert((at, Ending::Left));
        }
    }

    /// A machine is gone, and its clients with it.
    pub(crate) fn lost(&mut self, at: Time, entry: usize) {
        for asked in self.requests.iter_mut().filter(|asked| asked.entry == entry) {
            asked.end.get_or_insert((at, Ending::Left));
        }
    }

    /// What became of requests until a time, this included.
    pub fn counts(&self, at: Time) -> Counts {
        let mut counts = Counts::default();
        for asked in self.requests.iter().filter(|asked| asked.at <= at) {
            counts.asked += 1;
            match asked.end.filter(|(end, _)| *end <= at) {
                None => counts.under_way += 1,
                Some((_, Ending::Whole)) => counts.whole += 1,
                Some(_) => counts.failed += 1,
            }
        }
        counts
    }

    /// Things that went wrong.
    pub fn faults(&self) -> impl Iterator<Item = &Moment> {
        self.moments.iter().filter(|moment| moment.what.is_fault())
    }
}

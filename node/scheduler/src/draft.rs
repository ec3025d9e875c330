//! Who is to do what: stages with devices, and the ways that requests may take through them.

use std::collections::BTreeMap;

use crate::{
    ground::{Ground, Share},
    proposal::ProposedMember,
    rules::Phase,
};

/// A plan before anything is known of how fast it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    /// Chains of stages that hold the model from end to end.
    pub(crate) lanes: Vec<Lane>,
    /// What a request goes through, and how many of all take this way.
    pub(crate) routes: Vec<Route>,
}

/// A chain of stages. Several may go through the same devices.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lane {
    pub(crate) stages: Vec<Placed>,
    /// Requests that each stage steps together.
    pub(crate) batch: u32,
    /// What it does of a request.
    pub(crate) phase: Phase,
}

/// A stage of a lane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    /// `first..end` of the layers that it computes.
    pub(crate) layers: (u32, u32),
    /// `first..end` of those that its devices hold.
    pub(crate) held: (u32, u32),
    /// Who computes them; the first leads.
    pub(crate) members: Vec<ProposedMember>,
}

/// One lane, or one for the prompt and one for the answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route {
    pub(crate) lanes: Vec<usize>,
    /// Its part of all requests, by any scale.
    pub(crate) weight: f64,
}

impl Draft {
    /// Lanes of which each serves whole requests, as many as it can.
    pub(crate) fn of(lanes: Vec<Lane>) -> Self {
        let route = |lane| Route { lanes: vec![lane], weight: 1.0 };
        let routes = (0..lanes.len()).map(route).collect();
        Self { lanes, routes }
    }

    /// Whether every lane is a whole model, each device has one part of it, and room for that.
    pub(crate) fn holds(&self, ground: &Ground) -> bool {
        let mut parts: BTreeMap<usize, ((u32, u32), &ProposedMember)> = BTreeMap::new();
        let stages = || self.lanes.iter().flat_map(|lane| &lane.stages);
        let alone = stages()
            .flat_map(|s| s.members.iter().map(move |m| (s.held, m)))
            .all(|part| *parts.entry(part.1.spot).or_insert(part) == part);
        let whole = |lane: &Lane| {
            let ends = lane.stages.iter().map(|stage| stage.layers.1);
            let begins = lane.stages.iter().map(|stage| stage.layers.0);
            let follow = std::iter::once(0).chain(ends).eq(begins.chain([ground.model.layers]));
            let depth = lane.stages.len();
            follow && lane.stages.iter().all(|stage| stage.fits(ground, lane.batch, depth))
        };
        alone && self.lanes.iter().all(whole)
    }
}

impl Placed {
    fn fits(&self, ground: &Ground, batch: u32, stages: usize) -> bool {
        let m = &ground.model;
        let sum = |part: fn(&ProposedMember) -> (u32, u32)| {
            self.members.iter().map(|member| part(member).1 - part(member).0).sum::<u32>()
        };
        let whole = sum(|m| m.kv_heads) == m.kv_heads && sum(|m| m.ffn_columns) == m.ffn;
        let within = self.held.0 <= self.layers.0
            && self.layers.0 < self.layers.1
            && self.layers.1 <= self.held.1;
        let machine = |member: &ProposedMember| ground.spots[member.spot].machine;
        let may = self.members.iter().all(|m| ground.may_hold(machine(m), self.layers));
        let requests = ground.resident(batch, stages);
        let room = self.members.iter().enumerate().all(|(place, member)| {
            let share = Share {
                embeds: self.held.0 == 0,
                samples: self.held.1 == m.layers && place == 0,
                ..member.share(self.held.1 - self.held.0)
            };
            ground.fits(member.spot, share, requests)
        });
        whole && within && may && room
    }
}

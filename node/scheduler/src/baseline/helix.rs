//! Helix's objective: the placement through which the most can flow.

use super::{
    routed::routed,
    unit::{Units, degrees},
};
use crate::{
    flow::{Fleet, Placement, Throughput, helix},
    ground::Ground,
    propose::{Ask, Drafted, Plans},
};

/// More servers than this are not placed one by one.
const SERVERS_MAX: usize = 128;
/// So many are few.
const SERVERS: usize = 24;
/// So many parts of the flows are looked at to find out which servers and which batch are best.
const TRIALS: usize = 5;

/// Helix's placement (Mei et al., ASPLOS 2025) by local search over the exact maximum flow.
pub(crate) struct Helix {
    /// Flows to look at, if servers are few: that of twice as many takes four times as long.
    pub(crate) evaluations: usize,
}

impl Plans for Helix {
    fn drafts(&self, ground: &Ground, ask: &Ask) -> Drafted {
        let batches = ground.rules.batches(4);
        let pairs = degrees(ground)
            .into_iter()
            .flat_map(|degree| batches.iter().map(move |b| (degree, *b)));
        let sites: Vec<(Units, Fleet)> = pairs
            .map(|(degree, batch)| Units::of(ground, degree, batch))
            .filter(|units| (1..=SERVERS_MAX).contains(&units.all.len()))
            .map(|units| (units.clone(), units.fleet(ground)))
            .collect();
        let trial = self.evaluations / TRIALS / sites.len().max(1);
        let search = |(units, fleet): &(Units, Fleet), flows: usize| {
            let larger = (units.all.len() as f64 / SERVERS as f64).max(1.0);
            helix(fleet, ask.seed, (flows as f64 / larger / larger) as usize).ok()
        };
        let best = sites
            .iter()
            .filter_map(|site| search(site, trial).map(|found| (site, found)))
            .max_by(|a, b| a.1.1.tokens_per_s.total_cmp(&b.1.1.tokens_per_s));
        let Some((site, tried)) = best else { return Drafted::default() };
        let found = search(site, self.evaluations - self.evaluations / TRIALS);
        let more = |(_, flow): &(Placement, Throughput)| flow.tokens_per_s > tried.1.tokens_per_s;
        let (placement, _) = found.filter(more).unwrap_or(tried);
        let draft = routed(ground, &site.0, &site.1, &placement, true);
        let drafts = draft.into_iter().collect();
        Drafted { evaluations: self.evaluations, drafts, ..Drafted::default() }
    }
}

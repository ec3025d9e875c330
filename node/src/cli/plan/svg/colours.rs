//! A colour for each kind of device.

use std::collections::BTreeMap;

use crate::cli::plan::document::PlanDocument;

/// The "light" palette of Paul Tol, made for black text in cells and for eyes that do not tell all
/// colours apart (https://sronpersonalpages.nl/~pault/).
const PALETTE: [&str; 8] =
    ["#77AADD", "#EE8866", "#EEDD88", "#FFAABB", "#44BB99", "#BBCC33", "#99DDFF", "#AAAA00"];
/// For kinds beyond those.
const OTHER: &str = "#DDDDDD";

/// Kinds of device, the most numerous first.
#[derive(Debug)]
pub(super) struct Colours {
    kinds: Vec<(String, usize)>,
}

impl Colours {
    pub(super) fn new(plan: &PlanDocument) -> Self {
        let stages = plan.pipelines.iter().flat_map(|pipeline| &pipeline.stages);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for member in stages.flat_map(|stage| &stage.members) {
            *counts.entry(&member.gpu).or_default() += 1;
        }
        let mut kinds: Vec<_> =
            counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Self { kinds }
    }

    pub(super) fn of(&self, gpu: &str) -> &'static str {
        let place = self.kinds.iter().position(|(name, _)| name == gpu);
        place.and_then(|place| PALETTE.get(place)).copied().unwrap_or(OTHER)
    }

    /// Each colour and what it stands for.
    pub(super) fn legend(&self) -> Vec<(&'static str, String)> {
        let told = |(name, count): &(String, usize)| format!("{count} × {name}");
        let shown = self.kinds.iter().zip(PALETTE).map(|(kind, colour)| (colour, told(kind)));
        let others = self.kinds.get(PALETTE.len()..).unwrap_or_default();
        let others: Vec<_> = others.iter().map(told).collect();
        let others = (!others.is_empty()).then(|| (OTHER, others.join(", ")));
        shown.chain(others).collect()
    }
}

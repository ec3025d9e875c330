//! The same ground, but for one thing.

use std::collections::BTreeMap;

use crate::{
    ends::Ends,
    ground::{Ground, Spot, Way, Ways},
};

impl Ground {
    /// Without a machine, and the old place of every device that is left.
    pub fn without(&self, machine: usize) -> (Self, Vec<usize>) {
        let kept: Vec<usize> =
            (0..self.spots.len()).filter(|spot| self.spots[*spot].machine != machine).collect();
        let place = |old: usize| old - usize::from(old > machine);
        let spots = kept.iter().map(|spot| {
            let spot = &self.spots[*spot];
            Spot { machine: place(spot.machine), ..spot.clone() }
        });
        let inside = (0..self.inside.len()).filter(|m| *m != machine).map(|m| self.inside[m]);
        let ways = match &self.ways {
            Ways::Measured(pairs) => {
                let kept = pairs.iter().filter(|((a, b), _)| *a != machine && *b != machine);
                Ways::Measured(kept.map(|((a, b), way)| ((place(*a), place(*b)), *way)).collect())
            }
            Ways::Regions { of, regions, ways } => {
                let of = (0..of.len()).filter(|m| *m != machine).map(|m| of[m]).collect();
                Ways::Regions { of, regions: *regions, ways: ways.clone() }
            }
        };
        let ends = self.ends.renamed(|m| if m == machine { vec![] } else { vec![place(m)] });
        (self.with(spots.collect(), inside.collect(), ways, ends), kept)
    }

    /// With another machine like one that is there, behind all others.
    pub fn with_another(&self, machine: usize) -> Self {
        let new = self.inside.len();
        let mut spots = self.spots.clone();
        let like = self.spots.iter().filter(|spot| spot.machine == machine);
        spots.extend(like.map(|spot| Spot { machine: new, ..spot.clone() }));
        let mut inside = self.inside.clone();
        inside.push(inside[machine]);
        let ways = match &self.ways {
            Ways::Measured(pairs) => {
                let mut all = pairs.clone();
                let near: Vec<Way> =
                    pairs.iter().filter(|((a, _), _)| *a == machine).map(|(_, way)| *way).collect();
                let nearest = near.iter().copied().min_by(|a, b| a.ms.total_cmp(&b.ms));
                for ((a, b), way) in pairs {
                    let turned = |end: usize| if end == machine { new } else { end };
                    all.insert((turned(*a), turned(*b)), *way);
                }
                let twins = nearest.map_or_else(BTreeMap::new, |way| {
                    BTreeMap::from([((machine, new), way), ((new, machine), way)])
                });
                all.extend(twins);
                Ways::Measured(all)
            }
            Ways::Regions { of, regions, ways } => {
                let mut of = of.clone();
                of.push(of[machine]);
                Ways::Regions { of, regions: *regions, ways: ways.clone() }
            }
        };
        let ends = self.ends.renamed(|m| if m == machine { vec![m, new] } else { vec![m] });
        self.with(spots, inside, ways, ends)
    }

    /// With links between machines so many times as fast, in delay and in throughput.
    pub fn with_faster_links(&self, times: f64) -> Self {
        let faster = |way: Way| Way { ms: way.ms / times, bytes_per_ms: way.bytes_per_ms * times };
        let ways = match &self.ways {
            Ways::Measured(pairs) => {
                Ways::Measured(pairs.iter().map(|(pair, way)| (*pair, faster(*way))).collect())
            }
            Ways::Regions { of, regions, ways } => Ways::Regions {
                of: of.clone(),
                regions: *regions,
                ways: ways.iter().map(|way| way.map(faster)).collect(),
            },
        };
        self.with(self.spots.clone(), self.inside.clone(), ways, self.ends.clone())
    }

    /// With weights of so many times the bytes.
    pub fn with_weights(&self, times: f64) -> Self {
        let mut other = self.clone();
        let scale = |bytes: u64| (bytes as f64 * times) as u64;
        let model = &mut other.model;
        model.head_bytes = scale(model.head_bytes);
        model.column_bytes *= times;
        model.embedding_bytes = scale(model.embedding_bytes);
        model.output_bytes = scale(model.output_bytes);
        other
    }

    fn with(&self, spots: Vec<Spot>, inside: Vec<Way>, ways: Ways, ends: Ends) -> Self {
        Self { spots, inside, ways, ends, ..self.clone() }.classed()
    }
}

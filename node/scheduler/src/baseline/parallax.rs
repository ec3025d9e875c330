//! Parallax's allocation: few stages, layers by speed, and whoever is left over repeats layers.

use std::ops::Range;

use super::{
    routed::by_rule,
    unit::{Unit, Units, degrees},
};
use crate::{
    flow::Placement,
    ground::{Ground, Ways},
    propose::{Ask, Drafted, Plans},
};

/// Parallax's first phase (arXiv 2509.26182) by its greedy rule: as many pipelines of a region as make
/// `k^2 / stages` largest, each of the roomiest servers there are and, as its last, of the smallest
/// that is enough; layers by speed; servers that are left over repeat what is served least. Its second
/// phase is the largest flow, where the original takes one shortest path after the other.
pub(crate) struct Parallax;

impl Plans for Parallax {
    fn drafts(&self, ground: &Ground, _ask: &Ask) -> Drafted {
        let degree = degrees(ground).last().copied().unwrap_or(1);
        by_rule(ground, degree, false, |units, _| placement(ground, units))
    }
}

fn placement(ground: &Ground, units: &Units) -> Placement {
    let layers = ground.model.layers as usize;
    let region = |unit: &Unit| match &ground.ways {
        Ways::Measured(_) => 0,
        Ways::Regions { of, .. } => of[ground.spots[unit.spots[0]].machine],
    };
    let mut held: Vec<Option<Range<u32>>> = vec![None; units.all.len()];
    let mut served = vec![0.0; layers];
    let mut left: Vec<usize> = (0..units.all.len()).collect();
    left.sort_by_key(|unit| region(&units.all[*unit]));
    let mut rest = Vec::new();
    let mut whole = Vec::new();
    for region in left.chunk_by(|a, b| region(&units.all[*a]) == region(&units.all[*b])) {
        let found = pipelines(&units.all, region, layers);
        rest.extend(
            region.iter().copied().filter(|unit| !found.iter().flatten().any(|u| u == unit)),
        );
        whole.extend(found);
    }
    // What no region could do alone, all can do together.
    let found = pipelines(&units.all, &rest, layers);
    rest.retain(|unit| !found.iter().flatten().any(|u| u == unit));
    whole.extend(found);
    let speed = |unit: usize| {
        let kind = &units.all[unit].kind;
        kind.degree as f64 / kind.cost_ms(ground, units.batch)
    };
    for pipeline in whole {
        let mut first = 0;
        for (unit, own) in pipeline.iter().zip(filled(&units.all, &pipeline, layers, speed)) {
            if own == 0 {
                continue;
            }
            held[*unit] = Some(first as u32..(first + own) as u32);
            served[first..first + own].iter_mut().for_each(|sum| *sum += speed(*unit) / own as f64);
            first += own;
        }
    }
    for unit in rest {
        let own = units.all[unit].layers_max().min(layers);
        let least = |start: &usize| served[*start..start + own].iter().sum::<f64>();
        let start = (0..=layers - own).min_by(|a, b| least(a).total_cmp(&least(b))).unwrap_or(0);
        held[unit] = Some(start as u32..(start + own) as u32);
        served[start..start + own].iter_mut().for_each(|sum| *sum += speed(unit) / own as f64);
    }
    Placement(held)
}

/// The pipelines whose number, squared, is largest by the stages of all.
fn pipelines(units: &[Unit], of: &[usize], layers: usize) -> Vec<Vec<usize>> {
    let mut roomy = of.to_vec();
    roomy.sort_by_key(|unit| std::cmp::Reverse(units[*unit].layers_max()));
    let (mut found, mut stages, mut best) = (Vec::new(), 0, (0.0, 0));
    while let Some(pipeline) = greedy(units, &mut roomy, layers) {
        stages += pipeline.len();
        found.push(pipeline);
        let worth = (found.len() * found.len()) as f64 / stages as f64;
        if worth > best.0 {
            best = (worth, found.len());
        }
    }
    found.truncate(best.1);
    found
}

/// The next pipeline: of the roomiest servers that are left, and the smallest that ends it.
fn greedy(units: &[Unit], left: &mut Vec<usize>, layers: usize) -> Option<Vec<usize>> {
    let (mut pipeline, mut missing) = (Vec::new(), layers);
    while missing > 0 {
        let enough = left.iter().rposition(|unit| units[*unit].layers_max() >= missing);
        let unit = if left.is_empty() { return None } else { left.remove(enough.unwrap_or(0)) };
        missing = missing.saturating_sub(units[unit].layers_max());
        pipeline.push(unit);
    }
    Some(pipeline)
}

/// Layers of each server of a pipeline in proportion to its speed, as far as it has room (`min(cap,
/// level * speed)`), with the largest remainders rounded up.
fn filled(
    units: &[Unit],
    pipeline: &[usize],
    layers: usize,
    speed: impl Fn(usize) -> f64,
) -> Vec<usize> {
    let cap = |unit: usize| units[unit].layers_max() as f64;
    let share = |level: f64| -> Vec<f64> {
        pipeline.iter().map(|unit| (level * speed(*unit)).min(cap(*unit))).collect()
    };
    let (mut low, mut high) = (0.0, 1.0);
    while share(high).iter().sum::<f64>() < layers as f64 && high < 1e30 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if share(middle).iter().sum::<f64>() < layers as f64 { low = middle } else { high = middle }
    }
    let exact = share(high);
    let mut whole: Vec<usize> = exact.iter().map(|layers| *layers as usize).collect();
    let mut missing = layers.saturating_sub(whole.iter().sum());
    let mut order: Vec<usize> = (0..pipeline.len()).collect();
    order.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
    for place in order.into_iter().cycle().take(pipeline.len() * 2) {
        if missing > 0 && whole[place] < units[pipeline[place]].layers_max() {
            whole[place] += 1;
            missing -= 1;
        }
    }
    whole
}

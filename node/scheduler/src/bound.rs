//! What no plan can serve more than.

use crate::{
    ground::Ground,
    kind::{Kind, Regime},
};

/// Requests a second that no pipelines of this ground exceed: each device works at the best degree
/// and batch that its class has, on nothing but layers, without a gap and without a hop.
///
/// It is the maximum flow where every link is free and every device can hold any layers.
pub(crate) fn bound(ground: &Ground) -> f64 {
    let class = |class: usize| {
        let mut best = 0.0f64;
        let mut batch = 1;
        while batch <= ground.rules.batch_max.max(1) {
            let resident = if ground.rules.plain() { 1 } else { batch };
            for kind in Kind::all(ground, class, Regime { batch, resident }) {
                let steps = ground.steps() / f64::from(batch);
                let layer_ms = kind.prefill_ms + steps * kind.decode_ms;
                best = best.max(1e3 / (layer_ms * kind.degree as f64));
            }
            batch *= 2;
        }
        best * ground.classes[class].count() as f64
    };
    (0..ground.classes.len()).map(class).sum::<f64>() / f64::from(ground.model.layers)
}

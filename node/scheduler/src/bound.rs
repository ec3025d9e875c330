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
        for batch in ground.rules.batches(2) {
            let resident = if ground.rules.plain() { 1 } else { batch };
            for kind in Kind::all(ground, class, Regime { batch, resident }) {
                best = best.max(1e3 / kind.cost_ms(ground, batch));
            }
        }
        best * ground.classes[class].count() as f64
    };
    (0..ground.classes.len()).map(class).sum::<f64>() / f64::from(ground.model.layers)
}

//! The exact search against plans written out one by one, up to the six devices it is exact for.
//!
//! Nothing here is shared with the search: [`price`] reckons times and room anew from what decision
//! 4 says, [`chains`] tries every order of stages, and [`every`] tries every plan there is, where
//! these are few, and asks the crate what it predicts of each.

mod chains;
mod every;
mod price;

use swarm_proto::Pool;
use swarm_scheduler::{Options, plan, predict};

use crate::pools;

/// Whether two times are one, but for rounding.
fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// Plans `pool` and holds the result against the best there is. Stages and the most members of
/// one, if there is a plan.
fn holds(pool: &Pool, best: f64, name: &str) -> Option<(usize, usize)> {
    let found = match plan(pool, &Options::default()) {
        Ok(found) => found,
        Err(why) => {
            assert!(best.is_infinite(), "{name}: {best} ms is possible; {why}");
            return None;
        }
    };
    let ms = found.predicted.tpot_ms;
    assert!(near(ms, best), "{name}: found {ms} ms, best {best} ms");
    found.plan.check(&pool.model).unwrap();
    assert!(pools::fits(pool, &found.plan), "{name}");
    assert!(near(price::Prices::of(pool).plan_ms(&found.plan), ms), "{name}: another price");
    let stages = &found.plan.pipelines[0].stages;
    Some((stages.len(), stages.iter().map(|stage| stage.members.len()).max().unwrap()))
}

#[test]
fn no_chain_of_stages_is_faster() {
    let mut shapes = std::collections::BTreeMap::new();
    for seed in 0..5000 {
        let mut pool = pools::pool(seed, 1 + (seed % 6) as u8);
        // Less memory for some, so that few devices do not do.
        let scratch = pool.model.scratch_bytes();
        for device in pool.machines.iter_mut().flat_map(|m| &mut m.devices) {
            device.memory_bytes = scratch + (device.memory_bytes - scratch) / (1 + seed / 6 % 3);
        }
        let best = chains::fastest(&pool);
        let shape = holds(&pool, best, &format!("seed {seed}"));
        *shapes.entry(shape).or_insert(0) += 1;
    }
    println!("(stages, members): {shapes:?}");
    let count = |which: fn(usize, usize) -> bool| -> usize {
        let all = shapes.iter().filter_map(|(shape, count)| shape.map(|shape| (shape, count)));
        all.filter(|((stages, members), _)| which(*stages, *members)).map(|(_, count)| count).sum()
    };
    assert!(shapes[&None] > 100);
    assert!(count(|stages, members| stages > 1 && members > 1) > 100);
    assert!(count(|stages, _| stages > 2) > 100);
    assert!(count(|_, members| members > 2) > 20);
}

#[test]
fn no_plan_is_faster() {
    for seed in 0..600 {
        // Four devices have many more plans than three.
        let mut pool = pools::pool(seed, if seed % 10 == 0 { 4 } else { 1 + (seed % 3) as u8 });
        if pool.machines.iter().map(|m| m.devices.len()).sum::<usize>() == 2 {
            // So many columns to level that a coarse share is seen.
            let scratch = pool.model.scratch_bytes();
            pool.model.ffn *= 8;
            pool.model.column_bytes /= 8.0;
            let more = pool.model.scratch_bytes() - scratch;
            for device in pool.machines.iter_mut().flat_map(|m| &mut m.devices) {
                device.memory_bytes += more;
            }
        }
        let best = every::fastest(&pool, |plan| predict(&pool, plan).tpot_ms);
        assert!(near(best, chains::fastest(&pool)), "seed {seed}: the two searches differ");
        holds(&pool, best, &format!("seed {seed}"));
    }
}

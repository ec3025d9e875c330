//! What no plan can serve more than.

use crate::ground::{Ground, Share};

/// Requests a second that no pipelines of this ground exceed: each device works with the best batch
/// that it has room for, on nothing but layers, without a gap, a hop or an exchange, and does prompts
/// and answers in whatever parts are best for all.
///
/// It is the maximum flow where every link is free and every device can hold any layers. A part of a
/// layer takes at least that part of its time, so no degree and no uneven share does better.
pub(crate) fn bound(ground: &Ground) -> f64 {
    let layers = f64::from(ground.model.layers);
    let rates = (0..ground.classes.len()).map(|class| rates(ground, class)).collect();
    split(rates) / layers
}

/// Prompts and answers a second, of one layer, that the devices of a class could do if they did
/// nothing else.
fn rates(ground: &Ground, class: usize) -> (f64, f64) {
    let m = &ground.model;
    let share = |heads, columns| Share { layers: 1, heads, columns, embeds: false, samples: false };
    let (whole, least) = (share(m.kv_heads, m.ffn), share(1, m.ffn_grain.clamp(1, m.ffn)));
    let spot = ground.classes[class].spots[0];
    let (mut prompts, mut answers) = (0.0f64, 0.0f64);
    for batch in ground.rules.batches(2) {
        if !ground.fits(spot, least, ground.resident(batch, 1)) {
            break;
        }
        prompts = 1e3 / ground.layer_ms(spot, whole, ground.prefill());
        let answer_ms =
            ground.steps() / f64::from(batch) * ground.layer_ms(spot, whole, ground.decode(batch));
        answers = answers.max(1e3 / answer_ms);
    }
    let count = ground.classes[class].count() as f64;
    (prompts * count, answers * count)
}

/// The most that all of them do of both: those that are best at prompts do prompts, those that are
/// best at answers do answers, and one does both. Answers of one token are done with the prompt, and empty
/// prompts take no time.
fn split(mut rates: Vec<(f64, f64)>) -> f64 {
    rates.retain(|(prompts, _)| *prompts > 0.0);
    if rates.iter().any(|(prompts, _)| prompts.is_infinite()) {
        return rates.iter().map(|(_, answers)| answers).sum();
    }
    rates.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
    let mut left: f64 = rates.iter().map(|(_, answers)| answers).sum();
    if left.is_infinite() {
        return rates.iter().map(|(prompts, _)| prompts).sum();
    }
    let mut done = 0.0;
    for (prompts, answers) in rates {
        left -= answers;
        if done + prompts >= left {
            // The part of its time that makes both equal.
            let part = (left + answers - done) / (prompts + answers);
            return done + part.clamp(0.0, 1.0) * prompts;
        }
        done += prompts;
    }
    done
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn who_is_good_at_prompts_does_prompts() {
        // Alike, they do both: each request takes 1 + 1.
        assert!((split(vec![(1.0, 1.0); 2]) - 1.0).abs() < 1e-12);
        // Unlike, each does what it is good at: not 2 * 1 / (1 / 10 + 1).
        assert!((split(vec![(1.0, 10.0), (10.0, 1.0)]) - 10.0).abs() < 1e-12);
        // Two thirds of the second one's time go to answers.
        assert!((split(vec![(1.0, 0.1), (3.0, 3.0)]) - 2.0).abs() < 1e-12);
        // Answers that take no time leave all of it for prompts.
        assert_eq!(split(vec![(2.0, f64::INFINITY), (1.0, f64::INFINITY)]), 3.0);
        assert_eq!(split(vec![(f64::INFINITY, 2.0), (3.0, 1.0)]), 3.0);
        assert_eq!(split(Vec::new()), 0.0);
    }
}

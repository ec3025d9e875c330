//! What devices reach: the fit finds factors that were planted, and foretells points left out.

use swarm_scheduler::{
    catalogue::device,
    fit::{Fit, Phase, Point, Sort, points},
};

/// The error on points that were not fitted, each group left out in turn.
fn left_out(phase: Phase, several: bool, group: fn(&Point) -> &str) -> Vec<f64> {
    let sound: Vec<&Point> = points().iter().filter(|point| !point.fault).collect();
    let mut groups: Vec<&str> = sound.iter().map(|point| group(point)).collect();
    groups.sort_unstable();
    groups.dedup();
    let mut errors = Vec::new();
    for out in groups {
        let rest: Vec<&Point> = sound.iter().copied().filter(|p| group(p) != out).collect();
        let fit = Fit::to(&rest);
        let asked = |point: &&Point| {
            group(point) == out && point.phase == phase && (point.devices > 1.0) == several
        };
        errors.extend(sound.iter().copied().filter(asked).map(|p| (p.ms / fit.predict(p)).ln()));
    }
    errors
}

fn median(errors: impl Iterator<Item = f64>) -> f64 {
    let mut errors: Vec<f64> = errors.collect();
    errors.sort_by(f64::total_cmp);
    errors[errors.len() / 2]
}

fn by_device(point: &Point) -> &str {
    &point.device.name
}

fn by_model(point: &Point) -> &str {
    &point.model.name
}

#[test]
fn points_left_out_are_foretold_within_15_percent() {
    for phase in [Phase::Decode, Phase::Prefill] {
        for group in [by_device, by_model] {
            let [one, several] = [false, true].map(|several| left_out(phase, several, group));
            let error = |errors: &[f64]| median(errors.iter().copied().map(f64::abs));
            let all = error(&[&one[..], &several[..]].concat());
            assert!(all < 0.15 && error(&one) < 0.15, "{phase:?}: {all}");
            // Of several devices some runs hardly took batches one after the other.
            assert!(error(&several) < 0.2, "{phase:?} of several: {}", error(&several));
        }
    }
}

/// Points as another fit foretells them are fitted by that fit's own factors.
#[test]
fn planted_factors_are_found() {
    let shipped = Fit::shipped();
    let made: Vec<Point> = points()
        .iter()
        .map(|point| {
            let mut made = point.clone();
            (made.ms, made.fault) = (1.5 * shipped.predict(point), false);
            made
        })
        .collect();
    let found = Fit::to(&made.iter().collect::<Vec<_>>());
    for (point, made) in points().iter().zip(&made) {
        let off = (found.predict(point) / made.ms).ln().abs();
        // Not nearer, for every factor is held a little by what is usual.
        assert!(off < 0.1, "{} {:?}: {off}", point.device.name, point.phase);
    }
    let (before, after) = (shipped.factors(Sort::Card), found.factors(Sort::Card));
    assert!((after.read[0] / before.read[0] - 1.5).abs() < 0.05, "{after:?}");
}

/// A point in which software failed moves nothing.
#[test]
fn faults_are_left_out() {
    let mut all: Vec<Point> = points().to_vec();
    for point in all.iter_mut().filter(|point| point.fault) {
        point.ms *= 100.0;
    }
    assert_eq!(Fit::to(&all.iter().collect::<Vec<_>>()), *Fit::shipped());
}

#[test]
fn nothing_is_faster_than_its_maker_says_and_no_factor_is_lost() {
    for sort in [Sort::Card, Sort::Soc] {
        let factors = Fit::shipped().factors(sort);
        let [a, b] = factors.read;
        assert!(a >= 1.0 && b >= 1.0 && factors.kv >= 1.0, "{factors:?}");
        assert!(factors.layer_ms > 0.01 && factors.layer_ms < 1.0, "{factors:?}");
    }
    let pace = Fit::shipped().pace(device("RTX-A6000").unwrap(), 16.0);
    assert!(pace.bytes_per_ms < 768e6 && pace.bytes_per_ms > 500e6, "{pace:?}");
    // 4-bit weights are unpacked before they are multiplied with.
    let packed = Fit::shipped().pace(device("RTX-A6000").unwrap(), 4.5);
    assert!(packed.flops_per_ms < pace.flops_per_ms);
}

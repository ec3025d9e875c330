//! Grids of scenarios: their points, and that what comes of them does not depend on threads.

use std::num::NonZeroUsize;

use hexswarm_sim::{Draft, Grid, JOBS_MAX, Metric, Paired, Ran, Report, Verdict, Wishes};

const ONE: NonZeroUsize = NonZeroUsize::MIN;
const SOME: NonZeroUsize = NonZeroUsize::new(3).unwrap();
const SHORT: [&str; 2] = ["run.seconds=20", "workload.requests_per_s=0.5"];

fn draft(settings: &[&str]) -> Draft {
    let mut draft = Draft::named("hexgen30").unwrap();
    SHORT.iter().chain(settings).for_each(|text| draft.set(&text.parse().unwrap()).unwrap());
    draft
}

fn grid(axes: &[&str], seeds: std::ops::Range<u64>) -> Grid {
    let axes = axes.iter().map(|text| text.parse().unwrap()).collect();
    Grid::new(vec![draft(&[])], axes, seeds).unwrap()
}

fn reports(grid: &Grid, threads: NonZeroUsize) -> Vec<(u64, u64, Report)> {
    let mut all = Vec::new();
    let take = |ran: Ran| {
        assert_eq!(ran.outcome.broken, []);
        all.push((ran.point, ran.seed, ran.outcome.report.unwrap()));
        true
    };
    grid.run(threads, Wishes::default(), take).unwrap();
    all
}

#[test]
fn points_are_every_value_with_every_other_and_the_last_key_changes_soonest() {
    let grid = grid(&["truth.layer_us=0,10", "planner.name=replicas,petals,helix"], 4..6);
    assert_eq!((grid.points(), grid.seeds()), (6, 2));
    let told = |point| {
        let set = grid.settings(point).into_iter().map(ToString::to_string);
        set.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(told(0), "truth.layer_us=0 planner.name=replicas");
    assert_eq!(told(2), "truth.layer_us=0 planner.name=helix");
    assert_eq!(told(3), "truth.layer_us=10 planner.name=replicas");
    assert_eq!(told(5), "truth.layer_us=10 planner.name=helix");
    let again = grid.draft(4).unwrap().again(5);
    let set = "--set run.seconds=20 --set workload.requests_per_s=0.5 --set truth.layer_us=10";
    assert_eq!(
        again,
        format!("hexswarm-sim run hexgen30 {set} --set planner.name=petals --seed 5")
    );
}

#[test]
fn what_a_shell_would_take_apart_is_quoted() {
    let told = draft(&["workload.input_tokens=[64, 128]"]).again(0);
    assert!(told.ends_with(" --set workload.input_tokens='[64, 128]' --seed 0"), "{told}");
}

#[test]
fn one_thread_or_many_bring_the_same_in_the_same_order() {
    let grid = grid(&["workload.requests_per_s=0.5,1", "truth.bandwidth=1,0.5"], 7..9);
    let one = reports(&grid, ONE);
    let order: Vec<_> = one.iter().map(|(point, seed, _)| (*point, *seed)).collect();
    assert_eq!(order, [(0, 7), (0, 8), (1, 7), (1, 8), (2, 7), (2, 8), (3, 7), (3, 8)]);
    assert_eq!(one, reports(&grid, SOME));
    let alone = grid.draft(2).unwrap().scenario().unwrap().run(8, Wishes::default());
    assert_eq!(alone.report.as_ref(), Some(&one[5].2));
}

#[test]
fn what_is_foreseen_is_of_all_points() {
    let seen = grid(&["run.scales=[5,3],[4]"], 0..1).foresee(SOME).unwrap();
    let tail = [Metric::Goodput(4.0), Metric::Goodput(5.0)];
    let parts = [3.0, 4.0, 5.0].map(Metric::Attainment);
    assert_eq!(seen.figures[8..], [&tail[..], &parts].concat());
}

#[test]
fn what_cannot_be_is_told_before_anything_runs() {
    let refused = |grid: Grid| grid.foresee(SOME).unwrap_err().to_string();
    let said = refused(grid(&["workload.request_per_s=1,2"], 0..1));
    assert!(said.contains("hexgen30") && said.contains("mean `requests_per_s`?"), "{said}");
    let said = refused(grid(&["run.seconds=1,2,-3"], 0..1));
    assert!(said.contains("seconds = -3"), "{said}");
    let two = vec!["run.seconds=1,2".parse().unwrap()];
    let said = Grid::new(vec![draft(&[])], two, 0..JOBS_MAX).unwrap_err().to_string();
    assert!(said.contains("2 points with 100000 seeds each are 200000 runs"), "{said}");
    let said = refused(Grid::new(vec![Draft::named("storm").unwrap()], vec![], 0..1).unwrap());
    assert!(said.contains("storm serves no workload"), "{said}");
    let twice = ["run.seconds=1", "run.seconds=2"].map(|text| text.parse().unwrap());
    let said = Grid::new(vec![draft(&[])], twice.to_vec(), 0..1).unwrap_err().to_string();
    assert!(said.contains("run.seconds is set twice"), "{said}");
}

#[test]
fn a_key_of_one_of_several_tables_is_set_by_its_place() {
    let mut draft = Draft::named("nevada-leaves").unwrap();
    draft.set(&"fault.0.at_s=7".parse().unwrap()).unwrap();
    let scenario = draft.scenario().unwrap();
    let faults = &scenario.recipe().unwrap().faults;
    assert!(!faults.is_empty() && faults.iter().all(|fault| fault.at.as_secs() == 7));
    for key in ["fault.1.at_s=7", "fault.at_s=7", "fault.0.at_s.x=7", "about.x=7"] {
        let said = draft.set(&key.parse().unwrap()).unwrap_err().to_string();
        assert!(said.contains("of `fault` there are 1") || said.contains("is no table"), "{said}");
    }
}

#[test]
fn points_that_are_planned_alike_share_their_fleet() {
    let grid = grid(&["planner.seed=0,1", "workload.requests_per_s=0.5,1"], 0..1);
    let scenario = |point| grid.draft(point).unwrap().scenario().unwrap();
    let fleets: Vec<_> =
        (0..4).map(|point| scenario(point).recipe().unwrap().fleet.clone()).collect();
    let same = |a: usize, b: usize| std::sync::Arc::ptr_eq(&fleets[a], &fleets[b]);
    assert!(same(0, 1) && same(2, 3), "alike, but planned twice");
    assert!(!same(0, 2), "unlike, but planned once");
}

/// A figure of A and B over some seeds.
fn paired(a: Draft, b: Draft, figure: Metric) -> Paired {
    let grid = Grid::new(vec![a, b], Vec::new(), 0..4).unwrap();
    let all = reports(&grid, SOME);
    let (of_a, of_b) = all.split_at(4);
    let value = |(_, _, report): &(u64, u64, Report)| figure.of(&[report]).unwrap();
    let values: Vec<_> = of_a.iter().map(value).zip(of_b.iter().map(value)).collect();
    Paired::of(&values).unwrap()
}

#[test]
fn a_scenario_does_not_differ_from_itself_and_a_slower_one_does_in_all_seeds() {
    let same = paired(draft(&[]), draft(&[]), Metric::LatencyP99);
    assert_eq!((same.difference, same.interval), (0.0, Some((0.0, 0.0))));
    assert_eq!(same.verdict(), Verdict::Same);
    let slower = paired(draft(&[]), draft(&["truth.bandwidth=0.5"]), Metric::TpotP50);
    assert_eq!((slower.more, slower.less, slower.verdict()), (4, 0, Verdict::More));
    assert!((1.5..2.05).contains(&slower.ratio().unwrap()), "{slower:?}");
}

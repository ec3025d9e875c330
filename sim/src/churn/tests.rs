use super::*;

const S: fn(u64) -> Duration = Duration::from_secs;

fn bamboo() -> ChurnTrace {
    crate::shipped::CHURNS[0].1.parse().unwrap()
}

fn churn(machines: usize, times: Times) -> Churn {
    Churn { machines: (10..10 + machines).collect(), does: What::Die, times }
}

/// Seconds, machine, and for how many seconds.
fn told(faults: &[Fault]) -> Vec<(u64, usize, Option<u64>)> {
    faults.iter().map(|f| (f.at.as_secs(), f.machine, f.lasts.map(|l| l.as_secs()))).collect()
}

#[test]
fn machines_go_and_come_at_the_times_of_the_trace() {
    let trace: ChurnTrace = "time_s,event,node\n0,add,a\n10,add,b\n30,remove,a\n50,add,c\n\
                             60,add,d\n70,remove,b\n75,add,e\n90,remove,c\n"
        .parse()
        .unwrap();
    let two = churn(2, Times::Recorded(trace.clone().hurried(1.0, S(0)).into()));
    let expected = [
        (0, 11, Some(10)),  // until b comes
        (30, 10, Some(20)), // from a to c
        (70, 11, Some(5)),  // from b to e; d found no place
        (90, 10, None),     // after c
    ];
    assert_eq!(told(&two.faults(S(100), 1)), expected);
    assert_eq!(two.without_place(S(100)), 1);
    // What ends after the last request does not end.
    assert_eq!(told(&two.faults(S(72), 1)).last(), Some(&(70, 11, None)));
    // Twice as fast, from 20 s on: c comes at 25 s and goes at 45 s.
    let fast = churn(2, Times::Recorded(trace.hurried(2.0, S(20)).into()));
    assert_eq!(
        told(&fast.faults(S(40), 1)),
        [(0, 11, Some(5)), (15, 10, Some(2)), (25, 11, None)],
        "b is here, a is gone"
    );
}

#[test]
fn every_machine_of_bamboo_that_goes_leaves_a_gap_if_there_is_place_for_all() {
    let trace = bamboo();
    assert_eq!(trace.0.len(), 79);
    let gone = trace.0.iter().filter(|stay| stay.to.is_some()).count();
    let all = churn(79, Times::Recorded(trace.clone().hurried(1.0, S(0)).into()));
    let span = S(100_000);
    assert_eq!(all.without_place(span), 0);
    let goes = |fault: &&Fault| !fault.at.is_zero();
    assert_eq!(all.faults(span, 1).iter().filter(goes).count(), gone);
    let few = churn(5, Times::Recorded(trace.hurried(1.0, S(0)).into()));
    let faults = few.faults(span, 1);
    // The first five are here from 480 to 600 s on; the first of them goes at 1,440 s.
    assert_eq!(told(&faults)[..2], [(0, 10, Some(480)), (0, 11, Some(540))]);
    assert_eq!(faults.iter().find(goes).unwrap().at, S(1_440));
}

#[test]
fn drawn_stays_have_the_means_that_they_are_said_to_have() {
    for shape in [0.5, 1.0, 3.0] {
        let times = Times::Drawn { up: S(300), down: S(100), up_shape: shape, down_shape: shape };
        let faults = churn(1, times).faults(S(1_000_000), 5);
        let gone: f64 = faults.iter().filter_map(|f| f.lasts).map(|l| l.as_secs_f64()).sum::<f64>();
        let count = faults.len() as f64;
        assert!((count - 2_500.0).abs() < 250.0, "{shape}: {count}");
        assert!((gone / count - 100.0).abs() < 12.0, "{shape}: {}", gone / count);
    }
}

#[test]
fn a_seed_draws_the_same_and_machines_draw_for_themselves() {
    let times = Times::Drawn { up: S(100), down: S(10), up_shape: 0.6, down_shape: 0.6 };
    let two = churn(2, times.clone());
    let faults = two.faults(S(1_000), 7);
    assert_eq!(faults, two.faults(S(1_000), 7));
    assert_ne!(faults, two.faults(S(1_000), 8));
    let of = |machine: usize| {
        faults.iter().filter(|f| f.machine == machine).map(|f| f.at).collect::<Vec<_>>()
    };
    assert_ne!(of(10), of(11));
    let only: Vec<_> = churn(1, times).faults(S(1_000), 7).iter().map(|f| f.at).collect();
    assert_eq!(of(10), only, "others change nothing");
    let moments =
        Times::Drawn { up: Duration::from_nanos(1), down: S(0), up_shape: 1.0, down_shape: 1.0 };
    assert!(churn(3, moments).faults(S(1_000_000), 1).len() <= GOINGS_MAX);
}

#[test]
fn what_cannot_be_is_told_with_its_line() {
    for (rows, words) in [
        ("0,add,a\n5,add,b\n4,remove,a\n", "line 4: 1 s before the line before"),
        ("-1,add,a\n", "line 2: a time of -1 s"),
        ("nan,add,a\n", "line 2: a time of NaN s"),
        ("0,add,a\n1,reboot,a\n", "line 3: `reboot` is neither `add` nor `remove`"),
        ("0,add,a\n1,add,a\n", "line 3: a comes, and is here already"),
        ("0,remove,a\n", "line 2: a goes, and is not here"),
        ("0,add\n", "line 2: 2 cells, where the header has 3"),
        ("soon,add,a\n", "line 2: "),
        ("", "nobody comes"),
    ] {
        let text = format!("time_s,event,node\n{rows}");
        let said = text.parse::<ChurnTrace>().unwrap_err().to_string();
        assert!(said.contains(words), "{rows}: {said}");
    }
    assert!("a,b\n1,2\n".parse::<ChurnTrace>().unwrap_err().to_string().contains("time_s"));
}

#[test]
fn stays_and_absences_have_shapes_of_their_own() {
    // Of 0.5 the variance is five times the mean's square, of 5 a nineteenth of it.
    let spread = |up_shape: f64, down_shape: f64| {
        let times = Times::Drawn { up: S(300), down: S(100), up_shape, down_shape };
        let faults = churn(1, times).faults(S(2_000_000), 3);
        let gone: Vec<f64> =
            faults.iter().filter_map(|f| f.lasts).map(|l| l.as_secs_f64()).collect();
        let mean = gone.iter().sum::<f64>() / gone.len() as f64;
        let squares = gone.iter().map(|l| (l - mean) * (l - mean)).sum::<f64>() / gone.len() as f64;
        squares / mean / mean
    };
    let (even, wild) = (spread(0.5, 5.0), spread(5.0, 0.5));
    assert!((0.03..0.08).contains(&even), "{even}");
    assert!((3.5..6.5).contains(&wild), "{wild}");
}

#[test]
fn machines_that_could_be_had_are_here() {
    let trace: ChurnTrace = "zone,start_s,end_s,available\na,0,10,2\nb,0,50,1\na,10,30,1\n\
                             a,30,60,3\nb,70,80,1\na,60,90,0\n"
        .parse()
        .unwrap();
    let stays: Vec<_> =
        trace.0.iter().map(|s| (s.from.as_secs(), s.to.map(|to| to.as_secs()))).collect();
    let expected = [
        (0, Some(60)),  // a's first,
        (0, Some(10)),  // and its second, of which one is left from 10 s on;
        (0, Some(50)),  // b's, of which nothing is told from 50 s to 70 s;
        (30, Some(60)), // two more of a,
        (30, Some(60)),
        (70, None), // and b's again, who is here when its series ends.
    ];
    assert_eq!(stays, expected);
}

#[test]
fn availability_that_cannot_be_is_told_with_its_line() {
    let said = |rows: &str| {
        let text = format!("start_s,end_s,available\n{rows}");
        text.parse::<ChurnTrace>().unwrap_err().to_string()
    };
    assert!(said("0,10,1\n5,20,1\n").starts_with("line 3: 5 s before the line before"));
    assert!(said("0,10,1\n20,15,1\n").starts_with("line 3: 5 s before"));
    assert!(said("0,10,-1\n").starts_with("line 2: `-1` is no number of machines"));
    assert!(said("0,ten,1\n").starts_with("line 2: `ten` is no number of seconds"));
    assert!(said("0,nan,1\n").starts_with("line 2: a time of NaN s"));
    assert!(said("0,10,9000000\n").starts_with("line 2: `9000000` is no number of machines"));
    assert!(said("0,1,900000\n1,2,0\n2,3,900000\n").contains("more than 1000000 times"));
    assert!(said("0,10\n").contains("line 2"));
    assert_eq!(said("0,10,0\n"), "nobody comes in it");
}

//! Logs of a real core with real keys are played again, whole and in every way broken.

mod command;
mod pair;

use hexswarm_sim::replay::{Ending, Replay, ReplayError, Step, Tally, kind};
use swarm_core::{
    Ask, Input, Router, Soonest, Way,
    record::{Claim, End, Fault, Frame, Frames, OPENING, Why},
};
use swarm_proto::{SessionId, Time};

/// Plays a log to its end: all steps, and what stopped it.
fn play(log: &[u8]) -> (Vec<Step>, Result<Ending, ReplayError>) {
    let mut steps = Vec::new();
    let mut replay = match Replay::open(log) {
        Ok(replay) => replay,
        Err(error) => return (steps, Err(error)),
    };
    loop {
        match replay.step(Time::NEVER) {
            Ok(Some(step)) => steps.push(step),
            Ok(None) => return (steps, Ok(replay.end().expect("it has ended").clone())),
            Err(error) => return (steps, Err(error)),
        }
    }
}

/// The contents of a log's frames.
fn contents(log: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut contents) = (&log[OPENING.len()..], Vec::new());
    while let Some((claim, after)) = rest.split_first_chunk() {
        let (content, after) = after.split_at(Claim::read(*claim).unwrap().content_bytes());
        contents.push(content.to_vec());
        rest = after;
    }
    contents
}

/// A log of these contents, as if a node had written them.
fn joined(contents: &[Vec<u8>]) -> Vec<u8> {
    let mut log = OPENING.to_vec();
    for content in contents {
        log.extend((content.len() as u32).to_le_bytes());
        log.extend(&swarm_proto::Hash::of(content).0[..4]);
        log.extend(content);
    }
    log
}

#[test]
fn the_same_inputs_lead_to_the_same_effects() {
    let log = pair::recorded();
    assert_eq!(joined(&contents(&log)), log);
    let (steps, end) = play(&log);
    assert!(matches!(end, Ok(Ending::Said(End { why: Why::Stopped, inputs_missed: 0 }))));
    let mut tally = Tally::default();
    for step in &steps {
        assert_eq!(step.same, Some(true), "{step:?}");
        tally.count(step, Time::ZERO);
    }
    for kind in ["asked", "arrived", "computed", "heard", "loaded", "persisted", "planned"] {
        assert!(tally.inputs.contains_key(kind), "no {kind} in {:?}", tally.inputs);
    }
    let [led] = tally.led.values().collect::<Vec<_>>()[..] else { panic!("{:?}", tally.led) };
    assert_eq!((led.prompt_tokens, led.tokens, led.end.as_deref()), (40, 12, Some("length")));
    assert!(led.ttft() > Some(std::time::Duration::ZERO) && led.tpot() < led.ttft(), "{led:?}");
    let said: Vec<_> = tally.notices.iter().map(|(_, said)| said.as_str()).collect();
    assert!(said.iter().any(|said| said.contains("leads")), "{said:?}");
    assert!(said.iter().any(|said| said.ends_with("is live")), "{said:?}");
}

#[test]
fn a_log_that_goes_on_is_played_only_as_far_as_is_wanted() {
    let log = pair::recorded();
    let all = play(&log).0;
    let until = all[all.len() / 2].at;
    let mut replay = Replay::open(&log[..]).unwrap();
    let mut last = Time::ZERO;
    while let Some(step) = replay.step(until).unwrap() {
        last = step.at;
    }
    assert_eq!(last, until);
    assert_eq!(replay.end(), None);
    // And then further.
    let next = replay.step(Time::NEVER).unwrap().expect("there is more");
    assert_eq!((next.number, next.same), (all.len() as u64 / 2 + 2, Some(true)));
}

/// An input that was not there, or was another, makes another core.
#[test]
fn an_input_that_is_left_out_or_altered_is_found() {
    let log = pair::recorded();
    let (whole, steps) = (contents(&log), play(&log).0);
    for wanted in ["asked", "persisted", "planned", "loaded", "computed", "measured"] {
        let index = steps.iter().position(|step| kind(&step.input) == wanted).unwrap();
        let mut left_out = whole.clone();
        // After the head, an input and what came of it.
        left_out.drain(1 + 2 * index..3 + 2 * index);
        let found = play(&joined(&left_out)).0.iter().any(|step| step.same == Some(false));
        assert!(found, "an input `{wanted}` was left out, and nobody saw it");
    }
    let asked = steps.iter().position(|step| matches!(step.input, Input::Asked { .. })).unwrap();
    let mut input = steps[asked].input.clone();
    if let Input::Asked { ask, .. } = &mut input {
        ask.tokens[3] += 1;
    }
    let mut frames = Frames::default();
    frames.input(steps[asked].at, &input).unwrap();
    let mut altered = whole.clone();
    altered[1 + 2 * asked] = frames.take()[Claim::BYTES..].to_vec();
    let altered = play(&joined(&altered)).0;
    let first = altered.iter().find(|step| step.same == Some(false)).expect("a difference");
    assert!(first.number > asked as u64, "{first:?}");
}

#[test]
fn a_log_that_was_cut_is_played_to_its_last_whole_frame() {
    let log = pair::recorded();
    let all = play(&log).0.len();
    let whole: Vec<_> = contents(&log)
        .iter()
        .scan(OPENING.len(), |end, content| {
            *end += Claim::BYTES + content.len();
            Some(*end)
        })
        .collect();
    let ends = [whole[0], whole[whole.len() / 2], whole[whole.len() - 2]];
    for length in (0..log.len()).step_by(log.len() / 97).chain(ends) {
        let (steps, end) = play(&log[..length]);
        let (frames, begin) = (whole.partition_point(|end| *end <= length), length as u64);
        if frames == 0 {
            assert!(matches!(end, Err(ReplayError::Empty { .. })), "{length}: {end:?}");
            continue;
        }
        let begin = begin - whole[frames - 1] as u64;
        assert_eq!(end.unwrap(), Ending::Cut { bytes: begin }, "{length}");
        // The last one may be without what came of it.
        assert_eq!(steps.len(), frames / 2, "{length}");
        let known = steps.iter().filter(|step| step.same == Some(true)).count();
        assert_eq!(known, (frames - 1) / 2, "{length}");
    }
    assert_eq!(play(&log[..log.len() - 1]).0.len(), all);
}

#[test]
fn a_bit_that_is_flipped_is_found_wherever_it_is() {
    let log = pair::recorded();
    for place in (0..log.len()).step_by(101).chain(0..OPENING.len()) {
        let mut flipped = log.clone();
        flipped[place] ^= 1 << (place % 8);
        match play(&flipped).1 {
            Err(ReplayError::Fault { offset, .. } | ReplayError::Empty { offset }) => {
                assert!(offset <= place as u64, "{place}: at {offset}");
            }
            // A length that reaches beyond the end.
            Ok(Ending::Cut { bytes }) => assert!(bytes as usize >= log.len() - place - 8),
            other => panic!("{place}: {other:?}"),
        }
    }
}

/// Frames that are what was written, by somebody who writes what no node does.
#[test]
fn whatever_frames_say_there_is_an_answer() {
    let log = pair::recorded();
    let whole = contents(&log);
    for (index, content) in whole.iter().enumerate().step_by(7) {
        for place in (0..content.len()).step_by(1 + content.len() / 5) {
            let mut changed = whole.clone();
            changed[index][place] ^= 1 << (place % 8);
            drop(play(&joined(&changed)));
        }
    }
}

#[test]
fn what_is_no_log_is_refused_with_its_place() {
    let refused = |log: &[u8]| play(log).1.expect_err("it is no log").to_string();
    assert!(refused(b"{\"t_us\": 0, \"node\": 0}").starts_with("at byte 0: this is no log"));
    let mut other = pair::recorded();
    other[12] += 1;
    assert!(refused(&other).contains("form 2"), "{}", refused(&other));

    let head = contents(&pair::recorded())[0].clone();
    let begun = joined(std::slice::from_ref(&head));
    let with = |more: &[u8]| refused(&[&begun, more].concat());
    assert!(with(&[0xff; 8]).contains("4294967295 bytes, and none has more"));
    // An input whose list of tokens, or whose activations, are said to be endless.
    let endless = [253, 255, 255, 255, 255, 255, 255, 255, 127];
    for input in [&[14, 1][..], &[12, 0, 1, 0, 0]] {
        let said = refused(&joined(&[head.clone(), [&[1, 9], input, &endless].concat()]));
        assert!(said.starts_with(&format!("at byte {}: ", begun.len())), "{said}");
        assert!(said.contains("cannot be understood"), "{said}");
    }
    let twice = refused(&joined(&[head.clone(), head]));
    assert!(twice.contains("what a node is made of where an input should be"), "{twice}");
}

/// A frame may claim to be long; room is made for what is there.
#[test]
fn a_claim_is_no_reason_to_make_room() {
    let mut log = joined(&contents(&pair::recorded())[..1]);
    log.extend((16u32 << 20).to_le_bytes());
    log.extend([0; 100]);
    let mut bytes = 0;
    let heap = allocation_counter::measure(|| {
        if let Ok(Ending::Cut { bytes: cut }) = play(&log).1 {
            bytes = cut;
        }
    });
    assert_eq!(bytes, 104);
    assert!(heap.bytes_max < 1 << 20, "{} bytes", heap.bytes_max);
}

/// What a node died of is told, whatever killed it; this one is more patient than time is long.
#[test]
fn a_core_that_panics_says_at_what() {
    let log = pair::recorded();
    let mut head = Replay::open(&log[..]).unwrap().head().clone();
    head.config.patience = std::time::Duration::MAX;
    let mut patient = Frames::opening(&head).unwrap().take();
    patient.extend(&joined(&contents(&log)[1..])[OPENING.len()..]);
    match play(&patient).1 {
        Err(ReplayError::Panicked { number: 1, offset, .. }) => assert!(offset > 100),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fault_is_told_by_its_kind() {
    let claim = Claim::read([0; 8]).unwrap();
    assert!(matches!(claim.open(&[]), Err(Fault::Damaged { bytes: 0 })));
    let end = End { why: Why::Slow, inputs_missed: 3 };
    let mut frames = Frames::default();
    frames.end(&end).unwrap();
    let bytes = frames.take();
    let (claim, content) = bytes.split_first_chunk().unwrap();
    assert_eq!(Claim::read(*claim).unwrap().open(content), Ok(Frame::End(end)));
}

/// Lets all sessions wait.
#[derive(Debug)]
struct Never;

impl Router for Never {
    fn choose(&mut self, _: SessionId, _: &Ask, _: &[Way<'_>]) -> Option<u16> {
        None
    }
}

#[test]
fn a_log_is_played_through_the_router_that_is_brought_along() {
    let log = pair::recorded();
    let first_other = |router: Box<dyn Router>| {
        let mut replay = Replay::open(&log[..]).unwrap().routed_by(router);
        let mut steps = std::iter::from_fn(|| replay.step(Time::NEVER).unwrap());
        steps.find(|step| step.same == Some(false)).map(|step| kind(&step.input))
    };
    assert_eq!(first_other(Box::new(Soonest)), None);
    assert_eq!(first_other(Box::new(Never)), Some("asked"));
}

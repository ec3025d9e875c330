//! What a log holds is what was put into it, and its form has a number.

use swarm_core::{
    Answer, Ask, Body, ComputeFault, Computed, Config, Effect, GroupKey, Input, Notice, Refusal,
    RequestId, Shard,
    record::{Claim, Digest, End, Frame, Frames, Head, OPENING, Outcome, VERSION, Why},
};
use swarm_proto::{
    Ballot, Batch, BatchId, ColumnRange, Draw, FrameHeader, Hash, HeadRange, Item, LayerRange,
    Message, PlanId, Pulse, Sampled, Sampling, Signature, Time, codec,
};

use crate::lab::{id, model};

fn head() -> Head {
    let config = Config { founds: true, api: Some("http://a".to_owned()), ..Config::new(model()) };
    Head { node: id(1), config, seed: u64::MAX, ballot: Ballot::default() }
}

fn body(bytes: usize) -> Body {
    Body(vec![0; bytes].into())
}

fn sampled() -> Sampled {
    Sampled { token: 70_000, logprob: Some(-0.5), top: vec![(3, -1.5)] }
}

fn rows() -> FrameHeader {
    FrameHeader::Dropped(BatchId { plan: PlanId::default(), pipeline: 1, stage: 2, batch: 3 })
}

fn inputs() -> Vec<Input> {
    let ask = Ask {
        tokens: vec![1, 300, 70_000],
        answer_tokens_max: 9,
        sampling: Sampling::default(),
        end_tokens: vec![2],
    };
    let computed = |outcome| Input::Computed { device: 1, job: 2, outcome };
    vec![
        Input::Tick,
        Input::PeerUp(id(2)),
        Input::PeerDown(id(2)),
        Input::Received { from: id(2), message: Message::Beat(Pulse::default()) },
        Input::Undeliverable(id(3)),
        Input::Arrived { from: id(2), header: rows(), body: body(300) },
        Input::Measured(Vec::new()),
        Input::Persisted(Box::default()),
        Input::Planned { request: 4, outcome: Err("nobody is here".to_owned()) },
        Input::Loaded { load: 5, device: 1, outcome: Ok(()) },
        computed(Ok(Computed::Activations(body(64)))),
        computed(Ok(Computed::Samples(vec![None, Some(sampled())]))),
        computed(Ok(Computed::Nothing)),
        computed(Err(ComputeFault::Numbers)),
        Input::Reachability { address: "/ip4/192.0.2.1".to_owned(), reachable: true },
        Input::Asked { request: RequestId(6), ask },
        Input::Cancelled(RequestId(6)),
        Input::Drain,
    ]
}

fn effects() -> Vec<Effect> {
    let shard = Shard {
        pipeline: 1,
        stage: 2,
        layers: LayerRange::new(3, 5).unwrap(),
        kv_heads: HeadRange::new(0, 1).unwrap(),
        ffn_columns: ColumnRange::new(0, 32).unwrap(),
        embeds: false,
        samples: true,
        leads: true,
        kv_blocks: 300,
        members: vec![(id(2), 1)],
    };
    let draw = Draw { sampling: Sampling::default(), step: 4, recent: vec![5] };
    let item = Item {
        position: 1,
        tokens: vec![2],
        blocks: vec![3].into(),
        sample: Some(std::sync::Arc::new(draw)),
    };
    let group = GroupKey { plan: PlanId::default(), pipeline: 1, stage: 2, batch: 3 };
    let answer = |event| Effect::Answer { request: RequestId(1), event };
    vec![
        Effect::Send { to: id(2), message: Message::Beat(Pulse::default()) },
        Effect::Forward { to: id(2), header: rows(), body: body(8) },
        Effect::Persist(Box::default()),
        Effect::Load { load: 1, plan: PlanId::default(), device: 2, shard },
        Effect::Unload { device: 3 },
        Effect::Compute {
            device: 1,
            job: 2,
            batch: Batch { items: vec![item] },
            input: Some(body(9)),
            group: Some(group),
        },
        answer(Answer::Started { cached_tokens: 16 }),
        answer(Answer::Token(sampled())),
        answer(Answer::Finished(swarm_proto::Finish::Length)),
        answer(Answer::Failed(Refusal::NoRoom { tokens: 1, tokens_max: 2 })),
        Effect::Absent(id(4)),
        Effect::Notice(Notice::Refused { peer: id(5), reason: "no".to_owned() }),
    ]
}

fn log() -> Vec<u8> {
    let mut frames = Frames::opening(&head()).unwrap();
    for (number, input) in (0..).zip(&inputs()) {
        frames.input(Time(number), input).unwrap();
    }
    frames.outcome(&Outcome::of(&effects(), vec![Signature([9; 64])])).unwrap();
    frames.end(&End { why: Why::Slow, inputs_missed: 300 }).unwrap();
    frames.take()
}

#[test]
fn what_is_read_is_what_was_written() {
    let log = log();
    let (opening, mut rest) = log.split_first_chunk().unwrap();
    assert_eq!(Claim::opens(*opening), Ok(()));
    let mut next = || {
        let (claim, after) = rest.split_first_chunk().unwrap();
        let claim = Claim::read(*claim).unwrap();
        let (content, after) = after.split_at(claim.content_bytes());
        rest = after;
        claim.open(content).unwrap()
    };
    assert_eq!(next(), Frame::Head(Box::new(head())));
    for (number, input) in (0..).zip(inputs()) {
        assert_eq!(next(), Frame::Input(Time(number), Box::new(input)));
    }
    assert_eq!(next(), Frame::Outcome(Outcome::of(&effects(), vec![Signature([9; 64])])));
    assert_eq!(next(), Frame::End(End { why: Why::Slow, inputs_missed: 300 }));
    assert!(rest.is_empty());
}

/// What a body says is not written, and no effect is another for it.
#[test]
fn activations_are_their_length() {
    let arrived = |bytes: &'static [u8]| {
        let mut frames = Frames::default();
        let body = Body(bytes.into());
        frames.input(Time::ZERO, &Input::Arrived { from: id(1), header: rows(), body }).unwrap();
        frames.take()
    };
    assert_eq!(arrived(b"secret"), arrived(b"public"));
    assert_ne!(arrived(b"secret"), arrived(b"secrets"));
    let forward = |body| [Effect::Forward { to: id(2), header: rows(), body }];
    assert_ne!(Digest::of(&forward(body(8))), Digest::of(&forward(body(9))));
}

/// Effects are others if one is left out, or comes in another order.
#[test]
fn a_digest_is_of_all_effects_in_their_order() {
    let (all, mut turned) = (effects(), effects());
    turned.swap(0, 1);
    assert_ne!(Digest::of(&all), Digest::of(&turned));
    assert_ne!(Digest::of(&all), Digest::of(&all[1..]));
    assert_ne!(Digest::of(&[]), Digest::of(&all[..1]));
}

/// Logs are read by the version that they were written by: bytes that were edited are another's.
#[test]
fn these_bytes_are_this_form_and_no_other() {
    let (form, protocol, hash) =
        (2, 5, "30369789b8cd420614cb04926cc81b2aeb394f329982207e3f3e1ef06ed7b2d3");
    let found = Hash::of(&log()[OPENING.len()..]).to_string();
    let now = (VERSION, codec::VERSION, found.as_str());
    assert_eq!(now, (form, protocol, hash), "raise record::VERSION");
}

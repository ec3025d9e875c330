//! No bytes decode to a value that breaks its type's rules, and honest messages are never refused.

use bincode::{Decode, Encode};
use proptest::prelude::*;
use swarm_proto::{
    Advert, BATCH_ROWS_MAX, Ballot, CHANGES_MAX, Certificate, ColumnRange, CouncilMessage,
    DEVICES_MAX, END_TOKENS_MAX, FRAME_ROWS_MAX, Hash, HeadRange, LINKS_MAX, LOGPROBS_MAX,
    LayerRange, MEET_MAX, Meet, Message, NodeId, Open, PLAN_MEMBERS_MAX, PREFIX_BLOCKS_MAX,
    Pipeline, Predicted, REASON_BYTES_MAX, Reason, RoundMessage, RowsHeader, RowsItem, Sampled,
    Sampling, SessionMessage, Stage, VOTERS_MAX, VoterSet,
    codec::{self, DecodeError},
};

use crate::structs;

/// Encoding does not look at rules; opening does, and says which was broken.
fn refused<T: Encode + Decode<()>>(value: &T, why: &str) {
    match codec::open::<T>(&codec::seal(value).unwrap()) {
        Err(DecodeError::Malformed { reason }) => assert!(reason.contains(why), "{reason}"),
        Err(other) => panic!("refused for another reason: {other}"),
        Ok(_) => panic!("taken, though it breaks {why:?}"),
    }
}

fn taken<T: Encode + Decode<()>>(value: &T) {
    if let Err(error) = codec::open::<T>(&codec::seal(value).unwrap()) {
        panic!("{error}");
    }
}

/// `value` with something done to it.
fn with<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}

proptest! {
    #[test]
    fn a_span_is_never_empty(first in 0..100u32, end in 0..100u32) {
        let bytes = codec::seal(&(first, end)).unwrap();
        let layers = codec::open::<LayerRange>(&bytes).ok();
        prop_assert_eq!(layers.map(|span| (span.first(), span.end())),
            (first < end).then_some((first, end)));
        prop_assert_eq!(codec::open::<HeadRange>(&bytes).is_ok(), first < end);
        prop_assert_eq!(codec::open::<ColumnRange>(&bytes).is_ok(), first < end);
    }
}

#[test]
fn nobody_tells_of_more_peers_than_anyone_needs() {
    let meet = |count| Meet { peers: vec![NodeId([1; 32]); count] };
    taken(&meet(MEET_MAX));
    refused(&meet(MEET_MAX + 1), "peers to meet");
}

#[test]
fn stages_have_members_and_pipelines_stages() {
    let plan = structs::plan().0.statement;
    let stage = plan.pipelines[0].stages[0].clone();
    refused(&Stage { members: Vec::new(), ..stage }, "no members");
    let hollow = Pipeline { stages: Vec::new(), predicted: Predicted::default() };
    refused(&hollow, "no stages");
    let hollow = with(plan, |plan| plan.pipelines[0].stages[0].members.clear());
    refused(&hollow, "no members");
}

#[test]
fn sampling_is_in_range() {
    let change = |change: fn(&mut Sampling)| with(Sampling::default(), change);
    for bad in [f32::NAN, f32::INFINITY, -1.0] {
        refused(&Sampling { temperature: bad, ..Sampling::default() }, "temperature");
        refused(&Sampling { top_p: bad, ..Sampling::default() }, "top_p");
        refused(&Sampling { min_p: bad, ..Sampling::default() }, "min_p");
        refused(&Sampling { repetition_penalty: bad, ..Sampling::default() }, "repetition_penalty");
    }
    refused(&change(|s| s.logprobs = Some(LOGPROBS_MAX + 1)), "top_logprobs");
    let open = with(structs::open().0, |open| open.sampling.top_p = 0.0);
    refused(&Message::Session(SessionMessage::Open(Box::new(open))), "top_p");
}

#[test]
fn lists_of_a_session_are_bounded() {
    let open = structs::open().0;
    let prefix = vec![Hash([0xff; 32]); PREFIX_BLOCKS_MAX + 1];
    refused(&Open { prefix, ..open.clone() }, "1024 blocks");
    refused(&Open { end_tokens: vec![u32::MAX; END_TOKENS_MAX + 1], ..open }, "64 tokens");
    let top = vec![(u32::MAX, -1.0); usize::from(LOGPROBS_MAX) + 1];
    refused(&Sampled { top, ..structs::sampled().0 }, "20 log-probabilities");
}

#[test]
fn a_frame_has_rows_but_not_too_many() {
    let rows = structs::rows().0;
    let item = |tokens| RowsItem { tokens, ..rows.items[0].clone() };
    let frame = |items| RowsHeader { items, ..rows.clone() };
    refused(&frame(Vec::new()), "no rows");
    refused(&frame(vec![item(vec![1]), item(Vec::new())]), "no rows");
    taken(&frame(vec![item(vec![1; FRAME_ROWS_MAX])]));
    refused(&frame(vec![item(vec![1; FRAME_ROWS_MAX]), item(vec![1])]), "4096 rows");
}

#[test]
fn adverts_are_bounded_and_numbers_possible() {
    let advert = structs::advert().0.statement;
    let change = |change: &dyn Fn(&mut Advert)| with(advert.clone(), |advert| change(advert));
    refused(&change(&|a| a.devices = vec![a.devices[0].clone(); DEVICES_MAX + 1]), "64 devices");
    refused(&change(&|a| a.links = vec![a.links[0].clone(); LINKS_MAX + 1]), "64 links");
    refused(&change(&|a| a.devices.push(a.devices[0].clone())), "out of order");
    refused(&change(&|a| a.links[0].loss = 1.5), "loss");
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        refused(&change(&|a| a.links[0].rtt_ms = bad), "figure");
        refused(&change(&|a| a.devices[0].flops_per_s = bad), "figure");
    }
}

#[test]
fn sets_of_voters_are_sets() {
    let set = |number, voters: &[u8]| VoterSet {
        number,
        voters: voters.iter().map(|voter| NodeId([*voter; 32])).collect(),
    };
    for set in [set(0, &[1]), set(1, &[]), set(1, &[2, 1]), set(1, &[1, 1])] {
        refused(&set, "impossible set");
    }
    let most: Vec<u8> = (0..VOTERS_MAX as u8 + 1).collect();
    taken(&set(1, &most[1..]));
    refused(&set(1, &most), "impossible set");
    let change = CouncilMessage::Change { term: swarm_proto::Term(1), set: set(2, &[3, 3]) };
    refused(&Message::Council(change), "impossible set");
}

#[test]
fn a_certificate_has_no_more_votes_than_voters() {
    let certificate = structs::certificate().0;
    let votes =
        |count| Certificate { votes: vec![certificate.votes[0]; count], ..certificate.clone() };
    taken(&votes(VOTERS_MAX));
    refused(&votes(VOTERS_MAX + 1), "more votes");
}

#[test]
fn a_reason_is_short() {
    let long = "ä".repeat(REASON_BYTES_MAX);
    let reason = Reason::new(&long);
    assert_eq!(reason.as_str(), &long[..REASON_BYTES_MAX]);
    taken(&RoundMessage::Unready { plan: structs::plan_id().0, reason });
    assert_eq!(Reason::new(&format!("x{long}")).as_str().len(), REASON_BYTES_MAX - 1);
    let bytes = codec::seal(&long[..REASON_BYTES_MAX + 2].to_owned()).unwrap();
    assert!(codec::open::<Reason>(&bytes).unwrap_err().to_string().contains("512 bytes"));
}

/// A node writes its ballot down as a message, and must be able to.
#[test]
fn the_fullest_ballot_is_kept_and_none_fuller() {
    let number = u64::MAX;
    let voters = (0..VOTERS_MAX as u8).map(|voter| NodeId([voter; 32])).collect();
    let set = VoterSet { number, voters };
    let certificate = structs::certificate().0;
    let change = Certificate {
        set: set.clone(),
        previous: Some(set.clone()),
        votes: vec![certificate.votes[0]; VOTERS_MAX],
        ..certificate
    };
    let changes = |count| Ballot {
        set: Some(set.clone()),
        proven: Some(set.clone()),
        changes: vec![change.clone(); count],
        ..structs::ballot().0
    };
    taken(&changes(CHANGES_MAX));
    refused(&changes(CHANGES_MAX + 1), "32 changes");
}

/// The codec counts memory and bytes against one limit; the fullest messages keep far below it.
#[test]
fn the_fullest_messages_are_taken() {
    let prompt = SessionMessage::Prompt {
        attempt: structs::attempt().0,
        position: 0,
        tokens: vec![u32::MAX; 8192],
        last: true,
    };
    taken(&Message::Session(prompt));
    let open = Open {
        prefix: vec![Hash([0xff; 32]); PREFIX_BLOCKS_MAX],
        end_tokens: vec![u32::MAX; END_TOKENS_MAX],
        ..structs::open().0
    };
    taken(&Message::Session(SessionMessage::Open(Box::new(open))));
    let rows = structs::rows().0;
    let item = RowsItem { tokens: vec![u32::MAX], ..rows.items[0].clone() };
    taken(&RowsHeader { items: vec![item; BATCH_ROWS_MAX], ..rows });
    let hello = with(structs::hello().0, |hello| {
        let advert = &mut hello.advert.statement;
        let device = advert.devices[0].clone();
        let devices =
            (0..DEVICES_MAX as u8).map(|index| swarm_proto::Device { index, ..device.clone() });
        advert.devices = devices.collect();
        advert.links = vec![advert.links[0].clone(); LINKS_MAX];
        let plan = &mut hello.plan.as_mut().unwrap().statement;
        let pipeline = &mut plan.pipelines[0];
        let most = u64::MAX;
        pipeline.predicted =
            Predicted { ttft_us: most, tpot_us: most, requests_per_ks: most, sessions: u32::MAX };
        pipeline.stages.truncate(1);
        pipeline.stages[0].step_us = most;
        pipeline.stages[0].members.truncate(1);
        plan.pipelines = vec![pipeline.clone(); PLAN_MEMBERS_MAX];
    });
    taken(&Message::Hello(hello));
}

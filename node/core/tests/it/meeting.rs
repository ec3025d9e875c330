//! Members of a stage meet, and nobody waits for who will not come.

use swarm_core::{Found, GroupKey, Meetings, Seat, Shard};
use swarm_proto::{ColumnRange, Epoch, HeadRange, LayerRange, NodeId, PlanId, SumsHeader, Term};

const ME: NodeId = NodeId([1; 32]);
const PEER: NodeId = NodeId([2; 32]);

fn plan(epoch: u64) -> PlanId {
    PlanId { term: Term(1), epoch: Epoch(epoch) }
}

fn shard(members: &[(NodeId, u8)]) -> Shard {
    Shard {
        pipeline: 0,
        stage: 0,
        layers: LayerRange::new(0, 1).unwrap(),
        kv_heads: HeadRange::new(0, 1).unwrap(),
        ffn_columns: ColumnRange::new(0, 8).unwrap(),
        embeds: true,
        samples: true,
        leads: true,
        kv_blocks: 16,
        members: members.to_vec(),
    }
}

/// A stage that we share with a peer.
fn formed() -> Meetings<u8> {
    let mut meetings = Meetings::new(ME);
    meetings.form(plan(1), &shard(&[(ME, 0), (PEER, 0)]));
    meetings
}

fn key(batch: u64) -> GroupKey {
    GroupKey { plan: plan(1), pipeline: 0, stage: 0, batch }
}

fn header(batch: u64, index: u32, member: u16) -> SumsHeader {
    SumsHeader { plan: plan(1), pipeline: 0, stage: 0, batch, index, member }
}

fn gives(meetings: &mut Meetings<u8>, batch: u64, part: u8) {
    meetings.arrived(PEER, header(batch, 0, 1), part).unwrap();
}

fn seat(meetings: &mut Meetings<u8>, batch: u64) -> Seat {
    meetings.seat(key(batch), 0).unwrap()
}

#[test]
fn they_meet_in_the_batch_and_the_sum_that_they_share() {
    let mut meetings = formed();
    let mut seat = seat(&mut meetings, 4);
    assert_eq!(seat.header(), header(4, 0, 0));
    assert_eq!(meetings.hosts(&seat), [PEER]);
    assert_eq!(meetings.look(&seat), Found::Some);
    gives(&mut meetings, 4, 40);
    assert_eq!(meetings.look(&seat), Found::All(vec![40]));
    seat.advance();
    assert_eq!(meetings.look(&seat), Found::Some, "it was taken");
    meetings.arrived(PEER, header(4, 1, 1), 41).unwrap();
    assert_eq!(meetings.look(&seat), Found::All(vec![41]));
}

#[test]
fn devices_of_one_host_take_each_others_parts_and_share_what_arrives() {
    let members = [(ME, 0), (PEER, 0), (ME, 1)];
    let mut meetings = Meetings::new(ME);
    meetings.form(plan(1), &shard(&members));
    let (one, two) = (meetings.seat(key(1), 0).unwrap(), meetings.seat(key(1), 1).unwrap());
    meetings.give(&one, 10);
    meetings.form(plan(1), &shard(&members)); // the other device loads: nothing begins anew
    gives(&mut meetings, 1, 20);
    assert_eq!(meetings.look(&one), Found::Some);
    assert_eq!(meetings.look(&two), Found::All(vec![10, 20]));
    meetings.give(&two, 30);
    assert_eq!(meetings.look(&one), Found::All(vec![20, 30]));
    assert_eq!(meetings.look(&one), Found::Some, "all was taken by all");
}

#[test]
fn a_wait_ends_when_a_member_is_lost_and_the_next_one_waits_again() {
    let mut meetings = formed();
    let before = seat(&mut meetings, 1);
    meetings.break_up_with(PEER);
    assert_eq!(meetings.look(&before), Found::Gone);
    let after = seat(&mut meetings, 2);
    assert_eq!(meetings.look(&after), Found::Some, "it may be back under the same plan");
    gives(&mut meetings, 2, 7);
    assert_eq!(meetings.look(&after), Found::All(vec![7]));
    let strangers = seat(&mut meetings, 3);
    meetings.break_up_with(NodeId([9; 32]));
    assert_eq!(meetings.look(&strangers), Found::Some);
}

#[test]
fn the_next_plan_ends_the_waits_of_the_one_before() {
    let mut meetings = formed();
    let seat = seat(&mut meetings, 1);
    meetings.form(plan(2), &shard(&[(ME, 0), (PEER, 0)]));
    assert_eq!(meetings.look(&seat), Found::Gone);
    assert!(meetings.seat(key(2), 0).is_none(), "the old plan has no seats");
}

#[test]
fn nobody_waits_for_who_is_done_with_the_batch() {
    let mut meetings = formed();
    let seat = seat(&mut meetings, 7);
    gives(&mut meetings, 8, 8);
    assert_eq!(meetings.look(&seat), Found::Gone);
}

/// A stage whose leader began to count anew, lower than before.
#[test]
fn what_is_left_of_another_time_is_nothing() {
    let mut meetings = formed();
    for batch in 0..4 {
        gives(&mut meetings, (1 << 40) + batch, 8);
    }
    let seat = seat(&mut meetings, 7);
    assert_eq!(meetings.look(&seat), Found::Some);
    let mut meetings = formed();
    for batch in 0..4 {
        gives(&mut meetings, (1 << 40) + batch, 8);
    }
    gives(&mut meetings, 7, 9); // it came before we took our seat
    let seat = self::seat(&mut meetings, 7);
    assert_eq!(meetings.look(&seat), Found::All(vec![9]));
}

#[test]
fn what_nobody_waits_for_takes_a_bounded_room() {
    let mut meetings = formed();
    for batch in 0..4 {
        gives(&mut meetings, batch, 1);
    }
    let refused = meetings.arrived(PEER, header(4, 0, 1), 1);
    assert_eq!(refused, Err("sums that nobody is waiting for"));
}

#[test]
fn nobody_speaks_for_another() {
    let mut meetings = formed();
    let stranger = NodeId([3; 32]);
    for (from, of) in [(stranger, header(1, 0, 1)), (PEER, header(1, 0, 0)), (ME, header(1, 0, 0))]
    {
        assert_eq!(meetings.arrived(from, of, 1), Err("sums in another member's name"));
    }
    let elsewhere = SumsHeader { stage: 1, ..header(1, 0, 1) };
    assert!(meetings.arrived(PEER, elsewhere, 1).unwrap_err().contains("no part in"));
    assert!(meetings.seat(key(1), 1).is_none(), "a device without a share");
}

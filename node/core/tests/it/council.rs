//! Who leads, and who is believed.

use swarm_core::{Input, Notice};
use swarm_proto::{
    Certificate, CouncilMessage, Message, RoundMessage, Signature, Term, Vote, VoterSet,
    signed_bytes,
};

use crate::lab::{Lab, LabKeys, id};
use swarm_core::Keys;

fn vote(by: u8, leader: u8, term: u64, set: &VoterSet) -> (swarm_proto::NodeId, Signature) {
    let vote = Vote { origin: id(1), term: Term(term), leader: id(leader), set: set.hash() };
    (id(by), LabKeys(id(by)).sign(&signed_bytes(&vote)))
}

fn certificate(lab: &Lab, leader: u8, term: u64, votes: &[u8]) -> Certificate {
    let ballot = lab.disks[&id(1)].clone();
    let set = ballot.proven.unwrap();
    let votes = votes.iter().map(|by| vote(*by, leader, term, &set)).collect();
    Certificate { origin: id(1), term: Term(term), leader: id(leader), set, previous: None, votes }
}

fn refusals(lab: &Lab, by: u8) -> Vec<String> {
    let mine = lab.notices.iter().filter(|(node, _)| *node == id(by));
    mine.filter_map(|(_, notice)| match notice {
        Notice::Refused { reason, .. } => Some(reason.clone()),
        _ => None,
    })
    .collect()
}

fn is_ask(message: &Message) -> bool {
    matches!(message, Message::Council(CouncilMessage::Ask { .. }))
}

fn is_proposal(message: &Message) -> bool {
    matches!(message, Message::Round(RoundMessage::Propose { .. }))
}

fn claims(lab: &mut Lab, to: u8, certificate: Certificate) {
    let from = certificate.leader;
    let message = Message::Council(CouncilMessage::Certified(Box::new(certificate)));
    lab.give(to, Input::Received { from, message });
}

#[test]
fn a_vote_is_on_disk_before_it_is_sent() {
    let mut lab = Lab::serving(3);
    lab.slow_disks.insert(id(2));
    lab.lose = |from, _, message| from == id(2) && is_ask(message);
    lab.sent.clear();
    lab.kill(1);
    lab.pass(5_000);
    let voted = |(from, _, message): &(_, _, Message)| {
        *from == id(2) && matches!(message, Message::Council(CouncilMessage::Voted(_)))
    };
    assert!(!lab.sent.iter().any(voted), "said before it was written");
    assert_eq!(lab.node(3).leader(), Some(id(1)), "nobody can have won");
}

#[test]
fn the_two_that_are_left_of_three_elect_one_of_them() {
    let mut lab = Lab::serving(3);
    let term = lab.node(2).term();
    lab.kill(1);
    lab.until(5_000, |lab| lab.node(2).leader() != Some(id(1)));
    lab.until(5_000, |lab| lab.node(2).leader() == lab.node(3).leader());
    assert!(lab.node(2).term() > term);
}

#[test]
fn a_set_of_two_that_loses_one_serves_on_and_elects_nobody() {
    let mut lab = Lab::serving(3);
    lab.kill(3);
    lab.until(10_000, |lab| lab.node(1).voters().len() == 2 && lab.node(2).voters().len() == 2);
    let live = |lab: &Lab, node| lab.node(node).live_plan().map(|plan| plan.id);
    lab.until(10_000, |lab| lab.shards.len() == 2 && live(lab, 1) == live(lab, 2));
    let (leader, plan) = (lab.node(2).leader(), live(&lab, 2));
    lab.part(1, 2);
    lab.pass(20_000);
    assert_eq!(lab.node(2).leader(), leader, "one of two is no majority");
    assert_eq!(live(&lab, 2), plan);
    lab.heal();
    lab.ask(2, 1, 3);
    lab.until(30_000, |lab| lab.tokens(1).len() == 3);
}

/// The leader leaves in good order; the others have another, and serve.
fn leaves(count: u8) {
    let mut lab = Lab::serving(count);
    let old = lab.leader(1);
    lab.give(old, Input::Drain);
    lab.until(5_000, |lab| lab.node(old).is_idle());
    let voters = lab.node(old).voters().to_vec();
    assert!(!voters.contains(&id(old)) && !voters.is_empty(), "{voters:?}");
    lab.kill(old);
    let rest: Vec<u8> = lab.numbers();
    let one = rest[0];
    lab.until(10_000, |lab| rest.contains(&lab.leader(one)));
    lab.until(10_000, |lab| {
        let plan = lab.node(one).live_plan();
        plan.is_some_and(|plan| plan.members().all(|member| member.node != id(old)))
    });
    lab.ask(one, 1, 3);
    lab.until(10_000, |lab| lab.tokens(1).len() == 3);
}

#[test]
fn a_leader_of_two_that_leaves_hands_over() {
    leaves(2);
}

#[test]
fn a_leader_of_many_that_leaves_hands_over() {
    leaves(3);
    leaves(4);
}

/// Whoever asks it whether it is ready is told that it leaves, though it has nobody to tell.
#[test]
fn one_that_is_alone_says_that_it_leaves() {
    let mut lab = Lab::serving(1);
    lab.give(1, Input::Drain);
    lab.until(5_000, |lab| lab.node(1).adverts().any(|heard| heard.advert.draining));
}

#[test]
fn nodes_leave_one_after_the_other_until_one_is_left() {
    let mut lab = Lab::serving(3);
    for left in [2, 1] {
        let old = lab.leader(lab.numbers()[0]);
        lab.give(old, Input::Drain);
        lab.until(5_000, |lab| lab.node(old).is_idle());
        lab.kill(old);
        let rest = lab.numbers();
        assert_eq!(rest.len(), left);
        lab.until(10_000, |lab| rest.contains(&lab.leader(rest[0])));
        lab.until(10_000, |lab| {
            lab.node(rest[0])
                .live_plan()
                .is_some_and(|plan| plan.members().all(|member| member.node != id(old)))
        });
    }
}

/// Those who follow drain together, as when a rack is switched off: they vote each other out.
fn followers_leave(mut lab: Lab) {
    let leader = lab.leader(lab.numbers()[0]);
    let followers: Vec<u8> = lab.numbers().into_iter().filter(|node| *node != leader).collect();
    for follower in &followers {
        lab.give(*follower, Input::Drain);
    }
    let idle = |lab: &Lab| followers.iter().all(|node| lab.node(*node).is_idle());
    lab.until(4_000, idle);
    followers.iter().for_each(|follower| lab.kill(*follower));
    assert_eq!(lab.node(leader).voters(), [id(leader)]);
    let alone = |lab: &Lab| {
        let plan = lab.node(leader).live_plan();
        plan.is_some_and(|plan| plan.members().all(|member| member.node == id(leader)))
    };
    lab.until(10_000, alone);
}

#[test]
fn followers_that_leave_together_vote_themselves_out() {
    followers_leave(Lab::serving(3));
    followers_leave(Lab::serving(4));
    let mut two = Lab::serving(3);
    two.kill(3);
    two.until(10_000, |lab| lab.node(1).voters().len() == 2 && lab.node(2).voters().len() == 2);
    followers_leave(two);
}

/// What a voter said before the change of which it has not heard is no word for what is after it.
#[test]
fn a_leader_that_leaves_stays_until_its_last_certificate_is_known() {
    let mut lab = Lab::serving(2);
    let old = lab.leader(1);
    let other = 3 - old;
    lab.lose = |_, _, message| {
        let told = match message {
            Message::Council(CouncilMessage::Certified(told)) => told,
            Message::Round(
                RoundMessage::Propose { certificate, .. } | RoundMessage::Live { certificate, .. },
            ) => certificate,
            _ => return false,
        };
        !told.set.has(told.leader)
    };
    lab.give(old, Input::Drain);
    lab.pass(1_000);
    assert_eq!(lab.node(old).voters(), [id(other)], "it is out, and only it knows");
    assert!(!lab.node(old).is_idle(), "the other cannot elect itself yet");
    lab.lose = |_, _, _| false;
    lab.until(5_000, |lab| lab.node(old).is_idle());
    lab.kill(old);
    lab.until(5_000, |lab| lab.leader(other) == other);
}

#[test]
fn whoever_leaves_too_late_says_so() {
    let mut lab = Lab::serving(2);
    let old = lab.leader(1);
    lab.lose = |_, _, message| matches!(message, Message::Council(_));
    lab.give(old, Input::Drain);
    lab.until(10_000, |lab| lab.node(old).is_idle());
    let said = lab.notices.iter().filter(|(_, notice)| matches!(notice, Notice::LeftInDebt));
    assert_eq!(said.count(), 1, "{:?}", lab.notices);
}

#[test]
fn whoever_leaves_does_not_wait_for_those_who_leave_too_or_cannot_answer() {
    let mut lab = Lab::serving(3);
    for number in lab.numbers() {
        lab.give(number, Input::Drain);
    }
    lab.until(1_000, |lab| lab.numbers().iter().all(|number| lab.node(*number).is_idle()));
    let mut lab = Lab::serving(2);
    let old = lab.leader(1);
    lab.lose = |_, _, message| matches!(message, Message::Council(_));
    lab.give(old, Input::Drain);
    lab.pass(1_000);
    assert!(!lab.node(old).is_idle(), "it is missed");
    lab.until(10_000, |lab| lab.node(old).is_idle());
}

#[test]
fn a_leader_without_votes_is_refused() {
    let mut lab = Lab::serving(3);
    let term = lab.node(2).term().0 + 1;
    let claim = certificate(&lab, 3, term, &[3]);
    claims(&mut lab, 2, claim);
    assert_eq!(lab.leader(2), 1);
    assert!(refusals(&lab, 2).iter().any(|reason| reason.contains("too few votes")));
}

#[test]
fn votes_that_others_did_not_sign_do_not_count() {
    let mut lab = Lab::serving(3);
    let term = lab.node(2).term().0 + 1;
    let mut claim = certificate(&lab, 3, term, &[3]);
    // Its own signature under somebody else's name, and its own vote twice.
    let own = claim.votes[0].1;
    claim.votes.extend([(id(1), own), (id(3), own)]);
    claims(&mut lab, 2, claim);
    assert_eq!(lab.leader(2), 1);
    assert!(refusals(&lab, 2).iter().any(|reason| reason.contains("too few votes")));
}

#[test]
fn a_set_that_nobody_agreed_to_is_refused() {
    let mut lab = Lab::serving(3);
    let term = lab.node(2).term().0 + 1;
    let mut claim = certificate(&lab, 3, term, &[]);
    claim.set.voters = vec![id(3)];
    claim.votes = vec![vote(3, 3, term, &claim.set)];
    claims(&mut lab, 2, claim);
    assert_eq!(lab.leader(2), 1);
    assert!(refusals(&lab, 2).iter().any(|r| r.contains("a set of voters that we know otherwise")));
}

#[test]
fn voters_are_taken_in_at_once_and_though_messages_are_lost() {
    let mut lab = Lab::new(5);
    lab.introduce();
    lab.until(700, |lab| lab.numbers().iter().all(|node| lab.node(*node).voters().len() == 5));
    let mut lab = Lab::new(5);
    lab.lose = |_, to, message| to == id(3) && matches!(message, Message::Council(_));
    lab.introduce();
    lab.pass(1_000);
    lab.lose = |_, _, _| false;
    lab.until(5_000, |lab| lab.numbers().iter().all(|node| lab.node(*node).voters().len() == 5));
}

#[test]
fn two_swarms_that_meet_stay_apart_and_say_so() {
    let mut lab = Lab::new(1);
    lab.start(5, true);
    lab.start(6, false);
    lab.pass(1_000);
    // Node 6 belongs to the swarm of node 5 before the two founders meet.
    lab.give(5, Input::PeerUp(id(6)));
    lab.give(6, Input::PeerUp(id(5)));
    lab.pass(3_000);
    lab.introduce();
    lab.pass(5_000);
    assert_eq!(lab.leader(1), 1);
    assert_eq!(lab.leader(6), 5);
    assert_eq!(lab.node(1).voters(), [id(1)]);
    assert!(lab.node(5).voters().iter().all(|voter| *voter != id(1)));
    for founder in [1, 5] {
        let told = lab.notices.iter().filter(|(node, notice)| {
            *node == id(founder) && matches!(notice, Notice::OtherSwarm(_))
        });
        assert!((1..=2).contains(&told.count()), "told once of each stranger");
    }
    let plan = |number| lab.node(number).live_plan().unwrap().clone();
    assert!(plan(1).members().all(|member| member.node == id(1)));
    assert!(plan(5).members().all(|member| member.node != id(1)));
    let proposals = lab.sent.iter().filter(|(_, _, message)| is_proposal(message));
    assert!(proposals.into_iter().all(|(from, to, _)| *from != id(1) && *to != id(1)));
}

#[test]
fn who_was_away_while_the_set_changed_is_told_what_came_between() {
    let mut lab = Lab::new(2);
    lab.introduce();
    lab.pass(2_000);
    lab.kill(2);
    lab.pass(2_000);
    for number in [3, 4, 5, 6] {
        lab.start(number, false);
        lab.meet(number);
        lab.pass(2_000);
    }
    let set = lab.node(1).voters().to_vec();
    assert_eq!(set.len(), 5, "{set:?}");
    lab.start(2, false);
    lab.meet(2);
    lab.until(5_000, |lab| lab.node(2).leader() == Some(id(1)));
    let live = |lab: &Lab, number| lab.node(number).live_plan().map(|plan| plan.id);
    lab.until(5_000, |lab| live(lab, 2).is_some() && live(lab, 2) == live(lab, 1));
}

#[test]
fn a_gap_that_nobody_can_bridge_is_told_once_and_costs_little() {
    let mut lab = Lab::new(2);
    lab.introduce();
    lab.pass(2_000);
    lab.kill(2);
    for number in [3, 4] {
        lab.start(number, false);
        lab.meet(number);
        lab.pass(2_000);
    }
    // Node 2 remembers a set that the others never had in between: nothing connects.
    let ballot = lab.disks.get_mut(&id(2)).unwrap();
    let strange = VoterSet { number: 1, voters: vec![id(2), id(9)] };
    (ballot.set, ballot.proven) = (Some(strange.clone()), Some(strange));
    lab.start(2, false);
    lab.meet(2);
    lab.sent.clear();
    lab.pass(60_000);
    let certified = |(_, to, message): &&(_, swarm_proto::NodeId, Message)| {
        *to == id(2) && matches!(message, Message::Council(CouncilMessage::Certified(_)))
    };
    let messages = lab.sent.iter().filter(certified).count();
    assert!(messages < 60 * 3 * 6, "{messages} certificates in a minute from three peers");
    let told = lab
        .notices
        .iter()
        .filter(|(node, notice)| *node == id(2) && matches!(notice, Notice::Stranded { .. }));
    assert_eq!(told.count(), 1);
}

#[test]
fn who_can_be_reached_votes_before_who_cannot() {
    let mut lab = Lab::new(4);
    // Nodes 2 and 3 are behind routers: an address was tried and did not answer.
    for node in [2, 3] {
        let address = "/ip4/192.0.2.1/tcp/1".to_owned();
        lab.give(node, Input::Reachability { address, reachable: false });
    }
    lab.introduce();
    lab.until(3_000, |lab| lab.node(1).voters().len() == 3);
    assert!(lab.node(1).voters().contains(&id(4)));
}

#[test]
fn votes_of_a_set_that_never_was_prove_nothing() {
    let mut lab = Lab::serving(3);
    lab.kill(3);
    lab.until(10_000, |lab| lab.node(1).voters().len() == 2 && lab.node(2).voters().len() == 2);
    // Node 2 makes up that it alone voted before node 1 was taken in.
    let term = lab.node(1).term().0 + 1;
    let mut claim = certificate(&lab, 2, term, &[2]);
    let alone = VoterSet { number: claim.set.number - 1, voters: vec![id(2)] };
    claim.previous = Some(alone);
    claims(&mut lab, 1, claim);
    assert_eq!(lab.leader(1), 1);
}

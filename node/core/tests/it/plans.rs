//! Plans come into force, fail, and are found again.

use swarm_core::{Input, Keys, Notice};
use swarm_proto::{CouncilMessage, Message, Plan, RoundMessage};

use crate::lab::{Lab, LabKeys, device, id, number};

fn live(lab: &Lab, node: u8) -> Option<swarm_proto::PlanId> {
    lab.node(node).live_plan().map(|plan| plan.id)
}

/// Whether everyone knows the same plan, whose members hold their share of it.
fn settled(lab: &Lab) -> bool {
    let first = lab.numbers()[0];
    let Some(plan) = lab.node(first).live_plan() else { return false };
    let held = |node| lab.shards.get(node).map(|(held, _)| *held) == Some(plan.id);
    lab.numbers().iter().all(|node| live(lab, *node) == Some(plan.id))
        && plan.members().all(|member| held(&member.node))
}

fn is_propose(message: &Message) -> bool {
    matches!(message, Message::Round(RoundMessage::Propose { .. }))
}

fn is_live(message: &Message) -> bool {
    matches!(message, Message::Round(RoundMessage::Live { .. }))
}

/// Whoever can hold no layer, or leaves, does not count.
#[test]
fn a_first_plan_waits_for_so_many_nodes_as_it_is_told() {
    let mut lab = Lab::with(4, |config| config.nodes_min = 3);
    lab.give(4, Input::Measured(Vec::new()));
    lab.kill(3);
    lab.introduce();
    lab.give(2, Input::Drain);
    lab.pass(10_000);
    assert_eq!(live(&lab, 1), None, "one of four can serve");
    assert!(lab.node(1).trouble().unwrap().contains("1 of 3 nodes"), "{:?}", lab.node(1).trouble());
    for number in [2, 3] {
        if number == 2 {
            lab.kill(2);
        }
        lab.start(number, false);
        assert_eq!(live(&lab, 1), None, "{number}");
        lab.meet(number);
    }
    lab.until(10_000, |lab| live(lab, 1).is_some());
    let plan = lab.node(1).live_plan().unwrap();
    assert_eq!(plan.members().count(), 3);
    // It is the first plan alone that waits.
    lab.kill(3);
    lab.until(10_000, |lab| {
        lab.node(1).live_plan().is_some_and(|plan| plan.members().count() == 2)
    });
}

#[test]
fn a_member_that_starts_anew_loads_its_share_again() {
    let mut lab = Lab::serving(3);
    let plan = live(&lab, 1);
    // Killed and back before anyone plans anew; it hears of the plan from a follower first.
    lab.kill(3);
    lab.start(3, false);
    lab.part(1, 3);
    lab.meet(3);
    lab.pass(100);
    assert!(!lab.node(2).holds(id(3)), "it has just started");
    lab.heal();
    lab.until(5_000, settled);
    assert!(live(&lab, 3) >= plan);
    lab.until(1_000, |lab| [1, 2, 3].iter().all(|node| lab.node(2).holds(id(*node))));
}

#[test]
fn an_announcement_that_is_lost_is_made_good() {
    let mut lab = Lab::new(3);
    lab.introduce();
    lab.lose = |_, _, message| is_live(message);
    lab.pass(3_000);
    assert_eq!(live(&lab, 2), None);
    lab.lose = |_, _, _| false;
    lab.until(3_000, settled);
}

#[test]
fn a_proposal_that_is_lost_fails_and_the_swarm_goes_on() {
    let mut lab = Lab::serving(2);
    lab.start(3, false);
    lab.lose = |_, _, message| is_propose(message);
    lab.meet(3);
    lab.pass(3_000);
    lab.lose = |_, _, _| false;
    lab.until(20_000, |lab| settled(lab) && lab.shards.len() == 3);
}

#[test]
fn members_go_back_to_the_plan_that_serves_when_a_proposal_fails() {
    let mut lab = Lab::serving(2);
    let plan = live(&lab, 1);
    lab.start(3, false);
    lab.cannot_load.insert(id(3));
    lab.meet(3);
    // Proposals with node 3 in them fail; what served serves on.
    lab.until(10_000, |lab| {
        lab.notices.iter().any(|(_, n)| matches!(n, Notice::Infeasible(r) if r.contains("says no")))
    });
    lab.ask(2, 1, 3);
    lab.until(20_000, |lab| lab.tokens(1).len() == 3);
    assert!(live(&lab, 1) >= plan);
    lab.until(30_000, |lab| settled(lab) && !lab.shards.contains_key(&id(3)));
}

#[test]
fn a_proposal_whose_leader_dies_is_left_for_the_plan_that_serves() {
    let mut lab = Lab::serving(3);
    let before = live(&lab, 2);
    lab.start(4, false);
    lab.slow_to_load.insert(id(4));
    lab.meet(4);
    // Nodes 2 and 3 have loaded what is proposed when its leader dies with node 4 still loading.
    lab.until(5_000, |lab| lab.shards[&id(2)].0 > before.unwrap_or_default());
    assert_eq!(live(&lab, 2), before);
    lab.slow_to_load.clear();
    lab.kill(1);
    lab.until(20_000, settled);
    lab.ask(2, 1, 3);
    lab.until(10_000, |lab| lab.tokens(1).len() == 3);
}

#[test]
fn a_new_leader_endorses_what_it_finds_and_newcomers_hear_of_it() {
    let mut lab = Lab::serving(3);
    // The leader holds no layer of the plan after this: its death breaks nothing.
    let leader = lab.leader(2);
    lab.give(leader, Input::Measured(Vec::new()));
    lab.until(10_000, |lab| settled(lab) && lab.shards.len() == 2);
    let plan = live(&lab, 2);
    let shards = lab.shards.clone();
    lab.kill(leader);
    lab.until(10_000, |lab| lab.node(2).leader() != Some(id(leader)));
    lab.pass(2_000);
    assert_eq!(live(&lab, 2), plan, "serving goes on as it was");
    assert_eq!(lab.shards, shards, "nobody loaded anything");
    let entry = 9;
    lab.start(entry, false);
    lab.give(entry, Input::Measured(Vec::new()));
    lab.meet(entry);
    lab.until(3_000, |lab| live(lab, entry) == plan);
}

/// Nodes 2 and 3 hold the model, node 1 leads and holds nothing: its death breaks no plan.
fn led_by_an_entry() -> Lab {
    let mut lab = Lab::serving(3);
    lab.give(1, Input::Measured(Vec::new()));
    lab.until(10_000, |lab| settled(lab) && lab.shards.len() == 2);
    assert_eq!(lab.leader(2), 1);
    lab
}

#[test]
fn a_proposal_is_left_also_if_the_next_leader_has_nothing_to_change() {
    let mut lab = led_by_an_entry();
    let before = live(&lab, 2);
    lab.start(4, false);
    lab.slow_to_load.insert(id(4));
    lab.meet(4);
    lab.until(5_000, |lab| Some(lab.shards[&id(2)].0) > before);
    // With the leader and the newcomer gone, the plan that serves is the best there is.
    lab.kill(4);
    lab.kill(1);
    lab.until(20_000, settled);
    assert_eq!(live(&lab, 2), before);
}

#[test]
fn a_leader_that_missed_the_last_plan_plans_anew() {
    let mut lab = led_by_an_entry();
    lab.start(4, false);
    lab.lose = |_, to, message| to == id(3) && is_live(message);
    lab.meet(4);
    lab.until(10_000, |lab| live(lab, 2) > live(lab, 3));
    // Node 3 will lead. What it knows to serve is what it would plan, but node 2 knows better.
    lab.lose = |from, _, message| {
        from == id(2) && matches!(message, Message::Council(CouncilMessage::Ask { .. }))
    };
    lab.kill(4);
    lab.kill(1);
    lab.until(20_000, settled);
    assert_eq!(lab.leader(2), 3);
    assert!(live(&lab, 3) >= Some(number(2, 1)));
}

#[test]
fn a_plan_by_one_who_did_not_win_is_refused() {
    let mut lab = Lab::serving(3);
    let plan = lab.node(2).live_plan().unwrap().clone();
    let later = number(plan.id.term.0, plan.id.epoch.0 + 1);
    let forged = LabKeys(id(3)).signed_plan(Plan { id: later, leader: id(3), ..plan.clone() });
    let certificate = {
        // The genuine proof that node 1 leads.
        let genuine = lab.sent.iter().rev().find_map(|(_, _, message)| match message {
            Message::Round(RoundMessage::Live { certificate, .. }) => Some(certificate.clone()),
            _ => None,
        });
        genuine.unwrap()
    };
    for message in [
        RoundMessage::Live { plan: Box::new(forged.clone()), certificate: certificate.clone() },
        RoundMessage::Propose { plan: Box::new(forged), certificate },
    ] {
        lab.notices.clear();
        lab.give(2, Input::Received { from: id(3), message: Message::Round(message) });
        assert_eq!(live(&lab, 2), Some(plan.id));
        assert_eq!(lab.shards[&id(2)].0, plan.id);
        assert!(matches!(&lab.notices[..], [(_, Notice::Refused { peer, .. })] if *peer == id(3)));
    }
}

#[test]
fn only_its_leader_can_withdraw_a_proposal() {
    let mut lab = Lab::serving(2);
    let live = live(&lab, 2).unwrap();
    lab.start(3, false);
    lab.slow_to_load.insert(id(3));
    lab.meet(3);
    lab.until(5_000, |lab| lab.shards[&id(2)].0 > live);
    let (plan, loads) = (lab.shards[&id(2)].0, lab.loads);
    for (from, plan) in [(3, plan), (1, live)] {
        let message = Message::Round(RoundMessage::Withdrawn { plan });
        lab.give(2, Input::Received { from: id(from), message });
        assert_eq!(lab.loads, loads, "{plan} from node {from}");
    }
    let message = Message::Round(RoundMessage::Withdrawn { plan });
    lab.give(2, Input::Received { from: id(1), message });
    assert_eq!(lab.shards[&id(2)].0, live);
}

#[test]
fn a_member_that_cannot_hold_the_live_plan_is_planned_without() {
    let mut lab = Lab::serving(3);
    lab.kill(3);
    lab.start(3, false);
    lab.cannot_load.insert(id(3));
    lab.meet(3);
    lab.until(1_500, |lab| {
        settled(lab) && lab.node(1).live_plan().unwrap().members().all(|m| m.node != id(3))
    });
}

#[test]
fn whoever_is_no_member_of_a_plan_cannot_fail_it() {
    let mut lab = Lab::serving(2);
    let before = live(&lab, 1).unwrap();
    lab.start(3, false);
    lab.slow_to_load.insert(id(3));
    lab.meet(3);
    lab.until(5_000, |lab| lab.shards[&id(2)].0 > before);
    let plan = lab.shards[&id(2)].0;
    let reason = swarm_proto::Reason::new("I say so");
    let message = Message::Round(RoundMessage::Unready { plan, reason });
    lab.give(1, Input::Received { from: id(9), message });
    assert_eq!(lab.shards[&id(2)].0, plan);
}

#[test]
fn members_that_failed_and_are_well_again_are_planned_with() {
    let mut lab = Lab::new(3);
    lab.machines_min = 3;
    lab.cannot_load.extend([2, 3].map(id));
    lab.introduce();
    lab.pass(20_000);
    assert_eq!(live(&lab, 1), None);
    lab.cannot_load.clear();
    lab.until(120_000, settled);
}

#[test]
fn a_device_that_fails_every_batch_is_planned_without() {
    let mut lab = Lab::serving(3);
    lab.cannot_compute.insert(id(3));
    lab.ask(1, 1, 5);
    lab.until(20_000, |lab| lab.tokens(1).len() == 5);
    assert!(lab.node(1).live_plan().unwrap().members().all(|member| member.node != id(3)));
}

/// All members hold their shares, and no plan is live: no token comes through any.
#[test]
fn a_plan_is_live_after_its_canary_and_not_before() {
    let mut lab = Lab::new(3);
    lab.cannot_compute.extend((1..=3).map(id));
    lab.introduce();
    lab.until(10_000, |lab| lab.shards.len() == 3);
    lab.pass(5_000);
    assert!((1..=3).all(|node| live(&lab, node).is_none()), "no token went through it");
    lab.cannot_compute.clear();
    lab.until(120_000, settled);
}

#[test]
fn a_plan_is_of_devices_that_compute_the_same_bits() {
    let mut lab = Lab::serving(3);
    lab.give(3, Input::Measured(vec![device(b"another class")]));
    lab.until(10_000, |lab| settled(lab) && lab.shards.len() == 2);
    assert!(!lab.shards.contains_key(&id(3)));
}

trait SignedPlan {
    fn signed_plan(&self, plan: Plan) -> swarm_proto::Signed<Plan>;
}

impl SignedPlan for LabKeys {
    fn signed_plan(&self, plan: Plan) -> swarm_proto::Signed<Plan> {
        let keys: &dyn Keys = self;
        keys.signed(plan)
    }
}

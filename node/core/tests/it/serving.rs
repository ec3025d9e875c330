//! Sessions through stages that come and go.

use std::time::Duration;

use swarm_core::{Answer, Ask, Config, Input, Notice, Refusal, RequestId, Router, Way};
use swarm_proto::{Finish, FrameHeader, Message, Pulse, SessionId, SessionMessage};

use crate::lab::{Lab, id};

/// The tokens that the lab's devices say after a prompt of 20.
fn expected(count: u32) -> Vec<u32> {
    (20..20 + count).collect()
}

fn ended(lab: &Lab, request: u64) -> Option<Answer> {
    let over = |answer: &Answer| matches!(answer, Answer::Finished(_) | Answer::Failed(_));
    let mine = lab.answers.iter().filter(|(of, _)| *of == RequestId(request));
    mine.map(|(_, answer)| answer.clone()).find(over)
}

#[test]
fn any_node_is_an_entry() {
    let mut lab = Lab::serving(3);
    for node in 1..=3 {
        lab.ask(node, u64::from(node), 5);
        assert_eq!(lab.tokens(u64::from(node)), expected(5));
        assert_eq!(ended(&lab, u64::from(node)), Some(Answer::Finished(Finish::Length)));
    }
    lab.pass(100);
    assert!((1..=3).all(|node| lab.node(node).is_idle()));
}

#[test]
fn an_answer_survives_a_member() {
    let mut lab = Lab::serving(3);
    // The lab computes at once, so the member dies where it stands still: its link is cut first.
    let entry = 1;
    lab.part(2, 3);
    lab.ask(entry, 1, 5);
    assert!(lab.tokens(1).len() < 5);
    lab.kill(3);
    lab.heal();
    lab.until(20_000, |lab| lab.tokens(1).len() == 5);
    assert_eq!(lab.tokens(1), expected(5));
}

/// What peers claim is counted up from, by an entry that is no member and knows no better.
#[test]
fn peers_that_claim_all_sessions_that_can_be_said_are_no_trouble() {
    let mut lab = Lab::serving(3);
    lab.give(1, Input::Measured(Vec::new()));
    lab.until(10_000, |lab| lab.shards.len() == 2 && !lab.shards.contains_key(&id(1)));
    lab.pass(2_000);
    for request in 1..=3 {
        for from in [2, 3].map(id) {
            let pulse = Pulse { sessions: u32::MAX, ..Pulse::default() };
            lab.give(1, Input::Received { from, message: Message::Beat(pulse) });
        }
        lab.ask(1, request, 5);
        assert_eq!(lab.tokens(request), expected(5));
    }
}

#[test]
fn nothing_serves_is_said_and_not_waited_for_ever() {
    let mut lab = Lab::new(1);
    lab.cannot_load.insert(id(1));
    lab.ask(1, 1, 5);
    lab.until(60_000, |lab| ended(lab, 1).is_some());
    assert!(matches!(ended(&lab, 1), Some(Answer::Failed(Refusal::NoPlan(_)))));
}

/// Requests in the order in which their answers began.
fn begun(lab: &Lab) -> Vec<u64> {
    let began = |(of, answer): &(RequestId, Answer)| {
        matches!(answer, Answer::Started { .. }).then_some(of.0)
    };
    lab.answers.iter().filter_map(began).collect()
}

#[test]
fn who_asked_first_is_served_first() {
    let mut lab = Lab::with(3, |config| config.stage_sessions_max = 1).served();
    lab.part(2, 3);
    (1..=12).for_each(|request| lab.ask(1, request, 5));
    lab.pass(1_000);
    assert_eq!(begun(&lab), [1, 2, 3], "a session for each of three stages");
    lab.heal();
    lab.until(60_000, |lab| (1..=12).all(|request| ended(lab, request).is_some()));
    assert_eq!(begun(&lab), (1..=12).collect::<Vec<_>>());
    assert!((1..=12).all(|request| lab.tokens(request) == expected(5)));
}

#[test]
fn whose_turn_does_not_come_is_told_that_all_is_busy() {
    let change = |config: &mut Config| {
        config.sessions_max = 2;
        config.stall_max = Duration::from_secs(1_000);
    };
    let mut lab = Lab::with(3, change).served();
    lab.part(2, 3);
    (1..=3).for_each(|request| lab.ask(1, request, 5));
    // Longer than a plan would be waited for, but there is one.
    lab.pass(45_000);
    assert_eq!(ended(&lab, 3), None);
    lab.until(30_000, |lab| ended(lab, 3).is_some());
    assert_eq!(ended(&lab, 3), Some(Answer::Failed(Refusal::Busy)));
}

#[test]
fn a_client_that_goes_away_frees_its_session_everywhere() {
    let mut lab = Lab::serving(3);
    lab.part(2, 3);
    lab.ask(1, 1, 50);
    assert!(!lab.node(1).is_idle() && !lab.node(2).is_idle());
    lab.heal();
    lab.give(1, Input::Cancelled(RequestId(1)));
    assert!((1..=3).all(|node| lab.node(node).is_idle()));
}

#[test]
fn a_stranger_cannot_end_or_feed_a_session() {
    let mut lab = Lab::serving(3);
    lab.part(2, 3);
    lab.ask(1, 1, 5);
    let attempt = lab_attempt(&lab);
    for message in [
        SessionMessage::Close { attempt },
        SessionMessage::Fault { attempt, fault: swarm_proto::Fault::Numbers },
        SessionMessage::Prompt { attempt, position: 0, tokens: vec![1], last: true },
        SessionMessage::Token(swarm_proto::Token {
            attempt,
            step: 0,
            sampled: swarm_proto::Sampled { token: 99, logprob: None, top: Vec::new() },
            finish: None,
        }),
    ] {
        for node in 1..=3 {
            let header = FrameHeader::Session(message.clone());
            let body = swarm_core::Body::default();
            lab.give(node, Input::Arrived { from: id(9), header, body });
        }
    }
    assert_eq!(ended(&lab, 1), None);
    lab.heal();
    lab.until(60_000, |lab| lab.tokens(1).len() == 5);
    assert_eq!(lab.tokens(1), expected(5));
}

/// The session under way at node 2, as its opening named it.
fn lab_attempt(lab: &Lab) -> swarm_proto::Attempt {
    lab.opened.last().copied().unwrap()
}

/// A node whose router says always the same.
fn alone_with(router: fn() -> Box<dyn Router>) -> Lab {
    let mut lab = Lab::new(1);
    lab.router = router;
    lab.start(1, true);
    lab.served()
}

#[derive(Debug)]
struct Always(Option<u16>);

impl Router for Always {
    fn choose(&mut self, _: SessionId, _: &Ask, _: &[Way<'_>]) -> Option<u16> {
        self.0
    }
}

#[test]
fn a_router_that_names_no_way_is_not_believed_and_that_is_said() {
    let refused = |lab: &Lab| {
        lab.notices.iter().any(|(_, notice)| match notice {
            Notice::Refused { peer, reason } => *peer == id(1) && reason.contains("pipeline 7"),
            _ => false,
        })
    };
    let mut right = alone_with(|| Box::new(Always(Some(0))));
    right.ask(1, 1, 5);
    assert_eq!((right.tokens(1), refused(&right)), (expected(5), false));
    let mut wrong = alone_with(|| Box::new(Always(Some(7))));
    wrong.ask(1, 1, 5);
    assert_eq!((wrong.tokens(1), refused(&wrong)), (expected(5), true));
}

#[test]
fn a_session_that_its_router_holds_back_is_told_that_all_is_busy_in_the_end() {
    let mut lab = alone_with(|| Box::new(Always(None)));
    lab.ask(1, 1, 5);
    lab.until(120_000, |lab| ended(lab, 1).is_some());
    assert_eq!(ended(&lab, 1), Some(Answer::Failed(Refusal::Busy)));
}

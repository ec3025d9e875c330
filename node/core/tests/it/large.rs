//! What nodes do in a swarm that is too large for everyone to know everyone.

use swarm_core::{Config, Effect, Input, Node};
use swarm_proto::{Advert, Ballot, Climb, Gone, Load, Message, NodeId, Signed, Time, Word};

use crate::lab::{Lab, LabKeys, id, model};

fn signed<S: swarm_proto::Statement>(by: NodeId, statement: S) -> Signed<S> {
    let keys: Box<dyn swarm_core::Keys> = Box::new(LabKeys(by));
    keys.signed(statement)
}

/// An advert of a peer without devices.
fn advert(of: u8, sequence: u64, origin: NodeId) -> Word {
    let statement = Advert {
        node: id(of),
        sequence,
        origin: Some(origin),
        up_ms: 0,
        devices: Vec::new(),
        links: Vec::new(),
        model: None,
        load: Load::default(),
        reachable: true,
        draining: false,
        api: None,
    };
    Word::Advert(Box::new(signed(id(of), statement)))
}

fn gone(peer: u8, by: u8, number: u64) -> Word {
    Word::Gone(Box::new(signed(id(by), Gone { peer: id(peer), number })))
}

/// A founder that leads, its neighbour 2, and a clock.
struct Voter {
    node: Node,
    now: Time,
    sent: Vec<NodeId>,
}

impl Voter {
    /// It has heard of peers 2 to 9, which are too many for it to know.
    fn new() -> Self {
        let advert_every = std::time::Duration::from_secs(60);
        let config = Config { founds: true, mesh_max: 4, advert_every, ..Config::new(model()) };
        let node = Node::new(config, Box::new(LabKeys(id(1))), 1, Ballot::default());
        let mut voter = Self { node, now: Time(1), sent: Vec::new() };
        voter.give(Input::Measured(Vec::new()));
        voter.give(Input::PeerUp(id(2)));
        for peer in 2..10 {
            voter.hear(advert(peer, 1, id(1)));
        }
        voter.pass(2_000);
        voter
    }

    fn give(&mut self, input: Input) {
        let effects: Vec<_> = self.node.handle(self.now, input).collect();
        for effect in effects {
            match effect {
                Effect::Persist(ballot) => self.give(Input::Persisted(ballot)),
                Effect::Send { to, .. } => self.sent.push(to),
                _ => {}
            }
        }
    }

    fn hear(&mut self, word: Word) {
        let message = Message::Climb(Climb { hops_left: 3, word });
        self.give(Input::Received { from: id(2), message });
    }

    fn pass(&mut self, millis: u64) {
        let end = Time(self.now.0 + millis * 1_000_000);
        while self.now < end {
            self.now = Time(self.node.deadline().0.max(self.now.0 + 1)).min(end);
            self.give(Input::Tick);
        }
    }
}

#[test]
fn a_peer_has_gone_if_two_say_so_until_it_is_heard_of() {
    let mut voter = Voter::new();
    let here = |voter: &Voter| voter.node.is_alive(id(7));
    assert!(here(&voter), "its advert is kept, though it is no neighbour");
    voter.hear(gone(7, 5, 1));
    voter.hear(gone(7, 5, 2));
    assert!(here(&voter), "one could lie");
    voter.hear(gone(7, 6, 1));
    assert!(!here(&voter));
    voter.hear(advert(7, 1, id(1)));
    assert!(!here(&voter), "that was known before");
    voter.hear(advert(7, 2, id(1)));
    assert!(here(&voter));
    voter.hear(gone(7, 5, 2));
    voter.hear(gone(7, 6, 1));
    assert!(here(&voter), "old words mean nothing");
    voter.hear(gone(7, 5, 3));
    voter.pass(31_000);
    voter.hear(gone(7, 6, 4));
    assert!(here(&voter), "two words that are far apart are no two");
}

#[test]
fn who_leads_calls_a_peer_of_whom_one_says_that_it_has_gone() {
    let mut voter = Voter::new();
    voter.hear(gone(7, 5, 1));
    voter.give(Input::Undeliverable(id(7)));
    assert!(voter.node.is_alive(id(7)), "it was not called yet");
    voter.pass(3_000);
    assert!(voter.sent.iter().any(|to| *to == id(7)), "{:?}", voter.sent);
    assert!(voter.node.is_alive(id(7)));
    voter.give(Input::Undeliverable(id(7)));
    assert!(!voter.node.is_alive(id(7)));
}

#[test]
fn nobody_goes_because_of_words_while_it_speaks() {
    let mut voter = Voter::new();
    voter.hear(gone(2, 5, 1));
    voter.hear(gone(2, 6, 1));
    assert!(voter.node.is_alive(id(2)), "it brought them itself");
}

#[test]
fn adverts_climb_to_voters_and_few_are_wished_for() {
    let mut lab = Lab::with(14, |config| config.mesh_max = 4);
    lab.introduce();
    lab.pass(10_000);
    assert!(!lab.wishes.is_empty());
    for (node, wished) in &lab.wishes {
        assert!(wished.len() <= 13 && !wished.contains(node), "{wished:?}");
    }
    let climbs =
        |(_, _, message): &&(NodeId, NodeId, Message)| matches!(message, Message::Climb(_));
    assert!(lab.sent.iter().filter(climbs).count() > 14);
    for voter in lab.node(1).voters().to_vec() {
        assert_eq!(lab.node(voter.0[0]).adverts().count(), 14);
    }
    // Somebody who is no voter beats most of its neighbours rarely.
    let voters = lab.node(1).voters().to_vec();
    let plain = lab.numbers().into_iter().find(|number| !voters.contains(&id(*number))).unwrap();
    lab.sent.clear();
    lab.pass(6_000);
    let beats =
        lab.sent.iter().filter(|(from, _, m)| *from == id(plain) && matches!(m, Message::Beat(_)));
    let beats = beats.count();
    assert!((60..260).contains(&beats), "{beats} of 520 that a small swarm's node sends");
}

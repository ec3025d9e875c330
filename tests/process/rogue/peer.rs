//! A peer that every node takes for one of its own, and that says what it likes.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use swarm_net::{Config, Event, Identity, Net};
use swarm_proto::{Certificate, FrameHeader, Hello, Message, NodeId, Plan, Signed, signed_bytes};
use swarm_tests::{Swarm, eventually};

use super::Victims;

/// A peer that speaks as the nodes do, and says what it should not.
pub(super) struct Rogue {
    pub(super) identity: Identity,
    pub(super) net: Net,
    hello: Hello,
    pub(super) peer: String,
    pub(super) targets: Vec<NodeId>,
}

/// What a peer of that swarm is told.
pub(super) fn config(identity: &Identity, swarm: &Swarm) -> Config {
    let mut config = Config::new(identity.clone(), format!("test-{}", std::process::id()));
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    config.join = vec![swarm.door_address.parse().unwrap()];
    config
}

impl Rogue {
    /// One that every node takes for a node, and has greeted.
    pub(super) async fn join(victims: &Victims) -> Self {
        let identity = Identity::ephemeral();
        let (net, mut events) = swarm_net::start(config(&identity, &victims.swarm)).await.unwrap();
        let targets: Vec<NodeId> =
            victims.nodes().map(|node| swarm_net::parse_peer(&node.peer).unwrap()).collect();
        let greeted: Arc<Mutex<Vec<(NodeId, Hello)>>> = Arc::default();
        let heard = Arc::clone(&greeted);
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Event::Message { from, bytes } = event
                    && let Ok(Message::Hello(hello)) = Message::open(&bytes)
                {
                    heard.lock().unwrap().push((from, hello));
                }
            }
        });
        let hello = eventually("all nodes greet the rogue", || async {
            let greeted = greeted.lock().unwrap();
            let all = targets.iter().all(|node| greeted.iter().any(|(from, _)| from == node));
            let whole = |(_, hello): &&(_, Hello)| hello.plan.is_some();
            greeted.iter().find(whole).filter(|_| all).map(|(_, hello)| hello.clone())
        });
        let hello = hello.await;
        let peer = swarm_net::peer_text(identity.node_id());
        Self { identity, net, hello, peer, targets }
    }

    pub(super) fn certificate(&self) -> Certificate {
        *self.hello.certificate.clone().unwrap()
    }

    pub(super) fn plan(&self) -> Plan {
        self.hello.plan.clone().unwrap().statement
    }

    pub(super) fn signed(&self, plan: Plan) -> Box<Signed<Plan>> {
        let signature = self.identity.sign(&signed_bytes(&plan));
        Box::new(Signed { by: self.identity.node_id(), statement: plan, signature })
    }

    pub(super) fn send(&self, bytes: &[u8]) {
        for target in &self.targets {
            self.net.send(*target, Bytes::copy_from_slice(bytes)).unwrap();
        }
    }

    pub(super) fn say(&self, message: Message) {
        self.send(&message.seal().unwrap());
    }

    pub(super) fn frame(&self, header: FrameHeader, body: &Bytes) {
        let head = Bytes::from(header.seal().unwrap());
        for target in &self.targets {
            // A full queue is the sender's own affair.
            let _ = self.net.frame(*target, head.clone(), body.clone());
        }
    }
}

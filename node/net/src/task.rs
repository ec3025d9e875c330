//! The task that owns libp2p's swarm. Others ask it through a bounded queue of commands; what
//! happens leaves it through a bounded queue of events. While that queue is full the swarm is not
//! polled, so that pressure reaches those who cause it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use libp2p::swarm::{ConnectionId, Swarm};
use libp2p::{Multiaddr, PeerId, StreamProtocol, gossipsub, kad};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::behaviour::Behaviour;
use crate::book::Book;
use crate::circuits::Circuits;
use crate::config::Config;
use crate::crowd::{Crowd, PeerInfo};
use crate::dialect::Dialect;
use crate::error::Fault;
use crate::event::{Event, Outlet, Refusal};
use crate::gossip::topic;
use crate::joins::Joins;
use crate::lane::Lane;
use crate::relays::Allowance;
use crate::streams::Reply;
use crate::wishes::Wishes;

/// How often what is due is looked for.
const TICK: Duration = Duration::from_millis(250);

/// Events that may wait in the task for room in the queue.
pub(crate) const BACKLOG_MAX: usize = 256;

/// Gossip that may wait for the first listener. More would be out of date when one comes.
const UNSAID_MAX: usize = 64;

/// The pause between two searches for peers, doubled from the least to the greatest.
const SEARCH_PAUSE_MIN: Duration = Duration::from_millis(500);
const SEARCH_PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long leaving may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What others ask of the task.
pub(crate) enum Command {
    /// A stream to a peer.
    Open { peer: PeerId, protocol: StreamProtocol, reply: Reply },
    /// Gossip.
    Publish(Bytes),
    /// An address to join.
    Join(Multiaddr),
    /// Whom to be connected with, and whether whoever else is found is called too.
    Wish { peers: Vec<PeerId>, others: bool },
    /// A peer to be let go.
    Part(PeerId),
    /// A peer to be turned away.
    Refuse { peer: PeerId, reason: String },
    /// Who is connected.
    Peers(oneshot::Sender<Vec<PeerInfo>>),
    /// Where we listen.
    Addrs(oneshot::Sender<Vec<Multiaddr>>),
    /// Leave.
    Shutdown(oneshot::Sender<()>),
}

/// All that the swarm's task knows.
pub(crate) struct Task {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) config: Config,
    pub(crate) dialect: Dialect,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) outlet: Outlet,
    pub(crate) backlog: VecDeque<Event>,
    pub(crate) crowd: Crowd,
    pub(crate) book: Book,
    pub(crate) joins: Joins,
    pub(crate) wishes: Wishes,
    pub(crate) circuits: Circuits,
    /// What each relay lets one connection through it do.
    pub(crate) allowances: HashMap<PeerId, Allowance>,
    /// Whether some address of ours does not let others through.
    pub(crate) hidden: bool,
    /// Calls to peers in the book.
    pub(crate) calls: HashMap<ConnectionId, PeerId>,
    /// Streams to be opened as soon as their peer is connected.
    pub(crate) waiting: BTreeMap<PeerId, Vec<(StreamProtocol, Reply)>>,
    /// Searches for peers of whom no address is known.
    pub(crate) lookups: HashMap<kad::QueryId, PeerId>,
    pub(crate) readers: JoinSet<(PeerId, Lane, Result<(), Fault>)>,
    unsaid: VecDeque<Bytes>,
    pub(crate) shunned: VecDeque<(Instant, PeerId)>,
    /// Refusals told since the last tick.
    pub(crate) refusals: usize,
    search_at: Instant,
    search_pause: Duration,
}

impl Task {
    pub(crate) fn new(
        swarm: Swarm<Behaviour>,
        config: Config,
        dialect: Dialect,
        commands: mpsc::Receiver<Command>,
        outlet: Outlet,
    ) -> Self {
        Self {
            swarm,
            config,
            dialect,
            commands,
            outlet,
            backlog: VecDeque::new(),
            crowd: Crowd::default(),
            book: Book::default(),
            joins: Joins::default(),
            wishes: Wishes::default(),
            circuits: Circuits::default(),
            allowances: HashMap::new(),
            hidden: false,
            calls: HashMap::new(),
            waiting: BTreeMap::new(),
            lookups: HashMap::new(),
            readers: JoinSet::new(),
            unsaid: VecDeque::new(),
            shunned: VecDeque::new(),
            refusals: 0,
            search_at: Instant::now(),
            search_pause: SEARCH_PAUSE_MIN,
        }
    }

    /// Runs until told to leave, or until nobody is left to tell it.
    pub(crate) async fn run(mut self) {
        use futures::StreamExt as _;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let farewell = loop {
            let open = self.backlog.len() < BACKLOG_MAX;
            tokio::select! {
                room = self.outlet.room(), if !self.backlog.is_empty() => {
                    let Some(room) = room else { break None };
                    if let Some(event) = self.backlog.pop_front() {
                        room.send(event);
                    }
                }
                command = self.commands.recv(), if open => match command {
                    Some(Command::Shutdown(reply)) => break Some(reply),
                    Some(command) => self.command(command),
                    None => break None,
                },
                event = self.swarm.select_next_some(), if open => self.happened(event),
                Some(end) = self.readers.join_next(), if open => self.read(end),
                _ = ticks.tick(), if open => self.tick(Instant::now()),
            }
        };
        self.close().await;
        if let Some(reply) = farewell {
            // Whoever asked may have gone too.
            let _ = reply.send(());
        }
    }

    /// Tells `event`, at once if there is room: before any message of a peer that it is about.
    pub(crate) fn tell(&mut self, event: Event) {
        if !self.backlog.is_empty() {
            return self.backlog.push_back(event);
        }
        if let Err(event) = self.outlet.try_tell(event) {
            self.backlog.push_back(event);
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Open { peer, protocol, reply } => self.open(peer, protocol, reply),
            Command::Publish(bytes) => self.publish(bytes),
            Command::Join(addr) => self.join(addr),
            Command::Wish { peers, others } => self.wishes.set(peers, others, Instant::now()),
            Command::Part(peer) => self.part(peer),
            Command::Refuse { peer, reason } => self.refuse(peer, Refusal::Garbage(reason)),
            Command::Peers(reply) => drop(reply.send(self.crowd.infos())),
            Command::Addrs(reply) => drop(reply.send(self.addrs())),
            Command::Shutdown(_) => {}
        }
    }

    fn join(&mut self, addr: Multiaddr) {
        if !self.joins.add(addr.clone(), Instant::now()) {
            tracing::warn!(%addr, "too many addresses to join");
        }
    }

    fn addrs(&self) -> Vec<Multiaddr> {
        let own = *self.swarm.local_peer_id();
        let named = |addr: &Multiaddr| addr.clone().with_p2p(own).unwrap_or_else(|addr| addr);
        let mut addrs: Vec<_> = self.swarm.listeners().map(named).collect();
        for addr in self.swarm.external_addresses().map(named) {
            if !addrs.contains(&addr) {
                addrs.push(addr);
            }
        }
        addrs
    }

    fn publish(&mut self, bytes: Bytes) {
        if self.unsaid.len() >= UNSAID_MAX {
            self.unsaid.pop_front();
        }
        self.unsaid.push_back(bytes);
        self.gossip();
    }

    /// Publishes what waits, if anyone listens.
    pub(crate) fn gossip(&mut self) {
        let Some(gossip) = self.swarm.behaviour_mut().gossip.as_mut() else { return };
        while let Some(bytes) = self.unsaid.front() {
            match gossip.publish(topic(&self.dialect), bytes.to_vec()) {
                Err(
                    gossipsub::PublishError::NoPeersSubscribedToTopic
                    | gossipsub::PublishError::AllQueuesFull(_),
                ) => return,
                Err(error) => tracing::warn!(%error, "gossip was not sent"),
                Ok(_) => {}
            }
            self.unsaid.pop_front();
        }
    }

    fn tick(&mut self, now: Instant) {
        self.refusals = 0;
        self.let_go(now);
        self.call_joins(now);
        self.call_wished(now);
        self.call_mesh(now);
        self.ask_relays(now);
        self.tend_circuits(now);
        self.search(now);
        self.gossip();
        self.waiting.retain(|_, waiting| {
            waiting.retain(|(_, reply)| !reply.is_closed());
            !waiting.is_empty()
        });
    }

    /// Asks the peers we know for more.
    fn search(&mut self, now: Instant) {
        if now < self.search_at {
            return;
        }
        self.search_at = now + self.search_pause;
        self.search_pause = (self.search_pause * 2).min(SEARCH_PAUSE_MAX);
        let nodes = self.wishes.nodes(self.config.limits.mesh_max);
        if nodes > self.crowd.nodes() && !self.crowd.peers.is_empty() {
            // The nearest to a point drawn at random: in the end, everyone.
            self.swarm.behaviour_mut().kad.get_closest_peers(PeerId::random());
        }
    }

    /// Somebody new is here who may know others: searches soon and often again.
    pub(crate) fn search_soon(&mut self) {
        self.search_pause = SEARCH_PAUSE_MIN;
        self.search_at = self.search_at.min(Instant::now() + SEARCH_PAUSE_MIN);
    }

    /// Closes all connections, so that others notice at once.
    async fn close(&mut self) {
        use futures::StreamExt as _;
        self.readers.abort_all();
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // It may have gone meanwhile.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let gone = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, gone).await.is_err() {
            tracing::debug!("some connections did not close in time");
        }
    }
}

//! How the network comes up: everything that can be wrong with the settings is found here.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt as _;
use libp2p::Multiaddr;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{Config as SwarmConfig, Swarm, SwarmEvent};
use tokio::sync::mpsc;

use crate::behaviour::Behaviour;
use crate::book::Way;
use crate::calls::deepest;
use crate::config::Config;
use crate::dialect::{Dialect, NAME_BYTES_MAX};
use crate::event::{self, Event, Events};
use crate::net::Net;
use crate::opener::Opener;
use crate::outbox::Outbox;
use crate::task::{Command, Task};
use crate::{NetError, transport};

/// Commands that may wait for the task.
const COMMANDS_MAX: usize = 1024;

/// Connections stay: a swarm is a mesh, and the limits say how many there may be.
const IDLE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Streams that one connection may be negotiating at once.
const NEGOTIATIONS_MAX: usize = 64;

/// How long an address may take until it is listened on.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Joins the network that `config` describes; when this returns, all its addresses are listened on.
///
/// It runs on the current runtime, which should have several threads: connections are encrypted in
/// tasks of their own.
pub async fn start(config: Config) -> Result<(Net, Events), NetError> {
    let Some(dialect) = Dialect::new(&config.swarm, config.version) else {
        return Err(NetError::Name { name: config.swarm, max: NAME_BYTES_MAX });
    };
    let (transport, relay_client) = transport::build(&config.identity, config.key)?;
    let (behaviour, gossip) = Behaviour::new(&config, &dialect, relay_client)?;
    let own = config.identity.peer_id();
    let tuning = SwarmConfig::with_tokio_executor()
        .with_idle_connection_timeout(IDLE_MAX)
        .with_max_negotiating_inbound_streams(NEGOTIATIONS_MAX);
    let swarm = Swarm::new(transport, behaviour, own, tuning);

    let (commands_in, commands) = mpsc::channel::<Command>(COMMANDS_MAX);
    let (outlet, events) = event::channel();
    let opener = Opener { own, dialect: dialect.clone(), commands: commands_in };
    let outbox = Outbox::new(opener.clone(), outlet.downgrade(), config.limits.clone());
    let net = Net::new(config.identity.node_id(), opener, outbox, gossip);

    let mut task = Task::new(swarm, config, dialect, commands, outlet);
    listen(&mut task).await?;
    announce(&mut task);
    tokio::spawn(task.run());
    Ok((net, events))
}

/// Listens on every address, and waits until it does. Relays are asked later, when they are known.
async fn listen(task: &mut Task) -> Result<(), NetError> {
    let mut pending: HashMap<ListenerId, Multiaddr> = HashMap::new();
    for addr in direct(task)? {
        if transport::is_taken(&addr) {
            return Err(NetError::InUse { addr });
        }
        let listener =
            task.swarm.listen_on(addr.clone()).map_err(|error| fault(addr.clone(), &error))?;
        pending.insert(listener, addr);
    }
    let deadline = tokio::time::Instant::now() + LISTEN_TIMEOUT;
    while let Some(addr) = pending.values().next().cloned() {
        let happened = tokio::time::timeout_at(deadline, task.swarm.select_next_some()).await;
        let Ok(happening) = happened else {
            return Err(NetError::Listen { addr, reason: "no address in time".to_owned() });
        };
        if let SwarmEvent::NewListenAddr { listener_id, .. } = &happening {
            pending.remove(listener_id);
        }
        if let SwarmEvent::ListenerClosed { listener_id, reason: Err(error), .. } = &happening {
            let addr = pending.remove(listener_id).unwrap_or(addr);
            return Err(fault(addr, error));
        }
        task.happened(happening);
    }
    Ok(())
}

/// The addresses to listen on ourselves. Those of relays are noted for later.
fn direct(task: &mut Task) -> Result<Vec<Multiaddr>, NetError> {
    let now = std::time::Instant::now();
    let mut addrs = Vec::new();
    let mut skipped = None;
    for addr in task.config.listen.clone() {
        match Way::of(&addr) {
            Way::Relay if addr.iter().last() == Some(Protocol::P2pCircuit) => {
                task.circuits.add(addr, now);
            }
            Way::Quic if task.config.key.is_some() => {
                tracing::warn!(%addr, "not listening there: a private swarm does without QUIC");
                skipped = Some(addr);
            }
            _ => addrs.push(addr),
        }
    }
    match skipped {
        Some(addr) if addrs.is_empty() => {
            let reason = "a private swarm does without QUIC, so listen on TCP".to_owned();
            Err(NetError::Listen { addr, reason })
        }
        _ => Ok(addrs),
    }
}

/// Notes whom to join, and where others reach us.
fn announce(task: &mut Task) {
    let now = std::time::Instant::now();
    for addr in task.config.join.clone() {
        if !task.joins.add(addr.clone(), now) {
            tracing::warn!(%addr, "too many addresses to join");
        }
    }
    let own = *task.swarm.local_peer_id();
    for addr in task.config.external.clone() {
        task.swarm.add_external_address(addr.clone());
        let addr = addr.with_p2p(own).unwrap_or_else(|addr| addr);
        task.tell(Event::Listening { addr });
    }
}

/// What the transport said, from its first cause.
fn fault(addr: Multiaddr, error: &(dyn std::error::Error + 'static)) -> NetError {
    NetError::Listen { addr, reason: deepest(error) }
}

//! Measures the ways to our neighbours: round trips as the network reports them, throughput by
//! sending a megabyte when a link is new and now and then after that: the rarer the more there are.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dashmap::DashMap;
use swarm_core::{Input, PROBE_BYTES, probe_pause};
use swarm_net::{Duplex, Net};
use swarm_proto::{LinkReport, NodeId};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Semaphore, mpsc},
    task::AbortHandle,
    time::timeout,
};

/// What the stream of a throughput probe says it is for.
pub const PURPOSE: u8 = 1;

/// How long a probe may take: a link slower than this is measured as that slow.
const PROBE_MAX: Duration = Duration::from_secs(10);
/// Probes answered at once; more are turned away.
const ANSWERS_MAX: usize = 4;
/// The weight of a new round trip in the mean, as TCP has it (RFC 6298).
const RTT_WEIGHT: f64 = 0.125;

/// The state of all measuring.
pub struct Probe {
    net: Net,
    inputs: mpsc::Sender<Input>,
    links: DashMap<NodeId, LinkReport>,
    tasks: DashMap<NodeId, AbortHandle>,
    /// One probe at a time: two at once would measure each other.
    turn: Semaphore,
    answers: Arc<Semaphore>,
}

impl Probe {
    /// Measures by `net`, reports to `inputs`.
    pub fn new(net: Net, inputs: mpsc::Sender<Input>) -> Self {
        let answers = Arc::new(Semaphore::new(ANSWERS_MAX));
        let (links, tasks, turn) = (DashMap::new(), DashMap::new(), Semaphore::new(1));
        Self { net, inputs, links, tasks, turn, answers }
    }

    /// Measures the way to a new neighbour, and again from time to time.
    pub fn watch(self: &Arc<Self>, peer: NodeId) {
        let probe = Arc::clone(self);
        let task = tokio::spawn(async move {
            loop {
                probe.measure(peer).await;
                tokio::time::sleep(probe_pause(probe.tasks.len())).await;
            }
        });
        if let Some(old) = self.tasks.insert(peer, task.abort_handle()) {
            old.abort();
        }
    }

    /// Stops measuring a neighbour that is gone.
    pub fn forget(&self, peer: NodeId) {
        self.links.remove(&peer);
        if let Some((_, task)) = self.tasks.remove(&peer) {
            task.abort();
        }
    }

    /// Takes a round trip in, and gives the link as it stands.
    pub fn round_trip(&self, peer: NodeId, rtt: Duration) -> LinkReport {
        let rtt_ms = rtt.as_secs_f64() * 1e3;
        let mut link = self.links.entry(peer).or_insert_with(|| crate::pump::fresh_link(peer));
        if link.rtt_ms == 0.0 {
            link.rtt_ms = rtt_ms;
            link.rtt_spread_ms = rtt_ms / 2.0;
        } else {
            let off = (rtt_ms - link.rtt_ms).abs();
            link.rtt_spread_ms += 2.0 * RTT_WEIGHT * (off - link.rtt_spread_ms);
            link.rtt_ms += RTT_WEIGHT * (rtt_ms - link.rtt_ms);
        }
        link.clone()
    }

    /// Answers another node's probe.
    pub fn answer(&self, _from: NodeId, purpose: u8, mut stream: Duplex) {
        let Ok(permit) = Arc::clone(&self.answers).try_acquire_owned() else { return };
        if purpose != PURPOSE {
            return;
        }
        tokio::spawn(async move {
            let _permit = permit;
            let mut buffer = vec![0; 64 << 10];
            let answer = async {
                let mut left = PROBE_BYTES;
                while left > 0 {
                    match stream.read(&mut buffer).await? {
                        0 => return Ok(()),
                        bytes => left = left.saturating_sub(bytes),
                    }
                }
                stream.write_all(&[1]).await?;
                stream.flush().await?;
                stream.shutdown().await
            };
            drop(timeout(PROBE_MAX, answer).await);
        });
    }

    async fn measure(&self, peer: NodeId) {
        let Ok(_turn) = self.turn.acquire().await else { return };
        let Ok(Ok(mut stream)) = timeout(PROBE_MAX, self.net.open(peer, PURPOSE)).await else {
            return;
        };
        let start = Instant::now();
        let exchange = async {
            stream.write_all(&vec![0; PROBE_BYTES]).await?;
            stream.flush().await?;
            stream.read_u8().await
        };
        if let Ok(Ok(_)) = timeout(PROBE_MAX, exchange).await {
            self.report(peer, start.elapsed()).await;
        }
    }

    async fn report(&self, peer: NodeId, took: Duration) {
        let link = {
            let mut link = self.links.entry(peer).or_insert_with(|| crate::pump::fresh_link(peer));
            link.bytes_per_s = throughput(took.as_secs_f64(), link.rtt_ms / 1e3);
            link.clone()
        };
        // Without a round trip, which the network reports by itself, it says half of what it should.
        if link.rtt_ms > 0.0 {
            drop(self.inputs.send(Input::LinkMeasured(link)).await);
        }
    }
}

/// Bytes a second of a probe that took so long. The answer's way back is a round trip's half, and
/// the rest the megabyte's; a round trip that was measured in a worse moment counts for half of the
/// time at most.
fn throughput(took_s: f64, rtt_s: f64) -> f64 {
    PROBE_BYTES as f64 / (took_s - rtt_s / 2.0).max(took_s / 2.0).max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_longer_than_the_probe_does_not_make_a_link_infinite() {
        let mib = PROBE_BYTES as f64;
        assert_eq!(throughput(1.0, 0.0), mib);
        assert_eq!(throughput(1.5, 1.0), mib);
        assert_eq!(throughput(0.01, 5.0), mib / 0.005);
    }
}

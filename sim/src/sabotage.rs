//! Bugs that are planted to see them caught. They are in the world around the nodes, never in the
//! nodes.

use std::{fmt, time::Duration};

use clap::ValueEnum;
use swarm_core::Input;
use swarm_proto::{Message, NodeId, Pulse};

use crate::{World, keys::node_id, world::Event};

/// What goes wrong that must not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sabotage {
    /// Nothing.
    #[default]
    None,
    /// Devices forget their KV blocks now and then.
    ForgetBlocks,
    /// A stage's activations are changed on the way.
    CorruptRows,
    /// A tensor-parallel member's part is changed on the way.
    CorruptParts,
    /// Disks say that they have written, and have not written the last ballot.
    LyingDisk,
    /// Certificates are forged: another leader for the same term.
    ForgeCertificate,
    /// Ballots are lost over restarts, and an old leader's plan is said again to who has restarted.
    ReplayLive,
    /// Half of the messages that end a session are lost, and no network says so.
    LoseClose,
    /// Tokens are handed to clients twice now and then.
    DoubleToken,
    /// Clients are told that the answer is over before it is.
    CutAnswer,
    /// Clients are not told now and then that the answer is over.
    LoseEnd,
    /// Devices have a quarter of the memory that they say they have.
    SmallDevices,
    /// Every control message is carried many times over.
    Echo,
    /// Whatever opens a session comes thousands of times.
    EchoOpens,
    /// Devices are given the pieces of prompts in two.
    SplitPieces,
    /// One node never hears of a plan.
    DeafToPlans,
    /// Disks say that they have written before they have.
    HastyDisk,
    /// A dead node's beats go on.
    Ghost,
    /// Clients are told twice that their answer begins.
    TwoStarts,
    /// No device ever loads a shard.
    DeadDevices,
    /// Devices make fewer KV blocks than they were told to.
    FewBlocks,
    /// Devices say that a batch is done, and go on computing it.
    EarlyDone,
    /// Two KV blocks of a device change places now and then.
    SwapBlocks,
    /// Devices load half of the layers that they were told to, and say that they have them all.
    HalfLoads,
    /// Beats say that their nodes hold no sessions.
    IdleBeats,
    /// Planners never answer.
    MutePlanner,
}

/// Its name on the command line.
impl fmt::Display for Sabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

impl World {
    /// A dead node's beats go on, and nobody is told that it is dead.
    pub(crate) fn ghost(&mut self, number: usize) {
        if self.setup.sabotage != Sabotage::Ghost {
            return;
        }
        let from = node_id(number);
        for other in self.others(number) {
            self.links.get(other, from).up = false;
            for beat in 1..40 {
                let at = self.now + Duration::from_millis(100 * beat);
                let message = Message::Beat(Pulse::default());
                self.push(at, other, Event::Input(Input::Received { from, message }));
            }
        }
    }

    /// Old plans are said again to a node that has forgotten what it knew.
    pub(crate) fn replay(&mut self, to: NodeId) {
        if self.setup.sabotage == Sabotage::ReplayLive
            && let Some(message) = self.replayed.first().cloned()
            && let Some(from) = self.hosts.ids().find(|host| *host != to)
        {
            let at = self.now + Duration::from_millis(1);
            self.push(at, to, Event::Input(Input::Received { from, message }));
        }
    }
}

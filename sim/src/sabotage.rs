//! Bugs that are planted to see them caught. They are in the world around the nodes, never in the
//! nodes.

/// What goes wrong that must not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// Devices have a quarter of the memory that they say they have.
    SmallDevices,
    /// Every control message is carried many times over.
    Echo,
    /// One node never hears of a plan.
    DeafToPlans,
    /// Disks say that they have written before they have.
    HastyDisk,
    /// A dead node's beats go on.
    Ghost,
}

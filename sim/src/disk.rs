//! A host's disk: a ballot is there once it is written, and not before.

use swarm_proto::Ballot;

/// What a host finds when it starts again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    durable: Ballot,
    /// What was there before: for disks that say they have written and have not.
    before: Ballot,
}

impl Disk {
    /// A write is done.
    pub(crate) fn written(&mut self, ballot: Ballot) {
        self.before = std::mem::replace(&mut self.durable, ballot);
    }

    /// What is on disk.
    pub(crate) fn durable(&self) -> &Ballot {
        &self.durable
    }

    /// A person has it forget its set of voters, and nothing else.
    pub(crate) fn forget_set(&mut self) {
        let Ballot { term, voted, .. } = self.durable;
        self.durable = Ballot { term, voted, ..Ballot::default() };
    }

    /// What a disk gives back whose last write was a lie.
    pub(crate) fn without_last(&self) -> &Ballot {
        &self.before
    }
}

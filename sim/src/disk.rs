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
        self.durable = std::mem::take(&mut self.durable).without_set();
    }

    /// What a disk gives back whose last write was a lie.
    pub(crate) fn without_last(&self) -> &Ballot {
        &self.before
    }
}

#[cfg(test)]
mod tests {
    use swarm_proto::Term;

    use super::*;

    fn ballot(term: u64) -> Ballot {
        Ballot { term: Term(term), ..Ballot::default() }
    }

    #[test]
    fn what_was_written_last_is_there_and_a_liar_has_what_was_before() {
        let mut disk = Disk::default();
        assert_eq!(disk.durable(), &ballot(0));
        disk.written(ballot(1));
        disk.written(ballot(2));
        assert_eq!((disk.durable(), disk.without_last()), (&ballot(2), &ballot(1)));
    }
}

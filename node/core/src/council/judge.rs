//! Whether to believe a certificate.

use swarm_proto::{Ballot, Certificate, NodeId, VOTERS_MAX, VoterSet, signed_bytes};

use crate::turn::Turn;

/// What a certificate is to us.
pub(super) enum Verdict {
    /// The one we have.
    Known,
    /// Believed, and later than what we have.
    New,
    /// Of an earlier term than ours, but it proves which set of voters came after the one we know.
    Step,
    /// Of an earlier term or set than what we have.
    Stale,
    /// Perhaps right, but we do not know the sets between ours and its.
    Gap,
    /// Right or not: of a swarm that is not ours.
    OtherSwarm,
    /// Not what it claims to be.
    Forged(&'static str),
}

/// Judges `theirs` by what we know: our ballot, and the certificate we believe.
pub(super) fn judge(
    ballot: &Ballot,
    ours: Option<&Certificate>,
    theirs: &Certificate,
    turn: &Turn<'_>,
) -> Verdict {
    if ours == Some(theirs) {
        return Verdict::Known;
    }
    if ballot.origin.is_some_and(|origin| origin != theirs.origin) {
        return Verdict::OtherSwarm;
    }
    let voters = match sound(theirs, turn) {
        Ok(voters) => voters,
        Err(reason) => return Verdict::Forged(reason),
    };
    let later =
        |ours: &Certificate| (theirs.term, theirs.set.number) > (ours.term, ours.set.number);
    if theirs.term < ballot.term || !ours.is_none_or(later) {
        let steps = theirs.previous.is_some() && theirs.previous == ballot.proven;
        return if steps { Verdict::Step } else { Verdict::Stale };
    }
    match &ballot.proven {
        // Whoever knows nothing believes the first swarm it was sent to.
        None => Verdict::New,
        Some(set) if connects(ballot, set, theirs, &voters) => Verdict::New,
        Some(set) if theirs.set.number > set.number => Verdict::Gap,
        Some(_) => Verdict::Forged("a set of voters that we know otherwise"),
    }
}

/// Whether the set that voted is the one we know; or the one that became it, as we know too, or
/// with the votes of a majority of what it became: who votes in a set that nobody knows proves
/// nothing.
fn connects(ballot: &Ballot, known: &VoterSet, theirs: &Certificate, voters: &[NodeId]) -> bool {
    let became = |change: &Certificate| change.set == *known && change.previous == theirs.previous;
    let votes = voters.iter().filter(|voter| known.has(**voter)).count();
    theirs.electorate() == known
        || (theirs.set == *known
            && (ballot.changes.iter().any(became) || votes >= known.majority()))
}

/// Who voted for what it says, if they are a majority of those that it says may vote.
fn sound(certificate: &Certificate, turn: &Turn<'_>) -> Result<Vec<NodeId>, &'static str> {
    let electorate = certificate.electorate();
    if !certificate.set.is_sound() || !electorate.is_sound() {
        return Err("an impossible set of voters");
    }
    if certificate.previous.as_ref().is_some_and(|before| !certificate.set.follows(before)) {
        return Err("a set that does not follow from the one before");
    }
    if !electorate.has(certificate.leader) {
        return Err("a leader who is no voter");
    }
    // Of an election with a set that is not proven yet, voters of both sets may be in it.
    if certificate.votes.len() > VOTERS_MAX {
        return Err("more votes than voters");
    }
    let bytes = signed_bytes(&certificate.vote());
    let mut voters: Vec<_> = certificate
        .votes
        .iter()
        .filter(|(voter, _)| electorate.has(*voter) || certificate.set.has(*voter))
        .filter(|(voter, signature)| turn.keys.verify(*voter, &bytes, signature))
        .map(|(voter, _)| *voter)
        .collect();
    voters.sort_unstable();
    voters.dedup();
    let votes = voters.iter().filter(|voter| electorate.has(**voter)).count();
    if votes < electorate.majority() { Err("too few votes") } else { Ok(voters) }
}

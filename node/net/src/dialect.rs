//! The names of our protocols. They hold the swarm's name and the protocol's version, so that
//! peers of other swarms and versions have nothing to say to each other, and can tell why.

use libp2p::StreamProtocol;

use crate::event::Refusal;
use crate::lane::Lane;

/// The version of everything that peers say to each other.
pub const PROTOCOL_VERSION: u32 = swarm_proto::codec::VERSION as u32;

/// How long a swarm's name may be: it is part of each protocol's name, which is sent often.
pub(crate) const NAME_BYTES_MAX: usize = 64;

/// How much of a stranger's words is repeated in a log.
const QUOTED_CHARS_MAX: usize = 128;

/// What the peers of one swarm and version speak.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    swarm: String,
    version: u32,
}

impl Dialect {
    /// That of `swarm` in this version; none if it cannot name a swarm.
    pub(crate) fn new(swarm: &str, version: u32) -> Option<Self> {
        let fits = (1..=NAME_BYTES_MAX).contains(&swarm.len())
            && swarm.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte)
            });
        fits.then(|| Self { swarm: swarm.to_owned(), version })
    }

    /// What identify says of us.
    pub(crate) fn greeting(&self) -> String {
        format!("hexswarm/{}/{}", self.version, self.swarm)
    }

    /// Why a peer with this greeting is not one of us; none if it is.
    pub(crate) fn refusal(&self, greeting: &str) -> Option<Refusal> {
        let stranger = || Refusal::Stranger { protocol: quote(greeting) };
        let mut parts = greeting.splitn(3, '/');
        let (Some("hexswarm"), Some(version), Some(swarm)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Some(stranger());
        };
        match version.parse() {
            Err(_) => Some(stranger()),
            Ok(theirs) if theirs != self.version => {
                Some(Refusal::Version { theirs, ours: self.version })
            }
            Ok(_) if swarm != self.swarm => Some(Refusal::Swarm { theirs: quote(swarm) }),
            Ok(_) => None,
        }
    }

    /// The protocol of a lane.
    pub(crate) fn lane(&self, lane: Lane) -> StreamProtocol {
        match lane {
            Lane::Control => self.protocol("control"),
            Lane::Data => self.protocol("data"),
        }
    }

    /// The protocol of plain streams.
    pub(crate) fn pipe(&self) -> StreamProtocol {
        self.protocol("pipe")
    }

    /// The protocol by which peers find each other.
    pub(crate) fn kad(&self) -> StreamProtocol {
        self.protocol("kad")
    }

    /// What the names of the gossip protocols begin with.
    pub(crate) fn gossip(&self) -> String {
        format!("/{}/gossip", self.greeting())
    }

    fn protocol(&self, what: &str) -> StreamProtocol {
        StreamProtocol::try_from_owned(format!("/{}/{what}", self.greeting()))
            .expect("it starts with a slash")
    }
}

/// The beginning of a stranger's words, fit for a log.
pub(crate) fn quote(words: &str) -> String {
    words.chars().take(QUOTED_CHARS_MAX).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for name in ["", "UPPER", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(Dialect::new(name, 1).is_none(), "{name:?}");
        }
        assert!(Dialect::new("my-swarm_2.0", 1).is_some());
    }

    #[test]
    fn peers_know_their_own_and_say_why_not() {
        let ours = Dialect::new("blue", PROTOCOL_VERSION).unwrap();
        assert_eq!(ours.refusal(&ours.greeting()), None);
        let refusal = ours.refusal("hexswarm/0/blue").unwrap();
        assert_eq!(refusal, Refusal::Version { theirs: 0, ours: PROTOCOL_VERSION });
        let refusal = ours.refusal(&format!("hexswarm/{PROTOCOL_VERSION}/red")).unwrap();
        assert_eq!(refusal, Refusal::Swarm { theirs: "red".to_owned() });
        for greeting in ["", "ipfs/1.0.0", "hexswarm", "hexswarm/x/blue", "hexswarm/99999999999/b"]
        {
            let refusal = ours.refusal(greeting).unwrap();
            assert!(matches!(refusal, Refusal::Stranger { .. }), "{greeting}: {refusal}");
        }
    }

    #[test]
    fn a_strangers_words_are_cut_and_cleaned() {
        let quoted = quote(&"\u{1b}[31m".repeat(1_000));
        assert_eq!(quoted.chars().count(), QUOTED_CHARS_MAX);
        assert!(!quoted.contains('\u{1b}'));
    }
}

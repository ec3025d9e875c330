//! How large the swarm is: what its leader counts, and what we see ourselves.

use std::time::Duration;

use swarm_proto::{Census, Term, Time};

use crate::Config;

/// Adverts a second, from all peers together, that voters take in.
const ADVERTS_PER_S: u32 = 32;
/// Links a second, of all adverts together, that everyone takes in where everyone tells of its way to
/// all others.
const LINKS_PER_S: u32 = 32;
/// How often a leader says anew how many there are, if they are as many as before.
const RECOUNT_EVERY: Duration = Duration::from_secs(30);
/// Peers that nobody's word can go beyond.
const PEERS_BELIEVED_MAX: u32 = 1 << 20;

/// How large the swarm is, as far as we know.
#[derive(Debug, Default)]
pub(crate) struct Size {
    census: Census,
    /// The term that it is of.
    term: Term,
    counted: Time,
    /// Peers that we have heard of ourselves.
    seen: u32,
    large: bool,
}

impl Size {
    /// Whether there are too many for everyone to know everyone.
    pub(crate) fn is_large(&self) -> bool {
        self.large
    }

    /// How many there are.
    pub(crate) fn peers(&self) -> u32 {
        self.census.peers.max(self.seen)
    }

    /// Whether anyone has counted.
    pub(crate) fn is_known(&self) -> bool {
        self.census.peers > 0
    }

    /// The latest count.
    pub(crate) fn census(&self) -> Census {
        self.census
    }

    /// Follows the leader of a term: its counts begin anew.
    pub(crate) fn follow(&mut self, term: Term) {
        if self.term != term {
            self.term = term;
            self.census.number = 0;
        }
    }

    /// Hears a neighbour's count, of the term that it follows. Who follows nobody yet believes any: a
    /// newcomer must not speak to all of a large swarm before it knows that it is one.
    pub(crate) fn hear(&mut self, term: Term, theirs: Census, config: &Config) {
        let new = self.term == Term(0) && theirs.peers > 0;
        if new || term == self.term && theirs.number > self.census.number {
            let number = if new { 0 } else { theirs.number };
            self.census = Census { number, peers: theirs.peers.min(PEERS_BELIEVED_MAX) };
            self.judge(config);
        }
    }

    /// We have heard of so many ourselves.
    pub(crate) fn see(&mut self, peers: usize, config: &Config) {
        let peers = u32::try_from(peers).unwrap_or(u32::MAX);
        if self.seen != peers {
            self.seen = peers;
            self.judge(config);
        }
    }

    /// We lead, and count so many. It is said anew if that is news.
    pub(crate) fn count(&mut self, peers: usize, now: Time, config: &Config) {
        let peers = u32::try_from(peers).unwrap_or(u32::MAX).min(PEERS_BELIEVED_MAX);
        let old = self.census.peers;
        let news = self.census.number == 0
            || old.abs_diff(peers) > old / 16
            || (old != peers && now.since(self.counted) >= RECOUNT_EVERY);
        if news {
            self.counted = now;
            self.census = Census { number: self.census.number.saturating_add(1), peers };
            self.judge(config);
        }
    }

    /// A swarm that was large stays so until it is clearly small.
    fn judge(&mut self, config: &Config) {
        let max = u32::try_from(config.mesh_max).unwrap_or(u32::MAX);
        let bound = if self.large { max / 4 * 3 } else { max };
        self.large = self.peers() > bound;
    }

    /// How often an advert goes out if nothing in it changed: the larger the swarm, the rarer.
    pub(crate) fn advert_every(&self, config: &Config) -> Duration {
        match self.large {
            true => config.advert_every.max(Duration::from_secs(1) * self.peers() / ADVERTS_PER_S),
            false => config.advert_every.max(self.links_every()),
        }
    }

    /// How often our links are told of if they have changed, in a swarm that is not large: gossip brings
    /// an advert several times, and each has as many links as there are peers.
    pub(crate) fn moved_every(&self) -> Duration {
        self.links_every() / 4
    }

    fn links_every(&self) -> Duration {
        let peers = self.peers().min(1 << 12);
        Duration::from_secs(1) * (peers * peers) / LINKS_PER_S
    }

    /// How long a view is left to come to rest before it is planned anew while a plan serves: in a
    /// large swarm peers come and go all the time.
    pub(crate) fn settle(&self, config: &Config) -> Duration {
        /// Nobody waits longer for a better plan.
        const SETTLE_MAX: Duration = Duration::from_secs(30);
        let times = (self.peers() as usize / config.mesh_max.max(1)).max(1) as u32;
        if self.large { (config.settle * times).min(SETTLE_MAX) } else { config.settle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::made;

    #[test]
    fn the_latest_count_of_the_term_counts() {
        let (config, mut size) = (made(), Size::default());
        let census = |number, peers| Census { number, peers };
        size.hear(Term(1), census(3, 100), &config);
        assert!(size.is_large(), "a newcomer knows it before it follows anyone");
        let mut size = Size::default();
        size.follow(Term(2));
        size.hear(Term(1), census(9, 900), &config);
        assert!(!size.is_known(), "of another term");
        size.hear(Term(2), census(2, 200), &config);
        size.hear(Term(2), census(1, 100), &config);
        assert_eq!((size.peers(), size.is_large()), (200, true));
        size.follow(Term(3));
        size.hear(Term(3), census(1, 50), &config);
        assert_eq!((size.peers(), size.is_large()), (50, true), "not clearly small");
        size.hear(Term(3), census(2, 48), &config);
        assert!(!size.is_large());
        size.hear(Term(3), census(3, u32::MAX), &config);
        assert_eq!(size.peers(), PEERS_BELIEVED_MAX);
    }

    #[test]
    fn all_adverts_together_come_at_a_bounded_rate() {
        let (config, mut size) = (made(), Size::default());
        for peers in [161, 500, 10_000, 100_000] {
            size.see(peers, &config);
            let rate = peers as f64 / size.advert_every(&config).as_secs_f64();
            assert!(rate <= 32.1, "{rate} a second of {peers}");
        }
        assert_eq!(size.settle(&config), Duration::from_secs(30));
    }

    #[test]
    fn all_links_together_come_at_a_bounded_rate() {
        let (config, mut size) = (made(), Size::default());
        for peers in [2_u32, 12, 30, 64] {
            size.see(peers as usize, &config);
            assert!(!size.is_large());
            let rate = f64::from(peers * peers) / size.advert_every(&config).as_secs_f64();
            assert!(rate <= 32.1, "{rate} a second of {peers}");
        }
        assert!(size.moved_every() < size.advert_every(&config));
    }

    #[test]
    fn a_leader_says_anew_what_is_news() {
        let (config, mut size) = (made(), Size::default());
        let mut counted = |peers, at_s| {
            size.count(peers, Time::ZERO + Duration::from_secs(at_s), &config);
            size.census().number
        };
        assert_eq!([counted(100, 0), counted(103, 1), counted(110, 2)], [1, 1, 2]);
        assert_eq!([counted(110, 60), counted(109, 61)], [2, 3], "after a while");
    }
}

//! The key of a private swarm: whoever does not hold it cannot even begin to talk to a member.

use std::fmt;
use std::path::Path;

use libp2p::pnet::PreSharedKey;

use crate::identity::{SecretFileError, read_secret};

/// A secret that all members and doors of a private swarm share.
///
/// It wraps every TCP connection. QUIC has no such wrapping, so a private swarm does without QUIC.
#[derive(Clone, Copy)]
pub struct SwarmKey(PreSharedKey);

impl SwarmKey {
    /// The key in `path`, in the text form that other libp2p programs use too:
    /// `/key/swarm/psk/1.0.0/`, `/base16/` and 64 hexadecimal digits, on a line each.
    pub fn load(path: &Path) -> Result<Self, SecretFileError> {
        let bytes = read_secret(path)?;
        let text = std::str::from_utf8(&bytes).ok();
        text.and_then(|text| text.parse().ok()).map(Self).ok_or_else(|| SecretFileError::Form {
            path: path.to_owned(),
            expected: "a swarm key: /key/swarm/psk/1.0.0/, /base16/ and 64 hexadecimal digits, \
                       on a line each",
        })
    }

    /// The key with these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(PreSharedKey::new(bytes))
    }

    pub(crate) fn shared(&self) -> PreSharedKey {
        self.0
    }
}

impl fmt::Debug for SwarmKey {
    /// A fingerprint: logs must not hold the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SwarmKey({})", self.0.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<SwarmKey, SecretFileError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        crate::identity::write_secret(&path, text.as_bytes()).unwrap();
        SwarmKey::load(&path)
    }

    #[test]
    fn a_key_is_read_from_its_file() {
        let text = format!("/key/swarm/psk/1.0.0/\n/base16/\n{}\n", "0a".repeat(32));
        assert!(load(&text).unwrap().shared() == SwarmKey::new([10; 32]).shared());
    }

    #[test]
    fn a_short_key_is_refused() {
        let error = load("/key/swarm/psk/1.0.0/\n/base16/\n0a0a\n").unwrap_err();
        assert!(matches!(error, SecretFileError::Form { .. }), "{error}");
    }

    #[test]
    fn a_log_does_not_tell_the_key() {
        let secret = "0a".repeat(8);
        assert!(!format!("{:?}", SwarmKey::new([10; 32])).contains(&secret));
    }
}

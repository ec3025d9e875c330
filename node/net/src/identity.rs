//! Who this node is: an ed25519 key, kept in a file that only its owner can read.
//!
//! The one place where a `NodeId` becomes libp2p's `PeerId` and back. The peer id of an ed25519 key
//! is the key itself in a wrapping, so both ways are exact.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use libp2p::PeerId;
use libp2p::identity::{KeyType, Keypair, PublicKey, ed25519};
use swarm_proto::{NodeId, Signature};

/// A key's file is 68 bytes; whatever is longer than this is some other file.
const FILE_BYTES_MAX: u64 = 1024;

/// A multihash's code for "these are the bytes themselves", as peer ids of short keys are written.
const MULTIHASH_IDENTITY: u64 = 0;

/// A node's private key.
#[derive(Clone)]
pub struct Identity(Keypair);

/// Why a secret's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is open to others than its owner.
    #[error(
        "{0} can be read by others (mode {mode:03o}), so its key may be known to them; \
         if it is not, run: chmod 600 {0}",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("{} does not hold {expected}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
}

impl Identity {
    /// A new key that is kept nowhere.
    pub fn ephemeral() -> Self {
        Self(Keypair::generate_ed25519())
    }

    /// The key in `path`; if there is no such file, a new key, which is written there first.
    pub fn load_or_create(path: &Path) -> Result<Self, SecretFileError> {
        match Self::load(path) {
            Err(SecretFileError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Self::create(path)
            }
            other => other,
        }
    }

    fn load(path: &Path) -> Result<Self, SecretFileError> {
        let bytes = read_secret(path)?;
        Keypair::from_protobuf_encoding(&bytes)
            .ok()
            .filter(|keypair| keypair.key_type() == KeyType::Ed25519)
            .map(Self)
            .ok_or_else(|| SecretFileError::Form {
                path: path.to_owned(),
                expected: "an ed25519 private key in libp2p's encoding",
            })
    }

    fn create(path: &Path) -> Result<Self, SecretFileError> {
        let identity = Self::ephemeral();
        let bytes = identity.0.to_protobuf_encoding().expect("an ed25519 key can be written");
        match write_secret(path, &bytes) {
            Ok(()) => Ok(identity),
            // Another process was quicker: its key is the one that stays.
            Err(source) if source.kind() == std::io::ErrorKind::AlreadyExists => Self::load(path),
            Err(source) => Err(SecretFileError::Io { path: path.to_owned(), source }),
        }
    }

    /// The name that others know this node by.
    pub fn node_id(&self) -> NodeId {
        node_id(&self.peer_id()).expect("every key here is ed25519")
    }

    /// Signs `bytes`.
    pub fn sign(&self, bytes: &[u8]) -> Signature {
        let signature = self.0.sign(bytes).expect("ed25519 signs anything");
        Signature(signature.try_into().expect("ed25519 signatures are 64 bytes"))
    }

    pub(crate) fn keypair(&self) -> &Keypair {
        &self.0
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        self.0.public().to_peer_id()
    }
}

/// Whether `signature` is that of `node` under `bytes`.
pub fn verify(node: NodeId, bytes: &[u8], signature: &Signature) -> bool {
    ed25519::PublicKey::try_from_bytes(&node.0)
        .is_ok_and(|key| PublicKey::from(key).verify(bytes, &signature.0))
}

/// The id of `node` as libp2p writes it, at the end of its addresses too. Bytes that are no key
/// are written in hexadecimal digits.
pub fn peer_text(node: NodeId) -> String {
    match peer_id(node) {
        Some(peer) => peer.to_base58(),
        None => node.0.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// The node that `text` is the id of, as libp2p writes it; none if it is not one.
pub fn parse_peer(text: &str) -> Option<NodeId> {
    node_id(&text.parse().ok()?)
}

/// libp2p's name for `node`; none if no key has these bytes.
pub(crate) fn peer_id(node: NodeId) -> Option<PeerId> {
    ed25519::PublicKey::try_from_bytes(&node.0).ok().map(|key| PublicKey::from(key).to_peer_id())
}

/// Our name for `peer`; none if its key is not ed25519.
pub(crate) fn node_id(peer: &PeerId) -> Option<NodeId> {
    let hash = peer.as_ref();
    if hash.code() != MULTIHASH_IDENTITY {
        return None;
    }
    let key = PublicKey::try_decode_protobuf(hash.digest()).ok()?.try_into_ed25519().ok()?;
    Some(NodeId(key.to_bytes()))
}

/// Reads a small file, unless others may read it too.
pub(crate) fn read_secret(path: &Path) -> Result<Vec<u8>, SecretFileError> {
    let fault = |source| SecretFileError::Io { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(fault)?;
    check_mode(path, &file)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(fault)?;
    Ok(bytes)
}

#[cfg(unix)]
fn check_mode(path: &Path, file: &std::fs::File) -> Result<(), SecretFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata =
        file.metadata().map_err(|source| SecretFileError::Io { path: path.to_owned(), source })?;
    match metadata.permissions().mode() & 0o777 {
        mode if mode & 0o077 == 0 => Ok(()),
        mode => Err(SecretFileError::Exposed { path: path.to_owned(), mode }),
    }
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &std::fs::File) -> Result<(), SecretFileError> {
    Ok(())
}

/// Writes `bytes` to a file of the owner's alone, whole or not at all, never over another.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_and_its_peer_id_name_each_other() {
        let identity = Identity::ephemeral();
        assert_eq!(peer_id(identity.node_id()), Some(identity.peer_id()));
        assert_eq!(node_id(&identity.peer_id()), Some(identity.node_id()));
        assert_eq!(parse_peer(&peer_text(identity.node_id())), Some(identity.node_id()));
        assert_eq!(parse_peer("12D3KooW"), None);
    }

    #[test]
    fn a_signature_is_its_signers_and_its_messages() {
        let (one, other) = (Identity::ephemeral(), Identity::ephemeral());
        let signature = one.sign(b"plan 3");
        assert!(verify(one.node_id(), b"plan 3", &signature));
        assert!(!verify(one.node_id(), b"plan 4", &signature));
        assert!(!verify(other.node_id(), b"plan 3", &signature));
        assert!(!verify(NodeId([0xff; 32]), b"plan 3", &signature));
    }

    #[test]
    fn a_key_outlives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/identity");
        let first = Identity::load_or_create(&path).unwrap().node_id();
        assert_eq!(Identity::load_or_create(&path).unwrap().node_id(), first);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        Identity::load_or_create(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = Identity::load_or_create(&path).err().unwrap().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn another_file_is_not_taken_for_a_key_nor_replaced() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        std::fs::write(&path, vec![7; 5_000]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let error = Identity::load_or_create(&path).err().unwrap();
        assert!(matches!(error, SecretFileError::Form { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap().len(), 5_000);
    }
}

use std::{
    io,
    sync::{Mutex, MutexGuard},
};

use swarm_core::{
    Config, Node,
    record::{Claim, Frame, OPENING},
};
use swarm_net::Identity;
use swarm_proto::{Ballot, ModelSpec};

use super::*;
use crate::keys::NodeKeys;

/// What a disk did, and what is wrong with it.
#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    bytes_max: Option<usize>,
}

#[derive(Clone, Default)]
struct Memory {
    state: Arc<Mutex<State>>,
    /// Held by a test while the disk is to be busy.
    busy: Arc<Mutex<()>>,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn frames(&self) -> Vec<Frame> {
        let bytes = self.state().bytes.clone();
        let (opening, mut rest) = bytes.split_first_chunk().unwrap();
        Claim::opens(*opening).unwrap();
        let mut frames = Vec::new();
        while let Some((claim, after)) = rest.split_first_chunk() {
            let claim = Claim::read(*claim).unwrap();
            let (content, after) = after.split_at(claim.content_bytes());
            frames.push(claim.open(content).unwrap());
            rest = after;
        }
        assert!(rest.is_empty(), "{} bytes are no frame", rest.len());
        frames
    }

    fn inputs(&self) -> usize {
        self.frames().iter().filter(|frame| matches!(frame, Frame::Input(..))).count()
    }

    fn end(&self) -> End {
        match self.frames().pop() {
            Some(Frame::End(end)) => end,
            other => panic!("{other:?}"),
        }
    }
}

impl Sink for Memory {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let _idle = self.busy.lock().unwrap();
        let mut state = self.state();
        let room = state.bytes_max.map_or(bytes.len(), |max| max - state.bytes.len());
        let taken = &bytes[..room.min(bytes.len())];
        state.bytes.extend(taken);
        match taken.len() == bytes.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.state().bytes.truncate(bytes as usize);
        Ok(())
    }
}

fn model() -> ModelSpec {
    ModelSpec {
        name: "made up".to_owned(),
        hash: swarm_proto::Hash([7; 32]),
        layers: 2,
        hidden: 8,
        heads: 2,
        kv_heads: 1,
        head_dim: 4,
        ffn: 32,
        ffn_grain: 32,
        vocab: 64,
        context_max: 64,
        head_bytes: 512,
        column_bytes: 16.0,
        layer_shared_bytes: 64,
        embedding_bytes: 512,
        output_bytes: 512,
        kv_bytes: 2,
        tied: false,
    }
}

/// A node that is handed `ticks`, and recorded to `disk`.
fn record(disk: &Memory, bytes_max: u64, ticks: u64, before_it_stops: impl FnOnce()) {
    let identity = Identity::ephemeral();
    let (node, seed, ballot) = (identity.node_id(), 7, Ballot::default());
    let head = Head { node, config: Config { founds: true, ..Config::new(model()) }, seed, ballot };
    let keys = Box::new(NodeKeys(identity));
    let frames = Frames::opening(&head).unwrap();
    let (mut recorder, keys) =
        Recorder::begin(Box::new(disk.clone()), bytes_max, frames, keys).unwrap();
    let mut core = Node::new(head.config, keys, head.seed, head.ballot);
    for tick in 0..ticks {
        let at = Time(tick * 100_000_000);
        recorder.input(at, &Input::Tick);
        let effects: Vec<_> = core.handle(at, Input::Tick).collect();
        recorder.outcome(&effects);
    }
    before_it_stops();
}

#[test]
fn a_log_has_all_inputs_with_what_came_of_them() {
    let disk = Memory::default();
    record(&disk, 1 << 20, 100, || {});
    let frames = disk.frames();
    assert!(matches!(frames[0], Frame::Head(_)));
    let pairs = frames[1..201].chunks(2);
    assert_eq!(pairs.len(), 100);
    for pair in pairs {
        assert!(matches!(pair, [Frame::Input(..), Frame::Outcome(_)]), "{pair:?}");
    }
    let signed = |frame: &&Frame| matches!(frame, Frame::Outcome(o) if !o.signatures.is_empty());
    assert!(frames.iter().filter(signed).count() >= 2, "a founder votes, and says who it is");
    assert_eq!(disk.end(), End { why: Why::Stopped, inputs_missed: 0 });
}

#[test]
fn a_node_that_breaks_off_leaves_the_input_that_it_broke_off_at() {
    let disk = Memory::default();
    let keys = Box::new(NodeKeys(Identity::ephemeral()));
    let begun = Recorder::begin(Box::new(disk.clone()), 1 << 20, Frames::default(), keys);
    let (mut recorder, _) = begun.unwrap();
    recorder.input(Time(7), &Input::Drain);
    drop(recorder);
    let bytes = disk.state().bytes.clone();
    let (claim, rest) = bytes.split_first_chunk().unwrap();
    let (content, rest) = rest.split_at(Claim::read(*claim).unwrap().content_bytes());
    let input = Claim::read(*claim).unwrap().open(content);
    assert_eq!(input, Ok(Frame::Input(Time(7), Box::new(Input::Drain))));
    let (claim, content) = rest.split_first_chunk().unwrap();
    let end = End { why: Why::Unhandled, inputs_missed: 0 };
    assert_eq!(Claim::read(*claim).unwrap().open(content), Ok(Frame::End(end)));
}

#[test]
fn a_log_that_is_long_enough_says_what_it_misses() {
    let (disk, all) = (Memory::default(), Memory::default());
    record(&all, 1 << 20, 100, || {});
    record(&disk, 2_000, 100, || {});
    let kept = disk.inputs();
    assert!((1..100).contains(&kept), "{kept} inputs");
    assert!(disk.state().bytes.len() < 2_100);
    let frames = disk.frames();
    assert!(matches!(frames[1..], [Frame::Input(..), ..]));
    assert_eq!(disk.end(), End { why: Why::Long, inputs_missed: 100 - kept as u64 });
}

#[test]
fn a_disk_that_is_full_ends_the_log_at_its_last_whole_frame() {
    let disk = Memory::default();
    disk.state().bytes_max = Some(1_500);
    // Room comes back before the node stops, or the end could not be written.
    record(&disk, 1 << 20, 100, || {
        while disk.state().bytes.len() != 1_500 {
            std::thread::yield_now();
        }
        disk.state().bytes_max = None;
    });
    let kept = disk.inputs();
    assert!((1..100).contains(&kept), "{kept} inputs");
    assert_eq!(disk.end(), End { why: Why::Disk, inputs_missed: 100 - kept as u64 });
}

#[test]
fn a_disk_that_is_busy_holds_nobody_up() {
    let disk = Memory::default();
    let hold = Arc::clone(&disk.busy);
    let held = hold.lock().unwrap();
    let ticks = WAITING_MAX as u64;
    record(&disk, 1 << 30, ticks, || drop(held));
    let kept = disk.inputs() as u64;
    assert!((1..ticks).contains(&kept), "{kept} inputs");
    assert_eq!(disk.end(), End { why: Why::Slow, inputs_missed: ticks - kept });
}

#[test]
fn a_log_is_its_owners_and_no_file_of_others_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.log");
    create(&path).unwrap().append(&OPENING).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    create(&path).unwrap();
    // It ended before it was one.
    create(&path).unwrap();
    assert_eq!(std::fs::read(folder.path().join("node.log.old")).unwrap(), OPENING);
    std::fs::write(&path, "Dear diary").unwrap();
    let error = create(&path).unwrap_err().to_string();
    assert!(error.contains("no log of a node") && error.contains("--record"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"Dear diary");
}

//! Files made to harm: absurd counts, shapes, offsets and lengths. Whatever a file claims, opening
//! it ends in a model or in words, and takes no more memory than the bytes that are there warrant.
//!
//! One test a binary: it watches the allocator, which others would disturb.

use std::{fs, ops::Range, path::Path, sync::OnceLock};

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use proptest::{prelude::*, sample::Index, test_runner::TestRunner};
use swarm_engine::{Format, Shape, Tokenizer, Weights, synth, synth_folder};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What opening may take for each byte of a file: lists of bytes are read as numbers of eight, and
/// a vocabulary is held as strings, pieces and maps.
const FACTOR: usize = 24;
/// What it may take beside: regular expressions and templates are compiled.
const BESIDE_BYTES: usize = 2 << 20;

fn shape() -> Shape {
    Shape { hidden: 96, heads: 6, kv_heads: 2, ffn: 64, vocab: 263, ..Shape::tiny() }
}

/// A file and the places of all numbers in it that say how much there is, or where.
struct Template {
    bytes: Vec<u8>,
    numbers: Vec<Range<usize>>,
}

/// Walks over a GGUF header that is known to be fine.
struct Walk {
    template: Template,
    at: usize,
}

impl Walk {
    fn number(&mut self, bytes: usize) -> u64 {
        let range = self.at..self.at + bytes;
        self.at = range.end;
        self.template.numbers.push(range.clone());
        let mut eight = [0; 8];
        eight[..bytes].copy_from_slice(&self.template.bytes[range]);
        u64::from_le_bytes(eight)
    }

    fn text(&mut self) {
        self.at += self.number(8) as usize;
    }

    fn value(&mut self, kind: u64) {
        match kind {
            0 | 1 | 7 => self.at += 1,
            2 | 3 => self.at += 2,
            4..=6 => drop(self.number(4)),
            8 => self.text(),
            9 => {
                let (kind, count) = (self.number(4), self.number(8));
                // The first of its values stand for all.
                let some = self.template.numbers.len() + 4;
                (0..count).for_each(|_| self.value(kind));
                self.template.numbers.truncate(some);
            }
            _ => drop(self.number(8)),
        }
    }

    fn header(&mut self) {
        self.at = 4;
        self.number(4);
        let (tensors, entries) = (self.number(8), self.number(8));
        for _ in 0..entries {
            self.text();
            let kind = self.number(4);
            self.value(kind);
        }
        for _ in 0..tensors {
            self.text();
            for _ in 0..self.number(4) {
                self.number(8);
            }
            self.number(4);
            self.number(8);
        }
    }
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        synth(&shape(), Format::Q8_0, 1, &path).unwrap();
        let template = Template { bytes: fs::read(path).unwrap(), numbers: Vec::new() };
        let mut walk = Walk { template, at: 0 };
        walk.header();
        walk.template
    })
}

/// A number to put somewhere: absurd, or what stands elsewhere in the file.
#[derive(Clone, Debug)]
enum Number {
    Given(u64),
    Of(Index),
}

fn number() -> impl Strategy<Value = Number> {
    let given = prop_oneof![
        prop::sample::select(vec![0, 1, 2, 31, 33, u64::MAX, i64::MAX as u64, u64::from(u32::MAX)]),
        (0..64u32).prop_map(|bit| 1 << bit),
        (0..64u32).prop_map(|bit| (1 << bit) - 1),
        (0..64u32).prop_map(|bit| u64::MAX << bit),
        any::<u64>(),
        0..5_000u64,
    ];
    prop_oneof![3 => given.prop_map(Number::Given), 1 => any::<Index>().prop_map(Number::Of)]
}

#[derive(Clone, Debug)]
struct Harm {
    numbers: Vec<(Index, Number)>,
    cut: Option<Index>,
}

fn harm() -> impl Strategy<Value = Harm> {
    let numbers = prop::collection::vec((any::<Index>(), number()), 1..4);
    let cut = prop::option::weighted(0.2, any::<Index>());
    (numbers, cut).prop_map(|(numbers, cut)| Harm { numbers, cut })
}

impl Harm {
    fn done(&self, template: &Template) -> Vec<u8> {
        let mut bytes = template.bytes.clone();
        let place = |index: &Index| template.numbers[index.index(template.numbers.len())].clone();
        for (at, number) in &self.numbers {
            let eight = match number {
                Number::Given(number) => number.to_le_bytes(),
                Number::Of(other) => {
                    let (mut eight, other) = ([0; 8], place(other));
                    eight[..other.len()].copy_from_slice(&template.bytes[other]);
                    eight
                }
            };
            let at = place(at);
            bytes[at.clone()].copy_from_slice(&eight[..at.len()]);
        }
        if let Some(cut) = &self.cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes
    }
}

/// Opens what `open` opens and uses it; says whether it was a model, and refuses to have taken more
/// memory than `file_bytes` warrant.
fn bounded(file_bytes: usize, open: impl FnOnce() -> bool) -> Result<bool, TestCaseError> {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let opened = open();
    let taken = MEMORY.peak_usage().saturating_sub(before);
    let allowed = FACTOR * file_bytes + BESIDE_BYTES;
    prop_assert!(taken <= allowed, "{taken} bytes for a file of {file_bytes}");
    Ok(opened)
}

/// Whether it is a model, all of whose parts can be asked for.
fn used(weights: &Weights) -> bool {
    let _ = (weights.hash(), weights.spec("harmed"), weights.config().rope.frequencies());
    Tokenizer::open(weights).is_ok_and(|tokenizer| !tokenizer.encode("a 1").is_empty())
}

/// A safetensors file, numbers of whose header are replaced.
fn harmed_safetensors(file: &[u8], changes: &[(Index, Number)]) -> Vec<u8> {
    let (length, rest) = file.split_first_chunk().unwrap();
    let (json, weights) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let json = std::str::from_utf8(json).unwrap();
    let is_digit = |character: char| character.is_ascii_digit();
    let mut runs: Vec<String> = Vec::new();
    for character in json.chars() {
        match runs.last_mut().filter(|run| run.ends_with(is_digit) == is_digit(character)) {
            Some(run) => run.push(character),
            None => runs.push(character.into()),
        }
    }
    let places: Vec<usize> = (0..runs.len()).filter(|&at| runs[at].ends_with(is_digit)).collect();
    let place = |index: &Index| places[index.index(places.len())];
    for (at, number) in changes {
        runs[place(at)] = match number {
            Number::Given(number) => number.to_string(),
            Number::Of(other) => runs[place(other)].clone(),
        };
    }
    let json = runs.concat();
    [&(json.len() as u64).to_le_bytes(), json.as_bytes(), weights].concat()
}

fn check<S: Strategy>(cases: u32, harms: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
    TestRunner::new(config).run(&harms, test).unwrap();
}

#[test]
fn no_file_takes_more_memory_than_it_is_worth() {
    let template = template();
    let whole = Bytes::from(template.bytes.clone());
    let fine = || used(&Weights::parse_gguf(&whole, Path::new("fine.gguf")).unwrap());
    assert!(bounded(whole.len(), fine).unwrap(), "the template is no model");
    check(5_000, harm(), |harm| {
        let bytes = Bytes::from(harm.done(template));
        let parsed = || Weights::parse_gguf(&bytes, Path::new("harmed.gguf"));
        bounded(bytes.len(), || parsed().is_ok_and(|weights| used(&weights)))?;
        Ok(())
    });

    let folder = tempfile::tempdir().unwrap();
    synth_folder(&shape(), Format::F16, 1, 1, folder.path()).unwrap();
    let path = folder.path().join("model.safetensors");
    let file = fs::read(&path).unwrap();
    check(500, prop::collection::vec((any::<Index>(), number()), 1..4), |changes| {
        fs::write(&path, harmed_safetensors(&file, &changes)).unwrap();
        let open = || Weights::open(folder.path());
        bounded(file.len(), || open().is_ok_and(|weights| used(&weights)))?;
        Ok(())
    });
}

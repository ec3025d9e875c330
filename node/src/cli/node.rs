//! `hexswarm node`: joins a swarm, or founds one, and serves until stopped.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use serde_json::json;

use super::{
    leash::{Leash, Pull},
    print,
    signals::Signals,
};
use crate::{
    config::NodeOptions,
    start::{Running, start},
    store::{Store, find},
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
  hexswarm node --record node.log
      Write down all that it is told, to play it again with hexswarm-sim replay node.log
  hexswarm node --config node.toml
      The same names as the flags, with `_` for `-`. Flags win over the file; a name that is
      none is an error.

Ctrl-C or SIGTERM lets running answers finish, for up to a minute; a second one stops at once.")]
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

pub(super) async fn run(options: Options) -> color_eyre::Result<()> {
    let file = options.config.as_deref().map(NodeOptions::read).transpose()?;
    let settings = options.node.over(file.unwrap_or_default()).settle()?;
    let (mut signals, mut leash) = (Signals::listen()?, Leash::new(options.leash)?);
    if let Some(model) = find(&settings.model) {
        signals.blocking(|stop| Ok(Store::open().until(stop).pull(model)?)).await?;
    }
    let (swarm, founds, join) = (settings.swarm.clone(), settings.founds, settings.join.clone());
    let node = tokio::select! {
        node = start(settings) => node?,
        () = signals.next() => return Ok(()),
        () = leash.pulled_hard() => return Ok(()),
    };
    let begins = match founds {
        true => "founded here".to_owned(),
        false => format!("to be joined through {}", join.join(" or ")),
    };
    announce(&node, &swarm, &begins, options.json).await;
    let patience = tokio::select! {
        () = signals.next() => DRAIN_MAX,
        pull = leash.pulled() => if pull == Pull::Gentle { DRAIN_MAX } else { Duration::ZERO },
    };
    tokio::select! {
        () = node.stop(patience) => {}
        () = signals.next() => {}
        () = leash.pulled_hard() => {}
    }
    Ok(())
}

/// Says where it is. A reader that has gone away is no reason for a node to end.
async fn announce(node: &Running, swarm: &str, begins: &str, as_json: bool) {
    let listen = addresses(node).await;
    let api = format!("http://{}", node.api);
    if as_json {
        let document = json!({ "peer": node.peer, "swarm": swarm, "api": api, "listen": listen });
        let _ = print::line(document);
        return;
    }
    let far = listen.iter().find(|at| !at.contains("/127.0.0.1/") && !at.contains("/::1/"));
    let others = far.or(listen.first()).map_or("MULTIADDR", String::as_str);
    let listen: String = listen.iter().map(|at| format!("listening  {at}\n")).collect();
    let _ = print::text(&format!(
        "peer       {}\nswarm      {swarm}, {begins}\n{listen}API        {api}\n\n\
         Others join it:       hexswarm node --join {others}\n\
         Is it ready?          hexswarm status --via {api}\n\
         Ask it, when it is:   hexswarm run --via {api} \"Hello\"\n",
        node.peer
    ));
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

//! What a door is told on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, value_parser};
use color_eyre::eyre::{Context as _, eyre};
use swarm_net::{Config, Identity, Limits, Multiaddr, RelayLimits, Role, SwarmKey};

const EXAMPLES: &str = "\
Examples:
  hexswarm bootstrap
      Open a door on port 4001, and print the addresses that nodes pass to --join
  hexswarm bootstrap --listen /ip4/127.0.0.1/tcp/0
      Open one for this machine only, on any free port
  hexswarm bootstrap --external /dns4/door.example/tcp/4001
      Open one behind a router that forwards port 4001
  hexswarm bootstrap --swarm lab --key lab.key
      Open one into a private swarm, which only those who have the file can join

A key file has three lines: /key/swarm/psk/1.0.0/, /base16/ and 64 hexadecimal digits.";

/// Settings of a door. All have defaults.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Where to listen; may be repeated
    #[arg(
        long,
        value_name = "MULTIADDR",
        default_values = ["/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/udp/4001/quic-v1"]
    )]
    listen: Vec<Multiaddr>,
    /// Where others reach this door, if not where it listens; may be repeated
    #[arg(long, value_name = "MULTIADDR")]
    external: Vec<Multiaddr>,
    /// Other doors of the swarm, to share the address book with; may be repeated
    #[arg(long, value_name = "MULTIADDR")]
    join: Vec<Multiaddr>,
    /// Folder of the door's key, which makes its address the same after a restart
    /// [default: the user's data folder]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Name of the swarm; peers of other swarms are turned away
    #[arg(long, value_name = "NAME", default_value = "hexswarm")]
    swarm: String,
    /// Key file of a private swarm; peers without it are kept out, and QUIC is off
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Connections at once
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = value_parser!(u32).range(8..))]
    connections_max: u32,
    /// Nodes that may be reached through this door at once; 0 to relay for nobody
    #[arg(long, value_name = "COUNT", default_value_t = RelayLimits::default().reservations_max)]
    relay_nodes_max: usize,
    /// Relayed connections at once
    #[arg(long, value_name = "COUNT", default_value_t = RelayLimits::default().circuits_max)]
    relay_connections_max: usize,
    /// Bytes that one relayed connection may carry; 0 for any number. Nodes open the next one in
    /// time, so this bounds each connection, not their traffic
    #[arg(long, value_name = "BYTES", default_value_t = RelayLimits::default().circuit_bytes_max)]
    relay_bytes_max: u64,
    /// Seconds that one relayed connection may last. Nodes open the next one in time
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 1800,
        value_parser = value_parser!(u32).range(1..)
    )]
    relay_seconds_max: u32,
    /// Print one JSON object, once the door is open: {"peer": ID, "listen": [MULTIADDR, ...]}
    #[arg(long)]
    pub(crate) json: bool,
    /// End when standard input ends, so that a door never outlives the program that started it
    #[arg(long, hide = true)]
    pub(crate) leash: bool,
}

impl Options {
    /// These options as the network's settings, with the door's key.
    pub(crate) fn config(&self) -> color_eyre::Result<Config> {
        let identity = Identity::load_or_create(&self.state()?.join("identity"))?;
        let mut config = Config::new(identity, self.swarm.clone());
        config.listen.clone_from(&self.listen);
        config.external.clone_from(&self.external);
        config.join.clone_from(&self.join);
        config.key = self.key.as_deref().map(SwarmKey::load).transpose().wrap_err("--key")?;
        config.role = Role::Door(self.relay());
        config.limits = Limits {
            connections_max: self.connections_max,
            // A crowd behind one address leaves room for others.
            connections_per_host_max: self.connections_max / 4,
            // A door calls nobody but its fellow doors.
            mesh_max: 0,
            ..Limits::default()
        };
        Ok(config)
    }

    fn relay(&self) -> RelayLimits {
        RelayLimits {
            reservations_max: self.relay_nodes_max,
            circuits_max: self.relay_connections_max,
            circuit_bytes_max: self.relay_bytes_max,
            circuit_duration_max: Duration::from_secs(self.relay_seconds_max.into()),
            ..RelayLimits::default()
        }
    }

    fn state(&self) -> color_eyre::Result<PathBuf> {
        let default = || {
            directories::ProjectDirs::from("", "", "hexswarm")
                .map(|folders| folders.data_local_dir().join("door"))
        };
        self.state
            .clone()
            .or_else(default)
            .ok_or_else(|| eyre!("this user has no home: choose a folder with --state"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Door {
        #[command(flatten)]
        options: Options,
    }

    fn parse(flags: &[&str]) -> Result<Options, clap::Error> {
        let flags = std::iter::once("door").chain(flags.iter().copied());
        Door::try_parse_from(flags).map(|door| door.options)
    }

    #[test]
    fn flags_become_the_network_settings() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().to_str().unwrap();
        let flags = ["--state", state, "--relay-bytes-max", "5", "--connections-max", "9"];
        let config = parse(&flags).unwrap().config().unwrap();
        assert_eq!(config.listen.len(), 2);
        assert_eq!(config.limits.connections_max, 9);
        let Role::Door(relay) = config.role else { panic!("a door is a door") };
        assert_eq!(relay.circuit_bytes_max, 5);
        let again = parse(&flags).unwrap().config().unwrap();
        assert_eq!(again.identity.node_id(), config.identity.node_id());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for flags in [
            ["--listen", "0.0.0.0:4001"],
            ["--connections-max", "0"],
            ["--relay-seconds-max", "4294967296"],
            ["--relay-bytes-max", "-1"],
        ] {
            assert!(parse(&flags).is_err(), "{flags:?}");
        }
    }
}

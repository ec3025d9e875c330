//! `node.toml` and the flags of `hexswarm node`: read once, checked once.

mod device;
mod file;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};
pub use device::{DeviceChoice, DeviceError, size};
pub use file::ConfigError;
use serde::{Deserialize, Serialize};

/// The name of the swarm that a node joins or founds if it is told none.
pub const SWARM: &str = "hexswarm";

/// How long a record may be if nobody says.
const RECORD_MAX: &str = "1GiB";

/// Which arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compute {
    /// The best that this version has.
    #[default]
    Auto,
    /// Plain float32, as the references use.
    F32,
}

/// What a node can be told, by flag or in the file. Flags win; nothing is needed.
#[derive(Clone, Debug, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeOptions {
    /// Name of the swarm; nodes of other swarms are left alone [default: hexswarm]
    #[arg(long, value_name = "NAME")]
    pub swarm: Option<String>,
    /// Where to listen for peers; may be repeated [default: TCP and QUIC on a free port]
    #[arg(long, value_name = "MULTIADDR")]
    pub listen: Vec<String>,
    /// A door or node to meet others through; may be repeated. None: found a swarm
    #[arg(long, value_name = "MULTIADDR")]
    pub join: Vec<String>,
    /// Found a swarm although `--join` names a door
    #[arg(long)]
    pub found: bool,
    /// While this node leads, make no first plan before so many nodes that can hold layers
    /// are here [default: 1]
    #[arg(long, value_name = "NODES")]
    pub wait_for: Option<u32>,
    /// Forget which voters this node knew, and believe the swarm that `--join` leads to: for one
    /// that was away so long that nobody can prove to it who votes now
    #[arg(long)]
    #[serde(skip)]
    pub rejoin: bool,
    /// Where the HTTP API and the web page listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub api: Option<SocketAddr>,
    /// Origin whose web pages may ask beside the node's own, such as `https://app.example`; may be
    /// repeated; * for all [default: none]
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    pub api_origins: Vec<String>,
    /// What to serve: a known name, a .gguf file or a model folder [default: smollm2-135m]
    #[arg(long, value_name = "NAME|PATH")]
    pub model: Option<String>,
    /// What to compute on; may be repeated: cpu[:threads=N,memory=SIZE], cuda:N[:memory=SIZE],
    /// auto or none [default: auto]
    #[arg(long, value_name = "DEVICE")]
    pub device: Vec<String>,
    /// Which arithmetic [default: auto]
    #[arg(long, value_enum)]
    pub compute: Option<Compute>,
    /// Add up at once what each device holds: tokens come sooner, but the low bits of a result then
    /// depend on how layers are shared out, so an answer may change when a node is lost. The same
    /// for all nodes of a swarm
    #[arg(long)]
    pub inexact: bool,
    /// Tokens of KV cache to plan for, over all sessions [default: 8192]
    #[arg(long, value_name = "TOKENS")]
    pub context: Option<u32>,
    /// Folder for the node's key and ballot [default: the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Key file of a private swarm; peers without it are kept out
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// While this node leads, use this plan (the `plan` of `status --json`), not the planner's
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Write all that the node is told to this file, for `hexswarm-sim replay`; prompts are in it
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// End the record when it is so long; the node goes on [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    pub record_max: Option<String>,
    /// Do not look for peers on the LAN
    #[arg(long)]
    pub no_mdns: bool,
}

/// A node's settings, complete and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the swarm.
    pub swarm: String,
    /// Where to listen for peers.
    pub listen: Vec<String>,
    /// Doors and nodes to meet others through.
    pub join: Vec<String>,
    /// Whether to found a swarm.
    pub founds: bool,
    /// Nodes that must be here before a first plan is made.
    pub nodes_min: u32,
    /// Whether to forget the set of voters.
    pub rejoins: bool,
    /// Where the API listens.
    pub api: SocketAddr,
    /// Origins whose web pages may ask, beside the node's own.
    pub api_origins: Vec<String>,
    /// What to serve.
    pub model: String,
    /// What to compute on; empty for a node that is only an entry.
    pub devices: Vec<DeviceChoice>,
    /// Which arithmetic.
    pub compute: Compute,
    /// Whether results are the same bits however the model is shared out.
    pub exact: bool,
    /// Tokens of KV cache to plan for.
    pub context_tokens: u32,
    /// Folder for key and ballot.
    pub state: PathBuf,
    /// Key file of a private swarm.
    pub key: Option<PathBuf>,
    /// A file with the plan to use while this node leads.
    pub plan: Option<PathBuf>,
    /// Where to write what the node is told.
    pub record: Option<PathBuf>,
    /// How long that may be.
    pub record_bytes_max: u64,
    /// Whether to look for peers on the LAN.
    pub mdns: bool,
}

impl NodeOptions {
    /// These options where they say something, `below` where they do not.
    pub fn over(self, below: Self) -> Self {
        let lists = |mine: Vec<String>, other| if mine.is_empty() { other } else { mine };
        Self {
            swarm: self.swarm.or(below.swarm),
            listen: lists(self.listen, below.listen),
            join: lists(self.join, below.join),
            found: self.found || below.found,
            wait_for: self.wait_for.or(below.wait_for),
            rejoin: self.rejoin,
            api: self.api.or(below.api),
            api_origins: lists(self.api_origins, below.api_origins),
            model: self.model.or(below.model),
            device: lists(self.device, below.device),
            compute: self.compute.or(below.compute),
            inexact: self.inexact || below.inexact,
            context: self.context.or(below.context),
            state: self.state.or(below.state),
            key: self.key.or(below.key),
            plan: self.plan.or(below.plan),
            record: self.record.or(below.record),
            record_max: self.record_max.or(below.record_max),
            no_mdns: self.no_mdns || below.no_mdns,
        }
    }

    /// Fills in the defaults and checks what can be checked without the network.
    pub fn settle(self) -> Result<Settings, ConfigError> {
        let swarm = self.swarm.unwrap_or_else(|| SWARM.to_owned());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        if swarm.is_empty() || swarm.len() > 64 || !swarm.chars().all(plain) {
            return Err(ConfigError::Value {
                key: "swarm",
                reason: format!(
                    "`{swarm}` is not 1 to 64 lower-case letters, digits, `-`, `_` or `.`"
                ),
            });
        }
        let any = ["/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1"].map(str::to_owned);
        let context_tokens = self.context.unwrap_or(8192);
        if !(16..=16 << 20).contains(&context_tokens) {
            let reason = format!("{context_tokens} is not from 16 to 16777216");
            return Err(ConfigError::Value { key: "context", reason });
        }
        // A founder that forgot its set would found the same swarm a second time.
        if self.rejoin && (self.join.is_empty() || self.found) {
            let reason = "needs --join, and goes without --found".to_owned();
            return Err(ConfigError::Value { key: "rejoin", reason });
        }
        if self.wait_for == Some(0) {
            let reason = "must be 1 or more: a swarm has a node".to_owned();
            return Err(ConfigError::Value { key: "wait_for", reason });
        }
        if let Some(origin) = self.api_origins.iter().find(|origin| !is_origin(origin)) {
            let reason = format!("`{origin}` is no origin: write https://app.example, or *");
            return Err(ConfigError::Value { key: "api_origins", reason });
        }
        let record_max = self.record_max.as_deref().unwrap_or(RECORD_MAX);
        let record_bytes_max = device::size(record_max)
            .map_err(|reason| ConfigError::Value { key: "record_max", reason })?;
        Ok(Settings {
            swarm,
            founds: self.found || self.join.is_empty(),
            nodes_min: self.wait_for.unwrap_or(1),
            rejoins: self.rejoin,
            listen: if self.listen.is_empty() { any.to_vec() } else { self.listen },
            join: self.join,
            api: self.api.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            api_origins: self.api_origins,
            model: self.model.unwrap_or_else(|| crate::store::DEFAULT_MODEL.to_owned()),
            devices: device::parse_all(&self.device)?,
            compute: self.compute.unwrap_or_default(),
            exact: !self.inexact,
            context_tokens,
            state: self.state.unwrap_or_else(state_folder),
            key: self.key,
            plan: self.plan,
            record: self.record,
            record_bytes_max,
            mdns: !self.no_mdns,
        })
    }

    /// Reads a file of options.
    pub fn read(path: &std::path::Path) -> Result<Self, ConfigError> {
        file::read(path)
    }
}

/// Whether a text can be what a browser says in `Origin`: scheme, host and port, nothing more.
fn is_origin(text: &str) -> bool {
    let plain = |authority: &str| {
        !authority.is_empty()
            && !authority.contains(|c: char| "/?#@*".contains(c) || c.is_whitespace())
    };
    let authority = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    text == "*" || authority.is_some_and(plain)
}

fn state_folder() -> PathBuf {
    directories::ProjectDirs::from("", "", "hexswarm")
        .map_or_else(|| PathBuf::from(".hexswarm"), |dirs| dirs.data_dir().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_is_a_working_founder() {
        let settings = NodeOptions::default().settle().unwrap();
        assert!(settings.founds);
        assert_eq!(settings.api.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.devices.len(), 1);
    }

    #[test]
    fn origins_are_what_browsers_say() {
        let with = |origin: &str| {
            NodeOptions { api_origins: vec![origin.to_owned()], ..Default::default() }.settle()
        };
        for origin in ["*", "https://app.example", "http://localhost:3000", "http://[::1]:1"] {
            assert!(with(origin).is_ok(), "{origin}");
        }
        for origin in ["app.example", "https://app.example/", "https://*.example", "ftp://a", ""] {
            let error = with(origin).unwrap_err().to_string();
            assert!(error.starts_with("api_origins: `"), "{error}");
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let flags = NodeOptions { model: Some("mine".into()), ..Default::default() };
        let file = file::parse("model = \"theirs\"\njoin = [\"/ip4/1.2.3.4/tcp/1\"]").unwrap();
        let settings = flags.over(file).settle().unwrap();
        assert_eq!(settings.model, "mine");
        assert!(!settings.founds);
    }
}

//! Networks that are only in this machine's kernel: network namespaces as hosts, routers and
//! switches, and cables between them.
//!
//! It takes root, and `ip` and `nft` of Debian's iproute2 and nftables. Nothing in such a network
//! can reach this machine's own: there is no cable to it. Its addresses are those that RFC 5737
//! sets aside for documents, as the public ones, and private ones behind routers.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::Process;

/// What a namespace's name begins with; the process that made it comes next.
const PREFIX: &str = "hexswarm";
/// Says that a test must not be left out: `require`.
const VARIABLE: &str = "HEXSWARM_NETNS";

/// Hosts and cables, gone when dropped.
#[derive(Debug)]
pub struct Lab {
    name: String,
    hosts: Vec<Host>,
}

/// One host: a namespace.
#[derive(Clone, Debug)]
pub struct Host(String);

/// How a router gives the connections from behind it a port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// The port that the host has, whomever it talks to: two of these can be talked through.
    Preserving,
    /// Another port for each connection: what one peer sees is of no use to another.
    Random,
}

impl Lab {
    /// An empty one. None if this machine or user cannot make any, unless that is required.
    pub fn open(name: &str) -> Option<Self> {
        match Self::try_open(name) {
            Ok(lab) => Some(lab),
            Err(reason) if std::env::var(VARIABLE).is_ok_and(|value| value == "require") => {
                panic!("{VARIABLE}=require, but no network can be made here: {reason}")
            }
            Err(reason) => {
                // Past the test harness, which shows what passing tests print to nobody.
                let _ = writeln!(
                    std::io::stderr(),
                    "LEFT OUT: {name}: no network can be made here: {reason}. It takes root, \
                     iproute2 and nftables; {VARIABLE}=require makes this an error"
                );
                None
            }
        }
    }

    fn try_open(name: &str) -> Result<Self, String> {
        sweep();
        let mut lab = Self { name: name.to_owned(), hosts: Vec::new() };
        let host = lab.try_host("try")?;
        feed(host.command("nft").args(["-f", "-"]), &rules(Nat::Random))?;
        host.remove();
        lab.hosts.clear();
        Ok(lab)
    }

    /// A host without cables.
    pub fn host(&mut self, name: &str) -> Host {
        self.try_host(name).unwrap_or_else(|reason| panic!("{name}: {reason}"))
    }

    fn try_host(&mut self, name: &str) -> Result<Host, String> {
        let host = Host(format!("{PREFIX}-{}-{}-{name}", std::process::id(), self.name));
        run(ip().args(["netns", "add", &host.0]))?;
        self.hosts.push(host.clone());
        run(host.ip().args(["link", "set", "lo", "up"]))?;
        Ok(host)
    }

    /// A host that joins all cables that are plugged into it.
    pub fn switch(&mut self, name: &str) -> Host {
        let host = self.host(name);
        host.must(&["link", "add", "switch", "type", "bridge"]);
        host.must(&["link", "set", "switch", "up"]);
        host
    }

    /// A router on `switch`, at `outside`, and a host behind it, alone in its private network.
    pub fn home(&mut self, number: u8, switch: &Host, outside: &str, nat: Nat) -> Host {
        let router = self.host(&format!("router{number}"));
        let host = self.host(&format!("home{number}"));
        router.plug("wan", outside, switch);
        host.cable("eth0", &router, &format!("lan{number}"));
        host.address("eth0", &format!("192.168.{number}.2/24"));
        router.address(&format!("lan{number}"), &format!("192.168.{number}.1/24"));
        host.must(&["route", "add", "default", "via", &format!("192.168.{number}.1")]);
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        run(router.command("sh").args(["-c", forward])).expect("routers forward");
        feed(router.command("nft").args(["-f", "-"]), &rules(nat)).expect("rules");
        host
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.hosts.iter().for_each(Host::remove);
    }
}

impl Host {
    /// Plugs a cable into `switch`, and gives its near end an address.
    pub fn plug(&self, device: &str, address: &str, switch: &Self) {
        let far: String = address.chars().filter(char::is_ascii_digit).collect();
        let far = format!("p{}", &far[far.len().saturating_sub(9)..]);
        self.cable(device, switch, &far);
        switch.must(&["link", "set", &far, "master", "switch"]);
        self.address(device, address);
    }

    /// A cable to another host.
    fn cable(&self, device: &str, other: &Self, far: &str) {
        let peer = ["type", "veth", "peer", "name", far, "netns", &other.0];
        self.must(&[&["link", "add", device], &peer[..]].concat());
        self.must(&["link", "set", device, "up"]);
        other.must(&["link", "set", far, "up"]);
    }

    fn address(&self, device: &str, address: &str) {
        self.must(&["address", "add", address, "dev", device]);
    }

    /// Starts a process there. It says a line of JSON, like all of ours.
    pub async fn start(
        &self,
        binary: &Path,
        room: &Path,
        name: &str,
        arguments: &[String],
    ) -> (Process, Value) {
        let binary = binary.display().to_string();
        let before = ["netns", "exec", &self.0, &binary].map(str::to_owned);
        Process::start(Path::new("ip"), room, name, &[&before, arguments].concat()).await
    }

    /// Runs a command there to its end.
    pub async fn run(&self, binary: &Path, arguments: &[&str]) -> Output {
        let mut command =
            tokio::process::Command::from(self.command(&binary.display().to_string()));
        command.args(arguments).kill_on_drop(true).output().await.expect("ip runs")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = ip();
        command.args(["netns", "exec", &self.0, program]);
        command
    }

    fn ip(&self) -> Command {
        let mut command = ip();
        command.args(["-n", &self.0]);
        command
    }

    fn must(&self, arguments: &[&str]) {
        run(self.ip().args(arguments)).unwrap_or_else(|reason| panic!("{arguments:?}: {reason}"));
    }

    /// Ends what runs there, then the namespace, and with it its ends of cables.
    fn remove(&self) {
        if let Ok(output) = ip().args(["netns", "pids", &self.0]).output() {
            for id in String::from_utf8_lossy(&output.stdout).split_whitespace() {
                let _ = Command::new("kill").args(["-KILL", id]).status();
            }
        }
        let _ = run(ip().args(["netns", "delete", &self.0]));
    }
}

/// What a home's router lets through: what was asked for from behind it, and nothing else.
fn rules(nat: Nat) -> String {
    let masquerade = match nat {
        Nat::Preserving => "masquerade",
        Nat::Random => "masquerade fully-random",
    };
    format!(
        "table ip home {{
            chain leave {{
                type nat hook postrouting priority 100
                oifname \"wan\" {masquerade}
            }}
            chain pass {{
                type filter hook forward priority 0
                policy drop
                ct state established,related accept
                iifname != \"wan\" accept
            }}
            chain enter {{
                type filter hook input priority 0
                policy drop
                ct state established,related accept
                iifname != \"wan\" accept
            }}
        }}"
    )
}

/// Removes what processes left behind that were killed.
fn sweep() {
    let Ok(output) = ip().args(["netns", "list"]).output() else { return };
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1));
        if maker.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            Host(name.to_owned()).remove();
        }
    }
}

fn ip() -> Command {
    let mut command = Command::new("ip");
    command.stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// Runs a command that reads `text`.
fn feed(command: &mut Command, text: &str) -> Result<(), String> {
    let child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("{command:?}: {error}"))?;
    let written = child.stdin.take().map(|mut input| input.write_all(text.as_bytes()));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    match written {
        Some(Ok(())) if output.status.success() => Ok(()),
        _ => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

//! From settings to a running node.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use actix::{Actor, Addr, Arbiter};
use color_eyre::eyre::{Context, bail, eyre};
use dashmap::DashMap;
use swarm_core::{Config, Input, Node};
use swarm_engine::{DeviceSpec, Tokenizer, Weights, measure_cpu};
use swarm_net::{Identity, Net, SwarmKey};
use swarm_proto::{Device, DeviceKind, Time};
use tokio::{
    net::TcpListener,
    runtime::Handle as Runtime,
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    api,
    config::{DeviceChoice, Settings},
    driver::{Attach, Drain, Driver},
    fixed::FixedPlan,
    handle::Handle,
    keys::NodeKeys,
    probe::Probe,
    pump::Pump,
    state::State,
    status::Status,
    store::Store,
    sums::Exchange,
    text::ModelText,
    view::About,
    worker::{Bench, Worker},
};

/// Inputs that may wait for the driver: past it, streams are read more slowly.
const INPUTS_MAX: usize = 4096;
/// Calls of clients that may wait for the driver; past it, clients are told to try again.
const CALLS_MAX: usize = 256;

/// A node that runs. Dropping it stops it without draining.
pub struct Running {
    /// Who it is.
    pub peer: String,
    /// Where its API listens.
    pub api: SocketAddr,
    /// What it knows of itself, its addresses among them.
    pub about: About,
    /// A way to its mind.
    pub handle: Handle,
    driver: Addr<Driver>,
    net: Net,
    serve: JoinHandle<()>,
    _arbiter: Arbiter,
    _state: State,
}

/// Starts a node.
pub async fn start(settings: Settings) -> color_eyre::Result<Running> {
    let state = State::open(&settings.state)?;
    let identity = Identity::load_or_create(&state.key_file())?;
    let listener = TcpListener::bind(settings.api).await.wrap_err_with(|| {
        format!("the API cannot listen on {}: choose another address with --api", settings.api)
    })?;
    let api_address = listener.local_addr()?;
    let (name, weights, text) = model(settings.model.clone()).await?;
    let spec = weights.spec(&name);
    let devices = measure(&settings.devices).await?;
    let ballot = state.ballot()?;

    let (net, events) = swarm_net::start(network(&settings, &identity)?).await?;
    let (inputs_in, inputs) = mpsc::channel(INPUTS_MAX);
    let (calls_in, calls) = mpsc::channel(CALLS_MAX);
    let (status_in, status) = watch::channel(Arc::new(Status::default()));
    let handle = Handle::new(calls_in, status);
    let about = About::new(settings.swarm.clone(), name.clone());
    let exchange = Arc::new(Exchange::new(identity.node_id(), Arc::new(net.clone())));
    let mut workers = BTreeMap::new();
    for device in &devices {
        let bench = Bench {
            device: device.index,
            spec: DeviceSpec::Cpu { threads: usize::from(device.threads) },
            memory_bytes: device.memory_bytes,
            weights: Arc::clone(&weights),
            exchange: Arc::clone(&exchange),
            inputs: inputs_in.clone(),
        };
        workers.insert(device.index, Worker::start(bench)?);
    }

    let config = Config {
        founds: settings.founds,
        context_tokens: settings.context_tokens,
        advert_base: unix_ms(),
        api: Some(format!("http://{api_address}")),
        ..Config::new(spec.clone())
    };
    let peer = crate::view::peer(identity.node_id());
    let node = Node::new(config, Box::new(NodeKeys(identity.clone())), rand::random(), ballot);
    let arbiter = Arbiter::new();
    let driver = Driver {
        node,
        net: net.clone(),
        workers,
        exchange: Arc::clone(&exchange),
        clients: Arc::new(DashMap::new()),
        ballot_file: state.ballot_file(),
        inputs: inputs_in.clone(),
        fixed: settings.plan.as_deref().map(FixedPlan::read).transpose()?,
        status: status_in,
        about: about.clone(),
        runtime: Runtime::current(),
        started: Instant::now(),
        armed: Time::NEVER,
        alarm: actix::SpawnHandle::default(),
    };
    let driver = Driver::start_in_arbiter(&arbiter.handle(), |_| driver);
    driver.send(Attach { inputs, calls }).await.wrap_err("the driver did not start")?;
    inputs_in.send(Input::Measured(devices)).await?;
    let probe = Arc::new(Probe::new(net.clone(), inputs_in.clone()));
    let pump = Pump { inputs: inputs_in, exchange, probe, about: about.clone() };
    tokio::spawn(pump.run(events));

    let state_of_api = api::ApiState::new(handle.clone(), Arc::new(text), &spec);
    let serve = tokio::spawn(api::serve(listener, state_of_api));
    let _state = state;
    Ok(Running {
        peer,
        api: api_address,
        about,
        handle,
        driver,
        net,
        serve,
        _arbiter: arbiter,
        _state,
    })
}

impl Running {
    /// Lets what runs here finish, for at most `patience`, then stops.
    pub async fn stop(self, patience: Duration) {
        let _ = self.driver.send(Drain).await;
        let mut status = self.handle.watch();
        let idle =
            async { while !status.borrow_and_update().idle && status.changed().await.is_ok() {} };
        drop(tokio::time::timeout(patience, idle).await);
        self.serve.abort();
        self.net.shutdown().await;
    }
}

/// The model's weights and text side. Fetching and opening block, so on a thread of their own.
async fn model(model: String) -> color_eyre::Result<(String, Arc<Weights>, ModelText)> {
    let opened = tokio::task::spawn_blocking(move || -> color_eyre::Result<_> {
        let (name, path) = Store::open().resolve(&model)?;
        let weights = Weights::open(&path)?;
        let tokenizer = Tokenizer::open(&weights)?;
        Ok((name, Arc::new(weights), ModelText::new(tokenizer)))
    });
    opened.await?
}

/// The devices as they are, measured one after the other so that they do not measure each other.
async fn measure(choices: &[DeviceChoice]) -> color_eyre::Result<Vec<Device>> {
    let mut devices = Vec::new();
    for (index, choice) in choices.iter().enumerate() {
        let DeviceChoice::Cpu { threads, memory_bytes } = *choice else {
            bail!("this version computes on cpu only: --device cuda comes with a later one");
        };
        let index = u8::try_from(index).map_err(|_| eyre!("more than 255 devices"))?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.unwrap_or(cores);
        let profile = tokio::task::spawn_blocking(move || measure_cpu(threads)).await??;
        devices.push(Device {
            index,
            kind: DeviceKind::Cpu,
            name: format!("cpu, {threads} threads"),
            memory_bytes: memory_bytes.unwrap_or_else(half_of_memory),
            bandwidth_bytes_per_s: profile.bandwidth_bytes_per_s,
            flops_per_s: profile.flops_per_s,
            threads: u16::try_from(threads).unwrap_or(u16::MAX),
            drift_class: swarm_engine::drift_class(),
        });
    }
    Ok(devices)
}

fn network(settings: &Settings, identity: &Identity) -> color_eyre::Result<swarm_net::Config> {
    let addresses = |texts: &[String], flag: &str| {
        texts
            .iter()
            .map(|text| text.parse().wrap_err_with(|| format!("--{flag} {text} is no multiaddr")))
            .collect::<color_eyre::Result<Vec<_>>>()
    };
    let mut config = swarm_net::Config::new(identity.clone(), settings.swarm.clone());
    config.listen = addresses(&settings.listen, "listen")?;
    config.join = addresses(&settings.join, "join")?;
    config.mdns = settings.mdns;
    config.key = settings.key.as_deref().map(SwarmKey::load).transpose()?;
    Ok(config)
}

/// Half of what the host has: the rest is its owner's.
fn half_of_memory() -> u64 {
    /// What a host has at least, if it will not say.
    const UNKNOWN: u64 = 2 << 30;
    let Ok(mut system) = sysinfo::System::new() else { return UNKNOWN };
    system.refresh_memory();
    system.total_memory() / 2
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

//! From settings to a running node.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use actix::{Actor, Addr, Arbiter};
use color_eyre::eyre::{Context, bail, eyre};
use swarm_core::{Config, Input, Keys, Node, record::Head};
use swarm_engine::{DeviceSpec, Tokenizer, Weights, measure_cpu};
use swarm_net::{Identity, Net, SwarmKey};
use swarm_proto::{DEVICES_MAX, Device, DeviceKind, Time};
use tokio::{
    net::TcpListener,
    runtime::Handle as Runtime,
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{self, Origins},
    config::{DeviceChoice, Settings},
    driver::{Attach, Drain, Driver},
    fixed::FixedPlan,
    handle::Handle,
    keys::NodeKeys,
    planner::Planner,
    probe::Probe,
    pump::Pump,
    recorder::Recorder,
    state::State,
    status::Status,
    store::Store,
    sums::Exchange,
    text::ModelText,
    view::About,
    wire::Wire,
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
    closing: CancellationToken,
    arbiter: Arbiter,
}

/// Starts a node.
pub async fn start(settings: Settings) -> color_eyre::Result<Running> {
    let choices = cpus(&settings.devices)?;
    let state = State::open(&settings.state)?;
    let ballot = state.ballot()?;
    let ballot = if settings.rejoins { ballot.without_set() } else { ballot };
    let identity = Identity::load_or_create(&state.key_file())?;
    let network = network(&settings, &identity)?;
    let fixed = settings.plan.as_deref().map(FixedPlan::read).transpose()?;
    let listener = TcpListener::bind(settings.api).await.wrap_err_with(|| {
        format!("the API cannot listen on {}: choose another address with --api", settings.api)
    })?;
    let api_address = listener.local_addr()?;
    let (name, weights, text) = model(settings.model.clone()).await?;
    let spec = weights.spec(&name);
    let devices = measure(&choices, settings.exact).await?;

    let (net, events) = swarm_net::start(network).await?;
    let (inputs_in, inputs) = mpsc::channel(INPUTS_MAX);
    let (calls_in, calls) = mpsc::channel(CALLS_MAX);
    let (status_in, status) = watch::channel(Arc::new(Status::default()));
    let handle = Handle::new(calls_in, status);
    let about = About::new(settings.swarm.clone(), name.clone());
    let wire = Wire::new(net.clone(), about.traffic.clone());
    let exchange = Arc::new(Exchange::new(identity.node_id(), Arc::new(wire.clone())));
    let mut workers = BTreeMap::new();
    for device in &devices {
        let bench = Bench {
            device: device.index,
            spec: DeviceSpec::Cpu { threads: usize::from(device.threads), exact: settings.exact },
            memory_bytes: device.memory_bytes,
            weights: Arc::clone(&weights),
            exchange: Arc::clone(&exchange),
            inputs: inputs_in.clone(),
        };
        workers.insert(device.index, Worker::start(bench)?);
    }

    let config = Config {
        founds: settings.founds,
        nodes_min: settings.nodes_min,
        context_tokens: settings.context_tokens,
        advert_base: unix_ms(),
        api: Some(format!("http://{api_address}")),
        ..Config::new(spec.clone())
    };
    let head = Head { node: identity.node_id(), config, seed: rand::random(), ballot };
    let peer = crate::view::peer(head.node);
    let mut keys: Box<dyn Keys> = Box::new(NodeKeys(identity.clone()));
    let mut recorder = None;
    if let Some(path) = &settings.record {
        let (begun, noted) = Recorder::start(path, settings.record_bytes_max, &head, keys)?;
        (recorder, keys) = (Some(begun), noted);
    }
    let node = Node::new(head.config, keys, head.seed, head.ballot);
    let arbiter = Arbiter::new();
    let driver = Driver {
        node,
        recorder,
        wire,
        workers,
        exchange: Arc::clone(&exchange),
        clients: BTreeMap::new(),
        state: Arc::new(state),
        inputs: inputs_in.clone(),
        planner: Planner::start(fixed, inputs_in.clone())?,
        follow_ups: VecDeque::new(),
        refusals: BTreeMap::new(),
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
    let (about_of_pump, traffic) = (about.clone(), about.traffic.clone());
    let pump = Pump {
        inputs: inputs_in,
        exchange,
        net: net.clone(),
        probe,
        about: about_of_pump,
        traffic,
    };
    tokio::spawn(pump.run(events));

    let origins = Origins::new(settings.api_origins, api_address);
    let api = api::ApiState::new(handle.clone(), net.gossip(), Arc::new(text), &spec, origins);
    let closing = CancellationToken::new();
    let serve = tokio::spawn(api::serve(listener, api, closing.clone()));
    Ok(Running { peer, api: api_address, about, handle, driver, net, serve, closing, arbiter })
}

impl Running {
    /// Lets what runs here finish, for at most `patience`, then stops.
    pub async fn stop(mut self, patience: Duration) {
        let ends = async {
            let _ = self.driver.send(Drain).await;
            let mut status = self.handle.watch();
            while !status.borrow_and_update().idle && status.changed().await.is_ok() {}
            // The last answers are still on their way to their clients.
            self.closing.cancel();
            let _ = (&mut self.serve).await;
        };
        drop(tokio::time::timeout(patience, ends).await);
        self.serve.abort();
        self.net.shutdown().await;
        self.arbiter.stop();
        // Its thread ends as soon as the driver has nothing in hand.
        drop(tokio::task::spawn_blocking(move || self.arbiter.join()).await);
    }
}

/// A processor to compute on: threads and memory, where they were said.
type CpuChoice = (Option<usize>, Option<u64>);

/// The devices that were asked for, if this version has them all.
fn cpus(choices: &[DeviceChoice]) -> color_eyre::Result<Vec<CpuChoice>> {
    if choices.len() > DEVICES_MAX {
        bail!("{} devices: a node has at most {DEVICES_MAX}", choices.len());
    }
    let cpu = |choice: &DeviceChoice| match *choice {
        DeviceChoice::Cpu { threads, memory_bytes } => Ok((threads, memory_bytes)),
        DeviceChoice::Cuda { index, .. } => Err(eyre!(
            "--device cuda:{index}: this version computes on cpu only; write --device cpu or auto"
        )),
    };
    choices.iter().map(cpu).collect()
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
async fn measure(choices: &[CpuChoice], exact: bool) -> color_eyre::Result<Vec<Device>> {
    let mut devices = Vec::new();
    for (index, (threads, memory_bytes)) in (0..).zip(choices.iter().copied()) {
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
            drift_class: swarm_engine::drift_class(exact),
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

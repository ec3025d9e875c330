//! Time-outs and bounds, each with its reason.

use std::time::Duration;

use bincode::{Decode, Encode};
use swarm_proto::ModelSpec;

/// What a node is told before it starts. The defaults suit a LAN.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Config {
    /// Whether this node founds a swarm: its first set of voters is itself.
    pub founds: bool,
    /// The model to serve.
    pub model: ModelSpec,
    /// Our adverts' numbers start above this, and our batches' in milliseconds; it must rise from one
    /// run of a node to the next by more than the milliseconds that it ran.
    pub advert_base: u64,
    /// Where our HTTP API listens, for others to know.
    pub api: Option<String>,
    /// How often neighbours hear from us.
    pub beat_every: Duration,
    /// How long a neighbour may be silent before it is thought dead: several beats, and below the
    /// second within which a dead peer is to be noticed.
    pub silence_max: Duration,
    /// How long a candidate waits for votes, and a voter for a leader: at least this, at most
    /// twice this, drawn each time so that candidates do not collide for ever.
    pub patience: Duration,
    /// Peers up to which everyone is connected with everyone. Of a larger swarm a node sees a part.
    pub mesh_max: usize,
    /// How often our advert goes out when nothing in it changed.
    pub advert_every: Duration,
    /// How long a view must have been quiet before it is planned: peers arrive in groups.
    pub settle: Duration,
    /// Nodes that must be here before a first plan is made, ourselves among them.
    pub nodes_min: u32,
    /// How long the members of a plan may take to load it.
    pub load_max: Duration,
    /// KV cache to plan for, in tokens, over all sessions.
    pub context_tokens: u32,
    /// Rows of a batch: more use the weights better, fewer let decode steps in sooner.
    pub batch_rows_max: usize,
    /// Sessions of a batch. With one, a stage serves one after the other, as engines do that have no
    /// continuous batching.
    pub batch_sessions_max: usize,
    /// Sessions one entry runs at a time; more wait.
    pub sessions_max: usize,
    /// Of these, through one pipeline, for each of its stages.
    pub stage_sessions_max: u32,
    /// Requests that may wait at an entry; more are refused.
    pub waiting_max: usize,
    /// How long a session may go without a token before its entry opens it anew.
    pub stall_max: Duration,
    /// How much longer before the first one, for each token of the prompt.
    pub stall_max_of_prompt_token: Duration,
    /// How long a session may wait for a live plan before its client is told there is none.
    pub plan_wait_max: Duration,
    /// How long it may wait for its turn before its client is told that all is busy.
    pub turn_wait_max: Duration,
    /// How long a stage keeps an open session that nobody asks anything of.
    pub idle_max: Duration,
}

impl Config {
    /// The defaults for a model.
    pub fn new(model: ModelSpec) -> Self {
        Self {
            founds: false,
            model,
            advert_base: 0,
            api: None,
            beat_every: Duration::from_millis(150),
            silence_max: Duration::from_millis(800),
            patience: Duration::from_millis(600),
            mesh_max: 64,
            advert_every: Duration::from_secs(5),
            settle: Duration::from_millis(400),
            nodes_min: 1,
            load_max: Duration::from_secs(120),
            context_tokens: 8192,
            batch_rows_max: swarm_proto::BATCH_ROWS_MAX,
            batch_sessions_max: usize::MAX,
            sessions_max: 64,
            stage_sessions_max: u32::MAX,
            waiting_max: 256,
            stall_max: Duration::from_secs(20),
            stall_max_of_prompt_token: Duration::from_millis(100),
            plan_wait_max: Duration::from_secs(30),
            turn_wait_max: Duration::from_secs(60),
            idle_max: Duration::from_secs(600),
        }
    }
}

/// The defaults for a model of no size, for tests.
#[cfg(test)]
pub(crate) fn made() -> Config {
    Config::new(ModelSpec {
        name: String::new(),
        hash: swarm_proto::Hash([0; 32]),
        layers: 1,
        hidden: 1,
        heads: 1,
        kv_heads: 1,
        head_dim: 1,
        ffn: 1,
        ffn_grain: 1,
        vocab: 1,
        context_max: 1,
        head_bytes: 1,
        column_bytes: 1.0,
        layer_shared_bytes: 1,
        embedding_bytes: 1,
        output_bytes: 1,
        tied: true,
        kv_bytes: 1,
    })
}

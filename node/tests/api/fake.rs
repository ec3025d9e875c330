//! The API over a made-up mind: real HTTP on a free port, a real tokenizer, and answers that the
//! caller writes.

use std::{net::SocketAddr, sync::Arc};

use hexswarm::{
    api::{self, ApiState, Origins},
    handle::{Call, Handle},
    status::Status,
    text::ModelText,
};
use swarm_core::{Answer, Ask, RequestId};
use swarm_engine::{Format, Shape, Tokenizer, Weights, synth};
use swarm_net::Gossip;
use swarm_proto::{Finish, Sampled};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;

/// The model's name.
pub(crate) const MODEL: &str = "made-up";
/// Tokens of its context.
pub(crate) const CONTEXT: usize = 256;
/// The token that ends an answer.
pub(crate) const END: u32 = 2;
/// Control tokens, after which the vocabulary has a token for every byte.
const CONTROL: u32 = 3;
/// Calls that may wait.
const CALLS_MAX: usize = 64;

/// What a mind does with a question: it gives these answers, then goes on being silent or, if it
/// `hangs_up`, is gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    /// In this order.
    pub(crate) answers: Vec<Answer>,
    /// Whether nothing more can come.
    pub(crate) hangs_up: bool,
}

/// What the mind heard.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    /// A question.
    Asked(RequestId, Box<Ask>),
    /// Nobody listens to its answer any more.
    Cancelled(RequestId),
}

/// A running API.
pub(crate) struct Fake {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What the mind heard.
    pub(crate) heard: mpsc::UnboundedReceiver<Heard>,
    /// What the API shows as the node's status.
    pub(crate) status: watch::Sender<Arc<Status>>,
    /// Cancelled, the API takes no more connections.
    pub(crate) closing: CancellationToken,
}

/// The origin whose pages may ask beside the API's own.
pub(crate) const ORIGIN: &str = "https://app.example";

/// The token of one byte.
pub(crate) fn byte(byte: u8) -> u32 {
    CONTROL + u32::from(byte)
}

/// The tokens of a text, byte by byte.
pub(crate) fn bytes(text: &str) -> Vec<u32> {
    text.bytes().map(byte).collect()
}

/// News of a token, with log-probabilities of it and of the token after it.
pub(crate) fn token(token: u32) -> Answer {
    Answer::Token(Sampled {
        token,
        logprob: Some(-0.5),
        top: vec![(token, -0.5), (token + 1, -2.0)],
    })
}

/// A whole answer.
pub(crate) fn says(text: &str, finish: Finish) -> Script {
    let mut answers = vec![Answer::Started { cached_tokens: 16 }];
    answers.extend(bytes(text).into_iter().map(token));
    answers.push(Answer::Finished(finish));
    Script { answers, hangs_up: false }
}

/// An answer that says this and then nothing, neither more nor that it is over.
pub(crate) fn begins(text: &str) -> Script {
    let mut script = says(text, Finish::Stop);
    script.answers.pop();
    script
}

/// A refusal.
pub(crate) fn refuses(refusal: swarm_core::Refusal) -> Script {
    Script { answers: vec![Answer::Failed(refusal)], hangs_up: false }
}

/// Serves on a free port, or on `address`.
pub(crate) async fn start(address: &str, script: impl Fn(&Ask) -> Script + Send + 'static) -> Fake {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("made-up.gguf");
    synth(&Shape::tiny(), Format::F32, 1, &file).expect("a model");
    let weights = Weights::open(&file).expect("a model");
    let text = ModelText::new(Tokenizer::open(&weights).expect("a tokenizer"));
    let (calls_in, calls) = mpsc::channel(CALLS_MAX);
    let (status, status_out) = watch::channel(Arc::new(Status::default()));
    let listener = TcpListener::bind(address).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (handle, spec) = (Handle::new(calls_in, status_out), weights.spec(MODEL));
    let origins = Origins::new(vec![ORIGIN.to_owned()], address);
    let state = ApiState::new(handle, Gossip::default(), Arc::new(text), &spec, origins);
    let closing = CancellationToken::new();
    tokio::spawn(api::serve(listener, state, closing.clone()));
    let (hears, heard) = mpsc::unbounded_channel();
    tokio::spawn(think(calls, hears, script));
    Fake { address, heard, status, closing }
}

async fn think(
    mut calls: mpsc::Receiver<Call>,
    hears: mpsc::UnboundedSender<Heard>,
    script: impl Fn(&Ask) -> Script,
) {
    let mut silent = Vec::new();
    while let Some(call) = calls.recv().await {
        match call {
            Call::Ask { request, ask, answers } => {
                let script = script(&ask);
                let _ = hears.send(Heard::Asked(request, Box::new(ask)));
                for answer in script.answers {
                    // Like the driver: who falls behind by a whole channel is left.
                    if answers.try_send(answer).is_err() {
                        break;
                    }
                }
                if !script.hangs_up {
                    silent.push((request, answers));
                }
            }
            Call::Cancel(request) => {
                silent.retain(|(other, _)| *other != request);
                let _ = hears.send(Heard::Cancelled(request));
            }
        }
    }
}

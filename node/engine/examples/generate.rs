//! A prompt in, an answer out, without a swarm:
//! `cargo run --release -p swarm-engine --example generate -- MODEL PROMPT [TOKENS [THREADS]]`.

use std::{
    env,
    error::Error,
    io::{Write, stdout},
    path::Path,
    sync::Arc,
    time::Instant,
};

use swarm_engine::{Alone, BATCH_ROWS_MAX, DeviceSpec, Engine, Output, Tokenizer, Weights, open};
use swarm_proto::{BLOCK_TOKENS, Batch, Draw, Item, Sampling};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, prompt, rest @ ..] = &arguments[..] else {
        return Err("usage: generate MODEL PROMPT [TOKENS [THREADS]]".into());
    };
    let number =
        |index: usize, default: usize| rest.get(index).map_or(Ok(default), |text| text.parse());
    let (answer_max, threads) = (number(0, 64)?.max(1), number(1, 2)?);
    let start = Instant::now();
    let weights = Arc::new(Weights::open(Path::new(model))?);
    let tokenizer = Tokenizer::open(&weights)?;
    let tokens = tokenizer.encode_with_specials(prompt);
    let blocks = (tokens.len() + answer_max).div_ceil(BLOCK_TOKENS as usize) as u32;
    let shard = weights.whole(blocks);
    let mut engine = open(&DeviceSpec::Cpu { threads, exact: true }, weights, shard, u64::MAX)?;
    eprintln!("opened in {:.2} s; {:?}", start.elapsed().as_secs_f64(), engine.memory());

    let start = Instant::now();
    let mut session = Session { position: 0, step: 0, blocks: (0..blocks).collect() };
    let mut token = None;
    for chunk in tokens.chunks(BATCH_ROWS_MAX) {
        token = Some(session.next(&mut *engine, chunk)?);
    }
    let Some(mut token) = token else { return Err("an empty prompt".into()) };
    let prefill = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let mut answer = tokenizer.stream();
    let mut steps = 0;
    while !tokenizer.is_end(token) {
        print!("{}", answer.push(token).unwrap_or_default());
        stdout().flush()?;
        if steps + 1 == answer_max {
            break;
        }
        token = session.next(&mut *engine, &[token])?;
        steps += 1;
    }
    println!("{}", answer.finish().unwrap_or_default());
    let decode = start.elapsed().as_secs_f64();
    eprintln!("prefill: {} tokens, {:.1} tok/s", tokens.len(), tokens.len() as f64 / prefill);
    eprintln!("decode: {steps} tokens, {:.1} tok/s", steps as f64 / decode);
    Ok(())
}

struct Session {
    position: u32,
    step: u32,
    blocks: Arc<[u32]>,
}

impl Session {
    /// Computes `tokens`, gives the one that follows.
    fn next(&mut self, engine: &mut dyn Engine, tokens: &[u32]) -> Result<u32, Box<dyn Error>> {
        let sampling = Sampling::default();
        let draw = Draw { sampling, step: self.step, recent: Vec::new() };
        let item = Item {
            position: self.position,
            tokens: tokens.to_vec(),
            blocks: Arc::clone(&self.blocks),
            sample: Some(Arc::new(draw)),
        };
        self.position += tokens.len() as u32;
        self.step += 1;
        let output = engine.forward(&Batch { items: vec![item] }, None, &mut Alone)?;
        match output {
            Output::Samples(samples) => {
                let sampled = samples.into_iter().flatten().next();
                Ok(sampled.ok_or("no token")?.token)
            }
            other => Err(format!("expected samples, got {other:?}").into()),
        }
    }
}

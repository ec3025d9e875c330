//! Requests of a workload, brought to a swarm at their times, and what became of them.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use swarm_core::Ask;
use swarm_proto::{Sampling, Time};

use crate::{
    Broken, World,
    check::NOTICE_MAX,
    client::End,
    keys::node_id,
    recipe::{Fault, What},
    workload::{Arrival, PREFIX_TOKENS},
};

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Served {
    /// When it was asked.
    pub asked: Time,
    /// From then to the first token, if there was one.
    pub ttft: Option<Duration>,
    /// From then to the last token, if the answer is whole.
    pub latency: Option<Duration>,
    /// Tokens that came.
    pub tokens: usize,
    /// Tokens of the prompt that were in the KV cache already; of one that never ran nobody knows.
    pub cached_tokens: Option<u32>,
    /// Why there is no whole answer.
    pub refused: Option<String>,
    /// Whether that is because patience ran out.
    pub unfinished: bool,
}

impl Served {
    /// Time per output token after the first, of a whole answer.
    pub fn tpot(&self) -> Option<Duration> {
        let steps = u32::try_from(self.tokens.checked_sub(1)?).ok().filter(|steps| *steps > 0)?;
        Some((self.latency? - self.ttft?) / steps)
    }
}

/// How many requests are done in time.
pub fn in_time(all: &[Served], deadline: Duration) -> usize {
    all.iter().filter(|one| one.latency.is_some_and(|latency| latency <= deadline)).count()
}

/// Something to do at its time.
enum Act<'a> {
    Ask(usize),
    Fail(&'a Fault),
    /// Whoever has died by now is to be missed, if it is time.
    Look,
    Mend(&'a Fault),
}

/// All that is to be done, in the order of its times.
fn timeline<'a>(arrivals: &[Arrival], faults: &'a [Fault]) -> Vec<(Duration, Act<'a>)> {
    let asks = arrivals.iter().enumerate().map(|(number, a)| (a.at, Act::Ask(number)));
    let fails = faults.iter().map(|fault| (fault.at, Act::Fail(fault)));
    // Who is stopped or stands still goes on by itself.
    let ends = faults.iter().filter(|fault| !matches!(fault.does, What::Pause | What::Stall));
    let mends = ends.filter_map(|fault| Some((fault.at + fault.lasts?, Act::Mend(fault))));
    let deaths = faults.iter().filter(|fault| matches!(fault.does, What::Die | What::Vanish));
    let looks = deaths.map(|fault| (fault.at + NOTICE_MAX, Act::Look));
    let mut all: Vec<_> = asks.chain(fails).chain(looks).chain(mends).collect();
    all.sort_by_key(|(at, _)| *at); // of those at one time the first first
    all
}

/// A request's prompt: tokens that are drawn from the names of its blocks, or from its own number.
fn prompt(arrival: &Arrival, number: u64, vocab: u32) -> Vec<u32> {
    let whole = arrival.input_tokens as usize;
    let block = |seed: u64, tokens: usize| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..tokens).map(move |_| random.random_range(0..vocab.max(1))).collect::<Vec<_>>()
    };
    if arrival.prefix.is_empty() {
        // Numbers of requests are not names of blocks.
        return block(!number, whole);
    }
    let blocks = arrival.prefix.iter().flat_map(|name| block(*name, PREFIX_TOKENS as usize));
    blocks.take(whole).collect()
}

impl World {
    /// Brings requests to nodes, one node after the other, each at its time from now on, while this
    /// and that goes wrong; then waits until all have ended, at most so long. What was to go wrong
    /// after that does not.
    pub fn serve(
        &mut self,
        arrivals: &[Arrival],
        faults: &[Fault],
        entries: &[usize],
        patience: Duration,
    ) -> Result<Vec<Served>, Broken> {
        let first = self.asked();
        self.bring(arrivals, faults, entries, patience)?;
        Ok(self.served(first))
    }

    /// The same; what goes wrong still, and was not to for ever.
    pub(crate) fn bring(
        &mut self,
        arrivals: &[Arrival],
        faults: &[Fault],
        entries: &[usize],
        patience: Duration,
    ) -> Result<Vec<Fault>, Broken> {
        let begun = self.now();
        let (mut left, mut lasting) = (arrivals.len(), Vec::new());
        for (at, act) in timeline(arrivals, faults) {
            let answered = |world: &Self| left == 0 && world.answered();
            if self.run_until((begun + at).since(self.now()), answered)? {
                break;
            }
            match act {
                Act::Ask(number) => {
                    let entry = entries.get(number % entries.len().max(1)).copied().unwrap_or(0);
                    let tokens = prompt(&arrivals[number], number as u64, self.setup.model.vocab);
                    let answer_tokens_max = arrivals[number].output_tokens;
                    let (sampling, end_tokens) = (Sampling::default(), Vec::new());
                    self.ask(entry, Ask { tokens, answer_tokens_max, sampling, end_tokens });
                    left -= 1;
                }
                Act::Fail(fault) => {
                    self.strike(fault);
                    lasting
                        .extend(fault.lasts.map(|span| (begun + fault.at + span, fault.clone())));
                }
                Act::Look => self.check_deaths()?,
                Act::Mend(fault) => self.mend(fault),
            }
            let now = self.now();
            lasting.retain(|(end, _)| *end > now);
        }
        self.run_until(patience, World::answered)?;
        let now = self.now();
        Ok(lasting.into_iter().filter(|(end, _)| *end > now).map(|(_, fault)| fault).collect())
    }

    pub(crate) fn strike(&mut self, fault: &Fault) {
        match fault.does {
            What::Die => self.kill(fault.machine),
            What::Vanish => self.vanish(fault.machine),
            What::Leave => self.drain(fault.machine),
            What::Pause => self.pause(fault.machine, fault.lasts.unwrap_or_default(), false),
            What::Slow(factor) => self.slow_machine(fault.machine, factor),
            What::Stall => self.stall_machine(fault.machine, fault.lasts.unwrap_or_default()),
            ref does => self.spoil(fault.machine, does),
        }
    }

    /// A fault that lasts is over.
    pub(crate) fn mend(&mut self, fault: &Fault) {
        match fault.does {
            What::Pause => self.resume(node_id(fault.machine)),
            What::Stall => self.wake_machine(fault.machine),
            What::Slow(_) => self.slow_machine(fault.machine, 1.0),
            What::Leave => {
                // Who has left is there until its process ends.
                self.kill(fault.machine);
                self.restart(fault.machine);
            }
            What::Die | What::Vanish => self.restart(fault.machine),
            ref does => self.unspoil(fault.machine, does),
        }
    }

    /// What became of the requests from this one on.
    pub fn served(&self, first: u64) -> Vec<Served> {
        let from = swarm_core::RequestId(first);
        let told = |wanted: &crate::client::Wanted| Served {
            asked: wanted.asked,
            ttft: wanted.first.map(|at| at.since(wanted.asked)),
            latency: match wanted.end() {
                Some(End::Whole) => wanted.last.map(|at| at.since(wanted.asked)),
                _ => None,
            },
            tokens: wanted.got,
            cached_tokens: wanted.cached,
            refused: match wanted.end() {
                Some(End::Refused(why)) => Some(why.clone()),
                Some(End::Left) => Some("its node was gone".to_owned()),
                Some(End::Whole) => None,
                None => Some("patience ran out".to_owned()),
            },
            unfinished: wanted.end().is_none(),
        };
        self.clients.wanted.range(from..).map(|(_, wanted)| told(wanted)).collect()
    }
}

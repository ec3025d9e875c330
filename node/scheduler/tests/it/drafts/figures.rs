//! What a proposal's figures should be, reckoned anew from `docs/planning.md` and decision 6.

use std::collections::BTreeMap;

use swarm_proto::BLOCK_TOKENS;
use swarm_scheduler::{
    Exchange, Phase, Proposal, ProposedMember, ProposedPipeline, ProposedRoute, ProposedStage,
};

use super::world::World;

/// So much may sums differ for another order.
const NEAR: f64 = 1e-9;

/// A task: positions, requests, tokens before each.
type Task = (f64, f64, f64);
/// What a request keeps from others: the stage of a lead, the way of KV cache between two machines, a
/// lead's room for KV cache, the way of activations between two machines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Station {
    Stage(usize),
    Way(usize, usize),
    Room(usize),
    Hop(usize, usize),
}

/// Stations that a route goes through, and how long each is busy.
pub(crate) type Busy = BTreeMap<Station, f64>;

pub(crate) fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= NEAR * a.abs().max(b.abs())
}

fn same(what: &str, told: f64, found: f64) -> Result<(), String> {
    let fine = near(told, found) && told.is_finite() && told >= 0.0;
    if fine { Ok(()) } else { Err(format!("{what}: {told} is told, and {found} is found")) }
}

impl World {
    fn plain(&self) -> bool {
        self.rules.flavor != swarm_scheduler::CostFlavor::Fitted
    }

    fn steps(&self) -> f64 {
        let tokens = self.workload.output_tokens;
        f64::from(if self.plain() { tokens } else { tokens.saturating_sub(1) })
    }

    fn prompt(&self) -> Task {
        let tokens = f64::from(self.workload.input_tokens);
        (tokens, 1.0, tokens / 2.0)
    }

    fn token(&self, batch: u32) -> Task {
        let batch = f64::from(batch);
        (batch, batch, f64::from(self.workload.input_tokens) + self.steps() / 2.0)
    }

    fn member_ms(
        &self,
        member: &ProposedMember,
        (rows, requests, context): Task,
        reads: bool,
    ) -> f64 {
        let (m, pace) = (&self.model.spec, &self.spots[member.spot].pace);
        let heads = f64::from(member.kv_heads.1 - member.kv_heads.0);
        let columns = f64::from(member.ffn_columns.1 - member.ffn_columns.0);
        let (mut read, mut used) = (columns, columns);
        if let Some(mixture) = &self.model.mixture {
            let part = f64::from(mixture.per_token) / f64::from(mixture.experts);
            let rest = 1.0 - mixture.shared;
            read *= mixture.shared + rest * (1.0 - libm::pow(1.0 - part, rows));
            used *= mixture.shared + rest * part;
        }
        let params = heads * self.model.head_params + used * self.model.column_params;
        let weights = heads * m.head_bytes as f64 + read * m.column_bytes;
        let arithmetic = 2.0 * rows * params / pace.flops_per_ms;
        if self.plain() {
            return arithmetic + if reads { weights / pace.bytes_per_ms } else { 0.0 };
        }
        let cache = heads * m.kv_bytes as f64 * context * requests / pace.kv_bytes_per_ms;
        let queries = heads * f64::from(m.heads / m.kv_heads);
        let attention = queries * f64::from(m.head_dim) * 4.0 * context * rows;
        let weights = (weights + m.layer_shared_bytes as f64) / pace.bytes_per_ms;
        weights + cache + arithmetic + attention / pace.attention_flops_per_ms + pace.layer_ms
    }

    fn stage_ms(&self, stage: &ProposedStage, last: bool, task: Task, reads: bool) -> f64 {
        let (m, rows) = (&self.model.spec, task.0);
        let slowest = stage.members.iter().map(|member| self.member_ms(member, task, reads));
        let slowest = slowest.fold(0.0, f64::max);
        let sums = self.sums_ms(stage, f64::from(m.hidden) * self.rules.sum_bytes * rows);
        let layers = f64::from(stage.layers.1 - stage.layers.0);
        let pace = &self.spots[stage.members[0].spot].pace;
        let logits = 2.0 * f64::from(m.hidden) * f64::from(m.vocab) * task.1;
        let head = m.output_bytes as f64 / pace.bytes_per_ms + logits / pace.flops_per_ms;
        layers * (slowest + sums) + if last && !self.plain() { head } else { 0.0 }
    }

    /// What the slowest member takes to add up a layer's sums, of so many bytes, with all others: of
    /// few devices members may be on several machines.
    fn sums_ms(&self, stage: &ProposedStage, bytes: f64) -> f64 {
        let machines: Vec<usize> =
            stage.members.iter().map(|member| self.spots[member.spot].machine).collect();
        let (mut slowest, count) = (0.0f64, machines.len());
        for one in 0..count {
            let mut trips = Vec::new();
            for other in (0..count).filter(|other| *other != one) {
                trips.push(match self.rules.exchange {
                    Exchange::Sliced => {
                        self.sent_ms(machines[one], machines[other], bytes / count as f64)
                    }
                    Exchange::Direct => self.sent_ms(machines[one], machines[other], bytes),
                });
            }
            slowest = slowest.max(match self.rules.exchange {
                Exchange::Sliced => 4.0 * trips.iter().sum::<f64>(),
                Exchange::Direct => 2.0 * trips.iter().copied().fold(0.0, f64::max),
            });
        }
        slowest
    }

    fn machine(&self, stage: &ProposedStage) -> usize {
        self.spots[stage.members[0].spot].machine
    }

    /// Milliseconds for so many bytes between two machines; infinite if there is no way.
    fn sent_ms(&self, from: usize, to: usize, bytes: f64) -> f64 {
        self.way(from, to).map_or(f64::INFINITY, |way| way.ms + bytes / way.bytes_per_ms)
    }

    /// A pipeline's figures; and its prompt's time and a token's.
    fn pipeline(&self, pipeline: &ProposedPipeline) -> Result<(f64, f64), String> {
        let (prompt, token) = (self.prompt(), self.token(pipeline.batch));
        let steps_each = self.steps() / f64::from(pipeline.batch);
        let row = f64::from(self.model.spec.hidden) * self.rules.activation_bytes;
        let (mut prompt_ms, mut token_ms) = (0.0, 0.0);
        for (number, stage) in pipeline.stages.iter().enumerate() {
            let last = number + 1 == pipeline.stages.len();
            let of_prompt = self.stage_ms(stage, last, prompt, !self.plain());
            let of_token = self.stage_ms(stage, last, token, true);
            if number > 0 {
                let (from, to) = (self.machine(&pipeline.stages[number - 1]), self.machine(stage));
                prompt_ms += self.sent_ms(from, to, row * prompt.0);
                token_ms += self.sent_ms(from, to, row * token.0);
            }
            let busy_ms = match pipeline.phase {
                Phase::Prefill => of_prompt,
                Phase::Decode => of_token * steps_each,
                Phase::Both => of_prompt + of_token * steps_each,
            };
            same("step", stage.step_ms, of_token)?;
            same("busy", stage.busy_ms, busy_ms)?;
            prompt_ms += of_prompt;
            token_ms += of_token;
        }
        let (first, last) = (&pipeline.stages[0], &pipeline.stages[pipeline.stages.len() - 1]);
        let (first, last) = (self.machine(first), self.machine(last));
        if self.rules.token_return && first != last {
            token_ms += self.sent_ms(last, first, 4.0 * token.0);
        }
        match pipeline.phase {
            Phase::Prefill => token_ms = 0.0,
            Phase::Decode => prompt_ms = 0.0,
            Phase::Both => {}
        }
        same("tpot", pipeline.tpot_ms, token_ms)?;
        same("latency", pipeline.latency_ms, prompt_ms + self.steps() * token_ms)?;
        let first_ms = if self.plain() { token_ms } else { 0.0 };
        same("ttft", pipeline.ttft_ms, prompt_ms + first_ms)?;
        Ok((prompt_ms, token_ms))
    }

    /// How long activations of a request pass the ways between machines of a pipeline.
    fn carried(&self, pipeline: &ProposedPipeline, busy: &mut Busy) {
        let rows = match pipeline.phase {
            Phase::Both => f64::from(self.workload.input_tokens) + self.steps(),
            Phase::Prefill => f64::from(self.workload.input_tokens),
            Phase::Decode => self.steps(),
        };
        let bytes = rows * f64::from(self.model.spec.hidden) * self.rules.activation_bytes;
        for pair in pipeline.stages.windows(2) {
            let (from, to) = (self.machine(&pair[0]), self.machine(&pair[1]));
            if from != to && !self.plain() {
                let ms = self.way(from, to).map_or(f64::INFINITY, |way| bytes / way.bytes_per_ms);
                *busy.entry(Station::Hop(from, to)).or_default() += ms;
            }
        }
    }

    /// A route's stations, if its figures are right.
    fn route(&self, found: &Proposal, route: &ProposedRoute) -> Result<Busy, String> {
        let mut busy = Busy::new();
        let (mut latency_ms, mut ttft_ms) = (0.0, 0.0);
        for pipeline in route.pipelines.iter().map(|place| &found.pipelines[*place]) {
            latency_ms += pipeline.latency_ms;
            ttft_ms += pipeline.ttft_ms;
            let room = pipeline.batch as usize * pipeline.stages.len().next_power_of_two();
            for stage in &pipeline.stages {
                let lead = stage.members[0].spot;
                *busy.entry(Station::Stage(lead)).or_default() += stage.busy_ms;
                if !self.plain() {
                    let kept_ms = pipeline.latency_ms / room as f64;
                    *busy.entry(Station::Room(lead)).or_default() += kept_ms;
                }
            }
            self.carried(pipeline, &mut busy);
        }
        if let [prompts, answers] = &route.pipelines[..] {
            let mut ways = Busy::new();
            for a in &found.pipelines[*prompts].stages {
                for b in &found.pipelines[*answers].stages {
                    let both =
                        (a.layers.0..a.layers.1).filter(|l| (b.layers.0..b.layers.1).contains(l));
                    let (layers, m) = (both.count() as f64, &self.model.spec);
                    let (from, to) = (self.machine(a), self.machine(b));
                    let cache = m.kv_bytes * u64::from(m.kv_heads);
                    let bytes = layers * cache as f64 * f64::from(self.workload.input_tokens);
                    if layers > 0.0 && from != to {
                        let way = ways.entry(Station::Way(from, to)).or_default();
                        *way += self.sent_ms(from, to, bytes);
                    }
                }
            }
            latency_ms += ways.values().copied().fold(0.0, f64::max);
            busy.append(&mut ways);
        }
        same("latency of a route", route.latency_ms, latency_ms)?;
        same("ttft of a route", route.ttft_ms, ttft_ms)?;
        Ok(busy)
    }

    /// Whether every figure is what it should be.
    pub(crate) fn check_figures(&self, found: &Proposal) -> Result<(), String> {
        for pipeline in &found.pipelines {
            self.pipeline(pipeline)?;
        }
        let mut load: BTreeMap<Station, (f64, usize)> = BTreeMap::new();
        let mut rates = vec![0.0; found.pipelines.len()];
        let mut stations = Vec::new();
        for route in &found.routes {
            let busy = self.route(found, route)?;
            for (station, ms) in &busy {
                let load = load.entry(*station).or_default();
                *load = (load.0 + ms * route.requests_per_s / 1e3, load.1 + 1);
            }
            route.pipelines.iter().for_each(|place| rates[*place] += route.requests_per_s);
            stations.push(busy);
        }
        for (pipeline, rate) in found.pipelines.iter().zip(rates) {
            same("rate of a pipeline", pipeline.requests_per_s, rate)?;
        }
        let most = load.values().map(|(load, _)| *load).fold(0.0, f64::max);
        if most > 0.0 || found.routes.iter().any(|route| route.requests_per_s > 0.0) {
            same("part of the time that the busiest is busy", most, 1.0)?;
        }
        for (route, busy) in found.routes.iter().zip(&stations) {
            let slowest = busy.values().copied().fold(0.0, f64::max);
            let whole = load.iter().all(|(s, (load, _))| {
                !matches!(s, Station::Hop(..)) || near(*load, 1.0) || *load < 1.0
            });
            if !whole {
                return Err("more is sent than a way carries".to_owned());
            }
            if slowest > 0.0 && busy.keys().all(|station| load[station].1 == 1) {
                same("rate of a route by itself", route.requests_per_s, 1e3 / slowest)?;
            }
        }
        let finite = [found.requests_per_s, found.bound_requests_per_s];
        let fine = finite.into_iter().all(|rate| rate.is_finite() && rate >= 0.0);
        let all: f64 = found.routes.iter().map(|route| route.requests_per_s).sum();
        if !fine || found.requests_per_s > found.bound_requests_per_s * (1.0 + NEAR) {
            return Err(format!("rate and bound: {finite:?}"));
        }
        if all > found.bound_requests_per_s * (1.0 + NEAR)
            || found.requests_per_s > all * (1.0 + NEAR)
        {
            return Err(format!("rate of all routes: {all}, and {finite:?}"));
        }
        Ok(())
    }

    /// Whether all shares fit: of the layers that a device computes in any pipeline, with KV cache
    /// for a batch of every stage of the deepest of them.
    pub(crate) fn check_memory(&self, found: &Proposal) -> Result<(), String> {
        let m = &self.model.spec;
        let context = self.workload.input_tokens.saturating_add(self.workload.output_tokens);
        // A device's first and last layer, heads, columns, requests, and whether it leads.
        let mut shares: BTreeMap<usize, (u32, u32, u32, u32, u64, bool)> = BTreeMap::new();
        for pipeline in &found.pipelines {
            let requests = u64::from(pipeline.batch) * pipeline.stages.len() as u64;
            for stage in &pipeline.stages {
                for (place, member) in stage.members.iter().enumerate() {
                    let heads = member.kv_heads.1 - member.kv_heads.0;
                    let columns = member.ffn_columns.1 - member.ffn_columns.0;
                    let (first, end) = stage.layers;
                    let held = (first, end, heads, columns, requests, place == 0);
                    let share = shares.entry(member.spot).or_insert(held);
                    share.0 = share.0.min(first);
                    share.1 = share.1.max(end);
                    share.4 = share.4.max(requests);
                }
            }
        }
        for (spot, (first, end, heads, columns, requests, leads)) in shares {
            let layer = m.head_bytes * u64::from(heads)
                + (m.column_bytes * f64::from(columns)).ceil() as u64
                + m.layer_shared_bytes;
            let requests = if self.plain() { 1 } else { requests };
            let blocks = u64::from(context.div_ceil(BLOCK_TOKENS)) * requests;
            let block = m.kv_bytes * u64::from(BLOCK_TOKENS) * u64::from(heads);
            let scratch = match self.plain() {
                true => 8 * u64::from(context) * u64::from(m.hidden),
                false => m.scratch_bytes(),
            };
            let (embeds, samples) = (first == 0, end == m.layers && leads);
            let ends = match (self.rules.ends_everywhere, embeds, samples) {
                (true, ..) => m.embedding_bytes,
                (_, true, true) if m.tied => m.embedding_bytes,
                (_, embeds, samples) => {
                    u64::from(embeds) * m.embedding_bytes + u64::from(samples) * m.output_bytes
                }
            };
            let layers = u64::from(end - first);
            let taken =
                layers * (layer + block * blocks) + scratch + ends + self.rules.reserve_bytes;
            let room = self.spots[spot].memory_bytes;
            if taken > room {
                return Err(format!("device {spot} has {room}, and {taken} are taken"));
            }
        }
        Ok(())
    }
}

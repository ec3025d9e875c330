//! Worlds drawn from a seed: what a planner is given, kept apart from it.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use swarm_proto::{Hash, ModelSpec};
use swarm_scheduler::{
    Ask, Ground, Mixture, Model, Objective, Pace, Planner, Proposal, Rules, Spot, Way, Ways,
    Workload, propose,
};

/// Everything that a ground is made of.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) model: Model,
    pub(crate) rules: Rules,
    pub(crate) workload: Workload,
    pub(crate) spots: Vec<Spot>,
    pub(crate) inside: Vec<Way>,
    pub(crate) ways: Ways,
}

impl World {
    /// A pool of up to so many devices.
    pub(crate) fn drawn(seed: u64, devices_max: usize) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let model = model(&mut dice);
        let rules = rules(&mut dice);
        let workload = Workload {
            input_tokens: dice.random_range(1..=256),
            output_tokens: [0, 1, 2, dice.random_range(3..=128)][dice.random_range(0..4)],
            requests_per_s: None,
        };
        let whole = model.spec.total_bytes() as f64;
        let least = dice.random_range(0.05..0.6);
        let cards: Vec<(f64, Pace)> = (0..4)
            .map(|_| (whole * least * dice.random_range(1.0..3.0), pace(&mut dice)))
            .collect();
        let most = dice.random_range(1..=devices_max);
        let (mut spots, mut machine) = (Vec::new(), 0);
        while spots.len() < most {
            let (first, second) = (dice.random_range(0..4), dice.random_range(0..4));
            let count = [1, 1, 2, 3, 4, 8][dice.random_range(0..6)].min(most - spots.len());
            let mixed = dice.random_bool(0.1);
            for place in 0..count {
                let card: usize = if mixed && place % 2 == 1 { second } else { first };
                let (memory, pace) = cards[card];
                let name = format!("card {card}");
                let memory_bytes = memory as u64 + rules.reserve_bytes + 50_000;
                spots.push(Spot { machine, name, memory_bytes, pace });
            }
            machine += 1;
        }
        let near = way(&mut dice, 100.0);
        let like = dice.random_bool(0.7);
        let inside = |dice: &mut ChaCha8Rng| if like { near } else { way(dice, 100.0) };
        let inside = (0..machine).map(|_| inside(&mut dice)).collect();
        let ways = ways(&mut dice, machine);
        Self { model, rules, workload, spots, inside, ways }
    }

    pub(crate) fn ground(&self) -> Ground {
        let (spots, inside, ways) = (self.spots.clone(), self.inside.clone(), self.ways.clone());
        Ground::new(self.model.clone(), spots, inside, ways, (self.rules, self.workload))
    }

    pub(crate) fn way(&self, from: usize, to: usize) -> Option<Way> {
        if from == to { Some(self.inside[from]) } else { self.ways.between(from, to) }
    }

    pub(crate) fn planned(&self, planner: Planner, objective: Objective) -> Option<Proposal> {
        propose(&self.ground(), &Ask { planner, objective, seed: 1 })
    }

    /// The same with one more machine of one device, that everyone reaches.
    pub(crate) fn with_one_more(&self, spot: Spot) -> Self {
        let machine = self.inside.len();
        let mut more = self.clone();
        more.spots.push(Spot { machine, ..spot });
        more.inside.push(self.inside[0]);
        match &mut more.ways {
            Ways::Measured(ways) => {
                let way = Way { ms: 1.0, bytes_per_ms: 1e6 };
                ways.extend((0..machine).flat_map(|m| [((m, machine), way), ((machine, m), way)]));
            }
            Ways::Regions { of, .. } => of.push(of[0]),
        }
        more
    }

    /// The same, all of it so many times faster.
    pub(crate) fn faster(&self, times: f64) -> Self {
        let faster = |way: &mut Way| {
            (way.ms, way.bytes_per_ms) = (way.ms / times, way.bytes_per_ms * times);
        };
        let mut fast = self.clone();
        fast.inside.iter_mut().for_each(faster);
        match &mut fast.ways {
            Ways::Measured(ways) => ways.values_mut().for_each(faster),
            Ways::Regions { ways, .. } => ways.iter_mut().flatten().for_each(faster),
        }
        for spot in &mut fast.spots {
            let pace = &mut spot.pace;
            pace.bytes_per_ms *= times;
            pace.kv_bytes_per_ms *= times;
            pace.flops_per_ms *= times;
            pace.attention_flops_per_ms *= times;
            pace.layer_ms /= times;
        }
        fast
    }
}

fn model(dice: &mut ChaCha8Rng) -> Model {
    let kv_heads = [1, 2, 3, 4, 8][dice.random_range(0..5)];
    let queries = [1, 1, 2, 4][dice.random_range(0..4)];
    let experts = if dice.random_bool(0.3) { dice.random_range(2..=8) } else { 0 };
    let spec = ModelSpec {
        name: "tiny".into(),
        hash: Hash([1; 32]),
        layers: [1, 2, dice.random_range(3..=12), dice.random_range(3..=12)]
            [dice.random_range(0..4)],
        hidden: 64,
        heads: queries * kv_heads,
        kv_heads,
        head_dim: 16,
        ffn: 32 * dice.random_range(4..=16),
        ffn_grain: 32,
        vocab: 500,
        context_max: 64,
        head_bytes: dice.random_range(10_000..200_000),
        column_bytes: dice.random_range(100.0..4_000.0),
        layer_shared_bytes: dice.random_range(0..2_000),
        embedding_bytes: dice.random_range(0..400_000),
        output_bytes: dice.random_range(0..400_000),
        tied: dice.random(),
        kv_bytes: [16, 64, 512][dice.random_range(0..3)],
    };
    let per_token = dice.random_range(1..=2);
    let shared = if dice.random() { 0.1 } else { 0.0 };
    let mixture = (experts > 0).then_some(Mixture { experts, per_token, shared });
    Model { mixture, ..Model::llama(spec) }
}

fn rules(dice: &mut ChaCha8Rng) -> Rules {
    let all = [Rules::exact(), Rules::fitted(), Rules::fitted(), Rules::engine()];
    let rules = all[dice.random_range(0..4)];
    let odd = dice.random_bool(0.4);
    Rules {
        reserve_bytes: dice.random_range(0..10_000),
        powers_of_two: if odd { dice.random() } else { rules.powers_of_two },
        token_return: if odd { dice.random() } else { rules.token_return },
        ends_everywhere: if odd { dice.random() } else { rules.ends_everywhere },
        batch_max: if rules.batch_max == 1 { 1 } else { [1, 5, 8, 32][dice.random_range(0..4)] },
        ..rules
    }
}

fn pace(dice: &mut ChaCha8Rng) -> Pace {
    let (bytes, flops) = (1e5 * dice.random_range(0.5..8.0), 1e7 * dice.random_range(0.2..20.0));
    Pace {
        kv_bytes_per_ms: bytes / dice.random_range(0.5..2.0),
        attention_flops_per_ms: flops / dice.random_range(1.0..8.0),
        layer_ms: if dice.random() { 0.05 } else { 0.0 },
        ..Pace::peak(bytes, flops)
    }
}

fn way(dice: &mut ChaCha8Rng, times: f64) -> Way {
    let bytes = libm::exp(dice.random_range(6.0..14.0));
    Way { ms: dice.random_range(0.01..5.0) / times, bytes_per_ms: bytes * times }
}

/// By region or measured; one direction unlike the other, and some missing.
fn ways(dice: &mut ChaCha8Rng, machines: usize) -> Ways {
    let missing = [0.0, 0.1, 0.6, 1.0][dice.random_range(0..4)];
    if dice.random() {
        let regions = dice.random_range(1..=4usize);
        let of = (0..machines).map(|_| dice.random_range(0..regions)).collect();
        let between = |pair: usize, dice: &mut ChaCha8Rng| {
            let within = pair / regions == pair % regions;
            let way = way(dice, if within { 20.0 } else { 1.0 });
            (within || !dice.random_bool(missing)).then_some(way)
        };
        let ways = (0..regions * regions).map(|pair| between(pair, dice)).collect();
        return Ways::Regions { of, regions, ways };
    }
    let mut ways = BTreeMap::new();
    for (a, b) in (0..machines).flat_map(|a| (0..machines).map(move |b| (a, b))) {
        let way = way(dice, 1.0);
        if a != b && !dice.random_bool(missing) {
            ways.insert((a, b), way);
        }
    }
    Ways::Measured(ways)
}

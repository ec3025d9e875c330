//! Stages of unlike devices with uneven parts, against every way to form and to share them.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use swarm_proto::ModelSpec;
use swarm_scheduler::{
    Ask, Ground, Model, Objective, Pace, Planner, Rules, Spot, Way, Ways, Workload, propose,
};

use crate::tiny::{self, GRAIN};

struct World {
    model: ModelSpec,
    rules: Rules,
    workload: Workload,
    spots: Vec<Spot>,
    inside: Vec<Way>,
    /// Among regions that are the machines.
    ways: Vec<Vec<Way>>,
}

fn world(seed: u64) -> World {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let kv_heads = dice.random_range(1..=3);
    let (layers, grains) = (dice.random_range(1..=4), dice.random_range(3..=5));
    let model = tiny::model(kv_heads, layers, grains, dice.random_range(0..100_000));
    let rules = Rules {
        reserve_bytes: tiny::RESERVE_BYTES,
        token_return: dice.random(),
        powers_of_two: false,
        ..Rules::exact()
    };
    let workload = tiny::workload(&mut dice);
    let whole = model.layer_bytes() as f64 * f64::from(model.layers);
    let machines = dice.random_range(1..=3usize);
    // Roomy worlds, where speed decides, and narrow ones.
    let roomy = dice.random_bool(0.5);
    let spots = (0..dice.random_range(2..=4)).map(|number| Spot {
        machine: number % machines,
        name: format!("card {number}"),
        memory_bytes: (whole * if roomy { 2.0 } else { dice.random_range(0.2..1.2) }) as u64
            + 200_000,
        pace: Pace::peak(1e5 * dice.random_range(1.0..4.0), 1e7 * dice.random_range(1.0..4.0)),
    });
    let mut spots: Vec<Spot> = spots.collect();
    spots.sort_by_key(|spot| spot.machine);
    let mut way = |near: f64| Way {
        ms: dice.random_range(0.01..1.0) / near,
        bytes_per_ms: dice.random_range(1e4..1e6) * near,
    };
    let inside = (0..machines).map(|_| way(100.0)).collect();
    let ways = (0..machines).map(|_| (0..machines).map(|_| way(5.0)).collect()).collect();
    World { model, rules, workload, spots, inside, ways }
}

impl World {
    fn ground(&self) -> Ground {
        let machines = self.inside.len();
        let ways = Ways::Regions {
            of: (0..machines).collect(),
            regions: machines,
            ways: self.ways.iter().flatten().map(|way| Some(*way)).collect(),
        };
        let rules = (self.rules, self.workload);
        let model = Model::llama(self.model.clone());
        Ground::new(model, self.spots.clone(), self.inside.clone(), ways, rules)
    }

    fn way(&self, a: usize, b: usize) -> Way {
        let (a, b) = (self.spots[a].machine, self.spots[b].machine);
        if a == b { self.inside[a] } else { self.ways[a][b] }
    }

    /// The time of one layer of a request, with these parts; none if so many layers do not fit.
    fn layer(&self, members: &[usize], parts: &[(u32, u32)], layers: u32) -> Option<f64> {
        let m = &self.model;
        let [tokens_in, tokens] =
            [self.workload.input_tokens, self.workload.output_tokens].map(f64::from);
        let (mut prompt, mut token) = (0.0f64, 0.0f64);
        for (spot, parts) in members.iter().zip(parts) {
            let spot = &self.spots[*spot];
            let times = tiny::member(m, &self.workload, spot, *parts, layers)?;
            (prompt, token) = (prompt.max(times.0), token.max(times.1));
        }
        let sums = |rows: f64| {
            let bytes = f64::from(m.hidden) * 2.0 * rows / members.len() as f64;
            let from = |a: &usize| {
                let others = members.iter().filter(|b| *b != a);
                let trip = |b: &usize| {
                    let way = self.way(*a, *b);
                    way.ms + bytes / way.bytes_per_ms
                };
                4.0 * others.map(trip).sum::<f64>()
            };
            members.iter().map(from).fold(0.0, f64::max)
        };
        Some(prompt + sums(tokens_in) + tokens * (token + sums(1.0)))
    }

    /// The least time of a layer over all parts.
    fn stage(&self, members: &[usize], layers: u32) -> f64 {
        let (mut heads, mut grains) = (Vec::new(), Vec::new());
        cuts(self.model.kv_heads, members.len(), &mut Vec::new(), &mut heads);
        cuts(self.model.ffn / GRAIN, members.len(), &mut Vec::new(), &mut grains);
        let mut best = f64::INFINITY;
        for (heads, grains) in heads.iter().flat_map(|h| grains.iter().map(move |g| (h, g))) {
            let parts: Vec<(u32, u32)> =
                heads.iter().zip(grains).map(|(h, g)| (*h, g * GRAIN)).collect();
            best = best.min(self.layer(members, &parts, layers).unwrap_or(f64::INFINITY));
        }
        best
    }

    /// The least time of a request behind the stages so far.
    fn best(&self, left: u32, first: Option<usize>, last: Option<usize>, layers: u32) -> f64 {
        let [tokens_in, tokens] =
            [self.workload.input_tokens, self.workload.output_tokens].map(f64::from);
        if layers == 0 {
            let (Some(first), Some(last)) = (first, last) else { return f64::INFINITY };
            if !self.rules.token_return || self.spots[first].machine == self.spots[last].machine {
                return 0.0;
            }
            let way = self.way(last, first);
            return tokens * (way.ms + 4.0 / way.bytes_per_ms);
        }
        let mut best = f64::INFINITY;
        for set in (1..=left).filter(|set| set & left == *set) {
            let members: Vec<usize> =
                (0..self.spots.len()).filter(|spot| set >> spot & 1 == 1).collect();
            let hop = last.map_or(0.0, |last| {
                let way = self.way(last, members[0]);
                let row = f64::from(self.model.hidden) * 2.0 / way.bytes_per_ms;
                way.ms + row * tokens_in + tokens * (way.ms + row)
            });
            for own in 1..=layers {
                let time = self.stage(&members, own) * f64::from(own) + hop;
                if time < best {
                    let first = first.or(Some(members[0]));
                    best = best
                        .min(time + self.best(left & !set, first, Some(members[0]), layers - own));
                }
            }
        }
        best
    }
}

/// All ways to cut so many into so many parts.
fn cuts(left: u32, parts: usize, so_far: &mut Vec<u32>, all: &mut Vec<Vec<u32>>) {
    if parts == 1 {
        all.push([so_far.as_slice(), &[left]].concat());
        return;
    }
    for own in 1..left {
        so_far.push(own);
        cuts(left - own, parts - 1, so_far, all);
        so_far.pop();
    }
}

#[test]
fn no_team_of_four_devices_is_much_better() {
    let (mut worlds, mut equal, mut teams) = (0, 0, 0);
    for seed in 0..150 {
        let world = world(seed);
        let best = world.best((1 << world.spots.len()) - 1, None, None, world.model.layers);
        let ask = Ask { planner: Planner::Exhaustive, objective: Objective::Latency, seed: 1 };
        let Some(found) = propose(&world.ground(), &ask) else {
            assert!(best.is_infinite(), "seed {seed}: {best} ms can be had");
            continue;
        };
        let ms = found.routes[0].latency_ms;
        assert!(ms >= best * (1.0 - 1e-9), "seed {seed}: {ms} ms, and not even {best} can be had");
        worlds += 1;
        let near = ms <= best * (1.0 + 1e-9);
        equal += usize::from(near);
        if !near {
            println!("seed {seed}: {:.4} times the best", ms / best);
        }
        let stages = &found.pipelines[0].stages;
        teams += usize::from(stages.iter().any(|stage| stage.members.len() > 1));
    }
    println!("{worlds} worlds, {equal} equal, {teams} with teams");
    assert!(worlds > 100 && teams > 30 && equal * 100 >= worlds * 95, "{worlds} {teams} {equal}");
}

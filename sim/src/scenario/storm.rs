//! Anything goes wrong at any time; then nothing does, and the swarm must be one again.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Wishes, ask, swarm};
use crate::{
    Broken, Planner, World,
    script::{Deed, Head, Player, Scene, Script, Seconds, Thing},
};

/// How long a swarm may take to come to rest once faults have stopped: long enough for a session
/// that hangs to be tried anew, and for one that has no plan to be given up.
const CALM_MAX: Duration = Duration::from_secs(90);

/// How often a person looks after the swarm.
const PERSONS_MAX: usize = 4;

/// A storm by lot: all that happens until the calm.
pub(super) fn draw(seed: u64) -> Script {
    let mut dice = ChaCha8Rng::seed_from_u64(seed ^ 0x0057_0712);
    // Some storms begin before there is a plan, or even a leader.
    let ready_s = Seconds::ms(dice.random_range(0..8_000));
    let head = Head { play: Scene::Storm, pairs: seed % 3 == 2, ready_s };
    let (mut things, mut span) = (Vec::new(), Duration::ZERO);
    for _ in 0..dice.random_range(3..15) {
        let mut later = |deed| things.push(Thing::later(std::mem::take(&mut span), deed));
        for _ in 0..dice.random_range(0..3) {
            let node = dice.random_range(0..5);
            later(Deed::ask(node, ask(&mut dice, 60, 30)));
        }
        strike(&mut dice).into_iter().for_each(later);
        span = Duration::from_millis(dice.random_range(10..2_500));
    }
    things.push(Thing::later(span, Deed::Calm));
    Script { head, things }
}

/// One thing that goes wrong, or right again.
fn strike(dice: &mut ChaCha8Rng) -> Vec<Deed> {
    let node = dice.random_range(0..5);
    let other = (node + dice.random_range(1..5)) % 5;
    let device = dice.random_range(0..2);
    let told = dice.random_bool(0.5);
    let deed = match dice.random_range(0..17) {
        0 | 1 => Deed::Kill { node },
        2 => Deed::Vanish { node },
        3..=5 => Deed::RestartDead,
        6 => {
            let for_s = Seconds::ms(dice.random_range(50..5_000));
            Deed::Pause { node, for_s, closes: told }
        }
        7 => Deed::Partition { side: vec![node, other], told },
        8 => Deed::Partition { side: vec![node], told },
        9 => Deed::Cut { node, other, told },
        10 => Deed::CutOneWay { node, other },
        11 => {
            let latency_s = Seconds::ms(dice.random_range(5..400));
            let loss = [0.0, 0.05][dice.random_range(0..2)];
            Deed::Slow { node, other, latency_s, loss, silent: told }
        }
        12 => Deed::FailLoads { node, device, loads: 2 },
        13 if told => Deed::FailBatches { node, device, batches: 3 },
        13 => Deed::SlowDevice { node, device, factor: 20.0 },
        14 => Deed::LoseGossip { part: 0.5 },
        15 => Deed::Drain { node },
        _ => return vec![Deed::Leave, Deed::Heal],
    };
    vec![deed]
}

pub(super) fn play(script: &Script, seed: u64, wishes: Wishes) -> (World, Result<(), Broken>) {
    let mut setup = swarm(wishes);
    if script.head.pairs {
        setup.planner = Planner::Pairs;
    }
    let mut world = World::new(setup, seed);
    let outcome = weather(&mut world, script, seed);
    (world, outcome)
}

fn weather(world: &mut World, script: &Script, seed: u64) -> Result<(), Broken> {
    let ready = |world: &World| world.serves() && world.voters() >= 5;
    world.run_until(script.head.ready_s.0, ready)?;
    Player::to(world).play(&script.things)?;
    // A script that was made smaller may have lost its calm.
    if script.things.last().is_none_or(|thing| thing.deed != Deed::Calm) {
        world.calm();
    }
    let rest = |world: &World| world.answered() && world.apart().is_none();
    // A swarm whose changes of voters nobody remembers needs a person, who does what it says.
    for _ in 0..PERSONS_MAX {
        if world.run_until(CALM_MAX, rest)? || !world.rejoin_stranded() {
            break;
        }
    }
    world.check_converged()?;
    let strict = world.asked();
    world.check_answers_from(strict)?;
    // Whoever is whole again serves again, at every node.
    let mut dice = ChaCha8Rng::seed_from_u64(seed ^ 0x00ca_1e00);
    for number in 0..5 {
        world.ask(number, ask(&mut dice, 60, 10));
    }
    world.await_answers()?;
    world.run(Duration::from_secs(45))?;
    world.check_answers_from(strict)?;
    world.check_leftover()?;
    world.check_layers()?;
    world.check_converged()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// How often things of each kind are drawn for a thousand seeds, by their names in scripts.
    fn drawn() -> BTreeMap<String, usize> {
        let mut drawn = BTreeMap::new();
        for thing in (0..1_000).flat_map(|seed| draw(seed).things) {
            let deed = serde_json::to_value(&thing.deed).unwrap();
            let name =
                deed.as_str().or_else(|| deed.as_object()?.keys().next().map(String::as_str));
            *drawn.entry(name.unwrap().to_owned()).or_default() += 1;
        }
        drawn
    }

    #[test]
    fn every_kind_of_thing_happens_about_as_often_as_its_lot_says() {
        let drawn = drawn();
        println!("{drawn:?}");
        let strikes: usize = drawn.iter().filter(|(name, _)| *name != "ask").map(|(_, n)| n).sum();
        // Each storm has a calm, and who heals has a client leave.
        let lots = (strikes - drawn["calm"] - drawn["leave"]) as f64 / 17.0;
        assert_eq!((drawn["calm"], drawn["leave"]), (1_000, drawn["heal"]));
        for (name, of_17) in [
            ("kill", 2.0),
            ("vanish", 1.0),
            ("restart_dead", 3.0),
            ("pause", 1.0),
            ("partition", 2.0),
            ("cut", 1.0),
            ("cut_one_way", 1.0),
            ("slow", 1.0),
            ("fail_loads", 1.0),
            ("fail_batches", 0.5),
            ("slow_device", 0.5),
            ("lose_gossip", 1.0),
            ("drain", 1.0),
            ("heal", 1.0),
        ] {
            let share = drawn[name] as f64 / (lots * of_17);
            assert!(
                (0.75..1.25).contains(&share),
                "{name}: {} times, {share} of its lot",
                drawn[name]
            );
        }
        assert_eq!(drawn.len(), 17, "{drawn:?}");
        assert!(drawn["ask"] > 8_000 - 800, "{drawn:?}");
    }

    #[test]
    fn a_storm_is_the_same_out_of_its_text() {
        for seed in 0..200 {
            let script = draw(seed);
            assert_eq!(Script::parse(&script.to_string()), Ok(script), "seed {seed}");
        }
    }
}

//! The story that every change must survive: five nodes join, elect, plan and serve; one that leads
//! a stage is killed in mid-answer; the answers go on, and the dead one returns.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use swarm_core::Ask;

use super::{Wishes, ask, swarm};
use crate::{
    Broken, World,
    script::{Deed, Head, Player, Scene, Script, Seconds, Thing, When},
};

/// How long the swarm may take to begin.
const READY_MAX: Seconds = Seconds::ms(30_000);

/// A story by lot.
pub(super) fn draw(seed: u64) -> Script {
    let mut dice = ChaCha8Rng::seed_from_u64(seed ^ 0x5ce);
    let asks: Vec<_> = (0..3).map(|_| ask(&mut dice, 80, 40)).collect();
    let now = |deed| Thing::later(Duration::ZERO, deed);
    let mut things: Vec<_> =
        asks.iter().map(|ask| now(Deed::ask(dice.random_range(0..5), ask.clone()))).collect();
    let after = When::Tokens(dice.random_range(0..60));
    things.push(Thing { after, deed: Deed::KillLeader { stage: dice.random_range(0..2) } });
    let away = Duration::from_millis(dice.random_range(10..4_000));
    things.push(Thing::later(away, Deed::Noticed));
    if dice.random_bool(0.5) {
        things.push(now(Deed::RestartDead));
    }
    // The same prompts twice more, through the entry that nothing happens to: what is served out
    // of KV caches now must be what the devices hold under the plan of now.
    for _ in 0..2 {
        let again = asks.iter().map(|ask| Ask { answer_tokens_max: 4, ..ask.clone() });
        let whens = [When::Answered].into_iter().chain(std::iter::repeat(When::S(Seconds::ms(0))));
        things
            .extend(again.zip(whens).map(|(ask, after)| Thing { after, deed: Deed::ask(0, ask) }));
    }
    let head = Head { play: Scene::Story, pairs: false, ready_s: READY_MAX };
    Script { head, things }
}

pub(super) fn play(script: &Script, seed: u64, wishes: Wishes) -> (World, Result<(), Broken>) {
    let mut world = World::new(swarm(wishes), seed);
    let outcome = tell(&mut world, script);
    (world, outcome)
}

fn tell(world: &mut World, script: &Script) -> Result<(), Broken> {
    let ready = |world: &World| world.serves() && world.voters() >= 5;
    if !world.run_until(script.head.ready_s.0, ready)? {
        let why = format!("{} vote, five should", world.voters());
        return Err(if world.serves() { Broken::Apart { why } } else { Broken::NoPlan });
    }
    Player::to(world).play(&script.things)?;
    world.await_answers()?;
    world.run(Duration::from_secs(5))?;
    world.check_answers()?;
    world.check_leftover()?;
    world.check_layers()?;
    world.check_converged()
}

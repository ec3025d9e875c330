//! A script is played.

use std::time::Duration;

use swarm_proto::Time;

use super::{Deed, Seconds, Thing, When};
use crate::{Broken, Quality, World};

/// How long tokens are waited for.
const TOKENS_WAIT_MAX: Duration = Duration::from_secs(20);
/// How long answers are waited for.
const ANSWERS_WAIT_MAX: Duration = Duration::from_secs(60);

/// Plays a script to a world, thing by thing.
pub(crate) struct Player<'a> {
    world: &'a mut World,
    /// Who was killed last, and when.
    killed: Option<(usize, Time)>,
}

impl World {
    /// Waits until all clients are answered, at most a minute.
    pub(crate) fn await_answers(&mut self) -> Result<(), Broken> {
        self.run_until(ANSWERS_WAIT_MAX, World::answered).map(drop)
    }

    /// Nothing goes wrong any more, and whoever died or leaves is started again.
    pub(crate) fn calm(&mut self) {
        self.set_gossip_loss(0.0);
        self.mend_devices();
        for number in 0..self.hosts.len() {
            if self.drains(number) {
                self.kill(number);
            }
            self.restart(number);
        }
        self.heal();
    }
}

impl<'a> Player<'a> {
    /// Someone who plays to this world.
    pub(crate) fn to(world: &'a mut World) -> Self {
        Self { world, killed: None }
    }

    /// Plays things, each when it is due.
    pub(crate) fn play(mut self, things: &[Thing]) -> Result<(), Broken> {
        things.iter().try_for_each(|thing| {
            self.wait(thing.after)?;
            self.act(&thing.deed)
        })
    }

    fn wait(&mut self, after: When) -> Result<(), Broken> {
        match after {
            // Of things at one time nobody sees one before the next.
            When::S(Seconds(span)) if span.is_zero() => Ok(()),
            When::S(Seconds(span)) => self.world.run(span),
            When::Tokens(tokens) => {
                let came = |world: &World| world.tokens() >= tokens || world.answered();
                self.world.run_until(TOKENS_WAIT_MAX, came).map(drop)
            }
            When::Answered => self.world.await_answers(),
        }
    }

    fn act(&mut self, deed: &Deed) -> Result<(), Broken> {
        let world = &mut *self.world;
        match *deed {
            Deed::Ask(ref ask) => drop(world.ask(ask.node, ask.wanted())),
            Deed::Leave => world.cancel_one(),
            Deed::Kill { node } => self.kill(node),
            Deed::KillLeader { stage } => {
                let node = world.leader_of_stage(stage).ok_or(Broken::NoPlan)?;
                self.kill(node);
            }
            Deed::Noticed => {
                return match self.killed.filter(|(node, _)| world.is_dead(*node)) {
                    Some((node, died)) => world.check_noticed(node, died),
                    None => Ok(()),
                };
            }
            Deed::Vanish { node } => world.vanish(node),
            Deed::RestartDead => {
                let all = 0..world.hosts.len();
                let dead: Vec<_> = all.filter(|number| world.is_dead(*number)).collect();
                dead.into_iter().for_each(|number| world.restart(number));
            }
            Deed::Pause { node, for_s, closes } => world.pause(node, for_s.0, closes),
            Deed::Partition { ref side, told } => world.partition(side, told),
            Deed::Cut { node, other, told } => world.cut(node, other, told),
            Deed::CutOneWay { node, other } => world.cut_one_way(node, other),
            Deed::Slow { node, other, latency_s: Seconds(latency), loss, silent } => {
                let (jitter, bytes_per_s) = (latency / 2, 1e6);
                world.set_link(node, other, Quality { latency, jitter, bytes_per_s, loss, silent });
            }
            Deed::FailLoads { node, device, loads } => world.fail_loads(node, device, loads),
            Deed::FailBatches { node, device, batches } => {
                world.fail_batches(node, device, batches);
            }
            Deed::SlowDevice { node, device, factor } => world.slow_device(node, device, factor),
            Deed::LoseGossip { part } => world.set_gossip_loss(part),
            Deed::Drain { node } => world.drain(node),
            Deed::Heal => world.heal(),
            Deed::Calm => world.calm(),
            Deed::Fault(ref fault) => world.strike(&fault.at(Duration::ZERO)),
        }
        Ok(())
    }

    fn kill(&mut self, node: usize) {
        self.killed = Some((node, self.world.now()));
        self.world.kill(node);
    }
}

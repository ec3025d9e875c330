//! What nodes want is done.

use swarm_core::{Body, Effect, Input, Notice};
use swarm_proto::{NodeId, Pool};

use super::{Event, World};
use crate::{Sabotage, check::Broken, keys::number_of, stopwatch::Stopwatch};

impl World {
    pub(super) fn perform(&mut self, from: NodeId, effect: Effect) -> Result<(), Broken> {
        let Some(host) = self.hosts.get(&from) else { return Ok(()) };
        let known = (host.disk.durable(), self.clients.open());
        let seen = self.watch.effect(self.now, from, known, &effect);
        let done = match effect {
            Effect::Send { to, message } => {
                self.send(from, to, message);
                Ok(())
            }
            Effect::Forward { to, header, body: Body(body) } => {
                self.forward(from, to, header, body);
                Ok(())
            }
            Effect::Publish(advert) => {
                self.gossip(from, *advert);
                Ok(())
            }
            Effect::Wish { peers, .. } => {
                self.wished(from, peers);
                Ok(())
            }
            Effect::Part(peer) => {
                self.disconnect(from, peer);
                Ok(())
            }
            Effect::Persist(ballot) => {
                let delay = self.between(1.0, 8.0);
                if self.setup.sabotage == Sabotage::HastyDisk {
                    let early = Event::Input(Input::Persisted(ballot.clone()));
                    self.push(self.now + delay / 4, from, early);
                }
                self.push(self.now + delay, from, Event::Written(ballot));
                Ok(())
            }
            Effect::Plan { .. } if self.setup.sabotage == Sabotage::MutePlanner => Ok(()),
            Effect::Plan { request, pool } => {
                // Simulated rows are short, but planners see the true model.
                let pool = Pool { model: self.setup.model.clone(), ..*pool };
                let watch = Stopwatch::start();
                let outcome = self.setup.planner.plan(&pool);
                self.planning += watch.busy();
                let delay = self.between(1.0, 30.0);
                let input = Input::Planned { request, outcome };
                self.push(self.now + delay, from, Event::Input(input));
                Ok(())
            }
            Effect::Load { load, plan, device, shard } => {
                self.load(from, load, plan, device, shard)
            }
            Effect::Unload { device } => self.unload(from, device),
            Effect::Compute { device, job, batch, input, group } => {
                self.compute(from, device, crate::worker::Work { job, batch, input, group })
            }
            Effect::Answer { request, event } => self.answer(request, &event),
            Effect::Absent(peer) => {
                if let Some(host) = self.hosts.get_mut(&from) {
                    host.meetings().break_up_with(peer);
                }
                Ok(())
            }
            Effect::Notice(notice) => self.noticed(from, notice),
        };
        seen.and(done)
    }

    pub(super) fn noticed(&mut self, node: NodeId, notice: Notice) -> Result<(), Broken> {
        self.log.note(self.now, node, "notice", &notice);
        if let Notice::Lost(peer) = notice {
            self.obituary.missed(peer, self.now);
        }
        let Some(host) = self.hosts.get_mut(&node) else { return Ok(()) };
        match notice {
            Notice::Lost(peer) => host.meetings().break_up_with(peer),
            Notice::Stranded { .. } => host.stranded = true,
            Notice::Live(_) => {
                let Some(plan) = host.node.live_plan() else { return Ok(()) };
                if let Some(film) = &mut self.film {
                    film.live(self.now, plan);
                }
                return self.watch.live(node, plan);
            }
            Notice::Leader { leader, term } => {
                if let Some(film) = &mut self.film {
                    film.led(self.now, number_of(leader), term);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

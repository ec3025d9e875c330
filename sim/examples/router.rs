//! A router of one's own beside the one that nodes have.
//!
//!     cargo run --release -p hexswarm-sim --example router

use std::time::Duration;

use hexswarm_sim::{Comparison, Routers, Scenario, cores};
use swarm_core::{Ask, Router, Way};
use swarm_proto::SessionId;

/// Sends sessions through one pipeline after the other, however fast it is. Each entry has its own.
#[derive(Debug, Default)]
struct InTurn {
    next: usize,
}

impl Router for InTurn {
    // What nodes do themselves goes by what is expected of each pipeline, and by what is under way there
    // (`swarm_core::Soonest`). All of it is in `ways`.
    fn choose(&mut self, _: SessionId, _: &Ask, ways: &[Way<'_>]) -> Option<u16> {
        self.next += 1;
        Some(ways[self.next % ways.len()].number)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scenario = Scenario::named("hexgen58")?;
    let recipe = scenario.recipe().ok_or("hexgen58 serves a workload")?;
    // Few requests, and many.
    for requests_per_s in [1.0, 20.0] {
        let asked = recipe.at_rate(requests_per_s, Duration::from_secs(30));
        let usual = Scenario::from(asked.clone());
        let in_turn = Scenario::from(asked.routed_by(Routers::of(InTurn::default)));
        println!("{requests_per_s} requests a second; A: usual, B: in turn");
        print!("{}", Comparison::run([&usual, &in_turn], 0..5, cores())?);
    }
    Ok(())
}

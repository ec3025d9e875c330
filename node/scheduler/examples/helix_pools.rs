//! Placements for Helix's two pools of 24 cards (four A100-40, eight L4, twelve T4; Llama-2-70B),
//! with the capacities that its own search has: what is found, and how soon.
//!
//!     cargo run --release -p swarm-scheduler --example helix_pools

#[path = "../tests/it/helix.rs"]
mod helix;

use std::time::Instant;

use swarm_scheduler::flow::{even, petals, throughput};

fn main() {
    for (name, fleet, published) in
        [("one cluster", helix::single(), 1289.6), ("three regions", helix::geo(), 1212.2)]
    {
        println!("{name}: Helix publishes {published} tokens/s");
        for (rule, placement, partial) in
            [("even stages", even(&fleet), false), ("Petals' rule", petals(&fleet), true)]
        {
            let found = throughput(&fleet, &placement, partial).expect("a fleet");
            println!("  {rule:<14} {:8.1}", found.tokens_per_s);
        }
        for seed in 1..=5 {
            let begin = Instant::now();
            let (_, found) = swarm_scheduler::flow::helix(&fleet, seed, 400_000).expect("a fleet");
            println!(
                "  seed {seed}         {:8.1}   {:.2} s",
                found.tokens_per_s,
                begin.elapsed().as_secs_f64()
            );
        }
    }
}

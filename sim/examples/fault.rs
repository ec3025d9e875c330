//! A fault of one's own: a link that gets slower and slower.
//!
//!     cargo run --release -p hexswarm-sim --example fault

use std::time::Duration;

use hexswarm_sim::{Quality, Scenario, Spread, World};

/// Nodes by number, in the order of the pool file: 0 and 1 are in Iceland, 2 and 3 in Norway.
const LINK: (usize, usize) = (0, 2);

/// From now on the link is as slow as this, and every 30 s twice as slow as before.
fn slower(world: &mut World, latency: Duration) {
    let quality = Quality { latency, bytes_per_s: 62.5e6, ..Quality::default() };
    world.set_link(LINK.0, LINK.1, quality);
    world.set_link(LINK.1, LINK.0, quality);
    if latency < Duration::from_secs(2) {
        world.after(Duration::from_secs(30), move |world| slower(world, 2 * latency));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scenario = Scenario::named("hexgen30")?;
    let recipe = scenario.recipe().ok_or("hexgen30 serves a workload")?;
    let mut world = World::new(recipe.setup(), 0);
    world.run_until(Duration::from_secs(120), World::serves)?;
    let begun = world.now();
    world.after(Duration::from_secs(60), |world| slower(world, Duration::from_millis(40)));
    // `serve` ends with the first property that does not hold: a wrong token, a second leader.
    let served =
        world.serve(&recipe.arrivals(0), &recipe.faults(0), &recipe.entries, recipe.patience)?;
    for minute in 0..5 {
        let asked = |second: u64| begun + Duration::from_secs(second);
        let (from, to) = (asked(60 * minute), asked(60 * minute + 60));
        let here: Vec<_> = served.iter().filter(|s| from <= s.asked && s.asked < to).collect();
        let whole = here.iter().filter(|one| one.latency.is_some()).count();
        let Some(latency) = Spread::of(here.iter().filter_map(|one| one.latency)) else { continue };
        let (asked, p50, p99) = (here.len(), latency.p50, latency.p99);
        println!("minute {minute}: {asked} asked, {whole} whole, p50 {p50:.0} ms, p99 {p99:.0} ms");
    }
    let lost = served.iter().filter(|one| one.latency.is_none()).count();
    println!("{} answers, {lost} of them not whole; {} events", served.len(), world.events());
    if lost > 0 { Err("answers were lost".into()) } else { Ok(()) }
}

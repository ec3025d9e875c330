//! Why a planner finds no plan.

use swarm_scheduler::{Ask, Ground, Objective, Planner, PoolFile, lack, propose};

/// That ours would find one, that the deadline is too early, or what is missing.
pub(super) fn why_not(ground: &Ground, ask: &Ask, pool: &PoolFile) -> String {
    let ours = Ask { planner: Planner::Replicas, ..*ask };
    if !ask.planner.ours() && propose(ground, &ours).is_some() {
        return format!(
            "planner {} finds no plan for who is here, replicas does",
            ask.planner.name()
        );
    }
    let fastest = propose(ground, &Ask { objective: Objective::Latency, ..ours });
    let fastest = fastest.and_then(|found| found.routes.first().map(|route| route.latency_ms));
    match (ask.objective, fastest) {
        (Objective::Slo { deadline_ms }, Some(fastest_ms)) => format!(
            "no request can be done within {deadline_ms:.0} ms (planner.slo): the fastest pipeline \
             takes {fastest_ms:.0} ms"
        ),
        _ => lack(ground, |spot| name(pool, spot)),
    }
}

/// What a person calls a device.
fn name(pool: &PoolFile, spot: usize) -> String {
    let mut devices = pool.machines.iter().flat_map(|machine| {
        (0..machine.devices.len())
            .map(move |index| format!("device {index} of {} ({})", machine.name, machine.device))
    });
    devices.nth(spot).unwrap_or_default()
}

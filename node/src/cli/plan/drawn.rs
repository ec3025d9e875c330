//! A plan for a pool as people read it: a table, a picture of each replica, and why.

use super::document::{
    MovesDocument, PhaseDocument, PipelineDocument, PlanDocument, RouteDocument, StageDocument,
    range,
};
use crate::{cli::print, client::bar};

/// Characters of a bar that shows all layers.
const BAR: u32 = 40;
/// Replicas that are drawn; the table has all.
const DRAWN_MAX: usize = 12;

/// Of a longer line each part gets its own.
const LINE_MAX: usize = 100;
/// The worst losses that are told.
const LOSSES_MAX: usize = 3;

/// Everything about a plan.
pub(super) fn drawn(plan: &PlanDocument) -> String {
    let mut table = print::table();
    table.set_header([
        "replica",
        "stages",
        "devices",
        "TTFT, ms",
        "TPOT, ms",
        "request, ms",
        "batch",
        "requests/s at most",
    ]);
    for (number, pipeline) in plan.pipelines.iter().enumerate() {
        let devices: usize = pipeline.stages.iter().map(|stage| stage.members.len()).sum();
        table.add_row([
            number.to_string(),
            pipeline.stages.len().to_string(),
            devices.to_string(),
            format!("{:.1}", pipeline.ttft_ms),
            format!("{:.2}", pipeline.tpot_ms),
            format!("{:.0}", pipeline.latency_ms),
            pipeline.batch.to_string(),
            format!("{:.3}", pipeline.requests_per_s),
        ]);
    }
    let mut text = format!("{table}\n");
    if !plan.routes.is_empty() {
        text += &routes(&plan.routes);
    }
    for (number, pipeline) in plan.pipelines.iter().enumerate().take(DRAWN_MAX) {
        text += &replica(number, pipeline, plan.binding.get(number));
    }
    if plan.pipelines.len() > DRAWN_MAX {
        text += &format!("\n... and {} more\n", plan.pipelines.len() - DRAWN_MAX);
    }
    text += &format!(
        "\n{:.3} requests/s predicted; no plan of these devices serves more than {:.3}\n",
        plan.requests_per_s, plan.bound_requests_per_s
    );
    if let (Some(attainment), Some(deadline_ms)) = (plan.attainment, plan.deadline_ms) {
        let met = 100.0 * attainment;
        text += &format!("{met:.1} % of requests meet the deadline of {deadline_ms:.0} ms\n");
    }
    let mut lists =
        vec![("better with", plan.gains.clone()), ("as good without", plan.needless.clone())];
    lists.push((
        "left if a machine goes, before anything is planned anew",
        plan.losses.iter().take(LOSSES_MAX).cloned().collect(),
    ));
    lists.push(("idle", idle(plan)));
    lists.push(("assumed", plan.notes.clone()));
    for (what, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
        let line = list.join("; ");
        text += &match line.len() > LINE_MAX {
            true => format!("{what}:\n  {}\n", list.join("\n  ")),
            false => format!("{what}: {line}\n"),
        };
    }
    if let Some(moves) = &plan.moves {
        text += &going_over(moves);
    }
    let search = &plan.search;
    text + &format!("{} partitions judged in {:.0} ms\n", search.evaluations, search.wall_ms)
}

/// What it takes to go over from the plan that runs.
fn going_over(moves: &MovesDocument) -> String {
    let gib = |bytes: u64| format!("{:.2} GiB", bytes as f64 / (1u64 << 30) as f64);
    let most = moves.most.as_ref().map_or(String::new(), |(machine, device, bytes)| {
        format!(", most of them, {}, by device {device} of {machine}", gib(*bytes))
    });
    let sessions = match moves.sessions > 0.0 {
        true => format!(
            "; of about {:.0} requests under way {} of KV cache each",
            moves.sessions,
            gib(moves.session_bytes)
        ),
        false => "; no KV cache".to_owned(),
    };
    format!("going over: {} of weights to load{most}{sessions}\n", gib(moves.load_bytes))
}

/// Prompts here, answers there.
fn routes(routes: &[RouteDocument]) -> String {
    let mut table = print::table();
    table.set_header(["prompt in", "answer in", "TTFT, ms", "request, ms", "requests/s"]);
    for route in routes {
        let place =
            |place: usize| route.pipelines.get(place).map_or(String::new(), usize::to_string);
        table.add_row([
            place(0),
            place(1),
            format!("{:.1}", route.ttft_ms),
            format!("{:.0}", route.latency_ms),
            format!("{:.3}", route.requests_per_s),
        ]);
    }
    format!("{table}\n")
}

/// Idle devices, machine by machine.
fn idle(plan: &PlanDocument) -> Vec<String> {
    let mut machines: Vec<(String, usize)> = Vec::new();
    for (machine, _) in &plan.idle {
        match machines.last_mut() {
            Some((last, count)) if last == machine => *count += 1,
            _ => machines.push((machine.clone(), 1)),
        }
    }
    machines.into_iter().map(|(machine, count)| format!("{count} of {machine}")).collect()
}

/// A line a stage: which part of the layers, on what.
fn replica(number: usize, pipeline: &PipelineDocument, binding: Option<&String>) -> String {
    let layers = pipeline.stages.last().map_or(1, |stage| stage.layers[1]).max(1);
    let phase = match pipeline.phase {
        PhaseDocument::Both => "",
        PhaseDocument::Prefill => ", prompts only",
        PhaseDocument::Decode => ", answers only",
    };
    let mut text = format!("\nreplica {number}{phase}");
    if let Some(binding) = binding {
        text += &format!(", bound by {binding}");
    }
    text.push('\n');
    let mut said = None;
    for stage in &pipeline.stages {
        text += &format!("  [{}] {}\n", bar(stage.layers, layers, BAR), words(stage));
        if let Some(why) = stage.why.as_ref().filter(|why| said != Some(*why)) {
            text += &format!("      {why}\n");
            said = Some(why);
        }
    }
    text
}

fn words(stage: &StageDocument) -> String {
    let (layers, on) = (range("layers", stage.layers), stage.holders());
    format!("{layers} on {on}, {:.2} ms a step", stage.step_ms)
}

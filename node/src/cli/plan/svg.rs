//! A picture of a plan, for people: which device holds what, and what comes of it.

mod band;
mod colours;
mod row;
#[cfg(test)]
mod tests;
mod text;

use std::path::Path;

use ::svg::{
    Document,
    node::element::{Group, Rectangle},
};
use color_eyre::eyre::WrapErr;

use self::{
    colours::Colours,
    row::{axis, columns, row, rule},
    text::{FONTS, Style, round, tooltip},
};
use super::document::PlanDocument;

const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 28.0;
/// What the heads of rows take.
const HEAD: f64 = 208.0;
/// More replicas than this have a line each.
const ROOMY_MAX: usize = 16;
/// Lines of idle devices; the document has all.
const IDLE_MAX: usize = 6;

const INK: &str = "#1b1b1b";
const GREY: &str = "#5f5f5f";
const PAPER: &str = "#ffffff";

/// What all rows share.
struct Frame<'a> {
    plan: &'a PlanDocument,
    colours: Colours,
    layers: u32,
    /// Whether a replica has but a line.
    dense: bool,
    /// Where heads begin, and how wide they are.
    head: (f64, f64),
    /// Between stages.
    gap: f64,
}

impl<'a> Frame<'a> {
    fn new(plan: &'a PlanDocument) -> Self {
        let last = plan.pipelines.iter().filter_map(|pipeline| pipeline.stages.last());
        let stages = plan.pipelines.iter().map(|pipeline| pipeline.stages.len()).max();
        Self {
            plan,
            colours: Colours::new(plan),
            layers: last.map(|stage| stage.layers[1]).max().unwrap_or(1).max(1),
            dense: plan.pipelines.len() > ROOMY_MAX,
            head: (MARGIN, HEAD - 16.0),
            gap: if stages.unwrap_or(0) > 24 { 1.0 } else { 3.0 },
        }
    }

    /// Where a layer begins.
    fn x(&self, layer: u32) -> f64 {
        let left = MARGIN + HEAD;
        left + f64::from(layer) / f64::from(self.layers) * (WIDTH - MARGIN - left)
    }
}

/// Writes the picture of a plan to a file.
pub(super) fn write(file: &Path, plan: &PlanDocument, title: &str) -> color_eyre::Result<()> {
    let text = picture(plan, title);
    std::fs::write(file, text).wrap_err_with(|| format!("writing {}", file.display()))
}

/// The picture of a plan.
fn picture(plan: &PlanDocument, title: &str) -> String {
    let frame = Frame::new(plan);
    let mut all = Group::new();
    let mut y = MARGIN + 16.0;
    let heading = Style::new(20.0, INK).bold();
    all = all.add(heading.told((MARGIN, y), WIDTH - 2.0 * MARGIN, title));
    y += 18.0;
    let (part, end) = match &plan.reason {
        Some(reason) => lines(&[format!("There is no plan: {reason}")], " ", y),
        None => tiles(plan, y),
    };
    (all, y) = (all.add(part), end);
    if !plan.pipelines.is_empty() {
        let (part, end) = legend(&frame.colours, y);
        (all, y) = (all.add(part), end);
        let (part, end) = rows(&frame, y);
        (all, y) = (all.add(part), end);
    }
    if !plan.idle.is_empty() {
        let (part, end) = idle(plan, y);
        (all, y) = (all.add(part), end);
    }
    let height = (y + MARGIN - 12.0).ceil();
    // A ground of its own, since pages are light or dark.
    let ground = Rectangle::new()
        .set("width", WIDTH)
        .set("height", height)
        .set("rx", 10)
        .set("fill", PAPER)
        .set("stroke", "#d0d0d0");
    let document = Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("width", WIDTH)
        .set("height", height)
        .set("font-family", FONTS)
        .set("role", "img");
    format!("{}\n", document.add(tooltip(title)).add(ground).add(all))
}

/// What comes of the plan, in large figures.
fn tiles(plan: &PlanDocument, top: f64) -> (Group, f64) {
    let stages = plan.pipelines.iter().flat_map(|pipeline| &pipeline.stages);
    let used: usize = stages.map(|stage| stage.members.len()).sum();
    let mut told = vec![(format!("{:.3}", plan.requests_per_s), "requests/s predicted")];
    if plan.bound_requests_per_s > 0.0 {
        told.push((
            format!("≤ {:.3}", plan.bound_requests_per_s),
            "requests/s at most, by any plan",
        ));
    }
    if let Some(attainment) = plan.attainment {
        told.push((format!("{:.1} %", 100.0 * attainment), "of requests in time"));
    }
    let replicas = if plan.pipelines.len() == 1 { "replica" } else { "replicas" };
    told.push((plan.pipelines.len().to_string(), replicas));
    told.push((format!("{used} of {}", used + plan.idle.len()), "devices in use"));
    let step = (WIDTH - 2.0 * MARGIN) / told.len() as f64;
    let mut group = Group::new().set("class", "figures");
    for (place, (figure, what)) in told.iter().enumerate() {
        let x = MARGIN + place as f64 * step;
        group = group
            .add(Style::new(22.0, INK).bold().told((x, top + 26.0), step - 12.0, figure))
            .add(Style::new(11.5, GREY).told((x, top + 43.0), step - 12.0, what));
    }
    (group, top + 62.0)
}

/// What colours, widths and heights stand for.
fn legend(colours: &Colours, top: f64) -> (Group, f64) {
    let style = Style::new(11.5, INK);
    let mut group = Group::new().set("class", "legend").add(rule(MARGIN, WIDTH - MARGIN, top));
    let (mut x, mut y) = (MARGIN, top + 22.0);
    for (colour, what) in colours.legend() {
        let width = (style.width(&what) + 40.0).min(WIDTH - 2.0 * MARGIN);
        if x + width > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + 20.0);
        }
        let swatch = Rectangle::new().set("x", round(x)).set("y", y - 11.0).set("rx", 2);
        let swatch = swatch.set("width", 13).set("height", 13).set("fill", colour);
        group = group.add(swatch).add(style.told((x + 19.0, y), width - 19.0, &what));
        x += width;
    }
    let how = "Width: layers. Height: share of a stage's KV heads and FFN columns. \
        #: the device's number on its machine.";
    let how = Style::new(10.5, GREY).told((MARGIN, y + 19.0), WIDTH - 2.0 * MARGIN, how);
    (group.add(how), y + 38.0)
}

fn rows(frame: &Frame<'_>, top: f64) -> (Group, f64) {
    let (mut group, mut y) = (Group::new(), top);
    if frame.dense {
        let step = (frame.layers / 16).max(1);
        let ticks = (0..frame.layers).step_by(step as usize).chain([frame.layers]);
        let titles = ["replica", "requests/s", "TTFT ms", "TPOT ms"].map(str::to_owned);
        group = group.add(columns(frame, &titles, y)).add(axis(frame, ticks, y));
        y += 8.0;
    }
    for (number, pipeline) in frame.plan.pipelines.iter().enumerate() {
        let (part, end) = row(frame, number, pipeline, y);
        (group, y) = (group.add(part), end);
    }
    (group, y)
}

/// Devices without a part, machine by machine.
fn idle(plan: &PlanDocument, top: f64) -> (Group, f64) {
    let mut runs: Vec<(&str, usize, usize)> = Vec::new();
    for (machine, device) in &plan.idle {
        match runs.last_mut() {
            Some((last, _, to)) if last == machine && *to + 1 == *device => *to = *device,
            _ => runs.push((machine, *device, *device)),
        }
    }
    let told = |&(machine, from, to): &(&str, usize, usize)| match to - from {
        0 => format!("{machine} #{from}"),
        _ => format!("{machine} #{from} to #{to}"),
    };
    let told: Vec<_> = runs.iter().map(told).collect();
    let count = plan.idle.len();
    let heading = format!("{count} idle {}", if count == 1 { "device" } else { "devices" });
    let heading = Style::new(13.0, INK).bold().told((MARGIN, top + 20.0), 400.0, &heading);
    let (list, end) = lines(&told, ", ", top + 22.0);
    let rule = rule(MARGIN, WIDTH - MARGIN, top);
    (Group::new().set("class", "idle").add(rule).add(heading).add(list), end)
}

/// A list on a few lines, whole in its tooltip if they are too few.
fn lines(items: &[String], between: &str, top: f64) -> (Group, f64) {
    let (style, room) = (Style::new(11.5, GREY), WIDTH - 2.0 * MARGIN);
    let (mut group, mut y) = (Group::new(), top);
    let all = style.lines(items, between, room);
    if all.len() > IDLE_MAX {
        group = group.add(tooltip(&items.join(between)));
    }
    for (number, line) in all.iter().take(IDLE_MAX).enumerate() {
        y += 17.0;
        let more = all.len() > IDLE_MAX && number + 1 == IDLE_MAX;
        let line = if more { "… and more" } else { line };
        group = group.add(style.told((MARGIN, y), room, line));
    }
    (group, y + 8.0)
}

//! A replica: its stages from left to right, and in each its members from top to bottom.

use svg::node::element::{Group, Line};

use super::{
    Frame, GREY, INK,
    band::{Area, LETTER_MAX, LETTER_MIN, NARROW, band},
    text::{Style, round, tooltip},
};
use crate::cli::plan::document::{MemberDocument, PipelineDocument, StageDocument, range};

/// Heights of a stage's members together.
const BANDS_MIN: f64 = 52.0;
const BANDS_MAX: f64 = 180.0;
/// The same when there are many replicas.
const BANDS_DENSE: f64 = 20.0;
/// What a band is to have for a label along it, or across.
const ALONG: f64 = 15.0;
const ACROSS: f64 = 104.0;
/// The line above a stage's members, and the numbers below.
const STRIP: f64 = 15.0;
const AXIS: f64 = 14.0;

const SMALL: Style = Style::new(10.5, GREY);

/// Draws a replica below `top`, and tells where it ends.
pub(super) fn row(
    frame: &Frame<'_>,
    number: usize,
    pipeline: &PipelineDocument,
    top: f64,
) -> (Group, f64) {
    let mut group = Group::new().set("class", "replica");
    if frame.dense {
        group = group.add(dense_head(frame, number, pipeline, top));
        for stage in &pipeline.stages {
            group = group.add(drawn(frame, stage, (top, BANDS_DENSE)));
        }
        return (group, top + BANDS_DENSE + 5.0);
    }
    let (head, lines) = head(frame, number, pipeline, top);
    group = group.add(head);
    let wanted = pipeline.stages.iter().map(|stage| wanted(frame, stage));
    let bands = wanted.fold(BANDS_MIN, f64::max).max(lines - STRIP).min(BANDS_MAX);
    for stage in &pipeline.stages {
        group = group.add(drawn(frame, stage, (top, STRIP + bands)));
    }
    let bottom = top + STRIP + bands;
    let ends = pipeline.stages.iter().flat_map(|stage| stage.layers);
    (group.add(axis(frame, ends, bottom + 11.0)), bottom + AXIS + 14.0)
}

/// Numbers of layers below a line, as many as do not touch.
pub(super) fn axis(frame: &Frame<'_>, ends: impl Iterator<Item = u32>, y: f64) -> Group {
    let style = Style::new(9.5, GREY).anchored("middle");
    let mut group = Group::new().set("class", "axis");
    let (last, mut free) = (frame.layers, f64::NEG_INFINITY);
    let width = |layer: u32| style.width(&layer.to_string());
    let reserved = frame.x(last) - width(last) / 2.0 - 4.0;
    for layer in ends {
        let (x, half) = (frame.x(layer), width(layer) / 2.0);
        let fits = x - half >= free && (layer == last || x + half <= reserved);
        if !fits {
            continue;
        }
        free = x + half + 4.0;
        group = group.add(style.told((x, y), 2.0 * half + 1.0, &layer.to_string()));
    }
    group
}

/// What a replica is and does; and how high that is.
fn head(frame: &Frame<'_>, number: usize, pipeline: &PipelineDocument, top: f64) -> (Group, f64) {
    let (x, room) = frame.head;
    let mut lines = vec![
        (Style::new(13.0, INK).bold(), format!("replica {number}")),
        (Style::new(11.5, INK), format!("{:.3} requests/s", pipeline.requests_per_s)),
        (SMALL, format!("TTFT {} ms", figure(pipeline.ttft_ms))),
        (SMALL, format!("TPOT {} ms", figure(pipeline.tpot_ms))),
    ];
    if pipeline.batch > 1 {
        lines[3].1 += &format!(", batch {}", pipeline.batch);
    }
    if let Some(binding) = frame.plan.binding.get(number) {
        let words: Vec<String> =
            format!("bound by {binding}").split(' ').map(str::to_owned).collect();
        lines.extend(SMALL.lines(&words, " ", room).into_iter().map(|line| (SMALL, line)));
    }
    let (mut group, mut y) = (Group::new().set("class", "head"), top);
    for (style, line) in lines {
        y += style.size + 4.0;
        group = group.add(style.told((x, y - 4.0), room, &line));
    }
    (group, y - top)
}

/// The same on one line.
fn dense_head(frame: &Frame<'_>, number: usize, of: &PipelineDocument, top: f64) -> Group {
    let whole = format!(
        "replica {number}: {:.3} requests/s, TTFT {} ms, TPOT {} ms",
        of.requests_per_s,
        figure(of.ttft_ms),
        figure(of.tpot_ms)
    );
    let bound = frame.plan.binding.get(number).map(|binding| format!(", bound by {binding}"));
    let figures = [
        number.to_string(),
        format!("{:.3}", of.requests_per_s),
        figure(of.ttft_ms),
        figure(of.tpot_ms),
    ];
    let whole = tooltip(&(whole + &bound.unwrap_or_default()));
    columns(frame, &figures, top + BANDS_DENSE / 2.0 + 3.5).set("class", "head").add(whole)
}

/// Four figures of a replica, each at the right of its column.
pub(super) fn columns(frame: &Frame<'_>, figures: &[String; 4], y: f64) -> Group {
    let (x, room) = frame.head;
    let style = Style::new(9.5, GREY).anchored("end");
    let mut group = Group::new();
    let mut from = 0.0;
    for (figure, to) in figures.iter().zip([0.2, 0.52, 0.76, 1.0]) {
        group = group.add(style.told((x + room * to, y), room * (to - from), figure));
        from = to;
    }
    group
}

/// The height at which a stage's labels can be read.
fn wanted(frame: &Frame<'_>, stage: &StageDocument) -> f64 {
    let width = frame.x(stage.layers[1]) - frame.x(stage.layers[0]);
    let least = shares(stage).into_iter().fold(1.0, f64::min);
    (if width < NARROW { ACROSS } else { ALONG }) / least
}

/// Each member's part of a stage: of its KV heads and of its FFN columns, half and half.
fn shares(stage: &StageDocument) -> Vec<f64> {
    let length = |[first, end]: [u32; 2]| f64::from(end.saturating_sub(first));
    let heads: f64 = stage.members.iter().map(|member| length(member.kv_heads)).sum();
    let columns: f64 = stage.members.iter().map(|member| length(member.ffn_columns)).sum();
    let part = |of: f64, all: f64| if all > 0.0 { of / all } else { 0.0 };
    let own = |member: &MemberDocument| {
        // A member without a share is drawn, too.
        let own = part(length(member.kv_heads), heads) + part(length(member.ffn_columns), columns);
        own.max(0.02)
    };
    let own: Vec<f64> = stage.members.iter().map(own).collect();
    let all: f64 = own.iter().sum();
    own.into_iter().map(|own| own / all).collect()
}

fn drawn(frame: &Frame<'_>, stage: &StageDocument, (top, height): (f64, f64)) -> Group {
    let [first, end] = stage.layers;
    let left = frame.x(first);
    let width = (frame.x(end) - left - frame.gap).max(1.0);
    let area = Area { x: left, y: top, width, height };
    let layers = end.saturating_sub(first);
    let step = figure(stage.step_ms);
    let whole = format!("{}, {step} ms a step", range("layers", stage.layers));
    let mut group = Group::new().set("class", "stage").add(tooltip(&whole));
    let strip = if frame.dense { 0.0 } else { STRIP };
    if !frame.dense {
        let said = [
            format!("{layers} layers, {step} ms a step"),
            format!("{layers} layers, {step} ms"),
            format!("{layers} layers"),
        ];
        if let Some(said) = said.iter().find(|said| SMALL.width(said) <= width) {
            group = group.add(SMALL.told((left, top + 10.5), width, said));
        }
    }
    let (mut y, all) = (top + strip, height - strip);
    let each: Vec<f64> = shares(stage).into_iter().map(|share| share * all).collect();
    let apart = each.iter().all(|height| *height >= LETTER_MIN + 3.0);
    let apart = apart || (width < NARROW && !frame.dense);
    for (member, height) in stage.members.iter().zip(&each) {
        group = group.add(band(frame, member, Area { y, height: *height, ..area }, apart));
        y += height;
    }
    if !apart {
        let area = Area { y: top + strip, height: all, ..area };
        let text = stage.holders();
        let style = Style::new(LETTER_MAX.min(all - 2.0), INK).anchored("middle");
        let at = (area.x + area.width / 2.0, area.y + area.height / 2.0 + style.size * 0.36);
        group = group.add(style.told(at, area.width - 6.0, &text));
    }
    group
}

/// A figure as short as it may be.
fn figure(x: f64) -> String {
    match x.abs() {
        100.0.. => format!("{x:.0}"),
        10.0.. => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}

/// A thin line over the whole width.
pub(super) fn rule(from: f64, to: f64, y: f64) -> Line {
    let line = Line::new().set("x1", round(from)).set("x2", round(to));
    line.set("y1", round(y)).set("y2", round(y)).set("stroke", "#e3e3e3")
}

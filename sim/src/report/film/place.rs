//! Where things are in a film's picture.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    film::{Film, Held, Seen, Shape},
    report::chart::colour,
};

/// Machines that have a row, at most.
const ROWS_MAX: usize = 100;
/// From the left edge to where layers begin, and to where they end.
const LEFT: f64 = 270.0;
const RIGHT: f64 = 1040.0;
const WIDTH: f64 = 1060.0;
const ROWS_Y: f64 = 54.0;
/// The height of a device's bar, at least and at most, and of a row at least.
const BAR: f64 = 6.0;
const BAR_MAX: f64 = 16.0;
const ROW: f64 = 32.0;
const STRIP: f64 = 40.0;
const BINS: usize = 120;

/// Where rows are.
pub(super) struct Place {
    pub(super) rows: Vec<Row>,
    names: Vec<String>,
    layers: f64,
    end_ns: f64,
}

#[derive(Serialize)]
pub(super) struct Row {
    pub(super) y: f64,
    pub(super) height: f64,
    bar: f64,
    name: String,
    cards: String,
}

#[derive(Serialize)]
pub(super) struct Size {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    rows_y: f64,
    axis_y: f64,
}

#[derive(Serialize)]
pub(super) struct Tick {
    x: f64,
    text: String,
}

/// Tokens a second from the start to the end, with marks.
#[derive(Serialize)]
pub(super) struct Strip {
    y: f64,
    area: String,
    most: u64,
    marks: Vec<Mark>,
    ticks: Vec<Tick>,
}

#[derive(Serialize)]
struct Mark {
    x: f64,
    fault: bool,
}

#[derive(Serialize)]
pub(super) struct Drawn {
    bars: Vec<Bar>,
    ways: Vec<Way>,
}

#[derive(Serialize)]
struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    colour: String,
    words: String,
    label: Option<String>,
    label_y: f64,
    size: f64,
    ink: &'static str,
}

#[derive(Serialize)]
struct Way {
    path: String,
    colour: String,
}

/// To a tenth of a pixel.
pub(super) fn px(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

impl Place {
    pub(super) fn of(film: &Film, names: &[String]) -> Self {
        let name = |number: usize| names.get(number).cloned().unwrap_or(format!("node {number}"));
        let names: Vec<String> = (0..film.machines.len()).map(name).collect();
        let mut y = ROWS_Y;
        let mut rows = Vec::new();
        for (name, cards) in names.iter().zip(&film.machines).take(ROWS_MAX) {
            let height = ROW.max(8.0 + (BAR + 1.0) * cards.len() as f64);
            let bar = ((height - 8.0) / cards.len().max(1) as f64 - 1.0).clamp(BAR, BAR_MAX);
            rows.push(Row { y, height, bar, name: short(name, 26), cards: kinds(cards) });
            y += height;
        }
        let layers = f64::from(film.layers.max(1));
        Self { rows, names, layers, end_ns: film.end.0.max(1) as f64 }
    }

    /// Machines that have no row.
    pub(super) fn unseen(&self) -> usize {
        self.names.len() - self.rows.len()
    }

    pub(super) fn name(&self, machine: usize) -> String {
        self.names.get(machine).cloned().unwrap_or_default()
    }

    fn axis_y(&self) -> f64 {
        self.rows.last().map_or(ROWS_Y, |row| row.y + row.height)
    }

    fn strip_y(&self) -> f64 {
        self.axis_y() + 76.0
    }

    pub(super) fn size(&self) -> Size {
        let (rows_y, axis_y) = (ROWS_Y, self.axis_y());
        let height = self.strip_y() + 22.0;
        Size { width: WIDTH, height, left: LEFT, right: RIGHT, rows_y, axis_y }
    }

    fn x(&self, layer: u32) -> f64 {
        px(LEFT + (RIGHT - LEFT) * f64::from(layer) / self.layers)
    }

    /// Where a time is on the strip.
    pub(super) fn time_x(&self, at: swarm_proto::Time) -> f64 {
        px(LEFT + (RIGHT - LEFT) * at.0 as f64 / self.end_ns)
    }

    /// The middle of a device's bar.
    fn bar_y(&self, (machine, device): (usize, u8)) -> Option<f64> {
        let row = self.rows.get(machine)?;
        Some(
            (row.y + 4.0 + (row.bar + 1.0) * f64::from(device) + row.bar / 2.0)
                .min(row.y + row.height),
        )
    }

    pub(super) fn middle(&self, machine: usize) -> Option<f64> {
        self.rows.get(machine).map(|row| px(row.y + row.height / 2.0))
    }

    pub(super) fn layer_ticks(&self) -> Vec<Tick> {
        let step = (self.layers / 8.0).ceil().max(1.0) as usize;
        let at = |layer: usize| Tick { x: self.x(layer as u32), text: layer.to_string() };
        (0..=self.layers as usize).step_by(step).map(at).collect()
    }

    pub(super) fn strip(&self, film: &Film) -> Strip {
        let y = self.strip_y();
        let mut bins = [0.0; BINS];
        for (at, _, count) in film.tokens.counts() {
            let bin = (at.0 as f64 / self.end_ns * BINS as f64) as usize;
            bins[bin.min(BINS - 1)] += f64::from(count);
        }
        let most = bins.iter().copied().fold(0.0, f64::max);
        let wide = (RIGHT - LEFT) / BINS as f64;
        let corner = |(bin, count): (usize, &f64)| {
            let (x, y) = (LEFT + wide * bin as f64, y - STRIP * count / most.max(1.0));
            format!("{},{} {},{}", px(x), px(y), px(x + wide), px(y))
        };
        let corners: Vec<String> = bins.iter().enumerate().map(corner).collect();
        let area = format!("{LEFT},{y} {} {RIGHT},{y}", corners.join(" "));
        let shown = |what: Seen| what.is_fault() || matches!(what, Seen::Live(_));
        let marks = film.moments.iter().filter(|moment| shown(moment.what));
        let mut marks: Vec<Mark> =
            marks.map(|m| Mark { x: self.time_x(m.at), fault: m.what.is_fault() }).collect();
        marks.dedup_by(|a, b| a.x == b.x && a.fault == b.fault);
        let end_s = self.end_ns / 1e9;
        let tick = |part: u32| Tick {
            x: px(LEFT + (RIGHT - LEFT) * f64::from(part) / 5.0),
            text: format!("{:.0} s", end_s * f64::from(part) / 5.0),
        };
        let most = (most / (end_s / BINS as f64)).round() as u64;
        Strip { y, area, most, marks, ticks: (0..=5).map(tick).collect() }
    }

    pub(super) fn plans(&self, film: &Film) -> Vec<Drawn> {
        film.plans.iter().map(|plan| self.plan(plan)).collect()
    }

    fn plan(&self, plan: &Shape) -> Drawn {
        let mut bars = Vec::new();
        for (number, stages) in plan.pipelines.iter().enumerate() {
            for (stage, held) in stages.iter().enumerate() {
                self.bars(&mut bars, (number, stage), held);
            }
        }
        let ways = plan.pipelines.iter().enumerate();
        let way = |(number, stages): (usize, &Vec<Held>)| Way {
            path: self.way(number, stages),
            colour: colour(number).0,
        };
        Drawn { bars, ways: ways.map(way).collect() }
    }

    fn bars(&self, bars: &mut Vec<Bar>, (number, stage): (usize, usize), held: &Held) {
        let (first, end) = held.layers;
        let (x, width) = (self.x(first), px(self.x(end) - self.x(first) - 1.0));
        let (colour, ink) = colour(number);
        // The number stands once a machine, as large as the bars that it has there.
        let mut here: BTreeMap<usize, usize> = BTreeMap::new();
        held.members.iter().for_each(|(machine, _)| *here.entry(*machine).or_default() += 1);
        for &(machine, device) in &held.members {
            let Some(middle) = self.bar_y((machine, device)) else { continue };
            let height = px(self.rows[machine].bar);
            let y = px(middle - height / 2.0);
            let many = here.remove(&machine);
            let several = many.is_some_and(|many| many > 1);
            let size = if several { 11.0 } else { height.min(11.0) };
            bars.push(Bar {
                x,
                y,
                width,
                height,
                colour: colour.clone(),
                words: format!(
                    "pipeline {}, stage {}: layers {first} to {} on device {device} of {}{}",
                    number + 1,
                    stage + 1,
                    end - 1,
                    self.name(machine),
                    if held.members.len() > 1 { ", shared" } else { "" },
                ),
                label: many.filter(|_| width > 12.0).map(|_| (number + 1).to_string()),
                label_y: px(if several { y + height + 0.5 } else { middle } + 0.36 * size),
                size,
                ink,
            });
        }
    }

    /// From stage to stage, from the machine that leads one to the machine that leads the next.
    fn way(&self, number: usize, stages: &[Held]) -> String {
        let aside = (number % 5) as f64 * 3.0 - 6.0;
        let y = |held: &Held| held.members.first().and_then(|member| self.bar_y(*member));
        let pairs = stages.windows(2).filter_map(|pair| {
            let x = px(self.x(pair[1].layers.0) + aside);
            Some(format!("M{x} {}V{}", px(y(&pair[0])?), px(y(&pair[1])?)))
        });
        pairs.collect()
    }

    /// From the machine that was asked to where a pipeline begins.
    pub(super) fn entry(&self, entry: usize, number: usize, first: &Held) -> Option<String> {
        let from = self.middle(entry)?;
        let to = px(self.bar_y(*first.members.first()?)?);
        let (port, bend) = (LEFT - 4.0, LEFT - 12.0 - (number % 7) as f64 * 7.0);
        Some(format!("M{port} {from}C{bend} {from} {bend} {to} {LEFT} {to}"))
    }
}

/// `8 x RTX3090Ti, 2 x A5000`.
fn kinds(cards: &[String]) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    cards.iter().for_each(|card| *kinds.entry(card).or_default() += 1);
    let told = |(kind, count): (&str, usize)| format!("{count} x {kind}");
    let told: Vec<String> = kinds.into_iter().map(told).collect();
    short(&told.join(", "), 32)
}

/// At most so many letters.
pub(super) fn short(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(letters - 1).collect();
    format!("{kept}\u{2026}")
}

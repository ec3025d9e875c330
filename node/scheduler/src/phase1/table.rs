//! Runs: consecutive stages of one class, for every number of devices and of layers.

use std::{collections::VecDeque, rc::Rc};

use crate::{
    ground::{Ground, Way},
    kind::{Kind, Regime},
    rules::Phase,
};

/// Where in the pipeline a run lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Middle,
    First,
    Last,
    Only,
}

use Role::{First, Last, Middle, Only};

/// The last stage of the best run: its kind and its layers; no layers if there is none.
type Stage = (u16, u16);

const NONE: Stage = (0, 0);

/// The best runs of a class: the least time of a request, with no stage busy for longer than a
/// limit for each.
pub(crate) struct Table {
    pub(crate) kinds: Rc<Vec<Kind>>,
    layers: usize,
    /// Whether a run may leave devices out, so that runs of fewer are runs of more.
    idle: bool,
    /// The time of the best run and its last stage, by role, devices and layers. Apart, since times
    /// are read far more often.
    times: [Vec<f64>; 4],
    stages: [Vec<Stage>; 4],
    /// The most layers that a run can have, by role and devices.
    most: [Vec<usize>; 4],
}

/// What a stage of so many layers takes of a request, and how many layers it may have.
struct Price {
    layer_ms: f64,
    head_ms: f64,
    hop_ms: f64,
    most: [usize; 4],
}

impl Table {
    /// The runs of at most `count` devices of a class. Unless devices may idle, runs of exactly so
    /// many.
    pub(crate) fn new(
        ground: &Ground,
        (class, kinds): (usize, Rc<Vec<Kind>>),
        count: usize,
        regime: Regime,
        limit_ms: f64,
    ) -> Self {
        let layers = ground.model.layers as usize;
        let prices: Vec<Price> =
            kinds.iter().map(|kind| price(ground, class, kind, regime, limit_ms)).collect();
        let cells = (count + 1) * (layers + 1);
        let times = [(); 4].map(|()| vec![f64::INFINITY; cells]);
        let stages = [(); 4].map(|()| vec![NONE; cells]);
        let most = [(); 4].map(|()| vec![0; count + 1]);
        let mut table = Self { kinds, layers, idle: ground.rules.idle, times, stages, most };
        let mut window = VecDeque::new();
        for devices in 1..=count {
            for role in [Middle, First, Last, Only] {
                table.fill(role, devices, &prices, &mut window);
            }
        }
        table
    }

    fn at(&self, devices: usize, layers: usize) -> usize {
        devices * (self.layers + 1) + layers
    }

    /// The time of the best run in a role.
    pub(crate) fn ms(&self, role: Role, devices: usize, layers: usize) -> f64 {
        self.times[role as usize][self.at(devices, layers)]
    }

    /// The times of the best runs in a role, for every number of layers.
    pub(crate) fn row(&self, role: Role, devices: usize) -> &[f64] {
        let row = self.at(devices, 0);
        &self.times[role as usize][row..=row + self.layers]
    }

    /// The most layers that a run of so many devices can have in a role.
    pub(crate) fn most(&self, role: Role, devices: usize) -> usize {
        self.most[role as usize][devices]
    }

    fn fill(&mut self, role: Role, devices: usize, prices: &[Price], window: &mut VecDeque<usize>) {
        // What comes before the last stage of such a run.
        let before = if matches!(role, First | Only) { First } else { Middle };
        let ends = matches!(role, Last | Only);
        let row = self.at(devices, 0);
        let width = self.layers + 1;
        let (mut times, mut stages) = (vec![f64::INFINITY; width], vec![NONE; width]);
        if self.idle {
            times.copy_from_slice(&self.times[role as usize][row - width..row]);
            stages.copy_from_slice(&self.stages[role as usize][row - width..row]);
        }
        for (number, price) in prices.iter().enumerate() {
            let degree = self.kinds[number].degree;
            if degree > devices {
                continue;
            }
            let head_ms = if ends { price.head_ms } else { 0.0 };
            let mut offer = |held: usize, own: usize, ms: f64| {
                if ms < times[held] {
                    (times[held], stages[held]) = (ms, (number as u16, own as u16));
                }
            };
            let time = |own: usize| price.layer_ms * own as f64 + head_ms;
            // Alone, it takes all of them.
            if self.idle || degree == devices {
                let most = price.most[role as usize].min(self.layers);
                (1..=most).for_each(|held| offer(held, held, time(held)));
            }
            // Behind others, it does not hold the embedding.
            let most = price.most[if ends { Last } else { Middle } as usize];
            let earlier = self.row(before, devices - degree);
            least_before(earlier, price.layer_ms, most, window, |held, others| {
                let ms = earlier[others] + price.hop_ms + time(held - others);
                offer(held, held - others, ms);
            });
        }
        let most = times.iter().rposition(|ms| ms.is_finite()).unwrap_or(0);
        self.most[role as usize][devices] = most;
        self.times[role as usize][row..row + width].copy_from_slice(&times);
        self.stages[role as usize][row..row + width].copy_from_slice(&stages);
    }

    /// The stages of the best run in a role, as (kind, layers).
    pub(crate) fn run(&self, role: Role, devices: usize, layers: usize) -> Vec<(usize, u32)> {
        let (mut role, mut devices, mut layers) = (role, devices, layers);
        let mut stages = Vec::new();
        while layers > 0 {
            let at = |devices: usize| {
                let at = self.at(devices, layers);
                (self.times[role as usize][at], self.stages[role as usize][at])
            };
            let (_, (kind, own)) = at(devices);
            if own == 0 {
                return Vec::new();
            }
            // A run of fewer devices that was kept as it is leaves fewer behind its last stage.
            if self.idle {
                let same = |fewer: &usize| at(*fewer) == at(devices);
                devices = (1..=devices).rev().take_while(same).last().unwrap_or(devices);
            }
            stages.push((usize::from(kind), u32::from(own)));
            devices -= self.kinds[usize::from(kind)].degree;
            layers -= usize::from(own);
            role = if matches!(role, First | Only) { First } else { Middle };
        }
        stages.reverse();
        stages
    }
}

/// For each number of layers, how many of them others had best hold before a stage that takes the
/// same time for each of its own, of which it has at most so many. The least of a sliding window:
/// what counts is `ms - layer_ms * layers` of those before.
pub(super) fn least_before(
    earlier: &[f64],
    layer_ms: f64,
    most: usize,
    window: &mut VecDeque<usize>,
    mut found: impl FnMut(usize, usize),
) {
    let worth = |held: usize| earlier[held] - layer_ms * held as f64;
    window.clear();
    for held in 2..earlier.len() {
        let next = held - 1;
        if earlier[next].is_finite() {
            while window.back().is_some_and(|&last| worth(last) >= worth(next)) {
                window.pop_back();
            }
            window.push_back(next);
        }
        while window.front().is_some_and(|&first| held - first > most) {
            window.pop_front();
        }
        if let Some(&others) = window.front() {
            found(held, others);
        }
    }
}

fn price(ground: &Ground, class: usize, kind: &Kind, regime: Regime, limit_ms: f64) -> Price {
    let (layer_ms, head_ms) = kind.request_ms(ground);
    let hop_ms = ground.next_within(class, class, kind.degree, (regime, limit_ms));
    Price { layer_ms, head_ms, hop_ms, most: kind.most(ground, regime.batch, limit_ms) }
}

impl Ground {
    /// The way from a stage of one class to one of another, or to the next of the same, which has
    /// so many devices.
    pub(crate) fn next_way(&self, from: usize, to: usize, degree: usize) -> Option<Way> {
        let (a, b) = (&self.classes[from], &self.classes[to]);
        if from == to {
            // Two stages of more than half a machine lie on two machines.
            let apart = a.machines.len() > 1 && degree * 2 > a.size;
            let other = if apart { a.machines[1] } else { a.machines[0] };
            return self.way(a.machines[0], other);
        }
        // Machines of a class are alike: a pair shows all there are, but for one that has two
        // classes.
        let shared = a.machines.iter().find(|machine| b.machines.contains(machine));
        match shared {
            Some(machine) => self.way(*machine, *machine),
            None => self.way(a.machines[0], b.machines[0]),
        }
    }

    /// Milliseconds of a request on that way; infinite if it keeps the way busy for longer than a
    /// limit.
    pub(crate) fn next_within(
        &self,
        from: usize,
        to: usize,
        degree: usize,
        (regime, limit_ms): (Regime, f64),
    ) -> f64 {
        let way = self.next_way(from, to, degree);
        if self.carried_ms(way, self.phase) > limit_ms {
            return f64::INFINITY;
        }
        let (prompt, token) = self.hop_of(way, regime);
        prompt + self.steps() * token
    }

    /// The same of a prompt, and of one token of each request of a batch.
    pub(crate) fn hop_of(&self, way: Option<Way>, regime: Regime) -> (f64, f64) {
        let prompt_ms = match self.phase {
            Phase::Decode => 0.0,
            _ => self.hop_ms(way, self.prefill()),
        };
        (prompt_ms, self.hop_ms(way, self.decode(regime.batch)))
    }

    /// Milliseconds of all tokens of a request on their way back from the last stage to the first.
    pub(crate) fn return_ms(&self, from: usize, to: usize, regime: Regime) -> f64 {
        let (a, b) = (&self.classes[from].machines, &self.classes[to].machines);
        if !self.rules.token_return || from == to && a.len() == 1 {
            return 0.0;
        }
        let far = if from == to { b[1] } else { b[0] };
        if far == a[0] {
            return 0.0; // what one machine has, it need not send
        }
        let bytes = 4.0 * f64::from(regime.batch);
        self.steps() * self.way(a[0], far).map_or(f64::INFINITY, |way| way.of(bytes))
    }
}

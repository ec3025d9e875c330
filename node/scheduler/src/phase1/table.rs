//! Runs: consecutive stages of one class, for every number of devices and of layers.

use crate::{
    ground::{Ground, Way},
    kind::{Kind, Regime},
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

/// The last stage of the best run; no layers if there is none.
#[derive(Clone, Copy)]
struct Cell {
    ms: f64,
    kind: u16,
    layers: u16,
}

const NONE: Cell = Cell { ms: f64::INFINITY, kind: 0, layers: 0 };

/// The best runs of a class: the least time of a request, with no stage busy for longer than a
/// limit for each.
pub(crate) struct Table {
    pub(crate) kinds: Vec<Kind>,
    layers: usize,
    /// Whether a run may leave devices out, so that runs of fewer are runs of more.
    idle: bool,
    /// By role, devices and layers.
    cells: [Vec<Cell>; 4],
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
        class: usize,
        count: usize,
        regime: Regime,
        limit_ms: f64,
    ) -> Self {
        let layers = ground.model.layers as usize;
        let kinds = Kind::all(ground, class, regime);
        let prices: Vec<Price> =
            kinds.iter().map(|kind| price(ground, class, kind, regime, limit_ms)).collect();
        let cells = [(); 4].map(|()| vec![NONE; (count + 1) * (layers + 1)]);
        let mut table = Self { kinds, layers, idle: ground.rules.idle, cells };
        for devices in 1..=count {
            for role in [Middle, First, Last, Only] {
                table.fill(role, devices, &prices);
            }
        }
        table
    }

    fn at(&self, devices: usize, layers: usize) -> usize {
        devices * (self.layers + 1) + layers
    }

    /// The time of the best run in a role.
    pub(crate) fn ms(&self, role: Role, devices: usize, layers: usize) -> f64 {
        self.cells[role as usize][self.at(devices, layers)].ms
    }

    /// The most layers that so many devices hold, in the middle or at the end.
    pub(crate) fn most(&self, devices: usize) -> usize {
        let held = |layers: &usize| {
            self.ms(Middle, devices, *layers).min(self.ms(Last, devices, *layers)).is_finite()
        };
        (1..=self.layers).rev().find(held).unwrap_or(0)
    }

    fn fill(&mut self, role: Role, devices: usize, prices: &[Price]) {
        // What comes before the last stage of such a run.
        let before = if matches!(role, First | Only) { First } else { Middle };
        let ends = matches!(role, Last | Only);
        for layers in 1..=self.layers {
            let mut best = NONE;
            if self.idle {
                best = self.cells[role as usize][self.at(devices - 1, layers)];
            }
            for (number, price) in prices.iter().enumerate() {
                let degree = self.kinds[number].degree;
                if degree > devices {
                    continue;
                }
                let head_ms = if ends { price.head_ms } else { 0.0 };
                let mut offer = |ms: f64, layers: usize| {
                    if ms < best.ms {
                        best = Cell { ms, kind: number as u16, layers: layers as u16 };
                    }
                };
                // Alone, it takes all of them.
                let alone = self.idle || degree == devices;
                if alone && layers <= price.most[role as usize] {
                    offer(price.layer_ms * layers as f64 + head_ms, layers);
                }
                // Behind others, it does not hold the embedding.
                let most = price.most[if ends { Last } else { Middle } as usize].min(layers - 1);
                let row = self.at(devices - degree, 0);
                let earlier = &self.cells[before as usize][row..];
                for own in 1..=most {
                    let ms = earlier[layers - own].ms + price.hop_ms;
                    offer(ms + price.layer_ms * own as f64 + head_ms, own);
                }
            }
            let at = self.at(devices, layers);
            self.cells[role as usize][at] = best;
        }
    }

    /// The stages of the best run in a role, as (kind, layers).
    pub(crate) fn run(&self, role: Role, devices: usize, layers: usize) -> Vec<(usize, u32)> {
        let (mut role, mut devices, mut layers) = (role, devices, layers);
        let mut stages = Vec::new();
        while layers > 0 {
            let cell = self.cells[role as usize][self.at(devices, layers)];
            if cell.layers == 0 {
                return Vec::new();
            }
            // A run of fewer devices that was kept as it is leaves fewer behind its last stage.
            let same = |fewer: &usize| {
                let other = self.cells[role as usize][self.at(*fewer, layers)];
                (other.ms, other.kind, other.layers) == (cell.ms, cell.kind, cell.layers)
            };
            if self.idle {
                devices = (1..=devices).rev().take_while(same).last().unwrap_or(devices);
            }
            stages.push((usize::from(cell.kind), u32::from(cell.layers)));
            devices -= self.kinds[usize::from(cell.kind)].degree;
            layers -= usize::from(cell.layers);
            role = if matches!(role, First | Only) { First } else { Middle };
        }
        stages.reverse();
        stages
    }
}

fn price(ground: &Ground, class: usize, kind: &Kind, regime: Regime, limit_ms: f64) -> Price {
    let steps = ground.steps();
    let batch = f64::from(regime.batch);
    let busy = |prompt: f64, token: f64| prompt + steps * token / batch;
    let (layer_busy, head_busy) =
        (busy(kind.prefill_ms, kind.decode_ms), busy(kind.head_ms.0, kind.head_ms.1));
    let most = |role: Role| {
        let cap = match role {
            Middle => kind.caps[0],
            First => kind.caps[1],
            Last => kind.caps[2],
            Only => kind.caps[3],
        };
        let head = if matches!(role, Last | Only) { head_busy } else { 0.0 };
        let within = ((limit_ms - head) / layer_busy * (1.0 + 1e-12)).max(0.0);
        if within >= f64::from(cap) { cap as usize } else { within as usize }
    };
    Price {
        layer_ms: kind.prefill_ms + steps * kind.decode_ms,
        head_ms: kind.head_ms.0 + steps * kind.head_ms.1,
        hop_ms: ground.next_ms(class, class, kind.degree, regime),
        most: [Middle, First, Last, Only].map(most),
    }
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

    /// Milliseconds of a request on that way.
    pub(crate) fn next_ms(&self, from: usize, to: usize, degree: usize, regime: Regime) -> f64 {
        let (prompt, token) = self.hop_of(from, to, degree, regime);
        prompt + self.steps() * token
    }

    /// The same of a prompt, and of one token of each request of a batch.
    pub(crate) fn hop_of(
        &self,
        from: usize,
        to: usize,
        degree: usize,
        regime: Regime,
    ) -> (f64, f64) {
        let way = self.next_way(from, to, degree);
        (self.hop_ms(way, self.prefill()), self.hop_ms(way, self.decode(regime.batch)))
    }

    /// Milliseconds of all tokens of a request on their way back from the last stage to the first.
    pub(crate) fn return_ms(&self, from: usize, to: usize, regime: Regime) -> f64 {
        let (a, b) = (&self.classes[from].machines, &self.classes[to].machines);
        if !self.rules.token_return || from == to && a.len() == 1 {
            return 0.0;
        }
        let far = if from == to { b[1] } else { b[0] };
        let bytes = 4.0 * f64::from(regime.batch);
        self.steps() * self.way(a[0], far).map_or(f64::INFINITY, |way| way.of(bytes))
    }
}

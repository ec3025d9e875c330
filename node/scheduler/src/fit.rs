//! What devices were measured to reach of their makers' figures, fitted to published points.
//!
//! A token, by one device (all in ms; `W` weight bytes, `B` bandwidth, `L` layers, `C` tokens before
//! it, `K` KV bytes a token):
//!
//! ```text
//! decode  = read * W / B  +  layer * L  +  kv * C * K / B
//! prefill = the same reading and layers, a batch of prompt tokens
//!         + arithmetic * operations / F  +  attention * operations of attention / F
//! F       = 100 TFLOP/s * (peak / 100 TFLOP/s) ^ power
//! ```
//!
//! Over `n` devices, `k` batches of a prompt could take `(k + n - 1) / (k n)` of that; `wait` is the part
//! of what could be saved that is not.
//!
//! Each factor is linear, so a fit is weighted least squares; its weights make it least absolute
//! relative errors, with every device model counted alike. The points are `data/measured.csv`; the
//! fit is made anew whenever it is asked for, so a point that is added counts. Where few points
//! speak of a factor, it stays near what is usual.

mod least;
mod points;

use std::sync::OnceLock;

pub use points::{Phase, Point, points};

use crate::catalogue::DeviceFacts;

/// Prompt tokens that llama.cpp, whose points these are, computes at once.
const BATCH_TOKENS: f64 = 512.0;
/// Weights below so many bits are unpacked before they are multiplied with.
const PACKED_BELOW_BITS: f64 = 8.0;
/// Exponents of the peak rate that are tried, in twentieths.
const POWERS: std::ops::RangeInclusive<u32> = 8..=20;

/// Devices that share their factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// Cards with memory of their own.
    Card,
    /// Systems on a chip, whose memory others use as well.
    Soc,
}

/// What devices of a sort reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// Times that reading weights takes what bandwidth allows: of 8 bits or more, and of fewer.
    pub read: [f64; 2],
    /// The same of the KV cache.
    pub kv: f64,
    /// A layer, however little it computes.
    pub layer_ms: f64,
    /// From one device to the next, where layers are split.
    pub hop_ms: f64,
    /// Times that arithmetic takes what `F` allows: weights of 8 bits or more, and of fewer.
    pub arithmetic: [f64; 2],
    /// The same of attention.
    pub attention: f64,
    /// How the rate that is reached grows with the peak.
    pub power: f64,
    /// Where layers are split: which part of the time that devices could save by taking one batch of a
    /// prompt after the other they wait all the same.
    pub wait: f64,
}

/// What is usual where no point says more.
const USUAL: Factors = Factors {
    read: [1.1, 1.2],
    kv: 1.6,
    layer_ms: 0.08,
    hop_ms: 0.5,
    arithmetic: [1.6, 2.0],
    attention: 8.0,
    power: 0.6,
    wait: 0.1,
};

/// The factors of every sort.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    card: Factors,
    soc: Factors,
}

/// How fast a device is believed to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Reading weights.
    pub bytes_per_ms: f64,
    /// Reading KV cache.
    pub kv_bytes_per_ms: f64,
    /// Multiplying with weights.
    pub flops_per_ms: f64,
    /// Attention.
    pub attention_flops_per_ms: f64,
    /// A layer, however little it computes.
    pub layer_ms: f64,
}

impl Pace {
    /// A device that reaches these rates in everything.
    pub fn peak(bytes_per_ms: f64, flops_per_ms: f64) -> Self {
        Self {
            bytes_per_ms,
            kv_bytes_per_ms: bytes_per_ms,
            flops_per_ms,
            attention_flops_per_ms: flops_per_ms,
            layer_ms: 0.0,
        }
    }

    /// That of a device which reads and computes so many times as fast.
    pub(crate) fn times(&self, bandwidth: f64, arithmetic: f64) -> Self {
        Self {
            bytes_per_ms: self.bytes_per_ms * bandwidth,
            kv_bytes_per_ms: self.kv_bytes_per_ms * bandwidth,
            flops_per_ms: self.flops_per_ms * arithmetic,
            attention_flops_per_ms: self.attention_flops_per_ms * arithmetic,
            layer_ms: self.layer_ms,
        }
    }

    /// That of two devices which wait for each other.
    pub(crate) fn slower(&self, other: &Self) -> Self {
        Self {
            bytes_per_ms: self.bytes_per_ms.min(other.bytes_per_ms),
            kv_bytes_per_ms: self.kv_bytes_per_ms.min(other.kv_bytes_per_ms),
            flops_per_ms: self.flops_per_ms.min(other.flops_per_ms),
            attention_flops_per_ms: self.attention_flops_per_ms.min(other.attention_flops_per_ms),
            layer_ms: self.layer_ms.max(other.layer_ms),
        }
    }
}

impl Fit {
    /// That of all points that ship with the crate.
    pub fn shipped() -> &'static Self {
        static FIT: OnceLock<Fit> = OnceLock::new();
        FIT.get_or_init(|| Self::to(&points().iter().collect::<Vec<_>>()))
    }

    /// The fit to some points. Those in which software failed are left out.
    pub fn to(points: &[&Point]) -> Self {
        let of = |sort| {
            let ours: Vec<&Point> = points
                .iter()
                .copied()
                .filter(|point| point.sort() == sort && !point.fault)
                .collect();
            Factors::to(&ours, sort)
        };
        Self { card: of(Sort::Card), soc: of(Sort::Soc) }
    }

    /// The factors of a sort.
    pub fn factors(&self, sort: Sort) -> &Factors {
        match sort {
            Sort::Card => &self.card,
            Sort::Soc => &self.soc,
        }
    }

    /// Milliseconds for a point's tokens: one of an answer, or all of a prompt.
    pub fn predict(&self, point: &Point) -> f64 {
        let factors = self.factors(point.sort());
        match point.phase {
            Phase::Decode => factors.decode_ms(point),
            Phase::Prefill => factors.prefill_ms(point),
        }
    }

    /// How fast a device is with weights of so many bits.
    pub fn pace(&self, device: &DeviceFacts, bits: f64) -> Pace {
        let peaks = (device.bandwidth_gb_s, peak_tflop_s(device));
        self.pace_of(Sort::of(device), peaks, bits)
    }

    /// The same of a device of some sort by its peaks: GB/s of its memory, TFLOP/s of its arithmetic.
    pub fn pace_of(&self, sort: Sort, (gb_s, tflop_s): (f64, f64), bits: f64) -> Pace {
        let factors = self.factors(sort);
        let packed = usize::from(bits < PACKED_BELOW_BITS);
        let rate = rate(tflop_s, factors.power);
        let bytes_per_ms = gb_s * 1e6;
        Pace {
            bytes_per_ms: bytes_per_ms / factors.read[packed],
            kv_bytes_per_ms: bytes_per_ms / factors.kv,
            flops_per_ms: rate / factors.arithmetic[packed],
            attention_flops_per_ms: rate / factors.attention,
            layer_ms: factors.layer_ms,
        }
    }
}

impl Sort {
    /// That of a device.
    pub fn of(device: &DeviceFacts) -> Self {
        if device.class == "soc" { Self::Soc } else { Self::Card }
    }
}

impl Factors {
    fn to(points: &[&Point], sort: Sort) -> Self {
        let (decode, prefill): (Vec<&Point>, Vec<&Point>) =
            points.iter().partition(|point| point.phase == Phase::Decode);
        let (prefill, several): (Vec<&Point>, Vec<&Point>) =
            prefill.into_iter().partition(|point| point.devices == 1.0);
        let mut best = Self { power: if sort == Sort::Soc { 1.0 } else { USUAL.power }, ..USUAL };
        best.fit_decode(&decode, sort);
        let powers: Vec<f64> = match sort {
            // The rates of three are no base for a curve.
            Sort::Soc => vec![1.0],
            Sort::Card => POWERS.map(|twentieth| f64::from(twentieth) / 20.0).collect(),
        };
        let tried = powers.into_iter().map(|power| {
            let mut tried = Self { power, ..best };
            let loss = tried.fit_prefill(&prefill);
            (tried, loss)
        });
        let least = tried.min_by(|(_, one), (_, other)| one.total_cmp(other));
        let mut found = least.map_or(best, |(found, _)| found);
        found.fit_wait(&several);
        found
    }

    /// Given what a prompt takes on one device.
    fn fit_wait(&mut self, points: &[&Point]) {
        let before = Self { wait: 0.0, ..*self };
        let row = |point: &Point| [before.alone_ms(point) * (1.0 - abreast(point))];
        let (found, _) = least::fit(points, row, |point| before.prefill_ms(point), [USUAL.wait]);
        [self.wait] = found;
    }

    fn fit_decode(&mut self, points: &[&Point], sort: Sort) {
        // A card's reading does not depend on how weights are packed; there, one factor for both
        // holds better where a model is left out.
        let column = |point: &Point| if sort == Sort::Soc { point.packed() } else { 0 };
        let row = |point: &Point| {
            let mut row = [0.0; 5];
            row[column(point)] = point.read_ms();
            row[2] = point.layers;
            row[3] = point.kv_ms();
            row[4] = point.devices - 1.0;
            row
        };
        let usual = [USUAL.read[0], USUAL.read[1], USUAL.layer_ms, USUAL.kv, USUAL.hop_ms];
        let (found, _) = least::fit(points, row, |_| 0.0, usual);
        self.read = [found[0], if sort == Sort::Soc { found[1] } else { found[0] }];
        [self.layer_ms, self.kv, self.hop_ms] = [found[2], found[3], found[4]];
    }

    /// Given what reading takes. How far off it is.
    fn fit_prefill(&mut self, points: &[&Point]) -> f64 {
        let (before, power) = (*self, self.power);
        let row = |point: &Point| {
            let mut row = [0.0; 3];
            row[point.packed()] = point.flops / rate(point.peak_tflop_s, power);
            row[2] = point.attention_flops / rate(point.peak_tflop_s, power);
            row
        };
        let usual = [USUAL.arithmetic[0], USUAL.arithmetic[1], USUAL.attention];
        let (found, loss) = least::fit(points, row, |point| before.scans_ms(point), usual);
        self.arithmetic = [found[0], found[1]];
        self.attention = found[2];
        loss
    }

    fn decode_ms(&self, point: &Point) -> f64 {
        self.read[point.packed()] * point.read_ms()
            + self.layer_ms * point.layers
            + self.kv * point.kv_ms()
            + self.hop_ms * (point.devices - 1.0)
    }

    /// Reading the weights, and beginning the layers, once a batch of prompt tokens.
    fn scans_ms(&self, point: &Point) -> f64 {
        let scan = self.read[point.packed()] * point.read_ms() + self.layer_ms * point.layers;
        scan * point.batches()
    }

    /// All of a prompt on one device.
    fn alone_ms(&self, point: &Point) -> f64 {
        let rate = rate(point.peak_tflop_s, self.power);
        self.scans_ms(point)
            + self.arithmetic[point.packed()] * point.flops / rate
            + self.attention * point.attention_flops / rate
    }

    fn prefill_ms(&self, point: &Point) -> f64 {
        let abreast = abreast(point);
        self.alone_ms(point) * (abreast + self.wait * (1.0 - abreast))
            + self.hop_ms * (point.devices - 1.0)
    }
}

/// Which part of the time it takes if batches of a prompt follow one another from device to device
/// without a gap.
fn abreast(point: &Point) -> f64 {
    let batches = point.batches();
    (batches + point.devices - 1.0) / (batches * point.devices)
}

/// The peak that is meant where rates grow with it: the higher of those for 16-bit products.
pub(crate) fn peak_tflop_s(device: &DeviceFacts) -> f64 {
    device.arithmetic_tflop_s().max(device.tflop_s_16bit_sums.unwrap_or(0.0))
}

/// Operations a millisecond that a factor of one stands for.
fn rate(peak_tflop_s: f64, power: f64) -> f64 {
    1e11 * libm::pow(peak_tflop_s / 100.0, power)
}

//! The network of a pool file.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    FIGURE_MAX, Other, PoolError, PoolMachine, REGIONS_MAX, above_zero, keys::Network, value,
};
use crate::{
    catalogue::nearest_name,
    ground::{Way, Ways},
};

/// Machines whose pairs are listed one by one.
const PAIRS_MAX: usize = 1_000;
/// What is assumed of links that a file says nothing of: within a region, and between two.
const INSIDE: Way = Way { ms: 1.0, bytes_per_ms: 1.25e6 };
const BETWEEN: Way = Way { ms: 50.0, bytes_per_ms: 62.5e3 };

/// So many pairs without a link are named.
const UNLINKED_MAX: usize = 3;

/// The columns of a matrix file.
const COLUMNS: [&str; 4] = ["region_a", "region_b", "delay_ms", "bandwidth_gbps"];

/// A row of a matrix file.
#[derive(Debug, Deserialize)]
struct Row {
    region_a: String,
    region_b: String,
    delay_ms: f64,
    bandwidth_gbps: f64,
}

/// The ways between machines. Figures with a spread (`*_sd_*`) count by their mean.
pub(super) fn links(
    network: Option<&Network>,
    machines: &[PoolMachine],
    other: &Other<'_>,
    notes: &mut Vec<String>,
) -> Result<Ways, PoolError> {
    let none = Network::default();
    let network = network.unwrap_or(&none);
    network.check()?;
    let mut names: Vec<&str> = machines.iter().map(|machine| machine.region.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > REGIONS_MAX {
        let most = format!("{} regions: at most {REGIONS_MAX} can be planned", names.len());
        return Err(PoolError::Other(most));
    }
    let count = names.len();
    let inside = Way {
        ms: network.inside_latency_ms.or(network.rtt_ms.map(|rtt| rtt / 2.0)).unwrap_or(INSIDE.ms),
        bytes_per_ms: rate(network.inside_bandwidth_gbit_s.or(network.gbit_s), INSIDE),
    };
    let between = Way {
        ms: network
            .between_latency_ms
            .or(network.rtt_ms.map(|rtt| rtt / 2.0))
            .unwrap_or(BETWEEN.ms),
        bytes_per_ms: rate(network.between_bandwidth_gbit_s.or(network.gbit_s), BETWEEN),
    };
    let listed = !network.between.is_empty() || network.matrix.is_some();
    // Regions that a list leaves out have no link; without a list all have the same.
    let mut ways = vec![(!listed).then_some(between); count * count];
    (0..count).for_each(|region| ways[region * (count + 1)] = Some(inside));
    let place = |name: &str| names.binary_search(&name).ok();
    let mut told = BTreeMap::new();
    let mut twice = BTreeSet::new();
    let mut set = |from: &str, to: &str, ms: f64, gbit_s: f64| {
        if let (Some(a), Some(b)) = (place(from), place(to)) {
            let way = Way { ms, bytes_per_ms: gbit_s * 125e3 };
            let way = (gbit_s > 0.0).then_some(way);
            if told.insert((a, b), way).is_some_and(|before| before != way) {
                twice.insert((a.min(b), a.max(b)));
            }
            ways[a * count + b] = way;
        }
    };
    if let Some(file) = &network.matrix {
        for row in read(other, file)? {
            set(&row.region_a, &row.region_b, row.delay_ms, row.bandwidth_gbps);
            set(&row.region_b, &row.region_a, row.delay_ms, row.bandwidth_gbps);
        }
    }
    for pair in &network.between {
        match (pair.regions.as_deref(), &pair.from, &pair.to) {
            (Some([a, b]), None, None) => {
                set(a, b, pair.latency_ms, pair.bandwidth_gbit_s);
                set(b, a, pair.latency_ms, pair.bandwidth_gbit_s);
            }
            (None, Some(from), Some(to)) => set(from, to, pair.latency_ms, pair.bandwidth_gbit_s),
            _ => {
                let wrong =
                    "a [[network.between]] needs `regions = [\"a\", \"b\"]`, or `from` and `to`";
                return Err(PoolError::Other(wrong.to_owned()));
            }
        }
    }
    notes.extend(twice.iter().take(UNLINKED_MAX).map(|(a, b)| {
        format!("a link between {} and {} is told of twice: the last counts", names[*a], names[*b])
    }));
    network.assumed(count > 1 && !listed, notes);
    if listed {
        let pairs = (0..count).flat_map(|b| (0..b).map(move |a| (a, b)));
        let without =
            pairs.filter(|(a, b)| !told.contains_key(&(*a, *b)) && !told.contains_key(&(*b, *a)));
        let without: Vec<(&str, &str)> = without.map(|(a, b)| (names[a], names[b])).collect();
        if !without.is_empty() {
            unlinked(&without, notes);
            mistaken(network, &names, notes);
        }
    }
    let of: Vec<usize> = machines.iter().filter_map(|machine| place(&machine.region)).collect();
    let regions = Ways::Regions { of, regions: count, ways };
    match (network.link_min_gbit_s, network.link_max_gbit_s) {
        (Some(low), Some(high)) => uplinks(regions, machines.len(), low, high, notes),
        _ => Ok(regions),
    }
}

/// Notes which regions a list says nothing of.
fn unlinked(pairs: &[(&str, &str)], notes: &mut Vec<String>) {
    let told = pairs.iter().take(UNLINKED_MAX).map(|(a, b)| format!("{a} and {b}"));
    let told = told.collect::<Vec<_>>().join(", ");
    let rest = match pairs.len().saturating_sub(UNLINKED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more pairs"),
    };
    notes.push(format!("no link is listed between {told}{rest}: there is none"));
}

/// Notes names in a list of links that no region has: they may be mistyped.
fn mistaken(network: &Network, regions: &[&str], notes: &mut Vec<String>) {
    let ends = network.between.iter();
    let ends =
        ends.flat_map(|pair| pair.regions.iter().flatten().chain(&pair.from).chain(&pair.to));
    let unknown: BTreeSet<&String> = ends.filter(|end| !regions.contains(&end.as_str())).collect();
    for end in unknown.into_iter().take(UNLINKED_MAX) {
        let near = nearest_name(end, regions.iter().copied()).unwrap_or_default();
        let end: String = end.chars().take(80).collect();
        notes.push(format!("a link names {end}, where no machine is; did you mean {near}?"));
    }
}

fn rate(gbit_s: Option<f64>, otherwise: Way) -> f64 {
    gbit_s.map_or(otherwise.bytes_per_ms, |rate| rate * 125e3)
}

/// Each machine has a link of its own, spread evenly over the range in the order of the file; a way
/// is as fast as the slower of its ends.
fn uplinks(
    regions: Ways,
    count: usize,
    low: f64,
    high: f64,
    notes: &mut Vec<String>,
) -> Result<Ways, PoolError> {
    if count > PAIRS_MAX {
        let most = format!("{count} machines with links of their own: at most {PAIRS_MAX}");
        return Err(PoolError::Other(most));
    }
    notes.push(format!(
        "links of {low} to {high} Gbit/s are spread evenly over the machines in their order"
    ));
    let Ways::Regions { of, regions, ways } = &regions else { return Ok(regions) };
    let last = count.saturating_sub(1).max(1) as f64;
    let own = |machine: usize| (low + (high - low) * machine as f64 / last) * 125e3;
    let mut pairs = BTreeMap::new();
    for (a, b) in (0..count).flat_map(|a| (0..count).map(move |b| (a, b))) {
        if let Some(way) = ways[of[a] * regions + of[b]] {
            let way = Way { ms: way.ms, bytes_per_ms: own(a).min(own(b)) };
            pairs.insert((a, b), way);
        }
    }
    Ok(Ways::Measured(pairs))
}

fn read(other: &Other<'_>, named: &str) -> Result<Vec<Row>, PoolError> {
    let wrong = |why: String| PoolError::Other(format!("matrix {named}: {why}"));
    let text = other(named).map_err(|error| wrong(error.to_string()))?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let heads = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    if let Some(missing) = COLUMNS.iter().find(|column| !heads.iter().any(|head| head == **column))
    {
        return Err(wrong(format!("its first line names no column `{missing}`")));
    }
    let mut rows: Vec<Row> = Vec::new();
    for row in reader.deserialize() {
        let row: Row = row.map_err(|error| wrong(error.to_string()))?;
        let real = |x: f64| x.is_finite() && (0.0..=FIGURE_MAX).contains(&x);
        if !real(row.delay_ms) || !real(row.bandwidth_gbps) {
            let Row { region_a, region_b, delay_ms, bandwidth_gbps } = row;
            return Err(wrong(format!(
                "row {}, from {region_a} to {region_b}: {delay_ms} ms and {bandwidth_gbps} Gbit/s cannot be",
                rows.len() + 1
            )));
        }
        if rows.len() >= REGIONS_MAX * REGIONS_MAX {
            return Err(wrong(format!("more than {} rows", rows.len())));
        }
        rows.push(row);
    }
    Ok(rows)
}

impl Network {
    fn check(&self) -> Result<(), PoolError> {
        let rates = [
            ("inside_bandwidth_gbit_s", self.inside_bandwidth_gbit_s),
            ("between_bandwidth_gbit_s", self.between_bandwidth_gbit_s),
            ("link_min_gbit_s", self.link_min_gbit_s),
            ("link_max_gbit_s", self.link_max_gbit_s),
            ("gbit_s", self.gbit_s),
        ];
        rates.into_iter().try_for_each(|(key, figure)| above_zero(key, figure))?;
        let mut times = vec![
            ("inside_latency_ms", self.inside_latency_ms),
            ("between_latency_ms", self.between_latency_ms),
            ("rtt_ms", self.rtt_ms),
            ("inside_bandwidth_sd_gbit_s", self.inside_bandwidth_sd_gbit_s),
            ("inside_latency_sd_ms", self.inside_latency_sd_ms),
            ("between_bandwidth_sd_gbit_s", self.between_bandwidth_sd_gbit_s),
            ("between_latency_sd_ms", self.between_latency_sd_ms),
        ];
        for pair in &self.between {
            times.push(("latency_ms", Some(pair.latency_ms)));
            times.push(("bandwidth_gbit_s", Some(pair.bandwidth_gbit_s)));
        }
        let wrong = |(_, figure): &&(&str, Option<f64>)| {
            figure.is_some_and(|x| !(x.is_finite() && (0.0..=FIGURE_MAX).contains(&x)))
        };
        if let Some((key, figure)) = times.iter().find(wrong) {
            return Err(value(key, figure.unwrap_or(0.0), "is negative, or too much to be true"));
        }
        match (self.link_min_gbit_s, self.link_max_gbit_s) {
            (Some(low), Some(high)) if low > high => {
                Err(value("link_min_gbit_s", low, "is more than link_max_gbit_s"))
            }
            (Some(_), None) | (None, Some(_)) => {
                Err(PoolError::Other("link_min_gbit_s and link_max_gbit_s go together".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Notes what the file does not say.
    fn assumed(&self, regions: bool, notes: &mut Vec<String>) {
        let told = |way: Way| format!("{} ms, {} Gbit/s", way.ms, way.bytes_per_ms / 125e3);
        if self.inside_latency_ms.or(self.rtt_ms).is_none() {
            notes.push(format!("no latency within a region is given: {}", told(INSIDE)));
        }
        if regions && self.between_latency_ms.or(self.rtt_ms).is_none() {
            notes.push(format!("no links between regions are given: {}", told(BETWEEN)));
        }
    }
}

//! Devices.

use std::sync::OnceLock;

use serde::Deserialize;

use super::{
    lookup::{Unknown, find},
    table,
};

/// Short names that many devices end with or contain, and which one people mean by them.
const MEANT: [(&str, &str); 8] = [
    ("a100-40", "A100-SXM-40GB"),
    ("a100-40gb", "A100-SXM-40GB"),
    ("a100-80", "A100-SXM-80GB"),
    ("a100-80gb", "A100-SXM-80GB"),
    ("h100", "H100-SXM-80GB"),
    ("h200", "H200-SXM-141GB"),
    ("v100-16", "V100-SXM2-16GB"),
    ("v100-32", "V100-SXM2-32GB"),
];

/// A device as its maker describes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DeviceFacts {
    /// Its name.
    pub name: String,
    /// `datacenter`, `workstation`, `consumer` or `soc`.
    pub class: String,
    /// Its generation.
    pub architecture: String,
    /// Memory.
    pub memory_gib: f64,
    /// Memory bandwidth.
    pub bandwidth_gb_s: f64,
    /// 16-bit products with 32-bit sums, dense.
    pub tflop_s: Option<f64>,
    /// 16-bit products with 16-bit sums.
    pub tflop_s_16bit_sums: Option<f64>,
    /// 32-bit arithmetic without tensor cores.
    pub tflop_s_32bit: Option<f64>,
    /// 8-bit integer products.
    pub int8_top_s: Option<f64>,
    /// The link between devices of a machine, if there is a special one.
    pub link: String,
    /// Its rate, both directions together.
    pub link_gb_s: Option<f64>,
    /// One direction of its PCIe slot.
    pub pcie_gb_s: Option<f64>,
    /// An hour of it, where somebody rents it out.
    pub price_usd_h: Option<f64>,
    /// Where the figures are from.
    pub basis: String,
}

impl DeviceFacts {
    /// The rate of 16-bit products; that of 32-bit ones where there is no other.
    pub fn arithmetic_tflop_s(&self) -> f64 {
        self.tflop_s.or(self.tflop_s_32bit).unwrap_or(0.0)
    }
}

/// All devices.
pub fn devices() -> &'static [DeviceFacts] {
    static DEVICES: OnceLock<Vec<DeviceFacts>> = OnceLock::new();
    DEVICES.get_or_init(|| table(include_str!("../../data/devices.csv")))
}

/// The device of a name.
pub fn device(name: &str) -> Result<&'static DeviceFacts, Unknown> {
    let meant = MEANT.iter().find(|(short, _)| name.eq_ignore_ascii_case(short));
    let names: Vec<&str> = devices().iter().map(|device| device.name.as_str()).collect();
    let found = find("device", meant.map_or(name, |(_, full)| full), &names)?;
    Ok(&devices()[found])
}

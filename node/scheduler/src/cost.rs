//! What a share costs in time.

use crate::{field::Field, ground::Share};

/// One exchange of partial sums between devices of one machine, in milliseconds.
const LOCAL_EXCHANGE_MS: f64 = 0.03;
/// Bytes of an exchanged element, there and back.
const EXCHANGE_BYTES: f64 = 8.0;
/// Bytes of an activation's element.
const ACTIVATION_BYTES: f64 = 4.0;

/// Why a share takes as long as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Bandwidth,
    Arithmetic,
}

/// Milliseconds of `rows` positions through a share on a device, exchanges apart. Weights and KV
/// cache are read once; the head is used for one row only.
pub(crate) fn share_ms(field: &Field<'_>, spot: usize, s: Share, rows: f64) -> (f64, Bound) {
    let m = field.model;
    let (layers, heads, columns) = (f64::from(s.layers), f64::from(s.heads), f64::from(s.columns));
    let samples = f64::from(u8::from(s.samples));
    let weights =
        m.head_bytes as f64 * heads + m.column_bytes * columns + m.layer_shared_bytes as f64;
    let kv = m.kv_bytes as f64 * heads * field.context;
    let bytes = layers * (weights + kv) + samples * m.output_bytes as f64;
    let hidden = f64::from(m.hidden);
    let queries = f64::from(m.heads) / f64::from(m.kv_heads.max(1));
    let group = hidden * f64::from(m.head_dim) * (2.0 * queries + 2.0);
    let params = layers * (group * heads + 3.0 * hidden * columns);
    let flops = 2.0 * (params * rows + samples * hidden * f64::from(m.vocab));
    let device = &field.spots[spot];
    let (read, compute) = (bytes / device.bandwidth, flops / device.flops);
    if compute > read { (compute, Bound::Arithmetic) } else { (read, Bound::Bandwidth) }
}

/// Milliseconds that the members of a stage exchange sums for, a layer.
pub(crate) fn exchange_ms(field: &Field<'_>, members: &[usize], rows: f64) -> f64 {
    if members.len() < 2 {
        return 0.0;
    }
    let bytes = f64::from(field.model.hidden) * EXCHANGE_BYTES * rows;
    let mut worst = LOCAL_EXCHANGE_MS;
    for (i, &a) in members.iter().enumerate() {
        for &b in &members[..i] {
            let way = field.way_ms(field.spots[a].machine, field.spots[b].machine, bytes);
            worst = worst.max(way);
        }
    }
    2.0 * worst
}

/// Milliseconds for activations from the lead of one stage to that of the next.
pub(crate) fn hop_ms(field: &Field<'_>, from: usize, to: usize, rows: f64) -> f64 {
    field.way_ms(from, to, f64::from(field.model.hidden) * ACTIVATION_BYTES * rows)
}

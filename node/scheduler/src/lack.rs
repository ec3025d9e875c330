//! Why a model fits nowhere.

use swarm_proto::BLOCK_TOKENS;

use crate::ground::{Ground, Share};

const GIB: f64 = (1u64 << 30) as f64;

/// What is missing, in GiB and where; for a ground that no pipeline was found for.
pub fn lack(ground: &Ground) -> String {
    if !ground.sane() {
        return "a figure of the model or of a device is not of the real world".to_owned();
    }
    let model = &ground.model;
    let blocks = u64::from(ground.workload.context().div_ceil(BLOCK_TOKENS));
    let cache = model.kv_block_bytes(model.layers, model.kv_heads).saturating_mul(blocks);
    let needed = (model.total_bytes() as f64 + cache as f64) / GIB;
    let layer = Share {
        layers: 0,
        heads: model.kv_heads,
        columns: model.ffn,
        embeds: false,
        samples: false,
    };
    let aside = ground.share_bytes(layer, 0).saturating_add(ground.rules.reserve_bytes);
    let room = |spot: usize| ground.spots[spot].memory_bytes.saturating_sub(aside) as f64 / GIB;
    let offered: f64 = (0..ground.spots.len()).map(room).sum();
    let roomiest = (0..ground.spots.len()).max_by(|a, b| room(*a).total_cmp(&room(*b)));
    let Some(roomiest) = roomiest else { return "there is no device".to_owned() };
    let most = format!(
        "the roomiest device, {} of machine {}, offers {:.1}",
        ground.name(roomiest),
        ground.spots[roomiest].machine,
        room(roomiest)
    );
    let wants = format!(
        "{} needs {needed:.1} GiB with KV cache for one request of {} tokens",
        model.name,
        ground.workload.context()
    );
    if offered < needed {
        let devices = ground.spots.len();
        return format!(
            "{:.1} GiB are missing: {wants}; {devices} devices offer {offered:.1} beside what stays \
             free, and {most}",
            needed - offered
        );
    }
    format!(
        "{offered:.1} GiB are offered, but no layout was found: {wants}; {most}. Devices that cannot \
         reach each other, or too small for a whole layer or an end of the model, do not help"
    )
}

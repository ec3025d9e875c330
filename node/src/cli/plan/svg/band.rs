//! A member of a stage: a band in its device's colour, with its name as far as there is room.

use svg::node::element::{Group, Rectangle};

use super::{
    Frame, INK, PAPER,
    text::{Style, round, tooltip},
};
use crate::cli::plan::document::{MemberDocument, range};

/// A band narrower than this has its label across, if it is higher than wide.
pub(super) const NARROW: f64 = 60.0;
/// Letters smaller than this are not read.
pub(super) const LETTER_MIN: f64 = 7.5;
pub(super) const LETTER_MAX: f64 = 11.0;
/// From line to line.
const LINE: f64 = 14.0;
/// Beside a label.
const PAD: f64 = 5.0;
/// For what is said already, by colour.
const FAINT: &str = "#3b3b3b";

/// A part of the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A member, labelled if there is room and its stage has no label of its own.
pub(super) fn band(
    frame: &Frame<'_>,
    member: &MemberDocument,
    area: Area,
    labelled: bool,
) -> Group {
    let MemberDocument { machine, device, gpu, .. } = member;
    let whole = format!(
        "{machine}, device {device}, {gpu}: {}, {}",
        range("KV heads", member.kv_heads),
        range("FFN columns", member.ffn_columns),
    );
    let shape = Rectangle::new()
        .set("x", round(area.x))
        .set("y", round(area.y))
        .set("width", round(area.width))
        .set("height", round(area.height))
        .set("fill", frame.colours.of(gpu))
        .set("stroke", PAPER)
        .set("stroke-width", if area.height < LETTER_MIN { 0.3 } else { 1.0 });
    let group = Group::new().set("class", "member").add(tooltip(&whole)).add(shape);
    if labelled { group.add(label(member, area)) } else { group }
}

/// Machine, device and GPU on a line, or on two, or as much of them as there is room for.
fn label(member: &MemberDocument, area: Area) -> Group {
    let across = area.width < NARROW && area.height > area.width;
    let (long, short) = match across {
        true => (area.height, area.width),
        false => (area.width, area.height),
    };
    let style = Style::new(round((short - 3.0).min(LETTER_MAX)), INK);
    if style.size < LETTER_MIN {
        return Group::new();
    }
    let faint = Style { fill: FAINT, ..style };
    let MemberDocument { machine, gpu, .. } = member;
    let number = format!("#{}", member.device);
    // Where the file gives devices no name, they have that of their machine.
    let gpu = if machine.starts_with(gpu.as_str()) { "" } else { gpu };
    // A label across is drawn along, and turned about the band's middle.
    let (x, y) = (area.x + area.width / 2.0, area.y + area.height / 2.0);
    let (begin, room) = (x - long / 2.0 + PAD, long - 2.0 * PAD);
    let base = y + style.size * 0.36;
    let one = format!("{machine} {number}");
    let drawn = if style.width(&one) + 2.0 * PAD + style.width(gpu) <= room {
        let end = faint.anchored("end").label((begin + room, base), room, gpu);
        vec![style.label((begin, base), room, &one), end]
    } else if short >= 2.0 * LINE + 2.0 {
        let name = style.fit_name(machine, room).unwrap_or_default();
        let (above, below) = (base - LINE / 2.0, base + LINE / 2.0);
        let second = format!("{number} {gpu}");
        vec![style.label((begin, above), room, &name), faint.label((begin, below), room, &second)]
    } else {
        let rest = room - style.width(" ") - style.width(&number);
        let name = style.fit_name(machine, rest).unwrap_or_default();
        vec![style.label((begin, base), room, &format!("{name} {number}"))]
    };
    let group = drawn.into_iter().flatten().fold(Group::new(), Group::add);
    match across {
        true => group.set("transform", format!("rotate(-90 {} {})", round(x), round(y))),
        false => group,
    }
}

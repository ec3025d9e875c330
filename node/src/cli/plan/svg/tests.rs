use std::collections::BTreeMap;

use roxmltree::{Document, Node};
use swarm_scheduler::{
    Ask, Objective, Planner, PoolFile, Rules, Workload, bounds, catalogue, explain, propose,
};

use super::{HEAD, IDLE_MAX, MARGIN, Style, WIDTH, picture};
use crate::cli::plan::{
    document::{MemberDocument, PhaseDocument, PipelineDocument, PlanDocument, StageDocument},
    places::Places,
};

/// A stage of these layers, by so many like devices of a machine.
fn stage(layers: [u32; 2], machine: &str, gpu: &str, devices: u32) -> StageDocument {
    let member = |device: u32| MemberDocument {
        machine: machine.to_owned(),
        device: device as usize,
        gpu: gpu.to_owned(),
        kv_heads: [64 * device / devices, 64 * (device + 1) / devices],
        ffn_columns: [28672 * device / devices, 28672 * (device + 1) / devices],
    };
    StageDocument {
        layers,
        members: (0..devices).map(member).collect(),
        step_ms: 12.345,
        why: None,
    }
}

fn plan(pipelines: Vec<Vec<StageDocument>>) -> PlanDocument {
    let pipeline = |stages| PipelineDocument {
        stages,
        phase: PhaseDocument::Both,
        ttft_ms: 12_345.6,
        tpot_ms: 123.45,
        latency_ms: 3_000.0,
        batch: 32,
        requests_per_s: 1_234.567,
    };
    let binding = "memory bandwidth; stage 0 is the busiest, whose memory is full".to_owned();
    PlanDocument {
        feasible: true,
        binding: vec![binding; pipelines.len()],
        pipelines: pipelines.into_iter().map(pipeline).collect(),
        idle: vec![("a machine that is idle".to_owned(), 7); 3_000],
        attainment: Some(0.991),
        requests_per_s: 123_456.789,
        bound_requests_per_s: 234_567.891,
        ..PlanDocument::default()
    }
}

/// Plans that are hard to draw.
fn plans() -> Vec<PlanDocument> {
    let long = "the machine with the very long name ".repeat(20);
    let odd = "<&\"'>]]>\u{1}\u{85}\u{202e}\n名前 Ж 🦀";
    let cards = "abcdefghijklmnop".chars().map(|letter| format!("CARD-{letter}"));
    let cards: Vec<_> = cards.collect();
    let each = |layer: u32| {
        let card = &cards[layer as usize % cards.len()];
        stage([layer, layer + 1], &format!("home-{layer}"), card, 1)
    };
    let rack = |number: u32| {
        let second = stage([40, 80], &format!("rack-b-{number}"), "L4", 64);
        vec![stage([0, 40], &format!("rack-a-{number}"), "T4", 8), second]
    };
    // Names a little shorter, and a little longer, than there is room for.
    let sized = |length: usize| {
        let name = "n".repeat(length);
        let two = [stage([0, 3], &name, "T4", 1), stage([3, 17], &name, &name, 4)];
        [&two[..], &[stage([17, 25], &name, "T4", 2), stage([25, 80], &name, "T4", 1)]].concat()
    };
    vec![
        plan((1..=16).map(sized).collect()),
        plan((17..=32).map(sized).collect()),
        PlanDocument { reason: Some(odd.to_owned()), ..PlanDocument::default() },
        plan(vec![vec![stage([0, 1], "one", "T4", 1)]]),
        plan(vec![vec![stage([0, 3], odd, &long, 2), stage([3, 80], &long, odd, 5)]]),
        plan(vec![(0..80).map(each).collect(), (0..80).map(each).collect()]),
        plan((0..125).map(rack).collect()),
        plan((0..125).map(|_| (0..80).map(each).collect()).collect()),
        plan((0..16).map(rack).collect()),
    ]
}

/// Left, top, width, height.
type Area = [f64; 4];

fn number(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap_or("0").parse().unwrap()
}

fn area(shape: Node<'_, '_>) -> Area {
    ["x", "y", "width", "height"].map(|name| number(shape, name))
}

/// The part of the picture that a text takes.
fn extent(text: Node<'_, '_>) -> Area {
    let (size, bold) = (number(text, "font-size"), text.attribute("font-weight").is_some());
    let style = Style { bold, ..Style::new(size, "") };
    let width = style.width(text.text().unwrap());
    let x = number(text, "x")
        - width
            * match text.attribute("text-anchor") {
                Some("end") => 1.0,
                Some("middle") => 0.5,
                _ => 0.0,
            };
    let own = [x, number(text, "y") - 0.75 * size, width, 0.95 * size];
    let turned = text.ancestors().find_map(|node| node.attribute("transform"));
    let Some(turned) = turned.and_then(|all| all.strip_prefix("rotate(-90 ")) else { return own };
    let (cx, cy) = turned.trim_end_matches(')').split_once(' ').unwrap();
    let (cx, cy): (f64, f64) = (cx.parse().unwrap(), cy.parse().unwrap());
    let [x, y, width, height] = own;
    [cx + y - cy, cy - (x + width - cx), height, width]
}

fn within([x, y, width, height]: Area, [left, top, wide, high]: Area) -> bool {
    let near = 0.6;
    x >= left - near
        && y >= top - near
        && x + width <= left + wide + near
        && y + height <= top + high + near
}

fn of_class<'a>(
    all: &'a Document<'a>,
    class: &'a str,
) -> impl Iterator<Item = Node<'a, 'a>> + use<'a> {
    all.descendants().filter(move |node| node.attribute("class") == Some(class))
}

fn texts<'a>(all: &'a Document<'a>) -> impl Iterator<Item = Node<'a, 'a>> + use<'a> {
    all.descendants().filter(|node| node.has_tag_name("text"))
}

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Node<'a, 'a> {
    node.children().find(|child| child.has_tag_name(name)).unwrap()
}

#[test]
fn no_text_leaves_its_room_or_touches_another() {
    for plan in plans() {
        let text = picture(&plan, &"a model with a long name ".repeat(9));
        let all = Document::parse(&text).unwrap();
        let root = all.root_element();
        let canvas = [0.0, 0.0, number(root, "width"), number(root, "height")];
        let mut texts: Vec<_> = texts(&all).map(|node| (extent(node), node.text())).collect();
        texts.iter().for_each(|(text, what)| assert!(within(*text, canvas), "{what:?}"));
        texts.sort_by(|(a, _), (b, _)| a[1].total_cmp(&b[1]));
        for (place, (a, one)) in texts.iter().enumerate() {
            let below = texts[place + 1..].iter().take_while(|(b, _)| b[1] < a[1] + a[3] - 0.6);
            for (b, other) in below {
                let apart = a[0] + a[2] <= b[0] + 0.6 || b[0] + b[2] <= a[0] + 0.6;
                assert!(apart, "{one:?} at {a:?} and {other:?} at {b:?}");
            }
        }
        for member in of_class(&all, "member") {
            let shape = area(child(member, "rect"));
            for text in member.descendants().filter(|node| node.has_tag_name("text")) {
                assert!(within(extent(text), shape), "{:?} in {shape:?}", text.text());
            }
        }
    }
}

#[test]
fn each_member_is_drawn_once() {
    for plan in plans() {
        let text = picture(&plan, "model");
        let all = Document::parse(&text).unwrap();
        let mut drawn: BTreeMap<String, i64> = BTreeMap::new();
        for member in of_class(&all, "member") {
            *drawn.entry(child(member, "title").text().unwrap().to_owned()).or_default() += 1;
            assert_eq!(member.descendants().filter(|node| node.has_tag_name("rect")).count(), 1);
        }
        let stages = plan.pipelines.iter().flat_map(|pipeline| &pipeline.stages);
        for member in stages.flat_map(|stage| &stage.members) {
            let spaced = |text: &str| text.replace(char::is_control, " ");
            let ([h0, h1], [c0, c1]) = (member.kv_heads, member.ffn_columns);
            let range = |what: &str, first: u32, end: u32| match end - first {
                0 => format!("no {what}"),
                count => format!("{what} {first}-{} ({count})", end - 1),
            };
            let told = format!(
                "{}, device {}, {}: {}, {}",
                spaced(&member.machine),
                member.device,
                spaced(&member.gpu),
                range("KV heads", h0, h1),
                range("FFN columns", c0, c1)
            );
            *drawn.entry(told).or_default() -= 1;
        }
        drawn.retain(|_, left| *left != 0);
        assert_eq!(drawn, BTreeMap::new());
    }
}

#[test]
fn widths_are_layers_and_heights_are_shares() {
    let mut uneven = stage([20, 80], "b", "L4", 2);
    uneven.members[0].kv_heads = [0, 48];
    uneven.members[1].kv_heads = [48, 64];
    let text = picture(&plan(vec![vec![stage([0, 20], "a", "T4", 1), uneven]]), "model");
    let all = Document::parse(&text).unwrap();
    let areas: Vec<_> = of_class(&all, "member").map(|node| area(child(node, "rect"))).collect();
    let [a, b, c] = areas[..] else { panic!("{areas:?}") };
    let layer = (WIDTH - 2.0 * MARGIN - HEAD) / 80.0;
    for (area, layers) in [(a, 20.0), (b, 60.0), (c, 60.0)] {
        assert!((area[2] - layers * layer).abs() <= 4.0, "{area:?}");
    }
    // Three quarters of the heads and half the columns, against the rest.
    assert!((3.0 * b[3] - 5.0 * c[3]).abs() < 0.1 && (b[3] + c[3] - a[3]).abs() < 0.1, "{areas:?}");
    assert_eq!(texts(&all).filter(|node| node.text() == Some("20")).count(), 1, "a number below");
}

#[test]
fn idle_devices_and_why_there_is_no_plan_are_told() {
    let mut all = plan(vec![vec![stage([0, 1], "one", "T4", 1)]]);
    all.idle = [("a", 0), ("a", 1), ("a", 2), ("b", 5)].map(|(m, d)| (m.to_owned(), d)).to_vec();
    let text = picture(&all, "model");
    assert!(text.contains("4 idle devices") && text.contains("a #0 to #2, b #5"), "{text}");
    let names = (0..3_000).map(|number| (format!("machine-{number}"), 0));
    all.idle = names.collect();
    let text = picture(&all, "model");
    assert!(text.matches(">machine-").count() == IDLE_MAX && text.contains("… and more"));
    let none = PlanDocument { reason: Some("9 GiB are missing".into()), ..PlanDocument::default() };
    assert!(picture(&none, "model").contains("There is no plan: 9 GiB are missing"));
}

#[test]
fn a_plan_that_was_found_is_drawn_with_the_names_of_its_pool() {
    let name = "<&\"attic's";
    let pool = "[[machine]]\nname = '''<&\"attic's'''\ngpu = \"RTX3090\"\ngpus = 2\n";
    let pool = PoolFile::parse(pool, &|_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
    let model = catalogue::model("llama-2-13b").unwrap();
    let model = model.model(catalogue::format("fp16").unwrap());
    let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
    let ground = pool.ground(model, Rules::fitted(), workload);
    let ask = Ask { planner: Planner::Default, objective: Objective::Throughput, seed: 0 };
    let found = propose(&ground, &ask).unwrap();
    let places = Places::new(&pool);
    let mut plan = PlanDocument::new(&places, &found, &bounds(&ground, &found), 1.0);
    plan.explain(&places, &explain(&ground, &ask, &found), "requests/s");
    let text = picture(&plan, &format!("llama on {name}"));
    let all = Document::parse(&text).unwrap();
    assert_eq!(child(all.root_element(), "title").text(), Some("llama on <&\"attic's"));
    let second = format!("{name} #1");
    assert_eq!(texts(&all).filter(|node| node.text() == Some(&second)).count(), 1, "{text}");
    assert!(text.contains("bound by"), "{text}");
}

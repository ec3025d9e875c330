use swarm_proto::{ColumnRange, HeadRange, LayerRange, Sampling};

use super::*;
use crate::model;

fn shape() -> Shape {
    Shape::of(&model::spec())
}

fn shard(layers: (u32, u32), heads: (u32, u32), columns: (u32, u32), leads: bool) -> Shard {
    Shard {
        pipeline: 0,
        stage: 0,
        layers: LayerRange::new(layers.0, layers.1).unwrap(),
        kv_heads: HeadRange::new(heads.0, heads.1).unwrap(),
        ffn_columns: ColumnRange::new(columns.0, columns.1).unwrap(),
        embeds: layers.0 == 0,
        samples: layers.1 == model::LAYERS && leads,
        leads,
        kv_blocks: 8,
        members: Vec::new(),
    }
}

fn batch(position: u32, tokens: &[u32]) -> Batch {
    let draw = Draw { sampling: Sampling::default(), step: 0, recent: Vec::new() };
    let blocks = vec![3, 1].into();
    let (tokens, sample) = (tokens.to_vec(), Some(Arc::new(draw)));
    Batch { items: vec![Item { position, tokens, blocks, sample }] }
}

fn token(computed: Computed) -> u32 {
    let Computed::Samples(samples) = computed else { panic!("{computed:?}") };
    samples[0].as_ref().unwrap().token
}

fn rows(computed: Computed) -> Bytes {
    let Computed::Activations(Body(rows)) = computed else { panic!("{computed:?}") };
    rows
}

/// The token after a prompt, through two stages of which the second is shared by two members,
/// with `change` done to what they keep before each batch, and to what is given to the leader
/// and to the other member.
fn pipeline(change: impl Fn(usize, &mut [Cache; 3], &mut [Vec<u64>; 2])) -> u32 {
    let first = shard((0, 11), (0, 3), (0, 1536), true);
    let lead = shard((11, 30), (0, 2), (0, 1024), true);
    let member = shard((11, 30), (2, 3), (1024, 1536), false);
    let mut caches: [Cache; 3] = Default::default();
    let mut last = 0;
    for (index, (position, tokens)) in [(0, &[7, 8, 9][..]), (3, &[5])].into_iter().enumerate() {
        let batch = batch(position, tokens);
        let mut given = [Vec::new(), Vec::new()];
        change(index, &mut caches, &mut given);
        let outcome = caches[0].compute(&first, &batch, None).unwrap();
        let body = rows(outcome.finish(&first, &batch, &[], (&mut caches[0], shape())).unwrap());
        let other = caches[2].compute(&member, &batch, Some(&body)).unwrap();
        let outcome = caches[1].compute(&lead, &batch, Some(&body)).unwrap();
        let part = |part: &Arc<[u64]>, given: &Vec<u64>| match given.is_empty() {
            true => part.clone(),
            false => given.clone().into(),
        };
        let (to_lead, to_member) = (part(&other.part, &given[0]), part(&outcome.part, &given[1]));
        last = token(outcome.finish(&lead, &batch, &[to_lead], (&mut caches[1], shape())).unwrap());
        other.finish(&member, &batch, &[to_member], (&mut caches[2], shape())).unwrap();
    }
    last
}

#[test]
fn stages_and_members_come_to_what_one_device_alone_does() {
    let mut alone = Reference::new(shape());
    [7, 8, 9, 5].iter().for_each(|token| alone.push(*token));
    let expected = alone.next(&Sampling::default(), 0);
    assert_eq!(pipeline(|_, _, _| {}), expected);
    for device in 0..3 {
        let found = pipeline(|batch, caches, _| {
            if batch == 1 {
                caches[device].clear();
            }
        });
        assert_ne!(found, expected, "device {device} forgot and nobody saw it");
    }
    let to_lead = pipeline(|batch, _, given| given[0].extend((batch == 1).then_some(1)));
    assert_ne!(to_lead, expected, "the leader was given a wrong part");
    let to_member = pipeline(|batch, _, given| {
        if batch == 0 {
            given[1] = vec![1; 3];
        }
    });
    assert_ne!(to_member, expected, "the member was given wrong parts of the rows before");
}

/// A token through stages of these layers.
fn token_through(cuts: &[(u32, u32)]) -> u32 {
    let batch = batch(0, &[7]);
    let mut input: Option<Bytes> = None;
    for layers in cuts {
        let (mut cache, shard) = (Cache::default(), shard(*layers, (0, 3), (0, 1536), true));
        let outcome = cache.compute(&shard, &batch, input.as_ref()).unwrap();
        match outcome.finish(&shard, &batch, &[], (&mut cache, shape())).unwrap() {
            Computed::Activations(Body(rows)) => input = Some(rows),
            computed => return token(computed),
        }
    }
    panic!("no stage samples")
}

#[test]
fn layers_count_once_each_and_in_their_order_wherever_they_are_cut() {
    let whole = token_through(&[(0, 30)]);
    assert_eq!(token_through(&[(0, 1), (1, 17), (17, 30)]), whole);
    for wrong in [
        &[(0, 10), (11, 30)][..],
        &[(0, 10), (9, 30)],
        &[(0, 10), (0, 10), (10, 30)],
        &[(0, 10), (20, 25), (10, 20), (25, 30)],
        &[(1, 30)],
    ] {
        assert_ne!(token_through(wrong), whole, "{wrong:?}");
    }
}

#[test]
fn a_row_that_was_changed_on_its_way_is_another() {
    let row = Row::of(7, 3).through(&shard((0, 5), (0, 3), (0, 1536), true), NOTHING);
    let mut bytes = BytesMut::new();
    row.write(&mut bytes);
    assert_eq!(Row::read(&bytes.clone().freeze(), 0), Ok(row));
    for place in 0..ROW_BYTES {
        let mut changed = bytes.clone();
        changed[place] ^= 16;
        let read = Row::read(&changed.freeze(), 0).unwrap();
        assert_ne!((read.is, read.sum), (row.is, row.sum), "byte {place}");
    }
    assert_eq!(Row::read(&bytes.freeze(), 1), Err(ComputeFault::Device));
}

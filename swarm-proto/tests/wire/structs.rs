//! A value of every struct that travels, and its bytes beside it.
//!
//! Numbers carry their width, so that a field of another width does not compile; neighbours of one
//! type differ, so that fields that change places do not match. Integers below 251 are one byte,
//! larger ones a mark (`fb`, `fc`, `fd`, `fe` for 2, 4, 8, 16 bytes) and the bytes, lowest first.

use swarm_proto::{
    Advert, Attempt, Ballot, BatchId, Bond, Census, Certificate, ColumnRange, Device, DeviceKind,
    Epoch, Finish, Gone, Hash, HeadRange, Hello, LayerRange, LinkReport, Load, Meet, Member,
    NodeId, Open, Pipeline, Plan, PlanId, Predicted, Pulse, RowsHeader, RowsItem, Sampled,
    Sampling, SessionId, Signature, Signed, Stage, SumsHeader, Term, Token, Vote, VoterSet,
};

/// A value and how it is written.
pub(crate) type Known<T> = (T, String);

fn known<T>(value: T, hex: impl Into<String>) -> Known<T> {
    (value, hex.into())
}

pub(crate) fn attempt() -> Known<Attempt> {
    let session = SessionId(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10_u128);
    known(Attempt { session, number: 3_u32 }, "fe 100f0e0d0c0b0a090807060504030201 03")
}

pub(crate) fn plan_id() -> Known<PlanId> {
    known(PlanId { term: Term(5_u64), epoch: Epoch(6_u64) }, "05 06")
}

pub(crate) fn pulse() -> Known<Pulse> {
    let id = |epoch| PlanId { term: Term(5_u64), epoch: Epoch(epoch) };
    let (live, proposed, holds) = (id(6), id(7), id(8));
    let value = Pulse {
        term: Term(4_u64),
        set: 2_u64,
        live,
        endorsed: Term(3_u64),
        proposed,
        holds,
        sessions: 9_u32,
        census: Census { number: 10_u32, peers: 300_u32 },
        hops: 11_u8,
        bond: Bond::Near,
        fast: true,
    };
    known(value, "04 02 05 06 03 05 07 05 08 09 0a fb2c01 0b 01 01")
}

pub(crate) fn sampling() -> Known<Sampling> {
    let value = Sampling {
        temperature: 0.5_f32,
        top_k: 40_u32,
        top_p: 0.75_f32,
        min_p: 0.25_f32,
        repetition_penalty: 1.5_f32,
        seed: 0xffff_ffff_ffff_fffe_u64,
        logprobs: Some(20_u8),
    };
    known(value, "0000003f 28 0000403f 0000803e 0000c03f fd feffffffffffffff 01 14")
}

pub(crate) fn open() -> Known<Open> {
    let ((attempt, a), (plan, p), (sampling, s)) = (attempt(), plan_id(), sampling());
    let value = Open {
        attempt,
        plan,
        pipeline: 0x0102_u16,
        prefix: vec![Hash([7; 32])],
        prompt_tokens: 300_u32,
        step: 4_u32,
        tokens_max: 70_000_u32,
        sampling,
        end_tokens: vec![2_u32],
    };
    known(value, format!("{a} {p} fb0201 01 07*32 fb2c01 04 fc70110100 {s} 01 02"))
}

pub(crate) fn sampled() -> Known<Sampled> {
    let value = Sampled {
        token: 49_151_u32,
        logprob: Some(-0.5_f32),
        top: vec![(49_151_u32, -0.5_f32), (1_u32, -2.0_f32)],
    };
    known(value, "fbffbf 01 000000bf 02 fbffbf 000000bf 01 000000c0")
}

pub(crate) fn token() -> Known<Token> {
    let ((attempt, a), (sampled, s)) = (attempt(), sampled());
    let value = Token { attempt, step: 1_u32, sampled, finish: Some(Finish::Length) };
    known(value, format!("{a} 01 {s} 01 01"))
}

pub(crate) fn rows() -> Known<RowsHeader> {
    let ((attempt, a), (plan, p)) = (attempt(), plan_id());
    let tokens = vec![5_u32, 251_u32];
    let first = RowsItem { attempt, position: 16_u32, tokens, step: Some(2_u32) };
    let second = RowsItem { step: None, ..first.clone() };
    let items = vec![first, second];
    let value = RowsHeader { plan, pipeline: 1_u16, stage: 2_u16, batch: Some(3_u64), items };
    let item = format!("{a} 10 02 05 fbfb00");
    known(value, format!("{p} 01 02 01 03 02 {item} 01 02 {item} 00"))
}

pub(crate) fn batch_id() -> Known<BatchId> {
    let (plan, p) = plan_id();
    let value = BatchId { plan, pipeline: 1_u16, stage: 2_u16, batch: 3_u64 };
    known(value, format!("{p} 01 02 03"))
}

pub(crate) fn sums() -> Known<SumsHeader> {
    let (plan, p) = plan_id();
    let value = SumsHeader {
        plan,
        pipeline: 1_u16,
        stage: 2_u16,
        batch: 3_u64,
        index: 4_u32,
        member: 5_u16,
    };
    known(value, format!("{p} 01 02 03 04 05"))
}

fn device() -> Known<Device> {
    let value = Device {
        index: 251_u8,
        kind: DeviceKind::Cuda,
        name: "gpu".to_owned(),
        memory_bytes: 0x2_0000_0000_u64,
        bandwidth_bytes_per_s: 1.0_f64,
        flops_per_s: 2.0_f64,
        threads: 300_u16,
        drift_class: Hash([3; 32]),
    };
    let rates = "000000000000f03f 0000000000000040";
    known(value, format!("fb 01 03 677075 fd 0000000002000000 {rates} fb2c01 03*32"))
}

fn link() -> Known<LinkReport> {
    let value = LinkReport {
        to: NodeId([4; 32]),
        rtt_ms: 0.5_f64,
        rtt_spread_ms: 0.25_f64,
        bytes_per_s: 4.0_f64,
        loss: 0.125_f64,
        age_ms: 7_u64,
        predicted: true,
    };
    let times = "000000000000e03f 000000000000d03f";
    known(value, format!("04*32 {times} 0000000000001040 000000000000c03f 07 01"))
}

pub(crate) fn advert() -> Known<Signed<Advert>> {
    let ((device, d), (link, l)) = (device(), link());
    let statement = Advert {
        node: NodeId([1; 32]),
        sequence: 8_u64,
        origin: Some(NodeId([5; 32])),
        up_ms: 9_u64,
        devices: vec![device],
        links: vec![link],
        model: Some(Hash([2; 32])),
        load: Load { sessions: 1_u32, kv_blocks_free: 2_u32, kv_blocks: 3_u32 },
        reachable: true,
        draining: false,
        api: Some("a:1".to_owned()),
    };
    let hex = format!("01*32 08 01 05*32 09 01 {d} 01 {l} 01 02*32 01 02 03 01 00 01 03 613a31");
    signed(statement, 1, &hex)
}

pub(crate) fn gone() -> Known<Signed<Gone>> {
    signed(Gone { peer: NodeId([2; 32]), number: 8_u64 }, 1, "02*32 08")
}

pub(crate) fn meet() -> Known<Meet> {
    known(Meet { peers: vec![NodeId([1; 32]), NodeId([2; 32])] }, "02 01*32 02*32")
}

/// A statement by the node of so many, with a signature nobody made.
fn signed<S>(statement: S, by: u8, hex: &str) -> Known<Signed<S>> {
    let value = Signed { by: NodeId([by; 32]), statement, signature: Signature([9; 64]) };
    known(value, format!("{by:02x}*32 {hex} 09*64"))
}

pub(crate) fn voters() -> Known<VoterSet> {
    let value = VoterSet { number: 2_u64, voters: vec![NodeId([1; 32]), NodeId([2; 32])] };
    known(value, "02 02 01*32 02*32")
}

fn founder() -> Known<VoterSet> {
    known(VoterSet { number: 1_u64, voters: vec![NodeId([1; 32])] }, "01 01 01*32")
}

pub(crate) fn vote() -> Known<Signed<Vote>> {
    let statement = Vote {
        origin: NodeId([1; 32]),
        term: Term(5_u64),
        leader: NodeId([2; 32]),
        set: Hash([3; 32]),
    };
    signed(statement, 2, "01*32 05 02*32 03*32")
}

pub(crate) fn certificate() -> Known<Certificate> {
    let ((set, s), (previous, p)) = (voters(), founder());
    let value = Certificate {
        origin: NodeId([1; 32]),
        term: Term(5_u64),
        leader: NodeId([2; 32]),
        set,
        previous: Some(previous),
        votes: vec![(NodeId([1; 32]), Signature([9; 64]))],
    };
    known(value, format!("01*32 05 02*32 {s} 01 {p} 01 01*32 09*64"))
}

pub(crate) fn ballot() -> Known<Ballot> {
    let ((set, s), (proven, p)) = (voters(), founder());
    let (change, c) = certificate();
    let value = Ballot {
        term: Term(5_u64),
        voted: Some(NodeId([2; 32])),
        set: Some(set),
        set_term: Term(4_u64),
        proven: Some(proven),
        origin: Some(NodeId([1; 32])),
        changes: vec![change],
    };
    known(value, format!("05 01 02*32 01 {s} 04 01 {p} 01 01*32 01 {c}"))
}

pub(crate) fn plan() -> Known<Signed<Plan>> {
    let (id, i) = plan_id();
    let member = |node, device: u8, heads: (u32, u32), columns: (u32, u32)| Member {
        node: NodeId([node; 32]),
        device,
        kv_heads: HeadRange::new(heads.0, heads.1).unwrap(),
        ffn_columns: ColumnRange::new(columns.0, columns.1).unwrap(),
    };
    let members = vec![member(1, 0, (0, 2), (0, 1024)), member(2, 251, (2, 3), (1024, 1536))];
    let layers = LayerRange::new(0_u32, 30_u32).unwrap();
    let predicted = Predicted { ttft_us: 9, tpot_us: 8, requests_per_ks: 6, sessions: 5 };
    let statement = Plan {
        id,
        leader: NodeId([2; 32]),
        model: Hash([3; 32]),
        pipelines: vec![Pipeline {
            stages: vec![Stage { layers, members, step_us: 7 }],
            predicted,
        }],
    };
    let shares = "01*32 00 00 02 00 fb0004 02*32 fb 02 03 fb0004 fb0006";
    signed(statement, 2, &format!("{i} 02*32 03*32 01 01 00 1e 02 {shares} 07 09 08 06 05"))
}

pub(crate) fn hello() -> Known<Hello> {
    let ((certificate, c), (plan, p), (advert, a)) = (certificate(), plan(), advert());
    let value = Hello {
        certificate: Some(Box::new(certificate)),
        plan: Some(Box::new(plan)),
        advert: Box::new(advert),
    };
    known(value, format!("01 {c} 01 {p} {a}"))
}

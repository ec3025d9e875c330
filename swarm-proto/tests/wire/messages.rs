//! A value of every variant of every enum that travels, and its bytes beside it.

use swarm_proto::{
    Attempt, Bond, CouncilMessage, DeviceKind, Fault, Finish, FrameHeader, Message, Reason,
    RoundMessage, SessionMessage, Term, VoterSet, Word,
};

use crate::structs::{self, Known};

/// Values of all variants. The match makes a variant without a line here an error.
macro_rules! variants {
    ($name:ident: $type:ident { $($pattern:pat => $known:expr,)+ }) => {
        pub(crate) fn $name() -> Vec<Known<$type>> {
            use $type::*;
            const _: fn(&$type) = |value| match value { $($pattern => (),)+ };
            vec![$({
                let (value, hex): (_, String) = $known;
                assert!(matches!(&value, $pattern), "{value:?} stands beside another's pattern");
                (value, hex)
            },)+]
        }
    };
}

/// A value made of one that is known, after the mark of its variant.
fn of<Part, T>(known: Known<Part>, mark: &str, make: impl FnOnce(Part) -> T) -> Known<T> {
    (make(known.0), format!("{mark} {}", known.1))
}

fn plain<T>(value: T, hex: &str) -> Known<T> {
    (value, hex.to_owned())
}

fn of_attempt(
    mark: &str,
    rest: &str,
    make: impl FnOnce(Attempt) -> SessionMessage,
) -> Known<SessionMessage> {
    let (attempt, hex) = structs::attempt();
    (make(attempt), format!("{mark} {hex} {rest}"))
}

fn of_set(
    mark: &str,
    rest: &str,
    make: impl FnOnce(VoterSet) -> CouncilMessage,
) -> Known<CouncilMessage> {
    let (set, hex) = structs::voters();
    (make(set), format!("{mark} {hex} {rest}"))
}

/// A plan and the certificate of its leader.
fn of_plan(
    mark: &str,
    make: impl FnOnce(
        Box<swarm_proto::Signed<swarm_proto::Plan>>,
        Box<swarm_proto::Certificate>,
    ) -> RoundMessage,
) -> Known<RoundMessage> {
    let ((plan, p), (certificate, c)) = (structs::plan(), structs::certificate());
    (make(Box::new(plan), Box::new(certificate)), format!("{mark} {p} {c}"))
}

variants! { device_kinds: DeviceKind {
    Cpu => plain(Cpu, "00"),
    Cuda => plain(Cuda, "01"),
} }

variants! { finishes: Finish {
    Stop => plain(Stop, "00"),
    Length => plain(Length, "01"),
} }

variants! { faults: Fault {
    OtherPlan => plain(OtherPlan, "00"),
    Full => plain(Full, "01"),
    Stage => plain(Stage, "02"),
    Unknown => plain(Unknown, "03"),
    Numbers => plain(Numbers, "04"),
    TooLong { .. } => plain(TooLong { tokens_max: 1024 }, "05 fb0004"),
} }

variants! { sessions: SessionMessage {
    Open(_) => of(structs::open(), "00", |known| Open(Box::new(known))),
    Opened { .. } => of_attempt("01", "01 02", |attempt| {
        Opened { attempt, cached_blocks: 1_u32, blocks_max: 2_u32 }
    }),
    Prompt { .. } => of_attempt("02", "10 02 05 fbfb00 01", |attempt| {
        Prompt { attempt, position: 16_u32, tokens: vec![5_u32, 251_u32], last: true }
    }),
    Token(_) => of(structs::token(), "03", Token),
    Fault { .. } => of_attempt("04", "01", |attempt| {
        Fault { attempt, fault: swarm_proto::Fault::Full }
    }),
    Close { .. } => of_attempt("05", "", |attempt| Close { attempt }),
} }

variants! { councils: CouncilMessage {
    Ask { .. } => of_set("00 05 04", "01", |set| {
        Ask { term: Term(5), set_term: Term(4), set, pre: true }
    }),
    Could { .. } => plain(Could { term: Term(5) }, "01 05"),
    Voted(_) => of(structs::vote(), "02", |known| Voted(Box::new(known))),
    Certified(_) => of(structs::certificate(), "03", |known| Certified(Box::new(known))),
    Lead { .. } => plain(Lead { term: Term(5) }, "04 05"),
    Following { .. } => plain(Following { term: Term(5), set: 6 }, "05 05 06"),
    Change { .. } => of_set("06 05", "", |set| Change { term: Term(5), set }),
} }

variants! { rounds: RoundMessage {
    Propose { .. } => of_plan("00", |plan, certificate| Propose { plan, certificate }),
    Ready { .. } => of(structs::plan_id(), "01", |plan| Ready { plan }),
    Unready { .. } => plain(
        Unready { plan: structs::plan_id().0, reason: Reason::new("no") },
        "02 05 06 02 6e6f",
    ),
    Live { .. } => of_plan("03", |plan, certificate| Live { plan, certificate }),
    Withdrawn { .. } => of(structs::plan_id(), "04", |plan| Withdrawn { plan }),
} }

variants! { messages: Message {
    Beat(_) => of(structs::pulse(), "00", Beat),
    Session(_) => of(sessions().remove(5), "01", Session),
    Hello(_) => of(structs::hello(), "02", Hello),
    Council(_) => of(councils().remove(4), "03", Council),
    Round(_) => of(rounds().remove(1), "04", Round),
    Climb(_) => of(words().remove(1), "05 06", |word| Climb(swarm_proto::Climb { hops_left: 6, word })),
    Meet(_) => of(structs::meet(), "06", Meet),
} }

variants! { words: Word {
    Advert(_) => of(structs::advert(), "00", |known| Advert(Box::new(known))),
    Gone(_) => of(structs::gone(), "01", |known| Gone(Box::new(known))),
} }

variants! { bonds: Bond {
    Loose => plain(Loose, "00"),
    Near => plain(Near, "01"),
    Close => plain(Close, "02"),
} }

variants! { frames: FrameHeader {
    Rows(_) => of(structs::rows(), "00", Rows),
    Session(_) => of(sessions().remove(5), "01", Session),
    Sums(_) => of(structs::sums(), "02", Sums),
    Dropped(_) => of(structs::batch_id(), "03", Dropped),
} }

/// The enums above.
pub(crate) const ENUMS: [&str; 10] = [
    "DeviceKind",
    "Finish",
    "Fault",
    "SessionMessage",
    "CouncilMessage",
    "RoundMessage",
    "Message",
    "FrameHeader",
    "Word",
    "Bond",
];

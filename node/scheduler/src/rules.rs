//! What a cost model takes into account, and how much room it leaves.

/// Whose formulas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostFlavor {
    /// HexGen's: a block of `12 H^2` weights, full multi-head KV cache, peak rates, weight scan and
    /// arithmetic added up.
    Paper,
    /// The same sums over the model's true shape (grouped KV heads, gated FFN).
    Exact,
    /// The true shape, and what hardware was measured to reach: reading and arithmetic overlap, the
    /// KV cache is read, attention grows with the context, the token travels back.
    Fitted,
}

/// How tensor-parallel members add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// Reduce-scatter and all-gather: each sends a slice to every other, four times a layer.
    Sliced,
    /// Each sends all it has to every other at once, twice a layer.
    Direct,
}

/// The switches of a cost model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Whose formulas.
    pub flavor: CostFlavor,
    /// How members of a stage add up.
    pub exchange: Exchange,
    /// Bytes of an activation's element between stages.
    pub activation_bytes: f64,
    /// Bytes of an element that tensor-parallel members exchange.
    pub sum_bytes: f64,
    /// Memory that stays free on every device, in bytes.
    pub reserve_bytes: u64,
    /// Whether every device sets room for the embedding and the head aside, as the tables of the
    /// HexGen reproduction do, and not only those that hold them.
    pub ends_everywhere: bool,
    /// Tensor-parallel degrees of 1, 2, 4 and 8 only, and even shares.
    pub powers_of_two: bool,
    /// Whether the last stage's token pays its way back to the first.
    pub token_return: bool,
    /// Whether devices may be left out.
    pub idle: bool,
    /// The most requests that a stage steps together.
    pub batch_max: u32,
}

impl Rules {
    /// HexGen's own.
    pub fn paper() -> Self {
        Self { flavor: CostFlavor::Paper, ..Self::exact() }
    }

    /// HexGen's sums over the model's true shape.
    pub fn exact() -> Self {
        Self {
            flavor: CostFlavor::Exact,
            exchange: Exchange::Sliced,
            activation_bytes: 2.0,
            sum_bytes: 2.0,
            reserve_bytes: 1_500_000_000,
            ends_everywhere: true,
            powers_of_two: true,
            token_return: false,
            idle: true,
            batch_max: 1,
        }
    }

    /// What we believe of real hardware.
    pub fn fitted() -> Self {
        Self {
            flavor: CostFlavor::Fitted,
            ends_everywhere: false,
            powers_of_two: false,
            token_return: true,
            batch_max: 32,
            ..Self::exact()
        }
    }

    /// What our own engine does: wide activations and sums, everybody's to everybody, no reserve.
    pub fn engine() -> Self {
        Self {
            exchange: Exchange::Direct,
            activation_bytes: 4.0,
            sum_bytes: 8.0,
            reserve_bytes: 0,
            ..Self::fitted()
        }
    }

    /// Batches to try, each so many times the one before; the largest is the last.
    pub(crate) fn batches(&self, step: u32) -> Vec<u32> {
        let most = self.batch_max.max(1);
        let mut all: Vec<u32> = std::iter::successors(Some(1u32), |batch| batch.checked_mul(step))
            .take_while(|batch| *batch < most)
            .collect();
        all.push(most);
        all
    }

    /// Whether reading and arithmetic take turns, and neither KV cache nor attention costs time.
    pub(crate) fn plain(&self) -> bool {
        self.flavor != CostFlavor::Fitted
    }
}

/// What is done of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its prompt and its answer.
    Both,
    /// Its prompt.
    Prefill,
    /// Its answer.
    Decode,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Workload {
    /// Tokens of a prompt.
    pub input_tokens: u32,
    /// Tokens of an answer.
    pub output_tokens: u32,
    /// Requests a second; none if the plan is to serve as many as it can.
    pub requests_per_s: Option<f64>,
}

impl Workload {
    /// Tokens whose KV cache a request needs room for.
    pub(crate) fn context(&self) -> u32 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

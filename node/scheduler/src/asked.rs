//! What people ask of a plan, as they write it.

use std::{fmt, str::FromStr};

use crate::{
    catalogue::nearest_name,
    ground::Model,
    phase2::Objective,
    pool_file::PoolFile,
    propose::{Ask, Planner, propose},
    rules::{Rules, Workload},
};

/// Tokens of a prompt, and of an answer, at most.
pub const TOKENS_MAX: u32 = 1 << 20;
/// Neither a deadline nor a rate is more.
const FIGURE_MAX: f64 = 1e9;

impl Planner {
    /// Those that are asked for by name, ours first.
    pub const NAMED: [Self; 10] = [
        Self::Default,
        Self::Replicas,
        Self::Hexgen,
        Self::HexgenRandom,
        Self::Symmetric,
        Self::Petals,
        Self::Helix,
        Self::Hexgen2,
        Self::Parallax,
        Self::Exhaustive,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Replicas => "replicas",
            Self::Hexgen => "hexgen",
            Self::HexgenRandom => "hexgen-random",
            Self::HexgenInitial => "hexgen-initial",
            Self::Exhaustive => "exhaustive",
            Self::Symmetric => "symmetric",
            Self::Petals => "petals",
            Self::Helix => "helix",
            Self::Hexgen2 => "hexgen2",
            Self::Parallax => "parallax",
        }
    }

    /// What it does, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Default => "The best there is",
            Self::Replicas => "The best of replicas that share nothing, as a swarm can run them",
            Self::Hexgen => "HexGen's: K-means, then merge, split and swap",
            Self::HexgenRandom => "HexGen's baseline: changes at random",
            Self::HexgenInitial => "HexGen's beginning alone: K-means",
            Self::Exhaustive => "Every partition: for a few devices",
            Self::Symmetric => {
                "HexGen with one degree and equal layers for all stages of a pipeline"
            }
            Self::Petals => "Petals': servers of one device take the layers that are served least",
            Self::Helix => "Helix': the placement with the largest flow",
            Self::Hexgen2 => "HexGen-2's: prompts and answers on devices of their own",
            Self::Parallax => "Parallax': few stages, layers by speed",
        }
    }

    /// Whether its sums are HexGen's own.
    pub fn hexgens(self) -> bool {
        matches!(self, Self::Hexgen | Self::HexgenRandom | Self::HexgenInitial)
    }
}

impl fmt::Display for Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Planner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::NAMED.into_iter().find(|planner| planner.name() == text);
        known.ok_or_else(|| {
            let names = Self::NAMED.map(Self::name);
            let near = nearest_name(text, names.into_iter()).unwrap_or_default();
            format!(
                "no planner is called `{text}`; did you mean {near}? There are {}",
                names.join(", ")
            )
        })
    }
}

/// A deadline: milliseconds, or times what eight A100 take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Deadline {
    /// Milliseconds.
    Ms(f64),
    /// Times the reference.
    Times(f64),
}

impl Deadline {
    /// In milliseconds; none if eight A100 do not hold the model, and it counts what they take.
    pub fn ms(self, model: &Model, workload: Workload) -> Option<f64> {
        match self {
            Self::Ms(ms) => Some(ms),
            Self::Times(times) => reference_ms(model, workload).map(|ms| times * ms),
        }
    }
}

/// What eight A100 of 40 GB with TP 8 take for a request, by HexGen's sums.
pub fn reference_ms(model: &Model, workload: Workload) -> Option<f64> {
    let pool = "[[machine]]\ngpu = \"A100-SXM-40GB\"\ngpus = 8\n";
    let pool = PoolFile::parse(pool, &|_| Err(std::io::ErrorKind::NotFound.into())).ok()?;
    let ground = pool.ground(model.clone(), Rules::exact(), workload);
    let ask = Ask { planner: Planner::Hexgen, objective: Objective::Latency, seed: 0 };
    propose(&ground, &ask).map(|found| found.routes[0].latency_ms)
}

/// Above nothing, and not absurd.
fn figure(text: &str) -> Option<f64> {
    text.parse().ok().filter(|x| (f64::MIN_POSITIVE..=FIGURE_MAX).contains(x))
}

impl FromStr for Deadline {
    type Err = String;

    /// Reads `5s`, `800ms` or `5x`.
    fn from_str(text: &str) -> Result<Self, String> {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        match (figure(&text[..text.len() - unit.len()]), unit) {
            (Some(x), "s") => Ok(Self::Ms(x * 1e3)),
            (Some(x), "ms") => Ok(Self::Ms(x)),
            (Some(x), "x") => Ok(Self::Times(x)),
            _ => Err(format!(
                "write 5s, 800ms, or 5x for five times what eight A100 take; from above 0 to \
                 {FIGURE_MAX:e}"
            )),
        }
    }
}

impl FromStr for Workload {
    type Err = String;

    /// Reads `IN,OUT` or `IN,OUT,RATE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let (tokens, rate) = match parts[..] {
            [input, output] => ((input, output), Some(None)),
            [input, output, rate] => ((input, output), figure(rate).map(Some)),
            _ => return Err("write IN,OUT or IN,OUT,RATE, such as 512,128,0.5".to_owned()),
        };
        let count = |text: &str| text.parse::<u32>().ok().filter(|n| (1..=TOKENS_MAX).contains(n));
        match (count(tokens.0), count(tokens.1), rate) {
            (Some(input_tokens), Some(output_tokens), Some(requests_per_s)) => {
                Ok(Self { input_tokens, output_tokens, requests_per_s })
            }
            _ => Err(format!(
                "IN and OUT are from 1 to {TOKENS_MAX} tokens, RATE is above 0 and at most \
                 {FIGURE_MAX:e} requests a second"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_or_told_what_may_stand_there() {
        assert_eq!("5x".parse(), Ok(Deadline::Times(5.0)));
        assert_eq!("0.8s".parse(), Ok(Deadline::Ms(800.0)));
        assert_eq!("250ms".parse(), Ok(Deadline::Ms(250.0)));
        for wrong in ["5", "x", "0s", "-1s", "1e3s", "9999999999s", "5 s", "nans", ""] {
            assert!(wrong.parse::<Deadline>().unwrap_err().contains("5s, 800ms"), "{wrong}");
        }
        let read: Workload = "512, 128, 0.5".parse().unwrap();
        assert_eq!((read.input_tokens, read.output_tokens), (512, 128));
        assert_eq!(read.requests_per_s, Some(0.5));
        assert!("5".parse::<Workload>().unwrap_err().contains("IN,OUT,RATE"));
        for wrong in ["0,5", "5,0", "5,5,0", "5,5,2e9", "5,5,x", "5,5,", "9999999,5"] {
            assert!(wrong.parse::<Workload>().unwrap_err().contains("1 to 1048576"), "{wrong}");
        }
        for planner in Planner::NAMED {
            assert_eq!(planner.name().parse(), Ok(planner));
        }
        assert!("hexgne".parse::<Planner>().unwrap_err().contains("did you mean hexgen?"));
    }

    #[test]
    fn a_deadline_by_the_reference_counts_what_eight_cards_take() {
        let model = |name| {
            let facts = crate::catalogue::model(name).unwrap();
            facts.model(crate::catalogue::format("fp16").unwrap())
        };
        let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
        let one = Deadline::Times(1.0).ms(&model("llama-2-70b"), workload).unwrap();
        assert!((one - 1446.0).abs() < 30.0, "{one}");
        assert_eq!(Deadline::Times(1.0).ms(&model("llama-3.1-405b"), workload), None);
    }
}

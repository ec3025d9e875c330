//! `--device`: what to compute on, and how much of it.

use std::{num::NonZeroUsize, str::FromStr};

/// Threads of one CPU device at most: beyond it is a typing error.
const THREADS_MAX: usize = 1024;

/// A device of this host to compute on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The processor.
    Cpu {
        /// Threads; `None` for as many as it has cores.
        threads: Option<usize>,
        /// Memory to use at most; `None` for half of the host's.
        memory_bytes: Option<u64>,
    },
    /// An NVIDIA GPU.
    Cuda {
        /// Its number.
        index: u8,
        /// Memory to use at most.
        memory_bytes: Option<u64>,
    },
}

/// A `--device` that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "device `{given}`: {reason}. Write cpu, cpu:threads=4,memory=8GiB, cuda:0, cuda:0:memory=20GiB, \
     auto or none"
)]
pub struct DeviceError {
    /// What was written.
    pub given: String,
    /// What is wrong with it.
    pub reason: String,
}

pub(super) fn parse_all(given: &[String]) -> Result<Vec<DeviceChoice>, DeviceError> {
    let auto = DeviceChoice::Cpu { threads: None, memory_bytes: None };
    match given {
        [] => Ok(vec![auto]),
        [one] if one == "auto" => Ok(vec![auto]),
        [one] if one == "none" => Ok(Vec::new()),
        several => several.iter().map(|text| text.parse()).collect(),
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(given: &str) -> Result<Self, DeviceError> {
        parse(given).map_err(|reason| DeviceError { given: given.to_owned(), reason })
    }
}

fn parse(given: &str) -> Result<DeviceChoice, String> {
    let mut parts = given.split(':');
    match parts.next() {
        Some("cpu") => {
            let (mut threads, mut memory_bytes) = (None, None);
            for (key, value) in settings(parts.next())? {
                match key {
                    "threads" => threads = Some(count(value)?),
                    "memory" => memory_bytes = Some(size(value)?),
                    other => return Err(format!("`{other}` is neither threads nor memory")),
                }
            }
            nothing_after(parts.next())?;
            Ok(DeviceChoice::Cpu { threads, memory_bytes })
        }
        Some("cuda") => {
            let index = parts.next().ok_or("which GPU? cuda:0 is the first")?;
            let index = index.parse().map_err(|_| format!("`{index}` is no GPU number"))?;
            let mut memory_bytes = None;
            for (key, value) in settings(parts.next())? {
                match key {
                    "memory" => memory_bytes = Some(size(value)?),
                    other => return Err(format!("`{other}` is not memory")),
                }
            }
            nothing_after(parts.next())?;
            Ok(DeviceChoice::Cuda { index, memory_bytes })
        }
        _ => Err("neither cpu nor cuda".to_owned()),
    }
}

/// Splits `a=1,b=2`.
fn settings(text: Option<&str>) -> Result<Vec<(&str, &str)>, String> {
    let pairs = text.into_iter().flat_map(|text| text.split(','));
    pairs.map(|pair| pair.split_once('=').ok_or(format!("`{pair}` has no `=`"))).collect()
}

fn nothing_after(part: Option<&str>) -> Result<(), String> {
    part.map_or(Ok(()), |part| Err(format!("`:{part}` is too much")))
}

fn count(text: &str) -> Result<usize, String> {
    let threads: NonZeroUsize = text.parse().map_err(|_| format!("`{text}` is no thread count"))?;
    if threads.get() > THREADS_MAX {
        return Err(format!("{threads} threads are more than {THREADS_MAX}"));
    }
    Ok(threads.get())
}

/// Reads `512MiB`, `8GiB`, `8GB`, `1000000`.
pub fn size(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit_bytes = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        other => return Err(format!("`{other}` is no unit: use B, KiB, MiB, GiB, KB, MB or GB")),
    };
    let number: f64 = number.parse().map_err(|_| format!("`{text}` is no size"))?;
    let bytes = number * unit_bytes;
    if !(1.0..=(1u64 << 50) as f64).contains(&bytes) {
        return Err(format!("`{text}` is not between 1 B and 1 PiB"));
    }
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read() {
        let cpu = DeviceChoice::Cpu { threads: Some(2), memory_bytes: Some(512 << 20) };
        assert_eq!("cpu:threads=2,memory=512MiB".parse(), Ok(cpu));
        let cuda = DeviceChoice::Cuda { index: 1, memory_bytes: None };
        assert_eq!("cuda:1".parse(), Ok(cuda));
        assert_eq!(parse_all(&["none".into()]), Ok(vec![]));
    }

    #[test]
    fn nonsense_is_named() {
        for (given, reason) in [
            ("gpu", "neither cpu nor cuda"),
            ("cpu:threads=0", "no thread count"),
            ("cpu:cores=2", "neither threads nor memory"),
            ("cpu:memory=1e99GiB", "no unit"),
            ("cpu:memory=99999999GiB", "1 PiB"),
            ("cuda", "which GPU"),
            ("cuda:0:memory=1GiB:x", "too much"),
        ] {
            let error = given.parse::<DeviceChoice>().unwrap_err().to_string();
            assert!(error.contains(reason), "{given}: {error}");
        }
    }
}

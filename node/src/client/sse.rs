//! Server-sent events out of a stream of bytes.

use color_eyre::eyre::bail;

/// Bytes of one event at most: far beyond any token's.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// Gathers bytes until events are whole.
#[derive(Debug, Default)]
pub(super) struct Splitter(Vec<u8>);

impl Splitter {
    /// More bytes; the data of every event that is whole now.
    pub(super) fn push(&mut self, bytes: &[u8]) -> color_eyre::Result<Vec<String>> {
        self.0.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.0.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = self.0.drain(..end + 2).collect();
            let event = String::from_utf8(event)?;
            let data: Vec<_> =
                event.lines().filter_map(|line| line.strip_prefix("data:")).collect();
            if !data.is_empty() {
                events.push(data.join("\n").trim_start().to_owned());
            }
        }
        if self.0.len() > EVENT_BYTES_MAX {
            bail!("an event of more than {EVENT_BYTES_MAX} bytes");
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_may_come_in_pieces() {
        let mut splitter = Splitter::default();
        assert!(splitter.push(b": hello\n\ndata: {\"a\"").unwrap().is_empty());
        assert_eq!(splitter.push(b":1}\n\ndata: [DONE]\n\n").unwrap(), ["{\"a\":1}", "[DONE]"]);
    }
}

//! Server-sent events out of a stream of bytes.

use color_eyre::eyre::bail;

/// Bytes of one event at most: far beyond any token's.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// Gathers bytes until events are whole.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    line: Vec<u8>,
    /// Lines of data so far.
    data: Option<String>,
}

impl Splitter {
    /// More bytes; the data of every event that is whole now.
    pub(super) fn push(&mut self, bytes: &[u8]) -> color_eyre::Result<Vec<String>> {
        let mut events = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.len() > EVENT_BYTES_MAX {
                bail!("an event of more than {EVENT_BYTES_MAX} bytes");
            }
            if part.ends_with(b"\n") {
                let line = String::from_utf8(std::mem::take(&mut self.line))?;
                events.extend(self.line(line.trim_end_matches(['\r', '\n']))?);
            }
        }
        Ok(events)
    }

    /// Takes a line in; the data of the event that it ends.
    fn line(&mut self, line: &str) -> color_eyre::Result<Option<String>> {
        if line.is_empty() {
            return Ok(self.data.take());
        }
        if let Some(more) = line.strip_prefix("data:") {
            let more = more.strip_prefix(' ').unwrap_or(more);
            let data = match self.data.take() {
                None => more.to_owned(),
                Some(data) => data + "\n" + more,
            };
            if data.len() > EVENT_BYTES_MAX {
                bail!("an event of more than {EVENT_BYTES_MAX} bytes");
            }
            self.data = Some(data);
        }
        Ok(None)
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

    #[test]
    fn lines_may_end_as_on_the_wire_of_others() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.push(b"id: 1\r\ndata:a\r\ndata: b\r\n\r\n").unwrap(), ["a\nb"]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let (mut line, mut lines) = (Splitter::default(), Splitter::default());
        assert!(line.push(&vec![b'x'; EVENT_BYTES_MAX + 1]).is_err());
        assert!(lines.push(&b"data: xxxxxxxx\n".repeat(EVENT_BYTES_MAX / 8 + 1)).is_err());
    }
}

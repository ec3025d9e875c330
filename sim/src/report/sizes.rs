//! Pictures of swarms of several sizes at rest: what being one of them costs, and how long things take.

use crate::Scaled;

use super::{Chart, Key, Series};

/// Pictures by their names: neither shows how fast this machine is, so that the same seed draws the
/// same.
pub fn sizes(swarms: &[Scaled]) -> [(&'static str, Chart); 3] {
    let line = |label: &str, of: &dyn Fn(&Scaled) -> Option<f64>| Series {
        label: label.to_owned(),
        points: swarms.iter().filter_map(|s| Some((s.peers as f64, of(s)?))).collect(),
        ..Series::default()
    };
    let chart = |title: &str, y: &str, key, series| Chart {
        title: title.to_owned(),
        x: "peers".to_owned(),
        y: y.to_owned(),
        log_x: true,
        log_y: true,
        key,
        series,
        ..Chart::default()
    };
    let kib = |bytes: f64| Some(bytes / 1024.0);
    let ms = |told: Option<u64>| told.map(|ms| ms as f64);
    let bytes = vec![
        line("sent, mean", &|s| kib(s.sent_bytes_per_s.mean)),
        line("sent, p99", &|s| kib(s.sent_bytes_per_s.p99)),
        line("received, p99", &|s| kib(s.received_bytes_per_s.p99)),
        line("of a voter, most", &|s| kib(s.voter_bytes_per_s.max)),
    ];
    let messages = vec![
        line("mean", &|s| Some(s.messages_per_s.mean)),
        line("p99", &|s| Some(s.messages_per_s.p99)),
        line("most", &|s| Some(s.messages_per_s.max)),
    ];
    let times = vec![
        line("a death is noticed, mean", &|s| Some(s.noticed_ms.mean)),
        line("a death is noticed, most", &|s| Some(s.noticed_ms.max)),
        line("all know a plan after the last came", &|s| ms(s.live_ms)),
        line("all know a plan after a stage is lost", &|s| ms(s.replanned_ms)),
        line("another leads after the leader died", &|s| ms(s.elected_ms)),
        line("all follow it", &|s| ms(s.agreed_ms)),
    ];
    [
        ("scale-bytes", chart("control bytes of a peer", "KiB/s", Key::LowerLeft, bytes)),
        ("scale-messages", chart("control messages of a peer", "1/s", Key::UpperRight, messages)),
        ("scale-times", chart("time until", "ms", Key::LowerRight, times)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_seen_has_no_point() {
        let swarm = |peers, elected_ms| Scaled { peers, elected_ms, ..Scaled::default() };
        let [.., (_, times)] = sizes(&[swarm(10, Some(500)), swarm(100, None)]);
        let line = times.series.iter().find(|line| line.label.starts_with("another"));
        assert_eq!(line.unwrap().points, [(10.0, 500.0)]);
    }
}

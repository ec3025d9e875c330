//! Percentiles, by the nearest rank.

/// The place, in order, of the first of so many that a part of all are not above.
pub(crate) fn nearest(count: usize, part: f64) -> usize {
    ((count as f64 * part).ceil() as usize).max(1) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_of_a_hundred_are_not_above() {
        for count in (100..=100_000).step_by(100) {
            assert_eq!(nearest(count, 0.99), count * 99 / 100 - 1);
            assert_eq!(nearest(count, 0.5), count / 2 - 1);
        }
        assert_eq!([0, 1, 2, 3].map(|count| nearest(count, 0.5)), [0, 0, 0, 1]);
        assert_eq!([99, 101].map(|count| nearest(count, 0.99)), [98, 99]);
    }
}

//! What was found once, for whoever asks again.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// More answers than this are not kept.
const KNOWN_MAX: usize = 10_000;

/// Answers by what was asked. Of those who ask the same at one time one looks for the answer, and
/// the others wait for it.
pub(crate) struct Memo<K, V> {
    known: Mutex<BTreeMap<K, Arc<OnceLock<V>>>>,
}

impl<K: Ord, V: Clone> Memo<K, V> {
    pub(crate) const fn new() -> Self {
        Self { known: Mutex::new(BTreeMap::new()) }
    }

    /// The answer, which `find` gives if it is not known yet.
    pub(crate) fn get(&self, asked: K, find: impl FnOnce() -> V) -> V {
        match self.place(asked) {
            Some(place) => place.get_or_init(find).clone(),
            None => find(),
        }
    }

    /// Where the answer is, or is to be; nowhere if there is no room for one more.
    fn place(&self, asked: K) -> Option<Arc<OnceLock<V>>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            return known.get(&asked).cloned();
        }
        Some(Arc::clone(known.entry(asked).or_default()))
    }
}

impl<K, V> fmt::Debug for Memo<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Barrier,
            atomic::{AtomicUsize, Ordering},
        },
        thread,
    };

    use super::*;

    #[test]
    fn of_many_that_ask_at_once_one_looks() {
        let (memo, looked, begin) = (Memo::new(), AtomicUsize::new(0), Barrier::new(8));
        let ask = || {
            begin.wait();
            memo.get(7, || {
                // Long enough for all others to have asked.
                thread::sleep(std::time::Duration::from_millis(50));
                looked.fetch_add(1, Ordering::Relaxed)
            })
        };
        let answers: Vec<usize> = thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!((answers, looked.into_inner()), (vec![0; 8], 1));
    }

    #[test]
    fn who_finds_no_room_looks_each_time() {
        let memo = Memo::new();
        (0..KNOWN_MAX).for_each(|number| assert_eq!(memo.get(number, || number), number));
        assert_eq!(memo.get(0, || unreachable!("it is known")), 0);
        assert_eq!(memo.get(KNOWN_MAX, || 1), 1);
        assert_eq!(memo.get(KNOWN_MAX, || 2), 2);
    }
}

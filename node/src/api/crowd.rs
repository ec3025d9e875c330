//! All connections, and which of them nobody uses.
//!
//! There are as many as there may be; then the next takes the place of the one that has been idle
//! longest. So whoever holds connections open and asks nothing keeps nobody out, and whoever is
//! being answered is left alone.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::task::{AbortHandle, Id, JoinSet};

/// Connections at a time: more than requests that are answered at a time, and far fewer than the
/// 1024 files that a process may usually have open, for the network needs some as well.
const CONNECTIONS_MAX: usize = 400;

/// What stands for "not idle".
const BUSY: u64 = u64::MAX;

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    tasks: JoinSet<()>,
    places: HashMap<Id, (AbortHandle, Arc<Place>)>,
    clock: Arc<AtomicU64>,
}

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Place {
    /// When it became idle, by a clock that counts such events.
    idle_since: AtomicU64,
    clock: Arc<AtomicU64>,
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Visit(Arc<Place>);

impl Crowd {
    /// Whether there is room for one more, if need be at the cost of an idle one.
    pub(super) fn make_room(&mut self) -> bool {
        if self.places.len() < CONNECTIONS_MAX {
            return true;
        }
        let since = |place: &Place| place.idle_since.load(Ordering::Relaxed);
        let idlest = self.places.iter().min_by_key(|(_, (_, place))| since(place));
        let Some((id, (task, place))) = idlest else { return false };
        if since(place) == BUSY {
            return false;
        }
        task.abort();
        let id = *id;
        self.places.remove(&id);
        true
    }

    /// Lets a connection in.
    pub(super) fn admit<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        serve: impl FnOnce(Arc<Place>) -> F,
    ) {
        let clock = Arc::clone(&self.clock);
        let place = Arc::new(Place { idle_since: AtomicU64::new(tick(&clock)), clock });
        let task = self.tasks.spawn(serve(Arc::clone(&place)));
        self.places.insert(task.id(), (task, place));
    }

    /// Waits until a connection has ended; for ever if there is none.
    pub(super) async fn one_left(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            None => std::future::pending().await,
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
        };
        self.places.remove(&id);
    }

    /// Waits until all connections have ended.
    pub(super) async fn all_left(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Place {
    /// A request has come.
    pub(super) fn visit(self: &Arc<Self>) -> Visit {
        self.idle_since.store(BUSY, Ordering::Relaxed);
        Visit(Arc::clone(self))
    }
}

impl Visit {
    /// A body with whose end the visit ends.
    pub(super) fn until_end_of(self, body: Body) -> Visited {
        Visited { body, _visit: self }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.idle_since.store(tick(&self.0.clock), Ordering::Relaxed);
    }
}

fn tick(clock: &AtomicU64) -> u64 {
    clock.fetch_add(1, Ordering::Relaxed)
}

/// The body of an answer that is being told.
pub(super) struct Visited {
    body: Body,
    _visit: Visit,
}

impl HttpBody for Visited {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> (Crowd, Vec<Arc<Place>>) {
        let (mut crowd, mut places) = (Crowd::default(), Vec::new());
        for _ in 0..CONNECTIONS_MAX {
            assert!(crowd.make_room());
            crowd.admit(|place| {
                places.push(Arc::clone(&place));
                std::future::pending()
            });
        }
        (crowd, places)
    }

    #[tokio::test]
    async fn the_one_that_was_idle_longest_makes_room() {
        let (mut crowd, places) = full();
        let _answered = places[0].visit();
        drop(places[1].visit());
        assert!(crowd.make_room());
        let stays = |place| crowd.places.values().any(|(_, other)| Arc::ptr_eq(other, place));
        let gone: Vec<_> = (0..places.len()).filter(|n| !stays(&places[*n])).collect();
        assert_eq!(gone, [2], "the first is being answered, the second was a moment ago");
    }

    #[tokio::test]
    async fn whoever_is_being_answered_is_left_alone() {
        let (mut crowd, places) = full();
        let mut visits: Vec<_> = places.iter().map(Place::visit).collect();
        assert!(!crowd.make_room());
        visits.pop();
        assert!(crowd.make_room(), "one of them has its answer");
        assert_eq!(crowd.places.len(), CONNECTIONS_MAX - 1);
    }
}

//! What waits for a socket: put there by the hub, taken by the socket's task. It holds memory while something waits,
//! and none otherwise.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::hub::Item;

/// What may wait for a socket before it counts as too slow.
pub const MOST_WAITING: usize = 1_024;
/// Room for so many is kept after a burst.
const KEPT: usize = 8;

/// What waits for one socket.
#[derive(Debug, Default)]
pub struct Waiting {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    /// Whether it was too slow: nothing comes any more.
    slow: bool,
    waker: Option<Waker>,
}

impl Waiting {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something there. Answers whether there was room; where there was none, nothing comes any more.
    pub fn put(&self, item: Item) -> bool {
        let mut state = self.state();
        let room = state.items.len() < MOST_WAITING;
        if room {
            state.items.push_back(item);
        } else {
            state.slow = true;
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        room
    }

    /// What came first, where there is something.
    pub fn try_next(&self) -> Option<Item> {
        self.state().take()
    }

    /// Waits for the next. `None` where the socket was too slow, and all that waited is taken.
    pub async fn next(&self) -> Option<Item> {
        poll_fn(|context| {
            let mut state = self.state();
            match state.take() {
                Some(item) => Poll::Ready(Some(item)),
                None if state.slow => Poll::Ready(None),
                None => state.wait(context),
            }
        })
        .await
    }

    /// Whether the socket was too slow; wakes the task once it is.
    pub fn poll_slow(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.slow { Poll::Ready(()) } else { state.wait(context) }
    }
}

impl State {
    fn take(&mut self) -> Option<Item> {
        let item = self.items.pop_front();
        if self.items.is_empty() && self.items.capacity() > KEPT {
            self.items = VecDeque::new();
        }
        item
    }

    fn wait<T>(&mut self, context: &Context<'_>) -> Poll<T> {
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn room(waiting: &Waiting) -> usize {
        waiting.state().items.capacity()
    }

    #[test]
    fn an_empty_one_holds_no_room_that_a_burst_took() {
        let waiting = Waiting::default();
        assert_eq!(room(&waiting), 0);
        for _ in 0..MOST_WAITING {
            assert!(waiting.put(Item::Anew));
        }
        while waiting.try_next().is_some() {}
        assert_eq!(room(&waiting), 0);
    }

    #[test]
    fn a_full_one_says_that_it_was_too_slow_behind_what_waits() {
        let waiting = Waiting::default();
        let slow = || poll_fn(|context| waiting.poll_slow(context)).now_or_never().is_some();
        assert!(waiting.next().now_or_never().is_none());
        while waiting.put(Item::Anew) {}
        assert!(slow());
        for _ in 0..MOST_WAITING {
            assert!(matches!(waiting.next().now_or_never(), Some(Some(Item::Anew))));
        }
        assert!(matches!(waiting.next().now_or_never(), Some(None)));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let waiting = std::sync::Arc::new(Waiting::default());
        let there = std::sync::Arc::clone(&waiting);
        let task = tokio::spawn(async move { there.next().await.is_some() });
        tokio::task::yield_now().await;
        waiting.put(Item::Stop);
        assert!(task.await.unwrap());
    }
}

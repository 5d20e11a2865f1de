//! What an engine remembers for a minute, so that a slow `connect` is refused.

use std::collections::{HashMap, VecDeque};

use crate::presence::engine::ENDED_MEMORY;
use crate::timestamp::Timestamp;

/// What is remembered for [`ENDED_MEMORY`] and then forgotten.
#[derive(Debug)]
pub(super) struct Memory<K, V> {
    values: HashMap<K, (V, Timestamp)>,
    forget: VecDeque<(Timestamp, K)>,
}

impl<K: Copy + Eq + std::hash::Hash, V: Clone> Memory<K, V> {
    pub(super) fn new() -> Self {
        Self { values: HashMap::new(), forget: VecDeque::new() }
    }

    pub(super) fn set(&mut self, key: K, value: V, now: Timestamp) {
        self.sweep(now);
        let until = now.plus(ENDED_MEMORY);
        self.values.insert(key, (value, until));
        self.forget.push_back((until, key));
    }

    pub(super) fn get(&self, key: K, now: Timestamp) -> Option<V> {
        self.values.get(&key).filter(|(_, until)| *until > now).map(|(value, _)| value.clone())
    }

    fn sweep(&mut self, now: Timestamp) {
        while self.forget.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, key)) = self.forget.pop_front()
                && self.values.get(&key).is_some_and(|(_, until)| *until <= now)
            {
                self.values.remove(&key);
            }
        }
    }
}

//! Where records stand: in chunks of fixed size, so that growing copies nothing and leaves no slack.

use std::ops::{Index, IndexMut};

use super::record::{HELD, Record};

/// No place: the end of a list.
pub(super) const NONE: u32 = u32::MAX;
/// A chunk has so many places, as a power of two: 1.5 MB, of which the system gives what is used.
const CHUNK: u32 = 15;

/// Records by their places.
#[derive(Debug)]
pub(super) struct Slab {
    chunks: Vec<Vec<Record>>,
    /// The first vacant place; its record names the next.
    vacant: u32,
}

impl Slab {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), vacant: NONE }
    }

    /// Puts a record at the place that was left last, or at a new one.
    pub(super) fn insert(&mut self, record: Record) -> u32 {
        if self.vacant != NONE {
            let place = self.vacant;
            self.vacant = self[place].next;
            self[place] = record;
            return place;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == 1 << CHUNK) {
            self.chunks.push(Vec::with_capacity(1 << CHUNK));
        }
        let place = self.end();
        // There is one: it was just looked at.
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(record);
        }
        place
    }

    pub(super) fn remove(&mut self, place: u32) -> Record {
        let vacant = Record::vacant(self.vacant);
        self.vacant = place;
        std::mem::replace(&mut self[place], vacant)
    }

    /// The place after the last.
    pub(super) fn end(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1) << CHUNK;
        // A shard has less than two billion users.
        u32::try_from(full + self.chunks.last().map_or(0, Vec::len)).unwrap_or(NONE)
    }

    /// What it has allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<Record>()).sum()
    }

    /// All that are held.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.chunks.iter().flatten().filter(|record| record.marks & HELD != 0)
    }
}

impl Index<u32> for Slab {
    type Output = Record;

    fn index(&self, place: u32) -> &Record {
        &self.chunks[(place >> CHUNK) as usize][(place & ((1 << CHUNK) - 1)) as usize]
    }
}

impl IndexMut<u32> for Slab {
    fn index_mut(&mut self, place: u32) -> &mut Record {
        &mut self.chunks[(place >> CHUNK) as usize][(place & ((1 << CHUNK) - 1)) as usize]
    }
}

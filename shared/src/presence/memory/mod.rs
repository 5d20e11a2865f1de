//! The engine of the stand-alone program: the same rules in one process's memory.
//!
//! - [`shard`]: the state and its operations, synchronous, with the time passed in.
//! - [`journal`]: what a restart begins with. An operation that makes a transition is answered after the journal has
//!   it; deadlines that heartbeats moved are written behind, twice a second.

pub mod journal;
mod operations;
mod remembered;
pub mod shard;

pub use operations::MemoryEngine;

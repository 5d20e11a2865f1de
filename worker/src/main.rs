//! Lastseen.
fn main() {}

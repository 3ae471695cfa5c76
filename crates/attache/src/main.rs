//! Attache.
fn main() {}

//! Where the truth about lines comes from.
//!
//! [`Simulator`] is a mobile network in memory: it answers the query path as a network does, and its
//! operator can change it while it runs. [`csv`] reads and writes its lines as files.

pub mod csv;
mod simulator;

pub use simulator::{ChangeError, Condition, Filter, Imported, NewLine, Simulator};

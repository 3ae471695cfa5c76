use crate::Timestamp;

/// Where the time comes from. Nothing else reads a clock, but for measuring durations and for
/// judging what others have dated; so the sandbox and the tests can turn it.
pub trait Clock: Send + Sync {
    /// The time that it is now.
    fn now(&self) -> Timestamp;
}

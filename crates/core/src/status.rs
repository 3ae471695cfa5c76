use crate::{Plmn, Timestamp};

/// Something that the network saw, and when it last confirmed it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observed<T> {
    /// What was seen.
    pub value: T,
    /// When the network last confirmed it: never the time of an answer.
    pub confirmed_at: Timestamp,
}

/// What the network knows of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// The network that serves the line.
    pub serving: Observed<Plmn>,
    /// Whether the line can be reached by data.
    pub data: bool,
    /// Whether the line can be reached by SMS.
    pub sms: bool,
    /// When the network last confirmed both reachabilities.
    pub reachability_confirmed_at: Timestamp,
}

use crate::{Plmn, Technology, Timestamp};

/// What the network knows of a line: three things, each with the time when the network last confirmed
/// it, which is never the time of an answer.
///
/// The times stand beside their values and not around them: so it is 32 bytes, of which a million lines
/// hold one each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// The network that serves the line.
    pub serving: Plmn,
    /// When the network last confirmed that.
    pub serving_confirmed_at: Timestamp,
    /// Whether the line can be reached by data.
    pub data: bool,
    /// Whether the line can be reached by SMS.
    pub sms: bool,
    /// When the network last confirmed both reachabilities.
    pub reachability_confirmed_at: Timestamp,
    /// The access technology by which the line is connected; `None` when the network cannot tell.
    pub technology: Option<Technology>,
    /// When the network last confirmed that, or that it cannot tell.
    pub technology_confirmed_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Line;

    #[test]
    fn a_million_of_them_are_small() {
        assert_eq!((size_of::<Option<Status>>(), size_of::<Line>()), (32, 80));
    }
}

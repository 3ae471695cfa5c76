//! When a delivery is tried again.

use std::time::Duration;

use crate::entropy;

/// How long after each failed attempt the next one comes: fast at first, for sinks that are restarted, and
/// over most of a day for those that are down.
const PAUSES: [Duration; 11] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(2),
    Duration::from_hours(4),
    Duration::from_hours(8),
];

/// The longest pause that a sink may ask for.
const LONGEST: Duration = Duration::from_hours(24);

/// How long to wait after an attempt that was preceded by `before` others; `None` when it was the last. What
/// the sink asked for is a least.
pub(super) fn pause(before: u32, retry_after: Option<Duration>) -> Option<Duration> {
    // Without randomness nothing is spread, which harms nobody.
    let random = entropy::distinct().map_or(u8::MAX, |bytes| bytes[0]);
    let pause = spread(*PAUSES.get(usize::try_from(before).ok()?)?, random);
    Some(pause.max(retry_after.unwrap_or_default().min(LONGEST)))
}

/// Three quarters of a pause, and up to a quarter more: so that what failed together does not come back
/// together.
fn spread(pause: Duration, random: u8) -> Duration {
    pause * 3 / 4 + pause / 4 * u32::from(random) / u32::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_over_hours_and_end() {
        let total: Duration = PAUSES.iter().sum();
        assert!(PAUSES.is_sorted() && total > Duration::from_hours(12), "{total:?}");
        assert_eq!(pause(11, None), None);
        for (before, longest) in (0..).zip(PAUSES) {
            let pause = pause(before, None).unwrap();
            assert!(pause <= longest && pause >= longest * 3 / 4, "{before}: {pause:?}");
        }
    }

    #[test]
    fn a_sink_may_ask_for_more_time_within_a_day() {
        assert_eq!(pause(0, Some(Duration::from_mins(10))), Some(Duration::from_mins(10)));
        assert_eq!(pause(0, Some(Duration::from_hours(1000))), Some(LONGEST));
        assert!(pause(8, Some(Duration::ZERO)).unwrap() > Duration::from_hours(1));
    }

    #[test]
    fn a_pause_is_spread() {
        let second = Duration::from_secs(1);
        assert_eq!((spread(second, 0), spread(second, u8::MAX)), (second * 3 / 4, second));
    }
}

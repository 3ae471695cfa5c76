//! `Retry-After`, by which a sink that is busy asks to be left alone for a while (RFC 9110 section 10.2.3).

use std::time::Duration;

use attache_core::Timestamp;

/// How long that is from `now` on; `None` where it says nothing that can be read. A date is held against our
/// clock: what a sink's clock is off by is no more than a pause that is too short or too long.
pub(super) fn pause(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than can be counted are a long pause too.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = Timestamp::from_http_date(value)?;
    let nanoseconds = until.unix_nanoseconds().saturating_sub(now.unix_nanoseconds());
    Some(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_a_number_of_seconds_or_lasts_until_a_date() {
        let now = Timestamp::from_unix_seconds(784_111_777);
        for (value, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(pause(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}

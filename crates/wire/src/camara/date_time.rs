use attache_core::Timestamp;
use serde::{Serialize, Serializer};

/// A time with milliseconds, in the format that CAMARA recommends (Design Guide, section 2.1).
#[derive(Debug)]
pub(crate) struct Milliseconds(pub(crate) Timestamp);

impl Serialize for Milliseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.3}", self.0))
    }
}

/// Reads an instant as RFC 3339 section 5.6 has it, which is less than what our own type takes.
pub(crate) fn read(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_at_checked(10)?;
    let (time, rest) = time.strip_prefix(['T', 't'])?.split_at_checked(8)?;
    let offset = match rest.strip_prefix('.') {
        Some(fraction) => fraction.strip_prefix(is_digit)?.trim_start_matches(is_digit),
        None => rest,
    };
    let is_offset = matches!(offset, "Z" | "z") || offset.strip_prefix(['+', '-']).is_some_and(is_time_of_day);
    let is_time = is_like(date, "0000-00-00") && is_like(time, "00:00:00") && is_offset;
    is_time.then(|| text.parse().ok()).flatten()
}

/// Whether a text is what an offset is made of: an hour of the day, and minutes.
fn is_time_of_day(text: &str) -> bool {
    is_like(text, "00:00") && text < "24:00"
}

/// Whether a text has digits where a form has zeros, and else what that has.
fn is_like(text: &str, form: &str) -> bool {
    let fits = |(byte, like): (u8, u8)| if like == b'0' { byte.is_ascii_digit() } else { byte == like };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_what_rfc_3339_says() {
        for (text, instant) in [
            ("2036-01-01T00:00:00Z", "2036-01-01T00:00:00Z"),
            ("2036-01-01t00:00:00z", "2036-01-01T00:00:00Z"),
            ("2036-01-01T00:00:00.5+02:00", "2035-12-31T22:00:00.5Z"),
            ("2036-01-01T00:00:00.123456789-11:30", "2036-01-01T11:30:00.123456789Z"),
            // Later than any time that is known here, which is long enough.
            ("9999-12-31T23:59:59Z", "2262-04-11T23:47:16.854775807Z"),
            ("9999-12-31T23:59:59.999-23:59", "2262-04-11T23:47:16.854775807Z"),
        ] {
            assert_eq!(read(text), Some(instant.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "soon",
            "2036-01-01",
            "2036-01-01T00:00:00",
            "2036-01-01 00:00:00Z",
            "2036-01-01T00Z",
            "2036-01-01T00:00Z",
            "20360101T000000Z",
            "2036-01-01T00:00:00.Z",
            "2036-01-01T00:00:00,5Z",
            "2036-01-01T00:00:00+01",
            "2036-01-01T00:00:00+24:00",
            "2036-01-01T00:00:00+0100",
            "2036-01-01T00:00:00Z[Europe/Paris]",
            "2036-02-30T00:00:00Z",
            "9999-12-32T00:00:00Z",
            "9999-12-31T24:00:00Z",
            "2036-01-01T24:00:00Z",
            "2036-01-01T00:00:0\u{e9}Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

//! What a JSON value must look like, written compactly, and how a value is held against it.

use std::{fmt, net};

use serde_json::{Map, Value};

/// A field of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// Another field and a value of it beside which this field may be absent all the same: a list of
    /// the places where a contract asks for what it cannot mean.
    pub excused_by: Option<(&'static str, &'static str)>,
    /// What it may hold.
    pub kind: Kind,
}

impl Field {
    /// A field that must be there.
    pub(crate) const fn required(name: &'static str, kind: Kind) -> Self {
        Self { name, required: true, excused_by: None, kind }
    }

    /// A field that may be absent.
    pub(crate) const fn optional(name: &'static str, kind: Kind) -> Self {
        Self { name, required: false, excused_by: None, kind }
    }
}

/// What a field may hold.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A port: 0 to 65535.
    Port,
    /// Any text.
    Text,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A text of this pattern.
    Matching(Pattern),
    /// A date and time with its zone (RFC 3339 section 5.6).
    DateTime,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A list of these.
    List(&'static Kind),
    /// A UUID.
    Uuid,
    /// A URI, or one relative to another (RFC 3986 section 4.1), but not an empty one.
    UriReference,
    /// An object with these fields.
    Record(&'static [Field]),
    /// An object with these fields, as many of them as the range allows.
    Object {
        /// The fields.
        fields: &'static [Field],
        /// At least so many.
        least: usize,
        /// At most so many.
        most: usize,
    },
}

/// A regular expression of a contract, with the function that does its work.
#[derive(Clone, Copy)]
pub struct Pattern {
    /// As the contract writes it.
    pub text: &'static str,
    /// Whether a text matches it.
    pub matches: fn(&str) -> bool,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text)
    }
}

/// Holds an object against its fields. Each fault is a sentence that begins with the field.
pub(crate) fn faults_of(value: &Value, fields: &'static [Field], foreign: &[&str]) -> Vec<String> {
    let Some(object) = value.as_object() else { return vec![format!("the body is {}, not an object", kind_of(value))] };
    let mut faults = Vec::new();
    faults_of_object("", object, fields, &mut faults);
    for name in object.keys().filter(|name| foreign.contains(&name.as_str())) {
        faults.push(format!("`{name}` is a field of another version"));
    }
    faults
}

fn faults_of_object(path: &str, object: &Map<String, Value>, fields: &'static [Field], faults: &mut Vec<String>) {
    for field in fields {
        let path = if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
        match object.get(field.name) {
            Some(value) => faults_of_value(&path, value, field.kind, faults),
            None if field.excused_by.is_some_and(|(other, value)| object.get(other).is_some_and(|it| it == value)) => {}
            None if field.required => faults.push(format!("`{path}` is required and missing")),
            None => {}
        }
    }
}

fn faults_of_value(path: &str, value: &Value, kind: Kind, faults: &mut Vec<String>) {
    let mut unless = |is_right: bool, wanted: &str| {
        if !is_right {
            faults.push(format!("`{path}` is {}, not {wanted}", shown(value)));
        }
    };
    let text = value.as_str();
    match kind {
        Kind::Boolean => unless(value.is_boolean(), "a boolean"),
        Kind::Integer => unless(is_integer(value), "an integer"),
        Kind::Port => unless(value.as_u64().is_some_and(|port| port <= 65_535), "a port from 0 to 65535"),
        Kind::Text => unless(text.is_some(), "a string"),
        Kind::OneOf(all) => {
            unless(text.is_some_and(|text| all.contains(&text)), &format!("one of {}", all.join(", ")));
        }
        Kind::Matching(pattern) => {
            unless(text.is_some_and(pattern.matches), &format!("a string that matches {}", pattern.text));
        }
        Kind::DateTime => unless(text.is_some_and(is_date_time), "a date and time with its zone as RFC 3339 has them"),
        Kind::Ipv4 => unless(text.is_some_and(|text| text.parse::<net::Ipv4Addr>().is_ok()), "an IPv4 address"),
        Kind::Ipv6 => unless(text.is_some_and(|text| text.parse::<net::Ipv6Addr>().is_ok()), "an IPv6 address"),
        Kind::List(kind) => match value.as_array() {
            None => unless(false, "a list"),
            Some(values) => {
                for (index, value) in values.iter().enumerate() {
                    faults_of_value(&format!("{path}[{index}]"), value, *kind, faults);
                }
            }
        },
        Kind::Uuid => unless(text.is_some_and(is_uuid), "a UUID"),
        Kind::UriReference => unless(text.is_some_and(is_uri_reference), "a URI reference"),
        Kind::Record(fields) => match value.as_object() {
            None => unless(false, "an object"),
            Some(object) => faults_of_object(path, object, fields, faults),
        },
        Kind::Object { fields, least, most } => match value.as_object() {
            None => unless(false, "an object"),
            Some(object) => {
                let count = fields.iter().filter(|field| object.contains_key(field.name)).count();
                if count < least || object.len() > most {
                    unless(false, &format!("an object with {least} to {most} of its fields"));
                }
                faults_of_object(path, object, fields, faults);
            }
        },
    }
}

/// JSON Schema calls 3.0 an integer as well.
fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

/// Whether a text is a UUID (RFC 9562 section 4).
fn is_uuid(text: &str) -> bool {
    let groups = [8, 4, 4, 4, 12];
    let is_group =
        |(part, length): (&str, usize)| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split('-').count() == groups.len() && text.split('-').zip(groups).all(is_group)
}

/// Whether a text is made of the characters of a URI reference (RFC 3986 section 2).
fn is_uri_reference(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 60 { kind_of(value).to_owned() } else { text }
}

/// Whether a text is a `date-time` of RFC 3339 section 5.6: `2024-02-20T10:41:38.657Z`.
pub(crate) fn is_date_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| bytes.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let is = |at: usize, allowed: &[u8]| bytes.get(at).is_some_and(|byte| allowed.contains(byte));
    let has_date = digits(0, 4) && is(4, b"-") && digits(5, 7) && is(7, b"-") && digits(8, 10) && is(10, b"Tt");
    let has_time = digits(11, 13) && is(13, b":") && digits(14, 16) && is(16, b":") && digits(17, 19);
    if !has_date || !has_time {
        return false;
    }
    let rest = &text[19..];
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    let has_zone = match zone.as_bytes() {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', hour @ .., b':', tens, ones] => {
            hour.len() == 2 && hour.iter().chain([tens, ones]).all(u8::is_ascii_digit)
        }
        _ => false,
    };
    // The calendar itself is checked by reading it.
    has_zone && text.parse::<jiff::Timestamp>().is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIELDS: &[Field] = &[
        Field::required("when", Kind::DateTime),
        Field::required("roaming", Kind::Boolean),
        Field::optional("countryCode", Kind::Integer),
        Field::optional("countryName", Kind::List(&Kind::Text)),
        Field::optional(
            "device",
            Kind::Object { fields: &[Field::optional("ipv6Address", Kind::Ipv6)], least: 1, most: 1 },
        ),
    ];

    #[test]
    fn a_fault_names_its_field_and_what_was_wanted() {
        for (body, fault) in [
            (json!([]), "the body is a list, not an object"),
            (json!({"when": "2024-02-20T10:41:38Z"}), "`roaming` is required and missing"),
            (json!({"when": "2024-02-20T10:41:38Z", "roaming": "true"}), "`roaming` is \"true\", not a boolean"),
            (
                json!({"when": "2024-02-20T10:41:38", "roaming": true}),
                "`when` is \"2024-02-20T10:41:38\", not a date and time with its zone as RFC 3339 has them",
            ),
            (
                json!({"when": "2024-02-20T10:41:38Z", "roaming": true, "countryCode": "262"}),
                "`countryCode` is \"262\", not an integer",
            ),
            (
                json!({"when": "2024-02-20T10:41:38Z", "roaming": true, "countryName": ["DE", 1]}),
                "`countryName[1]` is 1, not a string",
            ),
            (
                json!({"when": "2024-02-20T10:41:38Z", "roaming": true, "device": {"ipv6Address": "1.2.3.4"}}),
                "`device.ipv6Address` is \"1.2.3.4\", not an IPv6 address",
            ),
            (
                json!({"when": "2024-02-20T10:41:38Z", "roaming": true, "device": {}}),
                "`device` is {}, not an object with 1 to 1 of its fields",
            ),
            (
                json!({"when": "2024-02-20T10:41:38Z", "roaming": true, "reachable": true}),
                "`reachable` is a field of another version",
            ),
        ] {
            assert_eq!(faults_of(&body, FIELDS, &["reachable"]), [fault], "{body}");
        }
    }

    #[test]
    fn an_object_that_fits_has_no_fault() {
        let body = json!({"when": "2024-02-20T10:41:38+01:00", "roaming": true, "countryCode": 262,
            "countryName": ["DE"], "device": {"ipv6Address": "2001:db8::1"}, "vendorField": 1});
        assert_eq!(faults_of(&body, FIELDS, &[]), [""; 0]);
    }

    #[test]
    fn a_date_time_has_date_time_and_zone() {
        for right in [
            "2024-02-20T10:41:38Z",
            "2024-02-20t10:41:38z",
            "2024-02-20T10:41:38.657Z",
            "2024-02-20T10:41:38.657+02:00",
            "2024-02-20T10:41:38.123456789-11:30",
        ] {
            assert!(is_date_time(right), "{right}");
        }
        for wrong in [
            "",
            "2024-02-20",
            "2024-02-20T10:41:38",
            "2024-02-20 10:41:38Z",
            "2024-02-20T10:41Z",
            "2024-02-20T10:41:38.Z",
            "2024-02-20T10:41:38+02",
            "2024-02-20T10:41:38+0200",
            "2024-02-30T10:41:38Z",
            "2024-02-20T25:41:38Z",
            "1708425698",
            "20 February 2024, 10:41",
        ] {
            assert!(!is_date_time(wrong), "{wrong}");
        }
    }
}

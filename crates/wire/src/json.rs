//! Reading a JSON object strictly, and telling its faults apart.
//!
//! Serde's derived readers take an array for a struct and `null` for an absent field; the
//! contracts know neither, so [`Object`] and [`present`] refuse them. A field that is given twice is
//! an error of the derived reader itself; unknown fields are ignored, as the contracts allow.

use std::{collections::BTreeSet, fmt, marker::PhantomData};

use attache_core::Problem;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Number;

/// A value that is written as a JSON object and as nothing else.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// The names of the fields of an object, of which one may stand there twice.
#[derive(Debug)]
pub(crate) struct FieldNames(pub(crate) BTreeSet<String>);

impl<'de> Deserialize<'de> for FieldNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamesVisitor;
        impl<'de> Visitor<'de> for NamesVisitor {
            type Value = FieldNames;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut names = BTreeSet::new();
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.insert(name);
                }
                Ok(FieldNames(names))
            }
        }
        deserializer.deserialize_map(NamesVisitor)
    }
}

/// For optional fields, beside `#[serde(default)]`: what is there must be a value, not `null`.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The integer, not below zero, that a number is. JSON Schema counts one whose fraction is zero as one, however it is
/// written: `5060.0` is 5060.
pub(crate) fn integer(number: &Number) -> Option<u64> {
    // Only such a number prints without fraction and exponent. What is added takes the sign off zero.
    let whole = || number.as_f64().and_then(|value| (value + 0.0).to_string().parse().ok());
    number.as_u64().or_else(whole)
}

/// For optional ports, as [`present`].
pub(crate) fn present_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let number = Number::deserialize(deserializer)?;
    let port = integer(&number).and_then(|number| u16::try_from(number).ok());
    port.map(Some).ok_or_else(|| D::Error::custom("expected an integer from 0 to 65535"))
}

/// Reads the body of a request.
///
/// # Errors
/// [`Problem::BodyMissing`], [`Problem::BodyMalformed`], or [`Problem::FieldInvalid`] with the path
/// of the field.
pub(crate) fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Problem> {
    // Serde doesn't look into the texts that it skips.
    let text =
        std::str::from_utf8(body).map_err(|_| Problem::BodyMalformed { reason: "it is not UTF-8".to_owned() })?;
    match serde_json::from_str::<Object<T>>(text) {
        Ok(Object(value)) => Ok(value),
        Err(error) => Err(explain::<T>(body, &error)),
    }
}

/// Reads a second time, for the path of the field that is at fault: only a faulty request pays.
fn explain<'de, T: Deserialize<'de>>(body: &'de [u8], error: &serde_json::Error) -> Problem {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Problem::BodyMissing;
    }
    if !error.is_data() {
        return Problem::BodyMalformed { reason: error.to_string() };
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, Object<T>>(&mut deserializer) {
        Err(located) if located.path().iter().next().is_some() => {
            Problem::FieldInvalid { field: located.path().to_string(), reason: without_value(located.inner()) }
        }
        _ => Problem::BodyMalformed { reason: without_value(error) },
    }
}

/// The error's text without the value that it quotes, which may be a phone number.
fn without_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once("expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => text,
    }
}

/// Writes a value as JSON. The types of this crate have text keys and no fallible writer, so this
/// cannot fail; should it ever, the empty body shows in every test.
pub(crate) fn write<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Outer {
        #[serde(default, deserialize_with = "present")]
        inner: Option<Object<Inner>>,
    }
    #[derive(Debug, Deserialize)]
    struct Inner {
        #[serde(default, deserialize_with = "present")]
        text: Option<String>,
    }

    fn fault(body: &[u8]) -> Problem {
        read::<Outer>(body).unwrap_err()
    }

    #[test]
    fn an_object_is_read_and_what_is_unknown_is_ignored() {
        let outer: Outer = read(br#"{"inner":{"text":"a","more":[1]},"other":null}"#).unwrap();
        assert_eq!(outer.inner.unwrap().0.text.as_deref(), Some("a"));
        assert!(read::<Outer>(b"{}").unwrap().inner.is_none());
    }

    #[test]
    fn a_missing_body_is_told_from_a_malformed_one() {
        assert_eq!(fault(b""), Problem::BodyMissing);
        assert_eq!(fault(b" \n"), Problem::BodyMissing);
        for body in [&b"{"[..], b"nonsense", b"{}{}", b"{\"inner\":{\"text\":\"\xff\"}}"] {
            assert!(matches!(fault(body), Problem::BodyMalformed { .. }), "{body:?}");
        }
    }

    #[test]
    fn what_is_not_utf_8_is_malformed_in_fields_that_are_ignored_too() {
        for body in [&b"{\"other\":\"\xff\"}"[..], b"{\"\xff\":1}", b"{\"inner\":{\"other\":\"\xc3\x28\"}}"] {
            assert!(matches!(fault(body), Problem::BodyMalformed { .. }), "{body:?}");
        }
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        for body in [&b"[]"[..], b"[{\"text\":\"a\"}]", b"null", b"\"+33699901032\"", b"1"] {
            let Problem::BodyMalformed { reason } = fault(body) else { panic!("{body:?}") };
            assert!(reason.contains("expected an object") && !reason.contains("+33"), "{reason}");
        }
    }

    #[test]
    fn a_field_of_a_wrong_type_is_named_and_its_value_is_not() {
        for (body, path) in [
            (r#"{"inner":{"text":33699901032}}"#, "inner.text"),
            (r#"{"inner":{"text":null}}"#, "inner.text"),
            (r#"{"inner":["a"]}"#, "inner"),
            (r#"{"inner":null}"#, "inner"),
            (r#"{"inner":"+33699901032"}"#, "inner"),
        ] {
            let Problem::FieldInvalid { field, reason } = fault(body.as_bytes()) else { panic!("{body}") };
            assert_eq!(field, path, "{body}");
            assert!(!reason.contains("33699901032"), "{reason}");
        }
    }

    #[test]
    fn a_known_field_given_twice_is_refused() {
        assert!(read::<Outer>(br#"{"inner":{},"inner":{}}"#).is_err());
        assert!(read::<Outer>(br#"{"inner":{"text":"a","text":"b"}}"#).is_err());
        assert!(read::<Outer>(br#"{"other":1,"other":2}"#).is_ok());
    }
}

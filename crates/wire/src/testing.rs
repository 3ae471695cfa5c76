//! What the tests of the faces share.

use attache_core::{Country, Device, DeviceIdentifier, NetworkType, Plmn, Problem, Reachability, Roaming, Technology};

use crate::{Answering, Face};

/// A roaming status, confirmed at an instant: at home, or in the country of a network.
pub(crate) fn roaming(confirmed_at: &str, visited: Option<&str>) -> Roaming {
    Roaming {
        visited: visited.map(|plmn| Country::of(plmn.parse::<Plmn>().unwrap().mcc())),
        confirmed_at: confirmed_at.parse().unwrap(),
    }
}

/// A reachability, confirmed at an instant.
pub(crate) fn reachability(confirmed_at: &str, data: bool, sms: bool) -> Reachability {
    Reachability { data, sms, confirmed_at: confirmed_at.parse().unwrap() }
}

/// A network type, confirmed at an instant, or of a line never seen.
pub(crate) fn network_type(technology: Option<Technology>, confirmed_at: Option<&str>) -> NetworkType {
    NetworkType { technology, confirmed_at: confirmed_at.map(|text| text.parse().unwrap()) }
}

/// The answer of a roaming face.
pub(crate) fn write_roaming(face: &Face, answer: Roaming, device: Option<&DeviceIdentifier>) -> String {
    let Answering::Roaming(write) = face.answer else { panic!("{} does not ask for roaming", face.path) };
    String::from_utf8(write(&answer, device)).unwrap()
}

/// The answer of a reachability face.
pub(crate) fn write_reachability(face: &Face, answer: Reachability, device: Option<&DeviceIdentifier>) -> String {
    let Answering::Reachability(write) = face.answer else { panic!("{} does not ask for reachability", face.path) };
    String::from_utf8(write(&answer, device)).unwrap()
}

/// The answer of a network type face.
pub(crate) fn write_network_type(face: &Face, answer: NetworkType, device: Option<&DeviceIdentifier>) -> String {
    let Answering::NetworkType(write) = face.answer else { panic!("{} does not ask for the network type", face.path) };
    String::from_utf8(write(&answer, device)).unwrap()
}

/// Status and body of a refusal.
pub(crate) fn refusal(face: &Face, problem: &Problem) -> (u16, String) {
    let refusal = (face.refuse)(problem);
    (refusal.status, String::from_utf8(refusal.body).unwrap())
}

/// A device of one phone number.
pub(crate) fn device(number: &str) -> Device {
    Device::new(vec![phone_number(number)])
}

/// A phone number as identifier.
pub(crate) fn phone_number(number: &str) -> DeviceIdentifier {
    DeviceIdentifier::PhoneNumber(number.parse().unwrap())
}

/// The path of the field that a body was refused for.
pub(crate) fn faulty_field(face: &Face, body: &str) -> String {
    match (face.read)(body.as_bytes()) {
        Err(Problem::FieldInvalid { field, .. }) => field,
        Err(Problem::FieldMissing { field }) => field.to_owned(),
        other => panic!("{body}: {other:?}"),
    }
}

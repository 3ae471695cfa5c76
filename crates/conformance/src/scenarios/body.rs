//! Bodies that the schema excludes, and bodies that it allows although they look odd.

use serde_json::json;

use super::{Case, named, scenario};
use crate::{
    contract::Naming,
    plan::{Ask, Bearer, Scenario, Skip, facts, naming_number},
};

pub(super) fn scenarios(case: Case<'_>) -> Vec<Scenario> {
    let codes = case.contract.rules.invalid;
    let mut scenarios: Vec<Scenario> = invalid(case.contract.naming, takes_bare_numbers(case))
        .into_iter()
        .map(|(what, body)| {
            scenario(
                format!("{what} is {}", named(codes)),
                case.two_legged().map(|bearer| vec![Ask::raw(bearer, body).is(codes)]),
            )
        })
        .collect();
    if case.is_meant_anyway() {
        scenarios.extend(no_object(case));
    }
    scenarios.push(unknown_field(case));
    if takes_bare_numbers(case) {
        scenarios.push(bare_number(case));
    }
    scenarios
}

/// Bodies that could be meant for any version at the path.
fn no_object(case: Case<'_>) -> Vec<Scenario> {
    let codes = case.contract.rules.invalid;
    let raw = |what: &str, body: &str| {
        let steps = case.two_legged().map(|bearer| vec![Ask::raw(bearer, body).is(codes)]);
        scenario(format!("{what} is {}", named(codes)), steps)
    };
    let mut scenarios =
        vec![raw("a body that is not JSON", "{\"device\": "), raw("a body that is not an object", "[]")];
    let no_body = case.two_legged().map(|bearer| vec![Ask { body: None, ..Ask::raw(bearer, "") }.is(codes)]);
    scenarios.push(scenario(format!("no body is {}", named(codes)), no_body));
    scenarios
}

/// Whether a number may stand without its plus sign, as it could before 0.6.
fn takes_bare_numbers(case: Case<'_>) -> bool {
    case.contract.api == "device-status"
}

fn invalid(naming: Naming, takes_bare_numbers: bool) -> Vec<(&'static str, &'static str)> {
    let mut bodies = match naming {
        Naming::Device => vec![
            ("a device that is null", r#"{"device": null}"#),
            ("a device that is not an object", r#"{"device": "+33699901032"}"#),
            ("a device without identifiers", r#"{"device": {}}"#),
            ("a phone number that is not a string", r#"{"device": {"phoneNumber": 33699901032}}"#),
            ("a phone number that is too short", r#"{"device": {"phoneNumber": "+1234"}}"#),
            ("a phone number that is too long", r#"{"device": {"phoneNumber": "+1234567890123456"}}"#),
            ("a phone number with letters", r#"{"device": {"phoneNumber": "+3369990103x"}}"#),
            (
                "an IPv4 address without port and private address",
                r#"{"device": {"ipv4Address": {"publicAddress": "84.125.93.10"}}}"#,
            ),
            ("an IPv4 address without its public part", r#"{"device": {"ipv4Address": {"publicPort": 59765}}}"#),
            (
                "an IPv4 address that is none",
                r#"{"device": {"ipv4Address": {"publicAddress": "84.125.93.256", "publicPort": 59765}}}"#,
            ),
            (
                "a port beyond 65535",
                r#"{"device": {"ipv4Address": {"publicAddress": "84.125.93.10", "publicPort": 65536}}}"#,
            ),
            ("an IPv6 address that is none", r#"{"device": {"ipv6Address": "2001:db8:::1"}}"#),
        ],
        Naming::UeId => vec![
            ("a ueId that is null", r#"{"ueId": null}"#),
            ("a ueId that is not an object", r#"{"ueId": "+33699901032"}"#),
            ("a ueId without identifiers", r#"{"ueId": {}}"#),
            ("an MSISDN that is not a string", r#"{"ueId": {"msisdn": 33699901032}}"#),
            ("an MSISDN that is too short", r#"{"ueId": {"msisdn": "+1234"}}"#),
            ("an MSISDN that is too long", r#"{"ueId": {"msisdn": "+1234567890123456"}}"#),
            ("an MSISDN with letters", r#"{"ueId": {"msisdn": "+3369990103x"}}"#),
            ("an IPv4 address that is none", r#"{"ueId": {"ipv4Addr": "84.125.93.256"}}"#),
        ],
    };
    if !takes_bare_numbers {
        bodies.push(("a phone number without plus sign", r#"{"device": {"phoneNumber": "33699901032"}}"#));
        bodies.push(("a phone number that begins with 0", r#"{"device": {"phoneNumber": "+0699901032"}}"#));
    }
    bodies
}

fn unknown_field(case: Case<'_>) -> Scenario {
    let steps = case.any_line().and_then(|line| {
        let mut body = naming_number(case.contract, &line.phone_number);
        body["conformance"] = json!(true);
        Ok(vec![Ask::new(case.two_legged()?, &body).answers(facts(case.contract, line))])
    });
    scenario("a field that the contract does not know is passed over", steps)
}

fn bare_number(case: Case<'_>) -> Scenario {
    let steps = case.any_line().and_then(|line| {
        let body = naming_number(case.contract, line.phone_number.trim_start_matches('+'));
        let bearer: Result<Bearer, Skip> = case.two_legged();
        Ok(vec![Ask::new(bearer?, &body).answers(facts(case.contract, line))])
    });
    scenario("a number without plus sign is taken", steps)
}

//! How the token and the body together tell the line.

use serde_json::json;

use super::{Case, named, scenario};
use crate::{
    contract::{Disagreement, Naming, Said},
    plan::{Ask, Fact, Identifier, Scenario, Skip, Step, facts, naming, naming_number},
    target::Line,
};

pub(super) fn scenarios(case: Case<'_>) -> Vec<Scenario> {
    let mut scenarios =
        vec![named_beside_token(case), another_named_beside_token(case), unknown_line(case), not_applicable(case)];
    // What names nothing is meant for the newer of two versions.
    if case.is_meant_anyway() {
        scenarios.extend([nothing_named(case), token_alone(case)]);
    }
    scenarios.extend(addresses(case));
    scenarios.extend(several(case));
    if case.contract.rules.names_the_device {
        scenarios.push(no_device_for_a_token(case));
    }
    scenarios
}

fn nothing_named(case: Case<'_>) -> Scenario {
    let codes = case.contract.rules.nothing_named;
    scenario(
        format!("a 2-legged token without {} is {}", thing(case), named(codes)),
        case.two_legged().map(|bearer| vec![Ask::new(bearer, &json!({})).is(codes)]),
    )
}

fn token_alone(case: Case<'_>) -> Scenario {
    let own_line = |line: &Line| Ok(Ask::new(case.three_legged(line)?, &json!({})).answers(case.facts(line)?));
    match case.contract.rules.token_alone {
        Said::Answered => scenario(
            "a 3-legged token answers about its own line",
            two_token_lines(case).and_then(|lines| lines.into_iter().map(own_line).collect()),
        ),
        Said::Refused(codes) => scenario(
            format!("a 3-legged token without {} is {}", thing(case), named(codes)),
            case.token_line().and_then(|line| Ok(vec![Ask::new(case.three_legged(line)?, &json!({})).is(codes)])),
        ),
    }
}

fn named_beside_token(case: Case<'_>) -> Scenario {
    let ask = case.token_line().and_then(|line| {
        Ok((line, Ask::new(case.three_legged(line)?, &naming_number(case.contract, &line.phone_number))))
    });
    let thing = thing(case);
    match case.contract.rules.named_beside_token {
        Said::Answered => scenario(
            format!("a 3-legged token with {thing} of its line is answered"),
            ask.map(|(line, ask)| vec![ask.answers(facts(case.contract, line))]),
        ),
        Said::Refused(codes) => scenario(
            format!("a 3-legged token with {thing} is {}", named(codes)),
            ask.map(|(_, ask)| vec![ask.is(codes)]),
        ),
    }
}

fn another_named_beside_token(case: Case<'_>) -> Scenario {
    let codes = case.contract.rules.another_named_beside_token;
    let steps = case.token_line().and_then(|line| {
        let is_other = |other: &Line| other.phone_number != line.phone_number;
        let other = case.target.line(is_other).ok_or_else(|| Skip::because("a second line is not given (lines)"))?;
        let body = naming_number(case.contract, &other.phone_number);
        Ok(vec![Ask::new(case.three_legged(line)?, &body).is(codes)])
    });
    scenario(format!("a 3-legged token with {} of another line is {}", thing(case), named(codes)), steps)
}

fn unknown_line(case: Case<'_>) -> Scenario {
    let codes = case.contract.rules.unknown_line;
    let number = case.target.provoke.unknown.as_ref();
    let number = number.ok_or_else(|| Skip::because("a number of no line is not given (provoke.unknown)"));
    scenario(
        format!("a number of no line is {}", named(codes)),
        number
            .and_then(|number| Ok(vec![Ask::new(case.two_legged()?, &naming_number(case.contract, number)).is(codes)])),
    )
}

fn not_applicable(case: Case<'_>) -> Scenario {
    let codes = case.contract.rules.not_applicable;
    if codes.is_empty() {
        return scenario(
            "a line for which the service is not available is refused",
            Err(Skip::because("this version has no code for it")),
        );
    }
    let number = case.target.provoke.not_applicable.as_ref().ok_or_else(|| {
        Skip::because("a line for which the service is not available is not given (provoke.not_applicable)")
    });
    scenario(
        format!("a line for which the service is not available is {}", named(codes)),
        number
            .and_then(|number| Ok(vec![Ask::new(case.two_legged()?, &naming_number(case.contract, number)).is(codes)])),
    )
}

/// Lines named by what is not their number.
fn addresses(case: Case<'_>) -> Vec<Scenario> {
    let by = |rule: &str, identifier: Result<(&Line, Identifier), Skip>| {
        let steps = identifier.and_then(|(line, identifier)| {
            let body = naming(case.contract, &[identifier]);
            Ok(vec![Ask::new(case.two_legged()?, &body).answers(case.facts(line)?)])
        });
        scenario(rule, steps)
    };
    let mut scenarios = vec![
        by("an IPv4 address with a port names its line", ipv4_with_port(case)),
        by("an IPv6 address of a line's prefix names it", ipv6(case)),
    ];
    if let Ok(known) = access_identifier(case) {
        scenarios.push(by("a network access identifier names its line", Ok(known)));
    }
    if case.contract.naming == Naming::Device {
        scenarios.push(by("an IPv4 address with a private address names its line", ipv4_with_private(case)));
    }
    scenarios
}

fn ipv4_with_port(case: Case<'_>) -> Result<(&Line, Identifier), Skip> {
    let ipv4 = |line: &Line| {
        let (public, port) = (line.ipv4_public_address.clone()?, Some(line.ipv4_public_port?));
        Some(Identifier::Ipv4 { public, port, private: None })
    };
    line_with(case, ipv4, "a line known by an IPv4 address and a port")
}

fn ipv4_with_private(case: Case<'_>) -> Result<(&Line, Identifier), Skip> {
    let ipv4 = |line: &Line| {
        let (public, private) = (line.ipv4_public_address.clone()?, Some(line.ipv4_private_address.clone()?));
        Some(Identifier::Ipv4 { public, port: None, private })
    };
    line_with(case, ipv4, "a line known by a public and a private IPv4 address")
}

fn ipv6(case: Case<'_>) -> Result<(&Line, Identifier), Skip> {
    line_with(case, |line| line.ipv6_address.clone().map(Identifier::Ipv6), "a line known by an IPv6 address")
}

fn access_identifier(case: Case<'_>) -> Result<(&Line, Identifier), Skip> {
    let identifier = |line: &Line| line.network_access_identifier.clone().map(Identifier::AccessIdentifier);
    line_with(case, identifier, "a line known by a network access identifier")
}

/// A line known by an address, and that address.
fn line_with<'a>(
    case: Case<'a>,
    address: impl Fn(&Line) -> Option<Identifier>,
    wanted: &str,
) -> Result<(&'a Line, Identifier), Skip> {
    let found = case.target.lines.iter().find_map(|line| Some((line, address(line)?)));
    found.ok_or_else(|| Skip::because(format!("{wanted} is not given (lines)")))
}

/// Several identifiers, and identifiers that aren't supported.
fn several(case: Case<'_>) -> Vec<Scenario> {
    let rules = case.contract.rules;
    let mut scenarios = Vec::new();
    let two = |rule: String, of_one_line: bool, step: &dyn Fn(Ask, &Line, Vec<Identifier>) -> Step| {
        let steps = ipv4_with_port(case).or_else(|_| ipv6(case)).and_then(|(line, address)| {
            let other = case.target.line(|other| other.phone_number != line.phone_number);
            let other = other.ok_or_else(|| Skip::because("a second line is not given (lines)"))?;
            let number = if of_one_line { &line.phone_number } else { &other.phone_number };
            let identifiers = vec![Identifier::PhoneNumber(number.clone()), address];
            let ask = Ask::new(case.two_legged()?, &naming(case.contract, &identifiers));
            Ok(vec![step(ask, line, identifiers)])
        });
        scenario(rule, steps)
    };
    let answered = |ask: Ask, line: &Line, identifiers: Vec<Identifier>| {
        let mut said = facts(case.contract, line);
        said.push(device_fact(case, identifiers));
        ask.answers(said)
    };
    let rule = if rules.names_the_device {
        "several identifiers of one line are answered, and device names the one that was used"
    } else {
        "several identifiers of one line are answered"
    };
    scenarios.push(two(rule.to_owned(), true, &answered));
    match rules.disagreement {
        Disagreement::Refused(codes) => {
            let rule = format!("identifiers of different lines are {}", named(codes));
            scenarios.push(two(rule, false, &|ask, _, _| ask.is(codes)));
        }
        Disagreement::Untold => {
            // Whose facts these are depends on the identifier that is used.
            let rule = "identifiers of different lines are answered as if nobody knew that they differ";
            scenarios.push(two(rule.to_owned(), false, &|ask, _, identifiers| {
                ask.answers(vec![device_fact(case, identifiers)])
            }));
        }
        Disagreement::Unsaid => {}
    }
    // A server of which no such identifier is known takes none.
    if !rules.unsupported.is_empty() && access_identifier(case).is_err() {
        scenarios.push(unsupported(case));
        scenarios.push(unsupported_beside_supported(case));
    }
    scenarios
}

/// What the contracts themselves give as an example.
fn an_access_identifier() -> Identifier {
    Identifier::AccessIdentifier("123456789@domain.com".to_owned())
}

fn unsupported(case: Case<'_>) -> Scenario {
    let codes = case.contract.rules.unsupported;
    scenario(
        format!("a network access identifier alone is {}", named(codes)),
        case.two_legged()
            .map(|bearer| vec![Ask::new(bearer, &naming(case.contract, &[an_access_identifier()])).is(codes)]),
    )
}

fn unsupported_beside_supported(case: Case<'_>) -> Scenario {
    let steps = case.any_line().and_then(|line| {
        let number = Identifier::PhoneNumber(line.phone_number.clone());
        let body = naming(case.contract, &[an_access_identifier(), number.clone()]);
        let mut said = facts(case.contract, line);
        said.push(device_fact(case, vec![number]));
        Ok(vec![Ask::new(case.two_legged()?, &body).answers(said)])
    });
    scenario("a network access identifier beside a phone number is passed over", steps)
}

/// What must be said of the device after several identifiers were sent.
fn device_fact(case: Case<'_>, identifiers: Vec<Identifier>) -> Fact {
    if case.contract.rules.names_the_device { Fact::DeviceAmong(identifiers) } else { Fact::NoDevice }
}

fn no_device_for_a_token(case: Case<'_>) -> Scenario {
    let steps = case
        .token_line()
        .and_then(|line| Ok(vec![Ask::new(case.three_legged(line)?, &json!({})).answers(vec![Fact::NoDevice])]));
    scenario("device is not told to the bearer of a 3-legged token", steps)
}

/// Two lines with tokens, in different states if there are such; or the only one.
fn two_token_lines(case: Case<'_>) -> Result<Vec<&Line>, Skip> {
    let first = case.token_line()?;
    let said = |line: &Line| format!("{:?}", facts(case.contract, line));
    let second = case.target.line(|line| {
        line.seen != crate::target::Seen::Never
            && case.three_legged(line).is_ok()
            && !facts(case.contract, line).is_empty()
            && said(line) != said(first)
    });
    Ok(std::iter::once(first).chain(second).collect())
}

/// What a request names a line by, in the words of the version.
fn thing(case: Case<'_>) -> &'static str {
    match case.contract.naming {
        Naming::Device => "a device",
        Naming::UeId => "a ueId",
    }
}

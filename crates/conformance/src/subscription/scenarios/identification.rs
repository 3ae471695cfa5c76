//! How the token and the body together tell the line.

use crate::{
    contract::Code,
    plan::{Bearer, Identifier},
    scenarios::named,
    subscription::{
        contract::INVALID,
        judge::Operation,
        trial::{Session, Stop, Told, Trial},
    },
    target::Line,
};

pub(super) async fn run(session: &mut Session<'_>) {
    let rules = session.contract.rules;
    session
        .refuses("a 2-legged token without a device", rules.nothing_named, Operation::Create, async |trial| {
            let sink = trial.sink_url();
            trial.post(Bearer::TwoLegged, &trial.body(trial.first_type(), None, &sink))
        })
        .await;
    if rules.token_alone.is_empty() {
        session
            .tries("a 3-legged token subscribes about its own line", async |trial: &mut Trial<'_, '_>| {
                by_token(trial, None).await
            })
            .await;
    } else {
        session
            .refuses("a 3-legged token without a device", rules.token_alone, Operation::Create, async |trial| {
                let (bearer, sink) = (trial.three_legged(trial.line()?)?, trial.sink_url());
                trial.post(bearer, &trial.body(trial.first_type(), None, &sink))
            })
            .await;
    }
    if rules.named_beside_token.is_empty() {
        session
            .tries("a 3-legged token with the device of its line subscribes", async |trial: &mut Trial<'_, '_>| {
                by_token(trial, Some(trial.line()?)).await
            })
            .await;
    } else {
        session
            .refuses("a 3-legged token with a device", rules.named_beside_token, Operation::Create, async |trial| {
                let (line, sink) = (trial.line()?, trial.sink_url());
                trial.post(trial.three_legged(line)?, &trial.body(trial.first_type(), Some(line), &sink))
            })
            .await;
    }
    let codes = rules.another_named_beside_token;
    session
        .refuses("a 3-legged token with a device of another line", codes, Operation::Create, async |trial| {
            let (line, other, sink) = (trial.line()?, trial.other_line()?, trial.sink_url());
            trial.post(trial.three_legged(line)?, &trial.body(trial.first_type(), Some(other), &sink))
        })
        .await;
    of_lines(session).await;
    identifiers(session).await;
}

async fn by_token(trial: &mut Trial<'_, '_>, named: Option<&Line>) -> Told {
    let (bearer, sink) = (trial.three_legged(trial.line()?)?, trial.sink_url());
    let body = trial.body(trial.first_type(), named, &sink);
    trial.create(bearer, body).await.map(|_| ())
}

/// Numbers that provoke problems.
async fn of_lines(session: &mut Session<'_>) {
    let (rules, provoke) = (session.contract.rules, &session.runner.target().provoke);
    let missing = |key: &str| Stop::Skipped(format!("a number that provokes it is not given ({key})"));
    let cases = [
        ("a number of no line", rules.unknown_line, &provoke.unknown, "provoke.unknown"),
        (
            "a line for which the service is not available",
            rules.not_applicable,
            &provoke.not_applicable,
            "provoke.not_applicable",
        ),
    ];
    for (what, codes, number, key) in cases {
        if codes.is_empty() {
            session.tries(format!("{what} is refused"), async |_: &mut Trial<'_, '_>| no_code()).await;
            continue;
        }
        session
            .refuses(what, codes, Operation::Create, async |trial| {
                about(trial, number.as_deref().ok_or_else(|| missing(key))?)
            })
            .await;
    }
    // Whether the network is asked at once, no contract says.
    let failing: [(_, &'static [Code], _, _); 2] = [
        ("a network that fails", &[(503, "UNAVAILABLE")], &provoke.unavailable, "provoke.unavailable"),
        ("a network that is too slow", rules.timed_out, &provoke.timed_out, "provoke.timed_out"),
    ];
    for (what, codes, number, key) in failing {
        session
            .tries(format!("{what} is {}, or asked later", named(codes)), async |trial: &mut Trial<'_, '_>| {
                let ask = about(trial, number.as_deref().ok_or_else(|| missing(key))?)?;
                let exchange = trial.ask(Operation::Create, ask).await?;
                let is_made = exchange.response.as_ref().is_some_and(|it| matches!(it.status, 201 | 202));
                if is_made { Ok(()) } else { trial.is_code(&exchange, codes) }
            })
            .await;
    }
}

fn no_code() -> Told {
    Err(Stop::Skipped("this version has no code for it".to_owned()))
}

/// A request about a line that is known by its number alone.
fn about(trial: &mut Trial<'_, '_>, number: &str) -> Told<crate::plan::Ask> {
    let sink = trial.sink_url();
    let line = Line { phone_number: number.to_owned(), ..Line::default() };
    trial.post(Bearer::TwoLegged, &trial.body(trial.first_type(), Some(&line), &sink))
}

/// Lines named by what is not their number, and by several things at once.
async fn identifiers(session: &mut Session<'_>) {
    session
        .tries(
            "an IPv4 address with a port names its line, and is told as it was sent",
            async |trial: &mut Trial<'_, '_>| {
                let identifier = known(trial, ipv4)?;
                by(trial, &[identifier]).await
            },
        )
        .await;
    session
        .tries("an IPv6 address names its line, and is told as it was sent", async |trial: &mut Trial<'_, '_>| {
            let identifier = known(trial, ipv6)?;
            by(trial, &[identifier]).await
        })
        .await;
    session
        .tries("of several identifiers, one that was sent is told", async |trial: &mut Trial<'_, '_>| {
            let (number, address) = (known(trial, number_of_ipv4)?, known(trial, ipv4)?);
            by(trial, &[number, address]).await
        })
        .await;
    let rules = session.contract.rules;
    if !rules.disagreement.is_empty() {
        session
            .refuses("identifiers of different lines", rules.disagreement, Operation::Create, async |trial| {
                let address = known(trial, ipv4)?;
                let owner = known(trial, number_of_ipv4)?;
                let is_other = |number: &Identifier| *number != owner;
                let lines = [trial.line()?, trial.other_line()?];
                let numbers = lines.map(|line| Identifier::PhoneNumber(line.phone_number.clone()));
                let number = numbers.into_iter().find(is_other);
                let number = number.ok_or_else(|| Stop::Skipped("a second line is not given (lines)".to_owned()))?;
                naming(trial, &[number, address])
            })
            .await;
    }
    session
        .refuses(
            "a network access identifier alone, where none is known",
            rules.unsupported,
            Operation::Create,
            async |trial| {
                let takes_them =
                    trial.runner.target().lines.iter().any(|line| line.network_access_identifier.is_some());
                if takes_them {
                    return Err(Stop::Skipped("the server takes them (lines)".to_owned()));
                }
                naming(trial, &[Identifier::AccessIdentifier("123456789@domain.com".to_owned())])
            },
        )
        .await;
    for (what, device) in [
        ("a device without identifiers", serde_json::json!({})),
        ("a device that is not an object", serde_json::json!("+33699901032")),
        ("a phone number that is too short", serde_json::json!({ "phoneNumber": "+123" })),
        ("a phone number with letters", serde_json::json!({ "phoneNumber": "+3369990103x" })),
        (
            "an IPv4 address without port and private address",
            serde_json::json!({ "ipv4Address": { "publicAddress": "84.125.93.10" } }),
        ),
        ("an IPv6 address that is none", serde_json::json!({ "ipv6Address": "2001:db8:::1" })),
    ] {
        session
            .refuses(what, INVALID, Operation::Create, async |trial| {
                let mut body = trial.any_body()?;
                *trial.device_mut(&mut body) = device.clone();
                trial.post(Bearer::TwoLegged, &body)
            })
            .await;
    }
}

/// What is known of the lines that fits.
fn known(trial: &Trial<'_, '_>, of: fn(&Line) -> Option<Identifier>) -> Told<Identifier> {
    let found = trial.runner.target().lines.iter().find_map(of);
    found.ok_or_else(|| Stop::Skipped("no line with such an address is given (lines)".to_owned()))
}

fn ipv4(line: &Line) -> Option<Identifier> {
    Some(Identifier::Ipv4 {
        public: line.ipv4_public_address.clone()?,
        port: Some(line.ipv4_public_port?),
        private: None,
    })
}

fn number_of_ipv4(line: &Line) -> Option<Identifier> {
    ipv4(line).map(|_| Identifier::PhoneNumber(line.phone_number.clone()))
}

fn ipv6(line: &Line) -> Option<Identifier> {
    line.ipv6_address.clone().map(Identifier::Ipv6)
}

fn naming(trial: &mut Trial<'_, '_>, identifiers: &[Identifier]) -> Told<crate::plan::Ask> {
    let sink = trial.sink_url();
    trial.post(Bearer::TwoLegged, &trial.body_naming(trial.first_type(), Some(identifiers), &sink))
}

/// Subscribes by identifiers, of which the answer must tell one and no other.
async fn by(trial: &mut Trial<'_, '_>, identifiers: &[Identifier]) -> Told {
    let sink = trial.sink_url();
    let body = trial.body_naming(trial.first_type(), Some(identifiers), &sink);
    let made = trial.create(Bearer::TwoLegged, body).await?;
    let read = trial.read(&made).await?;
    let answer = read.response.as_ref().and_then(|response| response.json.clone()).unwrap_or_default();
    let device = trial.device(&answer);
    let is_told = identifiers.iter().any(|identifier| identifier.is_told_by(device));
    trial.unless(is_told, format!("`device` is {device}, not one identifier that was sent"), &read)
}

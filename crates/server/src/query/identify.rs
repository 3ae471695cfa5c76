use attache_core::{Device, DeviceIdentifier, LineId, Network, Problem};
use attache_wire::Identification;

/// The line that a question is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identified<'a> {
    pub(super) line: LineId,
    /// The identifier that was used, where the request gave several.
    pub(super) told: Option<&'a DeviceIdentifier>,
}

/// Identifies the line from the token or from the body, by the version's rule. A token that was
/// issued for one line never answers about another.
pub(super) async fn line<'a>(
    network: &dyn Network,
    rule: Identification,
    of_token: Option<LineId>,
    device: &'a Device,
) -> Result<Identified<'a>, Problem> {
    match (of_token, rule) {
        (Some(line), _) if device.is_unnamed() => Ok(Identified { line, told: None }),
        (Some(_), Identification::TokenOrBody) => Err(Problem::IdentifierUnnecessary),
        (Some(line), Identification::BodyAgreesWithToken) => {
            // A foreign number gets the same answer whether it is known or not.
            match first_known(network, device).await {
                Ok(named) if named.line == line => Ok(Identified { line, told: None }),
                Ok(_) | Err(Problem::UnknownLine) => match network.observe(line).await {
                    // The line of the token is gone: its number may have passed to somebody else.
                    Err(Problem::UnknownLine) => Err(Problem::CredentialsInvalid),
                    _ => Err(Problem::LineOfAnotherToken),
                },
                Err(problem) => Err(problem),
            }
        }
        (None, _) => first_known(network, device).await,
    }
}

/// Uses the first identifier of a kind that the network knows.
async fn first_known<'a>(network: &dyn Network, device: &'a Device) -> Result<Identified<'a>, Problem> {
    let identifiers = device.identifiers();
    if identifiers.is_empty() {
        return Err(Problem::IdentifierMissing);
    }
    for identifier in identifiers {
        match network.identify(identifier).await {
            Err(Problem::IdentifierUnsupported) => {}
            Err(problem) => return Err(problem),
            Ok(line) => return Ok(Identified { line, told: (identifiers.len() > 1).then_some(identifier) }),
        }
    }
    Err(Problem::IdentifierUnsupported)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use attache_core::Line;

    use super::*;

    /// Knows +12345 and +12346.
    struct TwoLines;

    #[async_trait]
    impl Network for TwoLines {
        async fn identify(&self, identifier: &DeviceIdentifier) -> Result<LineId, Problem> {
            match identifier {
                DeviceIdentifier::PhoneNumber(number) if number.as_integer() == 12_345 => Ok(first()),
                DeviceIdentifier::PhoneNumber(number) if number.as_integer() == 12_346 => Ok(second()),
                DeviceIdentifier::NetworkAccessIdentifier(_) => Err(Problem::IdentifierUnsupported),
                _ => Err(Problem::UnknownLine),
            }
        }

        async fn observe(&self, line: LineId) -> Result<Line, Problem> {
            if line == gone() { Err(Problem::UnknownLine) } else { Err(Problem::NeverSeen) }
        }
    }

    fn first() -> LineId {
        LineId::from_bytes([1; 16])
    }
    fn second() -> LineId {
        LineId::from_bytes([2; 16])
    }
    fn gone() -> LineId {
        LineId::from_bytes([3; 16])
    }
    fn number(number: &str) -> DeviceIdentifier {
        DeviceIdentifier::PhoneNumber(number.parse().unwrap())
    }
    fn access_identifier() -> DeviceIdentifier {
        DeviceIdentifier::NetworkAccessIdentifier("a@b".into())
    }

    #[tokio::test]
    async fn the_rules_of_identification_hold() {
        use Identification::{BodyAgreesWithToken, TokenOrBody};
        let table = [
            ("no token line, none named", TokenOrBody, None, vec![], Err(Problem::IdentifierMissing)),
            ("no token line, one named", TokenOrBody, None, vec![number("+12345")], Ok(first())),
            ("no token line, unknown", TokenOrBody, None, vec![number("+99999")], Err(Problem::UnknownLine)),
            (
                "no token line, unsupported",
                TokenOrBody,
                None,
                vec![access_identifier()],
                Err(Problem::IdentifierUnsupported),
            ),
            (
                "unsupported beside supported",
                TokenOrBody,
                None,
                vec![access_identifier(), number("+12346")],
                Ok(second()),
            ),
            ("token line, none named", TokenOrBody, Some(first()), vec![], Ok(first())),
            (
                "token line, same named",
                TokenOrBody,
                Some(first()),
                vec![number("+12345")],
                Err(Problem::IdentifierUnnecessary),
            ),
            ("older: token line, none named", BodyAgreesWithToken, Some(first()), vec![], Ok(first())),
            ("older: token line, same named", BodyAgreesWithToken, Some(first()), vec![number("+12345")], Ok(first())),
            (
                "older: token line, other named",
                BodyAgreesWithToken,
                Some(first()),
                vec![number("+12346")],
                Err(Problem::LineOfAnotherToken),
            ),
            (
                "older: token line, unknown named",
                BodyAgreesWithToken,
                Some(first()),
                vec![number("+99999")],
                Err(Problem::LineOfAnotherToken),
            ),
            (
                "older: token line gone, other named",
                BodyAgreesWithToken,
                Some(gone()),
                vec![number("+12345")],
                Err(Problem::CredentialsInvalid),
            ),
        ];
        for (name, rule, of_token, identifiers, expected) in table {
            let device = Device::new(identifiers);
            let found = line(&TwoLines, rule, of_token, &device).await.map(|identified| identified.line);
            assert_eq!(found, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn the_identifier_that_was_used_is_told_where_several_were_given() {
        let several = Device::new(vec![number("+12345"), number("+12346")]);
        let found = line(&TwoLines, Identification::TokenOrBody, None, &several).await.unwrap();
        assert_eq!(found.told, Some(&number("+12345")));
        let one = Device::new(vec![number("+12345")]);
        assert_eq!(line(&TwoLines, Identification::TokenOrBody, None, &one).await.unwrap().told, None);
    }
}

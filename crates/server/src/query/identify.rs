use attache_core::{Device, DeviceIdentifier, IdentifierKind, LineId, Network, Problem};
use attache_wire::{Face, Identification, Several, SubscriptionFace};

/// How a version of an API has its lines identified.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    identification: Identification,
    several: Several,
}

impl From<&Face> for Rule {
    fn from(face: &Face) -> Self {
        Self { identification: face.identification, several: face.several }
    }
}

impl From<&SubscriptionFace> for Rule {
    fn from(face: &SubscriptionFace) -> Self {
        Self { identification: face.identification, several: face.several }
    }
}

/// The line that a question is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identified<'a> {
    pub(crate) line: LineId,
    /// The identifier that was used, where the request gave several.
    pub(crate) told: Option<&'a DeviceIdentifier>,
}

/// Identifies the line from the token or from the body, by the version's rule. A token that was
/// issued for one line never answers about another.
pub(crate) async fn line<'a>(
    network: &dyn Network,
    supported: &[IdentifierKind],
    rule: impl Into<Rule>,
    of_token: Option<LineId>,
    device: &'a Device,
) -> Result<Identified<'a>, Problem> {
    let rule = rule.into();
    match (of_token, rule.identification) {
        (Some(line), _) if device.is_unnamed() => Ok(Identified { line, told: None }),
        (Some(_), Identification::TokenOrBody) => Err(Problem::IdentifierUnnecessary),
        (Some(line), Identification::BodyAgreesWithToken) => {
            match named(network, supported, rule.several, device).await {
                Ok(named) if named.line == line => Ok(Identified { line, told: None }),
                // A foreign identifier gets the same answer whether it is known or not, and beside the own
                // number as well.
                Ok(_) | Err(Problem::UnknownLine | Problem::IdentifiersDisagree) => match network.observe(line).await {
                    // The line of the token is gone: its number may have passed to somebody else.
                    Err(Problem::UnknownLine) => Err(Problem::CredentialsInvalid),
                    _ => Err(Problem::LineOfAnotherToken),
                },
                Err(problem) => Err(problem),
            }
        }
        (None, _) => named(network, supported, rule.several, device).await,
    }
}

/// The line that the identifiers name. The first of a kind that is supported is used, and where
/// all must agree, the others of such kinds are held against it.
async fn named<'a>(
    network: &dyn Network,
    supported: &[IdentifierKind],
    several: Several,
    device: &'a Device,
) -> Result<Identified<'a>, Problem> {
    let identifiers = device.identifiers();
    if identifiers.is_empty() {
        return Err(Problem::IdentifierMissing);
    }
    let mut used: Option<Identified<'a>> = None;
    for identifier in identifiers.iter().filter(|identifier| supported.contains(&identifier.kind())) {
        let line = match network.identify(identifier).await {
            Err(Problem::IdentifierUnsupported) => continue,
            identified => identified?,
        };
        match &used {
            None => used = Some(Identified { line, told: (identifiers.len() > 1).then_some(identifier) }),
            Some(used) if used.line != line => return Err(Problem::IdentifiersDisagree),
            Some(_) => {}
        }
        if several == Several::FirstKnown {
            break;
        }
    }
    used.ok_or(Problem::IdentifierUnsupported)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use attache_core::{Line, LineProfile};
    use attache_wire::camara::{device_roaming_status, device_status};

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

        async fn profile(&self, _: LineId) -> Result<LineProfile, Problem> {
            Err(Problem::UnknownLine)
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

    /// The face of each rule.
    const NEWEST: &Face = &device_roaming_status::v1::FACE;
    const PINNED: &Face = &device_roaming_status::v1_0::FACE;
    const OLDER: &Face = &device_roaming_status::v0_6::FACE;
    const OLDEST: &Face = &device_status::v0_5::ROAMING;

    #[tokio::test]
    async fn the_rules_of_identification_hold() {
        let own = || number("+12345");
        let other = || number("+12346");
        let unknown = || number("+99999");
        let token = Some(first());
        let table = [
            ("nobody is named", NEWEST, None, vec![], Err(Problem::IdentifierMissing)),
            ("one is named", NEWEST, None, vec![own()], Ok(first())),
            ("an unknown one is named", NEWEST, None, vec![unknown()], Err(Problem::UnknownLine)),
            ("an unsupported one", NEWEST, None, vec![access_identifier()], Err(Problem::IdentifierUnsupported)),
            ("unsupported beside supported", NEWEST, None, vec![access_identifier(), other()], Ok(second())),
            ("two that disagree", NEWEST, None, vec![own(), other()], Ok(first())),
            ("the second is unknown", NEWEST, None, vec![own(), unknown()], Ok(first())),
            ("token", NEWEST, token, vec![], Ok(first())),
            ("token, and its own line", NEWEST, token, vec![own()], Err(Problem::IdentifierUnnecessary)),
            ("pinned: two that agree", PINNED, None, vec![own(), own()], Ok(first())),
            ("pinned: two that disagree", PINNED, None, vec![own(), other()], Err(Problem::IdentifiersDisagree)),
            ("pinned: the second is unknown", PINNED, None, vec![own(), unknown()], Err(Problem::UnknownLine)),
            ("pinned: unsupported between", PINNED, None, vec![own(), access_identifier(), own()], Ok(first())),
            ("pinned: token, and its own line", PINNED, token, vec![own()], Err(Problem::IdentifierUnnecessary)),
            ("older: two that disagree", OLDER, None, vec![own(), other()], Err(Problem::IdentifiersDisagree)),
            ("older: token", OLDER, token, vec![], Ok(first())),
            ("older: token, and its own line", OLDER, token, vec![own()], Ok(first())),
            ("older: token, and another", OLDER, token, vec![other()], Err(Problem::LineOfAnotherToken)),
            ("older: token, and an unknown one", OLDER, token, vec![unknown()], Err(Problem::LineOfAnotherToken)),
            ("older: token, own and another", OLDER, token, vec![own(), other()], Err(Problem::LineOfAnotherToken)),
            ("older: token, own and unknown", OLDER, token, vec![own(), unknown()], Err(Problem::LineOfAnotherToken)),
            ("older: token of a line gone", OLDER, Some(gone()), vec![own()], Err(Problem::CredentialsInvalid)),
            ("oldest: two that disagree", OLDEST, None, vec![own(), other()], Ok(first())),
            ("oldest: token, and another", OLDEST, token, vec![other()], Err(Problem::LineOfAnotherToken)),
            ("oldest: token, own and another", OLDEST, token, vec![own(), other()], Ok(first())),
        ];
        for (name, face, of_token, identifiers, expected) in table {
            let device = Device::new(identifiers);
            let found =
                line(&TwoLines, &IdentifierKind::ALL, face, of_token, &device).await.map(|identified| identified.line);
            assert_eq!(found, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn the_identifier_that_was_used_is_told_where_several_were_given() {
        let several = Device::new(vec![access_identifier(), number("+12345"), number("+12346")]);
        let found = line(&TwoLines, &IdentifierKind::ALL, NEWEST, None, &several).await.unwrap();
        assert_eq!(found.told, Some(&number("+12345")));
        let one = Device::new(vec![number("+12345")]);
        assert_eq!(line(&TwoLines, &IdentifierKind::ALL, NEWEST, None, &one).await.unwrap().told, None);
        let agreeing = Device::new(vec![number("+12345"), number("+12345")]);
        assert_eq!(line(&TwoLines, &IdentifierKind::ALL, OLDER, Some(first()), &agreeing).await.unwrap().told, None);
    }

    #[tokio::test]
    async fn an_identifier_of_an_unsupported_kind_is_as_good_as_none() {
        let supported = [IdentifierKind::Ipv4, IdentifierKind::Ipv6];
        let one = Device::new(vec![number("+12345")]);
        let ask = async |face, of_token| line(&TwoLines, &supported, face, of_token, &one).await.map(|it| it.line);
        assert_eq!(ask(NEWEST, None).await, Err(Problem::IdentifierUnsupported));
        assert_eq!(ask(NEWEST, Some(first())).await, Err(Problem::IdentifierUnnecessary));
        assert_eq!(ask(OLDER, Some(first())).await, Err(Problem::IdentifierUnsupported));
        let address = DeviceIdentifier::Ipv6(std::net::Ipv6Addr::LOCALHOST);
        let several = Device::new(vec![number("+12345"), address]);
        let found = line(&TwoLines, &supported, NEWEST, None, &several).await;
        assert_eq!(found, Err(Problem::UnknownLine));
    }
}

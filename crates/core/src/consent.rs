//! Who may use what is known of a line, and why.
//!
//! A *consent* is what the subject of a line has said to one client about one purpose and one scope; or
//! that nothing needs to be said, because the law knows another *legal basis* for that use. Which basis
//! holds is the operator's *policy*: by country, API and purpose.

use std::{fmt, str::FromStr, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{ClientId, LineId, Plmn, Purpose, Scope, StoreError, Timestamp, countries};

/// What makes a use of personal data lawful (article 6 of the European General Data Protection
/// Regulation, whose six bases other laws know as well).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegalBasis {
    /// The subject said yes.
    Consent,
    /// A contract with the subject needs it.
    Contract,
    /// A law demands it.
    LegalObligation,
    /// Somebody's life depends on it.
    VitalInterests,
    /// A public task needs it.
    PublicTask,
    /// An interest outweighs the subject's.
    LegitimateInterest,
}

impl LegalBasis {
    /// Every basis.
    pub const ALL: [Self; 6] = [
        Self::Consent,
        Self::Contract,
        Self::LegalObligation,
        Self::VitalInterests,
        Self::PublicTask,
        Self::LegitimateInterest,
    ];

    /// The word for it in configuration and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Contract => "contract",
            Self::LegalObligation => "legal_obligation",
            Self::VitalInterests => "vital_interests",
            Self::PublicTask => "public_task",
            Self::LegitimateInterest => "legitimate_interest",
        }
    }

    /// Whether the subject must be asked before.
    #[must_use]
    pub const fn needs_consent(self) -> bool {
        matches!(self, Self::Consent)
    }

    /// Whether the subject can end the use: by withdrawing a consent (article 7), or by objecting to
    /// an interest or a public task (article 21).
    #[must_use]
    pub const fn can_be_ended(self) -> bool {
        matches!(self, Self::Consent | Self::PublicTask | Self::LegitimateInterest)
    }
}

impl FromStr for LegalBasis {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::ALL.into_iter().find(|basis| basis.as_str() == text).ok_or(PolicyError::Basis)
    }
}

impl fmt::Display for LegalBasis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no rule of a policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each is told by its message")]
pub enum PolicyError {
    #[error(
        "a legal basis is consent, contract, legal_obligation, vital_interests, public_task or legitimate_interest"
    )]
    Basis,
    #[error("a rule has the form COUNTRY/API/PURPOSE=BASIS, such as FR=consent or */connected-network-type=contract")]
    Form,
    #[error("a country is its ISO 3166-1 alpha-2 code in capitals, such as FR, or *")]
    Country,
    #[error("a purpose is dpv: and the name of a purpose of the W3C Data Privacy Vocabulary, or *")]
    Purpose,
}

/// Which legal basis holds in a country, for an API and a purpose; what is absent is any.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyRule {
    country: Option<String>,
    api: Option<String>,
    purpose: Option<Purpose>,
    basis: LegalBasis,
}

impl PolicyRule {
    fn fits(&self, home: Plmn, api: &str, purpose: &Purpose) -> bool {
        self.country.as_deref().is_none_or(|country| countries(home.mcc()).contains(&country))
            && self.api.as_deref().is_none_or(|own| own == api)
            && self.purpose.as_ref().is_none_or(|own| own == purpose)
    }
}

impl FromStr for PolicyRule {
    type Err = PolicyError;

    /// Reads `COUNTRY/API/PURPOSE=BASIS`, of which each part may be `*`, and the last ones left out.
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let (place, basis) = text.split_once('=').ok_or(PolicyError::Form)?;
        let mut parts = place.split('/').map(|part| (part != "*").then_some(part));
        let (country, api, purpose) = (parts.next().flatten(), parts.next().flatten(), parts.next().flatten());
        let is_api = |api: &str| api.bytes().all(|byte| byte.is_ascii_lowercase() || b"-0123456789".contains(&byte));
        if parts.next().is_some() || api.is_some_and(|api| api.is_empty() || !is_api(api)) {
            return Err(PolicyError::Form);
        }
        if country.is_some_and(|country| country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase())) {
            return Err(PolicyError::Country);
        }
        Ok(Self {
            country: country.map(str::to_owned),
            api: api.map(str::to_owned),
            purpose: purpose.map(|purpose| purpose.parse().map_err(|_| PolicyError::Purpose)).transpose()?,
            basis: basis.parse()?,
        })
    }
}

impl fmt::Display for PolicyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = "*";
        let country = self.country.as_deref().unwrap_or(any);
        let api = self.api.as_deref().unwrap_or(any);
        let purpose = self.purpose.as_ref().map_or(any, Purpose::as_str);
        write!(f, "{country}/{api}/{purpose}={}", self.basis)
    }
}

/// The operator's policy: the first rule that fits decides; where none does, consent is needed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy(Vec<PolicyRule>);

impl Policy {
    /// A policy of these rules, in this order.
    #[must_use]
    pub const fn new(rules: Vec<PolicyRule>) -> Self {
        Self(rules)
    }

    /// The legal basis of a use of an API for a purpose. The law is that of the country of the line's
    /// home network, where its subscriber has a contract; a mobile country code that several countries
    /// share fits the rule of any of them.
    #[must_use]
    pub fn basis(&self, home: Plmn, api: &str, purpose: &Purpose) -> LegalBasis {
        self.0.iter().find(|rule| rule.fits(home, api, purpose)).map_or(LegalBasis::Consent, |rule| rule.basis)
    }
}

/// The last word about what one client may use of one line, for one purpose and by one scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consent {
    /// Whose data.
    pub line: LineId,
    /// Who uses them.
    pub client: ClientId,
    /// What for.
    pub purpose: Purpose,
    /// Which.
    pub scope: Scope,
    /// On what basis, when the word was given.
    pub basis: LegalBasis,
    /// The word.
    pub state: ConsentState,
}

impl Consent {
    /// Whether the data may be used.
    #[must_use]
    pub const fn is_in_force(&self) -> bool {
        matches!(self.state, ConsentState::Granted { .. })
    }

    /// This word in the place of the one before, about the same. What goes on, on the same basis, goes on
    /// since it began; anything else begins after what was before, whatever the clock says. So what rested on
    /// a consent that has ended never rests on one that is given later.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        if self.is_in_force() && before.is_in_force() && self.basis == before.basis {
            return before.clone();
        }
        let earliest = before.state.at().plus(Duration::from_nanos(1));
        let (ConsentState::Granted { at } | ConsentState::Denied { at } | ConsentState::Withdrawn { at, .. }) =
            &mut self.state;
        *at = earliest.max(*at);
        self
    }

    /// This consent once its subject has ended it; `None` if there is nothing to end, or if its basis is
    /// not the subject's to end.
    #[must_use]
    pub fn withdrawn(&self, at: Timestamp) -> Option<Self> {
        match self.state {
            ConsentState::Granted { at: granted_at } if self.basis.can_be_ended() => {
                Some(Self { state: ConsentState::Withdrawn { granted_at, at }, ..self.clone() })
            }
            ConsentState::Granted { .. } | ConsentState::Denied { .. } | ConsentState::Withdrawn { .. } => None,
        }
    }
}

/// What was said last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConsentState {
    /// Yes; or, where no consent is needed, when the use began.
    Granted {
        /// Since when.
        at: Timestamp,
    },
    /// No.
    Denied {
        /// Since when.
        at: Timestamp,
    },
    /// First yes, then no.
    Withdrawn {
        /// When it was yes.
        granted_at: Timestamp,
        /// When it became no.
        at: Timestamp,
    },
}

impl ConsentState {
    /// The word for it in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted { .. } => "granted",
            Self::Denied { .. } => "denied",
            Self::Withdrawn { .. } => "withdrawn",
        }
    }

    /// When it was said.
    #[must_use]
    pub const fn at(self) -> Timestamp {
        match self {
            Self::Granted { at } | Self::Denied { at } | Self::Withdrawn { at, .. } => at,
        }
    }
}

/// Keeps consents over restarts. Those of a client end with it, those of a line with the line; the
/// subscriptions that rest on one end with it.
#[async_trait]
pub trait Consents: Send + Sync {
    /// Calls `each` with every consent.
    fn load(&self, each: &mut dyn FnMut(Consent)) -> Result<(), StoreError>;
    /// Puts these in the place of what was said before about the same, all or none. Whatever of them is not in
    /// force ends, in the same transaction, the subscriptions that rest on it: they are told so, and nothing
    /// about the line any more, not even what was waiting.
    async fn put(&self, consents: Vec<Consent>) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: &[&str]) -> Policy {
        Policy::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_without_one_consent_is_needed() {
        let policy = policy(&[
            "FR/device-roaming-status/dpv:FraudPreventionAndDetection=legitimate_interest",
            "*/connected-network-type=contract",
            "GP=legal_obligation",
            "FR=public_task",
        ]);
        let (fraud, service) = ("dpv:FraudPreventionAndDetection", "dpv:ServiceProvision");
        for (home, api, purpose, basis) in [
            ("20801", "device-roaming-status", fraud, LegalBasis::LegitimateInterest),
            ("20801", "device-roaming-status", service, LegalBasis::PublicTask),
            ("20801", "connected-network-type", fraud, LegalBasis::Contract),
            ("21407", "connected-network-type", fraud, LegalBasis::Contract),
            ("21407", "device-roaming-status", fraud, LegalBasis::Consent),
            // Five countries share 340, and none has 901.
            ("34001", "device-status", fraud, LegalBasis::LegalObligation),
            ("90112", "device-status", fraud, LegalBasis::Consent),
        ] {
            let found = policy.basis(home.parse().unwrap(), api, &purpose.parse().unwrap());
            assert_eq!(found, basis, "{home} {api} {purpose}");
        }
        assert_eq!(
            Policy::default().basis("20801".parse().unwrap(), "a", &fraud.parse().unwrap()),
            LegalBasis::Consent
        );
    }

    #[test]
    fn a_rule_prints_whole() {
        for (text, whole) in [
            ("FR=consent", "FR/*/*=consent"),
            ("*/a-1/dpv:Marketing=contract", "*/a-1/dpv:Marketing=contract"),
            ("*=vital_interests", "*/*/*=vital_interests"),
        ] {
            assert_eq!(text.parse::<PolicyRule>().unwrap().to_string(), whole);
        }
        for (text, error) in [
            ("FR", PolicyError::Form),
            ("FR//=consent", PolicyError::Form),
            ("FR/A=consent", PolicyError::Form),
            ("FR/a/*/b=consent", PolicyError::Form),
            ("fr=consent", PolicyError::Country),
            ("=consent", PolicyError::Country),
            ("FR/a/marketing=consent", PolicyError::Purpose),
            ("FR=yes", PolicyError::Basis),
        ] {
            assert_eq!(text.parse::<PolicyRule>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_subject_ends_what_is_theirs_to_end() {
        let (granted_at, at) = (Timestamp::from_unix_seconds(1), Timestamp::from_unix_seconds(2));
        for basis in LegalBasis::ALL {
            let consent = Consent {
                line: LineId::from_bytes([1; 16]),
                client: ClientId::from_bytes([2; 16]),
                purpose: Purpose::new_static("dpv:Marketing"),
                scope: Scope::new_static("a:read"),
                basis,
                state: ConsentState::Granted { at: granted_at },
            };
            let ended = consent.withdrawn(at);
            assert_eq!(ended.is_some(), basis.can_be_ended(), "{basis}");
            let Some(ended) = ended else { continue };
            assert_eq!(ended.state, ConsentState::Withdrawn { granted_at, at });
            assert_eq!((ended.is_in_force(), ended.withdrawn(at)), (false, None));
        }
    }
}

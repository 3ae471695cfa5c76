//! Which version of an API stands at which path.
//!
//! Versions may share a path. There the newest answers for the others, unless a body is of a form that
//! is meant for an older one, or the operator has pinned one: that one then has the base path to itself,
//! and what it does not know is not there.

use std::{fmt, str::FromStr, sync::Arc};

use attache_wire::{ApiVersion, Face, Publisher, SubscriptionFace, camara};
use http::HeaderMap;

use crate::{deprecation::Notice, settings::Settings};

/// The publisher whose APIs have versions that share a path.
const CAMARA: &Publisher = &camara::PUBLISHER;

/// A version of one of CAMARA's APIs that shall have its base path to itself, such as
/// `device-roaming-status=1.0`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pin(ApiVersion);

/// A text that pins nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an API and its version are needed: one of {}", known_pins())]
pub struct PinError;

impl Pin {
    /// Whether both want the same base path, each for itself.
    #[must_use]
    pub fn contradicts(self, other: Self) -> bool {
        self.displaces(other.0)
    }

    /// Whether a version has to leave its base path to this one.
    fn displaces(self, other: ApiVersion) -> bool {
        let Self(pinned) = self;
        (pinned.api, pinned.version) == (other.api, other.version) && pinned.contract != other.contract
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        all_pins().find(|pin| pin.to_string() == text).ok_or(PinError)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.0.api, self.0.contract)
    }
}

fn all_pins() -> impl Iterator<Item = Pin> {
    CAMARA.versions().into_iter().map(Pin)
}

fn known_pins() -> String {
    all_pins().map(|pin| pin.to_string()).collect::<Vec<_>>().join(", ")
}

/// A path below a publisher's root and the versions that stand there.
#[derive(Debug)]
pub(crate) struct Mount {
    /// The path.
    pub(crate) path: String,
    /// The version that answers, unless a body is meant for another.
    pub(crate) newest: &'static Face,
    /// The versions that answer what is meant for them.
    by_body: Vec<&'static Face>,
    /// What the answers of those of them tell that are deprecated.
    notices: Vec<Notice>,
}

impl Mount {
    /// Every version that may answer here, the newest first.
    pub(crate) fn faces(&self) -> impl Iterator<Item = &'static Face> {
        std::iter::once(self.newest).chain(self.by_body.iter().copied())
    }

    /// Whether one version answers whatever comes.
    pub(crate) fn is_of_one(&self) -> bool {
        self.by_body.is_empty()
    }

    /// Tells that a version is deprecated, if it is.
    pub(crate) fn tell_deprecation(&self, face: &Face, headers: &mut HeaderMap) {
        for notice in &self.notices {
            notice.tell(face.into(), headers);
        }
    }

    /// The version that a body is meant for.
    pub(crate) fn face_of(&self, body: &[u8]) -> &'static Face {
        let is_meant = |face: &&&Face| face.is_meant.is_some_and(|is_meant| is_meant(body));
        self.by_body.iter().find(is_meant).copied().unwrap_or(self.newest)
    }
}

/// A path below a publisher's root at which a version answers about subscriptions, and about each of them below it.
#[derive(Debug)]
pub(crate) struct SubscriptionMount {
    /// The path.
    pub(crate) path: String,
    /// The version that answers.
    pub(crate) face: &'static SubscriptionFace,
    /// What its answers tell if it is deprecated.
    notice: Option<Notice>,
}

impl SubscriptionMount {
    /// Tells that the version is deprecated, if it is.
    pub(crate) fn tell_deprecation(&self, headers: &mut HeaderMap) {
        if let Some(notice) = &self.notice {
            notice.tell(self.face.into(), headers);
        }
    }
}

/// The questions that are answered below the root of a publisher.
pub(crate) fn of(publisher: &'static Publisher, settings: &Settings) -> Vec<Arc<Mount>> {
    let mut mounts = pinned(publisher, pins(publisher, settings));
    if settings.vwip && publisher.name == CAMARA.name {
        mounts.extend(newest(publisher.faces).map(|face| Mount {
            path: vwip(face.into(), face.path),
            newest: face,
            by_body: Vec::new(),
            notices: Vec::new(),
        }));
    }
    if publisher.name == CAMARA.name {
        for mount in &mut mounts {
            mount.notices = mount.faces().filter_map(|face| Notice::of(face.into(), &settings.deprecations)).collect();
        }
    }
    mounts.into_iter().map(Arc::new).collect()
}

/// The subscriptions that are answered below the root of a publisher. No two versions share a path, but one that is
/// pinned has the base path to itself.
pub(crate) fn of_subscriptions(publisher: &'static Publisher, settings: &Settings) -> Vec<Arc<SubscriptionMount>> {
    let pins = pins(publisher, settings);
    let is_left = |face: &&SubscriptionFace| !pins.iter().any(|pin| pin.displaces((*face).into()));
    let left = publisher.subscriptions.iter().copied().filter(is_left).map(|face| (face.path.to_owned(), face));
    let newest = newest(publisher.subscriptions)
        .filter(|_| settings.vwip && publisher.name == CAMARA.name)
        .map(|face| (vwip(face.into(), face.path), face));
    let mount = |(path, face): (String, &'static SubscriptionFace)| {
        Arc::new(SubscriptionMount { path, face, notice: Notice::of(face.into(), &settings.deprecations) })
    };
    left.chain(newest).map(mount).collect()
}

/// The pins of a publisher.
fn pins<'a>(publisher: &Publisher, settings: &'a Settings) -> &'a [Pin] {
    if publisher.name == CAMARA.name { &settings.pins } else { &[] }
}

/// The path of a version by its alias.
fn vwip(version: ApiVersion, path: &str) -> String {
    let below = path.strip_prefix(&format!("/{}/{}", version.api, version.version)).unwrap_or_default();
    format!("/{}/vwip{below}", version.api)
}

/// A mount for each path that a version has.
fn pinned(publisher: &'static Publisher, pins: &[Pin]) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for face in publisher.faces {
        if pins.iter().any(|pin| pin.displaces((*face).into())) {
            continue;
        }
        match mounts.iter_mut().find(|mount| mount.path == face.path) {
            None => mounts.push(Mount {
                path: face.path.to_owned(),
                newest: face,
                by_body: Vec::new(),
                notices: Vec::new(),
            }),
            Some(mount) if face.is_meant.is_some() => mount.by_body.push(face),
            // The newer version answers for this one.
            Some(_) => {}
        }
    }
    mounts
}

/// The faces of the newest version of each API, which is the first of its name.
fn newest<F>(faces: &'static [&'static F]) -> impl Iterator<Item = &'static F>
where
    ApiVersion: From<&'static F>,
{
    faces.iter().copied().filter(|face| {
        let version = ApiVersion::from(face);
        let first = faces.iter().copied().map(ApiVersion::from).find(|other| other.api == version.api);
        first == Some(version)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use attache_wire::PUBLISHERS;

    use super::*;

    fn pins(texts: &[&str]) -> Vec<Pin> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// The contracts of the versions at each path, in order.
    fn contracts(mounts: &[Mount]) -> Vec<(&str, Vec<&'static str>)> {
        let mut contracts: Vec<_> = mounts
            .iter()
            .map(|mount| (mount.path.as_str(), mount.faces().map(|face| face.contract).collect()))
            .collect();
        contracts.sort_unstable();
        contracts
    }

    fn at(pins_of: &[&str], path: &str) -> Option<Vec<&'static str>> {
        let mounts = pinned(CAMARA, &pins(pins_of));
        contracts(&mounts).into_iter().find(|(at, _)| *at == path).map(|(_, contracts)| contracts)
    }

    #[test]
    fn every_public_version_has_its_place() {
        let mounts = pinned(CAMARA, &[]);
        assert_eq!(
            contracts(&mounts),
            [
                ("/connected-network-type/v0.1/retrieve", vec!["0.1"]),
                ("/connected-network-type/v0.2/retrieve", vec!["0.2"]),
                ("/device-reachability-status/v0.6/retrieve", vec!["0.6"]),
                ("/device-reachability-status/v1/retrieve", vec!["1.1"]),
                ("/device-roaming-status/v0.6/retrieve", vec!["0.6"]),
                ("/device-roaming-status/v1/retrieve", vec!["1.1"]),
                ("/device-status/v0/connectivity", vec!["0.5"]),
                ("/device-status/v0/roaming", vec!["0.5", "0.4"]),
            ]
        );
    }

    #[test]
    fn a_pinned_version_has_its_base_path_to_itself() {
        for (pin, path, expected) in [
            ("device-roaming-status=1.0", "/device-roaming-status/v1/retrieve", Some(vec!["1.0"])),
            ("device-roaming-status=1.0", "/device-roaming-status/v0.6/retrieve", Some(vec!["0.6"])),
            ("device-roaming-status=1.0", "/device-reachability-status/v1/retrieve", Some(vec!["1.1"])),
            ("device-roaming-status=1.1", "/device-roaming-status/v1/retrieve", Some(vec!["1.1"])),
            ("device-roaming-status=0.6", "/device-roaming-status/v1/retrieve", Some(vec!["1.1"])),
            ("device-reachability-status=1.0", "/device-reachability-status/v1/retrieve", Some(vec!["1.0"])),
            ("device-status=0.4", "/device-status/v0/roaming", Some(vec!["0.4"])),
            ("device-status=0.4", "/device-status/v0/connectivity", None),
            ("device-status=0.5", "/device-status/v0/roaming", Some(vec!["0.5"])),
            ("device-status=0.5", "/device-status/v0/connectivity", Some(vec!["0.5"])),
        ] {
            assert_eq!(at(&[pin], path), expected, "{pin} {path}");
        }
    }

    #[test]
    fn a_pin_names_an_api_and_a_version_that_there_are() {
        for text in ["", "device-status", "device-status=0.6", "device-status=v0", "device-roaming-status=1", "=1.0"] {
            assert_eq!(text.parse::<Pin>(), Err(PinError), "{text}");
        }
        let sentence = PinError.to_string();
        for pin in all_pins() {
            assert_eq!(pin.to_string().parse(), Ok(pin));
            let named = sentence.split([' ', ',']).filter(|word| *word == pin.to_string());
            assert_eq!(named.count(), 1, "{sentence}");
        }
    }

    #[test]
    fn two_pins_contradict_each_other_if_they_want_the_same_path() {
        let contradict = |one: &str, other: &str| pins(&[one])[0].contradicts(pins(&[other])[0]);
        assert!(contradict("device-roaming-status=1.0", "device-roaming-status=1.1"));
        assert!(contradict("device-status=0.4", "device-status=0.5"));
        assert!(!contradict("device-status=0.4", "device-status=0.4"));
        assert!(!contradict("device-roaming-status=1.0", "device-roaming-status=0.6"));
        assert!(!contradict("device-roaming-status-subscriptions=0.8", "device-roaming-status-subscriptions=0.7"));
        assert!(!contradict("device-roaming-status=1.0", "device-reachability-status=1.1"));
    }

    #[test]
    fn the_newest_version_of_each_api_is_the_first_of_its_name() {
        let newest: Vec<_> = newest(CAMARA.faces).map(|face| (face.path, face.contract)).collect();
        assert_eq!(
            newest,
            [
                ("/device-roaming-status/v1/retrieve", "1.1"),
                ("/device-reachability-status/v1/retrieve", "1.1"),
                ("/connected-network-type/v0.2/retrieve", "0.2"),
                ("/device-status/v0/roaming", "0.5"),
                ("/device-status/v0/connectivity", "0.5"),
            ]
        );
    }

    #[test]
    fn subscriptions_of_every_version_have_a_path_of_their_own_and_the_newest_an_alias() {
        let paths: BTreeSet<&str> = CAMARA.subscriptions.iter().map(|face| face.path).collect();
        assert_eq!(paths.len(), CAMARA.subscriptions.len());
        let aliases: Vec<String> =
            newest(CAMARA.subscriptions).map(|face| vwip(face.into(), face.path) + " " + face.contract).collect();
        assert_eq!(
            aliases,
            [
                "/device-roaming-status-subscriptions/vwip/subscriptions 0.8",
                "/device-reachability-status-subscriptions/vwip/subscriptions 0.8",
                "/connected-network-type-subscriptions/vwip/subscriptions 0.2",
                "/device-status/vwip/subscriptions 0.5",
            ]
        );
    }

    #[test]
    fn only_one_version_stands_at_a_path_of_the_others() {
        for publisher in &PUBLISHERS[1..] {
            let mounts = pinned(publisher, &[]);
            assert_eq!(mounts.len(), publisher.faces.len(), "{}", publisher.name);
            assert!(mounts.iter().all(|mount| mount.faces().count() == 1), "{}", publisher.name);
        }
    }

    #[test]
    fn a_body_tells_which_version_it_is_meant_for() {
        let mounts = pinned(CAMARA, &[]);
        let mount = mounts.iter().find(|mount| mount.path == "/device-status/v0/roaming").unwrap();
        assert_eq!(mount.face_of(br#"{"ueId": {}}"#).contract, "0.4");
        for body in [&br#"{"device": {}}"#[..], br#"{"device": {}, "ueId": {}}"#, b"{}", b"", b"{\"ueId\""] {
            assert_eq!(mount.face_of(body).contract, "0.5");
        }
    }
}

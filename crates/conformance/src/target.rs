//! The server that is held against the contracts: where it is, which line is in which state, and by
//! which tokens it can be asked. An operator says so in a file; an Attache sandbox says it itself.

use std::{
    collections::BTreeMap,
    fmt,
    fs::read,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use attache_core::{Plmn, countries};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use url::{Host, Url};

use crate::{
    admin::Admin,
    contract::{CONTRACTS, Contract},
    sink::SinkSettings,
};

/// A server, and what is known of it.
#[derive(Clone, Debug)]
pub struct Target {
    /// The root of the APIs.
    pub base_url: Url,
    /// The versions that are tested, `device-roaming-status/1.0`; empty for all that are there.
    pub versions: Vec<String>,
    /// Paths that differ from the contracts', by version; of an API with several operations, by name.
    pub paths: BTreeMap<String, String>,
    /// Whether the network is asked at each query, so that each confirms the status anew.
    pub confirms_at_each_query: bool,
    /// The lines.
    pub lines: Vec<Line>,
    /// A client that can fetch tokens.
    pub client: Option<Client>,
    /// Another client of the same issuer.
    pub other_client: Option<Client>,
    /// A client of another issuer.
    pub(crate) foreign_client: Option<Client>,
    /// A client that is over its rate limit once it has asked.
    pub(crate) rate_client: Option<Client>,
    /// A client that has used up its quota once it has asked.
    pub(crate) quota_client: Option<Client>,
    /// Tokens at hand.
    pub tokens: Tokens,
    /// What provokes problems.
    pub provoke: Provoke,
    /// Where the runner's sink is.
    pub sink: Option<SinkPlace>,
    /// The admin API of an Attache server, by which lines are changed.
    pub admin: Option<Admin>,
    /// Whether it is an Attache sandbox.
    pub is_sandbox: bool,
    /// Every face that the server says it has; `None` if it doesn't say.
    pub(crate) faces: Option<Vec<Face>>,
}

/// A face that a server says it has.
#[derive(Clone, Debug)]
pub(crate) struct Face {
    path: String,
    scope: String,
    /// The version of its contract, where versions share a path.
    contract: Option<String>,
}

/// A line and its state. What isn't said isn't known, and isn't tested.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its number, `+33699901032`.
    pub phone_number: String,
    /// Whether it roams.
    pub roaming: Option<bool>,
    /// The mobile country code of the visited network.
    pub country_code: Option<u16>,
    /// The ISO 3166 codes that this country code stands for.
    pub country_name: Option<Vec<String>>,
    /// By what it can be reached: `DATA`, `SMS`.
    pub reachable: Option<Vec<Bearing>>,
    /// The technology: `2G`, `3G`, `4G`, `5G`, `UNKNOWN`.
    pub network_type: Option<String>,
    /// When the network last saw it.
    #[serde(default)]
    pub seen: Seen,
    /// A public address by which it is known.
    pub ipv4_public_address: Option<String>,
    /// The port that goes with the public address.
    pub ipv4_public_port: Option<u16>,
    /// The private address that goes with the public one.
    pub ipv4_private_address: Option<String>,
    /// An address of its prefix.
    pub ipv6_address: Option<String>,
    /// A network access identifier by which it is known, `123456789@domain.com`. Where no line has one,
    /// the server does not take any.
    pub network_access_identifier: Option<String>,
}

/// By what a line can be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Bearing {
    /// Data.
    Data,
    /// SMS.
    Sms,
}

/// When the network last saw a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// Within the hour, say.
    #[default]
    Recently,
    /// At least an hour ago.
    LongAgo,
    /// Never.
    Never,
}

/// A client of the authorization server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Where tokens are fetched, with HTTP Basic authentication.
    pub token_endpoint: Url,
    /// Where CIBA requests begin; without it there are no 3-legged tokens but those at hand.
    pub backchannel_authentication_endpoint: Option<Url>,
    /// What it calls itself.
    pub client_id: String,
    /// Its secret.
    #[serde(deserialize_with = "secret")]
    pub client_secret: SecretString,
    /// The purpose that goes into `scope`, `dpv:FraudPreventionAndDetection`.
    pub purpose: Option<String>,
    /// Other scopes that it may ask for, to fetch tokens without the one that is needed.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// Tokens at hand.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// For no line in particular, with all scopes.
    #[serde(default, deserialize_with = "some_secret")]
    pub two_legged: Option<SecretString>,
    /// About one line each, with all scopes.
    #[serde(default)]
    pub three_legged: Vec<ThreeLegged>,
    /// Without the scopes of these APIs.
    #[serde(default, deserialize_with = "some_secret")]
    pub without_scope: Option<SecretString>,
    /// Expired.
    #[serde(default, deserialize_with = "some_secret")]
    pub expired: Option<SecretString>,
    /// Of another issuer or for another audience.
    #[serde(default, deserialize_with = "some_secret")]
    pub foreign: Option<SecretString>,
    /// Of another client, with all scopes.
    #[serde(default, deserialize_with = "some_secret")]
    pub other_client: Option<SecretString>,
    /// Of a client that is over its rate limit at once.
    #[serde(default, deserialize_with = "some_secret")]
    pub over_rate: Option<SecretString>,
    /// Of a client whose quota is used up.
    #[serde(default, deserialize_with = "some_secret")]
    pub over_quota: Option<SecretString>,
}

/// A token about one line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreeLegged {
    /// The line.
    pub phone_number: String,
    /// The token.
    #[serde(deserialize_with = "secret")]
    pub token: SecretString,
}

/// Numbers that provoke problems.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provoke {
    /// Of no line.
    pub unknown: Option<String>,
    /// Of a line for which the service is not available.
    pub not_applicable: Option<String>,
    /// Of a line about which the network fails.
    pub unavailable: Option<String>,
    /// Of a line about which the network does not answer in time.
    pub timed_out: Option<String>,
}

/// Where the runner's sink listens, and what the server calls it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkPlace {
    /// Its address as the server reaches it.
    pub url: Option<Url>,
    /// Where it listens; by default, on some port of this machine.
    pub listen: Option<SocketAddr>,
    /// The file with its certificates, PEM; without one it speaks plain HTTP.
    pub certificate: Option<PathBuf>,
    /// The file with its key, PEM.
    pub key: Option<PathBuf>,
    /// How long an event is waited for, in seconds; 15 if nothing is said.
    pub patience: Option<u16>,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    versions: Vec<String>,
    #[serde(default)]
    paths: BTreeMap<String, String>,
    confirms_at_each_query: Option<bool>,
    #[serde(default)]
    lines: Vec<Line>,
    client: Option<Client>,
    tokens: Option<Tokens>,
    provoke: Option<Provoke>,
    other_client: Option<Client>,
    sink: Option<SinkPlace>,
    admin: Option<Admin>,
}

pub(crate) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn some_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    secret(deserializer).map(Some)
}

/// Why a target can't be told.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The server does not answer.
    #[error("{url} does not answer")]
    Unreachable {
        /// Its address.
        url: Url,
        /// Why.
        source: reqwest::Error,
    },
    /// The file is no such file.
    #[error("the file is not understood: {0}")]
    File(#[from] toml::de::Error),
    /// The sandbox says something else than a sandbox does.
    #[error("{0} answers, but not as an Attache sandbox does")]
    Sandbox(Url),
    /// Nothing is known of the server.
    #[error(
        "{0} is no Attache sandbox, so a file must say which lines and tokens it has: name it with --config \
         (docs/conformance.md describes it)"
    )]
    Unknown(Url),
}

impl Target {
    /// Finds out what is known of a server: by the file, and by what a sandbox says itself. The file
    /// has the last word.
    pub async fn find(http: &reqwest::Client, base_url: Url, file: Option<&str>) -> Result<Self, TargetError> {
        let sandbox = Sandbox::ask(http, &base_url).await?;
        if file.is_none() && sandbox.is_none() {
            return Err(TargetError::Unknown(base_url));
        }
        let target = sandbox.map_or_else(|| Self::empty(&base_url), |sandbox| sandbox.target(&base_url));
        target.with_file(file.unwrap_or_default())
    }

    /// What a file says of a server.
    pub fn from_file(base_url: &Url, file: &str) -> Result<Self, TargetError> {
        Self::empty(base_url).with_file(file)
    }

    /// Adds what a file says; it has the last word.
    fn with_file(mut self, file: &str) -> Result<Self, TargetError> {
        let file: File = toml::from_str(file)?;
        self.versions = file.versions;
        self.paths = file.paths;
        self.confirms_at_each_query = file.confirms_at_each_query.unwrap_or_default();
        if !file.lines.is_empty() {
            self.lines = file.lines;
        }
        self.client = file.client.or(self.client);
        self.tokens = file.tokens.unwrap_or(self.tokens);
        self.other_client = file.other_client;
        self.sink = file.sink;
        self.admin = file.admin;
        let provoke = file.provoke.unwrap_or_default();
        self.provoke = Provoke {
            unknown: provoke.unknown.or(self.provoke.unknown),
            not_applicable: provoke.not_applicable.or(self.provoke.not_applicable),
            unavailable: provoke.unavailable.or(self.provoke.unavailable),
            timed_out: provoke.timed_out.or(self.provoke.timed_out),
        };
        Ok(self)
    }

    fn empty(base_url: &Url) -> Self {
        Self {
            base_url: base_url.clone(),
            versions: Vec::new(),
            paths: BTreeMap::new(),
            confirms_at_each_query: false,
            lines: Vec::new(),
            client: None,
            other_client: None,
            foreign_client: None,
            rate_client: None,
            quota_client: None,
            tokens: Tokens::default(),
            provoke: Provoke::default(),
            sink: None,
            admin: None,
            is_sandbox: false,
            faces: None,
        }
    }

    /// Where an operation is.
    pub(crate) fn url(&self, contract: &Contract) -> String {
        self.address(&contract.name(), contract.api, contract.version, contract.path)
    }

    /// Where what a contract calls so is: there, or where the file has it.
    pub(crate) fn address(&self, name: &str, api: &str, version: &str, path: &str) -> String {
        let version = format!("{api}/{version}");
        let moved = self.paths.get(name).or_else(|| self.paths.get(&version));
        let path = moved.map_or(path, String::as_str);
        format!("{}{path}", self.base_url.as_str().trim_end_matches('/'))
    }

    /// Where the runner's sink is to be, if the server can reach one: as the file says, or beside a sandbox on
    /// this machine, with a certificate that it trusts.
    pub(crate) fn sink_settings(
        &self,
        certificate: Option<(Vec<u8>, Vec<u8>)>,
    ) -> std::io::Result<Option<SinkSettings>> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let is_here = match self.base_url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        match &self.sink {
            None if self.is_sandbox && is_here => Ok(Some(SinkSettings { listen, url: None, certificate })),
            None => Ok(None),
            Some(place) => {
                let files = place.certificate.as_ref().zip(place.key.as_ref());
                let read = files.map(|(certificate, key)| Ok::<_, std::io::Error>((read(certificate)?, read(key)?)));
                Ok(Some(SinkSettings {
                    listen: place.listen.unwrap_or(listen),
                    url: place.url.clone(),
                    certificate: read.transpose()?.or(certificate),
                }))
            }
        }
    }

    /// Whether an operation is there, where the server says what it has.
    pub(crate) fn offers(&self, contract: &Contract) -> Option<bool> {
        let faces = self.faces.as_ref()?;
        Some(faces.iter().any(|face| {
            let is_version = match &face.contract {
                Some(version) => version == contract.version,
                None => contract.is_newest_on_its_path(),
            };
            is_version && face.path == contract.path && face.scope == contract.scope
        }))
    }

    /// Whether another version may answer at the path of an operation.
    pub(crate) fn may_share_the_path_of(&self, contract: &Contract) -> bool {
        if !self.versions.is_empty() {
            let shares = |other: &Contract| other.path == contract.path && other.naming != contract.naming;
            let is_named = |other: &Contract| self.versions.contains(&format!("{}/{}", other.api, other.version));
            return CONTRACTS.iter().any(|other| shares(other) && is_named(other));
        }
        let is_other = |face: &Face| face.path == contract.path && face.scope != contract.scope;
        self.faces.as_ref().is_none_or(|faces| faces.iter().any(is_other))
    }

    /// A line that satisfies a condition; one seen recently rather than long ago.
    pub(crate) fn line(&self, condition: impl Fn(&Line) -> bool) -> Option<&Line> {
        let mut found = self.lines.iter().filter(|line| condition(line));
        found.clone().find(|line| line.seen == Seen::Recently).or_else(|| found.next())
    }

    /// Any line that has a status.
    pub(crate) fn any_line(&self) -> Option<&Line> {
        self.line(|line| line.seen == Seen::Recently)
    }
}

impl Line {
    /// Whether it can be reached by data and by SMS.
    pub(crate) fn reach(&self) -> Option<(bool, bool)> {
        let reachable = self.reachable.as_ref()?;
        Some((reachable.contains(&Bearing::Data), reachable.contains(&Bearing::Sms)))
    }
}

/// What `GET /sandbox` says, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Sandbox {
    publishers: BTreeMap<String, Publisher>,
    lines: Vec<SandboxLine>,
}

#[derive(Debug, Deserialize)]
struct Publisher {
    base_url: String,
    token_endpoint: Url,
    backchannel_authentication_endpoint: Option<Url>,
    clients: Vec<SandboxClient>,
    #[serde(default)]
    limited_clients: Vec<SandboxClient>,
    #[serde(default, deserialize_with = "some_secret")]
    expired_token: Option<SecretString>,
    faces: Vec<SandboxFace>,
}

#[derive(Debug, Deserialize)]
struct SandboxClient {
    client_id: String,
    #[serde(deserialize_with = "secret")]
    client_secret: SecretString,
    scopes: Vec<String>,
    purposes: Vec<String>,
    #[serde(default)]
    plan: SandboxPlan,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct SandboxPlan {
    rate: Option<String>,
    burst: Option<u32>,
    quota: Option<String>,
}

impl SandboxPlan {
    /// Whether one request is all that it has for a long time, by its rate.
    fn is_one_by_rate(&self) -> bool {
        (self.rate.as_deref(), self.burst, &self.quota) == (Some("1/h"), Some(1), &None)
    }

    /// Whether one request is all that it has for a day, by its quota.
    fn is_one_by_quota(&self) -> bool {
        (&self.rate, self.quota.as_deref()) == (&None, Some("1/day"))
    }

    fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug, Deserialize)]
struct SandboxFace {
    url: String,
    scope: String,
    contract: Option<String>,
}

#[derive(Debug, Deserialize)]
struct SandboxLine {
    phone_number: String,
    home_plmn: String,
    serving_plmn: Option<String>,
    reachable: Vec<Bearing>,
    technology: Option<String>,
    /// It is told of lines only for which the service is not available.
    eligible: Option<bool>,
    /// It is told only where it can be used.
    network_access_identifier: Option<String>,
    /// How the network fares about it, where it is in trouble: `failing`, `silent`.
    network: Option<String>,
}

/// What docs/sandbox.md says of the demo lines, and `/sandbox` does not.
const SEEN_A_DAY_AGO: &str = "+33639980006";
const NEVER_ANSWERS: &str = "+33639980009";
const HAS_ADDRESSES: &str = "+33639980001";
const UNKNOWN_NUMBER: &str = "+33639989999";

impl Sandbox {
    /// Asks a server whether it is a sandbox.
    async fn ask(http: &reqwest::Client, base_url: &Url) -> Result<Option<Self>, TargetError> {
        let url = format!("{}/sandbox", base_url.as_str().trim_end_matches('/'));
        let unreachable = |source| TargetError::Unreachable { url: base_url.clone(), source };
        let response = http.get(url).send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Ok(None);
        }
        // Another server may answer anything there, so only what looks like a sandbox must be one.
        let Ok(body) = response.json::<serde_json::Value>().await else { return Ok(None) };
        if body["mode"] != "sandbox" {
            return Ok(None);
        }
        serde_json::from_value(body).map(Some).map_err(|_| TargetError::Sandbox(base_url.clone()))
    }

    fn target(self, base_url: &Url) -> Target {
        let mut publishers = self.publishers;
        let camara = publishers.remove("camara");
        let faces = camara.as_ref().map(|camara| {
            let path = |url: &str| url.strip_prefix(camara.base_url.trim_end_matches('/')).unwrap_or(url).to_owned();
            let face = |face: &SandboxFace| Face {
                path: path(&face.url),
                scope: face.scope.clone(),
                contract: face.contract.clone(),
            };
            camara.faces.iter().map(face).collect()
        });
        let foreign = publishers.into_values().filter(|publisher| !publisher.clients.is_empty());
        // The others' clients have no token of their own by CIBA alone.
        let mut foreign = foreign.filter(|publisher| publisher.backchannel_authentication_endpoint.is_none());
        let knows = |number: &str| self.lines.iter().any(|line| line.phone_number == number);
        let unknown = (!knows(UNKNOWN_NUMBER)).then(|| UNKNOWN_NUMBER.to_owned());
        let (lines, ineligible): (Vec<_>, Vec<_>) = self.lines.iter().partition(|line| line.eligible.unwrap_or(true));
        let troubled = |condition: &str| {
            let line = self.lines.iter().find(|line| line.network.as_deref() == Some(condition));
            line.map(|line| line.phone_number.clone())
        };
        let (unavailable, timed_out) = (troubled("failing"), troubled("silent"));
        let is_well = |line: &&&SandboxLine| line.network.is_none() && line.phone_number != NEVER_ANSWERS;
        let camara = camara.as_ref();
        Target {
            client: camara.and_then(|camara| camara.client(SandboxPlan::is_unlimited)),
            foreign_client: foreign.find_map(|publisher| publisher.client(SandboxPlan::is_unlimited)),
            rate_client: camara.and_then(|camara| camara.client(SandboxPlan::is_one_by_rate)),
            quota_client: camara.and_then(|camara| camara.client(SandboxPlan::is_one_by_quota)),
            provoke: Provoke {
                unknown,
                // A line that was never seen may be refused for that.
                not_applicable: ineligible
                    .into_iter()
                    .find(|line| line.serving_plmn.is_some())
                    .map(|line| line.phone_number.clone()),
                unavailable,
                timed_out,
            },
            tokens: Tokens { expired: camara.and_then(|camara| camara.expired_token.clone()), ..Tokens::default() },
            faces,
            is_sandbox: true,
            // Its subscriber never answers, so there is no token about it.
            lines: lines.iter().filter(is_well).copied().map(Line::from).collect(),
            ..Target::empty(base_url)
        }
    }
}

impl Publisher {
    /// Its first client with such a plan.
    fn client(&self, has_plan: impl Fn(&SandboxPlan) -> bool) -> Option<Client> {
        let client = self.clients.iter().chain(&self.limited_clients).find(|client| has_plan(&client.plan))?;
        Some(Client {
            token_endpoint: self.token_endpoint.clone(),
            backchannel_authentication_endpoint: self.backchannel_authentication_endpoint.clone(),
            client_id: client.client_id.clone(),
            client_secret: client.client_secret.clone(),
            purpose: client.purposes.first().cloned(),
            scopes: client.scopes.clone(),
        })
    }
}

impl From<&SandboxLine> for Line {
    fn from(line: &SandboxLine) -> Self {
        let (home, serving) = (line.home_plmn.as_str(), line.serving_plmn.as_deref());
        // Two networks of one country may be of one operator, so only a foreign country is roaming for
        // certain.
        let roaming = serving.and_then(|serving| match serving {
            serving if serving == home => Some(false),
            serving if serving.get(..3) != home.get(..3) => Some(true),
            _ => None,
        });
        let visited = serving.filter(|_| roaming == Some(true)).and_then(|serving| serving.parse::<Plmn>().ok());
        let names = |plmn: Plmn| countries(plmn.mcc()).iter().map(|&name| name.to_owned()).collect();
        let has_addresses = line.phone_number == HAS_ADDRESSES;
        Self {
            phone_number: line.phone_number.clone(),
            roaming,
            country_code: visited.map(|plmn| plmn.mcc().number()),
            country_name: visited.map(names),
            reachable: serving.map(|_| line.reachable.clone()),
            network_type: roaming.map(|roaming| {
                // Of a line that is abroad or out of reach, the home network can't tell it.
                let is_connected = !roaming && !line.reachable.is_empty();
                line.technology.clone().filter(|_| is_connected).unwrap_or_else(|| "UNKNOWN".to_owned())
            }),
            seen: match (serving, line.phone_number.as_str()) {
                (None, _) => Seen::Never,
                (Some(_), SEEN_A_DAY_AGO) => Seen::LongAgo,
                (Some(_), _) => Seen::Recently,
            },
            ipv4_public_address: has_addresses.then(|| "84.125.93.10".to_owned()),
            ipv4_public_port: has_addresses.then_some(59_765),
            ipv4_private_address: has_addresses.then(|| "10.0.0.1".to_owned()),
            ipv6_address: has_addresses.then(|| "2001:db8:85a3:8d3:1319:8a2e:370:7344".to_owned()),
            network_access_identifier: line.network_access_identifier.clone(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.base_url.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(home: &str, serving: Option<&str>) -> Line {
        Line::from(&SandboxLine {
            phone_number: "+33639980001".to_owned(),
            home_plmn: home.to_owned(),
            serving_plmn: serving.map(str::to_owned),
            reachable: vec![Bearing::Sms],
            technology: None,
            eligible: None,
            network_access_identifier: None,
            network: None,
        })
    }

    #[test]
    fn a_sandbox_line_roams_abroad_and_nowhere_else_for_certain() {
        assert_eq!(line("20801", Some("20801")).roaming, Some(false));
        assert_eq!(line("20801", Some("20810")).roaming, None);
        let abroad = line("20801", Some("26201"));
        assert_eq!((abroad.roaming, abroad.country_code), (Some(true), Some(262)));
        assert_eq!(abroad.country_name.as_deref(), Some(&["DE".to_owned()][..]));
        let at_sea = line("20801", Some("90112"));
        assert_eq!((at_sea.country_code, at_sea.country_name.as_deref()), (Some(901), Some(&[][..])));
    }

    #[test]
    fn a_line_never_seen_has_no_state() {
        let line = line("20801", None);
        assert_eq!((line.seen, line.roaming, line.reach()), (Seen::Never, None, None));
    }

    #[test]
    fn the_documented_file_is_read() {
        let document = include_str!("../../../docs/conformance.md");
        let (_, example) = document.split_once("```toml\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let target = Target::from_file(&"https://api.operator.example".parse().unwrap(), example).unwrap();
        let told = format!("{target:?}");
        assert!(!told.contains("a secret") && !told.contains("eyJ"), "secrets do not print: {told}");
        assert_eq!(
            target.lines.iter().map(|line| line.seen).collect::<Vec<_>>(),
            [Seen::Recently, Seen::LongAgo, Seen::Never]
        );
        let tokens = &target.tokens;
        assert!(
            [
                &tokens.two_legged,
                &tokens.without_scope,
                &tokens.expired,
                &tokens.foreign,
                &tokens.over_rate,
                &tokens.over_quota
            ]
            .iter()
            .all(|token| token.is_some())
        );
    }

    #[test]
    fn a_misspelt_key_of_the_file_is_refused() {
        let error = toml::from_str::<File>("[provoke]\nunknwon = \"+1\"\n").unwrap_err().to_string();
        assert!(error.contains("unknwon"), "{error}");
    }
}

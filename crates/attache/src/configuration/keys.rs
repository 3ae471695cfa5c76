//! The keys: each documented once, here. Its documentation is what `attache config`, `--help` and
//! `docs/configuration.md` say about it.

use std::{path::PathBuf, time::Duration};

use attache_core::{IdentifierKind, PolicyRule};
use attache_server::settings::{Deprecation, Key32, Mode, Pin};
use ipnet::IpNet;
use secrecy::SecretString;
use tracing_subscriber::filter::Targets;
use url::Url;

use super::{
    Values,
    value::{LogFormat, Size, Value},
};

/// A key of the configuration.
pub(crate) struct Key {
    /// Its name in a file.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) meaning: &'static str,
    /// The texts that it has when nobody gives any.
    pub(crate) default: &'static [&'static str],
    /// Its flag, if it has one.
    pub(crate) flag: Option<Flag>,
    /// Whether it has several texts.
    pub(crate) is_list: bool,
    /// Whether its value must not be shown.
    pub(crate) secret: bool,
}

/// A flag that gives a key.
#[derive(Clone, Copy)]
pub(crate) enum Flag {
    /// `--name VALUE`; several times, if the key is a list.
    Value(&'static str, &'static str),
    /// `--name` alone stands for this text.
    Switch(&'static str, &'static str),
}

impl Flag {
    /// Its name, without the hyphens.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Value(name, _) | Self::Switch(name, _) => name,
        }
    }
}

impl Key {
    /// Its variable in the environment.
    pub(crate) fn variable(&self) -> String {
        format!("ATTACHE_{}", self.name.to_ascii_uppercase())
    }
}

macro_rules! keys {
    ($($(#[doc = $meaning:literal])+ $name:ident: $type:ty = [$($default:literal),*] $(, flag $flag:expr)? $(, secret $secret:literal)?;)+) => {
        /// The value of every key.
        pub(crate) struct Configuration {
            $($(#[doc = $meaning])+ pub(crate) $name: $type,)+
        }

        /// Every key.
        pub(crate) const KEYS: &[Key] = &[$(Key {
            name: stringify!($name),
            meaning: concat!($($meaning),+),
            default: &[$($default),*],
            flag: first([$(Some($flag),)? None]),
            is_list: <$type as Value>::IS_LIST,
            secret: [$($secret,)? false][0],
        }),+];

        impl Configuration {
            /// Reads every key; `None` only if a default is none, which a test rules out.
            pub(super) fn read(values: &mut Values) -> Option<Self> {
                Some(Self { $($name: values.read(stringify!($name))?),+ })
            }
        }
    };
}

/// The first of one or two flags.
const fn first<const N: usize>(flags: [Option<Flag>; N]) -> Option<Flag> {
    flags[0]
}

keys! {
    /// `sandbox` or `production`. A sandbox has demo clients and lines, and grants consent at once.
    mode: Mode = ["sandbox"], flag Flag::Switch("production", "production");

    /// Where it listens; port 0 takes a free one. A host name stands for all its addresses.
    listen: Vec<String> = ["127.0.0.1:9091", "[::1]:9091"], flag Flag::Value("listen", "HOST:PORT");

    /// Lets a sandbox listen beyond loopback: everyone who reaches that address can use its documented
    /// demo credentials.
    sandbox_beyond_loopback: bool = ["false"], flag Flag::Switch("sandbox-beyond-loopback", "true");

    /// Where the admin API, the metrics and the health checks listen instead, apart from the faces; on a
    /// loopback address in plain HTTP.
    admin_listen: Option<String> = [], flag Flag::Value("admin-listen", "HOST:PORT");

    /// The address that clients know the server by; the issuers of its tokens begin with it. Absent:
    /// the first address that it listens on. Production needs one with https.
    public_url: Option<Url> = [], flag Flag::Value("public-url", "URL");

    /// What the header `Host` may name besides the public and the listening addresses.
    allowed_hosts: Vec<String> = [], flag Flag::Value("allowed-host", "HOST");

    /// Where the database, the audit log, `server.json` and `admin-token` live. Absent: `attache` in
    /// the user's directory for data.
    data_dir: Option<PathBuf> = [], flag Flag::Value("data-dir", "DIR");

    /// The key that encrypts the signing keys at rest: 32 random bytes as hex or base64. A sandbox
    /// without one keeps its own in the data directory; production needs one.
    secrets_key: Option<Key32> = [], secret true;

    /// The key of the audit log, which makes its pseudonyms: 32 random bytes as hex or base64. A
    /// sandbox without one keeps its own in the data directory; production needs one.
    audit_key: Option<Key32> = [], secret true;

    /// How long audit records are kept, such as `400 days`. Absent, for ever, or until `attache audit retain`.
    audit_retention: Option<Duration> = [];

    /// How long a subscription lasts at most, such as `90 days`; one that names no end ends then. Absent, for ever, and
    /// an end that is named is within ten years.
    subscription_lifetime: Option<Duration> = [];

    /// The operator's credential, for the admin API. A sandbox without one makes its own and keeps it
    /// in `admin-token` in the data directory; production needs one of 128 random bits or more.
    admin_token: Option<SecretString> = [], secret true;

    /// The certificate chain to serve TLS with, PEM; read again when it changes.
    tls_cert: Option<PathBuf> = [], flag Flag::Value("tls-cert", "FILE");

    /// The private key of the certificate, PEM; read again when it changes.
    tls_key: Option<PathBuf> = [], flag Flag::Value("tls-key", "FILE");

    /// The networks of the proxies that end TLS before this server: without TLS of its own, production takes
    /// connections from them and from this machine only.
    trusted_proxies: Vec<IpNet> = [], flag Flag::Value("trusted-proxy", "NET");

    /// The networks beside the public internet in which the `jwks_uri` of a client is asked for its keys. A
    /// sandbox asks its own machine as well.
    jwks_networks: Vec<IpNet> = [], flag Flag::Value("jwks-network", "NET");

    /// Whether the `jwks_uri` of a client is asked over plain HTTP as well. A sandbox does.
    allow_http_jwks: bool = ["false"], flag Flag::Switch("allow-http-jwks", "true");

    /// Certification authorities to trust beside this machine's when the `jwks_uri` of a client is asked, PEM.
    jwks_ca: Option<PathBuf> = [], flag Flag::Value("jwks-ca", "FILE");

    /// Lets clients of CAMARA's issuer authenticate with secrets in production as well, where CAMARA's
    /// profile asks for keys (`private_key_jwt`).
    camara_client_secrets: bool = ["false"], flag Flag::Switch("camara-client-secrets", "true");

    /// Lets a sandbox's subscribers be asked for consent, rather than agree at once. Production always asks.
    ask_consent: bool = ["false"], flag Flag::Switch("ask-consent", "true");

    /// Answers a CIBA request or a signed statement about an unknown subscriber as one about a known subscriber who
    /// has yet to consent, so that nobody learns by it who is a subscriber. The request then expires.
    conceal_unknown_subscribers: bool = ["false"], flag Flag::Switch("conceal-unknown-subscribers", "true");

    /// On what legal basis the clients of an API may use what is known of a line, such as `FR=consent`,
    /// `*/connected-network-type=contract` or `ES/*/dpv:FraudPreventionAndDetection=legitimate_interest`: by the
    /// country of the line's home network, the API and the purpose. The first rule that fits decides; without
    /// one, consent is needed.
    legal_bases: Vec<PolicyRule> = [], flag Flag::Value("legal-basis", "COUNTRY/API/PURPOSE=BASIS");

    /// How long an access token lives.
    token_lifetime: Duration = ["1h"];

    /// How long a refresh token lives. Each use of it gives a new one, with a life of its own.
    refresh_token_lifetime: Duration = ["720h"];

    /// How long an access token lives that was issued by the JWT bearer grant.
    jwt_bearer_token_lifetime: Duration = ["5m"];

    /// How old the newest signing key becomes before the next one is made. `attache key rotate` makes one at
    /// any time.
    key_rotation: Duration = ["2160h"];

    /// How long a new signing key is published before it signs, so that whoever caches the published keys has
    /// learned of it. They are told to cache them for half of that.
    key_notice: Duration = ["10m"];

    /// How long an authorization code lives.
    code_lifetime: Duration = ["60s"];

    /// How long an `auth_req_id` of CIBA lives.
    ciba_lifetime: Duration = ["120s"];

    /// Least time between two polls of one `auth_req_id`; a faster client hears `slow_down`.
    ciba_interval: Duration = ["2s"];

    /// How long a request's head may take.
    head_timeout: Duration = ["10s"];

    /// How long a request's body may take.
    body_timeout: Duration = ["10s"];

    /// How long a request's body may be.
    body_limit: Size = ["64KiB"];

    /// How long the network may take to answer.
    network_timeout: Duration = ["3s"];

    /// The kinds of identifiers by which a request can name its line, of `phone_number`, `ipv4`, `ipv6` and
    /// `network_access_identifier` (in device-status 0.4 `externalId`).
    supported_identifiers: Vec<IdentifierKind> = ["phone_number", "ipv4", "ipv6"], flag Flag::Value("supported-identifier", "KIND");

    /// How long requests under way may take to end when the server is stopped.
    shutdown_grace: Duration = ["10s"];

    /// The versions of CAMARA's APIs that have their base paths to themselves, such as
    /// `device-roaming-status=1.0`. Elsewhere the newest version answers for the others at its path, but
    /// for a body that only an older one can be meant by.
    pins: Vec<Pin> = [], flag Flag::Value("pin", "API=VERSION");

    /// The versions of CAMARA's APIs that are deprecated from a day on, and may end on another, such as
    /// `device-roaming-status/0.6=2026-01-01..2026-12-31`. Their answers tell it in the headers `Deprecation`
    /// and `Sunset`.
    deprecations: Vec<Deprecation> = [], flag Flag::Value("deprecate", "API/VERSION=DAY..DAY");

    /// The networks beside the public internet in which sinks are sent events. A sandbox sends them to its own
    /// machine as well.
    sink_networks: Vec<IpNet> = [], flag Flag::Value("sink-network", "NET");

    /// Whether a sandbox sends events over plain HTTP as well, which the contracts do not allow.
    allow_http_sinks: bool = ["false"], flag Flag::Switch("allow-http-sinks", "true");

    /// Certification authorities to trust beside this machine's when events are sent, PEM.
    sink_ca: Option<PathBuf> = [], flag Flag::Value("sink-ca", "FILE");

    /// How long a sink may take to answer; one that takes longer is tried again.
    sink_timeout: Duration = ["10s"];

    /// How long events are kept that were delivered or dropped, counted from when they were made; an ended
    /// subscription is forgotten with the last of its events.
    delivery_retention: Duration = ["7 days"];

    /// How long dead letters are kept, which can be replayed, counted from when they were given up.
    dead_letter_retention: Duration = ["30 days"];

    /// Whether the newest version of each of CAMARA's APIs stands at `/<api>/vwip` as well.
    vwip: bool = ["false"], flag Flag::Switch("vwip", "true");

    /// Whether each request leaves a line in the log.
    request_log: bool = ["true"], flag Flag::Switch("no-request-log", "false");

    /// What is logged: a level, and levels for parts of the program, such as
    /// `info,attache_server=debug`.
    log: Targets = ["info"], flag Flag::Value("log", "LEVELS");

    /// The form of the log: `text`, `json`, or `auto` for text on a terminal and JSON elsewhere.
    log_format: LogFormat = ["auto"], flag Flag::Value("log-format", "FORMAT");
}

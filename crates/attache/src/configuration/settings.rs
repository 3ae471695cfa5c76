//! What a server may be started with: the values held against each other.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    path::PathBuf,
};

use attache_server::settings::{Deprecation, Mode, OutboundPolicy, Pin, Settings, TlsFiles, is_random};
use ipnet::IpNet;
use secrecy::ExposeSecret;

use super::{Configuration, Entry, Faults, Loaded};

/// The settings of a server.
///
/// # Errors
/// Everything that is wrong with the configuration: what was found while reading it, and what is
/// missing or must not be in its mode.
pub(crate) fn settings(loaded: Loaded) -> Result<Settings, Faults> {
    let Loaded { configuration, entries, mut faults } = loaded;
    let listen: Vec<SocketAddr> =
        configuration.listen.iter().flat_map(|text| resolve("listen", text, &entries, &mut faults)).collect();
    if configuration.listen.is_empty() {
        faults.add_about("listen", "listen: one address HOST:PORT or more is needed".to_owned());
    }
    let admin_listen = configuration.admin_listen.as_deref();
    let admin_listen = admin_listen.and_then(|text| resolve("admin_listen", text, &entries, &mut faults).next());

    let tls = tls(configuration.tls_cert.clone(), configuration.tls_key.clone(), &mut faults);
    if configuration.data_dir.is_none() {
        missing::<()>(&mut faults, "data_dir", "it is needed: this user has no directory for data");
    }

    refuse_contradictions(&configuration.pins, &configuration.deprecations, &mut faults);

    match configuration.mode {
        Mode::Sandbox if configuration.sandbox_beyond_loopback => {}
        Mode::Sandbox => {
            refuse_beyond_loopback("listen", &listen, &mut faults);
            refuse_beyond_loopback("admin_listen", admin_listen.as_slice(), &mut faults);
        }
        Mode::Production => check_production(&configuration, tls.is_some(), &mut faults),
    }

    let listen_is_default = entries.iter().any(|entry| entry.key.name == "listen" && entry.is_default());
    match configuration.data_dir {
        Some(data_dir) if faults.is_empty() => Ok(Settings {
            mode: configuration.mode,
            listen,
            listen_is_default,
            admin_listen,
            public_url: configuration.public_url,
            allowed_hosts: configuration.allowed_hosts,
            data_dir,
            secrets_key: configuration.secrets_key,
            audit_key: configuration.audit_key,
            audit_retention: configuration.audit_retention,
            subscription_lifetime: configuration.subscription_lifetime,
            admin_token: configuration.admin_token,
            tls,
            trusted_proxies: configuration.trusted_proxies,
            // A sandbox's clients run beside it.
            jwks: OutboundPolicy {
                networks: with_loopback(configuration.jwks_networks, configuration.mode),
                allow_http: configuration.allow_http_jwks || configuration.mode == Mode::Sandbox,
                authorities: configuration.jwks_ca.into_iter().collect(),
            },
            camara_client_secrets: configuration.camara_client_secrets,
            ask_consent: configuration.ask_consent,
            conceal_unknown_subscribers: configuration.conceal_unknown_subscribers,
            legal_bases: configuration.legal_bases,
            token_lifetime: configuration.token_lifetime,
            refresh_token_lifetime: configuration.refresh_token_lifetime,
            jwt_bearer_token_lifetime: configuration.jwt_bearer_token_lifetime,
            key_rotation: configuration.key_rotation,
            key_notice: configuration.key_notice,
            code_lifetime: configuration.code_lifetime,
            backchannel_lifetime: configuration.ciba_lifetime,
            backchannel_interval: configuration.ciba_interval,
            head_timeout: configuration.head_timeout,
            body_timeout: configuration.body_timeout,
            body_limit: configuration.body_limit.0,
            network_timeout: configuration.network_timeout,
            supported_identifiers: configuration.supported_identifiers,
            shutdown_grace: configuration.shutdown_grace,
            request_log: configuration.request_log,
            pins: configuration.pins,
            deprecations: configuration.deprecations,
            sinks: OutboundPolicy {
                networks: with_loopback(configuration.sink_networks, configuration.mode),
                allow_http: configuration.allow_http_sinks,
                authorities: configuration.sink_ca.into_iter().collect(),
            },
            sink_timeout: configuration.sink_timeout,
            vwip: configuration.vwip,
        }),
        _ => Err(faults),
    }
}

/// The certificate and its key, of which neither is good for anything without the other.
fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>, faults: &mut Faults) -> Option<TlsFiles> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (None, None) => None,
        (Some(_), None) => missing(faults, "tls_key", "it is needed with tls_cert: the certificate's private key"),
        (None, Some(_)) => missing(faults, "tls_cert", "it is needed with tls_key: the key's certificate"),
    }
}

/// Networks that are asked, and in a sandbox this machine.
fn with_loopback(networks: Vec<IpNet>, mode: Mode) -> Vec<IpNet> {
    let loopback = [IpNet::from(IpAddr::V4(Ipv4Addr::LOCALHOST)), IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST))];
    let here = loopback.into_iter().filter(|_| mode == Mode::Sandbox);
    networks.into_iter().chain(here).collect()
}

/// Notes what production must not be without, and what it may not do.
fn check_production(configuration: &Configuration, has_tls: bool, faults: &mut Faults) {
    if configuration.public_url.as_ref().is_none_or(|url| url.scheme() != "https") {
        missing::<()>(
            faults,
            "public_url",
            "production needs the https address that clients know this server by, such as \
             https://attache.example.com",
        );
    }
    if configuration.secrets_key.is_none() {
        missing::<()>(
            faults,
            "secrets_key",
            "production needs a key for secrets at rest: 32 random bytes, such as `openssl rand -hex 32` prints",
        );
    }
    if configuration.audit_key.is_none() {
        missing::<()>(
            faults,
            "audit_key",
            "production needs a key for the audit log: 32 random bytes, such as `openssl rand -hex 32` prints",
        );
    }
    if !configuration.admin_token.as_ref().is_some_and(|token| is_random(token.expose_secret())) {
        missing::<()>(
            faults,
            "admin_token",
            "production needs an operator's credential of 128 random bits or more, such as \
             `openssl rand -hex 32` prints",
        );
    }
    if configuration.allow_http_sinks {
        faults.add_about(
            "allow_http_sinks",
            "allow_http_sinks (ATTACHE_ALLOW_HTTP_SINKS): production sends events over https only; leave it out"
                .to_owned(),
        );
    }
    if !has_tls && configuration.trusted_proxies.is_empty() {
        missing::<()>(
            faults,
            "tls_cert",
            "production needs TLS: set tls_cert and tls_key, or name in trusted_proxies the proxy that ends TLS \
             before it",
        );
    }
}

/// Notes what a key lacks, and how it can be given.
fn missing<T>(faults: &mut Faults, key: &'static str, sentence: &str) -> Option<T> {
    faults.add_about(key, format!("{key} (ATTACHE_{}): {sentence}", key.to_ascii_uppercase()));
    None
}

/// The addresses that `HOST:PORT` stands for.
fn resolve(
    key: &'static str,
    text: &str,
    entries: &[Entry],
    faults: &mut Faults,
) -> impl Iterator<Item = SocketAddr> + use<> {
    let addresses = text.to_socket_addrs();
    if let Err(cause) = &addresses {
        let origin = entries.iter().find(|entry| entry.key.name == key).map_or("", |entry| &entry.origin);
        faults.add_about(key, format!("{key} (from {origin}): `{text}` is no address HOST:PORT to listen on: {cause}"));
    }
    addresses.into_iter().flatten()
}

fn refuse_contradictions(pins: &[Pin], deprecations: &[Deprecation], faults: &mut Faults) {
    for (index, pin) in pins.iter().enumerate() {
        if let Some(other) = pins[..index].iter().find(|other| other.contradicts(*pin)) {
            faults.add_about("pins", format!("pins: {other} and {pin} want the same path; leave one of them out"));
        }
    }
    for (index, deprecation) in deprecations.iter().enumerate() {
        if deprecations[..index].iter().any(|other| other.is_about_same(*deprecation)) {
            faults.add_about("deprecations", format!("deprecations: {deprecation} is there twice; leave one out"));
        }
    }
}

fn refuse_beyond_loopback(key: &'static str, addresses: &[SocketAddr], faults: &mut Faults) {
    if let Some(address) = addresses.iter().find(|address| !address.ip().to_canonical().is_loopback()) {
        faults.add_about(
            key,
            format!(
                "{key}: a sandbox listens on loopback only, and {address} is beyond it, where everyone who reaches it \
                 can use the documented demo credentials; if that is meant, add --sandbox-beyond-loopback"
            ),
        );
    }
}

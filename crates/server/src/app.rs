use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use attache_core::{
    AuthenticationMethod, Authorizations, Clock, Deliveries, Health, LineId, Network, OperatorTokens, Policy,
    Subscriptions,
};
use attache_network::Simulator;
use attache_store::FileAuditLog;
use attache_wire::{PUBLISHERS, Publisher};
use url::Url;

use crate::{
    authorization::{GrantBook, Interactions, PublishedKeys},
    clients::ClientRegistry,
    consent::ConsentBook,
    delivery::{Courier, Signer},
    keyring::Keyring,
    revocations::Revocations,
    sandbox::{self, Entitlement},
    settings::{Mode, Settings},
    telemetry::{Metrics, RequestLine, RequestLog},
    throttle::Throttle,
    token::Tokens,
    used_once::UsedOnce,
};

/// Everything that answering a request needs.
pub(crate) struct App {
    pub(crate) settings: Settings,
    /// The address that clients know this server by, without a slash at its end.
    pub(crate) base_url: String,
    /// The host and port of that address, as a request's `Host` has them.
    pub(crate) own_host: String,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where the truth comes from.
    pub(crate) network: Arc<dyn Network>,
    /// The operator's side of the simulated network.
    pub(crate) simulator: Arc<Simulator>,
    /// Who knows the operator's tokens, if this operator has any.
    pub(crate) operator_tokens: Option<Arc<dyn OperatorTokens>>,
    /// Who issues them in a sandbox.
    pub(crate) entitlement: Option<Arc<Entitlement>>,
    pub(crate) clients: ClientRegistry,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) tokens: Tokens,
    pub(crate) authorizations: Arc<dyn Authorizations>,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) grants: GrantBook,
    /// The keys that clients publish.
    pub(crate) published_keys: PublishedKeys,
    /// What browsers have to answer.
    pub(crate) interactions: Interactions,
    /// What subscribers answer in a sandbox.
    pub(crate) answers: sandbox::Answers,
    /// What subjects have said.
    pub(crate) consents: ConsentBook,
    /// When they must be asked.
    pub(crate) policy: Policy,
    /// What clients have signed, and may use once.
    pub(crate) used_once: UsedOnce,
    /// Slows guesses down.
    pub(crate) throttle: Throttle,
    /// Whether the database can be written.
    pub(crate) database: Arc<dyn Health>,
    pub(crate) subscriptions: Arc<dyn Subscriptions>,
    pub(crate) deliveries: Arc<dyn Deliveries>,
    /// Takes events to their sinks.
    pub(crate) courier: Arc<Courier>,
    /// Signs them for clients that want it.
    pub(crate) signer: Arc<Signer>,
    pub(crate) audit: Arc<FileAuditLog>,
    pub(crate) metrics: Metrics,
    pub(crate) request_log: RequestLog,
    /// The operator's credential.
    pub(crate) admin_token: secrecy::SecretString,
}

impl App {
    /// Counts an answered request and writes it into the request log.
    pub(crate) fn answered(&self, line: &RequestLine<'_>) {
        self.metrics.request(line.labels, line.duration);
        self.request_log.add(line);
    }

    /// Whether this server plays.
    pub(crate) fn is_sandbox(&self) -> bool {
        self.settings.mode == Mode::Sandbox
    }

    /// Whether clients of a publisher may authenticate in this way: by its own rules, and by secrets where the
    /// settings have it so.
    pub(crate) fn takes(&self, publisher: &Publisher, method: AuthenticationMethod) -> bool {
        let is_secret =
            matches!(method, AuthenticationMethod::ClientSecretBasic | AuthenticationMethod::ClientSecretPost);
        publisher.authorization.authentication_methods.contains(&method)
            || (is_secret && (self.is_sandbox() || self.settings.camara_client_secrets))
    }

    /// Ends in memory all that was granted about a line that has ended; its store has done so with the line.
    /// Whoever has its number next is somebody else.
    pub(crate) async fn end_line(&self, line: LineId) {
        self.grants.end_line(line);
        self.consents.end_line(line).await;
    }

    /// The issuer of a publisher: its public address, never one that a request claims.
    pub(crate) fn issuer(&self, publisher: &Publisher) -> String {
        format!("{}{}", self.base_url, publisher.root)
    }

    /// Whether a request's `Host` may name this server. Names are checked, so that a foreign name
    /// that is made to point here (DNS rebinding) is refused; ports are not, so that a forwarded
    /// port works.
    pub(crate) fn knows_host(&self, host: &str) -> bool {
        if host == self.own_host {
            return true;
        }
        // Whatever a URL has beside its host and port, a `Host` has not.
        if !host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/\\?#@".contains(&byte)) {
            return false;
        }
        let Ok(url) = Url::parse(&format!("http://{host}/")) else { return false };
        match url.host() {
            None => false,
            Some(url::Host::Ipv4(address)) => self.listens_at(address.into()),
            Some(url::Host::Ipv6(address)) => self.listens_at(address.into()),
            Some(url::Host::Domain(name)) => {
                name == "localhost"
                    || self.settings.public_url.as_ref().and_then(Url::host_str) == Some(name)
                    || self.is_allowed_host(name)
            }
        }
    }

    fn listens_at(&self, address: IpAddr) -> bool {
        let listening = self.settings.listen.iter().chain(&self.settings.admin_listen).map(SocketAddr::ip);
        address.is_loopback()
            || listening.into_iter().any(|listening| listening == address || listening.is_unspecified())
            || self.is_allowed_host(&address.to_string())
    }

    fn is_allowed_host(&self, host: &str) -> bool {
        self.settings.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

/// The publisher whose root a path lies below.
pub(crate) fn publisher_of(path: &str) -> &'static Publisher {
    PUBLISHERS
        .iter()
        .filter(|publisher| {
            path.strip_prefix(publisher.root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|publisher| publisher.root.len())
        .copied()
        .unwrap_or(PUBLISHERS[0])
}

/// A publisher by its name.
pub(crate) fn publisher_named(name: &str) -> Option<&'static Publisher> {
    PUBLISHERS.iter().find(|publisher| publisher.name.as_str() == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_the_publisher_whose_root_it_lies_below() {
        for (path, name) in [
            ("/", "camara"),
            ("/device-status/v0/roaming", "camara"),
            ("/orange", "orange"),
            ("/orange/x", "orange"),
            ("/orangeade", "camara"),
            ("/telefonica/apigateway/token", "telefonica"),
            ("*", "camara"),
        ] {
            assert_eq!(publisher_of(path).name.as_str(), name, "{path}");
        }
    }
}

use std::collections::BTreeMap;

use attache_core::{IdentifierKind, Line, NetworkAccessIdentifier, PhoneNumber, Plmn, Technology};
use attache_network::{Condition, Filter};
use attache_wire::{PUBLISHERS, SubscribedType};
use serde::Serialize;

use super::{demo, expired_token};
use crate::{
    admin::api::{NetworkState, Plan},
    app::App,
    authorization::endpoints,
    mounts::{self, SubscriptionMount},
};

/// How many lines are told at most.
const LINES_TOLD: usize = 1_000;

/// What a sandbox offers: the start prints it, and `GET /sandbox` answers with it.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are the words of the JSON document, which docs/sandbox.md describes")]
pub struct Summary {
    pub mode: &'static str,
    /// Whether events are sent over plain HTTP as well, against the contracts; absent where they are not.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_http_sinks: bool,
    pub publishers: BTreeMap<&'static str, PublisherSummary>,
    pub lines: Vec<LineSummary>,
}

/// A publisher of APIs and how to reach it.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct PublisherSummary {
    pub base_url: String,
    pub issuer: String,
    pub token_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_authentication_endpoint: Option<String>,
    pub clients: Vec<ClientSummary>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limited_clients: Vec<ClientSummary>,
    /// A token that has expired, for trying out how it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired_token: Option<String>,
    pub faces: Vec<FaceSummary>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<SubscriptionSummary>,
}

/// A demo client with its documented secret.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct ClientSummary {
    pub client_id: String,
    pub client_secret: &'static str,
    pub redirect_uris: Vec<String>,
    pub scopes: Vec<String>,
    pub purposes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
}

/// A published API in one version.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct FaceSummary {
    pub api: &'static str,
    pub version: &'static str,
    pub contract: &'static str,
    pub url: String,
    pub scope: String,
}

/// A published API of event subscriptions in one version.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct SubscriptionSummary {
    pub api: &'static str,
    pub version: &'static str,
    pub contract: &'static str,
    pub url: String,
    pub types: Vec<TypeSummary>,
    pub read_scope: String,
    pub delete_scope: String,
}

/// What can be subscribed to, and the scope that this needs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct TypeSummary {
    pub name: &'static str,
    pub scope: String,
}

/// A line of the simulated network.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct LineSummary {
    pub phone_number: PhoneNumber,
    pub home_plmn: Plmn,
    pub serving_plmn: Option<Plmn>,
    pub reachable: Vec<&'static str>,
    pub technology: Option<Technology>,
    #[serde(skip_serializing_if = "is_true")]
    pub eligible: bool,
    /// Told where it can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_access_identifier: Option<NetworkAccessIdentifier>,
    /// How the network fares about it, where it is in trouble.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkState>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde has it so")]
const fn is_true(flag: &bool) -> bool {
    *flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as above")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl LineSummary {
    fn of(app: &App, line: &Line) -> Self {
        let takes_access_identifiers =
            app.settings.supported_identifiers.contains(&IdentifierKind::NetworkAccessIdentifier);
        let condition = app.simulator.condition_about(line.phone_number);
        let reachable = line.status.map(|status| [(status.data, "DATA"), (status.sms, "SMS")]);
        Self {
            phone_number: line.phone_number,
            home_plmn: line.home,
            serving_plmn: line.status.map(|status| status.serving),
            reachable: reachable.into_iter().flatten().filter_map(|(can, by)| can.then_some(by)).collect(),
            technology: line.status.and_then(|status| status.technology),
            eligible: line.eligible,
            network_access_identifier: line
                .addresses
                .as_ref()
                .and_then(|addresses| addresses.network_access_identifier.clone())
                .filter(|_| takes_access_identifiers),
            network: (condition != Condition::Up).then(|| condition.into()),
        }
    }
}

/// What this sandbox offers now.
pub(crate) fn summary(app: &App) -> Summary {
    let publishers = PUBLISHERS.iter().map(|publisher| {
        let endpoints = endpoints(app, publisher);
        let clients =
            demo::CLIENTS.iter().filter(|demo| demo.publisher == publisher.name.as_str()).filter_map(|demo| {
                // A demo client may have been removed, and another one of its name added.
                let client = app.clients.find(&publisher.name, demo.client_id)?;
                let is_demo = client
                    .secrets_at(app.clock.now())
                    .any(|secret| app.keyring.is_client_secret(demo.secret, &secret.hash));
                is_demo.then(|| ClientSummary {
                    client_id: client.client_id.clone(),
                    client_secret: demo.secret,
                    redirect_uris: client.redirect_uris.clone(),
                    scopes: client.scopes.iter().map(ToString::to_string).collect(),
                    purposes: client.purposes.iter().map(ToString::to_string).collect(),
                    plan: (!client.plan.is_unlimited()).then(|| client.plan.into()),
                })
            });
        let (clients, limited_clients) = clients.partition(|client| client.plan.is_none());
        let summary = PublisherSummary {
            base_url: endpoints.issuer.clone(),
            clients,
            limited_clients,
            faces: mounts::of(publisher, &app.settings)
                .iter()
                .flat_map(|mount| mount.faces().map(|face| (mount.path.as_str(), face)))
                .map(|(path, face)| FaceSummary {
                    api: face.api,
                    version: face.version,
                    contract: face.contract,
                    url: format!("{}{path}", endpoints.issuer),
                    scope: face.scope.to_string(),
                })
                .collect(),
            subscriptions: mounts::of_subscriptions(publisher, &app.settings)
                .iter()
                .map(|mount| subscription(mount, &endpoints.issuer))
                .collect(),
            expired_token: expired_token(app, publisher, &endpoints.issuer),
            issuer: endpoints.issuer,
            token_endpoint: endpoints.token,
            authorization_endpoint: endpoints.authorization,
            backchannel_authentication_endpoint: endpoints.backchannel,
        };
        (publisher.name.as_str(), summary)
    });
    Summary {
        mode: app.settings.mode.as_str(),
        allow_http_sinks: app.settings.sinks.allow_http,
        publishers: publishers.collect(),
        lines: app
            .simulator
            .list(None, LINES_TOLD, &Filter::default())
            .iter()
            .map(|line| LineSummary::of(app, line))
            .collect(),
    }
}

fn subscription(mount: &SubscriptionMount, root: &str) -> SubscriptionSummary {
    let face = mount.face;
    let of_type = |known: &SubscribedType| TypeSummary { name: known.name, scope: known.create_scope.to_string() };
    SubscriptionSummary {
        api: face.api,
        version: face.version,
        contract: face.contract,
        url: format!("{root}{}", mount.path),
        types: face.types.iter().map(of_type).collect(),
        read_scope: face.read_scope.to_string(),
        delete_scope: face.delete_scope.to_string(),
    }
}

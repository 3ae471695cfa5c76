//! CAMARA Device Status 0.5: `/device-status/v0/subscriptions`, by a model of its own, older than that of the
//! APIs of subscriptions alone.
//!
//! Source: the contract of device-status 0.5.1.

use attache_core::{Delivery, EndReason, EventType, Notice, Problem, Scope, Sink, Subscription, SubscriptionProblem};
use serde::{Deserialize, Serialize};

use super::v0_5;
use crate::{
    Correlator, Credential, Identification, Life, Refusal, Several, SubscribedType, SubscriptionFace,
    SubscriptionRequest,
    camara::{
        date_time::Milliseconds,
        device::{self, DeviceResponse, invalid},
        error::error_info,
        subscription::{self, CloudEvent, data, read_time, read_token},
    },
    json::{self, Object, present},
};

/// Subscriptions of Device Status 0.5.
pub const FACE: SubscriptionFace = SubscriptionFace {
    api: "device-status",
    contract: "0.5",
    version: "v0",
    path: "/device-status/v0/subscriptions",
    types: &[
        subscribed(EventType::RoamingStatus, "org.camaraproject.device-status.v0.roaming-status"),
        subscribed(EventType::RoamingOn, "org.camaraproject.device-status.v0.roaming-on"),
        subscribed(EventType::RoamingOff, "org.camaraproject.device-status.v0.roaming-off"),
        subscribed(EventType::RoamingChangeCountry, "org.camaraproject.device-status.v0.roaming-change-country"),
        subscribed(EventType::ReachabilityData, "org.camaraproject.device-status.v0.connectivity-data"),
        subscribed(EventType::ReachabilitySms, "org.camaraproject.device-status.v0.connectivity-sms"),
        subscribed(EventType::ReachabilityDisconnected, "org.camaraproject.device-status.v0.connectivity-disconnected"),
    ],
    read_scope: Scope::new_static("device-status:subscriptions:read"),
    delete_scope: Scope::new_static("device-status:subscriptions:delete"),
    identification: Identification::BodyAgreesWithToken,
    several: Several::FirstKnown,
    correlator: Correlator::Undocumented,
    life: Life { started: None, updated: None, ended: "org.camaraproject.device-status.v0.subscription-ends" },
    read,
    write,
    write_list,
    write_event,
    refuse,
};

/// One scope is enough for all types.
const fn subscribed(event_type: EventType, name: &'static str) -> SubscribedType {
    SubscribedType { event_type, name, create_scope: Scope::new_static("device-status:subscriptions:create") }
}

/// `CreateSubscription`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default, deserialize_with = "present")]
    subscription_detail: Option<Object<Detail>>,
    #[serde(default, deserialize_with = "present")]
    subscription_expire_time: Option<String>,
    #[serde(default, deserialize_with = "present")]
    webhook: Option<Object<Webhook>>,
}

/// `SubscriptionDetail`.
#[derive(Deserialize)]
struct Detail {
    #[serde(default, deserialize_with = "present")]
    device: Option<Object<device::Device>>,
    #[serde(default, deserialize_with = "present")]
    r#type: Option<String>,
}

/// `Webhook`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    #[serde(default, deserialize_with = "present")]
    notification_url: Option<String>,
    #[serde(default, deserialize_with = "present")]
    notification_auth_token: Option<String>,
}

/// Reads `CreateSubscription`.
fn read(face: &SubscriptionFace, body: &[u8]) -> Result<SubscriptionRequest, SubscriptionProblem> {
    const DEVICE: &str = "subscriptionDetail.device";
    let missing = |field| Problem::FieldMissing { field };
    let request: Request = json::read(body)?;
    let Object(detail) = request.subscription_detail.ok_or(missing("subscriptionDetail"))?;
    let asked = detail.r#type.ok_or(missing("subscriptionDetail.type"))?;
    let known = face.types.iter().find(|known| known.name == asked);
    let event_type = known.ok_or_else(|| invalid("subscriptionDetail.type", "it is no type of this API"))?.event_type;
    let Object(device) = detail.device.ok_or(missing(DEVICE))?;
    let device = device
        .identify(|text| v0_5::read_phone_number("device.phoneNumber", text))
        .map_err(|problem| subscription::below(DEVICE, problem))?;
    let Object(webhook) = request.webhook.ok_or(missing("webhook"))?;
    let sink = Sink::new(&webhook.notification_url.ok_or(missing("webhook.notificationUrl"))?)?;
    let token = webhook.notification_auth_token;
    let token = token.map(|token| read_token("webhook.notificationAuthToken", token)).transpose()?;
    Ok(SubscriptionRequest {
        device,
        event_type,
        sink,
        credential: token.map(|token| Credential { token, expires_at: None }),
        initial_event: None,
        max_events: None,
        expires_at: request
            .subscription_expire_time
            .map(|text| read_time("subscriptionExpireTime", &text))
            .transpose()?,
    })
}

/// `SubscriptionInfo`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    subscription_id: String,
    // The contract requires it here, and describes it in the detail alone.
    r#type: &'static str,
    subscription_detail: InfoDetail<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_expire_time: Option<Milliseconds>,
    webhook: InfoWebhook<'a>,
    starts_at: Milliseconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Milliseconds>,
}

/// `SubscriptionDetail` of an answer.
#[derive(Serialize)]
struct InfoDetail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceResponse<'a>>,
    r#type: &'static str,
}

/// `Webhook` of an answer, which never shows the token.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InfoWebhook<'a> {
    notification_url: &'a str,
}

fn write(face: &SubscriptionFace, subscription: &Subscription) -> Vec<u8> {
    json::write(&info(face, subscription))
}

fn write_list(face: &SubscriptionFace, subscriptions: &[Subscription]) -> Vec<u8> {
    json::write(&subscriptions.iter().map(|subscription| info(face, subscription)).collect::<Vec<_>>())
}

fn info<'a>(face: &SubscriptionFace, subscription: &'a Subscription) -> Info<'a> {
    let r#type = face.type_of(subscription.event_type).map_or("", |subscribed| subscribed.name);
    let expires_at = || subscription.expires_at.map(Milliseconds);
    Info {
        subscription_id: subscription.id.to_string(),
        r#type,
        subscription_detail: InfoDetail { device: subscription.device.as_ref().map(DeviceResponse::from), r#type },
        subscription_expire_time: expires_at(),
        webhook: InfoWebhook { notification_url: subscription.sink.as_str() },
        starts_at: Milliseconds(subscription.starts_at),
        expires_at: expires_at(),
    }
}

/// Its end has two reasons here, and who deletes a subscription is told nothing.
fn write_event(
    face: &SubscriptionFace,
    subscription: &Subscription,
    delivery: &Delivery,
    source: &str,
) -> Option<Vec<u8>> {
    let data = data(subscription);
    let (r#type, data) = match &delivery.notice {
        Notice::Event(became) => (face.type_of(became.event_type())?.name, data.tell(*became)),
        Notice::Started | Notice::Updated { .. } => return None,
        Notice::Ended { reason, .. } => {
            let reason = match reason {
                EndReason::Expired => "SUBSCRIPTION_EXPIRED",
                EndReason::NetworkTerminated => "NETWORK_TERMINATED",
                EndReason::MaxEventsReached
                | EndReason::Deleted
                | EndReason::CredentialExpired
                | EndReason::SinkGone => return None,
            };
            (face.life.ended, data.ends(reason, None))
        }
    };
    Some(json::write(&CloudEvent::new(delivery, source, r#type, data)))
}

fn refuse(problem: &SubscriptionProblem) -> Refusal {
    let (status, code) = match problem {
        SubscriptionProblem::Problem(problem) => return v0_5::refuse(problem),
        SubscriptionProblem::ProtocolUnsupported
        | SubscriptionProblem::CredentialUnsupported
        | SubscriptionProblem::TokenTypeUnsupported
        | SubscriptionProblem::SinkInvalid(_)
        | SubscriptionProblem::SinkRefused { .. }
        | SubscriptionProblem::TypesTooMany
        | SubscriptionProblem::OutOfRange { .. } => (400, "INVALID_ARGUMENT"),
        SubscriptionProblem::TypeNotPermitted => (403, "PERMISSION_DENIED"),
        SubscriptionProblem::UnknownSubscription => (404, "NOT_FOUND"),
        SubscriptionProblem::KeyUsedOtherwise => (409, "CONFLICT"),
    };
    error_info(status, code, &problem.to_string())
}

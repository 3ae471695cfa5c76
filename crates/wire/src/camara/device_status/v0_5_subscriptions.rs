//! CAMARA Device Status 0.5: `/device-status/v0/subscriptions`, by a model of its own, older than that of the
//! APIs of subscriptions alone.
//!
//! Source: the contract of device-status 0.5.1.

use attache_core::{
    Delivery, EndReason, EventType, Notice, Problem, Scope, Sink, Subscription, SubscriptionProblem, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::v0_5;
use crate::{
    Body, Codes, Correlator, Credential, Identification, Life, Refusal, Several, Statuses, SubscribedType,
    SubscriptionDescription, SubscriptionFace, SubscriptionRequest, Told,
    camara::{
        date_time::Milliseconds,
        device::{self, DeviceResponse, invalid},
        error::error_info,
        schema::{
            DateTime, FewTerminationReasons, LenientPhoneNumber, OtherDeviceResponse, SubscriptionEventType,
            SubscriptionId,
        },
        subscription::{self, CloudEvent, Data, Ends, Plain, read_time, read_token, tell},
    },
    description::EXAMPLE_SINK,
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
    has_uuids: false,
    life: Life { started: None, updated: None, ended: "org.camaraproject.device-status.v0.subscription-ends" },
    read,
    write,
    write_list,
    write_event,
    refuse,
    description: DESCRIPTION,
};

/// What its document says.
const DESCRIPTION: SubscriptionDescription = SubscriptionDescription {
    request: Body::of::<Request>(),
    example,
    answer: Body::of::<Info<'_>>(),
    told: Told { ended: Body::of::<Ends<'_>>(), ..subscription::DESCRIPTION.told },
    instead: &[
        Body::of::<LenientPhoneNumber>(),
        Body::of::<OtherDeviceResponse>(),
        Body::of::<FewTerminationReasons>(),
    ],
    sink: "{$request.body#/webhook/notificationUrl}",
    sink_statuses: &[204, 400, 401, 403, 500, 503],
    statuses: Statuses {
        create: &[400, 401, 403, 409, 500, 503],
        list: &[400, 401, 403, 500, 503],
        one: &[400, 401, 403, 404, 500, 503],
    },
    codes: Codes::Shown,
    ..subscription::DESCRIPTION
};

/// One scope is enough for all types.
const fn subscribed(event_type: EventType, name: &'static str) -> SubscribedType {
    SubscribedType { event_type, name, create_scope: Scope::new_static("device-status:subscriptions:create") }
}

/// `CreateSubscription`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CreateSubscription)]
struct Request {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Detail, required)]
    subscription_detail: Option<Object<Detail>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = DateTime)]
    subscription_expire_time: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Webhook, required)]
    webhook: Option<Object<Webhook>>,
}

/// `SubscriptionDetail`.
#[derive(Deserialize, ToSchema)]
#[schema(as = SubscriptionDetail)]
struct Detail {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = device::Device, required)]
    device: Option<Object<device::Device>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = SubscriptionEventType, required)]
    r#type: Option<String>,
}

/// `Webhook`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required)]
    notification_url: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String)]
    notification_auth_token: Option<String>,
}

/// A body for trying things out, about the first type.
fn example(face: &SubscriptionFace) -> Value {
    json!({
        "subscriptionDetail": {
            "device": { "phoneNumber": "+12025550123" },
            "type": face.types.first().map(|subscribed| subscribed.name),
        },
        "webhook": { "notificationUrl": EXAMPLE_SINK },
    })
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
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SubscriptionInfo)]
struct Info<'a> {
    #[schema(value_type = SubscriptionId)]
    subscription_id: String,
    // The contract requires it here, and describes it in the detail alone.
    #[schema(value_type = SubscriptionEventType)]
    r#type: &'static str,
    subscription_detail: InfoDetail<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = DateTime)]
    subscription_expire_time: Option<Milliseconds>,
    webhook: InfoWebhook<'a>,
    #[schema(value_type = DateTime)]
    starts_at: Milliseconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = DateTime)]
    expires_at: Option<Milliseconds>,
}

/// `SubscriptionDetail` of an answer.
#[derive(Serialize, ToSchema)]
struct InfoDetail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = device::Device)]
    device: Option<DeviceResponse<'a>>,
    #[schema(value_type = SubscriptionEventType)]
    r#type: &'static str,
}

/// `Webhook` of an answer, which never shows the token.
#[derive(Serialize, ToSchema)]
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
    Info {
        subscription_id: subscription.id.to_string(),
        r#type,
        subscription_detail: InfoDetail { device: subscription.device.as_ref().map(DeviceResponse::from), r#type },
        subscription_expire_time: subscription.requested_end.map(Milliseconds),
        webhook: InfoWebhook { notification_url: subscription.sink.as_str() },
        starts_at: Milliseconds(subscription.starts_at),
        expires_at: expires_at(subscription).map(Milliseconds),
    }
}

/// "Date time when subscription will expire or expired": there is no other field that tells that one has ended, for
/// whatever reason.
fn expires_at(subscription: &Subscription) -> Option<Timestamp> {
    [subscription.expires_at, subscription.ended_at].into_iter().flatten().min()
}

/// Its end has two reasons here, and who deletes a subscription is told nothing.
fn write_event(
    face: &SubscriptionFace,
    subscription: &Subscription,
    delivery: &Delivery,
    source: &str,
) -> Option<Vec<u8>> {
    let plain = Plain::from(subscription);
    let (r#type, data) = match &delivery.notice {
        Notice::Event(became) => (face.type_of(became.event_type())?.name, tell(plain, *became)),
        Notice::Started | Notice::Updated { .. } => return None,
        Notice::Ended { reason, .. } => {
            (face.life.ended, Data::Ends(Ends { plain, termination_reason: termination_reason(*reason)? }))
        }
    };
    Some(json::write(&CloudEvent::new(delivery, source, r#type, data)))
}

/// The reason of an end; none for an end that nobody is told of.
pub(crate) const fn termination_reason(reason: EndReason) -> Option<&'static str> {
    match reason {
        EndReason::Expired | EndReason::NetworkTerminated => Some(reason.as_str()),
        EndReason::MaxEventsReached | EndReason::Deleted | EndReason::CredentialExpired | EndReason::SinkGone => None,
    }
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

//! What the versions of CAMARA's subscription APIs from 0.6 on share: the bodies, the events, and the
//! codes of errors by generation.
//!
//! Source: the contracts of device-roaming-status-subscriptions and device-reachability-status-subscriptions
//! 0.6 to 0.8 and of connected-network-type-subscriptions 0.1 and 0.2, and CAMARA's Event Subscription and
//! Notification Guide.

use attache_core::{
    Country, Delivery, EndReason, Fact, Notice, Problem, Sink, Subscription, SubscriptionProblem, SubscriptionStatus,
    Technology, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    connected_network_type::v0_2::UNKNOWN,
    date_time::Milliseconds,
    device::{self, DeviceResponse, invalid},
    error::{self, error_info},
    error_v0_6, error_v1_0,
};
use crate::{
    Credential, Refusal, SubscriptionFace, SubscriptionRequest,
    json::{self, Object, present},
    subscription_face::event_id,
};

/// The types that a version has, by their names and the scopes that they need.
macro_rules! subscribed_types {
    ($api:literal, $prefix:literal, { $($event_type:ident => $name:literal),* $(,)? }) => {
        &[$(crate::SubscribedType {
            event_type: attache_core::EventType::$event_type,
            name: concat!($prefix, ".", $name),
            create_scope: attache_core::Scope::new_static(concat!($api, ":", $prefix, ".", $name, ":create")),
        }),*]
    };
}
pub(crate) use subscribed_types;

/// `SubscriptionRequest`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default, deserialize_with = "present")]
    protocol: Option<String>,
    #[serde(default, deserialize_with = "present")]
    sink: Option<String>,
    #[serde(default, deserialize_with = "present")]
    sink_credential: Option<Object<SinkCredential>>,
    #[serde(default, deserialize_with = "present")]
    types: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    config: Option<Object<RequestedConfig>>,
}

/// `SinkCredential`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SinkCredential {
    #[serde(default, deserialize_with = "present")]
    credential_type: Option<String>,
    #[serde(default, deserialize_with = "present")]
    access_token: Option<String>,
    #[serde(default, deserialize_with = "present")]
    access_token_expires_utc: Option<String>,
    #[serde(default, deserialize_with = "present")]
    access_token_type: Option<String>,
}

/// `Config` of a request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestedConfig {
    #[serde(default, deserialize_with = "present")]
    subscription_detail: Option<Object<RequestedDetail>>,
    #[serde(default, deserialize_with = "present")]
    subscription_expire_time: Option<String>,
    #[serde(default, deserialize_with = "present")]
    subscription_max_events: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    initial_event: Option<bool>,
}

/// `CreateSubscriptionDetail`.
#[derive(Deserialize)]
struct RequestedDetail {
    #[serde(default, deserialize_with = "present")]
    device: Option<Object<device::Device>>,
}

const DEVICE: &str = "config.subscriptionDetail.device";

/// Reads `SubscriptionRequest`.
pub(crate) fn read(face: &SubscriptionFace, body: &[u8]) -> Result<SubscriptionRequest, SubscriptionProblem> {
    let missing = |field| Problem::FieldMissing { field };
    let request: Request = json::read(body)?;
    let protocol = request.protocol.ok_or(missing("protocol"))?;
    if protocol != "HTTP" {
        return Err(SubscriptionProblem::ProtocolUnsupported);
    }
    let sink = Sink::new(&request.sink.ok_or(missing("sink"))?)?;
    let types = request.types.ok_or(missing("types"))?;
    let asked = match types.as_slice() {
        [asked] => asked,
        [] => return Err(invalid("types", "one type is needed").into()),
        _ => return Err(SubscriptionProblem::TypesTooMany),
    };
    let known = face.types.iter().find(|known| known.name == asked);
    let event_type = known.ok_or_else(|| invalid("types[0]", "it is no type of this API"))?.event_type;
    let Object(config) = request.config.ok_or(missing("config"))?;
    let Object(detail) = config.subscription_detail.ok_or(missing("config.subscriptionDetail"))?;
    let device = match detail.device {
        Some(Object(device)) => device.identify(device::read_phone_number).map_err(|problem| below(DEVICE, problem))?,
        None => attache_core::Device::default(),
    };
    Ok(SubscriptionRequest {
        device,
        event_type,
        sink,
        credential: request.sink_credential.map(|Object(credential)| credential.read()).transpose()?,
        initial_event: config.initial_event,
        max_events: config.subscription_max_events.map(read_max_events).transpose()?,
        expires_at: config
            .subscription_expire_time
            .map(|text| read_time("config.subscriptionExpireTime", &text))
            .transpose()?,
    })
}

/// Reads `SubscriptionRequest` of a version whose device must be there.
pub(crate) fn read_with_device(
    face: &SubscriptionFace,
    body: &[u8],
) -> Result<SubscriptionRequest, SubscriptionProblem> {
    let request = read(face, body)?;
    if request.device.is_unnamed() {
        return Err(Problem::FieldMissing { field: DEVICE }.into());
    }
    Ok(request)
}

/// The path of a device's field, where the device does not stand at the top of its body.
pub(crate) fn below(place: &str, problem: Problem) -> Problem {
    match problem {
        Problem::FieldInvalid { field, reason } => {
            Problem::FieldInvalid { field: field.replacen("device", place, 1), reason }
        }
        Problem::FieldMissing { field } => invalid(&field.replacen("device", place, 1), "it is missing"),
        other => other,
    }
}

/// An instant of RFC 3339, with its offset.
pub(crate) fn read_time(field: &str, text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|_| invalid(field, "a time as of RFC 3339 is needed, such as 2027-01-17T13:18:23.682Z"))
}

fn read_max_events(events: i64) -> Result<u32, SubscriptionProblem> {
    u32::try_from(events).ok().filter(|events| *events > 0).ok_or(SubscriptionProblem::OutOfRange {
        field: "config.subscriptionMaxEvents",
        reason: "it must be 1 or more, and less than 4294967296",
    })
}

impl SinkCredential {
    fn read(self) -> Result<Credential, SubscriptionProblem> {
        let missing = |field| Problem::FieldMissing { field };
        if self.credential_type.ok_or(missing("sinkCredential.credentialType"))? != "ACCESSTOKEN" {
            return Err(SubscriptionProblem::CredentialUnsupported);
        }
        if self.access_token_type.ok_or(missing("sinkCredential.accessTokenType"))? != "bearer" {
            return Err(SubscriptionProblem::TokenTypeUnsupported);
        }
        let expires = self.access_token_expires_utc.ok_or(missing("sinkCredential.accessTokenExpiresUtc"))?;
        Ok(Credential {
            token: read_token(
                "sinkCredential.accessToken",
                self.access_token.ok_or(missing("sinkCredential.accessToken"))?,
            )?,
            expires_at: Some(read_time("sinkCredential.accessTokenExpiresUtc", &expires)?),
        })
    }
}

/// A bearer token, which goes into a header (RFC 6750 section 2.1).
pub(crate) fn read_token(field: &str, token: String) -> Result<String, Problem> {
    let is_token = (1..=8192).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token {
        Ok(token)
    } else {
        Err(invalid(field, "1 to 8192 printable ASCII characters without space are needed"))
    }
}

/// `Subscription`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    protocol: &'static str,
    sink: &'a str,
    types: [&'static str; 1],
    config: Config<'a>,
    id: String,
    starts_at: Milliseconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Milliseconds>,
    status: &'static str,
}

/// `Config`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    subscription_detail: Told<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_expire_time: Option<Milliseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_max_events: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial_event: Option<bool>,
}

/// The device that the request named; nothing where the token told it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceResponse<'a>>,
}

/// Writes `Subscription`.
pub(crate) fn write(face: &SubscriptionFace, subscription: &Subscription) -> Vec<u8> {
    json::write(&response(face, subscription))
}

/// Writes an array of `Subscription`.
pub(crate) fn write_list(face: &SubscriptionFace, subscriptions: &[Subscription]) -> Vec<u8> {
    json::write(&subscriptions.iter().map(|subscription| response(face, subscription)).collect::<Vec<_>>())
}

fn response<'a>(face: &SubscriptionFace, subscription: &'a Subscription) -> Response<'a> {
    let expires_at = || subscription.expires_at.map(Milliseconds);
    Response {
        protocol: "HTTP",
        sink: subscription.sink.as_str(),
        types: [face.type_of(subscription.event_type).map_or("", |subscribed| subscribed.name)],
        config: Config {
            subscription_detail: Told { device: subscription.device.as_ref().map(DeviceResponse::from) },
            subscription_expire_time: expires_at(),
            subscription_max_events: subscription.max_events,
            initial_event: subscription.initial_event,
        },
        id: subscription.id.to_string(),
        starts_at: Milliseconds(subscription.starts_at),
        expires_at: expires_at(),
        status: status(subscription.status),
    }
}

const fn status(status: SubscriptionStatus) -> &'static str {
    match status {
        SubscriptionStatus::Active => "ACTIVE",
        SubscriptionStatus::Inactive => "INACTIVE",
        SubscriptionStatus::Ended(EndReason::Deleted) => "DELETED",
        SubscriptionStatus::Ended(
            EndReason::MaxEventsReached
            | EndReason::Expired
            | EndReason::CredentialExpired
            | EndReason::NetworkTerminated
            | EndReason::SinkGone,
        ) => "EXPIRED",
    }
}

/// A `CloudEvent` (`CloudEvents` 1.0, JSON format).
#[derive(Serialize)]
pub(crate) struct CloudEvent<'a, Data> {
    id: String,
    source: &'a str,
    r#type: &'static str,
    specversion: &'static str,
    datacontenttype: &'static str,
    time: Milliseconds,
    data: Data,
}

impl<'a, Data> CloudEvent<'a, Data> {
    pub(crate) fn new(delivery: &Delivery, source: &'a str, r#type: &'static str, data: Data) -> Self {
        Self {
            id: event_id(delivery),
            source,
            r#type,
            specversion: "1.0",
            datacontenttype: "application/json",
            time: Milliseconds(delivery.at),
            data,
        }
    }
}

/// What an event tells.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roaming: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country_name: Option<&'static [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_network_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initiation_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_description: Option<&'a str>,
    subscription_id: String,
}

impl<'a> Data<'a> {
    /// That the subscription has ended.
    pub(crate) fn ends(self, reason: &'static str, description: Option<&'a str>) -> Self {
        Self { termination_reason: Some(reason), termination_description: description, ..self }
    }

    /// What became of the line.
    pub(crate) fn tell(self, fact: Fact) -> Self {
        let country_code = |country: Country| Some(country.mcc().number());
        match fact {
            Fact::RoamingStatus { visited } => Self {
                roaming: Some(visited.is_some()),
                country_code: visited.and_then(country_code),
                country_name: visited.map(Country::names),
                ..self
            },
            Fact::RoamingChangeCountry { visited } => {
                Self { country_code: country_code(visited), country_name: Some(visited.names()), ..self }
            }
            Fact::NetworkTypeChanged { technology } => {
                Self { connected_network_type: Some(technology.map_or(UNKNOWN, Technology::as_str)), ..self }
            }
            Fact::RoamingOn
            | Fact::RoamingOff
            | Fact::ReachabilityData
            | Fact::ReachabilitySms
            | Fact::ReachabilityDisconnected => self,
        }
    }
}

/// What every event of a subscription tells.
pub(crate) fn data(subscription: &Subscription) -> Data<'_> {
    Data {
        device: subscription.device.as_ref().map(DeviceResponse::from),
        subscription_id: subscription.id.to_string(),
        ..Data::default()
    }
}

/// Writes an event of 0.7 and later.
pub(crate) fn write_event(
    face: &SubscriptionFace,
    subscription: &Subscription,
    delivery: &Delivery,
    source: &str,
) -> Option<Vec<u8>> {
    let data = data(subscription);
    let (r#type, data) = match &delivery.notice {
        Notice::Event(became) => (face.type_of(became.event_type())?.name, data.tell(*became)),
        Notice::Started => (face.life.started?, Data { initiation_reason: Some("SUBSCRIPTION_CREATED"), ..data }),
        Notice::Updated { is_active } => {
            let reason = if *is_active { "SUBSCRIPTION_ACTIVE" } else { "SUBSCRIPTION_INACTIVE" };
            (face.life.updated?, Data { update_reason: Some(reason), ..data })
        }
        Notice::Ended { reason, description } => {
            (face.life.ended, data.ends(termination_reason(*reason)?, description.as_deref()))
        }
    };
    Some(json::write(&CloudEvent::new(delivery, source, r#type, data)))
}

/// `TerminationReason`; none for an end that nobody is told of.
const fn termination_reason(reason: EndReason) -> Option<&'static str> {
    match reason {
        EndReason::SinkGone => None,
        EndReason::MaxEventsReached
        | EndReason::Expired
        | EndReason::Deleted
        | EndReason::CredentialExpired
        | EndReason::NetworkTerminated => Some(reason.as_str()),
    }
}

/// Writes an event of 0.6, which has no description of an end.
pub(crate) fn write_event_v0_6(
    face: &SubscriptionFace,
    subscription: &Subscription,
    delivery: &Delivery,
    source: &str,
) -> Option<Vec<u8>> {
    let mut delivery = delivery.clone();
    if let Notice::Ended { description, .. } = &mut delivery.notice {
        *description = None;
    }
    write_event(face, subscription, &delivery, source)
}

/// Writes a problem for 0.8, and for connected-network-type-subscriptions 0.2.
pub(crate) fn refuse(problem: &SubscriptionProblem) -> Refusal {
    match problem {
        SubscriptionProblem::Problem(problem) => error::refuse(problem),
        SubscriptionProblem::SinkInvalid(_) | SubscriptionProblem::SinkRefused { .. } => {
            error_info(400, "INVALID_SINK", &problem.to_string())
        }
        SubscriptionProblem::ProtocolUnsupported
        | SubscriptionProblem::CredentialUnsupported
        | SubscriptionProblem::TokenTypeUnsupported
        | SubscriptionProblem::TypesTooMany
        | SubscriptionProblem::OutOfRange { .. }
        | SubscriptionProblem::TypeNotPermitted
        | SubscriptionProblem::UnknownSubscription
        | SubscriptionProblem::KeyUsedOtherwise => refuse_v0_7(problem),
    }
}

/// Writes a problem for 0.7, and for connected-network-type-subscriptions 0.1.
pub(crate) fn refuse_v0_7(problem: &SubscriptionProblem) -> Refusal {
    let (status, code) = match problem {
        SubscriptionProblem::Problem(problem) => return error_v1_0::refuse(problem, "AUTHENTICATION_REQUIRED"),
        SubscriptionProblem::ProtocolUnsupported => (400, "INVALID_PROTOCOL"),
        SubscriptionProblem::CredentialUnsupported => (400, "INVALID_CREDENTIAL"),
        SubscriptionProblem::TokenTypeUnsupported => (400, "INVALID_TOKEN"),
        SubscriptionProblem::SinkInvalid(_) | SubscriptionProblem::SinkRefused { .. } => (400, "INVALID_ARGUMENT"),
        SubscriptionProblem::TypesTooMany => (422, "MULTIEVENT_SUBSCRIPTION_NOT_SUPPORTED"),
        SubscriptionProblem::OutOfRange { .. } => (400, "OUT_OF_RANGE"),
        SubscriptionProblem::TypeNotPermitted => (403, "SUBSCRIPTION_MISMATCH"),
        SubscriptionProblem::UnknownSubscription => (404, "NOT_FOUND"),
        SubscriptionProblem::KeyUsedOtherwise => (409, "ALREADY_EXISTS"),
    };
    error_info(status, code, &problem.to_string())
}

/// Writes a problem for 0.6.
pub(crate) fn refuse_v0_6(problem: &SubscriptionProblem) -> Refusal {
    let (status, code) = match problem {
        // 0.6 has one code for whatever is wrong with the token.
        SubscriptionProblem::Problem(
            Problem::CredentialsMissing | Problem::CredentialsInvalid | Problem::CredentialsExpired,
        ) => return error::refuse(&Problem::CredentialsMissing),
        // What its example calls a mismatch of the token.
        SubscriptionProblem::Problem(Problem::LineOfAnotherToken) | SubscriptionProblem::TypeNotPermitted => {
            (403, "SUBSCRIPTION_MISMATCH")
        }
        SubscriptionProblem::Problem(problem) => return error_v0_6::refuse(problem, "UNABLE_TO_PROVIDE_STATUS"),
        SubscriptionProblem::OutOfRange { .. } => (400, "INVALID_ARGUMENT"),
        SubscriptionProblem::KeyUsedOtherwise => (409, "CONFLICT"),
        SubscriptionProblem::ProtocolUnsupported
        | SubscriptionProblem::CredentialUnsupported
        | SubscriptionProblem::TokenTypeUnsupported
        | SubscriptionProblem::SinkInvalid(_)
        | SubscriptionProblem::SinkRefused { .. }
        | SubscriptionProblem::TypesTooMany
        | SubscriptionProblem::UnknownSubscription => return refuse_v0_7(problem),
    };
    error_info(status, code, &problem.to_string())
}

/// Writes a problem as another version does, but that more than one type is a fault of an argument:
/// connected-network-type-subscriptions has but one type, and no code for more.
pub(crate) fn of_one_type(problem: &SubscriptionProblem, refuse: fn(&SubscriptionProblem) -> Refusal) -> Refusal {
    match problem {
        SubscriptionProblem::TypesTooMany => error_info(400, "INVALID_ARGUMENT", &problem.to_string()),
        SubscriptionProblem::Problem(_)
        | SubscriptionProblem::ProtocolUnsupported
        | SubscriptionProblem::CredentialUnsupported
        | SubscriptionProblem::TokenTypeUnsupported
        | SubscriptionProblem::SinkInvalid(_)
        | SubscriptionProblem::SinkRefused { .. }
        | SubscriptionProblem::OutOfRange { .. }
        | SubscriptionProblem::TypeNotPermitted
        | SubscriptionProblem::UnknownSubscription
        | SubscriptionProblem::KeyUsedOtherwise => refuse(problem),
    }
}

//! What the versions of CAMARA's subscription APIs from 0.6 on share: the bodies, the events, and the
//! codes of errors by generation.
//!
//! Source: the contracts of device-roaming-status-subscriptions and device-reachability-status-subscriptions
//! 0.6 to 0.8 and of connected-network-type-subscriptions 0.1 and 0.2, and CAMARA's Event Subscription and
//! Notification Guide.

use attache_core::{
    Country, Delivery, EndReason, EventType, Fact, Notice, Problem, Sink, Subscription, SubscriptionProblem,
    SubscriptionStatus, Technology, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value, json};
use utoipa::ToSchema;

use super::{
    connected_network_type::v0_2::UNKNOWN,
    date_time::{self, Milliseconds},
    device::{self, DeviceResponse, invalid},
    error::{self, ErrorInfo, error_info},
    error_v0_6, error_v1_0,
    schema::{
        AccessTokenType, AnySinkUrl, ConnectedNetworkType, CountryCode, CountryName, CredentialType, DataContentType,
        DateTime, DetailWithDevice, EventTypeNotification, InitiationReason, OtherDeviceResponse, Protocol,
        ShownStatus, SinkCredentialByType, SinkUrl, Source, SpecVersion, SubscriptionId, SubscriptionMaxEvents,
        SubscriptionTypes, TerminationReason, UpdateReason, UuidSubscriptionId,
    },
};
use crate::{
    Body, Codes, Credential, Refusal, Statuses, SubscriptionDescription, SubscriptionFace, SubscriptionRequest, Told,
    description::EXAMPLE_SINK,
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

/// What the documents of 0.8 and of connected-network-type-subscriptions 0.2 say.
pub(crate) const DESCRIPTION: SubscriptionDescription = SubscriptionDescription {
    request: Body::of::<Request>(),
    example,
    answer: Body::of::<Response<'_>>(),
    error: Body::of::<ErrorInfo<'_>>(),
    event: Body::of::<CloudEvent<'_>>(),
    told: Told {
        of_line: data_of,
        started: Body::of::<Started<'_>>(),
        updated: Body::of::<Updated<'_>>(),
        ended: Body::of::<Ended<'_>>(),
    },
    instead: &[],
    sink: "{$request.body#/sink}",
    sink_statuses: &[204, 400, 401, 403, 410, 429],
    statuses: Statuses { create: &[400, 401, 403, 409, 422, 429], list: &[400, 401, 403], one: &[400, 401, 403, 404] },
    codes: Codes::Enumerated,
};

/// What those of 0.7 and of connected-network-type-subscriptions 0.1 say.
pub(crate) const DESCRIPTION_V0_7: SubscriptionDescription =
    SubscriptionDescription { instead: &[Body::of::<AnySinkUrl>(), Body::of::<OtherDeviceResponse>()], ..DESCRIPTION };

/// What that of device-roaming-status-subscriptions 0.6 says.
pub(crate) const DESCRIPTION_V0_6: SubscriptionDescription = SubscriptionDescription {
    told: Told { ended: Body::of::<Ends<'_>>(), ..DESCRIPTION.told },
    instead: &[
        Body::of::<AnySinkUrl>(),
        Body::of::<OtherDeviceResponse>(),
        Body::of::<DetailWithDevice>(),
        Body::of::<UuidSubscriptionId>(),
    ],
    sink_statuses: &[204, 400, 401, 403, 500, 503],
    statuses: Statuses {
        create: &[400, 401, 403, 409, 422, 429, 500, 503],
        list: &[400, 401, 403, 500, 503],
        one: &[400, 401, 403, 404, 429, 500, 503],
    },
    codes: Codes::Shown,
    ..DESCRIPTION
};

/// `SubscriptionRequest`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SubscriptionRequest)]
struct Request {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Protocol, required)]
    protocol: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = SinkUrl, required)]
    sink: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = SinkCredentialByType)]
    sink_credential: Option<Object<SinkCredential>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = SubscriptionTypes, required)]
    types: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = RequestedConfig, required)]
    config: Option<Object<RequestedConfig>>,
}

/// `AccessTokenCredential`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccessTokenCredential)]
pub(super) struct SinkCredential {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = CredentialType, required)]
    credential_type: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required)]
    access_token: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = DateTime, required)]
    access_token_expires_utc: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = AccessTokenType, required)]
    access_token_type: Option<String>,
}

/// `Config` of a request.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RequestedConfig)]
struct RequestedConfig {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = RequestedDetail, required)]
    subscription_detail: Option<Object<RequestedDetail>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = DateTime)]
    subscription_expire_time: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = SubscriptionMaxEvents)]
    subscription_max_events: Option<Number>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    initial_event: Option<bool>,
}

/// `CreateSubscriptionDetail`.
#[derive(Deserialize, ToSchema)]
#[schema(as = CreateSubscriptionDetail)]
struct RequestedDetail {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = device::Device)]
    device: Option<Object<device::Device>>,
}

/// A body for trying things out, about the first type of a version.
fn example(face: &SubscriptionFace) -> Value {
    json!({
        "protocol": "HTTP",
        "sink": EXAMPLE_SINK,
        "types": face.types.iter().take(1).map(|subscribed| subscribed.name).collect::<Vec<_>>(),
        "config": { "subscriptionDetail": { "device": { "phoneNumber": "+12025550123" } } },
    })
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
        max_events: config.subscription_max_events.as_ref().map(read_max_events).transpose()?,
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
    date_time::read(text)
        .ok_or_else(|| invalid(field, "a time as of RFC 3339 is needed, such as 2027-01-17T13:18:23.682Z"))
}

fn read_max_events(events: &Number) -> Result<u32, SubscriptionProblem> {
    const FIELD: &str = "config.subscriptionMaxEvents";
    if events.as_f64().is_some_and(|value| value.fract() != 0.0) {
        return Err(invalid(FIELD, "a number without a fraction is needed").into());
    }
    let read = json::integer(events).and_then(|events| u32::try_from(events).ok()).filter(|events| *events > 0);
    read.ok_or(SubscriptionProblem::OutOfRange {
        field: FIELD,
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
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Subscription)]
struct Response<'a> {
    #[schema(value_type = Protocol)]
    protocol: &'static str,
    #[schema(value_type = SinkUrl)]
    sink: &'a str,
    #[schema(value_type = SubscriptionTypes)]
    types: [&'static str; 1],
    config: Config<'a>,
    #[schema(value_type = SubscriptionId)]
    id: String,
    #[schema(value_type = DateTime)]
    starts_at: Milliseconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = DateTime)]
    expires_at: Option<Milliseconds>,
    #[schema(value_type = ShownStatus)]
    status: &'static str,
}

/// `Config`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    subscription_detail: Detail<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = DateTime)]
    subscription_expire_time: Option<Milliseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = SubscriptionMaxEvents)]
    subscription_max_events: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool)]
    initial_event: Option<bool>,
}

/// The device that the request named; nothing where the token told it.
#[derive(Serialize, ToSchema)]
#[schema(as = SubscriptionDetail)]
struct Detail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = device::Device)]
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
    Response {
        protocol: "HTTP",
        sink: subscription.sink.as_str(),
        types: [face.type_of(subscription.event_type).map_or("", |subscribed| subscribed.name)],
        config: Config {
            subscription_detail: Detail { device: subscription.device.as_ref().map(DeviceResponse::from) },
            subscription_expire_time: subscription.requested_end.map(Milliseconds),
            subscription_max_events: subscription.max_events,
            initial_event: subscription.initial_event,
        },
        id: subscription.id.to_string(),
        starts_at: Milliseconds(subscription.starts_at),
        expires_at: subscription.expires_at.map(Milliseconds),
        status: status(subscription.status),
    }
}

pub(super) const fn status(status: SubscriptionStatus) -> &'static str {
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
#[derive(Serialize, ToSchema)]
pub(crate) struct CloudEvent<'a> {
    id: String,
    #[schema(value_type = Source)]
    source: &'a str,
    #[schema(value_type = EventTypeNotification)]
    r#type: &'static str,
    #[schema(value_type = SpecVersion)]
    specversion: &'static str,
    #[schema(value_type = DataContentType)]
    datacontenttype: &'static str,
    #[schema(value_type = DateTime)]
    time: Milliseconds,
    #[schema(value_type = Object)]
    data: Data<'a>,
}

impl<'a> CloudEvent<'a> {
    pub(crate) fn new(delivery: &Delivery, source: &'a str, r#type: &'static str, data: Data<'a>) -> Self {
        Self {
            id: event_id(delivery),
            source,
            r#type,
            specversion: SPEC_VERSION,
            datacontenttype: DATA_CONTENT_TYPE,
            time: Milliseconds(delivery.at),
            data,
        }
    }
}

pub(super) const SPEC_VERSION: &str = "1.0";
pub(super) const DATA_CONTENT_TYPE: &str = "application/json";

/// What an event tells.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Data<'a> {
    Plain(Plain<'a>),
    RoamingStatus(RoamingStatus<'a>),
    RoamingChangeCountry(RoamingChangeCountry<'a>),
    NetworkType(NetworkTypeChange<'a>),
    Started(Started<'a>),
    Updated(Updated<'a>),
    Ended(Ended<'a>),
    Ends(Ends<'a>),
}

/// What every event tells: `BasicDeviceEventData`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BasicDeviceEventData)]
pub(crate) struct Plain<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = DeviceResponse<'_>)]
    device: Option<DeviceResponse<'a>>,
    #[schema(value_type = SubscriptionId)]
    subscription_id: String,
}

impl<'a> From<&'a Subscription> for Plain<'a> {
    fn from(subscription: &'a Subscription) -> Self {
        Self {
            device: subscription.device.as_ref().map(DeviceResponse::from),
            subscription_id: subscription.id.to_string(),
        }
    }
}

/// `RoamingStatus`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoamingStatus<'a> {
    #[serde(flatten)]
    plain: Plain<'a>,
    roaming: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = CountryCode)]
    country_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = CountryName)]
    country_name: Option<&'static [&'static str]>,
}

/// `RoamingChangeCountry`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoamingChangeCountry<'a> {
    #[serde(flatten)]
    plain: Plain<'a>,
    #[schema(value_type = CountryCode)]
    country_code: u16,
    #[schema(value_type = CountryName)]
    country_name: &'static [&'static str],
}

/// `EventNetworkTypeChangeData`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EventNetworkTypeChangeData)]
pub(crate) struct NetworkTypeChange<'a> {
    #[serde(flatten)]
    plain: Plain<'a>,
    #[schema(value_type = ConnectedNetworkType)]
    connected_network_type: &'static str,
}

/// `SubscriptionStarted`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SubscriptionStarted)]
pub(crate) struct Started<'a> {
    #[serde(flatten)]
    plain: Plain<'a>,
    #[schema(value_type = InitiationReason)]
    initiation_reason: &'static str,
}

/// `SubscriptionUpdated`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SubscriptionUpdated)]
pub(crate) struct Updated<'a> {
    #[serde(flatten)]
    plain: Plain<'a>,
    #[schema(value_type = UpdateReason)]
    update_reason: &'static str,
}

/// `SubscriptionEnded`, and `SubscriptionEnds` of 0.7.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SubscriptionEnded)]
pub(crate) struct Ended<'a> {
    #[serde(flatten)]
    ends: Ends<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    termination_description: Option<&'a str>,
}

/// `SubscriptionEnds` of 0.6, which has no description.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SubscriptionEnds)]
pub(crate) struct Ends<'a> {
    #[serde(flatten)]
    pub(crate) plain: Plain<'a>,
    #[schema(value_type = TerminationReason)]
    pub(crate) termination_reason: &'static str,
}

/// The type of what an event of a line tells.
pub(crate) fn data_of(event_type: EventType) -> Body {
    match event_type {
        EventType::RoamingStatus => Body::of::<RoamingStatus<'_>>(),
        EventType::RoamingChangeCountry => Body::of::<RoamingChangeCountry<'_>>(),
        EventType::NetworkTypeChanged => Body::of::<NetworkTypeChange<'_>>(),
        EventType::RoamingOn
        | EventType::RoamingOff
        | EventType::ReachabilityData
        | EventType::ReachabilitySms
        | EventType::ReachabilityDisconnected => Body::of::<Plain<'_>>(),
    }
}

/// What became of the line.
pub(crate) fn tell(plain: Plain<'_>, fact: Fact) -> Data<'_> {
    match fact {
        Fact::RoamingStatus { visited } => Data::RoamingStatus(RoamingStatus {
            plain,
            roaming: visited.is_some(),
            country_code: visited.map(|country| country.mcc().number()),
            country_name: visited.map(Country::names),
        }),
        Fact::RoamingChangeCountry { visited } => Data::RoamingChangeCountry(RoamingChangeCountry {
            plain,
            country_code: visited.mcc().number(),
            country_name: visited.names(),
        }),
        Fact::NetworkTypeChanged { technology } => Data::NetworkType(NetworkTypeChange {
            plain,
            connected_network_type: technology.map_or(UNKNOWN, Technology::as_str),
        }),
        Fact::RoamingOn
        | Fact::RoamingOff
        | Fact::ReachabilityData
        | Fact::ReachabilitySms
        | Fact::ReachabilityDisconnected => Data::Plain(plain),
    }
}

/// Writes an event of 0.7 and later.
pub(crate) fn write_event(
    face: &SubscriptionFace,
    subscription: &Subscription,
    delivery: &Delivery,
    source: &str,
) -> Option<Vec<u8>> {
    write_any_event(face, subscription, delivery, source, |ends, description| {
        Data::Ended(Ended { ends, termination_description: description })
    })
}

/// Writes an event of 0.6, which has no description of an end.
pub(crate) fn write_event_v0_6(
    face: &SubscriptionFace,
    subscription: &Subscription,
    delivery: &Delivery,
    source: &str,
) -> Option<Vec<u8>> {
    write_any_event(face, subscription, delivery, source, |ends, _| Data::Ends(ends))
}

fn write_any_event<'a>(
    face: &SubscriptionFace,
    subscription: &'a Subscription,
    delivery: &'a Delivery,
    source: &'a str,
    ended: fn(Ends<'a>, Option<&'a str>) -> Data<'a>,
) -> Option<Vec<u8>> {
    let plain = Plain::from(subscription);
    let (r#type, data) = match &delivery.notice {
        Notice::Event(became) => (face.type_of(became.event_type())?.name, tell(plain, *became)),
        Notice::Started => {
            (face.life.started?, Data::Started(Started { plain, initiation_reason: SUBSCRIPTION_CREATED }))
        }
        Notice::Updated { is_active } => {
            let update_reason = if *is_active { SUBSCRIPTION_ACTIVE } else { SUBSCRIPTION_INACTIVE };
            (face.life.updated?, Data::Updated(Updated { plain, update_reason }))
        }
        Notice::Ended { reason, description } => {
            let termination_reason = termination_reason(*reason)?;
            (face.life.ended, ended(Ends { plain, termination_reason }, description.as_deref()))
        }
    };
    Some(json::write(&CloudEvent::new(delivery, source, r#type, data)))
}

pub(super) const SUBSCRIPTION_CREATED: &str = "SUBSCRIPTION_CREATED";
pub(super) const SUBSCRIPTION_ACTIVE: &str = "SUBSCRIPTION_ACTIVE";
pub(super) const SUBSCRIPTION_INACTIVE: &str = "SUBSCRIPTION_INACTIVE";

/// `TerminationReason`; none for an end that nobody is told of.
pub(super) const fn termination_reason(reason: EndReason) -> Option<&'static str> {
    match reason {
        EndReason::SinkGone => None,
        EndReason::MaxEventsReached
        | EndReason::Expired
        | EndReason::Deleted
        | EndReason::CredentialExpired
        | EndReason::NetworkTerminated => Some(reason.as_str()),
    }
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
        // Of the statuses of a network in trouble, the contracts of subscriptions list this one.
        SubscriptionProblem::Problem(Problem::NetworkTimedOut | Problem::NetworkAnswerInvalid) => (503, "UNAVAILABLE"),
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

//! What each version of each API of event subscriptions says, in one table a version.
//!
//! Sources: the contracts of device-status 0.5.1, device-roaming-status-subscriptions and
//! device-reachability-status-subscriptions 0.6, 0.7 and 0.8 and connected-network-type-subscriptions 0.1 and
//! 0.2, CAMARA's Event Subscription and Notification Guide, and `CloudEvents` 1.0.
//!
//! `device` is optional here wherever a contract requires it of answers and events: the guide (2.2.2) has it
//! there with a 2-legged token, and never with a 3-legged one, which are rules of their own.

use crate::{
    contract::{
        CORRELATOR_0_6, CORRELATOR_1_0, CORRELATOR_1_1, Code, ERROR_INFO, IPV4_ADDRESS, Listed, PHONE_NUMBER, listed,
        shown,
    },
    shape::{Field, Kind, Pattern},
};

/// One API of event subscriptions in one version.
#[derive(Debug)]
pub struct Contract {
    /// The name of the API.
    pub api: &'static str,
    /// Its version, `0.8`.
    pub version: &'static str,
    /// The path of all subscriptions, below the base URL.
    pub path: &'static str,
    /// How requests and answers are written.
    pub model: Model,
    /// What can be subscribed to.
    pub types: &'static [EventType],
    /// The scope that reading needs.
    pub read_scope: &'static str,
    /// The scope that deleting needs.
    pub delete_scope: &'static str,
    /// The fields of a subscription.
    pub subscription: &'static [Field],
    /// The fields of an answer with 202.
    pub asynchronous: &'static [Field],
    /// The fields of an event, but for its data.
    pub envelope: &'static [Field],
    /// The event of a beginning, where there is one.
    pub started: Option<Told>,
    /// The event of a pause and of going on, where there is one.
    pub updated: Option<Told>,
    /// The event of an end.
    pub ended: Told,
    /// The documented errors, by operation.
    pub errors: Errors,
    /// The pattern of `x-correlator`, where the contract has one.
    pub correlator: Option<Pattern>,
    /// The rules by which the server answers.
    pub rules: &'static Rules,
}

impl Contract {
    /// The API and version as reports name it.
    #[must_use]
    pub fn name(&self) -> String {
        match self.model {
            Model::Webhook => format!("{}/{} /subscriptions", self.api, self.version),
            Model::Sink => format!("{}/{}", self.api, self.version),
        }
    }

    /// All its scopes, separated by spaces.
    pub(crate) fn scopes(&self) -> String {
        let mut scopes: Vec<&str> = self.types.iter().map(|event_type| event_type.create_scope).collect();
        scopes.extend([self.read_scope, self.delete_scope]);
        scopes.dedup();
        scopes.join(" ")
    }

    /// The fields of the data of a type of events; `None` if the contract has no such type.
    pub(crate) fn data(&self, name: &str) -> Option<&'static [Field]> {
        let life = [self.started, self.updated, Some(self.ended)];
        let life = life.into_iter().flatten().find(|told| told.name == name).map(|told| told.data);
        life.or_else(|| self.types.iter().find(|known| known.name == name).map(|known| known.data))
    }
}

/// How requests and answers are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Model {
    /// `webhook.notificationUrl`, and one `subscriptionDetail.type`.
    Webhook,
    /// `sink`, `protocol`, `types` and `config`.
    Sink,
}

/// A type of events that can be subscribed to.
#[derive(Clone, Copy, Debug)]
pub struct EventType {
    /// Its whole name.
    pub name: &'static str,
    /// The scope that a subscription to it needs.
    pub create_scope: &'static str,
    /// What it is about.
    pub about: About,
    /// The fields of its data.
    pub data: &'static [Field],
}

/// What events are about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    /// The line began to roam, or ceased to.
    RoamingStatus,
    /// It began to roam.
    RoamingOn,
    /// It ceased to roam.
    RoamingOff,
    /// It roams in another country.
    RoamingChangeCountry,
    /// It can be reached by data.
    ReachabilityData,
    /// It can be reached by SMS, and not by data.
    ReachabilitySms,
    /// It cannot be reached.
    ReachabilityDisconnected,
    /// It is served by another technology.
    NetworkType,
}

/// An event about a subscription itself.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The whole name of its type.
    pub name: &'static str,
    /// The fields of its data.
    pub data: &'static [Field],
}

/// The documented errors of each operation.
#[derive(Clone, Copy, Debug)]
pub struct Errors {
    /// Of creation.
    pub create: &'static [Listed],
    /// Of the list.
    pub list: &'static [Listed],
    /// Of reading one.
    pub read: &'static [Listed],
    /// Of deletion.
    pub delete: &'static [Listed],
}

/// How the server answers in the cases in which versions differ. A list of codes means any of them; an empty
/// one, that the version has no such case.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// No good token.
    pub unauthenticated: &'static [Code],
    /// A token that was good.
    pub expired: &'static [Code],
    /// The token may not subscribe to this type, but to others.
    pub mismatch: &'static [Code],
    /// Another protocol than HTTP.
    pub protocol: &'static [Code],
    /// Another credential than an access token.
    pub credential: &'static [Code],
    /// Another token than a bearer token.
    pub token: &'static [Code],
    /// No address that events can be sent to.
    pub sink: &'static [Code],
    /// More than one type.
    pub several_types: &'static [Code],
    /// A value beyond what is possible.
    pub out_of_range: &'static [Code],
    /// A token without a line, and none named.
    pub nothing_named: &'static [Code],
    /// A token about a line, and none named; empty where it is enough.
    pub token_alone: &'static [Code],
    /// A token about a line, and the same line named; empty where it is accepted.
    pub named_beside_token: &'static [Code],
    /// A token about a line, and another line named.
    pub another_named_beside_token: &'static [Code],
    /// A network access identifier alone.
    pub unsupported: &'static [Code],
    /// Identifiers of different lines.
    pub disagreement: &'static [Code],
    /// The service is not for this line.
    pub not_applicable: &'static [Code],
    /// No line is known by the identifier.
    pub unknown_line: &'static [Code],
    /// The network does not answer in time.
    pub timed_out: &'static [Code],
    /// Whether a deletion is told to the sink.
    pub tells_deletion: bool,
}

// Fields.

const NUMBER: Field = Field::optional("phoneNumber", Kind::Matching(PHONE_NUMBER));
/// The number of 0.5, which may be without its plus sign.
const BARE_NUMBER: Field =
    Field::optional("phoneNumber", Kind::Matching(Pattern { text: r"^\+?[0-9]{5,15}$", matches: is_bare_number }));
const ACCESS_IDENTIFIER: Field = Field::optional("networkAccessIdentifier", Kind::Text);
const IPV4: Field = Field::optional("ipv4Address", Kind::Object { fields: IPV4_ADDRESS, least: 2, most: 3 });
const IPV6: Field = Field::optional("ipv6Address", Kind::Ipv6);
const IDENTIFIERS: &[Field] = &[NUMBER, ACCESS_IDENTIFIER, IPV4, IPV6];
const DEVICE: Field = Field::optional("device", Kind::Object { fields: IDENTIFIERS, least: 1, most: 4 });
/// One identifier and no other.
const DEVICE_TOLD: Field = Field::optional("device", Kind::Object { fields: IDENTIFIERS, least: 1, most: 1 });
const DEVICE_0_5: Field = Field::optional(
    "device",
    Kind::Object { fields: &[BARE_NUMBER, ACCESS_IDENTIFIER, IPV4, IPV6], least: 1, most: 4 },
);

const SUBSCRIPTION_ID: Field = Field::required("subscriptionId", Kind::Text);
const ROAMING: Field = Field::required("roaming", Kind::Boolean);
const COUNTRY_CODE: Field = Field::optional("countryCode", Kind::Integer);
const COUNTRY_NAME: Field = Field::optional("countryName", Kind::List(&Kind::Text));
const COUNTRY_CODE_NEEDED: Field = Field::required("countryCode", Kind::Integer);
const COUNTRY_NAME_NEEDED: Field = Field::required("countryName", Kind::List(&Kind::Text));
const NETWORK_TYPE: Field = Field::required("connectedNetworkType", Kind::OneOf(&["2G", "3G", "4G", "5G", "UNKNOWN"]));
const TERMINATION_REASON: Field = Field::required(
    "terminationReason",
    Kind::OneOf(&[
        "MAX_EVENTS_REACHED",
        "NETWORK_TERMINATED",
        "SUBSCRIPTION_EXPIRED",
        "ACCESS_TOKEN_EXPIRED",
        "SUBSCRIPTION_DELETED",
    ]),
);
const TERMINATION_DESCRIPTION: Field = Field::optional("terminationDescription", Kind::Text);

fn is_bare_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

// Data of events.

const SUBSCRIPTION_ID_0_6: Field = Field::optional("subscriptionId", Kind::Uuid);
const SUBSCRIPTION_ID_0_5: Field = Field::optional("subscriptionId", Kind::Text);
const BASIC_0_5: &[Field] = &[DEVICE_0_5, SUBSCRIPTION_ID_0_5];
const STATUS_0_5: &[Field] = &[DEVICE_0_5, SUBSCRIPTION_ID_0_5, ROAMING, COUNTRY_CODE, COUNTRY_NAME];
const COUNTRY_0_5: &[Field] = &[DEVICE_0_5, SUBSCRIPTION_ID_0_5, COUNTRY_CODE, COUNTRY_NAME];
const BASIC_0_6: &[Field] = &[DEVICE, SUBSCRIPTION_ID_0_6];
const STATUS_0_6: &[Field] = &[DEVICE, SUBSCRIPTION_ID_0_6, ROAMING, COUNTRY_CODE, COUNTRY_NAME];
const COUNTRY_0_6: &[Field] = &[DEVICE, SUBSCRIPTION_ID_0_6, COUNTRY_CODE, COUNTRY_NAME];
const BASIC_0_7: &[Field] = &[DEVICE, SUBSCRIPTION_ID];
const STATUS_0_7: &[Field] = &[DEVICE, SUBSCRIPTION_ID, ROAMING, COUNTRY_CODE, COUNTRY_NAME];
const COUNTRY_0_7: &[Field] = &[DEVICE, SUBSCRIPTION_ID, COUNTRY_CODE_NEEDED, COUNTRY_NAME_NEEDED];
const BASIC_0_8: &[Field] = &[DEVICE_TOLD, SUBSCRIPTION_ID];
const STATUS_0_8: &[Field] = &[DEVICE_TOLD, SUBSCRIPTION_ID, ROAMING, COUNTRY_CODE, COUNTRY_NAME];
const COUNTRY_0_8: &[Field] = &[DEVICE_TOLD, SUBSCRIPTION_ID, COUNTRY_CODE_NEEDED, COUNTRY_NAME_NEEDED];
const TECHNOLOGY_0_1: &[Field] = &[DEVICE, SUBSCRIPTION_ID, NETWORK_TYPE];
const TECHNOLOGY_0_2: &[Field] = &[DEVICE_TOLD, SUBSCRIPTION_ID, NETWORK_TYPE];

const ENDS_0_5: &[Field] = &[
    DEVICE_0_5,
    SUBSCRIPTION_ID_0_5,
    Field::required("terminationReason", Kind::OneOf(&["SUBSCRIPTION_EXPIRED", "NETWORK_TERMINATED"])),
];
const ENDS_0_6: &[Field] = &[DEVICE, Field::required("subscriptionId", Kind::Uuid), TERMINATION_REASON];
const ENDS_0_7: &[Field] = &[DEVICE, SUBSCRIPTION_ID, TERMINATION_REASON, TERMINATION_DESCRIPTION];
const ENDED: &[Field] = &[DEVICE_TOLD, SUBSCRIPTION_ID, TERMINATION_REASON, TERMINATION_DESCRIPTION];
const STARTED: &[Field] = &[
    DEVICE,
    SUBSCRIPTION_ID,
    Field::required("initiationReason", Kind::OneOf(&["SUBSCRIPTION_CREATED"])),
    Field::optional("initiationDescription", Kind::Text),
];
const UPDATED: &[Field] = &[
    DEVICE,
    SUBSCRIPTION_ID,
    Field::required("updateReason", Kind::OneOf(&["SUBSCRIPTION_ACTIVE", "SUBSCRIPTION_INACTIVE"])),
    Field::optional("updateDescription", Kind::Text),
];

// Envelopes. That `specversion` is 1.0 and the data JSON, `CloudEvents` itself says.

const EVENT_ID: Field = Field::required("id", Kind::Text);
const SOURCE: Field = Field::required("source", Kind::UriReference);
const TYPE: Field = Field::required("type", Kind::Text);
const TIME: Field = Field::required("time", Kind::DateTime);
const SPECVERSION: Field = Field::required("specversion", Kind::OneOf(&["1.0"]));
const CONTENT_TYPE: Field = Field::optional("datacontenttype", Kind::OneOf(&["application/json"]));
const ENVELOPE_0_6: &[Field] =
    &[EVENT_ID, SOURCE, SPECVERSION, TYPE, TIME, CONTENT_TYPE, Field::required("data", Kind::Record(&[]))];
const ENVELOPE: &[Field] =
    &[EVENT_ID, SOURCE, SPECVERSION, TYPE, TIME, CONTENT_TYPE, Field::optional("data", Kind::Record(&[]))];

// Subscriptions.

const PROTOCOL: Field = Field::required("protocol", Kind::OneOf(&["HTTP", "MQTT3", "MQTT5", "AMQP", "NATS", "KAFKA"]));
const SINK: Field = Field::required("sink", Kind::Text);
const CONFIG: Field = Field::required(
    "config",
    Kind::Record(&[
        Field::required("subscriptionDetail", Kind::Record(&[DEVICE])),
        Field::optional("subscriptionExpireTime", Kind::DateTime),
        Field::optional("subscriptionMaxEvents", Kind::Integer),
        Field::optional("initialEvent", Kind::Boolean),
    ]),
);
const STARTS_AT: Field = Field::optional("startsAt", Kind::DateTime);
const EXPIRES_AT: Field = Field::optional("expiresAt", Kind::DateTime);
const STATUS: Field =
    Field::optional("status", Kind::OneOf(&["ACTIVATION_REQUESTED", "ACTIVE", "EXPIRED", "INACTIVE", "DELETED"]));
const SUBSCRIPTION_0_6: &[Field] = &[
    PROTOCOL,
    SINK,
    Field::required("types", Kind::List(&Kind::Text)),
    CONFIG,
    Field::required("id", Kind::Uuid),
    Field::required("startsAt", Kind::DateTime),
    EXPIRES_AT,
    STATUS,
];
/// A subscription to one of these types, from 0.7 on.
const fn subscription(types: &'static Kind) -> [Field; 8] {
    [
        PROTOCOL,
        SINK,
        Field::required("types", Kind::List(types)),
        CONFIG,
        Field::required("id", Kind::Text),
        STARTS_AT,
        EXPIRES_AT,
        STATUS,
    ]
}
const ROAMING_SUBSCRIPTION: &[Field] = &subscription(&Kind::OneOf(ROAMING_NAMES));
const REACHABILITY_SUBSCRIPTION: &[Field] = &subscription(&Kind::OneOf(REACHABILITY_NAMES));
const NETWORK_TYPE_SUBSCRIPTION: &[Field] = &subscription(&Kind::OneOf(NETWORK_TYPE_NAMES));
const SUBSCRIPTION_0_5: &[Field] = &[
    Field::required("subscriptionId", Kind::Text),
    Field::required(
        "subscriptionDetail",
        Kind::Record(&[DEVICE_0_5, Field::required("type", Kind::OneOf(DEVICE_STATUS_NAMES))]),
    ),
    Field::required(
        "webhook",
        Kind::Record(&[
            Field::required("notificationUrl", Kind::Text),
            Field::optional("notificationAuthToken", Kind::Text),
        ]),
    ),
    Field::optional("subscriptionExpireTime", Kind::DateTime),
    STARTS_AT,
    EXPIRES_AT,
];

// Types.

/// Types that need a scope each.
macro_rules! types {
    ($api:literal, $prefix:literal, { $($name:literal: $about:ident => $data:ident),* $(,)? }) => {
        &[$(EventType {
            name: concat!($prefix, ".", $name),
            create_scope: concat!($api, ":", $prefix, ".", $name, ":create"),
            about: About::$about,
            data: $data,
        }),*]
    };
}

const ROAMING_NAMES: &[&str] = &[
    "org.camaraproject.device-roaming-status-subscriptions.v0.roaming-status",
    "org.camaraproject.device-roaming-status-subscriptions.v0.roaming-on",
    "org.camaraproject.device-roaming-status-subscriptions.v0.roaming-off",
    "org.camaraproject.device-roaming-status-subscriptions.v0.roaming-change-country",
];
const REACHABILITY_NAMES: &[&str] = &[
    "org.camaraproject.device-reachability-status-subscriptions.v0.reachability-data",
    "org.camaraproject.device-reachability-status-subscriptions.v0.reachability-sms",
    "org.camaraproject.device-reachability-status-subscriptions.v0.reachability-disconnected",
];
const NETWORK_TYPE_NAMES: &[&str] = &["org.camaraproject.connected-network-type-subscriptions.v0.network-type-changed"];
const DEVICE_STATUS_NAMES: &[&str] = &[
    "org.camaraproject.device-status.v0.roaming-status",
    "org.camaraproject.device-status.v0.roaming-on",
    "org.camaraproject.device-status.v0.roaming-off",
    "org.camaraproject.device-status.v0.roaming-change-country",
    "org.camaraproject.device-status.v0.connectivity-data",
    "org.camaraproject.device-status.v0.connectivity-sms",
    "org.camaraproject.device-status.v0.connectivity-disconnected",
];

/// A type of device-status 0.5, where one scope is enough for all.
const fn of_0_5(name: &'static str, about: About, data: &'static [Field]) -> EventType {
    EventType { name, create_scope: "device-status:subscriptions:create", about, data }
}

// Errors.

const OVER: Listed = listed(429, &["QUOTA_EXCEEDED", "TOO_MANY_REQUESTS"]);
const BAD_REQUEST: Listed = listed(400, &["INVALID_ARGUMENT"]);
const UNAUTHORIZED: Listed = listed(401, &["UNAUTHENTICATED"]);
const UNAUTHORIZED_0_7: Listed = listed(401, &["UNAUTHENTICATED", "AUTHENTICATION_REQUIRED"]);
const FORBIDDEN: Listed = listed(403, &["PERMISSION_DENIED"]);
const FORBIDDEN_TO_CREATE: Listed = listed(403, &["PERMISSION_DENIED", "SUBSCRIPTION_MISMATCH"]);
const CONFLICT: Listed = listed(409, &["ABORTED", "ALREADY_EXISTS"]);
const NOT_FOUND: Listed = listed(404, &["NOT_FOUND"]);

const ERRORS_0_5: Errors = Errors {
    create: &[SHOWN_400, SHOWN_401, SHOWN_403, SHOWN_409, SHOWN_500, SHOWN_503],
    list: &[SHOWN_400, SHOWN_401, SHOWN_403, SHOWN_500, SHOWN_503],
    read: &[SHOWN_400, SHOWN_401, SHOWN_403, SHOWN_404, SHOWN_500, SHOWN_503],
    delete: &[SHOWN_400, SHOWN_401, SHOWN_403, SHOWN_404, SHOWN_500, SHOWN_503],
};
const SHOWN_400: Listed = shown(400, &["INVALID_ARGUMENT"]);
const SHOWN_401: Listed = shown(401, &["UNAUTHENTICATED"]);
const SHOWN_403: Listed = shown(403, &["PERMISSION_DENIED"]);
const SHOWN_404: Listed = shown(404, &["NOT_FOUND"]);
const SHOWN_409: Listed = shown(409, &["CONFLICT"]);
const SHOWN_429: Listed = shown(429, &["QUOTA_EXCEEDED", "TOO_MANY_REQUESTS"]);
const SHOWN_500: Listed = shown(500, &["INTERNAL"]);
const SHOWN_503: Listed = shown(503, &["UNAVAILABLE"]);
const CREATE_0_6: &[Listed] = &[
    shown(400, &["INVALID_ARGUMENT", "INVALID_PROTOCOL", "INVALID_CREDENTIAL", "INVALID_TOKEN"]),
    SHOWN_401,
    shown(403, &["PERMISSION_DENIED", "SUBSCRIPTION_MISMATCH"]),
    SHOWN_409,
    shown(422, &["MULTIEVENT_SUBSCRIPTION_NOT_SUPPORTED", "DEVICE_IDENTIFIERS_MISMATCH", "DEVICE_NOT_APPLICABLE"]),
    SHOWN_429,
    SHOWN_500,
    SHOWN_503,
];
const ONE_0_6: &[Listed] = &[SHOWN_400, SHOWN_401, SHOWN_403, SHOWN_404, SHOWN_429, SHOWN_500, SHOWN_503];
const ROAMING_ERRORS_0_6: Errors = Errors {
    create: CREATE_0_6,
    list: &[SHOWN_400, SHOWN_401, SHOWN_403, SHOWN_500, SHOWN_503],
    read: ONE_0_6,
    delete: ONE_0_6,
};
const REACHABILITY_ERRORS_0_6: Errors =
    Errors { list: &[SHOWN_400, SHOWN_401, SHOWN_403, SHOWN_429, SHOWN_500, SHOWN_503], ..ROAMING_ERRORS_0_6 };
const BAD_CREATION_0_7: Listed =
    listed(400, &["INVALID_ARGUMENT", "OUT_OF_RANGE", "INVALID_PROTOCOL", "INVALID_CREDENTIAL", "INVALID_TOKEN"]);
const BAD_CREATION: Listed = listed(
    400,
    &["INVALID_ARGUMENT", "OUT_OF_RANGE", "INVALID_PROTOCOL", "INVALID_CREDENTIAL", "INVALID_TOKEN", "INVALID_SINK"],
);
const IDENTIFIER_CODES: &[&str] =
    &["SERVICE_NOT_APPLICABLE", "MISSING_IDENTIFIER", "UNSUPPORTED_IDENTIFIER", "UNNECESSARY_IDENTIFIER"];
const IDENTIFIER_CODES_0_7: &[&str] = &[
    "IDENTIFIER_MISMATCH",
    "SERVICE_NOT_APPLICABLE",
    "MISSING_IDENTIFIER",
    "UNSUPPORTED_IDENTIFIER",
    "UNNECESSARY_IDENTIFIER",
];
const ERRORS_0_7: Errors = Errors {
    create: &[
        BAD_CREATION_0_7,
        UNAUTHORIZED_0_7,
        FORBIDDEN_TO_CREATE,
        CONFLICT,
        listed(
            422,
            &[
                "IDENTIFIER_MISMATCH",
                "SERVICE_NOT_APPLICABLE",
                "MISSING_IDENTIFIER",
                "UNSUPPORTED_IDENTIFIER",
                "UNNECESSARY_IDENTIFIER",
                "MULTIEVENT_SUBSCRIPTION_NOT_SUPPORTED",
            ],
        ),
        OVER,
    ],
    list: &[BAD_REQUEST, UNAUTHORIZED_0_7, FORBIDDEN],
    read: &[BAD_REQUEST, UNAUTHORIZED_0_7, FORBIDDEN, NOT_FOUND],
    delete: &[BAD_REQUEST, UNAUTHORIZED_0_7, FORBIDDEN, NOT_FOUND],
};
const NETWORK_TYPE_ERRORS_0_1: Errors = Errors {
    create: &[
        BAD_CREATION_0_7,
        UNAUTHORIZED_0_7,
        FORBIDDEN_TO_CREATE,
        CONFLICT,
        listed(422, IDENTIFIER_CODES_0_7),
        OVER,
    ],
    ..ERRORS_0_7
};
const ERRORS_0_8: Errors = Errors {
    create: &[
        BAD_CREATION,
        UNAUTHORIZED,
        FORBIDDEN_TO_CREATE,
        CONFLICT,
        listed(
            422,
            &[
                "SERVICE_NOT_APPLICABLE",
                "MISSING_IDENTIFIER",
                "UNSUPPORTED_IDENTIFIER",
                "UNNECESSARY_IDENTIFIER",
                "MULTIEVENT_SUBSCRIPTION_NOT_SUPPORTED",
            ],
        ),
        OVER,
    ],
    list: &[BAD_REQUEST, UNAUTHORIZED, FORBIDDEN],
    read: &[BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND],
    delete: &[BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND],
};
const NETWORK_TYPE_ERRORS_0_2: Errors = Errors {
    create: &[BAD_CREATION, UNAUTHORIZED, FORBIDDEN_TO_CREATE, CONFLICT, listed(422, IDENTIFIER_CODES), OVER],
    ..ERRORS_0_8
};

// Rules.

/// What is wrong with an argument, where no other code is documented.
pub(crate) const INVALID: &[Code] = &[(400, "INVALID_ARGUMENT")];

const RULES_0_8: Rules = Rules {
    unauthenticated: &[(401, "UNAUTHENTICATED")],
    expired: &[(401, "UNAUTHENTICATED")],
    mismatch: &[(403, "SUBSCRIPTION_MISMATCH")],
    protocol: &[(400, "INVALID_PROTOCOL")],
    credential: &[(400, "INVALID_CREDENTIAL")],
    token: &[(400, "INVALID_TOKEN")],
    sink: &[(400, "INVALID_SINK")],
    several_types: &[(422, "MULTIEVENT_SUBSCRIPTION_NOT_SUPPORTED")],
    out_of_range: &[(400, "OUT_OF_RANGE")],
    nothing_named: &[(422, "MISSING_IDENTIFIER")],
    token_alone: &[],
    named_beside_token: &[(422, "UNNECESSARY_IDENTIFIER")],
    another_named_beside_token: &[(422, "UNNECESSARY_IDENTIFIER")],
    unsupported: &[(422, "UNSUPPORTED_IDENTIFIER")],
    disagreement: &[],
    not_applicable: &[(422, "SERVICE_NOT_APPLICABLE")],
    unknown_line: &[(404, "IDENTIFIER_NOT_FOUND"), (404, "NOT_FOUND")],
    timed_out: &[(503, "UNAVAILABLE"), (504, "TIMEOUT")],
    tells_deletion: true,
};
const NETWORK_TYPE_RULES_0_2: Rules = Rules { several_types: INVALID, ..RULES_0_8 };
const RULES_0_7: Rules = Rules {
    expired: &[(401, "UNAUTHENTICATED"), (401, "AUTHENTICATION_REQUIRED")],
    sink: INVALID,
    disagreement: &[(422, "IDENTIFIER_MISMATCH")],
    ..RULES_0_8
};
const NETWORK_TYPE_RULES_0_1: Rules = Rules { several_types: INVALID, ..RULES_0_7 };
const RULES_0_6: Rules = Rules {
    sink: INVALID,
    out_of_range: INVALID,
    nothing_named: INVALID,
    token_alone: INVALID,
    named_beside_token: &[],
    another_named_beside_token: &[
        (403, "SUBSCRIPTION_MISMATCH"),
        (403, "PERMISSION_DENIED"),
        (403, "INVALID_TOKEN_CONTEXT"),
    ],
    // It shows no code for it.
    unsupported: &[(422, "")],
    disagreement: &[(422, "DEVICE_IDENTIFIERS_MISMATCH")],
    not_applicable: &[(422, "DEVICE_NOT_APPLICABLE")],
    unknown_line: &[(404, "DEVICE_NOT_FOUND"), (404, "NOT_FOUND")],
    ..RULES_0_8
};
const RULES_0_5: Rules = Rules {
    mismatch: &[],
    protocol: &[],
    credential: &[],
    token: &[],
    several_types: &[],
    another_named_beside_token: &[(403, "PERMISSION_DENIED"), (403, "INVALID_TOKEN_CONTEXT")],
    unsupported: INVALID,
    disagreement: &[],
    not_applicable: &[],
    unknown_line: &[(404, "NOT_FOUND")],
    tells_deletion: false,
    ..RULES_0_6
};

// Contracts.

const ROAMING_0_8: Contract = Contract {
    api: "device-roaming-status-subscriptions",
    version: "0.8",
    path: "/device-roaming-status-subscriptions/v0.8/subscriptions",
    model: Model::Sink,
    types: types!("device-roaming-status-subscriptions", "org.camaraproject.device-roaming-status-subscriptions.v0", {
        "roaming-status": RoamingStatus => STATUS_0_8,
        "roaming-on": RoamingOn => BASIC_0_8,
        "roaming-off": RoamingOff => BASIC_0_8,
        "roaming-change-country": RoamingChangeCountry => COUNTRY_0_8,
    }),
    read_scope: "device-roaming-status-subscriptions:read",
    delete_scope: "device-roaming-status-subscriptions:delete",
    subscription: ROAMING_SUBSCRIPTION,
    asynchronous: &[Field::required("id", Kind::Text)],
    envelope: ENVELOPE,
    started: Some(Told {
        name: "org.camaraproject.device-roaming-status-subscriptions.v0.subscription-started",
        data: STARTED,
    }),
    updated: Some(Told {
        name: "org.camaraproject.device-roaming-status-subscriptions.v0.subscription-updated",
        data: UPDATED,
    }),
    ended: Told { name: "org.camaraproject.device-roaming-status-subscriptions.v0.subscription-ended", data: ENDED },
    errors: ERRORS_0_8,
    correlator: Some(CORRELATOR_1_1),
    rules: &RULES_0_8,
};

const ROAMING_0_7: Contract = Contract {
    version: "0.7",
    path: "/device-roaming-status-subscriptions/v0.7/subscriptions",
    types: types!("device-roaming-status-subscriptions", "org.camaraproject.device-roaming-status-subscriptions.v0", {
        "roaming-status": RoamingStatus => STATUS_0_7,
        "roaming-on": RoamingOn => BASIC_0_7,
        "roaming-off": RoamingOff => BASIC_0_7,
        "roaming-change-country": RoamingChangeCountry => COUNTRY_0_7,
    }),
    asynchronous: &[Field::optional("id", Kind::Text)],
    started: None,
    updated: None,
    ended: Told { name: "org.camaraproject.device-roaming-status-subscriptions.v0.subscription-ends", data: ENDS_0_7 },
    errors: ERRORS_0_7,
    correlator: Some(CORRELATOR_1_0),
    rules: &RULES_0_7,
    ..ROAMING_0_8
};

const ROAMING_0_6: Contract = Contract {
    version: "0.6",
    path: "/device-roaming-status-subscriptions/v0.6/subscriptions",
    types: types!("device-roaming-status-subscriptions", "org.camaraproject.roaming-status-subscriptions.v0", {
        "roaming-status": RoamingStatus => STATUS_0_6,
        "roaming-on": RoamingOn => BASIC_0_6,
        "roaming-off": RoamingOff => BASIC_0_6,
        "roaming-change-country": RoamingChangeCountry => COUNTRY_0_6,
    }),
    subscription: SUBSCRIPTION_0_6,
    asynchronous: &[Field::optional("subscriptionId", Kind::Uuid)],
    envelope: ENVELOPE_0_6,
    ended: Told { name: "org.camaraproject.roaming-status-subscriptions.v0.subscription-ends", data: ENDS_0_6 },
    errors: ROAMING_ERRORS_0_6,
    correlator: Some(CORRELATOR_0_6),
    rules: &RULES_0_6,
    ..ROAMING_0_7
};

const REACHABILITY_0_8: Contract = Contract {
    api: "device-reachability-status-subscriptions",
    path: "/device-reachability-status-subscriptions/v0.8/subscriptions",
    types: types!(
        "device-reachability-status-subscriptions",
        "org.camaraproject.device-reachability-status-subscriptions.v0", {
            "reachability-data": ReachabilityData => BASIC_0_8,
            "reachability-sms": ReachabilitySms => BASIC_0_8,
            "reachability-disconnected": ReachabilityDisconnected => BASIC_0_8,
        }
    ),
    read_scope: "device-reachability-status-subscriptions:read",
    delete_scope: "device-reachability-status-subscriptions:delete",
    subscription: REACHABILITY_SUBSCRIPTION,
    started: Some(Told {
        name: "org.camaraproject.device-reachability-status-subscriptions.v0.subscription-started",
        data: STARTED,
    }),
    updated: Some(Told {
        name: "org.camaraproject.device-reachability-status-subscriptions.v0.subscription-updated",
        data: UPDATED,
    }),
    ended: Told {
        name: "org.camaraproject.device-reachability-status-subscriptions.v0.subscription-ended",
        data: ENDED,
    },
    ..ROAMING_0_8
};

/// The end, as 0.6 and 0.7 have it.
const REACHABILITY_ENDS: &str = "org.camaraproject.device-reachability-status-subscriptions.v0.subscription-ends";

const REACHABILITY_0_7: Contract = Contract {
    version: "0.7",
    path: "/device-reachability-status-subscriptions/v0.7/subscriptions",
    types: types!(
        "device-reachability-status-subscriptions",
        "org.camaraproject.device-reachability-status-subscriptions.v0", {
            "reachability-data": ReachabilityData => BASIC_0_7,
            "reachability-sms": ReachabilitySms => BASIC_0_7,
            "reachability-disconnected": ReachabilityDisconnected => BASIC_0_7,
        }
    ),
    asynchronous: &[Field::optional("id", Kind::Text)],
    started: None,
    updated: None,
    ended: Told { name: REACHABILITY_ENDS, data: ENDS_0_7 },
    errors: ERRORS_0_7,
    correlator: Some(CORRELATOR_1_0),
    rules: &RULES_0_7,
    ..REACHABILITY_0_8
};

const REACHABILITY_0_6: Contract = Contract {
    version: "0.6",
    path: "/device-reachability-status-subscriptions/v0.6/subscriptions",
    types: types!(
        "device-reachability-status-subscriptions",
        "org.camaraproject.device-reachability-status-subscriptions.v0", {
            "reachability-data": ReachabilityData => BASIC_0_6,
            "reachability-sms": ReachabilitySms => BASIC_0_6,
            "reachability-disconnected": ReachabilityDisconnected => BASIC_0_6,
        }
    ),
    subscription: SUBSCRIPTION_0_6,
    asynchronous: &[Field::optional("subscriptionId", Kind::Uuid)],
    envelope: ENVELOPE_0_6,
    ended: Told { name: REACHABILITY_ENDS, data: ENDS_0_6 },
    errors: REACHABILITY_ERRORS_0_6,
    correlator: Some(CORRELATOR_0_6),
    rules: &RULES_0_6,
    ..REACHABILITY_0_7
};

const NETWORK_TYPE_0_2: Contract = Contract {
    api: "connected-network-type-subscriptions",
    version: "0.2",
    path: "/connected-network-type-subscriptions/v0.2/subscriptions",
    types: types!("connected-network-type-subscriptions", "org.camaraproject.connected-network-type-subscriptions.v0", {
        "network-type-changed": NetworkType => TECHNOLOGY_0_2,
    }),
    read_scope: "connected-network-type-subscriptions:read",
    delete_scope: "connected-network-type-subscriptions:delete",
    subscription: NETWORK_TYPE_SUBSCRIPTION,
    started: Some(Told {
        name: "org.camaraproject.connected-network-type-subscriptions.v0.subscription-started",
        data: STARTED,
    }),
    updated: Some(Told {
        name: "org.camaraproject.connected-network-type-subscriptions.v0.subscription-updated",
        data: UPDATED,
    }),
    ended: Told { name: "org.camaraproject.connected-network-type-subscriptions.v0.subscription-ended", data: ENDED },
    errors: NETWORK_TYPE_ERRORS_0_2,
    rules: &NETWORK_TYPE_RULES_0_2,
    ..ROAMING_0_8
};

const NETWORK_TYPE_0_1: Contract = Contract {
    version: "0.1",
    path: "/connected-network-type-subscriptions/v0.1/subscriptions",
    types: types!("connected-network-type-subscriptions", "org.camaraproject.connected-network-type-subscriptions.v0", {
        "network-type-changed": NetworkType => TECHNOLOGY_0_1,
    }),
    asynchronous: &[Field::optional("id", Kind::Text)],
    started: None,
    updated: None,
    ended: Told { name: "org.camaraproject.connected-network-type-subscriptions.v0.subscription-ends", data: ENDS_0_7 },
    errors: NETWORK_TYPE_ERRORS_0_1,
    correlator: Some(CORRELATOR_1_0),
    rules: &NETWORK_TYPE_RULES_0_1,
    ..NETWORK_TYPE_0_2
};

const DEVICE_STATUS_0_5: Contract = Contract {
    api: "device-status",
    version: "0.5",
    path: "/device-status/v0/subscriptions",
    model: Model::Webhook,
    types: &[
        of_0_5("org.camaraproject.device-status.v0.roaming-status", About::RoamingStatus, STATUS_0_5),
        of_0_5("org.camaraproject.device-status.v0.roaming-on", About::RoamingOn, BASIC_0_5),
        of_0_5("org.camaraproject.device-status.v0.roaming-off", About::RoamingOff, BASIC_0_5),
        of_0_5("org.camaraproject.device-status.v0.roaming-change-country", About::RoamingChangeCountry, COUNTRY_0_5),
        of_0_5("org.camaraproject.device-status.v0.connectivity-data", About::ReachabilityData, BASIC_0_5),
        of_0_5("org.camaraproject.device-status.v0.connectivity-sms", About::ReachabilitySms, BASIC_0_5),
        of_0_5(
            "org.camaraproject.device-status.v0.connectivity-disconnected",
            About::ReachabilityDisconnected,
            BASIC_0_5,
        ),
    ],
    read_scope: "device-status:subscriptions:read",
    delete_scope: "device-status:subscriptions:delete",
    subscription: SUBSCRIPTION_0_5,
    asynchronous: &[SUBSCRIPTION_ID_0_5],
    envelope: ENVELOPE_0_6,
    started: None,
    updated: None,
    ended: Told { name: "org.camaraproject.device-status.v0.subscription-ends", data: ENDS_0_5 },
    errors: ERRORS_0_5,
    correlator: None,
    rules: &RULES_0_5,
};

/// The fields of every error.
pub(crate) const ERROR: &[Field] = ERROR_INFO;

/// All contracts of event subscriptions, older versions first.
pub const CONTRACTS: &[Contract] = &[
    DEVICE_STATUS_0_5,
    ROAMING_0_6,
    ROAMING_0_7,
    ROAMING_0_8,
    REACHABILITY_0_6,
    REACHABILITY_0_7,
    REACHABILITY_0_8,
    NETWORK_TYPE_0_1,
    NETWORK_TYPE_0_2,
];

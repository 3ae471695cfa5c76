//! The part of a document that describes subscriptions: the four operations, and as callbacks the events that
//! the sinks are told.

use std::iter;

use attache_core::{
    ClientId, Country, Delivery, DeliveryState, DeviceIdentifier, EndReason, EventType, Fact, LineId, Mcc, Notice,
    Problem, PublisherName, Purpose, Scope, Sink, Subscription, SubscriptionId, SubscriptionProblem,
    SubscriptionStatus, Technology, Timestamp,
};
use serde_json::{Map, Value, json};

use super::{Body, Codes, correlator_parameter, refused, response, title};
use crate::SubscriptionFace;

/// The name of the bearer token that a sink asks for, among the security schemes.
pub(super) const SINK_CREDENTIAL: &str = "notificationsBearerAuth";

/// What the document of a face of subscriptions says beside what the face itself tells.
#[derive(Clone, Copy, Debug)]
pub struct SubscriptionDescription {
    /// The type of the body of a request for a subscription.
    pub request: Body,
    /// A body that can be sent, naming a line that nobody has.
    pub example: fn(&SubscriptionFace) -> Value,
    /// The type of a subscription, as it is answered.
    pub answer: Body,
    /// The type of an error.
    pub error: Body,
    /// The type of an event, without what it tells.
    pub event: Body,
    /// The types of what the events tell.
    pub told: Told,
    /// Types that stand in this version in place of others of the same name.
    pub instead: &'static [Body],
    /// Where a request for a subscription names its sink, as a runtime expression of `OpenAPI`.
    pub sink: &'static str,
    /// The statuses that the contract lists for a sink's answer.
    pub sink_statuses: &'static [u16],
    /// The statuses of errors that the contract lists, of those that are answered.
    pub statuses: Statuses,
    /// How the contract tells the codes of a status.
    pub codes: Codes,
}

/// The types of what events tell.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// What became of the line.
    pub of_line: fn(EventType) -> Body,
    /// That the subscription has begun.
    pub started: Body,
    /// That it was paused, or goes on.
    pub updated: Body,
    /// That it has ended.
    pub ended: Body,
}

/// Statuses by operation.
#[derive(Clone, Copy, Debug)]
pub struct Statuses {
    /// To make a subscription.
    pub create: &'static [u16],
    /// To list all.
    pub list: &'static [u16],
    /// To read or delete one.
    pub one: &'static [u16],
}

/// The paths of a face, below the path of its API.
pub(super) fn paths(
    face: &SubscriptionFace,
    below: &str,
    schemas: &mut Map<String, Value>,
) -> impl Iterator<Item = (String, Value)> {
    let subscription = face.description.answer.add(schemas);
    let error = face.description.error.add(schemas);
    let operation = Operations { face, error };
    let statuses = face.description.statuses;
    let example = example_subscription(face).map(|subscription| as_json(&(face.write)(face, &subscription)));

    let names: String = title(face.api.trim_end_matches("-subscriptions")).split(' ').collect();
    let answer = json!({ "schema": subscription, "example": example });
    let mut create =
        operation.of(&format!("create{names}Subscription"), "Make a subscription", "201", Some(answer.clone()));
    create["security"] = scopes(face.types.iter().map(|subscribed| &subscribed.create_scope));
    create["requestBody"] = json!({
        "required": true,
        "content": {
            "application/json": {
                "schema": face.description.request.add(schemas),
                "example": (face.description.example)(face),
            },
        },
    });
    let key = json!({ "name": "Idempotency-Key", "in": "header", "schema": { "type": "string" } });
    operation.add_parameters(&mut create, [key]);
    operation.add_refusals(&mut create, statuses.create, Stage::Create);
    create["callbacks"] = json!({ "notifications": { face.description.sink: { "post": notification(face) } } });

    let all = json!({ "schema": { "type": "array", "items": subscription }, "example": [example] });
    let mut list = operation.of(&format!("retrieve{names}SubscriptionList"), "List subscriptions", "200", Some(all));
    list["security"] = scopes(iter::once(&face.read_scope));
    operation.add_parameters(&mut list, []);
    operation.add_refusals(&mut list, statuses.list, Stage::List);

    let id = json!({
        "name": "subscriptionId",
        "in": "path",
        "required": true,
        "schema": { "$ref": "#/components/schemas/SubscriptionId" },
    });
    let mut read = operation.of(&format!("retrieve{names}Subscription"), "Read a subscription", "200", Some(answer));
    let mut delete = operation.of(&format!("delete{names}Subscription"), "Delete a subscription", "204", None);
    for (one, scope) in [(&mut read, &face.read_scope), (&mut delete, &face.delete_scope)] {
        one["security"] = scopes(iter::once(scope));
        operation.add_parameters(one, [id.clone()]);
        operation.add_refusals(one, statuses.one, Stage::One);
    }
    add_events(face, schemas);
    [
        (below.to_owned(), json!({ "post": create, "get": list })),
        (format!("{below}/{{subscriptionId}}"), json!({ "get": read, "delete": delete })),
    ]
    .into_iter()
}

/// What is asked for, as far as it decides what can go wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Create,
    List,
    One,
}

/// What the operations of a face have in common.
struct Operations<'a> {
    face: &'a SubscriptionFace,
    error: Value,
}

impl Operations<'_> {
    fn of(&self, name: &str, summary: &str, status: &str, content: Option<Value>) -> Value {
        let responses = json!({ status: response(self.face.correlator, "Done", content) });
        json!({ "operationId": name, "summary": summary, "responses": responses })
    }

    fn add_parameters<const COUNT: usize>(&self, operation: &mut Value, own: [Value; COUNT]) {
        let parameters: Vec<Value> = own.into_iter().chain(correlator_parameter(self.face.correlator)).collect();
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
    }

    fn add_refusals(&self, operation: &mut Value, statuses: &[u16], stage: Stage) {
        let problems = Problem::examples().into_iter().map(SubscriptionProblem::from);
        let met = problems.chain(SubscriptionProblem::examples()).filter(|problem| is_met(problem, stage));
        let refusals = met.map(|problem| (problem.name(), (self.face.refuse)(&problem)));
        let responses = refused(refusals, statuses, self.face.description.codes, self.face.correlator, &self.error);
        operation["responses"].as_object_mut().into_iter().for_each(|all| all.extend(responses.clone()));
    }
}

/// The scopes of which one is needed, each once.
fn scopes<'a>(scopes: impl Iterator<Item = &'a Scope>) -> Value {
    let mut scopes: Vec<&str> = scopes.map(Scope::as_str).collect();
    scopes.dedup();
    json!([{ "openId": scopes }])
}

/// Whether such a request can meet a problem.
fn is_met(problem: &SubscriptionProblem, stage: Stage) -> bool {
    match problem {
        SubscriptionProblem::UnknownSubscription => stage == Stage::One,
        SubscriptionProblem::ProtocolUnsupported
        | SubscriptionProblem::CredentialUnsupported
        | SubscriptionProblem::TokenTypeUnsupported
        | SubscriptionProblem::SinkInvalid(_)
        | SubscriptionProblem::SinkRefused { .. }
        | SubscriptionProblem::TypesTooMany
        | SubscriptionProblem::OutOfRange { .. }
        | SubscriptionProblem::TypeNotPermitted
        | SubscriptionProblem::KeyUsedOtherwise => stage == Stage::Create,
        SubscriptionProblem::Problem(problem) => match problem {
            // No status is told when a subscription is made, so none can be missing; and a face has its path.
            Problem::NeverSeen | Problem::UnknownPath => false,
            Problem::LengthRequired
            | Problem::BodyTooLarge { .. }
            | Problem::BodyTimedOut
            | Problem::BodyIncomplete
            | Problem::BodyMissing
            | Problem::BodyMalformed { .. }
            | Problem::FieldMissing { .. }
            | Problem::FieldInvalid { .. }
            | Problem::LineOfAnotherToken
            | Problem::SubjectRefuses
            | Problem::IdentifierMissing
            | Problem::IdentifierUnnecessary
            | Problem::IdentifierUnsupported
            | Problem::IdentifiersDisagree
            | Problem::UnknownLine
            | Problem::LineNotEligible
            | Problem::NetworkUnavailable
            | Problem::NetworkAnswerInvalid
            | Problem::NetworkTimedOut => stage == Stage::Create,
            Problem::MethodNotAllowed { .. }
            | Problem::TargetTooLong
            | Problem::InvalidHeader { .. }
            | Problem::NotAcceptable
            | Problem::UnsupportedMediaType
            | Problem::CredentialsMissing
            | Problem::CredentialsInvalid
            | Problem::CredentialsExpired
            | Problem::ProofInvalid
            | Problem::ScopeMissing { .. }
            | Problem::TooManyRequests { .. }
            | Problem::QuotaExceeded { .. }
            | Problem::Overloaded
            | Problem::StoreUnavailable
            | Problem::Internal => true,
        },
    }
}

/// The types of all events of a face, with what they tell.
fn events(face: &SubscriptionFace) -> Vec<(&'static str, Body)> {
    let told = face.description.told;
    let of_line = face.types.iter().map(|subscribed| (subscribed.name, (told.of_line)(subscribed.event_type)));
    let started = face.life.started.map(|name| (name, told.started));
    let updated = face.life.updated.map(|name| (name, told.updated));
    of_line.chain(started).chain(updated).chain([(face.life.ended, told.ended)]).collect()
}

/// Adds the schemas of the events: one of each type, and `CloudEvent`, which is any of them.
fn add_events(face: &SubscriptionFace, schemas: &mut Map<String, Value>) {
    let event = face.description.event.add(schemas);
    let mut mapping = Map::new();
    for (name, body) in events(face) {
        let data = body.add(schemas);
        let last: String = title(last_part(name)).split(' ').collect();
        let component = format!("Event{last}");
        mapping.insert(name.to_owned(), format!("#/components/schemas/{component}").into());
        schemas.insert(component, json!({ "allOf": [event, { "type": "object", "properties": { "data": data } }] }));
    }
    let enumerated = |names: Vec<&str>| json!({ "type": "string", "enum": names });
    let subscribed: Vec<&str> = face.types.iter().map(|subscribed| subscribed.name).collect();
    schemas.insert("SubscriptionEventType".to_owned(), enumerated(subscribed));
    schemas.insert("EventTypeNotification".to_owned(), enumerated(mapping.keys().map(String::as_str).collect()));
    schemas["CloudEvent"]["discriminator"] = json!({ "propertyName": "type", "mapping": mapping });
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// What a sink is asked, as the operation that it has.
fn notification(face: &SubscriptionFace) -> Value {
    let responses: Map<String, Value> = face
        .description
        .sink_statuses
        .iter()
        .map(|status| {
            let meaning = match status {
                200..300 => "The event has arrived",
                410 => "The sink is gone: the subscription ends",
                429 | 500.. => "The event is sent again later",
                _ => "The event is kept for the operator to look at",
            };
            (status.to_string(), json!({ "description": meaning }))
        })
        .collect();
    let mut operation = json!({
        "operationId": "postNotification",
        "summary": "What a sink is told. It is implemented by whom the subscription belongs to",
        "security": [{}, { SINK_CREDENTIAL: [] }],
        "requestBody": {
            "required": true,
            "content": {
                "application/cloudevents+json": {
                    "schema": { "$ref": "#/components/schemas/CloudEvent" },
                    "examples": example_events(face),
                },
            },
        },
        "responses": responses,
    });
    if let Some(parameter) = correlator_parameter(face.correlator) {
        operation["parameters"] = json!([parameter]);
    }
    operation
}

/// The time of what is shown.
fn example_time() -> Option<Timestamp> {
    "2027-01-17T13:18:23.682Z".parse().ok()
}

/// A subscription to the first type of a face, about a line that nobody has.
fn example_subscription(face: &SubscriptionFace) -> Option<Subscription> {
    Some(Subscription {
        id: SubscriptionId::from_bytes([7; 16]),
        publisher: PublisherName::new_static("camara"),
        api: face.api.to_owned(),
        contract: face.contract.to_owned(),
        client: ClientId::from_bytes([0; 16]),
        purpose: Purpose::new_static("dpv:FraudPreventionAndDetection"),
        scope: face.types.first()?.create_scope.clone(),
        line: LineId::from_bytes([0; 16]),
        device: Some(DeviceIdentifier::PhoneNumber("+12025550123".parse().ok()?)),
        event_type: face.types.first()?.event_type,
        sink: Sink::new(EXAMPLE_SINK).ok()?,
        credential: None,
        initial_event: None,
        max_events: None,
        requested_end: None,
        expires_at: None,
        starts_at: example_time()?,
        ended_at: None,
        status: SubscriptionStatus::Active,
        events_made: 0,
    })
}

/// Where the examples send events: a name that is kept for examples.
pub(crate) const EXAMPLE_SINK: &str = "https://sink.example/events";

/// An event of each type, by the last part of that.
fn example_events(face: &SubscriptionFace) -> Map<String, Value> {
    let facts = face.types.iter().filter_map(|subscribed| example_fact(subscribed.event_type)).map(Notice::Event);
    let ended = Notice::Ended { reason: EndReason::Expired, description: None };
    let notices = facts.chain([Notice::Started, Notice::Updated { is_active: true }, ended]);
    let example = |notice| {
        let at = example_time()?;
        let subscription = example_subscription(face)?;
        let delivery = Delivery {
            subscription: subscription.id,
            sequence: 1,
            notice,
            at,
            made_at: at,
            attempts: 0,
            state: DeliveryState::Pending,
            last_outcome: None,
            due_at: None,
            is_replay: false,
        };
        let event = as_json(&(face.write_event)(face, &subscription, &delivery, "https://attache.example")?);
        Some((last_part(event["type"].as_str()?).to_owned(), json!({ "value": event })))
    };
    notices.filter_map(example).collect()
}

/// Something that an event of a type tells.
fn example_fact(event_type: EventType) -> Option<Fact> {
    let visited = Country::of(Mcc::from_number(262)?);
    Some(match event_type {
        EventType::RoamingStatus => Fact::RoamingStatus { visited: Some(visited) },
        EventType::RoamingOn => Fact::RoamingOn,
        EventType::RoamingOff => Fact::RoamingOff,
        EventType::RoamingChangeCountry => Fact::RoamingChangeCountry { visited },
        EventType::ReachabilityData => Fact::ReachabilityData,
        EventType::ReachabilitySms => Fact::ReachabilitySms,
        EventType::ReachabilityDisconnected => Fact::ReachabilityDisconnected,
        EventType::NetworkTypeChanged => Fact::NetworkTypeChanged { technology: Some(Technology::Fifth) },
    })
}

fn as_json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

//! What a face says about itself: one OpenAPI 3.1 document for each API and version of a publisher.
//!
//! The bodies are described by the very types that are read and written, the errors are what the face
//! renders, walked through every problem, and paths and scopes are those that it is mounted and guarded
//! by. What remains to be said by hand is a [`Description`]: which statuses its contract lists, and the
//! names of the operation.

mod subscription;

use std::{borrow::Cow, collections::BTreeMap};

use attache_core::Problem;
use serde_json::{Map, Value, json};
pub(crate) use subscription::EXAMPLE_SINK;
pub use subscription::{Statuses, SubscriptionDescription, Told};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{ApiVersion, Correlator, Face, Publisher, Refusal, SubscriptionFace};

/// What the document of a face says beside what the face itself tells.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The name of the operation, for generators of clients.
    pub operation: &'static str,
    /// What the operation does, in a line.
    pub summary: &'static str,
    /// The type of the body of a request.
    pub request: Body,
    /// A body that can be sent, naming a line that nobody has.
    pub example: &'static str,
    /// The type of an answer.
    pub answer: Body,
    /// The type of an error.
    pub error: Body,
    /// Types that stand in this version in place of others of the same name.
    pub instead: &'static [Body],
    /// The statuses of errors that the contract lists, of those that are answered.
    pub statuses: &'static [u16],
    /// How the contract tells the codes of a status.
    pub codes: Codes,
}

/// How a contract tells which codes a status has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codes {
    /// The schema enumerates them.
    Enumerated,
    /// The examples have them.
    Shown,
}

/// The schema of a type that is read or written.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    name: fn() -> Cow<'static, str>,
    schema: fn() -> RefOr<Schema>,
    components: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Body {
    /// The schema of a type.
    #[must_use]
    pub const fn of<T: ToSchema>() -> Self {
        Self { name: <T as ToSchema>::name, schema: <T as PartialSchema>::schema, components: <T as ToSchema>::schemas }
    }

    /// Adds the schema, and those that it refers to, and returns a reference to it.
    fn add(self, schemas: &mut Map<String, Value>) -> Value {
        let name = (self.name)();
        let mut components = vec![(name.to_string(), (self.schema)())];
        (self.components)(&mut components);
        for (name, schema) in components {
            let mut schema = serde_json::to_value(schema).unwrap_or_default();
            remove_comments(&mut schema);
            schemas.insert(name, schema);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }
}

/// Removes what the types' comments tell readers of the code. A field may be called `description`; its
/// schema is no text.
fn remove_comments(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.retain(|name, value| name != "description" || !value.is_string());
            fields.values_mut().for_each(remove_comments);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_comments),
        _ => {}
    }
}

/// The faces of a publisher by document: those of one API in one version, in their order.
#[must_use]
pub fn documents(publisher: &'static Publisher) -> Vec<Document> {
    let of = |version: ApiVersion| Document {
        publisher,
        version,
        faces: publisher.faces.iter().copied().filter(|face| version == ApiVersion::from(*face)).collect(),
        subscriptions: publisher.subscriptions.iter().copied().find(|face| version == ApiVersion::from(*face)),
    };
    publisher.versions().into_iter().map(of).collect()
}

/// The faces that are described together: one API in one version.
#[derive(Debug)]
pub struct Document {
    publisher: &'static Publisher,
    version: ApiVersion,
    faces: Vec<&'static Face>,
    subscriptions: Option<&'static SubscriptionFace>,
}

impl Document {
    /// The faces of questions that it describes.
    #[must_use]
    pub fn faces(&self) -> &[&'static Face] {
        &self.faces
    }

    /// The face of subscriptions that it describes.
    #[must_use]
    pub fn subscriptions(&self) -> Option<&'static SubscriptionFace> {
        self.subscriptions
    }

    /// The publisher of the API.
    #[must_use]
    pub fn publisher(&self) -> &'static Publisher {
        self.publisher
    }

    /// The name of the API.
    #[must_use]
    pub fn api(&self) -> &'static str {
        self.version.api
    }

    /// The version of the contract.
    #[must_use]
    pub fn contract(&self) -> &'static str {
        self.version.contract
    }

    /// The part of the paths that all faces have in common, below the publisher's root.
    fn base(&self) -> &'static str {
        let questions = self.faces.iter().map(|face| face.path);
        let mut paths = questions.chain(self.subscriptions.map(|face| face.path));
        paths.next().map_or("", |path| split(path).0)
    }

    /// The document, as OpenAPI 3.1.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut schemas = Map::new();
        let mut paths = Map::new();
        for face in &self.faces {
            paths.insert(split(face.path).1.to_owned(), json!({ "post": operation(face, &mut schemas) }));
        }
        let mut instead: Vec<Body> = self.faces.iter().flat_map(|face| face.description.instead).copied().collect();
        if let Some(face) = self.subscriptions {
            paths.extend(subscription::paths(face, split(face.path).1, &mut schemas));
            instead.extend(face.description.instead);
        }
        for body in instead {
            body.add(&mut schemas);
        }
        for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
            add_headers(operation, self.publisher);
        }
        let root = self.publisher.root;
        let mut security = json!({
            "openId": {
                "type": "openIdConnect",
                "openIdConnectUrl": format!("{root}/.well-known/openid-configuration"),
            },
        });
        if self.subscriptions.is_some() {
            security[subscription::SINK_CREDENTIAL] = json!({ "type": "http", "scheme": "bearer" });
        }
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": title(self.api()),
                "version": self.contract(),
                "description": format!("As Attache answers it for {}.", self.publisher.name),
            },
            "servers": [{ "url": format!("{root}{}", self.base()) }],
            "paths": paths,
            "components": { "schemas": schemas, "securitySchemes": security },
        })
    }
}

/// The path of a face as the path of its API, and what its operation has below that.
fn split(path: &'static str) -> (&'static str, &'static str) {
    path.split_at(path.rfind('/').unwrap_or_default())
}

/// The name of an API as a title.
fn title(api: &str) -> String {
    let capitalized = api.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    });
    capitalized.collect::<Vec<_>>().join(" ")
}

fn operation(face: &Face, schemas: &mut Map<String, Value>) -> Value {
    let description = &face.description;
    let example: Value = serde_json::from_str(description.example).unwrap_or_default();
    let refusals = Problem::examples().into_iter().map(|problem| (problem.name(), (face.refuse)(&problem)));
    let mut responses = Map::new();
    let answer = json!({ "schema": description.answer.add(schemas) });
    responses.insert("200".to_owned(), response(face.correlator, "The answer", Some(answer)));
    responses.extend(refused(
        refusals,
        description.statuses,
        description.codes,
        face.correlator,
        &description.error.add(schemas),
    ));
    let mut operation = json!({
        "operationId": description.operation,
        "summary": description.summary,
        "security": [{ "openId": [face.scope.as_str()] }],
        "requestBody": {
            "required": true,
            "content": {
                "application/json": { "schema": description.request.add(schemas), "example": example },
            },
        },
        "responses": responses,
    });
    let parameters: Vec<Value> = correlator_parameter(face.correlator).into_iter().collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    operation
}

/// A response with its content, if it has any.
fn response(correlator: Correlator, description: &str, content: Option<Value>) -> Value {
    let mut response = json!({ "description": description });
    if let Some(content) = content {
        response["content"] = json!({ "application/json": content });
    }
    if let Some(schema) = correlator_schema(correlator) {
        response["headers"] = json!({ "x-correlator": { "schema": schema } });
    }
    response
}

/// Adds the headers that no contract lists: what is left of the client's plan
/// (draft-ietf-httpapi-ratelimit-headers-10) and when more is welcome; and for CAMARA's versions since when they are deprecated
/// (RFC 9745), and when they end (RFC 8594).
fn add_headers(operation: &mut Value, publisher: &Publisher) {
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    let mut headers = vec![
        ("RateLimit", text("What is left of the client's plan, if it has one")),
        ("RateLimit-Policy", text("The client's plan, if it has one")),
    ];
    if publisher.name == crate::camara::PUBLISHER.name {
        headers.push(("Deprecation", text("Since when this version is deprecated, if it is")));
        headers.push(("Sunset", text("When this version ends, if that is known")));
    }
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        for (name, header) in &headers {
            response["headers"][name] = header.clone();
        }
        if status == "429" {
            let described = "After how many seconds the next request is welcome";
            response["headers"]["Retry-After"] = json!({ "description": described, "schema": { "type": "integer" } });
        }
    }
}

/// The header `x-correlator` as a parameter, for a face whose contract has it.
fn correlator_parameter(correlator: Correlator) -> Option<Value> {
    let schema = correlator_schema(correlator)?;
    Some(json!({ "name": "x-correlator", "in": "header", "schema": schema }))
}

/// The schema of the header `x-correlator`, for a face whose contract has it.
fn correlator_schema(correlator: Correlator) -> Option<Value> {
    match correlator {
        Correlator::Undocumented => None,
        documented => Some(match documented.pattern() {
            Some(pattern) => json!({ "type": "string", "pattern": pattern }),
            None => json!({ "type": "string" }),
        }),
    }
}

/// The responses of the documented statuses, each with the problems that it stands for in the words of the face.
fn refused(
    refusals: impl Iterator<Item = (&'static str, Refusal)>,
    documented: &[u16],
    codes: Codes,
    correlator: Correlator,
    error: &Value,
) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<(&'static str, Value)>> = BTreeMap::new();
    for (name, refusal) in refusals.filter(|(_, refusal)| documented.contains(&refusal.status)) {
        let body = serde_json::from_slice(&refusal.body).unwrap_or_default();
        by_status.entry(refusal.status).or_default().push((name, body));
    }
    let responses = by_status.into_iter().map(|(status, problems)| {
        let (described, content) = refusal(codes, status, &problems, error);
        (status.to_string(), response(correlator, &described, Some(content)))
    });
    responses.collect()
}

/// What a status is called by its codes, and its content: an example of each problem, and where the
/// contract enumerates the codes, nothing but them.
fn refusal(how: Codes, status: u16, problems: &[(&'static str, Value)], error: &Value) -> (String, Value) {
    let mut codes: Vec<&Value> = Vec::new();
    let mut examples = Map::new();
    for (name, body) in problems {
        if !codes.contains(&&body["code"]) {
            codes.push(&body["code"]);
        }
        examples.insert((*name).to_owned(), json!({ "value": body }));
    }
    let named: Vec<String> =
        codes.iter().map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_owned)).collect();
    let schema = match how {
        Codes::Shown => error.clone(),
        Codes::Enumerated => json!({
            "allOf": [
                error,
                { "type": "object", "properties": { "status": { "enum": [status] }, "code": { "enum": codes } } },
            ],
        }),
    };
    (named.join(", "), json!({ "schema": schema, "examples": examples }))
}

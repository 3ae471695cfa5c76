//! What a face says about itself: one OpenAPI 3.1 document for each API and version of a publisher.
//!
//! The bodies are described by the very types that are read and written, the errors are what the face
//! renders, walked through every problem, and paths and scopes are those that it is mounted and guarded
//! by. What remains to be said by hand is a [`Description`]: which statuses its contract lists, and the
//! names of the operation.

use std::{borrow::Cow, collections::BTreeMap};

use attache_core::Problem;
use serde_json::{Map, Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{Correlator, Face, Publisher};

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
    let mut documents: Vec<Document> = Vec::new();
    for face in publisher.faces {
        match documents.iter_mut().find(|document| (document.api(), document.contract()) == (face.api, face.contract)) {
            Some(document) => document.faces.push(face),
            None => documents.push(Document { publisher, faces: vec![face] }),
        }
    }
    documents
}

/// The faces that are described together: one API in one version.
#[derive(Debug)]
pub struct Document {
    publisher: &'static Publisher,
    /// Never empty.
    faces: Vec<&'static Face>,
}

impl Document {
    /// The faces that it describes.
    #[must_use]
    pub fn faces(&self) -> &[&'static Face] {
        &self.faces
    }

    /// The publisher of the API.
    #[must_use]
    pub fn publisher(&self) -> &'static Publisher {
        self.publisher
    }

    /// The name of the API.
    #[must_use]
    pub fn api(&self) -> &'static str {
        self.faces[0].api
    }

    /// The version of the contract.
    #[must_use]
    pub fn contract(&self) -> &'static str {
        self.faces[0].contract
    }

    /// The part of the paths that all faces have in common, below the publisher's root.
    fn base(&self) -> &'static str {
        split(self.faces[0]).0
    }

    /// The document, as OpenAPI 3.1.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut schemas = Map::new();
        let mut paths = Map::new();
        for face in &self.faces {
            let mut operation = operation(face, &mut schemas);
            add_headers(&mut operation, self.publisher);
            paths.insert(split(face).1.to_owned(), json!({ "post": operation }));
        }
        for body in self.faces.iter().flat_map(|face| face.description.instead) {
            body.add(&mut schemas);
        }
        let root = self.publisher.root;
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": title(self.api()),
                "version": self.contract(),
                "description": format!("As Attache answers it for {}.", self.publisher.name),
            },
            "servers": [{ "url": format!("{root}{}", self.base()) }],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "openId": {
                        "type": "openIdConnect",
                        "openIdConnectUrl": format!("{root}/.well-known/openid-configuration"),
                    },
                },
            },
        })
    }
}

/// The path of a face as the path of its API, and what its operation has below that.
fn split(face: &Face) -> (&'static str, &'static str) {
    face.path.split_at(face.path.rfind('/').unwrap_or_default())
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
    });
    if let Some(schema) = correlator(face.correlator) {
        operation["parameters"] = json!([{ "name": "x-correlator", "in": "header", "schema": schema }]);
    }
    let mut responses = Map::new();
    responses
        .insert("200".to_owned(), response(face, "The answer", &json!({ "schema": description.answer.add(schemas) })));
    let error = description.error.add(schemas);
    for (status, refusals) in refusals(face) {
        let (described, content) = refusal(description.codes, status, &refusals, &error);
        responses.insert(status.to_string(), response(face, &described, &content));
    }
    operation["responses"] = Value::Object(responses);
    operation
}

fn response(face: &Face, description: &str, content: &Value) -> Value {
    let mut response = json!({ "description": description, "content": { "application/json": content } });
    if let Some(schema) = correlator(face.correlator) {
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

/// The schema of the header `x-correlator`, for a face whose contract has it.
fn correlator(correlator: Correlator) -> Option<Value> {
    match correlator {
        Correlator::Undocumented => None,
        documented => Some(match documented.pattern() {
            Some(pattern) => json!({ "type": "string", "pattern": pattern }),
            None => json!({ "type": "string" }),
        }),
    }
}

/// The problems of the documented statuses, each in the words of the face.
fn refusals(face: &Face) -> BTreeMap<u16, Vec<(Problem, Value)>> {
    let mut refusals: BTreeMap<u16, Vec<(Problem, Value)>> = BTreeMap::new();
    for problem in Problem::examples() {
        let refusal = (face.refuse)(&problem);
        if face.description.statuses.contains(&refusal.status) {
            let body = serde_json::from_slice(&refusal.body).unwrap_or_default();
            refusals.entry(refusal.status).or_default().push((problem, body));
        }
    }
    refusals
}

/// What a status is called by its codes, and its content: an example of each code, and where the
/// contract enumerates them, nothing but them.
fn refusal(how: Codes, status: u16, refusals: &[(Problem, Value)], error: &Value) -> (String, Value) {
    let mut codes: Vec<&Value> = Vec::new();
    let mut examples = Map::new();
    for (problem, body) in refusals {
        if !codes.contains(&&body["code"]) {
            codes.push(&body["code"]);
        }
        examples.insert(problem.name().to_owned(), json!({ "value": body }));
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

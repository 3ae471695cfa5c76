//! What is served says what it is: `/docs` is a page of every version of every publisher's APIs, with a
//! page for each, its OpenAPI document, and a form to try it.
//!
//! Everything is made once, when the server starts, from what the faces say of themselves. A page needs
//! nothing from elsewhere, and its policy lets it fetch nothing from elsewhere. There is no secret in it
//! and nothing of the sandbox, so production has it as well.

mod page;

use attache_wire::{Document, Face, PUBLISHERS, SubscriptionFace, documents};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use serde_json::Value;

use crate::{mounts, settings::Settings};

/// Where the pages stand, as it is written into the log.
pub(crate) const PATH: &str = "/docs";

/// A page sends requests to this server, and does nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// What stands at a path.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// The path.
    pub(crate) path: String,
    media_type: &'static str,
    body: Bytes,
}

impl Resource {
    fn new(path: impl Into<String>, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { path: path.into(), media_type, body: body.into() }
    }

    /// The response to a request for it.
    pub(crate) fn response(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        for (name, value) in [
            (header::CONTENT_TYPE, self.media_type),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            // What stands here changes with the configuration.
            (header::CACHE_CONTROL, "no-cache"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// A document of a publisher, with where its operations stand on this server.
struct Entry {
    document: Document,
    /// The page; the document itself is below it.
    path: String,
    standings: Vec<Standing>,
}

/// An operation, and whether it is answered at its path.
struct Standing {
    method: &'static str,
    /// Its path on this server.
    path: String,
    /// Its path in the document.
    end: String,
    answers: Answers,
}

/// Who answers at a path.
#[derive(Clone, Copy)]
enum Answers {
    /// The version itself.
    Itself,
    /// The version itself, what is meant for it.
    WhatIsMeant,
    /// Another version, of this contract.
    Other(&'static str),
    /// Nobody.
    Nobody,
}

impl Entry {
    fn of(document: Document, settings: &Settings) -> Self {
        let publisher = document.publisher();
        let standing = |method, below: &str, path: &str, answers| Standing {
            method,
            path: format!("{}{path}{below}", publisher.root),
            end: format!("{}{below}", &path[path.rfind('/').unwrap_or_default()..]),
            answers,
        };
        let questions =
            document.faces().iter().map(|face| standing("POST", "", face.path, of_face(&document, face, settings)));
        let subscriptions = document.subscriptions().into_iter().flat_map(|face| {
            let answers = of_subscriptions(&document, face, settings);
            [("POST", ""), ("GET", ""), ("GET", "/{subscriptionId}"), ("DELETE", "/{subscriptionId}")]
                .map(|(method, below)| standing(method, below, face.path, answers))
        });
        let standings = questions.chain(subscriptions).collect();
        let path = format!("{PATH}/{}/{}/{}", publisher.name, document.api(), document.contract());
        Self { document, path, standings }
    }
}

/// Who answers at the path of a face.
fn of_face(document: &Document, face: &'static Face, settings: &Settings) -> Answers {
    let mounts = mounts::of(document.publisher(), settings);
    match mounts.iter().find(|mount| mount.path == face.path) {
        None => Answers::Nobody,
        Some(mount) if !mount.faces().any(|other| std::ptr::eq(other, face)) => Answers::Other(mount.newest.contract),
        Some(_) if face.is_meant.is_some() => Answers::WhatIsMeant,
        Some(_) => Answers::Itself,
    }
}

/// Who answers at the path of a face of subscriptions.
fn of_subscriptions(document: &Document, face: &SubscriptionFace, settings: &Settings) -> Answers {
    let mounts = mounts::of_subscriptions(document.publisher(), settings);
    if mounts.iter().any(|mount| mount.path == face.path) { Answers::Itself } else { Answers::Nobody }
}

/// Everything below `/docs`.
pub(crate) fn resources(settings: &Settings) -> Vec<Resource> {
    let documents = PUBLISHERS.iter().flat_map(|publisher| documents(publisher));
    let entries: Vec<Entry> = documents.map(|document| Entry::of(document, settings)).collect();
    let described: Vec<(&Entry, Value)> = entries.iter().map(|entry| (entry, entry.document.to_json())).collect();
    let mut resources = vec![
        Resource::new(PATH, page::HTML, page::index(&described)),
        Resource::new(page::STYLE, "text/css; charset=utf-8", include_str!("docs.css")),
        Resource::new(page::SCRIPT, "text/javascript; charset=utf-8", include_str!("try.mjs")),
    ];
    for (entry, document) in &described {
        let text = serde_json::to_vec_pretty(document).unwrap_or_default();
        resources.push(Resource::new(entry.path.clone(), page::HTML, page::document(entry, document)));
        resources.push(Resource::new(format!("{}/openapi.json", entry.path), "application/json", text));
    }
    resources
}

//! What is served says what it is: `/docs` is a page of every version of every publisher's APIs, with a
//! page for each, its OpenAPI document, and a form to try it.
//!
//! Everything is made once, when the server starts, from what the faces say of themselves. A page needs
//! nothing from elsewhere, and its policy lets it fetch nothing from elsewhere. There is no secret in it
//! and nothing of the sandbox, so production has it as well.

mod page;

use attache_wire::{Document, Face, PUBLISHERS, Publisher, documents};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

use crate::{
    mounts::{self, Mount},
    settings::Settings,
};

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

/// A document of a publisher, with where its faces stand on this server.
struct Entry {
    document: Document,
    /// The page; the document itself is below it.
    path: String,
    standings: Vec<Standing>,
}

/// Whether a face answers at its path.
struct Standing {
    face: &'static Face,
    /// Its path on this server.
    path: String,
    answers: Answers,
}

/// Who answers at the path of a face.
enum Answers {
    /// The face itself.
    Itself,
    /// Another version, of this contract.
    Other(&'static str),
    /// Nobody.
    Nobody,
}

impl Entry {
    fn of(document: Document, mounts: &[std::sync::Arc<Mount>]) -> Self {
        let publisher = document.publisher();
        let standings = document.faces().iter().map(|face| Standing::of(publisher, face, mounts)).collect();
        let path = format!("{PATH}/{}/{}/{}", publisher.name, document.api(), document.contract());
        Self { document, path, standings }
    }
}

impl Standing {
    fn of(publisher: &Publisher, face: &'static Face, mounts: &[std::sync::Arc<Mount>]) -> Self {
        let mount = mounts.iter().find(|mount| mount.path == face.path);
        let answers = match mount {
            None => Answers::Nobody,
            Some(mount) if mount.faces().any(|other| std::ptr::eq(other, face)) => Answers::Itself,
            Some(mount) => Answers::Other(mount.newest.contract),
        };
        Self { face, path: format!("{}{}", publisher.root, face.path), answers }
    }
}

/// Everything below `/docs`.
pub(crate) fn resources(settings: &Settings) -> Vec<Resource> {
    let entries: Vec<Entry> = PUBLISHERS
        .iter()
        .flat_map(|publisher| {
            let mounts = mounts::of(publisher, settings);
            documents(publisher).into_iter().map(move |document| Entry::of(document, &mounts))
        })
        .collect();
    let mut resources = vec![
        Resource::new(PATH, page::HTML, page::index(&entries)),
        Resource::new(page::STYLE, "text/css; charset=utf-8", include_str!("docs.css")),
        Resource::new(page::SCRIPT, "text/javascript; charset=utf-8", include_str!("try.mjs")),
    ];
    for entry in &entries {
        let document = entry.document.to_json();
        let text = serde_json::to_vec_pretty(&document).unwrap_or_default();
        resources.push(Resource::new(entry.path.clone(), page::HTML, page::document(entry, &document)));
        resources.push(Resource::new(format!("{}/openapi.json", entry.path), "application/json", text));
    }
    resources
}

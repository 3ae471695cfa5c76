//! What stands where.

use std::{panic::AssertUnwindSafe, sync::Arc};

use attache_core::{Health, Problem};
use attache_wire::{PUBLISHERS, Publisher, Refusal};
use aws_lc_rs::constant_time;
use axum::{
    Router,
    body::Body,
    extract::Path,
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, any, get},
};
use futures_util::FutureExt as _;
use http::{HeaderMap, Method, Request, StatusCode, header};
use secrecy::ExposeSecret as _;

use crate::{
    admin,
    app::{App, publisher_of},
    authorization::{self, Endpoint, interaction},
    cors, docs,
    linger::lingering,
    mounts::{self, Mount, SubscriptionMount},
    pages, query, sandbox, self_care,
    settings::Mode,
    subscription,
    telemetry::{Backlog, RequestLabels, RequestLine},
};

/// Where a publisher's keys are published, below its root.
pub(crate) const KEYS_PATH: &str = "/.well-known/jwks.json";

/// The one way to put something at a path, so that the log can tell every path there is.
pub(crate) trait Serve<S>: Sized {
    /// Answers at a path, in axum's notation, and tells the log of it.
    fn serve(self, path: &str, methods: MethodRouter<S>) -> Self;
}

impl<S: Clone + Send + Sync + 'static> Serve<S> for Router<S> {
    #[expect(clippy::disallowed_methods, reason = "this is the one way")]
    fn serve(self, path: &str, methods: MethodRouter<S>) -> Self {
        tracing::debug!(path, "serves");
        self.route(path, methods)
    }
}

/// Everything for applications: faces and authorization servers.
pub(crate) fn public(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for publisher in PUBLISHERS {
        for alias in [Some(""), publisher.alias].into_iter().flatten() {
            let root = format!("{}{alias}", publisher.root);
            for mount in mounts::of(publisher, &app.settings) {
                let app = Arc::clone(app);
                let path = format!("{root}{}", mount.path);
                let handler = move |request| answer_face(Arc::clone(&app), publisher, Arc::clone(&mount), request);
                router = router.serve(&path, any(handler));
            }
            for mount in mounts::of_subscriptions(publisher, &app.settings) {
                let path = format!("{root}{}", mount.path);
                let app = Arc::clone(app);
                let answer = move |id: Option<String>, request| {
                    answer_subscription(Arc::clone(&app), publisher, Arc::clone(&mount), id, request)
                };
                let (of_all, of_unnamed) = (answer.clone(), answer.clone());
                router = router
                    .serve(&path, any(move |request| of_all(None, request)))
                    .serve(&format!("{path}/"), any(move |request| of_unnamed(Some(String::new()), request)))
                    .serve(&format!("{path}/{{id}}"), any(move |Path(id), request| answer(Some(id), request)));
            }
            for (endpoint, path) in endpoint_paths(publisher) {
                let app = Arc::clone(app);
                let handler = move |request| answer_endpoint(Arc::clone(&app), publisher, endpoint, path, request);
                router = router.serve(&format!("{root}{path}"), any(handler));
            }
        }
        // RFC 8414 section 3.1 puts the well-known part before the path of the issuer.
        if !publisher.root.is_empty() {
            let app = Arc::clone(app);
            let path = "/.well-known/oauth-authorization-server";
            let handler =
                move |request| answer_endpoint(Arc::clone(&app), publisher, Endpoint::Metadata, path, request);
            router = router.serve(&format!("{path}{}", publisher.root), any(handler));
        }
    }
    if app.settings.mode == Mode::Sandbox {
        let sandbox_app = Arc::clone(app);
        router = router.serve("/sandbox", any(move |request| async move { tell_sandbox(&sandbox_app, &request) }));
    }
    for path in [interaction::PATH, self_care::PATH, self_care::consents::PATH, pages::STYLE_PATH] {
        let app = Arc::clone(app);
        router = router.serve(path, any(move |request| answer_page(Arc::clone(&app), path, request)));
    }
    for resource in docs::resources(&app.settings) {
        let app = Arc::clone(app);
        let path = resource.path.clone();
        let handler = move |request| async move { tell_about_itself(&app, &resource, &request) };
        router = router.serve(&path, any(handler));
    }
    let app = Arc::clone(app);
    router.fallback(move |request| async move { answer_unknown(&app, &lingering(&app.settings, request)) })
}

fn endpoint_paths(publisher: &'static Publisher) -> impl Iterator<Item = (Endpoint, &'static str)> {
    let dialect = &publisher.authorization;
    [
        (Endpoint::Token, Some(dialect.token_path)),
        (Endpoint::Backchannel, dialect.backchannel_path),
        (Endpoint::Authorize, dialect.authorization_path),
        (Endpoint::Revoke, Some(dialect.revocation_path)),
        (Endpoint::Introspect, Some(dialect.introspection_path)),
        (Endpoint::Userinfo, dialect.userinfo_path),
        (Endpoint::Metadata, Some("/.well-known/openid-configuration")),
        (Endpoint::Metadata, Some("/.well-known/oauth-authorization-server")),
        (Endpoint::Keys, Some(KEYS_PATH)),
    ]
    .into_iter()
    .filter_map(|(endpoint, path)| Some((endpoint, path?)))
}

/// Everything for the operator, on a listener of its own.
pub(crate) fn operator_alone(app: &Arc<App>) -> Router {
    operator(app).fallback(admin::unknown_path)
}

/// Everything for the operator: its API, metrics and health.
pub(crate) fn operator(app: &Arc<App>) -> Router {
    let metrics = {
        let app = Arc::clone(app);
        move |headers: HeaderMap| async move { tell_metrics(&app, &headers) }
    };
    let readiness = {
        let app = Arc::clone(app);
        move || async move { tell_readiness(&app) }
    };
    Router::new()
        .serve("/healthz", get(|| async { "ok\n" }))
        .serve("/readyz", get(readiness))
        .serve("/metrics", get(metrics))
        .merge(admin::router(Arc::clone(app)))
}

/// Whether requests can be answered: those that must be kept or recorded cannot, as long as nothing can be
/// written.
fn tell_readiness(app: &App) -> (StatusCode, String) {
    let kept: [(&str, &dyn Health); 2] =
        [("the database", app.database.as_ref()), ("the audit log", app.audit.as_ref())];
    let troubled: Vec<&str> = kept.iter().filter(|(_, store)| !store.is_writable()).map(|(name, _)| *name).collect();
    if troubled.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: cannot write {}\n", troubled.join(" and ")))
    }
}

/// The metrics. In production on a public listener they are for the operator only.
fn tell_metrics(app: &App, headers: &HeaderMap) -> Response {
    let is_exposed = app.settings.mode == Mode::Production && app.settings.admin_listen.is_none();
    if is_exposed && !is_operator(app, headers) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], "the admin token is needed\n")
            .into_response();
    }
    // A store that cannot be read shows elsewhere.
    let (pending, dead) = app.deliveries.backlog().unwrap_or_default();
    let oldest_pending = app.deliveries.oldest_pending().unwrap_or_default();
    let backlog = Backlog { pending, dead, oldest_pending };
    let text = app.metrics.text(app.simulator.count(), backlog, app.clock.now());
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

/// Whether a request bears the operator's credential.
pub(crate) fn is_operator(app: &App, headers: &HeaderMap) -> bool {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    token.is_some_and(|token| {
        constant_time::verify_slices_are_equal(token.as_bytes(), app.admin_token.expose_secret().as_bytes()).is_ok()
    })
}

async fn answer_face(
    app: Arc<App>,
    publisher: &'static Publisher,
    mount: Arc<Mount>,
    request: Request<Body>,
) -> Response {
    let origin = cors::allowed_origin(&app, publisher, request.headers());
    if let Some(response) = cors::preflight(&request, origin.as_ref(), "POST") {
        return response;
    }
    let request = lingering(&app.settings, request);
    let answer = AssertUnwindSafe(query::answer(&app, publisher, &mount, request)).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_| refuse((mount.newest.refuse)(&Problem::Internal)));
    if let Some(origin) = &origin {
        cors::allow(response.headers_mut(), origin);
    }
    response
}

async fn answer_subscription(
    app: Arc<App>,
    publisher: &'static Publisher,
    mount: Arc<SubscriptionMount>,
    id: Option<String>,
    request: Request<Body>,
) -> Response {
    let origin = cors::allowed_origin(&app, publisher, request.headers());
    let methods = if id.is_some() { "GET, DELETE" } else { "GET, POST" };
    if let Some(response) = cors::preflight(&request, origin.as_ref(), methods) {
        return response;
    }
    let request = lingering(&app.settings, request);
    let answer = AssertUnwindSafe(subscription::answer(&app, publisher, mount.face, id, request)).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_| subscription::refuse(mount.face, &Problem::Internal.into()));
    mount.tell_deprecation(response.headers_mut());
    if let Some(origin) = &origin {
        cors::allow(response.headers_mut(), origin);
    }
    response
}

async fn answer_endpoint(
    app: Arc<App>,
    publisher: &'static Publisher,
    endpoint: Endpoint,
    path: &'static str,
    request: Request<Body>,
) -> Response {
    let origin = cors::allowed_origin(&app, publisher, request.headers());
    if let Some(response) = cors::preflight(&request, origin.as_ref(), "GET, POST") {
        return response;
    }
    let request = lingering(&app.settings, request);
    let answer = AssertUnwindSafe(authorization::answer(app, publisher, endpoint, path, request)).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_| refuse((publisher.refuse)(&Problem::Internal)));
    if let Some(origin) = &origin {
        cors::allow(response.headers_mut(), origin);
    }
    response
}

/// What no route catches is answered in the envelope of the publisher below whose root it lies.
fn answer_unknown(app: &App, request: &Request<Body>) -> Response {
    let problem = query::admit_host_and_target(app, request).err().unwrap_or(Problem::UnknownPath);
    answer_beside_faces(app, request, "unknown", Err(problem))
}

fn tell_sandbox(app: &App, request: &Request<Body>) -> Response {
    let outcome = admit_reader(app, request)
        .map(|()| query::json_response(200, serde_json::to_vec_pretty(&sandbox::summary(app)).unwrap_or_default()));
    answer_beside_faces(app, request, "/sandbox", outcome)
}

/// The pages that subscribers see, and what programs of theirs ask instead.
async fn answer_page(app: Arc<App>, path: &'static str, request: Request<Body>) -> Response {
    let (parts, body) = lingering(&app.settings, request).into_parts();
    let head = Request::from_parts(parts.clone(), Body::empty());
    let request = Request::from_parts(parts, body);
    let (changing, allow) = match path {
        pages::STYLE_PATH => (None, "GET"),
        self_care::consents::PATH => (Some(Method::DELETE), "GET, DELETE"),
        _ => (Some(Method::POST), "GET, POST"),
    };
    let admitted = query::admit_host_and_target(&app, &head).and_then(|()| match head.method() {
        &Method::GET | &Method::HEAD => Ok(()),
        method if Some(method) == changing.as_ref() => Ok(()),
        _ => Err(Problem::MethodNotAllowed { allow }),
    });
    let answer = async {
        admitted?;
        match path {
            interaction::PATH => interaction::answer(&app, request).await,
            self_care::PATH => self_care::answer(&app, request).await,
            self_care::consents::PATH => self_care::consents::answer(&app, request).await,
            _ => Ok(pages::style()),
        }
    };
    let outcome = AssertUnwindSafe(answer).catch_unwind().await.unwrap_or(Err(Problem::Internal));
    answer_beside_faces(&app, &head, path, outcome)
}

/// What faces say of themselves.
fn tell_about_itself(app: &App, resource: &docs::Resource, request: &Request<Body>) -> Response {
    let outcome = admit_reader(app, request).map(|()| resource.response());
    answer_beside_faces(app, request, docs::PATH, outcome)
}

/// A request that reads.
fn admit_reader(app: &App, request: &Request<Body>) -> Result<(), Problem> {
    query::admit_host_and_target(app, request)?;
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Problem::MethodNotAllowed { allow: "GET" }),
    }
}

/// Answers what is asked of no face and no authorization server: with what there is, or in the envelope of
/// the publisher below whose root the path lies.
fn answer_beside_faces(
    app: &App,
    request: &Request<Body>,
    path: &'static str,
    outcome: Result<Response, Problem>,
) -> Response {
    let publisher = publisher_of(request.uri().path());
    let (response, problem) = match outcome {
        Ok(response) => (response, None),
        Err(problem) => {
            let mut response = refuse((publisher.refuse)(&problem));
            query::add_problem_headers(&problem, response.headers_mut());
            (response, Some(problem))
        }
    };
    let labels = RequestLabels {
        publisher: publisher.name.as_str(),
        api: "none",
        version: "none",
        status: response.status().as_u16(),
    };
    app.answered(&RequestLine {
        at: app.clock.now(),
        method: query::known_method(request.method()),
        path,
        labels: &labels,
        problem: problem.as_ref().map(Problem::name),
        client_id: None,
        correlator: None,
        duration: std::time::Duration::ZERO,
    });
    response
}

fn refuse(refusal: Refusal) -> Response {
    query::json_response(refusal.status, refusal.body)
}

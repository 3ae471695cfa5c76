//! A request as it was sent and what came back, as reports show it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::plan::{Ask, Correlator};

/// A request and its response.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// What was sent.
    pub request: Request,
    /// What came back; none if nothing did.
    pub response: Option<Response>,
    /// Why nothing came back.
    pub error: Option<String>,
    /// What was sent as the correlator.
    #[serde(skip)]
    pub(crate) correlator: Option<String>,
    /// Whether it went to the operation itself, rather than to a path below.
    #[serde(skip)]
    pub(crate) is_of_operation: bool,
}

/// A request as it was sent; its token is masked.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The address.
    pub url: String,
    /// The headers that matter.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
}

/// What came back.
#[derive(Clone, Debug, Serialize)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// The body as JSON, if it is some.
    #[serde(skip)]
    pub(crate) json: Option<Value>,
    /// When it came.
    #[serde(skip)]
    pub(crate) at: Timestamp,
}

impl Response {
    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The code of an error.
    pub(crate) fn code(&self) -> Option<&str> {
        self.json.as_ref()?["code"].as_str()
    }

    /// `lastStatusTime`.
    pub(crate) fn last_status_time(&self) -> Option<Timestamp> {
        self.json.as_ref()?["lastStatusTime"].as_str()?.parse().ok()
    }

    /// Status and code, for a sentence.
    pub(crate) fn shown(&self) -> String {
        match self.code() {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }
}

/// The time by which what servers have dated is judged.
#[expect(clippy::disallowed_methods, reason = "what others have dated is judged by real time")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// What a request needs beside itself.
pub(crate) struct Sending<'a> {
    /// Where its path is appended.
    pub(crate) base_url: &'a str,
    /// The whole `Authorization` header.
    pub(crate) authorization: Option<&'a str>,
    /// Whether the contract has correlators.
    pub(crate) is_correlated: bool,
    /// Which of all requests it is.
    pub(crate) number: usize,
}

/// Sends a request.
pub(crate) async fn send(http: &reqwest::Client, ask: &Ask, sending: Sending<'_>) -> Exchange {
    let Sending { base_url, authorization, is_correlated, number } = sending;
    let url = format!("{base_url}{}", ask.path_suffix);
    let correlator = match &ask.correlator {
        _ if !is_correlated => None,
        Correlator::Fresh => Some(format!("conformance-{}-{number}", now().as_millisecond())),
        Correlator::This(correlator) => Some(correlator.clone()),
        Correlator::Missing => None,
    };
    let mut headers = vec![("accept", ask.accept.to_owned())];
    if ask.body.is_some() {
        headers.push(("content-type", ask.content_type.to_owned()));
    }
    headers.extend(correlator.clone().map(|correlator| ("x-correlator", correlator)));
    // The method is one of the plans', which are all valid.
    let method = reqwest::Method::from_bytes(ask.method.as_bytes()).unwrap_or(reqwest::Method::POST);
    let mut builder = http.request(method, &url);
    for (name, value) in &headers {
        builder = builder.header(*name, value);
    }
    if let Some(authorization) = authorization {
        builder = builder.header("authorization", authorization);
        let scheme = authorization.split(' ').next().unwrap_or_default();
        headers.push(("authorization", format!("{scheme} ***")));
    }
    builder = match &ask.body {
        Some(body) => builder.body(body.clone()),
        None if ask.method == "POST" => builder.header("content-length", "0"),
        None => builder,
    };
    let request = Request {
        method: ask.method.to_owned(),
        url,
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body: ask.body.clone(),
    };
    let (response, error) = match receive(builder).await {
        Ok(response) => (Some(response), None),
        Err(error) => (None, Some(chain(&error.without_url()))),
    };
    Exchange { request, response, error, correlator, is_of_operation: ask.path_suffix.is_empty() }
}

async fn receive(builder: reqwest::RequestBuilder) -> Result<Response, reqwest::Error> {
    let response = builder.send().await?;
    let status = response.status().as_u16();
    let headers = response.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let headers = headers.collect();
    let body = response.text().await?;
    let json = serde_json::from_str(&body).ok();
    Ok(Response { status, headers, body, json, at: now() })
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

//! `attache conformance` over the APIs of event subscriptions: against a sandbox behind a proxy, through which
//! events come as well, and which plants one fault at a time. Each must be found by a scenario that names it.

use std::{
    sync::{Arc, Mutex, OnceLock},
    thread,
};

use attache_conformance::{Local, Only, Outcome, Report, Runner};
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, Response, StatusCode, header},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::{
    conformance::{all_scopes_token, client, now},
    harness::Attache,
};

const ROAMING: &str = "device-roaming-status-subscriptions/0.8";

/// What the proxy does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// Nothing.
    None,
    /// An answer names the device to the bearer of a 3-legged token.
    DeviceTold,
    /// An event does.
    DeviceToldToSink,
    /// An event does not, though it was named with a 2-legged token.
    DeviceNotToldToSink,
    /// A deletion is answered with another status.
    WrongStatusOfDeletion,
    /// A deletion is answered, and not done.
    NotDeleted,
    /// A subscription of another client, or about another line, can be read.
    ForeignReadable,
    /// The list has no end: subscriptions of others are in it.
    ForeignListed,
    /// A type that the token does not permit can be subscribed to.
    ScopeUnchecked,
    /// The code of a sink that is none is that of any argument.
    SinkCode,
    /// Two types are taken, though a subscription has one.
    SeveralTypesTaken,
    /// The sink's credential is shown.
    CredentialShown,
    /// The sink's credential is not sent.
    CredentialNotSent,
    /// The types of events are of another version.
    TypeOfAnotherVersion,
    /// An event has no `specversion`.
    SpecversionMissing,
    /// The media type of an event is that of any JSON.
    MediaType,
    /// The data of an event lacks what it is about.
    DataMissing,
    /// `subscriptionMaxEvents` is not looked at.
    MaxEventsIgnored,
    /// `subscriptionExpireTime` is not looked at.
    ExpiryIgnored,
    /// `initialEvent` is not looked at.
    InitialEventIgnored,
    /// The reason of an end is another.
    WrongReason,
    /// The time of an event is that of its delivery.
    TimeOfDelivery,
    /// All events of a subscription have one id.
    OneId,
    /// Events are lost.
    EventsLost,
    /// Events come twice, as two.
    EventsInvented,
}

/// Each fault, what must be said of it, and the scenario that must find it.
const FAULTS: &[(Fault, &str, &str)] = &[
    (
        Fault::DeviceTold,
        "`device` is told, although the subscription was made with a 3-legged token",
        "with a 3-legged token no answer names the device",
    ),
    (
        Fault::DeviceToldToSink,
        "`device` is told, although the subscription was made with a 3-legged token",
        "with a 3-legged token no event names the device",
    ),
    (
        Fault::DeviceNotToldToSink,
        "`data.device` is null, not the number that was sent",
        "with a 2-legged token every event names the device as it was named",
    ),
    (Fault::WrongStatusOfDeletion, "200 instead of 204 or 202", "a subscription that is deleted is gone"),
    (Fault::NotDeleted, "200 instead of 404 NOT_FOUND", "a subscription that is deleted is gone"),
    (
        Fault::ForeignReadable,
        "200 instead of 404 NOT_FOUND",
        "another client's subscription is 404 NOT_FOUND, and not in the list",
    ),
    (
        Fault::ForeignReadable,
        "200 instead of 404 NOT_FOUND",
        "a 3-legged token sees subscriptions about its own line only",
    ),
    (
        Fault::ForeignListed,
        "the list has a subscription that belongs to somebody else",
        "another client's subscription is 404 NOT_FOUND, and not in the list",
    ),
    (
        Fault::ScopeUnchecked,
        "201 instead of 403 SUBSCRIPTION_MISMATCH",
        "a type that the token does not permit is 403 SUBSCRIPTION_MISMATCH",
    ),
    (
        Fault::SinkCode,
        "400 INVALID_ARGUMENT instead of 400 INVALID_SINK",
        "a sink of another scheme than https is 400 INVALID_SINK",
    ),
    (
        Fault::SeveralTypesTaken,
        "201 instead of 422 MULTIEVENT_SUBSCRIPTION_NOT_SUPPORTED",
        "more than one type is 422 MULTIEVENT_SUBSCRIPTION_NOT_SUPPORTED",
    ),
    (
        Fault::CredentialShown,
        "the sink's credential is shown",
        "events come with the sink's credential, which no answer shows",
    ),
    (
        Fault::CredentialNotSent,
        "the event does not come with the sink's credential as bearer token",
        "events come with the sink's credential, which no answer shows",
    ),
    (
        Fault::TypeOfAnotherVersion,
        "which device-roaming-status-subscriptions/0.8 does not have",
        "every event has a type of its version",
    ),
    (Fault::SpecversionMissing, "`specversion` is required and missing", "every event is a CloudEvent 1.0 in JSON"),
    (
        Fault::MediaType,
        "Content-Type is application/json, not application/cloudevents+json",
        "every event is a CloudEvent 1.0 in JSON",
    ),
    (
        Fault::DataMissing,
        "in `data`: `roaming` is required and missing",
        "every event has the data of its type's schema",
    ),
    (
        Fault::MaxEventsIgnored,
        "subscription-ended was expected",
        "after the last event that was wanted, the end comes by MAX_EVENTS_REACHED",
    ),
    (
        Fault::MaxEventsIgnored,
        "instead of org.camaraproject.device-roaming-status-subscriptions.v0.subscription-ended",
        "after MAX_EVENTS_REACHED no change is told any more",
    ),
    (
        Fault::ExpiryIgnored,
        "subscription-ended was expected",
        "a subscription expires at its time, by SUBSCRIPTION_EXPIRED",
    ),
    (
        Fault::InitialEventIgnored,
        "roaming-status was expected",
        "the initial event tells how things stand, and nothing else is sent",
    ),
    (
        Fault::WrongReason,
        "`terminationReason` is \"NETWORK_TERMINATED\" instead of SUBSCRIPTION_DELETED",
        "a subscription that is deleted tells so, by SUBSCRIPTION_DELETED",
    ),
    (
        Fault::TimeOfDelivery,
        "it is that of the delivery",
        "each change of roaming is told to whom it concerns, once, in order, with the network's time",
    ),
    (
        Fault::TimeOfDelivery,
        "its `time` is that of the delivery",
        "different events have different ids, and one that is sent again is the same",
    ),
    (
        Fault::OneId,
        "two events have one id",
        "different events have different ids, and one that is sent again is the same",
    ),
    (
        Fault::EventsLost,
        "was expected",
        "each change of roaming is told to whom it concerns, once, in order, with the network's time",
    ),
    (
        Fault::EventsInvented,
        "instead of",
        "each change of roaming is told to whom it concerns, once, in order, with the network's time",
    ),
];

/// How many servers are tried at once.
const SERVERS: usize = 4;

/// How many tests share the faults.
const SHARES: usize = 4;

#[test]
fn without_a_planted_fault_of_subscriptions_none_is_found() {
    assert_eq!(missed(Fault::None), [""; 0]);
}

#[test]
fn every_planted_fault_of_subscriptions_is_found_by_a_scenario_that_names_it() {
    find_share(0);
}

#[test]
fn every_planted_fault_of_subscriptions_is_found_second_share() {
    find_share(1);
}

#[test]
fn every_planted_fault_of_subscriptions_is_found_third_share() {
    find_share(2);
}

#[test]
fn every_planted_fault_of_subscriptions_is_found_last_share() {
    find_share(3);
}

/// Finds every fourth fault, several at once: most of the time is spent waiting.
fn find_share(share: usize) {
    let mut faults: Vec<Fault> = FAULTS.iter().map(|(fault, ..)| *fault).collect();
    faults.dedup();
    let faults: Vec<Fault> = faults.into_iter().skip(share).step_by(SHARES).collect();
    let mut all = Vec::new();
    for some in faults.chunks(SERVERS) {
        thread::scope(|scope| {
            let tried: Vec<_> = some.iter().map(|fault| scope.spawn(|| missed(*fault))).collect();
            all.extend(tried.into_iter().flat_map(|one| one.join().unwrap()));
        });
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// Tries a server with a fault of its own, and returns what was not found of it.
fn missed(fault: Fault) -> Vec<String> {
    let attache = Attache::with(&["--allow-http-sinks"]);
    let runtime = Runtime::new().unwrap();
    let proxy = Proxy {
        upstream: attache.url(""),
        here: OnceLock::new(),
        fault,
        token: all_scopes_token(&attache),
        http: client(),
        sink: Mutex::default(),
    };
    let url = runtime.block_on(start(proxy));
    let file = format!(
        "[sink]\npatience = {}\n[admin]\nurl = \"{}\"\ntoken = \"{}\"\n",
        // What is wrong is waited for in vain.
        if fault == Fault::None { 15 } else { 2 },
        attache.url("/"),
        attache.admin_token()
    );
    let only: Only = ROAMING.parse().unwrap();
    let report: Report = runtime.block_on(async {
        let runner = Runner::new(url.parse().unwrap(), Some(&file), Local::default()).await;
        runner.unwrap().run(&[only]).await
    });
    if fault == Fault::None {
        let is_clean = report.failures().count() == 0 && report.skips().is_empty();
        return if is_clean { Vec::new() } else { vec![report.details()] };
    }
    let planted = FAULTS.iter().filter(|(planted, ..)| *planted == fault);
    let missed = planted.filter_map(|(_, said, rule)| {
        let name = format!("{ROAMING} {rule}");
        let scenario = report.scenarios().find(|scenario| scenario.name == name);
        let Some(Outcome::Failed { failures }) = scenario.map(|scenario| &scenario.outcome) else {
            return Some(format!("{fault:?} is not found by {name:?}"));
        };
        let faults: Vec<_> = failures.iter().map(|failure| &failure.fault).collect();
        (!faults.iter().any(|fault| fault.contains(said)))
            .then(|| format!("{fault:?} is not told by {said:?}: {faults:?}"))
    });
    missed.collect()
}

/// A server that hands requests and events on, and does one thing wrong.
struct Proxy {
    upstream: String,
    /// Its own address.
    here: OnceLock<String>,
    fault: Fault,
    /// The token of the runner's client, by which it answers what it should refuse.
    token: String,
    http: reqwest::Client,
    /// The address of the runner's sink.
    sink: Mutex<Option<String>>,
}

/// Where the proxy takes events.
const SINK: &str = "/sink-of-the-runner";

/// Starts it, and returns its address.
async fn start(proxy: Proxy) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    proxy.here.set(url.clone()).unwrap();
    let router = Router::new().fallback(hand_on).with_state(Arc::new(proxy));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// What came back from behind the proxy.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

async fn hand_on(State(proxy): State<Arc<Proxy>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = head.uri.to_string();
    let answer = match path.strip_prefix(SINK) {
        Some(inbox) => proxy.event(inbox, head.headers, &body).await,
        None => proxy.request(head.method, &path, head.headers, &body).await,
    };
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    for name in [header::CONTENT_TYPE, header::ALLOW, header::HeaderName::from_static("x-correlator")] {
        if let Some(value) = answer.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

impl Proxy {
    async fn send(&self, method: Method, url: &str, mut headers: HeaderMap, body: Vec<u8>) -> Answer {
        headers.remove(header::HOST);
        // The body may have become another.
        if headers.remove(header::CONTENT_LENGTH).is_some() {
            headers.insert(header::CONTENT_LENGTH, body.len().into());
        }
        let response = self.http.request(method, url).headers(headers).body(body).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.bytes().await.unwrap() }
    }

    /// Hands a request on, and its answer back.
    async fn request(&self, method: Method, path: &str, headers: HeaderMap, body: &[u8]) -> Answer {
        let is_about_subscriptions = path.contains("/subscriptions");
        let mut asked = json_of(body);
        let is_creation = is_about_subscriptions && method == Method::POST && asked.is_object();
        let body = if is_creation { self.rewrite(&mut asked, body) } else { body.to_vec() };
        let url = format!("{}{path}", self.upstream);
        if self.fault == Fault::NotDeleted && method == Method::DELETE && is_about_subscriptions {
            let mut answer = self.send(Method::GET, &url, headers, Vec::new()).await;
            if answer.status == 200 {
                (answer.status, answer.body) = (StatusCode::NO_CONTENT, Bytes::new());
                answer.headers.remove(header::CONTENT_TYPE);
            }
            return answer;
        }
        let mut answer = self.send(method.clone(), &url, headers.clone(), body.clone()).await;
        if !is_about_subscriptions {
            return answer;
        }
        if self.lets_pass(&method, &answer) {
            let mut headers = headers;
            headers.insert(header::AUTHORIZATION, format!("Bearer {}", self.token).parse().unwrap());
            answer = self.send(method.clone(), &url, headers, body).await;
        }
        self.spoil(&method, &mut answer, &asked);
        // The runner knows its sink by its own address.
        if let Some(sink) = &*self.sink.lock().unwrap() {
            let text = String::from_utf8_lossy(&answer.body).replace(&self.sink_here(), sink);
            answer.body = text.into();
        }
        answer
    }

    fn sink_here(&self) -> String {
        format!("{}{SINK}", self.here.get().unwrap())
    }

    /// Has events sent to the proxy, and takes out what is not looked at.
    fn rewrite(&self, asked: &mut Value, body: &[u8]) -> Vec<u8> {
        let sink = asked["sink"].as_str().unwrap_or_default();
        let Some((_, rest)) = sink.split_once("http://127.0.0.1:") else { return body.to_vec() };
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let origin = format!("http://127.0.0.1:{port}");
        asked["sink"] = json!(sink.replace(&origin, &self.sink_here()));
        *self.sink.lock().unwrap() = Some(origin);
        let ignored = match self.fault {
            Fault::MaxEventsIgnored => "subscriptionMaxEvents",
            Fault::ExpiryIgnored => "subscriptionExpireTime",
            Fault::InitialEventIgnored => "initialEvent",
            _ => "",
        };
        if let Some(config) = asked["config"].as_object_mut() {
            config.remove(ignored);
        }
        if self.fault == Fault::SeveralTypesTaken && asked["types"].as_array().is_some_and(|types| types.len() == 2) {
            asked["types"].as_array_mut().unwrap().pop();
        }
        asked.to_string().into_bytes()
    }

    /// Whether it answers this although it was refused.
    fn lets_pass(&self, method: &Method, answer: &Answer) -> bool {
        let code = json_of(&answer.body)["code"].clone();
        match self.fault {
            Fault::ForeignReadable => method == Method::GET && code == "NOT_FOUND",
            Fault::ForeignListed => method == Method::GET && answer.status == 200 && answer.body.starts_with(b"["),
            Fault::ScopeUnchecked => code == "SUBSCRIPTION_MISMATCH",
            _ => false,
        }
    }

    /// Makes something else of an answer.
    fn spoil(&self, method: &Method, answer: &mut Answer, asked: &Value) {
        let mut said = json_of(&answer.body);
        let is_made = method == Method::POST && answer.status == 201;
        match self.fault {
            Fault::WrongStatusOfDeletion if method == Method::DELETE && answer.status == 204 => {
                answer.status = StatusCode::OK;
            }
            Fault::DeviceTold if is_made && asked["config"]["subscriptionDetail"]["device"].is_null() => {
                said["config"]["subscriptionDetail"]["device"] = json!({ "phoneNumber": "+33699901032" });
            }
            Fault::SinkCode if said["code"] == "INVALID_SINK" => said["code"] = json!("INVALID_ARGUMENT"),
            Fault::CredentialShown if is_made => said["sinkCredential"] = asked["sinkCredential"].clone(),
            _ => return,
        }
        answer.body = if said.is_null() { Bytes::new() } else { said.to_string().into() };
    }

    /// Hands an event on to the runner's sink.
    async fn event(&self, inbox: &str, mut headers: HeaderMap, body: &[u8]) -> Answer {
        let mut event = json_of(body);
        let is_about = |name: &str| event["type"].as_str().is_some_and(|it| it.ends_with(name));
        let taken = Answer { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Bytes::new() };
        let mut is_doubled = false;
        match self.fault {
            Fault::EventsLost if is_about("roaming-change-country") => return taken,
            Fault::EventsInvented => is_doubled = is_about("roaming-status"),
            Fault::DeviceToldToSink => event["data"]["device"] = json!({ "phoneNumber": "+33699901032" }),
            Fault::DeviceNotToldToSink => {
                event["data"].as_object_mut().unwrap().remove("device");
            }
            Fault::CredentialNotSent => {
                headers.remove(header::AUTHORIZATION);
            }
            Fault::TypeOfAnotherVersion => {
                event["type"] = json!(event["type"].as_str().unwrap().replace(".v0.", ".v1."));
            }
            Fault::SpecversionMissing => {
                event.as_object_mut().unwrap().remove("specversion");
            }
            Fault::MediaType => {
                headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
            }
            Fault::DataMissing => {
                event["data"].as_object_mut().unwrap().remove("roaming");
            }
            Fault::WrongReason if is_about("subscription-ended") => {
                event["data"]["terminationReason"] = json!("NETWORK_TERMINATED");
            }
            Fault::TimeOfDelivery => event["time"] = json!(now()),
            Fault::OneId => event["id"] = event["data"]["subscriptionId"].clone(),
            _ => {}
        }
        let url = format!("{}{inbox}", self.sink.lock().unwrap().clone().unwrap());
        let answer = self.send(Method::POST, &url, headers.clone(), event.to_string().into_bytes()).await;
        if is_doubled {
            event["id"] = json!(format!("{}-again", event["id"].as_str().unwrap()));
            self.send(Method::POST, &url, headers, event.to_string().into_bytes()).await;
        }
        answer
    }
}

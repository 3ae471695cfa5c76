//! What the running server answers and sends about subscriptions, in every version, and held against the official
//! contracts: in `../shared` beside the repository. Elsewhere it is held against the tables here alone.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    contracts::Contract,
    ends::in_seconds,
    faces::{App, CAMARA},
    harness::{Answer, Attache, Request, eventually},
    sink::Sink,
};

const LINE: &str = "+33639980001";
const OTHER_LINE: &str = "+33639980010";
/// A line that the service is not offered for, one that the network fails about, and one that it is silent about.
const NOT_ELIGIBLE: &str = "+33639980012";
const FAILING: &str = "+33639980013";
const SILENT: &str = "+33639980014";
/// Where nothing is ever delivered.
const SINK: &str = "https://sink.example/events";
const PURPOSE: &str = "dpv:FraudPreventionAndDetection";

/// What versions have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Generation {
    /// Device Status 0.5, by its own model.
    Own,
    /// 0.6 of the others.
    V06,
    /// 0.7, and 0.1 of connected-network-type-subscriptions.
    V07,
    /// 0.8, and 0.2 of connected-network-type-subscriptions.
    V08,
}

use Generation::{Own, V06, V07, V08};

/// A version of an API of subscriptions.
#[derive(Clone, Copy, Debug)]
struct Version {
    generation: Generation,
    /// The folder of its contract.
    folder: &'static str,
    path: &'static str,
    /// What its scopes begin with.
    scope: &'static str,
    /// What its types begin with.
    prefix: &'static str,
    events: &'static [&'static str],
}

const ROAMING: &[&str] = &["roaming-status", "roaming-on", "roaming-off", "roaming-change-country"];
const REACHABILITY: &[&str] = &["reachability-data", "reachability-sms", "reachability-disconnected"];
const NETWORK_TYPE: &[&str] = &["network-type-changed"];

const ROAMING_0_8: Version = Version {
    generation: V08,
    folder: "device-roaming-status-subscriptions/0.8",
    path: "/device-roaming-status-subscriptions/v0.8/subscriptions",
    scope: "device-roaming-status-subscriptions",
    prefix: "org.camaraproject.device-roaming-status-subscriptions.v0",
    events: ROAMING,
};
const REACHABILITY_0_8: Version = Version {
    generation: V08,
    folder: "device-reachability-status-subscriptions/0.8",
    path: "/device-reachability-status-subscriptions/v0.8/subscriptions",
    scope: "device-reachability-status-subscriptions",
    prefix: "org.camaraproject.device-reachability-status-subscriptions.v0",
    events: REACHABILITY,
};
const NETWORK_TYPE_0_2: Version = Version {
    generation: V08,
    folder: "connected-network-type-subscriptions/0.2",
    path: "/connected-network-type-subscriptions/v0.2/subscriptions",
    scope: "connected-network-type-subscriptions",
    prefix: "org.camaraproject.connected-network-type-subscriptions.v0",
    events: NETWORK_TYPE,
};

const VERSIONS: [Version; 9] = [
    ROAMING_0_8,
    Version {
        generation: V07,
        folder: "device-roaming-status-subscriptions/0.7",
        path: "/device-roaming-status-subscriptions/v0.7/subscriptions",
        ..ROAMING_0_8
    },
    Version {
        generation: V06,
        folder: "device-roaming-status-subscriptions/0.6",
        path: "/device-roaming-status-subscriptions/v0.6/subscriptions",
        prefix: "org.camaraproject.roaming-status-subscriptions.v0",
        ..ROAMING_0_8
    },
    REACHABILITY_0_8,
    Version {
        generation: V07,
        folder: "device-reachability-status-subscriptions/0.7",
        path: "/device-reachability-status-subscriptions/v0.7/subscriptions",
        ..REACHABILITY_0_8
    },
    Version {
        generation: V06,
        folder: "device-reachability-status-subscriptions/0.6",
        path: "/device-reachability-status-subscriptions/v0.6/subscriptions",
        ..REACHABILITY_0_8
    },
    NETWORK_TYPE_0_2,
    Version {
        generation: V07,
        folder: "connected-network-type-subscriptions/0.1",
        path: "/connected-network-type-subscriptions/v0.1/subscriptions",
        ..NETWORK_TYPE_0_2
    },
    Version {
        generation: Own,
        folder: "device-status/0.5.1",
        path: "/device-status/v0/subscriptions",
        scope: "device-status:subscriptions",
        prefix: "org.camaraproject.device-status.v0",
        events: &[
            "roaming-status",
            "roaming-on",
            "roaming-off",
            "roaming-change-country",
            "connectivity-data",
            "connectivity-sms",
            "connectivity-disconnected",
        ],
    },
];

impl Version {
    fn create_scope(self, event: &str) -> String {
        match self.generation {
            Own => format!("{}:create", self.scope),
            _ => format!("{}:{}.{event}:create", self.scope, self.prefix),
        }
    }

    /// Everything that can be done here, with the purpose.
    fn all_scopes(self) -> String {
        let mut scopes: Vec<String> = self.events.iter().map(|event| self.create_scope(event)).collect();
        scopes.dedup();
        format!("{PURPOSE} {} {1}:read {1}:delete", scopes.join(" "), self.scope)
    }

    /// A request for a subscription about a device, if one is named.
    fn body(self, event: &str, sink: &str, device: Option<Value>) -> Value {
        let detail = device.map_or_else(|| json!({}), |device| json!({ "device": device }));
        let event_type = format!("{}.{event}", self.prefix);
        if self.generation == Own {
            let mut detail = detail;
            detail["type"] = event_type.into();
            return json!({ "subscriptionDetail": detail, "webhook": { "notificationUrl": sink } });
        }
        json!({
            "protocol": "HTTP", "sink": sink, "types": [event_type], "config": { "subscriptionDetail": detail },
        })
    }

    /// Where a request names its device.
    fn device(self) -> &'static str {
        if self.generation == Own { "/subscriptionDetail/device" } else { "/config/subscriptionDetail/device" }
    }

    /// What a subscription is called.
    fn id_of(self, subscription: &Value) -> String {
        let field = if self.generation == Own { "subscriptionId" } else { "id" };
        subscription[field].as_str().unwrap_or_else(|| panic!("{subscription}")).to_owned()
    }

    /// The status and code that each generation has, of those in the order of [`Generation`].
    fn of<T: Copy>(self, by_generation: [T; 4]) -> T {
        by_generation[self.generation as usize]
    }
}

/// Something that asks one version.
struct Caller<'a> {
    attache: &'a Attache,
    version: Version,
    token: String,
    contract: Option<Contract>,
}

impl<'a> Caller<'a> {
    fn of(attache: &'a Attache, version: Version, token: String) -> Self {
        Self { attache, version, token, contract: contract(version) }
    }

    /// As an application itself, with every right.
    fn two_legged(attache: &'a Attache, version: Version) -> Self {
        Self::of(attache, version, CAMARA.two_legged(attache, &version.all_scopes()))
    }

    /// With a token for one line, with every right.
    fn three_legged(attache: &'a Attache, version: Version, line: &str) -> Self {
        Self::of(attache, version, CAMARA.three_legged(attache, line, &version.all_scopes()))
    }

    /// With another token.
    fn with(&self, token: String) -> Self {
        Self::of(self.attache, self.version, token)
    }

    fn post(&self, body: &Value) -> Answer {
        let request = self.attache.post(self.version.path).json(body);
        self.held("post", "/subscriptions", request)
    }

    fn list(&self) -> Answer {
        self.held("get", "/subscriptions", self.attache.get(self.version.path))
    }

    fn one(&self, method: Method, id: &str) -> Answer {
        let name = method.as_str().to_lowercase();
        let request = self.attache.request(method, &format!("{}/{id}", self.version.path));
        self.held(&name, "/subscriptions/{subscriptionId}", request)
    }

    fn get(&self, id: &str) -> Answer {
        self.one(Method::GET, id)
    }

    fn delete(&self, id: &str) -> Answer {
        self.one(Method::DELETE, id)
    }

    /// Sends a request, and holds the answer against the contract, and its correlator against the request's.
    fn held(&self, method: &str, path: &str, request: Request) -> Answer {
        let answer = request.bearer(&self.token).header("x-correlator", "c-1").send();
        assert_eq!(answer.header("x-correlator"), "c-1", "{path}: {}", answer.body);
        let Some(contract) = &self.contract else { return answer };
        if answer.status == 204 {
            assert!(contract.response(method, path, 204).is_some() && answer.body.is_empty(), "{}", answer.body);
        } else {
            // 0.5 requires a field that it does not name.
            contract.holds(method, path, &answer, self.version.generation == Own);
        }
        answer
    }

    fn subscribe(&self, body: &Value) -> Value {
        let answer = self.post(body);
        assert_eq!(answer.status, 201, "{}: {}", self.version.folder, answer.body);
        answer.json()
    }

    fn is_refused(&self, name: &str, body: &Value, expected: (u16, &str)) {
        let answer = self.post(body);
        let found = (answer.status, answer.text("code"));
        assert_eq!((found.0, found.1.as_str()), expected, "{} {name}: {}", self.version.folder, answer.body);
    }
}

/// The contract of a version, without what the list of differences says.
fn contract(version: Version) -> Option<Contract> {
    let mut contract = Contract::read(&format!("camara/{}/openapi.yaml", version.folder))?;
    // A device that a token told is not shown.
    for schema in
        ["SubscriptionDetail", "BasicDeviceEventData", "RoamingStatus", "RoamingChangeCountry", "SubscriptionEnds"]
    {
        contract.permit_absence(schema, "device");
    }
    // An end has no country.
    for schema in ["SubscriptionEnds", "SubscriptionEnded"] {
        contract.permit_absence(schema, "countryCode");
    }
    Some(contract)
}

fn number(number: &str) -> Value {
    json!({ "phoneNumber": number })
}

/// A change of a request: a value at a place, or its absence.
type Change = (&'static str, &'static str, Option<Value>);

/// A request with a change.
fn changed(body: &Value, (_, pointer, value): &Change) -> Value {
    let mut body = body.clone();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    match value {
        Some(value) => parent[field] = value.clone(),
        None => drop(parent.as_object_mut().unwrap().remove(field)),
    }
    body
}

/// Times that are none by RFC 3339, or have no offset.
const NO_TIMES: [&str; 9] = [
    "soon",
    "2036-01-01",
    "2036-01-01T00:00:00",
    "2036-01-01T00Z",
    "2036-01-01T00:00Z",
    "20360101T000000Z",
    "2036-01-01T00:00:00+01",
    "2036-01-01T00:00:00Z[Europe/Paris]",
    "2036-02-30T00:00:00Z",
];

const TIMES: [&str; 4] =
    ["2036-01-01T00:00:00Z", "2036-01-01t00:00:00z", "2036-01-01T00:00:00.5+02:00", "2036-01-01T00:00:00.123456-11:30"];

/// A device with what is wrong about it, and the status and code of that in each generation; 201 where nothing is.
type FaultOfDevice = (&'static str, Option<Value>, [(u16, &'static str); 4]);

fn faults_of_devices() -> Vec<FaultOfDevice> {
    const INVALID: (u16, &str) = (400, "INVALID_ARGUMENT");
    const UNAVAILABLE: (u16, &str) = (503, "UNAVAILABLE");
    let address = "2001:db8:85a3:8d3:1319:8a2e:370:7344";
    vec![
        ("no device", None, [INVALID, INVALID, (422, "MISSING_IDENTIFIER"), (422, "MISSING_IDENTIFIER")]),
        ("an empty device", Some(json!({})), [INVALID; 4]),
        ("a device that is none", Some(json!("+33639980001")), [INVALID; 4]),
        ("a number that is none", Some(number("0033 6")), [INVALID; 4]),
        (
            "a number that nobody has",
            Some(number("+99999999999")),
            [
                (404, "NOT_FOUND"),
                (404, "DEVICE_NOT_FOUND"),
                (404, "IDENTIFIER_NOT_FOUND"),
                (404, "IDENTIFIER_NOT_FOUND"),
            ],
        ),
        (
            "a kind of identifier that is not supported",
            Some(json!({ "networkAccessIdentifier": "123456789@domain.com" })),
            [
                INVALID,
                (422, "UNSUPPORTED_DEVICE_IDENTIFIERS"),
                (422, "UNSUPPORTED_IDENTIFIER"),
                (422, "UNSUPPORTED_IDENTIFIER"),
            ],
        ),
        (
            "identifiers of different devices",
            Some(json!({ "phoneNumber": OTHER_LINE, "ipv6Address": address })),
            [(201, ""), (422, "DEVICE_IDENTIFIERS_MISMATCH"), (422, "IDENTIFIER_MISMATCH"), (201, "")],
        ),
        (
            "a line that the service is not offered for",
            Some(number(NOT_ELIGIBLE)),
            [
                (403, "PERMISSION_DENIED"),
                (422, "DEVICE_NOT_APPLICABLE"),
                (422, "SERVICE_NOT_APPLICABLE"),
                (422, "SERVICE_NOT_APPLICABLE"),
            ],
        ),
        ("a line that the network fails about", Some(number(FAILING)), [UNAVAILABLE; 4]),
        ("a line that the network is silent about", Some(number(SILENT)), [UNAVAILABLE; 4]),
    ]
}

/// What is wrong with a request of the APIs of subscriptions, with the code in 0.6, 0.7 and 0.8.
fn faults_of_requests(version: Version) -> Vec<(Change, [&'static str; 3])> {
    const INVALID: [&str; 3] = ["INVALID_ARGUMENT"; 3];
    const RANGE: [&str; 3] = ["INVALID_ARGUMENT", "OUT_OF_RANGE", "OUT_OF_RANGE"];
    const NO_SINK: [&str; 3] = ["INVALID_ARGUMENT", "INVALID_ARGUMENT", "INVALID_SINK"];
    let credential = |change: Value| {
        let mut credential = json!({
            "credentialType": "ACCESSTOKEN", "accessToken": "t", "accessTokenType": "bearer",
            "accessTokenExpiresUtc": "2036-01-01T00:00:00Z",
        });
        for (field, value) in change.as_object().unwrap() {
            credential[field] = value.clone();
        }
        credential.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        Some(credential)
    };
    let ended = format!("{}.subscription-ended", version.prefix);
    let mut faults = vec![
        (("no protocol", "/protocol", None), INVALID),
        (("a protocol that is not served", "/protocol", Some(json!("MQTT5"))), ["INVALID_PROTOCOL"; 3]),
        (("a protocol that is none", "/protocol", Some(json!("SMOKE"))), ["INVALID_PROTOCOL"; 3]),
        (("a protocol that is no text", "/protocol", Some(json!(1))), INVALID),
        (("no sink", "/sink", None), INVALID),
        (("a sink that is no text", "/sink", Some(json!(1))), INVALID),
        (("a sink of another scheme", "/sink", Some(json!("ftp://sink.example/"))), NO_SINK),
        (("a sink in clear", "/sink", Some(json!("http://sink.example/"))), NO_SINK),
        (("a sink that is no address", "/sink", Some(json!("sink.example"))), NO_SINK),
        (("an empty sink", "/sink", Some(json!(""))), NO_SINK),
        (("a sink that is not public", "/sink", Some(json!("https://10.0.0.1/"))), NO_SINK),
        (("no types", "/types", None), INVALID),
        (("an empty list of types", "/types", Some(json!([]))), INVALID),
        (("a type that is none", "/types", Some(json!(["nonsense"]))), INVALID),
        (("a type that can't be subscribed to", "/types", Some(json!([ended]))), INVALID),
        (("types that are no list", "/types", Some(json!("roaming-on"))), INVALID),
        (("no config", "/config", None), INVALID),
        (("no detail", "/config/subscriptionDetail", None), INVALID),
        (("no event at all", "/config/subscriptionMaxEvents", Some(json!(0))), RANGE),
        (("fewer events than none", "/config/subscriptionMaxEvents", Some(json!(-1))), RANGE),
        (("more events than can be counted", "/config/subscriptionMaxEvents", Some(json!(u64::MAX))), RANGE),
        (("events that are no number", "/config/subscriptionMaxEvents", Some(json!("1"))), INVALID),
        (("an end that is over", "/config/subscriptionExpireTime", Some(json!("2020-01-01T00:00:00Z"))), RANGE),
        (("an end too far away", "/config/subscriptionExpireTime", Some(json!("2999-01-01T00:00:00Z"))), RANGE),
        (("an end after all others", "/config/subscriptionExpireTime", Some(json!("9999-12-31T23:59:59Z"))), RANGE),
        (("a part of an event", "/config/subscriptionMaxEvents", Some(json!(1.5))), INVALID),
        (("an initial event that is neither", "/config/initialEvent", Some(json!("yes"))), INVALID),
        (("a credential of no type", "/sinkCredential", credential(json!({ "credentialType": null }))), INVALID),
        (
            ("a plain credential", "/sinkCredential", credential(json!({ "credentialType": "PLAIN" }))),
            ["INVALID_CREDENTIAL"; 3],
        ),
        (
            ("a refresh token", "/sinkCredential", credential(json!({ "credentialType": "REFRESHTOKEN" }))),
            ["INVALID_CREDENTIAL"; 3],
        ),
        (
            ("a key", "/sinkCredential", credential(json!({ "credentialType": "PRIVATE_KEY_JWT" }))),
            ["INVALID_CREDENTIAL"; 3],
        ),
        (
            ("a token of another type", "/sinkCredential", credential(json!({ "accessTokenType": "mac" }))),
            ["INVALID_TOKEN"; 3],
        ),
        (("a credential without token", "/sinkCredential", credential(json!({ "accessToken": null }))), INVALID),
        (
            ("a token that never expires", "/sinkCredential", credential(json!({ "accessTokenExpiresUtc": null }))),
            INVALID,
        ),
        (
            (
                "a token that has expired",
                "/sinkCredential",
                credential(json!({ "accessTokenExpiresUtc": "2020-01-01T00:00:00Z" })),
            ),
            RANGE,
        ),
        (
            (
                "a token that expires at no time",
                "/sinkCredential",
                credential(json!({ "accessTokenExpiresUtc": "2036-01-01T00:00:00" })),
            ),
            INVALID,
        ),
    ];
    faults.extend(
        NO_TIMES.map(|time| (("an end that is no time", "/config/subscriptionExpireTime", Some(json!(time))), INVALID)),
    );
    faults
}

/// What is wrong with a request of Device Status 0.5, all by one code.
fn faults_of_own_requests(version: Version) -> Vec<Change> {
    let ends = format!("{}.subscription-ends", version.prefix);
    let mut faults = vec![
        ("no detail", "/subscriptionDetail", None),
        ("no type", "/subscriptionDetail/type", None),
        ("a type that is none", "/subscriptionDetail/type", Some(json!("nonsense"))),
        ("a type that can't be subscribed to", "/subscriptionDetail/type", Some(json!(ends))),
        ("no webhook", "/webhook", None),
        ("no address", "/webhook/notificationUrl", None),
        ("an address of another scheme", "/webhook/notificationUrl", Some(json!("ftp://sink.example/"))),
        ("an address in clear", "/webhook/notificationUrl", Some(json!("http://sink.example/"))),
        ("an address that is not public", "/webhook/notificationUrl", Some(json!("https://169.254.169.254/"))),
        ("a token that is none", "/webhook/notificationAuthToken", Some(json!("a b"))),
        ("an end that is over", "/subscriptionExpireTime", Some(json!("2020-01-01T00:00:00Z"))),
        ("an end after all others", "/subscriptionExpireTime", Some(json!("9999-12-31T23:59:59Z"))),
    ];
    faults.extend(NO_TIMES.map(|time| ("an end that is no time", "/subscriptionExpireTime", Some(json!(time)))));
    faults
}

#[test]
fn every_fault_of_a_request_is_told_by_the_code_of_its_version() {
    let attache = Attache::sandbox();
    for version in VERSIONS {
        let shop = Caller::two_legged(&attache, version);
        let good = version.body(version.events[0], SINK, Some(number(LINE)));
        for (name, device, expected) in faults_of_devices() {
            let body = changed(&good, &(name, version.device(), device));
            match version.of(expected) {
                (201, _) => drop(shop.subscribe(&body)),
                refusal => shop.is_refused(name, &body, refusal),
            }
        }
        if version.generation == Own {
            for fault in faults_of_own_requests(version) {
                shop.is_refused(fault.0, &changed(&good, &fault), (400, "INVALID_ARGUMENT"));
            }
        } else {
            for (fault, [v06, v07, v08]) in faults_of_requests(version) {
                let code = version.of([v06, v06, v07, v08]);
                shop.is_refused(&format!("{}: {:?}", fault.0, fault.2), &changed(&good, &fault), (400, code));
            }
            let types: Vec<String> = version.events.iter().map(|event| format!("{}.{event}", version.prefix)).collect();
            let several = ("several types", "/types", Some(json!([types[0], types[types.len() - 1]])));
            let expected = match types.len() {
                // Its contract has no code of its own for what its schema forbids.
                1 => (400, "INVALID_ARGUMENT"),
                _ => (422, "MULTIEVENT_SUBSCRIPTION_NOT_SUPPORTED"),
            };
            shop.is_refused("several types", &changed(&good, &several), expected);
        }
        let place =
            if version.generation == Own { "/subscriptionExpireTime" } else { "/config/subscriptionExpireTime" };
        for time in TIMES {
            shop.subscribe(&changed(&good, &("a time", place, Some(json!(time)))));
        }
    }
}

#[test]
fn numbers_and_times_are_taken_in_every_form_that_the_contract_allows() {
    let attache = Attache::sandbox();
    for version in VERSIONS.into_iter().filter(|version| version.generation != Own) {
        let shop = Caller::two_legged(&attache, version);
        let mut body = version.body(version.events[0], SINK, Some(number(LINE)));
        body["config"]["subscriptionMaxEvents"] = json!(5.0);
        body["sinkCredential"] = json!({
            "credentialType": "ACCESSTOKEN", "accessToken": "t", "accessTokenType": "bearer",
            "accessTokenExpiresUtc": "9999-12-31T23:59:59Z",
        });
        let made = shop.subscribe(&body);
        assert_eq!(made["config"]["subscriptionMaxEvents"].as_u64(), Some(5), "{}: {made}", version.folder);
    }
}

#[test]
fn the_end_that_the_operator_decides_is_not_told_as_one_that_was_asked_for() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_SUBSCRIPTION_LIFETIME", "2h")]);
    for version in VERSIONS {
        let shop = Caller::two_legged(&attache, version);
        let made = shop.subscribe(&version.body(version.events[0], SINK, Some(number(LINE))));
        let read = shop.get(&version.id_of(&made)).json();
        let listed = shop.list().json()[0].clone();
        for shown in [&made, &read, &listed] {
            let asked = if version.generation == Own { shown } else { &shown["config"] };
            let name = version.folder;
            assert!(shown["expiresAt"].is_string() && asked.get("subscriptionExpireTime").is_none(), "{name}: {shown}");
        }
    }
}

/// Asks for a subscription by a key of its version's.
fn post_by_key(caller: &Caller<'_>, body: &Value) -> Answer {
    let request = caller.attache.post(caller.version.path).json(body);
    caller.held("post", "/subscriptions", request.header("idempotency-key", caller.version.folder))
}

#[test]
fn a_request_that_is_sent_again_with_its_key_is_answered_as_before_whatever_has_happened_since() {
    let attache = Attache::sandbox();
    let network =
        |state: &str| attache.admin(Method::PUT, "/admin/v1/network").json(&json!({"state": state})).says(200);
    let made: Vec<_> = VERSIONS
        .into_iter()
        .map(|version| {
            let shop = Caller::two_legged(&attache, version);
            let mut body = version.body(version.events[0], SINK, Some(number(LINE)));
            let asked = if version.generation == Own { &mut body } else { &mut body["config"] };
            asked["subscriptionExpireTime"] = json!(in_seconds(4));
            let made = post_by_key(&shop, &body);
            assert_eq!(made.status, 201, "{}: {}", version.folder, made.body);
            (shop, body, version.id_of(&made.json()))
        })
        .collect();

    // Another body, or the same for another purpose, is another request.
    let other = |version: Version| version.body(version.events[0], SINK, Some(number(OTHER_LINE)));
    for (shop, body, _) in &made {
        let version = shop.version;
        let purpose = version.all_scopes().replace(PURPOSE, "dpv:ServiceProvision");
        let otherwise = shop.with(CAMARA.two_legged(&attache, &purpose));
        for answer in [post_by_key(shop, &other(version)), post_by_key(&otherwise, body)] {
            let expected = version.of(["CONFLICT", "CONFLICT", "ALREADY_EXISTS", "ALREADY_EXISTS"]);
            assert_eq!((answer.status, answer.text("code").as_str()), (409, expected), "{}", version.folder);
        }
    }

    // The network is not asked again, nor the time.
    network("failing");
    for (shop, body, id) in &made {
        eventually("its time is over", || {
            let shown = shop.get(id).json();
            (shown["expiresAt"].as_str().unwrap()[..19] < in_seconds(0)[..19]).then_some(())
        });
        let again = post_by_key(shop, body);
        assert_eq!((again.status, shop.version.id_of(&again.json()).as_str()), (201, id.as_str()), "{}", again.body);
    }
    network("up");

    // What was deleted can be asked for anew, if it can be asked for.
    for (shop, body, id) in &made {
        let version = shop.version;
        assert_eq!(shop.delete(id).status, 204, "{}", version.folder);
        let expected = version.of(["INVALID_ARGUMENT", "INVALID_ARGUMENT", "OUT_OF_RANGE", "OUT_OF_RANGE"]);
        let refused = post_by_key(shop, body);
        assert_eq!((refused.status, refused.text("code").as_str()), (400, expected), "{}", version.folder);
        let anew = post_by_key(shop, &other(version));
        assert_eq!(anew.status, 201, "{}: {}", version.folder, anew.body);
        assert!(version.id_of(&anew.json()) != *id && !anew.body.contains("DELETED"), "{}", anew.body);
    }
}

#[test]
fn a_request_that_is_sent_again_as_its_sinks_credential_ends_is_answered_as_before() {
    let attache = Attache::sandbox();
    let shop = Caller::two_legged(&attache, ROAMING_0_8);
    let mut body = ROAMING_0_8.body("roaming-on", SINK, Some(number(LINE)));
    body["sinkCredential"] = json!({
        "credentialType": "ACCESSTOKEN", "accessToken": "t", "accessTokenType": "bearer",
        "accessTokenExpiresUtc": in_seconds(64),
    });
    let made = post_by_key(&shop, &body).json();
    let ended =
        eventually("it ends", || Some(post_by_key(&shop, &body)).filter(|answer| answer.json()["status"] == "EXPIRED"));
    assert_eq!((ended.status, &ended.json()["id"]), (201, &made["id"]));
}

#[test]
fn who_may_not_is_told_by_the_code_of_its_version() {
    let attache = Attache::sandbox();
    let expired = attache.facts()["publishers"]["camara"]["expired_token"].as_str().unwrap().to_owned();
    for version in VERSIONS {
        let good = version.body(version.events[0], SINK, Some(number(LINE)));
        let id = "0190a5e2-5b6c-7d8e-9f00-112233445566";
        let other_scope = CAMARA.two_legged(&attache, &format!("{PURPOSE} device-roaming-status:read"));
        let expired_code =
            version.of(["UNAUTHENTICATED", "UNAUTHENTICATED", "AUTHENTICATION_REQUIRED", "UNAUTHENTICATED"]);
        for (token, status, code) in [
            ("x.y.z".to_owned(), 401, "UNAUTHENTICATED"),
            (expired.clone(), 401, expired_code),
            (other_scope, 403, "PERMISSION_DENIED"),
        ] {
            let caller = Caller::of(&attache, version, token);
            for answer in [caller.post(&good), caller.list(), caller.get(id), caller.delete(id)] {
                assert_eq!((answer.status, answer.text("code").as_str()), (status, code), "{}", version.folder);
            }
        }
        let answer = attache.get(version.path).send();
        assert_eq!((answer.status, answer.text("code").as_str()), (401, "UNAUTHENTICATED"));
        // Each operation has a scope of its own.
        let only =
            |scope: &str| Caller::of(&attache, version, CAMARA.two_legged(&attache, &format!("{PURPOSE} {scope}")));
        let reader = only(&format!("{}:read", version.scope));
        assert_eq!((reader.list().status, reader.get(id).status, reader.delete(id).status), (200, 404, 403));
        assert_eq!(reader.post(&good).text("code"), "PERMISSION_DENIED");
        let deleter = only(&format!("{}:delete", version.scope));
        assert_eq!((deleter.list().status, deleter.get(id).status, deleter.delete(id).status), (403, 403, 404));
        let maker = only(&version.create_scope(version.events[0]));
        assert_eq!((maker.post(&good).status, maker.list().status, maker.delete(id).status), (201, 403, 403));
        // And each type, but for 0.5.
        if let (Some(other), true) = (version.events.get(1), version.generation != Own) {
            let other = version.body(other, SINK, Some(number(LINE)));
            maker.is_refused("a type without its scope", &other, (403, "SUBSCRIPTION_MISMATCH"));
        }
        // Beyond its plan a client hears it in the words of the version.
        let hurried = App { id: "camara-rate-demo", secret: "camara-rate-demo-secret", ..CAMARA };
        let hurried = reader.with(hurried.two_legged(&attache, &format!("{PURPOSE} {}:read", version.scope)));
        hurried.list();
        let answer = hurried.get(id);
        assert_eq!((answer.status, answer.text("code").as_str()), (429, "TOO_MANY_REQUESTS"), "{}", version.folder);
        assert_ne!(answer.header("retry-after"), "");
    }
}

#[test]
fn the_token_and_the_body_tell_the_line_by_the_rule_of_each_version() {
    let attache = Attache::sandbox();
    for version in VERSIONS {
        let shop = Caller::three_legged(&attache, version, LINE);
        let with = |device: Option<Value>| version.body(version.events[0], SINK, device);
        let name = version.folder;
        let (unnecessary, invalid) = ((422, "UNNECESSARY_IDENTIFIER"), (400, "INVALID_ARGUMENT"));
        let made = if version.generation == V07 || version.generation == V08 {
            shop.is_refused("the device of the token", &with(Some(number(LINE))), unnecessary);
            shop.is_refused("another device", &with(Some(number(OTHER_LINE))), unnecessary);
            shop.subscribe(&with(None))
        } else {
            let mismatch = version.of(["INVALID_TOKEN_CONTEXT", "SUBSCRIPTION_MISMATCH", "", ""]);
            shop.is_refused("another device", &with(Some(number(OTHER_LINE))), (403, mismatch));
            shop.is_refused("a device that nobody has", &with(Some(number("+99999999999"))), (403, mismatch));
            shop.is_refused("no device", &with(None), invalid);
            shop.subscribe(&with(Some(number(LINE))))
        };
        assert_eq!(made.pointer(version.device()), None, "{name}: {made}");
        let itself = Caller::two_legged(&attache, version);
        let named = itself.subscribe(&with(Some(number(LINE))));
        assert_eq!(named.pointer(version.device()), Some(&number(LINE)), "{name}");
        // Whoever made a subscription, and whoever reads it: where a token tells the line, no answer does.
        for id in [version.id_of(&made), version.id_of(&named)] {
            let read = shop.get(&id).json();
            assert_eq!((version.id_of(&read), read.pointer(version.device())), (id, None), "{name}: {read}");
        }
        let listed = shop.list();
        assert!(!listed.body.contains("device\""), "{name}: {}", listed.body);
        assert_eq!(itself.get(&version.id_of(&named)).json(), named, "{name}");
        // Nor is there anything for a token of another line.
        let other = Caller::three_legged(&attache, version, OTHER_LINE);
        assert_eq!((other.list().body.as_str(), other.get(&version.id_of(&named)).status), ("[]", 404), "{name}");
    }
}

#[test]
fn what_was_asked_for_is_answered_as_it_was_asked_in_every_version() {
    let attache = Attache::sandbox();
    for version in VERSIONS {
        let shop = Caller::two_legged(&attache, version);
        let name = version.folder;
        assert_eq!((shop.list().status, shop.list().body.as_str()), (200, "[]"), "{name}");
        // One identifier of several is used, and told. Its form is the request's.
        let address = "2001:db8:85a3:8d3:1319:8a2e:370:7344";
        let several = json!({ "ipv6Address": address, "phoneNumber": LINE });
        let mut body = version.body(version.events[0], SINK, Some(several));
        let until = "2036-01-01T01:00:00.5+01:00";
        if version.generation == Own {
            body["subscriptionExpireTime"] = json!(until);
        } else {
            body["config"]["subscriptionExpireTime"] = json!(until);
            body["config"]["subscriptionMaxEvents"] = json!(7);
            body["config"]["initialEvent"] = json!(false);
            body["protocolSettings"] = json!({ "headers": { "x-own": "1" }, "method": "POST" });
        }
        let made = shop.subscribe(&body);
        assert_eq!(made.pointer(version.device()), Some(&number(LINE)), "{name}: {made}");
        assert_eq!(made["expiresAt"], "2036-01-01T00:00:00.500Z", "{name}");
        let starts_at = made["startsAt"].as_str().unwrap();
        assert!(starts_at.len() == 24 && starts_at.ends_with('Z'), "{name}: {starts_at}");
        let event_type = format!("{}.{}", version.prefix, version.events[0]);
        if version.generation == Own {
            assert_eq!(made["subscriptionExpireTime"], made["expiresAt"]);
            assert_eq!((&made["type"], &made["subscriptionDetail"]["type"]), (&json!(event_type), &json!(event_type)));
        } else {
            let config = json!({
                "subscriptionDetail": { "device": number(LINE) }, "subscriptionExpireTime": made["expiresAt"],
                "subscriptionMaxEvents": 7, "initialEvent": false,
            });
            assert_eq!((&made["config"], &made["status"]), (&config, &json!("ACTIVE")), "{name}");
            assert_eq!((&made["protocol"], &made["sink"]), (&json!("HTTP"), &json!(SINK)));
            assert_eq!(made["types"], json!([event_type]));
        }
        let id = version.id_of(&made);
        assert_eq!((shop.get(&id).json(), shop.list().json()), (made.clone(), json!([made])), "{name}");
        // What was not asked for is not there.
        let device = json!({ "ipv6Address": address });
        let plain = shop.subscribe(&version.body(version.events[0], SINK, Some(device.clone())));
        assert_eq!(plain.pointer(version.device()), Some(&device));
        assert_eq!((plain.get("expiresAt"), plain.pointer("/config/initialEvent")), (None, None), "{name}");
        shop.delete(&version.id_of(&plain));
        // Deleted, it is gone, and a second time there is nothing to delete.
        assert_eq!((shop.delete(&id).status, shop.get(&id).status, shop.list().body.as_str()), (204, 404, "[]"));
        assert_eq!(shop.delete(&id).text("code"), "NOT_FOUND", "{name}");
    }
}

#[test]
fn an_identifier_that_is_missing_or_of_no_form_is_told_by_the_contract_of_its_version() {
    let attache = Attache::sandbox();
    for version in VERSIONS {
        let shop = Caller::two_legged(&attache, version);
        for method in [Method::GET, Method::DELETE] {
            let of = |id: &str| {
                let answer = shop.one(method.clone(), id);
                (answer.status, answer.text("code"))
            };
            let missing = of("");
            assert_eq!((missing.0, missing.1.as_str()), (400, "INVALID_ARGUMENT"), "{} {method}", version.folder);
            // In 0.6 it is a UUID, in the others any text.
            let invalid = (400, "INVALID_ARGUMENT");
            let unknown = (404, "NOT_FOUND");
            for (id, expected) in [
                ("not-an-id", version.of([unknown, invalid, unknown, unknown])),
                ("qs15-h556-rt89-1298", version.of([unknown, invalid, unknown, unknown])),
                ("0190a5e2-5b6c-7d8e-9f00-112233445566", unknown),
            ] {
                let found = of(id);
                assert_eq!((found.0, found.1.as_str()), expected, "{} {method} {id}", version.folder);
            }
        }
    }
}

#[test]
fn a_correlator_is_taken_by_the_pattern_of_each_version() {
    let attache = Attache::sandbox();
    for version in VERSIONS {
        let shop = Caller::two_legged(&attache, version);
        for (sent, expected) in [
            ("b4333c46-49c0-4f62-80d7-f0ef930f1c46", [200, 200, 200, 200]),
            ("a:b", [200, 200, 400, 200]),
            ("a b", [200, 200, 400, 400]),
        ] {
            let answer = attache.get(version.path).bearer(&shop.token).header("x-correlator", sent).send();
            assert_eq!(answer.status, version.of(expected), "{} {sent}: {}", version.folder, answer.body);
            assert!(answer.status == 400 || version.generation == Own || answer.header("x-correlator") == sent);
            assert_ne!(answer.header("x-correlator"), "");
        }
        let made = attache.get(version.path).bearer(&shop.token).says(200);
        assert_eq!(made.header("x-correlator").len(), 36);
    }
}

/// Holds an event against the contract.
fn holds(contract: &Contract, event: &Value) {
    let mapping = &contract.document()["components"]["schemas"]["CloudEvent"]["discriminator"]["mapping"];
    let reference = mapping[event["type"].as_str().unwrap()].as_str().unwrap_or_else(|| panic!("{event}"));
    let validator = contract.validator(&json!({ "$ref": reference }), false);
    let faults: Vec<String> = validator.iter_errors(event).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{event}\n{faults:?}");
}

#[test]
fn every_event_of_every_version_arrives_as_its_contract_says() {
    let attache = Attache::with(&["--allow-http-sinks"]);
    let set_up = |version: Version, caller: &Caller<'_>, is_told: bool| {
        let sink = Sink::open();
        let needs_device = is_told || version.generation == Own || version.generation == V06;
        let ids: Vec<String> = version
            .events
            .iter()
            .map(|event| {
                let body = version.body(event, &sink.url(), needs_device.then(|| number(LINE)));
                let answer = attache.post(version.path).bearer(&caller.token).json(&body).says(201);
                version.id_of(&answer.json())
            })
            .collect();
        (sink, ids)
    };
    let callers: Vec<_> = VERSIONS
        .into_iter()
        .flat_map(|version| {
            [
                (version, true, Caller::two_legged(&attache, version)),
                (version, false, Caller::three_legged(&attache, version, LINE)),
            ]
        })
        .collect();
    let told: Vec<_> = callers.iter().map(|(version, is_told, caller)| set_up(*version, caller, *is_told)).collect();
    for country in ["DE", "BE"] {
        attache.change(LINE, "roam", &json!({ "country": country }));
    }
    attache.change(LINE, "home", &json!({}));
    for (data, sms) in [(true, true), (false, true), (false, false), (true, false)] {
        attache.change(LINE, "reach", &json!({ "data": data, "sms": sms }));
    }
    attache.change(LINE, "technology", &json!({ "technology": "3G" }));
    for (_, ids) in &told {
        attache.command(&["subscription", "pause", &ids[0]]);
        attache.command(&["subscription", "resume", &ids[0]]);
    }
    for ((version, _, caller), (_, ids)) in callers.iter().zip(&told) {
        for id in ids {
            assert_eq!(caller.delete(id).status, 204, "{}", version.folder);
        }
    }
    for ((version, is_told, caller), (sink, ids)) in callers.iter().zip(&told) {
        let life = match version.generation {
            Own => &[][..],
            V06 | V07 => &["subscription-ends"],
            V08 => &["subscription-started", "subscription-updated", "subscription-ended"],
        };
        let mut expected: Vec<&str> = version.events.iter().chain(life).copied().collect();
        expected.sort_unstable();
        let events = crate::harness::eventually(&format!("all of {} arrive", version.folder), || {
            let events = sink.events();
            let mut names: Vec<&str> = events.iter().map(crate::sink::Event::name).collect();
            names.sort_unstable();
            names.dedup();
            (names == expected).then(|| events.clone())
        });
        for event in &events {
            let body = &event.body;
            if let Some(contract) = &caller.contract {
                holds(contract, body);
            }
            assert!(event.head.contains("content-type: application/cloudevents+json"), "{}", event.head);
            assert!(event.head.contains(&format!("x-correlator: {}", event.id())), "{}", event.head);
            let data = &body["data"];
            assert!(ids.iter().any(|id| data["subscriptionId"] == **id), "{body}");
            assert_eq!(data.get("device"), is_told.then(|| number(LINE)).as_ref(), "{} {body}", version.folder);
            assert_eq!((&body["specversion"], &body["datacontenttype"]), (&json!("1.0"), &json!("application/json")));
            assert_eq!(body["source"], attache.url("").trim_end_matches('/'));
            let time = body["time"].as_str().unwrap();
            assert!(time.len() == 24 && time.ends_with('Z'), "{body}");
            match event.name() {
                "subscription-started" => assert_eq!(data["initiationReason"], "SUBSCRIPTION_CREATED"),
                "subscription-ends" | "subscription-ended" => {
                    assert_eq!(data["terminationReason"], "SUBSCRIPTION_DELETED");
                }
                _ => {}
            }
        }
    }
}

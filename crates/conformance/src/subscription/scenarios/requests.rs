//! Requests for subscriptions that are at fault, each in one thing; and such that only look so.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    contract::Code,
    exchange::now,
    plan::{Ask, Bearer},
    subscription::{
        contract::{INVALID, Model},
        judge::Operation,
        trial::{Session, Stop, Told, Trial},
    },
};

/// What is done to a good request.
type Fault = fn(&mut Value);

pub(super) async fn run(session: &mut Session<'_>) {
    for (what, body) in [("a body that is not JSON", "{\"sink\": "), ("a body that is not an object", "[]")] {
        session
            .refuses(what, INVALID, Operation::Create, async |trial| {
                Ok(Ask::raw(trial.bearer(Bearer::TwoLegged)?, body))
            })
            .await;
    }
    session
        .refuses("no body", INVALID, Operation::Create, async |trial| {
            Ok(Ask { body: None, ..Ask::raw(trial.bearer(Bearer::TwoLegged)?, "") })
        })
        .await;
    let faults = match session.contract.model {
        Model::Webhook => WEBHOOK_FAULTS,
        Model::Sink => FAULTS,
    };
    for (what, fault) in faults {
        spoilt(session, what, INVALID, *fault).await;
    }
    by_their_codes(session).await;
    sinks(session).await;
    times(session).await;
    session
        .tries("fields that the contract does not know are passed over", async |trial: &mut Trial<'_, '_>| {
            let mut body = trial.any_body()?;
            body["conformance"] = json!({ "known": false });
            trial.config(&mut body)["conformance"] = json!(1);
            trial.create(Bearer::TwoLegged, body).await.map(|_| ())
        })
        .await;
}

async fn spoilt(session: &mut Session<'_>, what: &str, codes: &'static [Code], fault: Fault) {
    session
        .refuses(what, codes, Operation::Create, async |trial| {
            let mut body = trial.any_body()?;
            fault(&mut body);
            trial.post(Bearer::TwoLegged, &body)
        })
        .await;
}

fn without(body: &mut Value, field: &str) {
    if let Some(object) = body.as_object_mut() {
        object.remove(field);
    }
}

const FAULTS: &[(&str, Fault)] = &[
    ("a request without `sink`", |body| without(body, "sink")),
    ("a request without `protocol`", |body| without(body, "protocol")),
    ("a request without `types`", |body| without(body, "types")),
    ("a request without `config`", |body| without(body, "config")),
    ("a request without `config.subscriptionDetail`", |body| without(&mut body["config"], "subscriptionDetail")),
    ("a `sink` that is not a string", |body| body["sink"] = json!(["https://sink.invalid/"])),
    ("a `protocol` that is not a string", |body| body["protocol"] = json!(1)),
    ("`types` that are not a list", |body| body["types"] = body["types"][0].clone()),
    ("no type in `types`", |body| body["types"] = json!([])),
    ("a type that the API does not have", |body| {
        body["types"] = json!(["org.camaraproject.conformance.v0.nothing"]);
    }),
    ("a type without its prefix", |body| {
        let name = body["types"][0].as_str().and_then(|name| name.rsplit('.').next()).unwrap_or_default();
        body["types"] = json!([name]);
    }),
    ("a `config` that is not an object", |body| body["config"] = json!("none")),
    ("an `initialEvent` that is not a boolean", |body| body["config"]["initialEvent"] = json!("true")),
    ("`subscriptionMaxEvents` that are not a number", |body| {
        body["config"]["subscriptionMaxEvents"] = json!("1");
    }),
    ("a `subscriptionExpireTime` without zone", |body| {
        body["config"]["subscriptionExpireTime"] = json!("2035-01-17T13:18:23.682");
    }),
    ("a `subscriptionExpireTime` that is no time", |body| {
        body["config"]["subscriptionExpireTime"] = json!("next week");
    }),
    ("a `sinkCredential` that is not an object", |body| body["sinkCredential"] = json!("sesame")),
    ("a `sinkCredential` without its type", |body| {
        body["sinkCredential"] = credential();
        without(&mut body["sinkCredential"], "credentialType");
    }),
    ("an `accessTokenExpiresUtc` that is no time", |body| {
        body["sinkCredential"] = credential();
        body["sinkCredential"]["accessTokenExpiresUtc"] = json!("tomorrow");
    }),
];

const WEBHOOK_FAULTS: &[(&str, Fault)] = &[
    ("a request without `webhook`", |body| without(body, "webhook")),
    ("a request without `webhook.notificationUrl`", |body| body["webhook"] = json!({})),
    ("a request without `subscriptionDetail`", |body| without(body, "subscriptionDetail")),
    ("a request without `subscriptionDetail.type`", |body| without(&mut body["subscriptionDetail"], "type")),
    ("a type that the API does not have", |body| {
        body["subscriptionDetail"]["type"] = json!("org.camaraproject.conformance.v0.nothing");
    }),
    ("a `notificationUrl` that is not a string", |body| body["webhook"]["notificationUrl"] = json!(1)),
    ("a `notificationAuthToken` that is not a string", |body| body["webhook"]["notificationAuthToken"] = json!(1)),
    ("a `subscriptionExpireTime` without zone", |body| {
        body["subscriptionExpireTime"] = json!("2035-01-17T13:18:23.682");
    }),
    ("a `subscriptionExpireTime` that is no time", |body| body["subscriptionExpireTime"] = json!("next week")),
];

/// A credential that is right.
fn credential() -> Value {
    json!({
        "credentialType": "ACCESSTOKEN",
        "accessToken": "conformance",
        "accessTokenExpiresUtc": "2035-01-17T13:18:23.682Z",
        "accessTokenType": "bearer",
    })
}

/// What the contracts have codes of their own for.
async fn by_their_codes(session: &mut Session<'_>) {
    let rules = session.contract.rules;
    if session.contract.model == Model::Webhook {
        return;
    }
    spoilt(session, "another protocol than HTTP", rules.protocol, |body| body["protocol"] = json!("MQTT5")).await;
    spoilt(session, "a credential that is not an access token", rules.credential, |body| {
        body["sinkCredential"] = json!({ "credentialType": "PLAIN", "identifier": "sink", "secret": "sesame" });
    })
    .await;
    spoilt(session, "an access token that is not a bearer token", rules.token, |body| {
        body["sinkCredential"] = credential();
        body["sinkCredential"]["accessTokenType"] = json!("mac");
    })
    .await;
    spoilt(session, "more than one type", rules.several_types, |body| {
        let only = body["types"][0].clone();
        body["types"] = json!([only, only]);
    })
    .await;
    session.tries("a type that the token does not permit is 403 SUBSCRIPTION_MISMATCH", mismatch).await;
}

async fn mismatch(trial: &mut Trial<'_, '_>) -> Told {
    let [permitted, wanted, ..] = trial.contract.types else {
        return Err(Stop::Skipped("this API has but one type".to_owned()));
    };
    if trial.runner.target().tokens.two_legged.is_some() || trial.runner.target().client.is_none() {
        let reason = "a token for one type of several must be fetched, for which no client is given (client)";
        return Err(Stop::Skipped(reason.to_owned()));
    }
    let (line, sink) = (trial.line()?, trial.sink_url());
    let ask = trial.post(Bearer::TwoLegged, &trial.body(wanted, Some(line), &sink))?;
    let exchange = trial.ask_with(permitted.create_scope, Operation::Create, ask).await?;
    trial.is_code(&exchange, trial.contract.rules.mismatch)
}

/// Addresses that no event can be sent to.
async fn sinks(session: &mut Session<'_>) {
    let codes = session.contract.rules.sink;
    for (what, sink) in [
        ("a sink of another scheme than https", "ftp://sink.invalid/conformance"),
        ("a sink that is no URL", "sink.invalid/conformance"),
        ("an empty sink", ""),
    ] {
        session
            .refuses(what, codes, Operation::Create, async |trial| {
                let line = trial.line()?;
                trial.post(Bearer::TwoLegged, &trial.body(trial.first_type(), Some(line), sink))
            })
            .await;
    }
}

async fn times(session: &mut Session<'_>) {
    let codes = session.contract.rules.out_of_range;
    session
        .refuses("a `subscriptionExpireTime` in the past", codes, Operation::Create, async |trial| {
            let mut body = trial.any_body()?;
            let past = now() - SignedDuration::from_hours(1);
            trial.config(&mut body)["subscriptionExpireTime"] = json!(past.to_string());
            trial.post(Bearer::TwoLegged, &body)
        })
        .await;
    if session.contract.model == Model::Sink {
        // Below what the schema allows, and beyond what is possible: either may be said.
        const CODES: &[Code] = &[(400, "OUT_OF_RANGE"), (400, "INVALID_ARGUMENT")];
        let codes = if codes.contains(&CODES[0]) { CODES } else { codes };
        spoilt(session, "`subscriptionMaxEvents` of 0", codes, |body| {
            body["config"]["subscriptionMaxEvents"] = json!(0);
        })
        .await;
    }
}

//! What a sink is sent, whether or not anything becomes of the line.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    exchange::now,
    plan::Bearer,
    sink::Received,
    subscription::{
        contract::{About, EventType, Model},
        judge::Operation,
        trial::{Letters, Made, SOON, Session, Stop, Told, Trial},
    },
    target::{Line, Seen},
};

/// By how much a server's clock may be behind ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(2);

/// How long a credential is good for that soon expires.
const CREDENTIAL_LIFETIME: SignedDuration = SignedDuration::from_secs(62);

/// The credential of the runner's own sink.
const CREDENTIAL: &str = "conformance-sesame-5f1c";

pub(super) async fn run(session: &mut Session<'_>) {
    session.tries("a subscription that is deleted tells so, by SUBSCRIPTION_DELETED", deleted).await;
    session.tries("a subscription expires at its time, by SUBSCRIPTION_EXPIRED", expires).await;
    session.tries("with a 3-legged token no event names the device", unnamed).await;
    session.tries("with a 2-legged token every event names the device as it was named", named).await;
    session.tries("events come with the sink's credential, which no answer shows", credential).await;
    session.tries("without a credential no event comes with one", no_credential).await;
    session.tries("an event that its sink could not take is sent again as it was", sent_again).await;
    if session.contract.started.is_some() {
        session.tries("the first event tells that the subscription was made", started).await;
        session.tries("a pause and its end are told", updated).await;
    }
    if session.contract.model == Model::Webhook {
        return;
    }
    session.tries("the initial event tells how things stand, and nothing else is sent", initial_at_home).await;
    for (rule, fits) in INITIAL {
        let is_about = session.contract.types.iter().find(|known| Some(known.about) == fits.about);
        if let Some(event_type) = is_about {
            session
                .tries(*rule, async |trial: &mut Trial<'_, '_>| initial_elsewhere(trial, event_type, fits.line).await)
                .await;
        }
    }
    session.tries("after the last event that was wanted, the end comes by MAX_EVENTS_REACHED", max_events).await;
    session.tries("before the sink's credential expires, the end comes by ACCESS_TOKEN_EXPIRED", credential_ends).await;
}

/// Lines of which something else is told at once than of one at home.
struct Fits {
    about: Option<About>,
    line: fn(&Line) -> bool,
}

const INITIAL: &[(&str, Fits)] = &[
    (
        "the initial event of a roaming line tells where it is",
        Fits { about: Some(About::RoamingStatus), line: |line| line.roaming == Some(true) },
    ),
    (
        "the initial event tells a line abroad that it roams",
        Fits { about: Some(About::RoamingOn), line: |line| line.roaming == Some(true) },
    ),
    (
        "the initial event tells of a line that is reachable by SMS only",
        Fits { about: Some(About::ReachabilitySms), line: |line| line.reach() == Some((false, true)) },
    ),
    (
        "the initial event tells of a line that is not reachable",
        Fits { about: Some(About::ReachabilityDisconnected), line: |line| line.reach() == Some((false, false)) },
    ),
    (
        "the initial event of a line without known technology is UNKNOWN",
        Fits { about: Some(About::NetworkType), line: |line| line.network_type.as_deref() == Some("UNKNOWN") },
    ),
];

/// A request about a line that tells at once how things stand; in a version that has no such thing, a request.
fn wants_initial(trial: &Trial<'_, '_>, event_type: &EventType, line: Option<&Line>, sink: &str) -> Value {
    let mut body = trial.body(event_type, line, sink);
    if trial.contract.model == Model::Sink {
        body["config"]["initialEvent"] = json!(true);
    }
    body
}

/// A subscription that ends soon and is sure to tell so, whatever the version.
fn ends_soon(trial: &Trial<'_, '_>, line: Option<&Line>, sink: &str) -> Value {
    let mut body = trial.body(trial.first_type(), line, sink);
    trial.config(&mut body)["subscriptionExpireTime"] = json!((now() + SOON).to_string());
    body
}

/// A subscription that tells something by itself: at once where the version can, otherwise by its end.
async fn telling(
    trial: &mut Trial<'_, '_>,
    refusals: usize,
    by: Bearer,
    named: Option<&Line>,
) -> Told<(Made, Letters)> {
    let (made, mut letters) = trial
        .subscribe_refusing(refusals, by, |trial, sink| match trial.contract.model {
            Model::Sink => wants_initial(trial, trial.first_type(), named, sink),
            Model::Webhook => ends_soon(trial, named, sink),
        })
        .await?;
    if trial.contract.model == Model::Webhook {
        letters.later = SOON.unsigned_abs();
    }
    Ok((made, letters))
}

/// What such a subscription tells, to its end.
async fn tell_all(trial: &mut Trial<'_, '_>, made: &Made, letters: &mut Letters) -> Told<Vec<Received>> {
    let mut events = Vec::new();
    if trial.contract.model == Model::Sink {
        events.push(trial.next_is(letters, trial.first_type().name).await?);
        trial.remove(made).await?;
    }
    events.push(trial.next_is(letters, trial.contract.ended.name).await?);
    Ok(events)
}

async fn deleted(trial: &mut Trial<'_, '_>) -> Told {
    let line = trial.line()?;
    let (made, mut letters) =
        trial.subscribe(Bearer::TwoLegged, |trial, sink| trial.body(trial.first_type(), Some(line), sink)).await?;
    trial.remove(&made).await?;
    if trial.contract.rules.tells_deletion {
        trial.ends(&mut letters, "SUBSCRIPTION_DELETED").await?;
    }
    trial.nothing_more(&mut letters, "although the subscription was deleted").await
}

async fn expires(trial: &mut Trial<'_, '_>) -> Told {
    let line = trial.line()?;
    let at = now() + SOON;
    let (made, mut letters) =
        trial.subscribe(Bearer::TwoLegged, |trial, sink| ends_soon(trial, Some(line), sink)).await?;
    letters.later = SOON.unsigned_abs();
    let event = trial.ends(&mut letters, "SUBSCRIPTION_EXPIRED").await?;
    trial.unless(event.at + CLOCK_SKEW >= at, format!("it came before {at}"), &event.exchange())?;
    let read = trial.get(Bearer::TwoLegged, &made.id)?;
    let read = trial.ask(Operation::Read, read).await?;
    trial.is_status(&read, &[200, 404])?;
    is_over(trial, &read)
}

/// Whether a subscription that has ended is not shown as one that goes on.
fn is_over(trial: &Trial<'_, '_>, read: &crate::Exchange) -> Told {
    let status = read.response.as_ref().and_then(|it| it.json.as_ref()).map(|it| it["status"].clone());
    let goes_on = status.as_ref().is_some_and(|status| status == "ACTIVE");
    trial.unless(!goes_on, "`status` is ACTIVE, although the subscription has ended", read)
}

async fn unnamed(trial: &mut Trial<'_, '_>) -> Told {
    let line = trial.line()?;
    let bearer = trial.three_legged(line)?;
    let named = (!trial.contract.rules.token_alone.is_empty()).then_some(line);
    let (made, mut letters) = telling(trial, 0, bearer, named).await?;
    tell_all(trial, &made, &mut letters).await?;
    let digits = line.phone_number.trim_start_matches('+');
    for event in trial.all(&letters) {
        let names_it = !event.json["data"]["device"].is_null() || event.json.to_string().contains(digits);
        let fault = "`device` is told, although the subscription was made with a 3-legged token";
        trial.unless(!names_it, fault, &event.exchange())?;
    }
    Ok(())
}

async fn named(trial: &mut Trial<'_, '_>) -> Told {
    let line = trial.line()?;
    let (made, mut letters) = telling(trial, 0, Bearer::TwoLegged, Some(line)).await?;
    for event in tell_all(trial, &made, &mut letters).await? {
        let data = &event.json["data"];
        let told = data["device"]["phoneNumber"].as_str().unwrap_or_default();
        let is_named = told.trim_start_matches('+') == line.phone_number.trim_start_matches('+');
        let fault = format!("`data.device` is {}, not the number that was sent", data["device"]);
        trial.unless(is_named, fault, &event.exchange())?;
        let fault = format!("`data.subscriptionId` is {} instead of {}", data["subscriptionId"], made.id);
        trial.unless(data["subscriptionId"] == *made.id, fault, &event.exchange())?;
    }
    Ok(())
}

async fn credential(trial: &mut Trial<'_, '_>) -> Told {
    let line = trial.line()?;
    let (made, mut letters) = trial
        .subscribe(Bearer::TwoLegged, |trial, sink| match trial.contract.model {
            Model::Sink => {
                let mut body = wants_initial(trial, trial.first_type(), Some(line), sink);
                body["sinkCredential"] = sink_credential(SignedDuration::from_hours(24));
                body
            }
            Model::Webhook => {
                let mut body = ends_soon(trial, Some(line), sink);
                body["webhook"]["notificationAuthToken"] = json!(CREDENTIAL);
                body
            }
        })
        .await?;
    if trial.contract.model == Model::Webhook {
        letters.later = SOON.unsigned_abs();
    }
    let read = trial.read(&made).await?;
    let (listed, _) = trial.list(Bearer::TwoLegged).await?;
    for exchange in [&made.exchange, &read, &listed] {
        let body = exchange.response.as_ref().map(|response| response.body.as_str()).unwrap_or_default();
        trial.unless(!body.contains(CREDENTIAL), "the sink's credential is shown", exchange)?;
    }
    tell_all(trial, &made, &mut letters).await?;
    for event in trial.all(&letters) {
        let told = event.header("authorization").and_then(|header| header.split_once(' '));
        let is_right = told.is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && token == CREDENTIAL);
        trial.unless(
            is_right,
            "the event does not come with the sink's credential as bearer token",
            &event.exchange(),
        )?;
    }
    Ok(())
}

fn sink_credential(lifetime: SignedDuration) -> Value {
    json!({
        "credentialType": "ACCESSTOKEN",
        "accessToken": CREDENTIAL,
        "accessTokenExpiresUtc": (now() + lifetime).to_string(),
        "accessTokenType": "bearer",
    })
}

async fn no_credential(trial: &mut Trial<'_, '_>) -> Told {
    let line = trial.line()?;
    let (made, mut letters) = telling(trial, 0, Bearer::TwoLegged, Some(line)).await?;
    tell_all(trial, &made, &mut letters).await?;
    for event in trial.all(&letters) {
        let is_bare = event.header("authorization").is_none();
        trial.unless(is_bare, "the event comes with a credential that nobody asked for", &event.exchange())?;
    }
    Ok(())
}

/// That it is the same event, what always holds says; here it is made to come twice.
async fn sent_again(trial: &mut Trial<'_, '_>) -> Told {
    let line = trial.line()?;
    let (_, letters) = telling(trial, 1, Bearer::TwoLegged, Some(line)).await?;
    let patience = trial.runner.patience() + letters.later;
    let twice = |received: &[Received]| {
        let first = received.first()?.clone();
        let again = received.iter().skip(1).find(|event| event.id() == first.id())?.clone();
        Some((first, again))
    };
    let Some((first, again)) = trial.wait(&letters, patience, twice).await else {
        return Err(Stop::Skipped("it is not sent again, as the contract permits".to_owned()));
    };
    let fault = || format!("it is another event than before: {}", first.json);
    trial.unless(first.json == again.json, fault(), &again.exchange())?;
    let second = trial.all(&letters).into_iter().nth(1);
    let is_in_order = second.is_some_and(|event| event.id() == first.id());
    trial.unless(is_in_order, "a later event came before it", &again.exchange())
}

async fn started(trial: &mut Trial<'_, '_>) -> Told {
    let line = trial.line()?;
    let (made, mut letters) = telling(trial, 0, Bearer::TwoLegged, Some(line)).await?;
    let event = trial.next_of_any(&mut letters, "the beginning", trial.runner.patience()).await?;
    let Some(started) = trial.contract.started.filter(|started| started.name == event.event_type()) else {
        return Err(Stop::Skipped("it is not sent, as the contract permits".to_owned()));
    };
    let data = &event.json["data"];
    let fault = format!("`initiationReason` is {} instead of SUBSCRIPTION_CREATED", data["initiationReason"]);
    trial.unless(data["initiationReason"] == "SUBSCRIPTION_CREATED", fault, &event.exchange())?;
    let fault = format!("{} tells of {} instead of {}", started.name, data["subscriptionId"], made.id);
    trial.unless(data["subscriptionId"] == *made.id, fault, &event.exchange())
}

async fn updated(trial: &mut Trial<'_, '_>) -> Told {
    let (admin, http, line) = (trial.admin()?, trial.http(), trial.line()?);
    let Some(updated) = trial.contract.updated else { return Ok(()) };
    let (made, mut letters) =
        trial.subscribe(Bearer::TwoLegged, |trial, sink| trial.body(trial.first_type(), Some(line), sink)).await?;
    for (is_paused, reason) in [(true, "SUBSCRIPTION_INACTIVE"), (false, "SUBSCRIPTION_ACTIVE")] {
        admin.pause(http, &made.id, is_paused).await.map_err(Stop::Skipped)?;
        let event = trial.next_is(&mut letters, updated.name).await?;
        let told = &event.json["data"]["updateReason"];
        trial.unless(told == reason, format!("`updateReason` is {told} instead of {reason}"), &event.exchange())?;
    }
    Ok(())
}

/// Each type is subscribed to, of which some have something to tell of a line at home.
async fn initial_at_home(trial: &mut Trial<'_, '_>) -> Told {
    let line = trial.known_line()?;
    for event_type in trial.contract.types {
        let (made, mut letters) = trial
            .subscribe(Bearer::TwoLegged, |trial, sink| wants_initial(trial, event_type, Some(line), sink))
            .await?;
        let tells = matches!(
            event_type.about,
            About::RoamingStatus | About::RoamingOff | About::ReachabilityData | About::NetworkType
        );
        if tells {
            let event = trial.next_is(&mut letters, event_type.name).await?;
            is_about(trial, event_type, line, &event)?;
        }
        // What comes next is the end: nothing else was told.
        trial.remove(&made).await?;
        trial.ends(&mut letters, "SUBSCRIPTION_DELETED").await?;
    }
    Ok(())
}

async fn initial_elsewhere(trial: &mut Trial<'_, '_>, event_type: &EventType, fits: fn(&Line) -> bool) -> Told {
    let line = trial.runner.target().line(|line| fits(line) && line.seen != Seen::Never);
    let missing = || Stop::Skipped("a line in this state is not given (lines)".to_owned());
    let line = line.ok_or_else(missing)?;
    let (_, mut letters) =
        trial.subscribe(Bearer::TwoLegged, |trial, sink| wants_initial(trial, event_type, Some(line), sink)).await?;
    let event = trial.next_is(&mut letters, event_type.name).await?;
    is_about(trial, event_type, line, &event)
}

/// Whether an event tells of a line as it is known to be.
fn is_about(trial: &Trial<'_, '_>, event_type: &EventType, line: &Line, event: &Received) -> Told {
    let data = &event.json["data"];
    let is = |name: &str, expected: Value| {
        let fault = format!("`data.{name}` is {} instead of {expected}", data[name]);
        trial.unless(data[name] == expected, fault, &event.exchange())
    };
    match event_type.about {
        About::RoamingStatus => {
            if let Some(roaming) = line.roaming {
                is("roaming", json!(roaming))?;
            }
            match line.country_code {
                Some(code) if !data["countryCode"].is_null() => is("countryCode", json!(code)),
                _ => Ok(()),
            }
        }
        About::NetworkType => match &line.network_type {
            Some(technology) => is("connectedNetworkType", json!(technology)),
            None => Ok(()),
        },
        About::RoamingOn
        | About::RoamingOff
        | About::RoamingChangeCountry
        | About::ReachabilityData
        | About::ReachabilitySms
        | About::ReachabilityDisconnected => Ok(()),
    }
}

async fn max_events(trial: &mut Trial<'_, '_>) -> Told {
    let line = trial.known_line()?;
    let (made, mut letters) = trial
        .subscribe(Bearer::TwoLegged, |trial, sink| {
            let mut body = wants_initial(trial, trial.first_type(), Some(line), sink);
            body["config"]["subscriptionMaxEvents"] = json!(1);
            body
        })
        .await?;
    trial.next_is(&mut letters, trial.first_type().name).await?;
    trial.ends(&mut letters, "MAX_EVENTS_REACHED").await?;
    let read = trial.get(Bearer::TwoLegged, &made.id)?;
    let read = trial.ask(Operation::Read, read).await?;
    trial.is_status(&read, &[200, 404])?;
    is_over(trial, &read)?;
    trial.nothing_more(&mut letters, "although the subscription has ended").await
}

async fn credential_ends(trial: &mut Trial<'_, '_>) -> Told {
    let line = trial.line()?;
    let (_, mut letters) = trial
        .subscribe(Bearer::TwoLegged, |trial, sink| {
            let mut body = trial.body(trial.first_type(), Some(line), sink);
            body["sinkCredential"] = sink_credential(CREDENTIAL_LIFETIME);
            body
        })
        .await?;
    match trial.ends(&mut letters, "ACCESS_TOKEN_EXPIRED").await {
        Err(Stop::Failed(failure)) if failure.exchange.is_none() => {
            Err(Stop::Skipped("it does not end so early, as the contract permits".to_owned()))
        }
        told => told.map(|_| ()),
    }
}

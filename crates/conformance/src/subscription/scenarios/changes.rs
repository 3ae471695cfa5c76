//! What becomes of a line, where the runner can change it, and who is told.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    admin::Admin,
    plan::Bearer,
    sink::Received,
    subscription::{
        contract::{About, EventType, Model},
        trial::{Letters, Made, Session, Stop, Told, Trial},
    },
};

pub(super) async fn run(session: &mut Session<'_>) {
    let is_about = |about: &[About]| session.contract.types.iter().any(|known| about.contains(&known.about));
    let (roams, reaches, connects) =
        (is_about(&[About::RoamingOn]), is_about(&[About::ReachabilityData]), is_about(&[About::NetworkType]));
    if roams {
        let rule = "each change of roaming is told to whom it concerns, once, in order, with the network's time";
        session.tries(rule, async |trial: &mut Trial<'_, '_>| changes(trial, &ROAMING).await).await;
    }
    if reaches {
        let rule = "each change of reachability is told to whom it concerns, once, in order, with the network's time";
        session.tries(rule, async |trial: &mut Trial<'_, '_>| changes(trial, &REACHABILITY).await).await;
    }
    if connects {
        let rule = "each change of the network type is told, once, in order, with the network's time";
        session.tries(rule, async |trial: &mut Trial<'_, '_>| changes(trial, &NETWORK_TYPE).await).await;
    }
    if session.contract.model == Model::Sink {
        session.tries("after MAX_EVENTS_REACHED no change is told any more", max_events).await;
    }
}

/// What is done to a line.
#[derive(Clone, Copy)]
enum Change {
    Roam(&'static str),
    Home,
    Reach { data: bool, sms: bool },
}

impl Change {
    async fn make(self, admin: &Admin, http: &reqwest::Client, number: &str) -> Result<Value, String> {
        match self {
            Self::Roam(country) => admin.roam(http, number, country).await,
            Self::Home => admin.home(http, number).await,
            Self::Reach { data, sms } => admin.reach(http, number, data, sms).await,
        }
    }
}

/// A course of changes that ends where it began.
struct Course {
    /// The types that are subscribed to.
    types: &'static [About],
    /// Each change, and of which types an event must come.
    changes: &'static [(Change, &'static [About])],
    /// The field of a line that tells when the network confirmed what is changed.
    confirmed_at: &'static str,
}

const ROAMING: Course = Course {
    types: &[About::RoamingStatus, About::RoamingOn, About::RoamingOff, About::RoamingChangeCountry],
    changes: &[
        (Change::Roam("DE"), &[About::RoamingStatus, About::RoamingOn]),
        (Change::Roam("DE"), &[]),
        (Change::Roam("BE"), &[About::RoamingChangeCountry]),
        (Change::Home, &[About::RoamingStatus, About::RoamingOff]),
        (Change::Home, &[]),
        (Change::Roam("BE"), &[About::RoamingStatus, About::RoamingOn]),
        (Change::Home, &[About::RoamingStatus, About::RoamingOff]),
    ],
    confirmed_at: "serving_confirmed_at",
};

const REACHABILITY: Course = Course {
    types: &[About::ReachabilityData, About::ReachabilitySms, About::ReachabilityDisconnected],
    changes: &[
        (Change::Reach { data: true, sms: false }, &[]),
        (Change::Reach { data: false, sms: true }, &[About::ReachabilitySms]),
        (Change::Reach { data: false, sms: true }, &[]),
        (Change::Reach { data: false, sms: false }, &[About::ReachabilityDisconnected]),
        (Change::Reach { data: true, sms: true }, &[About::ReachabilityData]),
    ],
    confirmed_at: "reachability_confirmed_at",
};

/// Of a line that is out of reach or abroad, the home network cannot tell the technology.
const NETWORK_TYPE: Course = Course {
    types: &[About::NetworkType],
    changes: &[
        (Change::Reach { data: false, sms: false }, &[About::NetworkType]),
        (Change::Reach { data: false, sms: false }, &[]),
        (Change::Reach { data: true, sms: true }, &[About::NetworkType]),
    ],
    confirmed_at: "reachability_confirmed_at",
};

/// A subscription to one type, and what it must be told.
struct Listener {
    event_type: &'static EventType,
    made: Made,
    letters: Letters,
    expected: Vec<Expected>,
}

/// An event that must come.
struct Expected {
    /// The line as it was after the change.
    line: Value,
    /// When the network confirmed the change.
    at: Option<Timestamp>,
}

async fn changes(trial: &mut Trial<'_, '_>, course: &Course) -> Told {
    let (admin, http, line) = (trial.admin()?, trial.http(), trial.known_line()?);
    let mut listeners = Vec::new();
    for event_type in trial.contract.types.iter().filter(|known| course.types.contains(&known.about)) {
        let (made, letters) =
            trial.subscribe(Bearer::TwoLegged, |trial, sink| trial.body(event_type, Some(line), sink)).await?;
        listeners.push(Listener { event_type, made, letters, expected: Vec::new() });
    }
    for (change, concerned) in course.changes {
        let after = change.make(admin, http, &line.phone_number).await.map_err(Stop::Skipped)?;
        let at = after[course.confirmed_at].as_str().and_then(|at| at.parse().ok());
        for listener in listeners.iter_mut().filter(|listener| concerned.contains(&listener.event_type.about)) {
            listener.expected.push(Expected { line: after.clone(), at });
        }
    }
    for listener in &mut listeners {
        for expected in &listener.expected {
            let event = trial.next_is(&mut listener.letters, listener.event_type.name).await?;
            is_told(trial, listener.event_type, expected, &event)?;
        }
        // What comes next is the end, if the version tells it: nothing else was told.
        trial.remove(&listener.made).await?;
        if trial.contract.rules.tells_deletion {
            trial.ends(&mut listener.letters, "SUBSCRIPTION_DELETED").await?;
        } else {
            trial.nothing_more(&mut listener.letters, "although nothing had changed").await?;
        }
    }
    Ok(())
}

/// Whether an event tells of a change, and when the network saw it.
fn is_told(trial: &Trial<'_, '_>, event_type: &EventType, expected: &Expected, event: &Received) -> Told {
    let data = &event.json["data"];
    let is_abroad = expected.line["serving_plmn"] != expected.line["home_plmn"];
    let code = expected.line["serving_plmn"].as_str().and_then(|plmn| plmn.get(..3)?.parse::<u16>().ok());
    let is = |name: &str, expected: Value| {
        let fault = format!("`data.{name}` is {} instead of {expected}", data[name]);
        trial.unless(data[name] == expected, fault, &event.exchange())
    };
    match event_type.about {
        About::RoamingStatus => {
            is("roaming", json!(is_abroad))?;
            let country = if is_abroad { json!(code) } else { Value::Null };
            if !data["countryCode"].is_null() {
                is("countryCode", country)?;
            }
        }
        About::RoamingChangeCountry if !data["countryCode"].is_null() => is("countryCode", json!(code))?,
        About::NetworkType => {
            let is_reachable = expected.line["reachable"].as_array().is_some_and(|by| !by.is_empty());
            let unknown = json!("UNKNOWN");
            is("connectedNetworkType", if is_reachable { expected.line["technology"].clone() } else { unknown })?;
        }
        About::RoamingOn
        | About::RoamingOff
        | About::RoamingChangeCountry
        | About::ReachabilityData
        | About::ReachabilitySms
        | About::ReachabilityDisconnected => {}
    }
    let (Some(at), Some(told)) = (expected.at, event.time()) else { return Ok(()) };
    let is_its_time = at.duration_since(told).abs() < SignedDuration::from_millis(1);
    let fault = format!("`time` is {told}, but the network saw the change at {at}: it is that of the delivery");
    trial.unless(is_its_time, fault, &event.exchange())
}

async fn max_events(trial: &mut Trial<'_, '_>) -> Told {
    let (admin, http, line) = (trial.admin()?, trial.http(), trial.known_line()?);
    let (there, back) = match trial.first_type().about {
        About::ReachabilityData | About::NetworkType => {
            (Change::Reach { data: false, sms: false }, Change::Reach { data: true, sms: true })
        }
        _ => (Change::Roam("DE"), Change::Home),
    };
    let first = trial.first_type();
    let (_, mut limited) = trial
        .subscribe(Bearer::TwoLegged, |trial, sink| {
            let mut body = trial.body(first, Some(line), sink);
            body["config"]["subscriptionMaxEvents"] = json!(1);
            body
        })
        .await?;
    let (_, mut unlimited) =
        trial.subscribe(Bearer::TwoLegged, |trial, sink| trial.body(first, Some(line), sink)).await?;
    let told = async {
        let tells_both_ways = first.about != About::ReachabilityData;
        for change in [there, back, there, back] {
            change.make(admin, http, &line.phone_number).await?;
        }
        Ok::<_, String>(if tells_both_ways { 4 } else { 2 })
    };
    let count = told.await.map_err(Stop::Skipped)?;
    for _ in 0..count {
        trial.next_is(&mut unlimited, first.name).await?;
    }
    trial.next_is(&mut limited, first.name).await?;
    trial.ends(&mut limited, "MAX_EVENTS_REACHED").await?;
    trial.nothing_more(&mut limited, "although the subscription has ended").await
}

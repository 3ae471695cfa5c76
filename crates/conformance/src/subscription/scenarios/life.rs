//! Subscriptions are made, read, listed and deleted, by those to whom they belong.

use serde_json::Value;

use crate::{
    contract::Code,
    plan::Bearer,
    shape::is_date_time,
    subscription::{
        contract::{INVALID, Model},
        judge::{Operation, id_of},
        trial::{Session, Told, Trial},
    },
};

const NOT_FOUND: &[Code] = &[(404, "NOT_FOUND")];

/// What is no identifier of any subscription.
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

pub(super) async fn run(session: &mut Session<'_>) {
    session.tries("a subscription is made as it was asked for, and read as it was made", made_and_read).await;
    session.tries("the list has the subscriptions of the caller", listed).await;
    session.tries("a subscription that is deleted is gone", deleted).await;
    session.tries("a subscription that is not known is 404 NOT_FOUND", unknown).await;
    session
        .tries(
            "an identifier that is none is 404 NOT_FOUND or 400 INVALID_ARGUMENT",
            async |trial: &mut Trial<'_, '_>| {
                let codes = [NOT_FOUND, INVALID].concat();
                let read = trial.get(Bearer::TwoLegged, "not-an-identifier")?;
                trial.is_refused(Operation::Read, read, &codes).await?;
                let delete = trial.delete(Bearer::TwoLegged, "not-an-identifier")?;
                trial.is_refused(Operation::Delete, delete, &codes).await
            },
        )
        .await;
    session.tries("another client's subscription is 404 NOT_FOUND, and not in the list", of_another_client).await;
    session.tries("a 3-legged token sees subscriptions about its own line only", of_another_line).await;
    session.tries("with a 3-legged token no answer names the device", unnamed).await;
}

async fn made_and_read(trial: &mut Trial<'_, '_>) -> Told {
    let line = trial.line()?;
    let sink = trial.sink_url();
    let mut body = trial.body(trial.first_type(), Some(line), &sink);
    if trial.contract.model == Model::Sink {
        body["config"]["subscriptionMaxEvents"] = 5.into();
    }
    let made = trial.create(Bearer::TwoLegged, body).await?;
    let created = made.exchange.response.as_ref();
    if let Some(answer) = created.filter(|response| response.status == 201).and_then(|response| response.json.as_ref())
    {
        is_as_asked(trial, &made.body, answer, &made.exchange)?;
    }
    let read = trial.read(&made).await?;
    let Some(answer) = read.response.as_ref().and_then(|response| response.json.as_ref()) else { return Ok(()) };
    is_as_asked(trial, &made.body, answer, &read)?;
    let id = id_of(answer);
    trial.unless(id == Some(&made.id), format!("the identifier is {id:?} instead of {}", made.id), &read)?;
    let starts_at = answer["startsAt"].as_str();
    trial.unless(starts_at.is_some_and(is_date_time), "`startsAt` is missing, or no date and time", &read)
}

/// Whether an answer has all that was asked for, and as it was.
fn is_as_asked(trial: &Trial<'_, '_>, asked: &Value, answer: &Value, exchange: &crate::Exchange) -> Told {
    match difference("", asked, answer) {
        None => Ok(()),
        Some(fault) => Err(trial.fault(fault, exchange)),
    }
}

/// The first field of what was asked for that an answer has otherwise.
fn difference(path: &str, asked: &Value, answer: &Value) -> Option<String> {
    match (asked, answer) {
        (Value::Object(asked), Value::Object(_)) => asked.iter().find_map(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            difference(&path, value, &answer[name])
        }),
        (Value::String(asked), Value::String(told)) if path.ends_with("phoneNumber") => {
            let is_same = asked.trim_start_matches('+') == told.trim_start_matches('+');
            (!is_same).then(|| format!("`{path}` is {told} instead of {asked}"))
        }
        _ => (asked != answer).then(|| format!("`{path}` is {answer} instead of {asked}")),
    }
}

async fn listed(trial: &mut Trial<'_, '_>) -> Told {
    let body = trial.any_body()?;
    let first = trial.create(Bearer::TwoLegged, body).await?;
    let body = trial.any_body()?;
    let second = trial.create(Bearer::TwoLegged, body).await?;
    let (exchange, list) = trial.list(Bearer::TwoLegged).await?;
    for made in [&first, &second] {
        let is_there = list.iter().any(|one| id_of(one) == Some(&made.id));
        trial.unless(is_there, format!("the list does not have {}, which was just made", made.id), &exchange)?;
    }
    Ok(())
}

async fn deleted(trial: &mut Trial<'_, '_>) -> Told {
    let body = trial.any_body()?;
    let made = trial.create(Bearer::TwoLegged, body).await?;
    let deleted = trial.remove(&made).await?;
    if deleted.response.is_some_and(|response| response.status == 202) {
        return Err(crate::subscription::trial::Stop::Skipped(
            "it is deleted at some later time, as the contract permits".to_owned(),
        ));
    }
    let read = trial.get(Bearer::TwoLegged, &made.id)?;
    trial.is_refused(Operation::Read, read, NOT_FOUND).await?;
    let again = trial.delete(Bearer::TwoLegged, &made.id)?;
    trial.is_refused(Operation::Delete, again, NOT_FOUND).await?;
    let (exchange, list) = trial.list(Bearer::TwoLegged).await?;
    let is_gone = list.iter().all(|one| id_of(one) != Some(&made.id));
    trial.unless(is_gone, "the list still has a subscription that was deleted", &exchange)
}

async fn unknown(trial: &mut Trial<'_, '_>) -> Told {
    let read = trial.get(Bearer::TwoLegged, UNKNOWN)?;
    trial.is_refused(Operation::Read, read, NOT_FOUND).await?;
    let delete = trial.delete(Bearer::TwoLegged, UNKNOWN)?;
    trial.is_refused(Operation::Delete, delete, NOT_FOUND).await
}

async fn of_another_client(trial: &mut Trial<'_, '_>) -> Told {
    let stranger = trial.bearer(Bearer::OtherClient)?;
    let body = trial.any_body()?;
    let made = trial.create(Bearer::TwoLegged, body).await?;
    is_hidden(trial, &made.id, stranger).await?;
    trial.read(&made).await.map(|_| ())
}

async fn of_another_line(trial: &mut Trial<'_, '_>) -> Told {
    let stranger = trial.three_legged(trial.other_line()?)?;
    let body = trial.any_body()?;
    let made = trial.create(Bearer::TwoLegged, body).await?;
    is_hidden(trial, &made.id, stranger).await
}

/// Whether a subscription does not exist for a stranger.
async fn is_hidden(trial: &mut Trial<'_, '_>, id: &str, stranger: Bearer) -> Told {
    let read = trial.get(stranger.clone(), id)?;
    trial.is_refused(Operation::Read, read, NOT_FOUND).await?;
    let delete = trial.delete(stranger.clone(), id)?;
    trial.is_refused(Operation::Delete, delete, NOT_FOUND).await?;
    let (exchange, list) = trial.list(stranger).await?;
    let is_hidden = list.iter().all(|one| id_of(one) != Some(id));
    trial.unless(is_hidden, "the list has a subscription that belongs to somebody else", &exchange)
}

async fn unnamed(trial: &mut Trial<'_, '_>) -> Told {
    let line = trial.line()?;
    let bearer = trial.three_legged(line)?;
    let sink = trial.sink_url();
    let named = (!trial.contract.rules.token_alone.is_empty()).then_some(line);
    let body = trial.body(trial.first_type(), named, &sink);
    let made = trial.create(bearer.clone(), body).await?;
    let read = trial.read(&made).await?;
    let (listed, _) = trial.list(bearer).await?;
    // Who made it by a token for a line was not told the line, so its own token does not tell it either.
    let itself = trial.get(Bearer::TwoLegged, &made.id)?;
    let itself = trial.ask(Operation::Read, itself).await?;
    let digits = line.phone_number.trim_start_matches('+');
    for exchange in [&made.exchange, &read, &listed, &itself] {
        let body = exchange.response.as_ref().map(|response| response.body.as_str()).unwrap_or_default();
        let names_it = body.contains("\"device\"") || body.contains(digits);
        trial.unless(
            !names_it,
            "`device` is told, although the subscription was made with a 3-legged token",
            exchange,
        )?;
    }
    Ok(())
}

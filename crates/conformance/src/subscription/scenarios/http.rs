//! Correlators, methods, media types and paths.

use crate::{
    contract::Code,
    plan::{Ask, Bearer, Correlator},
    subscription::{
        contract::INVALID,
        judge::Operation,
        trial::{Session, Told, Trial},
    },
};

/// What no pattern allows.
const BAD: &str = "not a correlator!";

const METHOD_NOT_ALLOWED: &[Code] = &[(405, "")];
const UNSUPPORTED_MEDIA_TYPE: &[Code] = &[(415, "UNSUPPORTED_MEDIA_TYPE"), (400, "INVALID_ARGUMENT")];
const NOT_FOUND: &[Code] = &[(404, "NOT_FOUND")];

pub(super) async fn run(session: &mut Session<'_>) {
    if let Some(pattern) = session.contract.correlator {
        session
            .tries("the longest correlator is repeated", async |trial: &mut Trial<'_, '_>| {
                let longest: String = match trial.contract.version {
                    "0.8" | "0.2" => "aZ09-_:;./<>{}".chars().cycle().take(256).collect(),
                    _ => "aZ09-".chars().cycle().take(55).collect(),
                };
                let ask = Ask { correlator: Correlator::This(longest.clone()), ..trial.get_list(Bearer::TwoLegged)? };
                let exchange = trial.ask(Operation::List, ask).await?;
                trial.is_status(&exchange, &[200])?;
                let told = exchange.response.as_ref().and_then(|response| response.header("x-correlator"));
                trial.unless(
                    told == Some(&longest),
                    format!("x-correlator is {told:?}, not that of the request"),
                    &exchange,
                )
            })
            .await;
        session
            .tries("a request without correlator is answered", async |trial: &mut Trial<'_, '_>| {
                let ask = Ask { correlator: Correlator::Missing, ..trial.get_list(Bearer::TwoLegged)? };
                let exchange = trial.ask(Operation::List, ask).await?;
                trial.is_status(&exchange, &[200])
            })
            .await;
        if !(pattern.matches)(BAD) {
            session
                .refuses("a correlator that its pattern excludes", INVALID, Operation::Create, async |trial| {
                    let body = trial.any_body()?;
                    Ok(Ask { correlator: Correlator::This(BAD.to_owned()), ..trial.post(Bearer::TwoLegged, &body)? })
                })
                .await;
        }
    }
    session.tries("another method is 405", other_methods).await;
    session
        .refuses("a body that is not declared as JSON", UNSUPPORTED_MEDIA_TYPE, Operation::Create, async |trial| {
            let body = trial.any_body()?;
            Ok(Ask { content_type: "text/plain", ..trial.post(Bearer::TwoLegged, &body)? })
        })
        .await;
    session
        .refuses("an unknown path below", NOT_FOUND, Operation::Unknown, async |trial| {
            trial.get(Bearer::TwoLegged, "00000000-0000-4000-8000-000000000000/nothing-here")
        })
        .await;
}

async fn other_methods(trial: &mut Trial<'_, '_>) -> Told {
    let all = trial.get_list(Bearer::TwoLegged)?;
    let one = trial.get(Bearer::TwoLegged, "00000000-0000-4000-8000-000000000000")?;
    for (method, ask) in [("PUT", &all), ("DELETE", &all), ("PATCH", &one), ("POST", &one)] {
        let ask = Ask { method, body: Some("{}".to_owned()), ..ask.clone() };
        trial.is_refused(Operation::Unknown, ask, METHOD_NOT_ALLOWED).await?;
    }
    Ok(())
}

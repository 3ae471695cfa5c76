//! Who may ask.

use crate::{
    contract::Code,
    plan::{Ask, Bearer},
    scenarios::named,
    subscription::{
        judge::Operation,
        trial::{Session, Told, Trial},
    },
};

/// Whatever is asked for, about whichever subscription.
const OPERATIONS: [Operation; 4] = [Operation::Create, Operation::List, Operation::Read, Operation::Delete];
const PERMISSION_DENIED: &[Code] = &[(403, "PERMISSION_DENIED")];

pub(super) async fn run(session: &mut Session<'_>) {
    let rules = session.contract.rules;
    for (what, bearer, codes) in [
        ("a request without credentials", Bearer::Missing, rules.unauthenticated),
        ("another scheme than Bearer", Bearer::OtherScheme, rules.unauthenticated),
        ("a malformed token", Bearer::Malformed, rules.unauthenticated),
        ("an expired token", Bearer::Expired, rules.expired),
        ("a token of another issuer", Bearer::Foreign, rules.unauthenticated),
        ("a token without the scopes", Bearer::WithoutScope, PERMISSION_DENIED),
    ] {
        session
            .tries(format!("{what} is {}, whatever is asked for", named(codes)), async |trial: &mut Trial<'_, '_>| {
                for operation in OPERATIONS {
                    let ask = asking(trial, operation, bearer.clone()).await?;
                    trial.is_refused(operation, ask, codes).await?;
                }
                Ok(())
            })
            .await;
    }
    session.tries("a token that may only read neither makes nor deletes: 403 PERMISSION_DENIED", only_read).await;
    session
        .tries("a client over its rate limit is 429 TOO_MANY_REQUESTS", async |trial: &mut Trial<'_, '_>| {
            over(trial, Bearer::OverRate, &[(429, "TOO_MANY_REQUESTS")]).await
        })
        .await;
    session
        .tries("a client with a used-up quota is 429 QUOTA_EXCEEDED", async |trial: &mut Trial<'_, '_>| {
            over(trial, Bearer::OverQuota, &[(429, "QUOTA_EXCEEDED")]).await
        })
        .await;
}

async fn asking(trial: &mut Trial<'_, '_>, operation: Operation, bearer: Bearer) -> Told<Ask> {
    match operation {
        Operation::Create | Operation::Unknown => {
            let body = trial.any_body()?;
            trial.post(bearer, &body)
        }
        Operation::List => trial.get_list(bearer),
        Operation::Read | Operation::Delete => {
            let owner = trial.bearer(Bearer::TwoLegged);
            let id = match owner {
                Ok(owner) => {
                    let body = trial.any_body()?;
                    trial.create(owner, body).await?.id
                }
                Err(_) => "00000000-0000-4000-8000-000000000000".to_owned(),
            };
            if operation == Operation::Read { trial.get(bearer, &id) } else { trial.delete(bearer, &id) }
        }
    }
}

async fn only_read(trial: &mut Trial<'_, '_>) -> Told {
    let target = trial.runner.target();
    if target.tokens.two_legged.is_some() || target.client.is_none() {
        let reason = "a token for one scope of several must be fetched, for which no client is given (client)";
        return Err(crate::subscription::trial::Stop::Skipped(reason.to_owned()));
    }
    for operation in [Operation::Create, Operation::Delete] {
        let ask = asking(trial, operation, Bearer::TwoLegged).await?;
        let exchange = trial.ask_with(trial.contract.read_scope, operation, ask).await?;
        // A token without the scope for any type is as good as one without that for this type.
        let codes = [PERMISSION_DENIED, trial.contract.rules.mismatch].concat();
        trial.is_code(&exchange, if operation == Operation::Create { &codes } else { PERMISSION_DENIED })?;
    }
    Ok(())
}

/// Whoever is not over it yet is so by the first request.
async fn over(trial: &mut Trial<'_, '_>, bearer: Bearer, codes: &[Code]) -> Told {
    let first = trial.get_list(bearer.clone())?;
    trial.ask(Operation::List, first).await?;
    let second = trial.get_list(bearer)?;
    trial.is_refused(Operation::List, second, codes).await
}

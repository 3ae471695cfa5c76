//! Consent: may this client use this line, for this purpose and by these scopes?
//!
//! [`settle`] answers when a token is asked for: by the operator's policy, and by what the subject has said.
//! [`ConsentBook`] answers whenever a token is used or renewed: a token is good as long as the
//! consents that it rests on are in force, so whatever ends one ends the tokens at once, and no later consent
//! revives them. Uses that need no
//! consent stand in the book as well, under their legal basis: the subject can see them, and object where
//! that basis lets them.

mod book;

use attache_core::{
    AuditEvent, AuditRecord, Client, Consent, ConsentState, LegalBasis, LineId, Plmn, Problem, Purpose, Scope,
};
use attache_wire::{PUBLISHERS, Publisher};

pub(crate) use book::{Answer, ConsentBook};

use crate::{app::App, sandbox, token::Token};

/// What a client wants to use.
#[derive(Clone, Copy)]
pub(crate) struct Use<'a> {
    pub(crate) client: &'a Client,
    pub(crate) line: LineId,
    pub(crate) purpose: &'a Purpose,
    pub(crate) scopes: &'a [Scope],
}

/// How a use stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// It is permitted, and stands in the book.
    Permitted,
    /// The subject has to be asked.
    NeedsConsent,
    /// The subject was asked just now, and said no.
    Denied,
    /// The subject has objected, and is not asked.
    Refused,
}

/// Judges a use. What needs no consent begins herewith; in a sandbox, a subscriber who has an answer ready
/// has given it herewith.
///
/// # Errors
/// [`Problem::UnknownLine`] when the line is gone; what can happen to the store.
pub(crate) async fn settle(app: &App, wanted: Use<'_>) -> Result<Standing, Problem> {
    let standing = judge(app, wanted).await?;
    if standing != Standing::NeedsConsent || !app.is_sandbox() {
        return Ok(standing);
    }
    match sandbox::ready_answer(app, wanted.line) {
        Some(true) => grant(app, wanted).await.map(|()| Standing::Permitted),
        Some(false) => deny(app, wanted).await.map(|()| Standing::Denied),
        None => Ok(Standing::NeedsConsent),
    }
}

/// Whether any of a use is the subject's to permit, or all of it has another basis.
pub(crate) async fn can_be_asked(app: &App, wanted: Use<'_>) -> Result<bool, Problem> {
    let home = app.network.profile(wanted.line).await?.home;
    Ok(bases(app, wanted, home).any(|(_, basis)| basis.needs_consent()))
}

/// The legal basis of a use, for its record: consent, if any of it needs that.
pub(crate) async fn basis(app: &App, wanted: Use<'_>) -> Option<LegalBasis> {
    let home = app.network.profile(wanted.line).await.ok()?.home;
    let mut all = bases(app, wanted, home).map(|(_, basis)| basis);
    let first = all.next()?;
    Some(if all.any(LegalBasis::needs_consent) { LegalBasis::Consent } else { first })
}

/// The legal basis of a use by a client that was not identified to the subject, and so asked nobody: the one of
/// the policy, if that is not consent.
pub(crate) fn basis_unasked(app: &App, home: Plmn, api: &str, purpose: &Purpose) -> Option<LegalBasis> {
    Some(app.policy.basis(home, api, purpose)).filter(|basis| !basis.needs_consent())
}

/// Whether a client that was not identified to the subject may use a line: nobody was asked for that, but who has said
/// no to just this use is not passed over.
///
/// # Errors
/// [`Problem::SubjectRefuses`].
pub(crate) fn permit_unasked(app: &App, token: &Token, line: LineId, scope: &Scope) -> Result<(), Problem> {
    let said = app.consents.find(token.client, line, &token.purpose, scope);
    if said.is_none_or(|said| said.is_in_force()) { Ok(()) } else { Err(Problem::SubjectRefuses) }
}

/// As [`settle`], but nobody has an answer ready.
async fn judge(app: &App, wanted: Use<'_>) -> Result<Standing, Problem> {
    let home = app.network.profile(wanted.line).await?.home;
    let mut begins = false;
    for (scope, basis) in bases(app, wanted, home) {
        let said = app.consents.find(wanted.client.id, wanted.line, wanted.purpose, scope);
        let is_in_force = said.as_ref().is_some_and(Consent::is_in_force);
        let is_on_basis = said.is_some_and(|said| said.basis == basis);
        if basis.needs_consent() {
            if !is_in_force || !is_on_basis {
                return Ok(Standing::NeedsConsent);
            }
        } else if basis.can_be_ended() && is_on_basis && !is_in_force {
            return Ok(Standing::Refused);
        }
        begins |= !is_in_force || !is_on_basis;
    }
    if begins {
        grant(app, wanted).await?;
    }
    Ok(Standing::Permitted)
}

/// Writes down that the subject has said yes, and that what needs no yes has begun.
pub(crate) async fn grant(app: &App, wanted: Use<'_>) -> Result<(), Problem> {
    let home = app.network.profile(wanted.line).await?.home;
    let at = app.clock.now();
    let granted = bases(app, wanted, home)
        .map(|(scope, basis)| consent(wanted, scope, basis, ConsentState::Granted { at }))
        .collect();
    record(app, wanted.line, granted).await
}

/// Writes down that the subject has said no to what needs a yes.
pub(crate) async fn deny(app: &App, wanted: Use<'_>) -> Result<(), Problem> {
    let home = app.network.profile(wanted.line).await?.home;
    let at = app.clock.now();
    let denied = bases(app, wanted, home)
        .filter(|(_, basis)| basis.needs_consent())
        .map(|(scope, basis)| consent(wanted, scope, basis, ConsentState::Denied { at }))
        .collect();
    record(app, wanted.line, denied).await
}

/// Ends those consents of a line that `is_meant` says, as far as they are the subject's to end, and returns
/// them. Whatever rests on them ends at once.
pub(crate) async fn withdraw(
    app: &App,
    line: LineId,
    is_meant: impl Fn(&Consent) -> bool + Send + 'static,
) -> Result<Vec<Consent>, Problem> {
    let at = app.clock.now();
    let withdraw = move |said: &[Consent]| {
        said.iter().filter(|consent| is_meant(consent)).filter_map(|consent| consent.withdrawn(at)).collect()
    };
    let withdrawn = app.consents.change(line, withdraw).await?;
    settle_change(app, &withdrawn).await?;
    Ok(withdrawn)
}

async fn record(app: &App, line: LineId, consents: Vec<Consent>) -> Result<(), Problem> {
    let recorded = app.consents.change(line, |_| consents).await?;
    settle_change(app, &recorded).await
}

/// Leaves a record of each change, and revokes what rests on consents that have ended, so that it doesn't begin
/// anew with another yes.
async fn settle_change(app: &App, changed: &[Consent]) -> Result<(), Problem> {
    for consent in changed {
        let Some(client) = app.clients.get(consent.client) else { continue };
        let event = match consent.state {
            ConsentState::Granted { .. } => AuditEvent::ConsentGranted,
            ConsentState::Denied { .. } => AuditEvent::ConsentDenied,
            ConsentState::Withdrawn { .. } => AuditEvent::ConsentWithdrawn,
        };
        let told = AuditRecord {
            publisher: Some(&client.publisher),
            client_id: Some(&client.client_id),
            subject: Some(consent.line),
            scopes: std::slice::from_ref(&consent.scope),
            purpose: Some(&consent.purpose),
            legal_basis: Some(consent.basis),
            ..AuditRecord::new(app.clock.now(), event, consent.state.as_str())
        };
        app.record(told).await?;
        if consent.is_in_force() {
            continue;
        }
        let revoked = app.tokens.withdraw(consent, consent.state.at()).await?;
        if revoked > 0 {
            let (action, event) = (event.name(), AuditEvent::TokenRevoked);
            app.record(AuditRecord { action, event, outcome: "revoked", count: u64::try_from(revoked).ok(), ..told })
                .await?;
        }
    }
    Ok(())
}

fn consent(wanted: Use<'_>, scope: &Scope, basis: LegalBasis, state: ConsentState) -> Consent {
    Consent {
        line: wanted.line,
        client: wanted.client.id,
        purpose: wanted.purpose.clone(),
        scope: scope.clone(),
        basis,
        state,
    }
}

/// On what basis each scope may be used.
fn bases<'a>(app: &'a App, wanted: Use<'a>, home: Plmn) -> impl Iterator<Item = (&'a Scope, LegalBasis)> {
    let publisher = PUBLISHERS.iter().find(|publisher| publisher.name == wanted.client.publisher);
    wanted.scopes.iter().map(move |scope| {
        let api = publisher.map_or("", |publisher| api_of(publisher, scope));
        (scope, app.policy.basis(home, api, wanted.purpose))
    })
}

/// The API that a scope is for: of several, the first that its publisher names.
fn api_of(publisher: &Publisher, scope: &Scope) -> &'static str {
    let queried = publisher.faces.iter().find(|face| face.scope == *scope).map(|face| face.api);
    let subscribed = || publisher.subscriptions.iter().find(|face| face.scopes().any(|own| own == scope));
    queried.or_else(|| subscribed().map(|face| face.api)).unwrap_or_default()
}

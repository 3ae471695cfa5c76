use attache_core::{LineId, Problem};
use attache_wire::{Publisher, oauth::OAuthError};

use super::Refused;
use crate::app::App;

/// How a hint begins that is an operator token.
const OPERATOR_TOKEN: &str = "operatortoken:";

/// The line that a `login_hint` means: one of the forms of the CAMARA profile ("Format of `login_hint`"), or
/// of the publisher's own. An operator token is spent by this, so it comes after whatever else may be wrong
/// with a request.
///
/// # Errors
/// [`Problem::FieldInvalid`] when it has no such form, [`Problem::UnknownLine`] when it names no line,
/// [`Problem::IdentifierUnsupported`] when the network does not know that form; and what can happen to a
/// network.
pub(super) async fn identify(app: &App, publisher: &Publisher, hint: &str) -> Result<LineId, Problem> {
    match (hint.strip_prefix(OPERATOR_TOKEN), &app.operator_tokens) {
        (None, _) => app.network.identify(&(publisher.authorization.read_login_hint)(hint)?).await,
        (Some(token), Some(operator_tokens)) => operator_tokens.redeem(token).await,
        (Some(_), None) => Err(Problem::IdentifierUnsupported),
    }
}

/// The refusal of a hint that means no line: an operator token is a credential, a number is none.
pub(super) fn refusal(hint: &str, error: OAuthError) -> Refused {
    if hint.starts_with(OPERATOR_TOKEN) { Refused::Credential(error) } else { error.into() }
}

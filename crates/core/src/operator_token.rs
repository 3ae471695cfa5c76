use async_trait::async_trait;

use crate::{LineId, Problem};

/// Knows which line an operator token stands for: the token by which the operator vouches, towards an
/// application, for the subscription of the device that the application runs on (GSMA TS.43 and ASAC.01;
/// CAMARA Security and Interoperability Profile, "Format of `login_hint`"). Its form is the operator's own.
#[async_trait]
pub trait OperatorTokens: Send + Sync {
    /// The line that a token was issued for. A token that is good once is spent by this.
    ///
    /// # Errors
    /// [`Problem::UnknownLine`] when the operator issued no such token, or it is spent or expired; and what
    /// can happen to a network.
    async fn redeem(&self, token: &str) -> Result<LineId, Problem>;
}

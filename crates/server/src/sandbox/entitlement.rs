use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use attache_core::{Clock, LineId, OperatorTokens, Problem, Timestamp};

use crate::{
    entropy::{self, NoEntropy},
    token::hash,
};

/// How long an operator token is good.
const LIFETIME: Duration = Duration::from_mins(10);

/// Stands for the operator's entitlement server, which gives a device the tokens that tell its line
/// (GSMA TS.43). Here the developer asks for one in the device's place.
///
/// A token is good once, for ten minutes, and as long as this server runs.
pub(crate) struct Entitlement {
    clock: Arc<dyn Clock>,
    /// By the hash of the token: whose it is, and until when.
    issued: Mutex<HashMap<[u8; 32], (LineId, Timestamp)>>,
}

impl Entitlement {
    /// One that has issued nothing.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, issued: Mutex::default() }
    }

    /// Issues a token for a line, and tells until when it is good.
    pub(crate) fn issue(&self, line: LineId) -> Result<(String, Timestamp), NoEntropy> {
        let token = entropy::secret()?;
        let now = self.clock.now();
        let expires_at = now.plus(LIFETIME);
        let mut issued = self.lock();
        issued.retain(|_, (_, until)| *until > now);
        issued.insert(hash(&token), (line, expires_at));
        Ok((token, expires_at))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], (LineId, Timestamp)>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl OperatorTokens for Entitlement {
    async fn redeem(&self, token: &str) -> Result<LineId, Problem> {
        match self.lock().remove(&hash(token)) {
            Some((line, expires_at)) if expires_at > self.clock.now() => Ok(line),
            _ => Err(Problem::UnknownLine),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[derive(Default)]
    struct Turned(AtomicI64);

    impl Clock for Turned {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_seconds(self.0.load(Ordering::Relaxed))
        }
    }

    #[tokio::test]
    async fn an_operator_token_is_good_once_and_for_ten_minutes() {
        let clock = Arc::new(Turned::default());
        let entitlement = Entitlement::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let line = LineId::from_bytes([7; 16]);
        let (token, expires_at) = entitlement.issue(line).unwrap();
        assert_eq!(expires_at, Timestamp::from_unix_seconds(600));
        assert_eq!(entitlement.redeem("another").await, Err(Problem::UnknownLine));
        assert_eq!(entitlement.redeem(&token).await, Ok(line));
        assert_eq!(entitlement.redeem(&token).await, Err(Problem::UnknownLine));
        let (token, _) = entitlement.issue(line).unwrap();
        clock.0.store(600, Ordering::Relaxed);
        assert_eq!(entitlement.redeem(&token).await, Err(Problem::UnknownLine));
    }
}

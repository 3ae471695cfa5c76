//! What may be used once: the assertions and the proofs that clients sign. Each is remembered, over
//! restarts as well, for as long as it would be taken again otherwise.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use attache_core::{Problem, StoreError, Timestamp, UsedTokens};
use aws_lc_rs::digest;

/// As many are remembered at most, in some 100 MB. When there are more, new ones are refused: to forget
/// one would let it be used again. Only what a registered client has signed gets here.
const MOST: usize = 1_000_000;

/// What was used and may not be again.
pub(crate) struct UsedOnce {
    store: Arc<dyn UsedTokens>,
    /// By the hash of who made it and its `jti`, until when it would be taken.
    used: Mutex<HashMap<[u8; 32], Timestamp>>,
}

impl UsedOnce {
    /// Reads what was used from its store.
    pub(crate) fn load(store: Arc<dyn UsedTokens>) -> Result<Self, StoreError> {
        let used = Mutex::new(store.load()?.into_iter().collect());
        Ok(Self { store, used })
    }

    /// Uses what `maker` made as its `jti`, which nobody takes from `until` on; `false` when it was
    /// used before.
    ///
    /// # Errors
    /// [`Problem::Overloaded`] when no more can be remembered, [`Problem::StoreUnavailable`].
    pub(crate) async fn spend(
        &self,
        maker: &[u8],
        jti: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Problem> {
        let key = key(maker, jti);
        {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            if used.get(&key).is_some_and(|until| now < *until) {
                return Ok(false);
            }
            if used.len() >= MOST {
                tracing::error!(remembered = used.len(), "no more used assertions can be remembered");
                return Err(Problem::Overloaded);
            }
            used.insert(key, until);
        }
        self.store.add(key, until).await?;
        Ok(true)
    }

    /// Forgets what nobody takes any more.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let is_any_over = {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            let before = used.len();
            used.retain(|_, until| now < *until);
            used.len() < before
        };
        if is_any_over { self.store.forget(now).await } else { Ok(()) }
    }
}

/// Two makers, or two lengths of them, never share a key.
fn key(maker: &[u8], jti: &str) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&u64::try_from(maker.len()).unwrap_or(u64::MAX).to_be_bytes());
    context.update(maker);
    context.update(jti.as_bytes());
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    key
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;

    /// A store that forgets nothing.
    #[derive(Default)]
    struct Memory(Mutex<HashMap<[u8; 32], Timestamp>>);

    #[async_trait]
    impl UsedTokens for Memory {
        fn load(&self) -> Result<Vec<([u8; 32], Timestamp)>, StoreError> {
            Ok(self.0.lock().unwrap().iter().map(|(key, until)| (*key, *until)).collect())
        }
        async fn add(&self, key: [u8; 32], until: Timestamp) -> Result<(), StoreError> {
            self.0.lock().unwrap().insert(key, until);
            Ok(())
        }
        async fn forget(&self, now: Timestamp) -> Result<(), StoreError> {
            self.0.lock().unwrap().retain(|_, until| now < *until);
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_was_used_is_not_used_again_until_its_time_is_over_nor_after_a_restart() {
        let at = Timestamp::from_unix_seconds;
        let memory = Arc::new(Memory::default());
        let used = UsedOnce::load(Arc::clone(&memory) as Arc<dyn UsedTokens>).unwrap();
        assert_eq!(used.spend(b"shop", "1", at(10), at(0)).await, Ok(true));
        assert_eq!(used.spend(b"shop", "1", at(10), at(9)).await, Ok(false));
        assert_eq!(used.spend(b"shop", "2", at(10), at(9)).await, Ok(true));
        assert_eq!(used.spend(b"bank", "1", at(10), at(9)).await, Ok(true));
        assert_eq!(used.spend(b"shop1", "", at(10), at(9)).await, Ok(true));
        let restarted = UsedOnce::load(Arc::clone(&memory) as Arc<dyn UsedTokens>).unwrap();
        assert_eq!(restarted.spend(b"shop", "1", at(10), at(9)).await, Ok(false));
        restarted.sweep(at(10)).await.unwrap();
        assert!(memory.0.lock().unwrap().is_empty());
        assert_eq!(restarted.spend(b"shop", "1", at(20), at(10)).await, Ok(true));
    }
}

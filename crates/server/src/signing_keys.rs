//! The keys that sign tokens, and how one follows another.
//!
//! A new key is published at once, and signs when everyone who caches the published keys has had time to
//! learn of it: after the *notice*. The one before it signs until then, and stays published until the last
//! token that it signed has expired. So nobody who verifies ever meets a token of a key that is not there.
//! A key that is *retired* is out at once, with all tokens that it signed: for one that has leaked.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use attache_core::{Clock, SealedKey, SealedKeys, StoreError, Timestamp};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use serde::Serialize;

use crate::{
    entropy::NoEntropy,
    keyring::{Keyring, WrongSecretsKey},
};

/// Why keys cannot be changed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each is told by its message")]
pub enum KeyError {
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    #[error(transparent)]
    SecretsKey(#[from] WrongSecretsKey),
    #[error("the signing keys could not be stored")]
    Store(#[from] StoreError),
}

/// A key that signs tokens, in the forms in which it is needed.
pub(crate) struct SigningKey {
    stored: SealedKey,
    pair: EcdsaKeyPair,
    decoding: DecodingKey,
    public: Jwk,
}

/// What a key does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KeyState {
    /// It is published, and will sign.
    Next,
    /// It signs.
    Signing,
    /// It has signed: it is published until then, when its last token will have expired.
    Verifying { until: Timestamp },
}

impl SigningKey {
    /// Draws a new P-256 key.
    fn generate(keyring: &Keyring, now: Timestamp, signs_from: Timestamp, life: Duration) -> Result<Self, KeyError> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pkcs8 = pkcs8.map_err(|_| NoEntropy)?;
        let stored = SealedKey {
            id: String::new(),
            sealed: keyring.seal(pkcs8.as_ref())?,
            created_at: now,
            signs_from,
            token_lifetime: life,
        };
        Ok(Self::read(stored, pkcs8.as_ref())?)
    }

    /// Reads a key as it was stored.
    fn open(keyring: &Keyring, stored: SealedKey) -> Result<Self, WrongSecretsKey> {
        let pkcs8 = keyring.open(&stored.sealed)?;
        Self::read(stored, &pkcs8)
    }

    /// Reads a key from PKCS#8. Its identifier is its thumbprint (RFC 7638).
    fn read(mut stored: SealedKey, pkcs8: &[u8]) -> Result<Self, WrongSecretsKey> {
        let encoding = EncodingKey::from_ec_der(pkcs8);
        let mut public = Jwk::from_encoding_key(&encoding, Algorithm::ES256).map_err(|_| WrongSecretsKey)?;
        stored.id = public.thumbprint(ThumbprintHash::SHA256).map_err(|_| WrongSecretsKey)?;
        public.common.key_id = Some(stored.id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        let decoding = DecodingKey::from_jwk(&public).map_err(|_| WrongSecretsKey)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(|_| WrongSecretsKey)?;
        Ok(Self { stored, pair, decoding, public })
    }

    /// Its identifier, `kid`.
    pub(crate) fn id(&self) -> &str {
        &self.stored.id
    }

    /// When it was made.
    pub(crate) const fn created_at(&self) -> Timestamp {
        self.stored.created_at
    }

    /// From when on it signs.
    pub(crate) const fn signs_from(&self) -> Timestamp {
        self.stored.signs_from
    }

    /// What its signatures are verified with.
    pub(crate) const fn verifier(&self) -> &DecodingKey {
        &self.decoding
    }

    /// A JSON Web Token of these claims, of a type (RFC 7519 section 5.1); `None` if it cannot be signed.
    ///
    /// The key is kept ready: to read it anew for each token would take as long as to sign.
    pub(crate) fn sign(&self, kind: &str, claims: &impl Serialize) -> Option<String> {
        #[derive(Serialize)]
        struct Header<'a> {
            typ: &'a str,
            alg: &'static str,
            kid: &'a str,
        }
        let header = serde_json::to_vec(&Header { typ: kind, alg: "ES256", kid: self.id() }).ok()?;
        let claims = serde_json::to_vec(claims).ok()?;
        // A signature has 64 bytes, which are 86 characters.
        let mut token = String::with_capacity((header.len() + claims.len()) * 4 / 3 + 96);
        URL_SAFE_NO_PAD.encode_string(header, &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.pair.sign(&SystemRandom::new(), token.as_bytes()).ok()?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Some(token)
    }
}

/// The keys in force, the newest first. There is always one.
pub(crate) struct SigningKeys {
    store: Arc<dyn SealedKeys>,
    keyring: Arc<Keyring>,
    keys: ArcSwap<Vec<Arc<SigningKey>>>,
    /// How long a new key is published before it signs.
    notice: Duration,
    /// The longest life of a token.
    token_lifetime: Duration,
    /// Changes follow one another.
    changing: tokio::sync::Mutex<()>,
}

impl SigningKeys {
    /// Reads them from their store; the first one is drawn on the first start.
    pub(crate) async fn load(
        store: Arc<dyn SealedKeys>,
        keyring: Arc<Keyring>,
        clock: &dyn Clock,
        notice: Duration,
        token_lifetime: Duration,
    ) -> Result<Self, KeyError> {
        let mut stored = store.load()?;
        let now = clock.now();
        let keys = if stored.is_empty() {
            let first = SigningKey::generate(&keyring, now, now, token_lifetime)?;
            store.change(vec![first.stored.clone()], Vec::new()).await?;
            vec![Arc::new(first)]
        } else {
            // From now on each may sign for as long as is configured now.
            let grown: Vec<_> = stored
                .iter_mut()
                .filter(|key| key.token_lifetime < token_lifetime)
                .map(|key| {
                    key.token_lifetime = token_lifetime;
                    key.clone()
                })
                .collect();
            if !grown.is_empty() {
                store.change(grown, Vec::new()).await?;
            }
            let open = |key| SigningKey::open(&keyring, key).map(Arc::new);
            stored.into_iter().map(open).collect::<Result<_, _>>()?
        };
        Ok(Self {
            store,
            keyring,
            keys: ArcSwap::from_pointee(keys),
            notice,
            token_lifetime,
            changing: tokio::sync::Mutex::new(()),
        })
    }

    /// How long a cache may keep the published keys: so that it has asked again before a new one signs.
    pub(crate) fn cached_for(&self) -> Duration {
        self.notice / 2
    }

    /// The key that signs now.
    pub(crate) fn signing(&self, now: Timestamp) -> Option<Arc<SigningKey>> {
        let keys = self.keys.load();
        signing(&keys, now).and_then(|index| keys.get(index).cloned())
    }

    /// The key of this identifier.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<SigningKey>> {
        self.keys.load().iter().find(|key| key.id() == id).cloned()
    }

    /// The public keys, for everyone who verifies a token (RFC 7517).
    pub(crate) fn public(&self) -> JwkSet {
        JwkSet { keys: self.keys.load().iter().map(|key| key.public.clone()).collect() }
    }

    /// All keys with what they do, the newest first.
    pub(crate) fn list(&self, now: Timestamp) -> Vec<(Arc<SigningKey>, KeyState)> {
        let keys = self.keys.load();
        (0..keys.len()).map(|index| (Arc::clone(&keys[index]), state(&keys, index, now))).collect()
    }

    /// Makes a new key, which signs after the notice, or at once.
    pub(crate) async fn rotate(&self, now: Timestamp, at_once: bool) -> Result<Arc<SigningKey>, KeyError> {
        let _changing = self.changing.lock().await;
        let signs_from = if at_once { now } else { now.plus(self.notice) };
        let key = Arc::new(SigningKey::generate(&self.keyring, now, signs_from, self.token_lifetime)?);
        self.store.change(vec![key.stored.clone()], Vec::new()).await?;
        self.replace(|keys| keys.insert(0, Arc::clone(&key)));
        Ok(key)
    }

    /// Makes a new key when the newest has reached an age.
    pub(crate) async fn rotate_when(&self, age: Duration, now: Timestamp) -> Result<(), KeyError> {
        let newest = self.keys.load().first().map(|key| key.created_at());
        if newest.is_some_and(|created_at| created_at.plus(age) <= now) {
            let key = self.rotate(now, false).await?;
            tracing::info!(key = key.id(), signs_from = %key.signs_from(), "a new signing key is published");
        }
        Ok(())
    }

    /// Takes a key out, and with it all tokens that it signed. If it signs, the next one does from now on, and
    /// a new one if there is none. `false` if there is no such key.
    pub(crate) async fn retire(&self, id: &str, now: Timestamp) -> Result<bool, KeyError> {
        let _changing = self.changing.lock().await;
        let keys = self.keys.load_full();
        let Some(index) = keys.iter().position(|key| key.id() == id) else { return Ok(false) };
        let successor = if signing(&keys, now) != Some(index) {
            None
        } else if let Some(next) = index.checked_sub(1).and_then(|next| keys.get(next)) {
            let promoted = SealedKey { signs_from: now, ..next.stored.clone() };
            Some(SigningKey::open(&self.keyring, promoted)?)
        } else {
            Some(SigningKey::generate(&self.keyring, now, now, self.token_lifetime)?)
        };
        let put = successor.iter().map(|key| key.stored.clone()).collect();
        self.store.change(put, vec![id.to_owned()]).await?;
        self.replace(|keys| {
            keys.retain(|key| key.id() != id);
            if let Some(successor) = successor {
                match keys.iter().position(|key| key.id() == successor.id()) {
                    Some(place) => keys[place] = Arc::new(successor),
                    None => keys.insert(0, Arc::new(successor)),
                }
            }
        });
        Ok(true)
    }

    /// Forgets the keys whose last tokens have expired.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<(), KeyError> {
        let _changing = self.changing.lock().await;
        let is_over = |state| matches!(state, KeyState::Verifying { until } if until <= now);
        let over: Vec<String> = self
            .list(now)
            .into_iter()
            .filter(|(_, state)| is_over(*state))
            .map(|(key, _)| key.id().to_owned())
            .collect();
        if over.is_empty() {
            return Ok(());
        }
        self.store.change(Vec::new(), over.clone()).await?;
        self.replace(|keys| keys.retain(|key| !over.iter().any(|id| id == key.id())));
        Ok(())
    }

    fn replace(&self, change: impl FnOnce(&mut Vec<Arc<SigningKey>>)) {
        let mut keys = self.keys.load().to_vec();
        change(&mut keys);
        self.keys.store(Arc::new(keys));
    }
}

/// Which of these, the newest first, signs now: the newest whose time has come, or the one that is next.
fn signing(keys: &[Arc<SigningKey>], now: Timestamp) -> Option<usize> {
    keys.iter().position(|key| key.signs_from() <= now).or_else(|| keys.len().checked_sub(1))
}

/// What one of these does.
fn state(keys: &[Arc<SigningKey>], index: usize, now: Timestamp) -> KeyState {
    let signing = signing(keys, now).unwrap_or(0);
    match index.cmp(&signing) {
        std::cmp::Ordering::Less => KeyState::Next,
        std::cmp::Ordering::Equal => KeyState::Signing,
        // It signed until the one after it began.
        std::cmp::Ordering::Greater => {
            KeyState::Verifying { until: keys[index - 1].signs_from().plus(keys[index].stored.token_lifetime) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    };

    use async_trait::async_trait;

    use super::*;
    use crate::settings::Key32;

    /// A store in memory, newest first.
    #[derive(Default)]
    struct Stored(Mutex<Vec<SealedKey>>);

    #[async_trait]
    impl SealedKeys for Stored {
        fn load(&self) -> Result<Vec<SealedKey>, StoreError> {
            Ok(self.0.lock().unwrap().clone())
        }

        async fn change(&self, put: Vec<SealedKey>, removed: Vec<String>) -> Result<(), StoreError> {
            let mut keys = self.0.lock().unwrap();
            keys.retain(|key| !removed.contains(&key.id) && put.iter().all(|put| put.id != key.id));
            keys.extend(put);
            keys.sort_by_key(|key| std::cmp::Reverse(key.created_at));
            Ok(())
        }
    }

    #[derive(Default)]
    struct Turned(AtomicI64);

    impl Clock for Turned {
        fn now(&self) -> Timestamp {
            at(self.0.load(Ordering::Relaxed))
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    /// Keys with a notice of 10 seconds and tokens of 100.
    async fn keys(store: &Arc<Stored>) -> SigningKeys {
        let keyring = Arc::new(Keyring::new(&Key32::from_bytes([1; 32]), None));
        let [notice, life] = [10, 100].map(Duration::from_secs);
        SigningKeys::load(Arc::clone(store) as Arc<dyn SealedKeys>, keyring, &Turned::default(), notice, life)
            .await
            .unwrap()
    }

    fn signer(keys: &SigningKeys, seconds: i64) -> String {
        keys.signing(at(seconds)).unwrap().id().to_owned()
    }

    fn states(keys: &SigningKeys, seconds: i64) -> Vec<KeyState> {
        keys.list(at(seconds)).into_iter().map(|(_, state)| state).collect()
    }

    #[tokio::test]
    async fn a_new_key_is_published_before_it_signs_and_the_old_one_until_its_tokens_have_expired() {
        let store = Arc::new(Stored::default());
        let rotating = keys(&store).await;
        let old = signer(&rotating, 0);
        let new = rotating.rotate(at(20), false).await.unwrap().id().to_owned();
        assert_eq!((signer(&rotating, 29), signer(&rotating, 30)), (old.clone(), new.clone()));
        assert_eq!(states(&rotating, 29), [KeyState::Next, KeyState::Signing]);
        assert_eq!(states(&rotating, 30), [KeyState::Signing, KeyState::Verifying { until: at(130) }]);
        // A server that is started again goes on as this one.
        let again = keys(&store).await;
        assert_eq!(states(&again, 30), states(&rotating, 30));
        again.sweep(at(129)).await.unwrap();
        assert_eq!(again.public().keys.len(), 2);
        again.sweep(at(130)).await.unwrap();
        assert_eq!((again.public().keys.len(), again.find(&old).is_none()), (1, true));
        assert_eq!(keys(&store).await.public().keys.len(), 1);
    }

    #[tokio::test]
    async fn keys_follow_one_another_by_age() {
        let keys = keys(&Arc::new(Stored::default())).await;
        let age = Duration::from_secs(50);
        for (seconds, published) in [(49, 1), (50, 2), (51, 2), (99, 2), (100, 3)] {
            keys.rotate_when(age, at(seconds)).await.unwrap();
            assert_eq!(keys.public().keys.len(), published, "{seconds}");
        }
    }

    #[tokio::test]
    async fn a_retired_key_is_out_at_once_and_another_signs() {
        let store = Arc::new(Stored::default());
        let retiring = keys(&store).await;
        let first = signer(&retiring, 0);
        assert!(!retiring.retire("unknown", at(1)).await.unwrap());
        // The only one: a new one is made.
        assert!(retiring.retire(&first, at(1)).await.unwrap());
        let second = signer(&retiring, 1);
        assert!(second != first && retiring.find(&first).is_none());
        // One that is published already signs before its time, and no older one again.
        let third = retiring.rotate(at(2), true).await.unwrap().id().to_owned();
        let fourth = retiring.rotate(at(3), false).await.unwrap().id().to_owned();
        assert_eq!(signer(&retiring, 4), third);
        assert!(retiring.retire(&third, at(4)).await.unwrap());
        assert_eq!(signer(&retiring, 4), fourth);
        assert_eq!(states(&retiring, 4), [KeyState::Signing, KeyState::Verifying { until: at(104) }]);
        let again = keys(&store).await;
        assert_eq!(states(&again, 4), states(&retiring, 4));
    }

    #[tokio::test]
    async fn what_a_key_signs_its_public_part_verifies() {
        let key = keys(&Arc::new(Stored::default())).await.signing(at(0)).unwrap();
        let token = key.sign("at+jwt", &serde_json::json!({"sub": "a"})).unwrap();
        let mut validation = jsonwebtoken::Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        let read = jsonwebtoken::decode::<serde_json::Value>(&token, key.verifier(), &validation).unwrap();
        assert_eq!((read.header.kid.as_deref(), read.header.typ.as_deref()), (Some(key.id()), Some("at+jwt")));
        assert_eq!(read.claims["sub"], "a");
    }
}

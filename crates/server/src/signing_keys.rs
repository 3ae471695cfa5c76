//! The keys that sign tokens, and how one follows another.
//!
//! A new key is published at once, and signs when everyone who caches the published keys has had time to
//! learn of it: after the *notice*. The one before it signs until then, and stays published until the last
//! token that it signed has expired. So nobody who verifies ever meets a token of a key that is not there.
//! A key that is *retired* is out at once, with all tokens that it signed: for one that has leaked.
//!
//! There are keys for two algorithms, and each has successors of its own. ES256 signs whatever this server
//! itself will read, and the ID tokens of the clients that are registered for it. RS256 signs the ID tokens of
//! all others, since every relying party has to know it (OpenID Connect Core section 15.1). To find an RSA key
//! takes long enough to be noticed, so the first one is made when somebody asks for it.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use attache_core::{Clock, SealedKey, SealedKeys, SigningAlgorithm, StoreError, Timestamp};
use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey,
    jwk::{
        AlgorithmParameters, CommonParameters, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse, RSAKeyParameters, RSAKeyType,
        ThumbprintHash,
    },
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
    pair: KeyPair,
    decoding: DecodingKey,
    public: Jwk,
}

/// A private key, ready to sign: to read it anew for each token would take as long as to sign.
enum KeyPair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl KeyPair {
    /// Draws a new one, in PKCS#8. One of RSA takes a large part of a second.
    async fn draw(algorithm: SigningAlgorithm) -> Result<Vec<u8>, NoEntropy> {
        tokio::task::spawn_blocking(move || Self::draw_now(algorithm)).await.map_err(|_| NoEntropy)?
    }

    fn draw_now(algorithm: SigningAlgorithm) -> Result<Vec<u8>, NoEntropy> {
        match algorithm {
            SigningAlgorithm::Es256 => {
                let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
                pkcs8.map(|pkcs8| pkcs8.as_ref().to_vec()).map_err(|_| NoEntropy)
            }
            SigningAlgorithm::Rs256 => {
                let pkcs8 = RsaKeyPair::generate(KeySize::Rsa2048).and_then(|pair| pair.as_der());
                pkcs8.map(|pkcs8: Pkcs8V1Der<'_>| pkcs8.as_ref().to_vec()).map_err(|_| NoEntropy)
            }
        }
    }

    /// Reads one from PKCS#8, which says of which kind it is, with its public part.
    fn read(pkcs8: &[u8]) -> Option<(Self, Jwk)> {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8) {
            let public = Jwk::from_encoding_key(&EncodingKey::from_ec_der(pkcs8), Algorithm::ES256).ok()?;
            return Some((Self::Es256(pair), public));
        }
        let pair = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
        let key = pair.public_key();
        let encoded = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        let public = Jwk {
            common: CommonParameters { key_algorithm: Some(KeyAlgorithm::RS256), ..CommonParameters::default() },
            algorithm: AlgorithmParameters::RSA(RSAKeyParameters {
                key_type: RSAKeyType::RSA,
                n: encoded(key.modulus().big_endian_without_leading_zero()),
                e: encoded(key.exponent().big_endian_without_leading_zero()),
            }),
        };
        Some((Self::Rs256(pair), public))
    }

    /// Signs a text and adds the signature to it, in base64url.
    fn sign(&self, text: &mut String) -> Option<()> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(pair) => {
                let signature = pair.sign(&random, text.as_bytes()).ok()?;
                text.push('.');
                URL_SAFE_NO_PAD.encode_string(signature.as_ref(), text);
            }
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).ok()?;
                text.push('.');
                URL_SAFE_NO_PAD.encode_string(signature, text);
            }
        }
        Some(())
    }
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
    /// A key that was drawn just now, and signs after a notice.
    fn new(
        keyring: &Keyring,
        pkcs8: &[u8],
        now: Timestamp,
        notice: Duration,
        life: Duration,
    ) -> Result<Self, KeyError> {
        let stored = SealedKey {
            id: String::new(),
            sealed: keyring.seal(pkcs8)?,
            created_at: now,
            signs_from: now.plus(notice),
            token_lifetime: life,
        };
        Ok(Self::read(stored, pkcs8)?)
    }

    /// Reads a key as it was stored.
    fn open(keyring: &Keyring, stored: SealedKey) -> Result<Self, WrongSecretsKey> {
        let pkcs8 = keyring.open(&stored.sealed)?;
        Self::read(stored, &pkcs8)
    }

    /// Reads a key from PKCS#8. Its identifier is its thumbprint (RFC 7638).
    fn read(mut stored: SealedKey, pkcs8: &[u8]) -> Result<Self, WrongSecretsKey> {
        let (pair, mut public) = KeyPair::read(pkcs8).ok_or(WrongSecretsKey)?;
        stored.id = public.thumbprint(ThumbprintHash::SHA256).map_err(|_| WrongSecretsKey)?;
        public.common.key_id = Some(stored.id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        let decoding = DecodingKey::from_jwk(&public).map_err(|_| WrongSecretsKey)?;
        Ok(Self { stored, pair, decoding, public })
    }

    /// Its identifier, `kid`.
    pub(crate) fn id(&self) -> &str {
        &self.stored.id
    }

    /// What it signs by.
    pub(crate) const fn algorithm(&self) -> SigningAlgorithm {
        match self.pair {
            KeyPair::Es256(_) => SigningAlgorithm::Es256,
            KeyPair::Rs256(_) => SigningAlgorithm::Rs256,
        }
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
    pub(crate) fn sign(&self, kind: &str, claims: &impl Serialize) -> Option<String> {
        #[derive(Serialize)]
        struct Header<'a> {
            typ: &'a str,
            alg: &'static str,
            kid: &'a str,
        }
        let header = serde_json::to_vec(&Header { typ: kind, alg: self.algorithm().as_str(), kid: self.id() }).ok()?;
        let claims = serde_json::to_vec(claims).ok()?;
        // A signature has 86 characters, or 342 by RSA.
        let mut token = String::with_capacity((header.len() + claims.len()) * 4 / 3 + 96);
        URL_SAFE_NO_PAD.encode_string(header, &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        self.pair.sign(&mut token)?;
        Some(token)
    }
}

/// The keys in force, the newest first. There is always one for ES256.
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
            let drawn = KeyPair::draw(SigningAlgorithm::Es256).await?;
            let first = SigningKey::new(&keyring, &drawn, now, Duration::ZERO, token_lifetime)?;
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

    /// The key that signs now by an algorithm, if there is one.
    pub(crate) fn signing(&self, algorithm: SigningAlgorithm, now: Timestamp) -> Option<Arc<SigningKey>> {
        signing(&self.keys.load(), algorithm, now).cloned()
    }

    /// As [`Self::signing`]; if there is none, the first one is made.
    pub(crate) async fn ready(
        &self,
        algorithm: SigningAlgorithm,
        clock: &dyn Clock,
    ) -> Result<Arc<SigningKey>, KeyError> {
        if let Some(key) = self.signing(algorithm, clock.now()) {
            return Ok(key);
        }
        let _changing = self.changing.lock().await;
        // Somebody else may have made it meanwhile.
        if self.signing(algorithm, clock.now()).is_none() {
            self.add(vec![algorithm], clock, Duration::ZERO).await?;
        }
        Ok(self.signing(algorithm, clock.now()).ok_or(NoEntropy)?)
    }

    /// The key of this identifier.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<SigningKey>> {
        self.keys.load().iter().find(|key| key.id() == id).cloned()
    }

    /// The public keys, for everyone who verifies a token (RFC 7517). There is one for each algorithm.
    pub(crate) async fn public(&self, clock: &dyn Clock) -> Result<JwkSet, KeyError> {
        for algorithm in SigningAlgorithm::ALL {
            self.ready(*algorithm, clock).await?;
        }
        Ok(JwkSet { keys: self.list(clock.now()).into_iter().map(|(key, _)| key.public.clone()).collect() })
    }

    /// All keys with what they do: by algorithm, of each the newest first.
    pub(crate) fn list(&self, now: Timestamp) -> Vec<(Arc<SigningKey>, KeyState)> {
        let keys = self.keys.load();
        let all = || keys.iter().enumerate();
        SigningAlgorithm::ALL
            .iter()
            .flat_map(|algorithm| all().filter(|(_, key)| key.algorithm() == *algorithm))
            .map(|(index, key)| (Arc::clone(key), state(&keys, index, now)))
            .collect()
    }

    /// Makes a new key for each algorithm, which signs after the notice, or at once.
    pub(crate) async fn rotate(&self, clock: &dyn Clock, at_once: bool) -> Result<(), KeyError> {
        let _changing = self.changing.lock().await;
        self.add(self.algorithms(), clock, if at_once { Duration::ZERO } else { self.notice }).await
    }

    /// Makes a new key where the newest of an algorithm has reached an age.
    pub(crate) async fn rotate_when(&self, age: Duration, clock: &dyn Clock) -> Result<(), KeyError> {
        let _changing = self.changing.lock().await;
        let (keys, now) = (self.keys.load_full(), clock.now());
        let is_old = |algorithm: &SigningAlgorithm| {
            let newest = keys.iter().find(|key| key.algorithm() == *algorithm);
            newest.is_some_and(|key| key.created_at().plus(age) <= now)
        };
        let old: Vec<_> = SigningAlgorithm::ALL.iter().copied().filter(is_old).collect();
        if old.is_empty() { Ok(()) } else { self.add(old, clock, self.notice).await }
    }

    /// The algorithms that there are keys for.
    fn algorithms(&self) -> Vec<SigningAlgorithm> {
        let keys = self.keys.load();
        let has = |algorithm: &SigningAlgorithm| keys.iter().any(|key| key.algorithm() == *algorithm);
        SigningAlgorithm::ALL.iter().copied().filter(has).collect()
    }

    /// Makes a new key for each of these algorithms, all or none. Whoever calls this holds the lock for changes.
    async fn add(
        &self,
        algorithms: Vec<SigningAlgorithm>,
        clock: &dyn Clock,
        notice: Duration,
    ) -> Result<(), KeyError> {
        let mut drawn = Vec::with_capacity(algorithms.len());
        for algorithm in algorithms {
            drawn.push(KeyPair::draw(algorithm).await?);
        }
        // The notice begins when they are published, however long that took.
        let now = clock.now();
        let new = |pkcs8: &Vec<u8>| SigningKey::new(&self.keyring, pkcs8, now, notice, self.token_lifetime);
        let keys = drawn.iter().map(|pkcs8| new(pkcs8).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        self.store.change(keys.iter().map(|key| key.stored.clone()).collect(), Vec::new()).await?;
        for key in &keys {
            tracing::info!(
                key = key.id(), algorithm = %key.algorithm(), signs_from = %key.signs_from(),
                "a new signing key is published"
            );
        }
        self.replace(|known| drop(known.splice(0..0, keys)));
        Ok(())
    }

    /// Takes a key out, and with it all tokens that it signed. If it signs, the next one does from now on, and
    /// a new one if there is none. `false` if there is no such key.
    pub(crate) async fn retire(&self, id: &str, now: Timestamp) -> Result<bool, KeyError> {
        let _changing = self.changing.lock().await;
        let keys = self.keys.load_full();
        let Some(index) = keys.iter().position(|key| key.id() == id) else { return Ok(false) };
        let algorithm = keys[index].algorithm();
        let next = keys[..index].iter().rfind(|key| key.algorithm() == algorithm);
        let successor = if signing(&keys, algorithm, now).is_none_or(|key| key.id() != id) {
            None
        } else if let Some(next) = next {
            let promoted = SealedKey { signs_from: now, ..next.stored.clone() };
            Some(SigningKey::open(&self.keyring, promoted)?)
        } else {
            let drawn = KeyPair::draw(algorithm).await?;
            Some(SigningKey::new(&self.keyring, &drawn, now, Duration::ZERO, self.token_lifetime)?)
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

/// Which of these, the newest first, signs now by an algorithm: the newest whose time has come, or the one that
/// is next.
fn signing(keys: &[Arc<SigningKey>], algorithm: SigningAlgorithm, now: Timestamp) -> Option<&Arc<SigningKey>> {
    let mut own = keys.iter().filter(|key| key.algorithm() == algorithm);
    own.clone().find(|key| key.signs_from() <= now).or_else(|| own.next_back())
}

/// What one of these does.
fn state(keys: &[Arc<SigningKey>], index: usize, now: Timestamp) -> KeyState {
    let key = &keys[index];
    // It signs until one after it begins.
    let newer = keys[..index].iter().filter(|newer| newer.algorithm() == key.algorithm());
    match newer.map(|newer| newer.signs_from()).min() {
        Some(end) if end <= now => KeyState::Verifying { until: end.plus(key.stored.token_lifetime) },
        _ if signing(keys, key.algorithm(), now).is_some_and(|signing| signing.id() == key.id()) => KeyState::Signing,
        _ => KeyState::Next,
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

    fn clock(seconds: i64) -> Turned {
        Turned(AtomicI64::new(seconds))
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
        keys.signing(SigningAlgorithm::Es256, at(seconds)).unwrap().id().to_owned()
    }

    fn states(keys: &SigningKeys, seconds: i64) -> Vec<KeyState> {
        keys.list(at(seconds)).into_iter().map(|(_, state)| state).collect()
    }

    #[tokio::test]
    async fn a_new_key_is_published_before_it_signs_and_the_old_one_until_its_tokens_have_expired() {
        let store = Arc::new(Stored::default());
        let rotating = keys(&store).await;
        let old = signer(&rotating, 0);
        rotating.rotate(&clock(20), false).await.unwrap();
        assert_eq!(signer(&rotating, 29), old);
        assert_ne!(signer(&rotating, 30), old);
        assert_eq!(states(&rotating, 29), [KeyState::Next, KeyState::Signing]);
        assert_eq!(states(&rotating, 30), [KeyState::Signing, KeyState::Verifying { until: at(130) }]);
        // A server that is started again goes on as this one.
        let again = keys(&store).await;
        assert_eq!(states(&again, 30), states(&rotating, 30));
        again.sweep(at(129)).await.unwrap();
        assert_eq!(again.list(at(0)).len(), 2);
        again.sweep(at(130)).await.unwrap();
        assert_eq!((again.list(at(0)).len(), again.find(&old).is_none()), (1, true));
        assert_eq!(keys(&store).await.list(at(0)).len(), 1);
    }

    #[tokio::test]
    async fn keys_follow_one_another_by_age() {
        let keys = keys(&Arc::new(Stored::default())).await;
        let age = Duration::from_secs(50);
        for (seconds, published) in [(49, 1), (50, 2), (51, 2), (99, 2), (100, 3)] {
            keys.rotate_when(age, &clock(seconds)).await.unwrap();
            assert_eq!(keys.list(at(0)).len(), published, "{seconds}");
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
        retiring.rotate(&clock(2), true).await.unwrap();
        let third = signer(&retiring, 2);
        retiring.rotate(&clock(3), false).await.unwrap();
        assert_eq!(signer(&retiring, 4), third);
        assert!(retiring.retire(&third, at(4)).await.unwrap());
        assert_eq!(signer(&retiring, 4), signer(&retiring, 20));
        assert_eq!(states(&retiring, 4), [KeyState::Signing, KeyState::Verifying { until: at(104) }]);
        let again = keys(&store).await;
        assert_eq!(states(&again, 4), states(&retiring, 4));
    }

    #[tokio::test]
    async fn what_a_key_signs_its_public_part_verifies() {
        let keys = keys(&Arc::new(Stored::default())).await;
        for (algorithm, known) in
            [(SigningAlgorithm::Es256, Algorithm::ES256), (SigningAlgorithm::Rs256, Algorithm::RS256)]
        {
            let key = keys.ready(algorithm, &clock(0)).await.unwrap();
            let token = key.sign("at+jwt", &serde_json::json!({"sub": "a"})).unwrap();
            let published = keys.public(&clock(0)).await.unwrap();
            let public = published.find(key.id()).unwrap();
            let mut validation = jsonwebtoken::Validation::new(known);
            validation.required_spec_claims.clear();
            let verifier = DecodingKey::from_jwk(public).unwrap();
            let read = jsonwebtoken::decode::<serde_json::Value>(&token, &verifier, &validation).unwrap();
            assert_eq!((read.header.kid.as_deref(), read.header.typ.as_deref()), (Some(key.id()), Some("at+jwt")));
            assert_eq!(read.claims["sub"], "a");
            assert_eq!(public.common.key_algorithm.map(|own| own.to_string()), Some(algorithm.to_string()));
        }
    }

    #[tokio::test]
    async fn each_algorithm_has_keys_of_its_own_which_follow_one_another() {
        use SigningAlgorithm::{Es256, Rs256};
        let store = Arc::new(Stored::default());
        let mixed = keys(&store).await;
        assert!(mixed.signing(Rs256, at(0)).is_none(), "it is made when it is wanted");
        let five = clock(5);
        let (one, same) = tokio::join!(mixed.ready(Rs256, &five), mixed.ready(Rs256, &five));
        let one = one.unwrap();
        assert_eq!(one.id(), same.unwrap().id(), "once");
        let of = |keys: &SigningKeys, algorithm, seconds| keys.signing(algorithm, at(seconds)).unwrap().id().to_owned();
        let first = of(&mixed, Es256, 5);
        mixed.rotate(&clock(20), false).await.unwrap();
        assert_eq!((of(&mixed, Es256, 29), of(&mixed, Rs256, 29)), (first.clone(), one.id().to_owned()));
        assert!(of(&mixed, Es256, 30) != first && of(&mixed, Rs256, 30) != one.id());
        let each = [KeyState::Signing, KeyState::Verifying { until: at(130) }];
        assert_eq!(states(&mixed, 30), [each, each].concat());
        assert_eq!(states(&keys(&store).await, 30), [each, each].concat(), "after a restart");
        // One that is retired is followed by one of its kind.
        let (ec, rsa) = (of(&mixed, Es256, 30), of(&mixed, Rs256, 30));
        assert!(mixed.retire(&rsa, at(31)).await.unwrap());
        assert_eq!(of(&mixed, Es256, 31), ec);
        assert_eq!(mixed.signing(Rs256, at(31)).map(|key| key.algorithm()), Some(Rs256));
        assert_ne!(of(&mixed, Rs256, 31), one.id(), "and not by one that has signed before");
    }
}

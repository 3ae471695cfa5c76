//! The signature of events by [Standard Webhooks](https://www.standardwebhooks.com), for clients that have a
//! secret for it. Who knows the secret knows by the signature that an event is ours, whole, and of now.
//!
//! While one secret replaces another, both are good, and each event has the signatures of both.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use attache_core::{Client, ClientId, StoreError, Timestamp, WebhookSecret, WebhookSecrets};
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{entropy, keyring::Keyring};

/// What stands before a secret, so that people and scanners know it for one.
const PREFIX: &str = "whsec_";

/// Signs what is sent to the sinks of clients.
pub(crate) struct Signer {
    store: Arc<dyn WebhookSecrets>,
    keyring: Arc<Keyring>,
    secrets: ArcSwap<HashMap<ClientId, Vec<Ready>>>,
    /// Changes follow one another, so that none is lost.
    changing: tokio::sync::Mutex<()>,
}

/// A secret, ready to sign with.
#[derive(Clone)]
struct Ready {
    secret: WebhookSecret,
    key: hmac::Key,
}

/// What tells a sink that an event is ours.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Signature {
    /// The header `webhook-timestamp`: when it was signed, in seconds since 1970.
    pub(crate) timestamp: String,
    /// The header `webhook-signature`: a signature by each secret, separated by spaces.
    pub(crate) signatures: String,
}

/// Why a client was given no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RotateError {
    #[error("the client has as many secrets as it can have")]
    TooMany,
    #[error(transparent)]
    Failed(#[from] StoreError),
}

impl Signer {
    /// Reads the secrets from their store.
    pub(crate) fn load(store: Arc<dyn WebhookSecrets>, keyring: Arc<Keyring>) -> Result<Self, StoreError> {
        let mut secrets: HashMap<ClientId, Vec<Ready>> = HashMap::new();
        for (client, secret) in store.load()? {
            secrets.entry(client).or_default().push(Ready::open(secret, &keyring)?);
        }
        Ok(Self { store, keyring, secrets: ArcSwap::from_pointee(secrets), changing: tokio::sync::Mutex::default() })
    }

    /// The secrets of a client that are good now, the oldest first.
    pub(crate) fn secrets(&self, client: ClientId, now: Timestamp) -> Vec<WebhookSecret> {
        self.good(client, now).into_iter().map(|ready| ready.secret).collect()
    }

    /// Gives a client a new secret beside the one that it has, which ends by itself when that is said. Returns the
    /// new one, as it is told to whoever is to check signatures.
    pub(crate) async fn rotate(
        &self,
        client: ClientId,
        previous_ends_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<String, RotateError> {
        let _changing = self.changing.lock().await;
        let mut secrets = self.good(client, now);
        if secrets.len() >= Client::MOST_SECRETS {
            return Err(RotateError::TooMany);
        }
        for previous in &mut secrets {
            previous.secret.ends_at = previous_ends_at.or(previous.secret.ends_at);
        }
        let bytes = entropy::bytes::<32>().map_err(failed)?;
        let sealed = self.keyring.seal(&bytes).map_err(failed)?;
        secrets.push(Ready::open(WebhookSecret { sealed, created_at: now, ends_at: None }, &self.keyring)?);
        self.replace(client, secrets).await?;
        Ok(format!("{PREFIX}{}", STANDARD.encode(bytes)))
    }

    /// Ends the secret before the newest one.
    pub(crate) async fn end_previous(&self, client: ClientId, now: Timestamp) -> Result<(), StoreError> {
        let _changing = self.changing.lock().await;
        let newest = self.good(client, now).pop();
        self.replace(client, newest.into_iter().collect()).await
    }

    /// Ends all secrets of a client: nothing is signed for it any more.
    pub(crate) async fn end_all(&self, client: ClientId) -> Result<(), StoreError> {
        let _changing = self.changing.lock().await;
        self.replace(client, Vec::new()).await
    }

    /// Signs a body that is sent to a client's sink now. `None` where the client has no secret.
    pub(super) fn sign(&self, client: ClientId, id: &str, body: &[u8], now: Timestamp) -> Option<Signature> {
        let secrets = self.secrets.load();
        let timestamp = now.unix_seconds().to_string();
        let good = secrets.get(&client)?.iter().filter(|ready| ready.secret.is_good(now));
        let signatures: Vec<String> = good
            .map(|ready| {
                let mut signing = hmac::Context::with_key(&ready.key);
                for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
                    signing.update(part);
                }
                format!("v1,{}", STANDARD.encode(signing.sign()))
            })
            .collect();
        (!signatures.is_empty()).then(|| Signature { timestamp, signatures: signatures.join(" ") })
    }

    fn good(&self, client: ClientId, now: Timestamp) -> Vec<Ready> {
        let secrets = self.secrets.load();
        secrets.get(&client).into_iter().flatten().filter(|ready| ready.secret.is_good(now)).cloned().collect()
    }

    async fn replace(&self, client: ClientId, secrets: Vec<Ready>) -> Result<(), StoreError> {
        self.store.replace(client, secrets.iter().map(|ready| ready.secret.clone()).collect()).await?;
        let mut all = HashMap::clone(&self.secrets.load());
        all.insert(client, secrets);
        self.secrets.store(Arc::new(all));
        Ok(())
    }
}

impl Ready {
    fn open(secret: WebhookSecret, keyring: &Keyring) -> Result<Self, StoreError> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &keyring.open(&secret.sealed).map_err(failed)?);
        Ok(Self { secret, key })
    }
}

fn failed(cause: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Failed { action: "use a webhook secret", cause: Box::new(cause) }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::settings::Key32;

    #[derive(Default)]
    struct Kept(Mutex<Vec<(ClientId, WebhookSecret)>>);

    #[async_trait]
    impl WebhookSecrets for Kept {
        fn load(&self) -> Result<Vec<(ClientId, WebhookSecret)>, StoreError> {
            Ok(self.0.lock().unwrap().clone())
        }

        async fn replace(&self, client: ClientId, secrets: Vec<WebhookSecret>) -> Result<(), StoreError> {
            let mut kept = self.0.lock().unwrap();
            kept.retain(|(owner, _)| *owner != client);
            kept.extend(secrets.into_iter().map(|secret| (client, secret)));
            Ok(())
        }
    }

    const SHOP: ClientId = ClientId::from_bytes([1; 16]);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn signer(kept: &Arc<Kept>) -> Signer {
        let keyring = Arc::new(Keyring::new(&Key32::from_bytes([1; 32]), None));
        Signer::load(Arc::clone(kept) as Arc<dyn WebhookSecrets>, keyring).unwrap()
    }

    #[tokio::test]
    async fn a_signature_is_that_of_standard_webhooks() {
        let kept = Arc::new(Kept::default());
        let sealed = signer(&kept).keyring.seal(&STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()).unwrap();
        kept.replace(SHOP, vec![WebhookSecret { sealed, created_at: at(0), ends_at: None }]).await.unwrap();
        let signature =
            signer(&kept).sign(SHOP, "msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#, at(1_614_265_330));
        assert_eq!(
            signature.unwrap(),
            Signature {
                timestamp: "1614265330".to_owned(),
                signatures: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned(),
            }
        );
    }

    #[tokio::test]
    async fn two_secrets_are_good_while_one_replaces_the_other() {
        let kept = Arc::new(Kept::default());
        let signer = signer(&kept);
        let signatures = |signer: &Signer, seconds| {
            let signature = signer.sign(SHOP, "id", b"body", at(seconds));
            signature.map_or(0, |signature| signature.signatures.split(' ').count())
        };
        assert_eq!(signatures(&signer, 0), 0, "it is off by default");
        let first = signer.rotate(SHOP, None, at(0)).await.unwrap();
        assert_eq!(signatures(&signer, 1), 1);
        let second = signer.rotate(SHOP, Some(at(10)), at(1)).await.unwrap();
        assert_ne!(first, second);
        assert!(matches!(signer.rotate(SHOP, None, at(2)).await, Err(RotateError::TooMany)));
        assert_eq!((signatures(&signer, 9), signatures(&signer, 10)), (2, 1));
        let again = super::tests::signer(&kept);
        assert_eq!(again.sign(SHOP, "id", b"body", at(9)), signer.sign(SHOP, "id", b"body", at(9)));
        signer.rotate(SHOP, None, at(10)).await.unwrap();
        assert_eq!(signer.secrets(SHOP, at(10)).len(), 2);
        signer.end_previous(SHOP, at(11)).await.unwrap();
        assert_eq!(signer.secrets(SHOP, at(11)).iter().map(|it| it.created_at).collect::<Vec<_>>(), [at(10)]);
        signer.end_all(SHOP).await.unwrap();
        assert_eq!(signatures(&signer, 11), 0);
        let other = ClientId::from_bytes([2; 16]);
        signer.rotate(other, None, at(0)).await.unwrap();
        assert_eq!(signatures(&signer, 11), 0, "a secret is one client's");
    }
}

//! The keys that everything secret hangs on.
//!
//! One *secrets key* of 256 bits comes from the configuration, or in a sandbox from a file of the
//! data directory. Each use has a key of its own, derived from it by HMAC-SHA256 over a label, so
//! that none can be had from another: sealing of what is stored, hashing of client secrets,
//! pseudonyms of subjects, pseudonyms and chain of the audit log.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use attache_core::{Client, LineId, SecretHash};
use aws_lc_rs::{
    aead::{AES_256_GCM, AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, RandomizedNonceKey, UnboundKey},
    constant_time, hmac,
};

use crate::settings::Key32;

/// Something sealed cannot be opened: the secrets key is another than the one it was sealed with.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("what is stored was encrypted with another secrets key; set the key that this data directory was made with")]
pub struct WrongSecretsKey;

/// The derived keys.
pub(crate) struct Keyring {
    sealing: [u8; 32],
    client_secrets: hmac::Key,
    subjects: hmac::Key,
    audit: [u8; 32],
}

impl Keyring {
    /// Derives the keys. The audit log has its own key in production.
    pub(crate) fn new(secrets_key: &Key32, audit_key: Option<&Key32>) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, secrets_key.as_bytes());
        let derive = |label: &str| tag(&hmac::sign(&master, label.as_bytes()));
        Self {
            sealing: derive("sealing"),
            client_secrets: hmac::Key::new(hmac::HMAC_SHA256, &derive("client secrets")),
            subjects: hmac::Key::new(hmac::HMAC_SHA256, &derive("subjects")),
            audit: audit_key.map_or_else(|| derive("audit"), |key| *key.as_bytes()),
        }
    }

    /// The key of the audit log.
    pub(crate) const fn audit(&self) -> &[u8; 32] {
        &self.audit
    }

    /// Encrypts what is stored (AES-256-GCM under a random nonce, which stands in front).
    pub(crate) fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, WrongSecretsKey> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.sealing).map_err(|_| WrongSecretsKey)?;
        let mut sealed = plain.to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::empty(), &mut sealed).map_err(|_| WrongSecretsKey)?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// Decrypts what [`Self::seal`] made.
    pub(crate) fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, WrongSecretsKey> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(WrongSecretsKey)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.sealing).map_err(|_| WrongSecretsKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| WrongSecretsKey)?;
        let mut plain = sealed.to_vec();
        let length = key.open_in_place(nonce, Aad::empty(), &mut plain).map_err(|_| WrongSecretsKey)?.len();
        plain.truncate(length);
        Ok(plain)
    }

    /// What is stored of a client's secret.
    pub(crate) fn hash_client_secret(&self, secret: &str) -> SecretHash {
        SecretHash(tag(&hmac::sign(&self.client_secrets, secret.as_bytes())))
    }

    /// Whether a secret is the one whose hash is stored, in constant time.
    pub(crate) fn is_client_secret(&self, secret: &str, hash: &SecretHash) -> bool {
        constant_time::verify_slices_are_equal(&self.hash_client_secret(secret).0, &hash.0).is_ok()
    }

    /// The pseudonym by which a client knows a line: the line's id under authenticated encryption with a
    /// key of the client's sector. The same line has another one in every other sector, and nobody can
    /// read it outside (OpenID Connect Core section 8.1).
    pub(crate) fn pseudonym(&self, client: &Client, line: LineId) -> Option<[u8; 32]> {
        let mut sealed = line.as_bytes().to_vec();
        self.sector_key(client)?.seal_in_place_append_tag(fixed_nonce(), Aad::empty(), &mut sealed).ok()?;
        sealed.try_into().ok()
    }

    /// The line that a pseudonym stands for; `None` when it was not made for this client's sector.
    pub(crate) fn line(&self, client: &Client, pseudonym: &[u8]) -> Option<LineId> {
        let mut sealed = pseudonym.to_vec();
        let line = self.sector_key(client)?.open_in_place(fixed_nonce(), Aad::empty(), &mut sealed).ok()?;
        Some(LineId::from_bytes((&*line).try_into().ok()?))
    }

    /// The key of a client's sector at its publisher, or of the client alone.
    fn sector_key(&self, client: &Client) -> Option<LessSafeKey> {
        let key = match &client.sector {
            None => hmac::sign(&self.subjects, client.id.as_bytes()),
            // No identifier begins like this, and no name of a publisher has a space.
            Some(sector) => hmac::sign(&self.subjects, format!("sector {} {sector}", client.publisher).as_bytes()),
        };
        UnboundKey::new(&AES_256_GCM_SIV, key.as_ref()).ok().map(LessSafeKey::new)
    }
}

/// A pseudonym must come out the same each time, so the nonce is fixed: AES-GCM-SIV (RFC 8452) then
/// tells an observer no more than that two pseudonyms of one client are equal.
fn fixed_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// HMAC-SHA256 as an array.
fn tag(tag: &hmac::Tag) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

/// Reads a small file of the data directory, or makes it with `new` the first time: readable for its
/// owner only, and whole or not at all, also after a crash.
pub(crate) fn read_or_create(path: &Path, new: impl FnOnce() -> io::Result<String>) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let text = new()?;
    replace(path, &text)?;
    Ok(text)
}

/// Writes a small file of the data directory anew: readable for its owner only, and whole or not at
/// all.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use attache_core::{ClientId, PublisherName};

    use super::*;
    use crate::clients::any_client;

    fn keyring(byte: u8) -> Keyring {
        Keyring::new(&Key32::from_bytes([byte; 32]), None)
    }

    #[test]
    fn what_was_sealed_opens_with_the_same_key_only() {
        let sealed = keyring(1).seal(b"a signing key").unwrap();
        assert_eq!(keyring(1).open(&sealed).unwrap(), b"a signing key");
        assert!(keyring(2).open(&sealed).is_err());
        assert!(keyring(1).open(b"short").is_err());
        assert!(!sealed.windows(7).any(|window| window == b"signing"));
    }

    fn client(id: u8, publisher: &'static str, sector: Option<&str>) -> Client {
        Client {
            id: ClientId::from_bytes([id; 16]),
            publisher: PublisherName::new_static(publisher),
            sector: sector.map(str::to_owned),
            ..any_client("shop")
        }
    }

    #[test]
    fn a_pseudonym_is_stable_and_belongs_to_one_client() {
        let (keyring, line) = (keyring(1), LineId::from_bytes([7; 16]));
        let (shop, bank) = (client(1, "camara", None), client(2, "camara", None));
        let pseudonym = keyring.pseudonym(&shop, line).unwrap();
        assert_eq!(keyring.pseudonym(&shop, line), Some(pseudonym));
        assert_ne!(keyring.pseudonym(&bank, line), Some(pseudonym));
        assert_eq!(keyring.line(&shop, &pseudonym), Some(line));
        assert_eq!(keyring.line(&bank, &pseudonym), None);
        assert_eq!(keyring.line(&shop, b"demo-client"), None);
    }

    #[test]
    fn the_clients_of_a_sector_know_a_line_by_the_same_pseudonym() {
        let (keyring, line) = (keyring(1), LineId::from_bytes([7; 16]));
        let of = |id, publisher, sector| keyring.pseudonym(&client(id, publisher, sector), line).unwrap();
        let pseudonym = of(1, "camara", Some("shop.example"));
        assert_eq!(of(2, "camara", Some("shop.example")), pseudonym);
        for other in
            [of(1, "camara", None), of(1, "camara", Some("bank.example")), of(1, "telefonica", Some("shop.example"))]
        {
            assert_ne!(other, pseudonym);
        }
        assert_eq!(keyring.line(&client(2, "camara", Some("shop.example")), &pseudonym), Some(line));
    }

    #[test]
    fn a_client_secret_is_known_by_its_hash() {
        let keyring = keyring(1);
        let hash = keyring.hash_client_secret("my-app-secret");
        assert!(keyring.is_client_secret("my-app-secret", &hash));
        assert!(!keyring.is_client_secret("my-app-secre", &hash));
    }
}

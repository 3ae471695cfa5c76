use std::{fmt, str::FromStr};

use async_trait::async_trait;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Id, Plan, PublisherName, Purpose, Scope, StoreError, Timestamp};

/// The identifier of a [`Client`]'s record, which no later client of the same name shares.
pub type ClientId = Id<Client>;

/// An application that holds credentials at one publisher (an OAuth 2.0 client).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    /// The identifier of the record.
    pub id: ClientId,
    /// How often it was changed: who changes it tells what they have seen, so that no change is lost.
    pub revision: u64,
    /// Where it is registered.
    pub publisher: PublisherName,
    /// What it calls itself at the token endpoint: OAuth's `client_id`, unique at its publisher.
    pub client_id: String,
    /// What subscribers are told that it is called; its [`Client::client_id`] if it has none.
    pub name: Option<String>,
    /// Who is responsible for it, as subscribers are told.
    pub organisation: Option<String>,
    /// Its secrets, none for those that have a key or are public: two while one replaces the other.
    pub secrets: Vec<ClientSecret>,
    /// Where the public keys of what it signs are.
    pub keys: ClientKeys,
    /// The only ways in which it may authenticate; empty for whichever it has the credential for.
    pub authentication_methods: Vec<AuthenticationMethod>,
    /// Where the authorization endpoint may send a browser back to, exactly.
    pub redirect_uris: Vec<String>,
    /// The web origins whose pages may call.
    pub origins: Vec<String>,
    /// How it may get tokens.
    pub grants: Vec<GrantType>,
    /// What it may ask for.
    pub scopes: Vec<Scope>,
    /// What it may ask for it for. The first is assumed where a publisher's requests name none.
    pub purposes: Vec<Purpose>,
    /// How much it may ask.
    pub plan: Plan,
    /// Whether its tokens must be bound to a key of its own (RFC 9449, `dpop_bound_access_tokens`).
    pub dpop_required: bool,
    /// Whether its authorization requests must be signed (RFC 9101, `require_signed_request_object`).
    pub signed_requests_required: bool,
    /// What its ID tokens are signed by (`id_token_signed_response_alg`).
    pub id_token_algorithm: SigningAlgorithm,
    /// The host whose clients know a subscriber by the same pseudonym (OpenID Connect Core section 8.1);
    /// without one, it has pseudonyms of its own.
    pub sector: Option<String>,
    /// When it was registered.
    pub registered_at: Timestamp,
}

impl Client {
    /// How many secrets a client may have at once: the one that is in use, and the one that replaces it.
    pub const MOST_SECRETS: usize = 2;

    /// Whether it has nothing to prove who it is by (RFC 6749 section 2.1).
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.authentication_methods == [AuthenticationMethod::None]
    }

    /// Whether it may authenticate in this way.
    #[must_use]
    pub fn may_authenticate_by(&self, method: AuthenticationMethod) -> bool {
        match self.authentication_methods.as_slice() {
            [] => method != AuthenticationMethod::None,
            methods => methods.contains(&method),
        }
    }

    /// The secrets that are good now.
    pub fn secrets_at(&self, now: Timestamp) -> impl Iterator<Item = &ClientSecret> {
        self.secrets.iter().filter(move |secret| secret.ends_at.is_none_or(|end| now < end))
    }

    /// What subscribers are told that it is called.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.client_id)
    }
}

/// A secret of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientSecret {
    /// What is stored of it.
    pub hash: SecretHash,
    /// Since when it is good.
    pub created_at: Timestamp,
    /// Until when it is good; `None`: until it is ended.
    pub ends_at: Option<Timestamp>,
}

/// What is stored of a client's secret: its HMAC-SHA256 under a key that is not stored beside it, so
/// that whoever reads the store alone cannot try secrets out, also not those that people chose.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// Where the public keys of a client are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientKeys {
    /// They are registered.
    Registered(Vec<PublicKey>),
    /// The client publishes them as a JSON Web Key Set at this address (`jwks_uri`, RFC 7591 section 2).
    Published(String),
}

impl ClientKeys {
    /// Whether there can be none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Registered(keys) if keys.is_empty())
    }
}

/// A public key as a JSON Web Key (RFC 7517), in its JSON text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey(pub String);

/// A text that names no grant type or no authentication method.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not {what}: it is one of {known}")]
pub struct NameError {
    what: &'static str,
    known: String,
}

/// A closed set of names.
macro_rules! names {
    ($(#[$doc:meta])* $type:ident is $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name, as the standards write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::ALL.iter().copied().find(|known| known.as_str() == text).ok_or_else(|| NameError {
                    what: $what,
                    known: Self::ALL.iter().map(|known| known.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}

names! {
    /// How a client gets tokens: a `grant_type` of the token endpoint.
    GrantType is "a grant type" {
        /// For itself (RFC 6749 section 4.4).
        ClientCredentials = "client_credentials",
        /// By a code that a browser brings (RFC 6749 section 4.1).
        AuthorizationCode = "authorization_code",
        /// By asking the subscriber behind its back (OpenID Connect CIBA Core, poll mode).
        Backchannel = "urn:openid:params:grant-type:ciba",
        /// By a signed statement about the subscriber (RFC 7523 section 2.1).
        JwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer",
        /// By a refresh token (RFC 6749 section 6), if `offline_access` was granted.
        RefreshToken = "refresh_token",
    }
}

names! {
    /// How a client proves who it is (`token_endpoint_auth_method`, OpenID Connect Core section 9).
    AuthenticationMethod is "an authentication method" {
        /// With its secret in a Basic header.
        ClientSecretBasic = "client_secret_basic",
        /// With its secret among the parameters.
        ClientSecretPost = "client_secret_post",
        /// With an assertion that it signed.
        PrivateKeyJwt = "private_key_jwt",
        /// With a signed token in a Bearer header, as Vonage's SDKs do.
        ApplicationToken = "application_token",
        /// Not at all: it is public.
        None = "none",
    }
}

names! {
    /// How tokens are signed (RFC 7518 section 3.1).
    SigningAlgorithm is "an algorithm that tokens are signed by" {
        /// ECDSA with the curve P-256 and SHA-256.
        Es256 = "ES256",
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = "RS256",
    }
}

/// What a client gets its ID tokens by that has not registered how: OpenID Connect Dynamic Client
/// Registration section 2 has RS256, which every relying party knows.
impl Default for SigningAlgorithm {
    fn default() -> Self {
        Self::Rs256
    }
}

/// Keeps clients over restarts.
#[async_trait]
pub trait Clients: Send + Sync {
    /// All clients.
    fn load(&self) -> Result<Vec<Client>, StoreError>;
    /// Adds one.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the publisher has one of this `client_id`.
    async fn add(&self, client: Client) -> Result<(), StoreError>;
    /// Replaces the record of the revision before this client's.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when there is none: it was changed or removed meanwhile.
    async fn replace(&self, client: Client) -> Result<(), StoreError>;
    /// Removes one at `now`. Its subscriptions end in the same transaction: their sinks are told so, and nothing
    /// about a line any more. Returns how many.
    async fn remove(&self, id: ClientId, now: Timestamp) -> Result<usize, StoreError>;
}

/// Keeps over restarts what may be used once and has been: assertions and proofs, by a hash of who made
/// them and of their `jti`.
#[async_trait]
pub trait UsedTokens: Send + Sync {
    /// All, each with the instant from which on nobody takes it any more anyway.
    fn load(&self) -> Result<Vec<([u8; 32], Timestamp)>, StoreError>;
    /// Keeps one.
    async fn add(&self, key: [u8; 32], until: Timestamp) -> Result<(), StoreError>;
    /// Forgets those that nobody takes any more.
    async fn forget(&self, now: Timestamp) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(authentication_methods: Vec<AuthenticationMethod>) -> Client {
        let secret = |byte, ends_at| ClientSecret {
            hash: SecretHash([byte; 32]),
            created_at: Timestamp::from_unix_seconds(0),
            ends_at,
        };
        Client {
            id: ClientId::from_bytes([1; 16]),
            revision: 1,
            publisher: PublisherName::new_static("camara"),
            client_id: "shop".into(),
            name: None,
            organisation: None,
            secrets: vec![secret(1, Some(Timestamp::from_unix_seconds(10))), secret(2, None)],
            keys: ClientKeys::Registered(Vec::new()),
            authentication_methods,
            redirect_uris: Vec::new(),
            origins: Vec::new(),
            grants: Vec::new(),
            scopes: Vec::new(),
            purposes: Vec::new(),
            plan: Plan::default(),
            dpop_required: false,
            signed_requests_required: false,
            id_token_algorithm: SigningAlgorithm::default(),
            sector: None,
            registered_at: Timestamp::from_unix_seconds(0),
        }
    }

    #[test]
    fn names_print_as_they_parse() {
        for grant in GrantType::ALL {
            assert_eq!(grant.to_string().parse(), Ok(*grant));
        }
        for method in AuthenticationMethod::ALL {
            assert_eq!(method.to_string().parse(), Ok(*method));
        }
        let error = "implicit".parse::<GrantType>().unwrap_err().to_string();
        assert!(error.starts_with("not a grant type: it is one of client_credentials, "), "{error}");
    }

    #[test]
    fn a_client_authenticates_by_what_it_has_unless_its_registration_says_by_what() {
        use AuthenticationMethod::{ClientSecretBasic, None, PrivateKeyJwt};
        let any = client(vec![]);
        assert!(any.may_authenticate_by(ClientSecretBasic) && any.may_authenticate_by(PrivateKeyJwt));
        assert!(!any.may_authenticate_by(None) && !any.is_public());
        let by_key = client(vec![PrivateKeyJwt]);
        assert!(by_key.may_authenticate_by(PrivateKeyJwt) && !by_key.may_authenticate_by(ClientSecretBasic));
        let public = client(vec![None]);
        assert!(public.is_public() && public.may_authenticate_by(None) && !public.may_authenticate_by(PrivateKeyJwt));
    }

    #[test]
    fn a_secret_is_good_until_its_end() {
        let client = client(vec![]);
        let good_at = |seconds| client.secrets_at(Timestamp::from_unix_seconds(seconds)).count();
        assert_eq!((good_at(9), good_at(10)), (2, 1));
    }
}

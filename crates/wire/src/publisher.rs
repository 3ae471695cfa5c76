use attache_core::{AuthenticationMethod, DeviceIdentifier, Problem, PublisherName, Scope};

use crate::{
    Face, Refusal, SubscriptionFace,
    oauth::{Acknowledgement, Asked, OAuthError, ScopeParameters, TokenResponse},
};

/// A publisher of APIs: a root below which every path is the original's, its faces, its dialect of
/// authorization, and its words for what no face catches.
#[derive(Debug)]
pub struct Publisher {
    /// Its name, which clients and tokens are bound to.
    pub name: PublisherName,
    /// Its root, empty or with a leading slash.
    pub root: &'static str,
    /// Another root below that one, at which everything stands as well.
    pub alias: Option<&'static str>,
    /// Its faces in all versions, the newest of each API first. Those that share a path are told apart
    /// by [`Face::is_meant`], or by what the operator has pinned.
    pub faces: &'static [&'static Face],
    /// Its faces of subscriptions in all versions, the newest of each API first. No two share a path.
    pub subscriptions: &'static [&'static SubscriptionFace],
    /// Writes a problem that no face catches: an unknown path.
    pub refuse: fn(&Problem) -> Refusal,
    /// Its authorization server.
    pub authorization: Authorization,
}

impl Publisher {
    /// Every version of its APIs, each once, those of questions first.
    #[must_use]
    pub fn versions(&self) -> Vec<ApiVersion> {
        let of_questions = self.faces.iter().copied().map(ApiVersion::from);
        let of_subscriptions = self.subscriptions.iter().copied().map(ApiVersion::from);
        let mut versions: Vec<ApiVersion> = Vec::new();
        for version in of_questions.chain(of_subscriptions) {
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        versions
    }

    /// Every scope that its APIs need, each once, in order.
    #[must_use]
    pub fn scopes(&self) -> Vec<Scope> {
        let of_questions = self.faces.iter().map(|face| &face.scope);
        let of_subscriptions = self.subscriptions.iter().flat_map(|face| face.scopes());
        let mut scopes: Vec<Scope> = of_questions.chain(of_subscriptions).cloned().collect();
        scopes.sort();
        scopes.dedup();
        scopes
    }
}

/// A version of an API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApiVersion {
    /// The name of the API, such as `device-roaming-status`.
    pub api: &'static str,
    /// The version of its contract, such as `1.1`.
    pub contract: &'static str,
    /// The version as its paths have it, such as `v1`.
    pub version: &'static str,
}

impl From<&Face> for ApiVersion {
    fn from(face: &Face) -> Self {
        Self { api: face.api, contract: face.contract, version: face.version }
    }
}

impl From<&SubscriptionFace> for ApiVersion {
    fn from(face: &SubscriptionFace) -> Self {
        Self { api: face.api, contract: face.contract, version: face.version }
    }
}

/// The dialect of a publisher's authorization server (OAuth 2.0, RFC 6749; OpenID Connect CIBA).
#[derive(Debug)]
pub struct Authorization {
    /// Where tokens are fetched.
    pub token_path: &'static str,
    /// Where a backchannel authentication begins, if this publisher has that flow.
    pub backchannel_path: Option<&'static str>,
    /// Where the authorization code flow begins, if this publisher has it.
    pub authorization_path: Option<&'static str>,
    /// Where a token is revoked (RFC 7009).
    pub revocation_path: &'static str,
    /// Where a client asks what its token is worth (RFC 7662).
    pub introspection_path: &'static str,
    /// Where a token tells of its subscriber, if there are subscribers (OpenID Connect Core section 5.3).
    pub userinfo_path: Option<&'static str>,
    /// Whether a token request must repeat the `redirect_uri` of its code (RFC 6749 section 4.1.3).
    pub redirect_uri_is_repeated: bool,
    /// Whether its clients may use the client credentials grant.
    pub client_credentials: bool,
    /// How its clients authenticate, by its own rules.
    pub authentication_methods: &'static [AuthenticationMethod],
    /// Whether its clients may use the JWT bearer grant (RFC 7523 section 2.1).
    pub jwt_bearer: bool,
    /// Reads the scopes and the purpose that a request asks for.
    pub read_scope: fn(&ScopeParameters<'_>) -> Result<Asked, OAuthError>,
    /// Reads whom a `login_hint` means. Errors: [`Problem::FieldInvalid`], [`Problem::UnknownLine`],
    /// [`Problem::IdentifierUnsupported`].
    pub read_login_hint: fn(&str) -> Result<DeviceIdentifier, Problem>,
    /// Writes the answer to a backchannel authentication request as JSON.
    pub write_acknowledgement: fn(&Acknowledgement) -> Vec<u8>,
    /// Writes a token response as JSON.
    pub write_token: fn(&TokenResponse) -> Vec<u8>,
    /// Writes an error, which is answered with this HTTP status, as JSON.
    pub write_error: fn(&OAuthError, u16) -> Vec<u8>,
}

impl Authorization {
    /// Whether its tokens can be about subscribers, and be refreshed.
    #[must_use]
    pub const fn has_subscribers(&self) -> bool {
        self.backchannel_path.is_some() || self.authorization_path.is_some()
    }
}

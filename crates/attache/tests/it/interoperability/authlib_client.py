"""Drives authlib through every flow of the profile. What it is told comes as JSON on standard input; it
ends with an error at the first step that does not come out as it should."""

import json
import sys
import time
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT, private_key_jwt_sign
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

CIBA = "urn:openid:params:grant-type:ciba"

told = json.load(sys.stdin)
two_legged_scope = told["scope"].replace("openid ", "")


def discover():
    document = requests.get(get_well_known_url(told["issuer"], external=True)).json()
    assert document["issuer"] == told["issuer"]
    # Every rule of the specifications but one: a sandbox on loopback has no TLS.
    for kind in (OpenIDProviderMetadata, AuthorizationServerMetadata):
        secure = {
            name: value.replace("http://", "https://") if isinstance(value, str) else value
            for name, value in document.items()
        }
        kind(secure).validate()
    return document


server = discover()
keys = KeySet.import_key_set(requests.get(server["jwks_uri"]).json())


def by_secret(method):
    credentials = told["secret"]
    return OAuth2Session(
        credentials["client_id"],
        credentials["client_secret"],
        token_endpoint_auth_method=method,
        redirect_uri=told["redirect_uri"],
        code_challenge_method="S256",
    )


class ShortLived(PrivateKeyJWT):
    """The profile has assertions of at most 300 seconds; authlib's own live for an hour."""

    def sign(self, auth, token_endpoint):
        key = auth.client_secret
        return private_key_jwt_sign(key, auth.client_id, token_endpoint, alg="ES256", expires_in=60)


def by_key():
    pem = f"-----BEGIN PRIVATE KEY-----\n{told['key']['pkcs8']}\n-----END PRIVATE KEY-----\n"
    session = OAuth2Session(
        told["key"]["client_id"],
        ECKey.import_key(pem),
        token_endpoint_auth_method="private_key_jwt",
        redirect_uri=told["redirect_uri"],
        code_challenge_method="S256",
    )
    session.register_client_auth_method(ShortLived())
    return session


def ask(token, body):
    with OAuth2Session(token=token) as session:
        answer = session.post(told["resource"], json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["roaming"] is False


def refused(error, step, *arguments, **parameters):
    try:
        step(*arguments, **parameters)
    except OAuthError as thrown:
        assert thrown.error == error, thrown
    else:
        raise AssertionError(f"{error} was expected")


def subject(session, token, nonce=None):
    decoded = jwt.decode(token["id_token"], keys, algorithms=["RS256"])
    options = {"iss": {"value": told["issuer"]}, "aud": {"value": session.client_id}}
    verified = CodeIDToken(decoded.claims, decoded.header, options, {"nonce": nonce, "access_token": token["access_token"]})
    verified.validate(now=int(time.time()))
    return verified["sub"]


def client_credentials(session):
    token = session.fetch_token(server["token_endpoint"], grant_type="client_credentials", scope=two_legged_scope)
    ask(token, {"device": {"phoneNumber": told["login_hint"].removeprefix("tel:")}})
    refused(
        "invalid_scope",
        session.fetch_token,
        server["token_endpoint"],
        grant_type="client_credentials",
        scope="no-such-scope",
    )


def code_with_pkce(session):
    verifier, nonce = generate_token(48), generate_token(20)
    url, state = session.create_authorization_url(
        server["authorization_endpoint"],
        code_verifier=verifier,
        nonce=nonce,
        scope=told["scope"],
        login_hint=told["login_hint"],
    )
    answer = requests.get(url, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    callback = answer.headers["location"]
    assert parse_qs(urlsplit(callback).query)["iss"] == [told["issuer"]]
    token = session.fetch_token(
        server["token_endpoint"], authorization_response=callback, state=state, code_verifier=verifier
    )
    ask(token, {})
    refused(
        "invalid_grant",
        session.fetch_token,
        server["token_endpoint"],
        authorization_response=callback,
        state=state,
        code_verifier=verifier,
    )
    return subject(session, token, nonce)


def ciba(session, authentication):
    def begin(hint):
        parameters = {"scope": told["scope"] + " offline_access", "login_hint": hint}
        endpoint = server["backchannel_authentication_endpoint"]
        return session.post(endpoint, data=parameters, auth=session.client_auth(authentication), withhold_token=True)

    def poll(request):
        return session.fetch_token(server["token_endpoint"], grant_type=CIBA, auth_req_id=request["auth_req_id"])

    begun = begin(told["login_hint"])
    assert begun.status_code == 200, begun.text
    token = poll(begun.json())
    ask(token, {})
    told_subject = session.get(server["userinfo_endpoint"]).json()
    assert told_subject == {"sub": subject(session, token)}, told_subject

    refreshed = session.refresh_token(server["token_endpoint"], refresh_token=token["refresh_token"])
    ask(refreshed, {})
    session.revocation_endpoint_auth_method = authentication
    revoked = session.revoke_token(server["revocation_endpoint"], token=refreshed["refresh_token"])
    assert revoked.status_code == 200, revoked.text
    ended = refreshed["refresh_token"]
    refused("invalid_grant", session.refresh_token, server["token_endpoint"], refresh_token=ended)
    silent = begin(told["silent_login_hint"]).json()
    refused("authorization_pending", poll, silent)
    refused("slow_down", poll, silent)
    unknown = begin("tel:+99999999999")
    assert (unknown.status_code, unknown.json()["error"]) == (400, "unknown_user_id"), unknown.text
    return subject(session, token)


for method, make in [
    ("client_secret_basic", lambda: by_secret("client_secret_basic")),
    ("client_secret_post", lambda: by_secret("client_secret_post")),
    ("private_key_jwt", by_key),
]:
    # A session keeps the token of a flow, so each has its own.
    client_credentials(make())
    assert code_with_pkce(make()) == ciba(make(), method), "both flows tell the same subject"
    print(f"{method}: client credentials, code with PKCE, CIBA, refresh, revocation, userinfo")

// Drives openid-client, a certified relying party, through every flow of the profile. What it is told
// comes as JSON on standard input; it ends with an error at the first step that does not come out as it
// should.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(`${process.env.MODULES}/`)
const client = await import(require.resolve('openid-client'))

const told = JSON.parse(readFileSync(0, 'utf8'))
const plainHttp = { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] }
const privateKey = await crypto.subtle.importKey(
  'pkcs8',
  Buffer.from(told.key.pkcs8, 'base64'),
  { name: 'ECDSA', namedCurve: 'P-256' },
  false,
  ['sign'],
)

// Each way to authenticate, found by discovery.
const discover = (id, authentication, algorithm = 'oidc') =>
  client.discovery(new URL(told.issuer), id, undefined, authentication, { ...plainHttp, algorithm })
const applications = {
  client_secret_basic: await discover(told.secret.client_id, client.ClientSecretBasic(told.secret.client_secret)),
  client_secret_post: await discover(told.secret.client_id, client.ClientSecretPost(told.secret.client_secret)),
  private_key_jwt: await discover(told.key.client_id, client.PrivateKeyJwt(privateKey)),
  'private_key_jwt, by RFC 8414': await discover(told.key.client_id, client.PrivateKeyJwt(privateKey), 'oauth2'),
}

// Asks the API, with the phone number where the token is for no line.
async function ask(config, token, body) {
  const headers = new Headers({ 'content-type': 'application/json' })
  const url = new URL(told.resource)
  const answer = await client.fetchProtectedResource(config, token, url, 'POST', JSON.stringify(body), headers)
  assert.equal(answer.status, 200)
  assert.equal((await answer.json()).roaming, false)
}

// The error of a step that has to fail.
async function refused(step, error) {
  await assert.rejects(step, (thrown) => {
    assert.equal(thrown.error ?? thrown.cause?.error, error, String(thrown))
    return true
  })
}

async function clientCredentials(config) {
  const scope = told.scope.replace('openid ', '')
  const tokens = await client.clientCredentialsGrant(config, { scope })
  assert.equal(tokens.token_type, 'bearer')
  assert.ok(tokens.expiresIn() > 0)
  assert.equal(tokens.refresh_token, undefined)
  await ask(config, tokens.access_token, { device: { phoneNumber: told.login_hint.replace('tel:', '') } })
  await refused(client.clientCredentialsGrant(config, { scope: 'no-such-scope' }), 'invalid_scope')
}

// Sends a browser to the authorization endpoint, and returns where it is sent back to.
async function authorize(config, changes = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce() }
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: told.redirect_uri,
    scope: told.scope,
    login_hint: told.login_hint,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...changes,
  })
  const answer = await fetch(url, { redirect: 'manual' })
  assert.equal(answer.status, 302)
  return { callback: new URL(answer.headers.get('location')), checks: { ...checks, idTokenExpected: true } }
}

async function codeWithPkce(config) {
  const { callback, checks } = await authorize(config)
  const tokens = await client.authorizationCodeGrant(config, callback, checks)
  assert.ok(tokens.claims().sub.length > 0)
  await ask(config, tokens.access_token, {})
  await refused(client.authorizationCodeGrant(config, callback, checks), 'invalid_grant')

  const other = await authorize(config)
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  await refused(client.authorizationCodeGrant(config, other.callback, { ...other.checks, pkceCodeVerifier }), 'invalid_grant')

  const denied = await authorize(config, { scope: 'openid no-such-scope' })
  await refused(client.authorizationCodeGrant(config, denied.callback, denied.checks), 'invalid_scope')
  return tokens.claims().sub
}

async function ciba(config) {
  const { scope, login_hint } = told
  const offline = { scope: `${scope} offline_access`, login_hint }
  const begun = await client.initiateBackchannelAuthentication(config, offline)
  const tokens = await client.pollBackchannelAuthenticationGrant(config, begun)
  await ask(config, tokens.access_token, {})
  const subject = tokens.claims().sub
  assert.deepEqual(await client.fetchUserInfo(config, tokens.access_token, subject), { sub: subject })

  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token)
  await ask(config, refreshed.access_token, {})
  assert.equal(refreshed.claims().sub, subject)
  await client.tokenRevocation(config, refreshed.refresh_token)
  await refused(client.refreshTokenGrant(config, refreshed.refresh_token), 'invalid_grant')

  // Who never answers is waited for, until the application gives up.
  const silent = await client.initiateBackchannelAuthentication(config, { scope, login_hint: told.silent_login_hint })
  const signal = AbortSignal.timeout(2_500)
  await assert.rejects(client.pollBackchannelAuthenticationGrant(config, silent, undefined, { signal }), (thrown) => {
    assert.equal(thrown.error ?? thrown.cause?.error, undefined, String(thrown))
    return true
  })
  const unknown = client.initiateBackchannelAuthentication(config, { scope, login_hint: 'tel:+99999999999' })
  await refused(unknown, 'unknown_user_id')
  return tokens.claims().sub
}

// All at once, since openid-client waits out the interval before its first poll.
await Promise.all(
  Object.entries(applications).map(async ([name, config]) => {
    await clientCredentials(config)
    const [code, backchannel] = await Promise.all([codeWithPkce(config), ciba(config)])
    assert.equal(code, backchannel, 'both flows tell the same subject')
    console.log(`${name}: client credentials, code with PKCE, CIBA, refresh, revocation, userinfo`)
  }),
)

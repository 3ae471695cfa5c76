// The server that tokens are measured beside: oidc-provider, certified by the OpenID Foundation, on a free
// port, which it prints. It keeps everything in memory, as its own adapter does, signs ES256 and issues access
// tokens as JWTs. Its two clients come as JSON on standard input.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'

const require = createRequire(`${process.env.MODULES}/`)
const { Provider } = await import(require.resolve('oidc-provider'))

// It says much about what a deployment would configure; of its output, only the first line is read.
console.info = console.warn = () => {}

const CIBA = 'urn:openid:params:grant-type:ciba'
const SCOPE = 'device-roaming-status:read'
const PURPOSE = 'dpv:ServiceProvision'

const told = JSON.parse(readFileSync(0, 'utf8'))

const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
const signingKey = { ...(await crypto.subtle.exportKey('jwk', pair.privateKey)), use: 'sig', alg: 'ES256' }
delete signingKey.key_ops
delete signingKey.ext

const client = {
  redirect_uris: [],
  response_types: [],
  grant_types: ['client_credentials', CIBA],
  backchannel_token_delivery_mode: 'poll',
  id_token_signed_response_alg: 'ES256',
}
const resourceServer = {
  scope: `${SCOPE} ${PURPOSE}`,
  audience: 'camara',
  accessTokenFormat: 'jwt',
  accessTokenTTL: 3600,
  jwt: { sign: { alg: 'ES256' } },
}

const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address()
  const issuer = `http://127.0.0.1:${port}`
  const provider = new Provider(issuer, {
    clients: [
      { ...client, ...told.secret, token_endpoint_auth_method: 'client_secret_basic' },
      { ...client, ...told.key, token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256' },
    ],
    clientAuthMethods: ['client_secret_basic', 'private_key_jwt'],
    jwks: { keys: [signingKey] },
    ttl: { BackchannelAuthenticationRequest: 120, Grant: 3600, IdToken: 3600 },
    scopes: ['openid', SCOPE, PURPOSE],
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:camara',
        useGrantedResource: () => true,
        getResourceServerInfo: () => resourceServer,
      },
      ciba: {
        enabled: true,
        deliveryModes: ['poll'],
        processLoginHint: (_, hint) => hint.replace('tel:', ''),
        validateBindingMessage: () => {},
        validateRequestContext: () => {},
        verifyUserCode: () => {},
        // Everybody consents at once, as everybody does in a sandbox of Attache.
        triggerAuthenticationDevice: async (_, request, account, { clientId }) => {
          const grant = new provider.Grant({ clientId, accountId: account.accountId })
          grant.addOIDCScope('openid')
          grant.addResourceScope('urn:camara', `${SCOPE} ${PURPOSE}`)
          await grant.save()
          await provider.backchannelResult(request, grant)
        },
      },
    },
  })
  server.on('request', provider.callback())
  console.log(`127.0.0.1:${port}`)
})

// An OpenID Connect provider that nobody here wrote (npm: oidc-provider), as a process for one case.
//
// SETTINGS is JSON: port, redirect_uri, post_logout_redirect_uri, client_secret; and what makes providers differ:
//   refresh        false: it gives no refresh tokens
//   end_session    false: it has no end-session endpoint
//   groups         how it spells them: "names", "paths", "one" (a text instead of a list), "none"
//   auth_method    how the client proves itself: client_secret_basic, client_secret_post
//   algorithm      what signs ID tokens: RS256, PS256, ES256
//   skew           seconds by which its clock is ahead of this machine's
//   id_token_ttl   seconds
// Everybody may sign in; the name typed is the group that the person is in. POST /rotate makes it sign with a new key.

import { createPrivateKey, generateKeyPairSync } from 'node:crypto';

const settings = JSON.parse(process.env.SETTINGS);
if (settings.skew) {
  const now = Date.now;
  Date.now = () => now() + settings.skew * 1000;
}
// Where `.dev/test` has installed it: modules are looked up beside their own file, and this one is elsewhere.
const { Provider } = await import(process.env.OIDC_PROVIDER);

const issuer = `http://127.0.0.1:${settings.port}`;
const algorithm = settings.algorithm ?? 'RS256';

// By way of PEM: a pair that is exported as JWK where it was made shares a lock with the job that made it, and Node 20 stops for
// good if its garbage collection takes that job away meanwhile (about once in a thousand keys).
function key(kid) {
  const encodings = { publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } };
  const pair = algorithm === 'ES256'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256', ...encodings })
    : generateKeyPairSync('rsa', { modulusLength: 2048, ...encodings });
  return { ...createPrivateKey(pair.privateKey).export({ format: 'jwk' }), kid, use: 'sig', alg: algorithm };
}

function groups(name) {
  switch (settings.groups ?? 'names') {
    case 'names': return { groups: ['offline', name] };
    case 'paths': return { groups: ['/staff', `/${name}`] };
    case 'one': return { groups: name };
    default: return {};
  }
}

function configuration(keys) {
  return {
    clients: [{
      client_id: 'core-client',
      client_secret: settings.client_secret,
      redirect_uris: [settings.redirect_uri],
      post_logout_redirect_uris: [settings.post_logout_redirect_uri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: settings.auth_method ?? 'client_secret_basic',
      introspection_endpoint_auth_method: settings.auth_method ?? 'client_secret_basic',
      id_token_signed_response_alg: algorithm,
    }, {
      client_id: 'another',
      client_secret: 'the secret of another client',
      redirect_uris: ['http://127.0.0.1:9/callback'],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      id_token_signed_response_alg: algorithm,
    }],
    async findAccount(_, id) {
      const claims = async () => ({
        sub: id,
        name: `Name of ${id}`,
        preferred_username: id,
        email: `${id}@hivematrix.example`,
        email_verified: true,
        ...groups(id),
      });
      return { accountId: id, claims };
    },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username', 'groups'] },
    clientAuthMethods: [settings.auth_method ?? 'client_secret_basic'],
    cookies: { keys: ['a key for the cookies of a case'] },
    enabledJWA: { idTokenSigningAlgValues: [algorithm] },
    features: {
      devInteractions: { enabled: true },
      introspection: { enabled: true },
      rpInitiatedLogout: { enabled: settings.end_session !== false },
    },
    issueRefreshToken: async () => settings.refresh !== false,
    jwks: { keys },
    pkce: { required: () => true },
    ttl: { IdToken: settings.id_token_ttl ?? 300, AccessToken: 300, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600 },
  };
}

const store = new Map();
/** All providers of this process (there is a new one after each change of keys) remember the same. */
class Memory {
  constructor(name) { this.name = name; }
  id(id) { return `${this.name}:${id}`; }
  async upsert(id, payload) {
    store.set(this.id(id), payload);
    if (payload.uid) store.set(`uid:${payload.uid}`, id);
  }
  async find(id) { return store.get(this.id(id)); }
  async findByUid(uid) { return this.find(store.get(`uid:${uid}`)); }
  async consume(id) { store.get(this.id(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { store.delete(this.id(id)); }
  async revokeByGrantId(grantId) {
    for (const [id, payload] of store) if (payload?.grantId === grantId) store.delete(id);
  }
}

let generation = 0;
let handle;
function start() {
  generation += 1;
  handle = new Provider(issuer, { ...configuration([key(`key-${generation}`)]), adapter: Memory }).callback();
}
start();

const { createServer } = await import('node:http');
createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/rotate') {
    start();
    response.end();
    return;
  }
  handle(request, response);
}).listen(settings.port, '127.0.0.1');

/**
 * Accepts Daypass access tokens (RFC 9068) with jose. Copy this file; it needs jose 6 and Node 20 or newer.
 * The package `@daypass/verify` does the same, follows the list of ended sessions, and fits Express, Fastify and Hono.
 *
 *     const verify = createVerifier({ issuer: 'https://id.example', audience: 'https://api.example' }) // one for all
 *     const claims = await verify(token)
 *
 * InvalidToken: answer 401 with `WWW-Authenticate: Bearer error="invalid_token"`.
 * KeysUnavailable: answer 503 with `Retry-After: 10`; the token may well be good.
 *
 * jose parses, and checks the signature. What it leaves open is done here: bounded times, bindings, canonical
 * base64url, and a key cache that asks at most once in 10 s, after failures too, and outlives an outage.
 */
import { compactVerify, importJWK } from 'jose'

const ALGORITHMS = ['ES256'] // the service's `tokens.algorithm`; 'RS256', 'PS256' and 'Ed25519' work as well
const LEEWAY = 5 // seconds after `exp`
const FUTURE = 30 // seconds by which `iat` and `nbf` may lie ahead
const MAX_LIFETIME = 3600 // seconds from `iat` to `exp`
const MAX_TOKEN = 16 * 1024 // characters
const MAX_JWKS = 512 * 1024 // bytes
const AHEAD = 240 // seconds of age at which keys are renewed in passing,
const FRESH = 300 // are waited for,
const STALE = 3600 // and are given up
const COOL_DOWN = 10 // seconds between two requests for keys
const TIMEOUT = 2 // seconds for one request
// They would change what is signed or where the key is from. Daypass sends none of them.
const FORBIDDEN = ['crit', 'b64', 'zip', 'jwk', 'jku', 'x5u', 'x5c', 'cty', 'enc']

/** The token is not good: 401. The message is for the log, and holds nothing of the token. */
export class InvalidToken extends Error {}

/** The token can be judged neither way now: 503. */
export class KeysUnavailable extends Error {}

/** Two clocks in seconds: the time of day, and one that is never set. */
const system = { time: () => Date.now() / 1000, monotonic: () => performance.now() / 1000 }

/** A function that returns the claims of a good token. */
export function createVerifier({ issuer, audience, jwksUrl = `${issuer}/.well-known/jwks.json`, clock = system }) {
  const keys = new Keys(jwksUrl, clock)
  return async function verify(token) {
    // Nothing is trusted yet: this only refuses, so that junk costs no look-up of keys.
    const [header, claims] = parse(token)
    checkHeader(header)
    checkClaims(claims, issuer, audience, clock.time())
    const { key, alg } = await keys.find(header.kid, claims.iat)
    try {
      await compactVerify(token, key, { algorithms: [alg] }) // a key has one algorithm
    } catch {
      throw new InvalidToken('signature')
    }
    return claims
  }
}

function parse(token) {
  const parts = token.length <= MAX_TOKEN ? token.split('.', 4) : []
  const bytes = parts.map((part) => Buffer.from(part, 'base64url'))
  if (parts.length !== 3 || bytes.some((part, i) => part.toString('base64url') !== parts[i])) {
    throw new InvalidToken('malformed')
  }
  try {
    const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    const objects = bytes.slice(0, 2).map((part) => JSON.parse(utf8.decode(part)))
    if (objects.every((object) => object !== null && typeof object === 'object' && !Array.isArray(object))) {
      return objects
    }
  } catch {
    // Not JSON.
  }
  throw new InvalidToken('malformed')
}

function checkHeader(header) {
  if (!ALGORITHMS.includes(header.alg)) throw new InvalidToken('alg')
  if (FORBIDDEN.some((name) => Object.hasOwn(header, name))) throw new InvalidToken('header')
  // RFC 9068 section 4 knows these two spellings.
  if (typeof header.typ !== 'string' || !/^(application\/)?at\+jwt$/.test(header.typ)) throw new InvalidToken('typ')
  if (!isName(header.kid)) throw new InvalidToken('kid')
}

/** Each test says what has to hold, so that a missing or odd value fails it. */
function checkClaims(claims, issuer, audience, now) {
  const { iss, exp, iat, nbf = 0, aud, sub, client_id, jti, sid = 'none', scope = '', cnf } = claims
  const need = (holds, what) => {
    if (!holds) throw new InvalidToken(what)
  }
  need(iss === issuer, 'iss')
  need(isDate(exp) && now < exp + LEEWAY, 'exp')
  need(isDate(iat) && iat <= now + FUTURE && iat < exp && exp - iat <= MAX_LIFETIME, 'iat')
  need(isDate(nbf) && nbf <= now + FUTURE && nbf <= exp, 'nbf')
  const audiences = Array.isArray(aud) ? aud : [aud]
  need(audiences.every((one) => typeof one === 'string') && audiences.includes(audience), 'aud')
  need([sub, client_id, jti].every(isName), 'sub, client_id or jti')
  need(isName(sid) && typeof scope === 'string', 'sid or scope')
  need(cnf === undefined, 'cnf') // bound to a key of the bearer, whose proof nobody checks here
}

const isDate = (value) => typeof value === 'number' && value >= 0 && value <= 253_402_300_799
const isName = (value) => typeof value === 'string' && value.length > 0 && value.length <= 255

/** The issuer's public keys, by key id. */
class Keys {
  #url
  #clock
  #keys = new Map()
  #fetched = -Infinity
  #fetchedWall = -Infinity
  #tried = -Infinity
  #failing = true
  #pending = null

  constructor(url, clock) {
    this.#url = url
    this.#clock = clock
  }

  async find(kid, issuedAt) {
    const now = this.#clock.monotonic()
    const age = now - this.#fetched
    const unknown = !this.#keys.has(kid)
    if ((unknown || age >= AHEAD) && this.#pending === null && now - this.#tried >= COOL_DOWN) {
      this.#tried = now
      this.#pending = this.#fetch(now, this.#clock.time()).finally(() => (this.#pending = null))
    }
    // A key at hand is waited for only to notice its withdrawal, and not in an outage.
    const asked = this.#pending !== null && (unknown || age >= STALE || (age >= FRESH && !this.#failing))
    if (asked) await this.#pending
    if (this.#clock.monotonic() - this.#fetched >= STALE) throw new KeysUnavailable()
    const key = this.#keys.get(kid)
    if (key !== undefined) return key
    // In the cool-down, a token that is younger than the keys may have a key younger than them.
    if (this.#failing || !(asked || issuedAt + FUTURE < this.#fetchedWall)) throw new KeysUnavailable()
    throw new InvalidToken('unknown key')
  }

  async #fetch(begun, wall) {
    try {
      this.#keys = await readKeys(this.#url)
      this.#fetched = begun
      this.#fetchedWall = wall
      this.#failing = false
    } catch (error) {
      console.warn(`no keys from ${this.#url}: ${error.message}`) // those at hand stay
      this.#failing = true
    }
  }
}

async function readKeys(url) {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT * 1000) })
  if (!response.ok) throw new Error(`status ${response.status}`)
  const pieces = []
  let size = 0
  for await (const piece of response.body) {
    size += piece.length
    if (size > MAX_JWKS) throw new Error('too large')
    pieces.push(piece)
  }
  const keys = new Map()
  for (const jwk of JSON.parse(Buffer.concat(pieces).toString()).keys) {
    if (!ALGORITHMS.includes(jwk?.alg) || (jwk.use ?? 'sig') !== 'sig' || !isName(jwk.kid)) continue
    try {
      keys.set(jwk.kid, { key: await importJWK(jwk), alg: jwk.alg })
    } catch {
      // RFC 7517 section 5: what is not understood is passed over.
    }
  }
  if (keys.size === 0) throw new Error('no key of use')
  return keys
}

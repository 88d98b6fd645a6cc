// Prints the verdict of verify.mjs on each vector of a file: `node run_vectors.mjs vectors.json`.
import { readFileSync } from 'node:fs'
import { createVerifier, InvalidToken, KeysUnavailable } from './verify.mjs'

const { base, verifiers, vectors } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
let at = 0 // seconds since `base`, for verifiers with a clock of their own
const clock = { time: () => base + at, monotonic: () => at }
const made = {}

for (const { name, verifier, token, times = 1, before, at: offset } of vectors) {
  const { issuer, audience, jwks_url, system_clock } = verifiers[verifier]
  const jwksUrl = jwks_url.replace('{language}', 'javascript')
  made[verifier] ??= createVerifier({ issuer, audience, jwksUrl, ...(system_clock ? {} : { clock }) })
  if (before) await fetch(before.replace('{language}', 'javascript'))
  at = offset ?? at
  const verdicts = await Promise.all(Array.from({ length: times }, () => verdict(made[verifier], token)))
  console.log(`${name}\t${[...new Set(verdicts)].sort().join('+')}`)
}

async function verdict(verify, token) {
  try {
    const claims = await verify(token)
    return typeof claims.sub === 'string' ? 'ok' : 'no claims'
  } catch (error) {
    if (error instanceof InvalidToken) return 'invalid'
    if (error instanceof KeysUnavailable) return 'unavailable'
    return `failed: ${error.name}`
  }
}

/**
 * Checks on foreign public keys that the cryptographic library does not make. All inputs are public: nothing here needs
 * constant time.
 */

/** The primes of the flawed generator of CVE-2017-15361 that all its key sizes share. */
const ROCA_PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113,
  127, 131, 137, 139, 149, 151, 157, 163, 167,
].map(BigInt);

/** Whether a big-endian modulus is one to rely on: 2048 to 8192 bits, odd, no leading zero, not of the ROCA structure. */
export function isGoodModulus(modulus: Buffer): boolean {
  if (modulus.length === 0 || modulus[0] === 0 || modulus.length > 1024) return false;
  const n = BigInt(`0x${modulus.toString("hex")}`);
  return n >> 2047n !== 0n && n % 2n === 1n && !ROCA_PRIMES.every((prime) => isPowerOf65537(n % prime, prime));
}

function isPowerOf65537(residue: bigint, prime: bigint): boolean {
  for (let power = 1n, step = 0n; step < prime; step++) {
    if (power === residue) return true;
    power = (power * 65_537n) % prime;
  }
  return false;
}

const P = 2n ** 255n - 19n;

/**
 * Whether 32 bytes are the canonical encoding of a point on edwards25519 whose order is not small (RFC 8032 section
 * 5.1.3): a key of small order verifies forged signatures.
 */
export function isGoodEd25519Point(encoded: Buffer): boolean {
  if (encoded.length !== 32) return false;
  const y = BigInt(`0x${Buffer.from(encoded).reverse().toString("hex")}`) & ((1n << 255n) - 1n);
  if (y >= P) return false;
  const square = (y * y) % P;
  // Orders 1 and 2 have y² = 1, order 4 has y = 0, order 8 doubles to y = 0: d·y⁴ + 2·y² = 1, d = -121665/121666.
  const order8 = (121_665n * square * square + 121_666n - 243_332n * square) % P;
  if (square === 1n || square === 0n || order8 === 0n) return false;
  // On the curve x² = (y² - 1) / (d·y² + 1); times squares, that is the product below, and it must be a square.
  const numerator = (square - 1n + P) % P;
  const denominator = (121_666n - ((121_665n * square) % P) + P) % P;
  return isSquare((((numerator * denominator) % P) * 121_666n) % P);
}

/** Euler's criterion. */
function isSquare(value: bigint): boolean {
  let power = 1n;
  let base = value;
  for (let exponent = (P - 1n) / 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) power = (power * base) % P;
    base = (base * base) % P;
  }
  return power === 1n;
}

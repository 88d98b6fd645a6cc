//! Checks on foreign public keys that the cryptographic library does not make. All inputs are public: nothing
//! here needs constant time.

use crate::KeyError;

/// Bits of an RSA modulus, RFC 7518 section 3.3 below and the library's limit above.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Checks a modulus as big-endian bytes without leading zeros.
pub(crate) fn check_rsa_modulus(modulus: &[u8]) -> Result<(), KeyError> {
    let (Some(first), Some(last)) = (modulus.first(), modulus.last()) else {
        return Err(KeyError::Malformed("the RSA modulus is empty"));
    };
    if *first == 0 {
        return Err(KeyError::Malformed("the RSA modulus has a leading zero"));
    }
    let bits = modulus.len() * 8 - first.leading_zeros() as usize;
    if bits < *RSA_BITS.start() {
        return Err(KeyError::Weak("RSA below 2048 bits"));
    }
    if bits > *RSA_BITS.end() {
        return Err(KeyError::Weak("RSA above 8192 bits"));
    }
    if last.is_multiple_of(2) {
        return Err(KeyError::Weak("the RSA modulus is even"));
    }
    if is_roca(modulus) {
        return Err(KeyError::Weak("the RSA modulus has the ROCA structure"));
    }
    Ok(())
}

/// The primes whose product the flawed generator of CVE-2017-15361 used (the part that all its key sizes
/// share).
const ROCA_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether the modulus is a power of 65537 modulo each of the primes. By chance that is so for one modulus in
/// 2^27.
fn is_roca(modulus: &[u8]) -> bool {
    ROCA_PRIMES.iter().all(|prime| {
        let residue = modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        (0..*prime).any(|_| {
            let hit = power == residue;
            power = power * (65_537 % prime) % prime;
            hit
        })
    })
}

/// Checks that 32 bytes are the canonical encoding of a point on edwards25519 whose order is not small (RFC
/// 8032 section 5.1.3). The library takes any 32 bytes as a key, and a key of small order verifies forged
/// signatures.
///
/// A point of large order with a small-order component passes: only the key's owner can make one, and it lets
/// nobody else sign.
pub(crate) fn check_ed25519_point(encoded: &[u8; 32]) -> Result<(), KeyError> {
    let y = Field::from_encoding(encoded).ok_or(KeyError::Malformed("the Ed25519 point is not canonical"))?;
    let square = y.mul(y);
    // Orders 1 and 2 have y² = 1, order 4 has y = 0, order 8 doubles to y = 0: d·y⁴ + 2·y² = 1, d =
    // -121665/121666.
    let order_8 = Field::from(121_665).mul(square).mul(square).add(Field::from(121_666));
    if square.is(Field::from(1)) || square.is(Field::from(0)) || order_8.is(Field::from(243_332).mul(square))
    {
        return Err(KeyError::Weak("the Ed25519 point has a small order"));
    }
    // On the curve, x² = (y² - 1) / (d·y² + 1); times squares, that is the product below, and it must be a
    // square.
    let numerator = square.add(Field::MINUS_ONE);
    let denominator = Field::from(121_666).add(Field::MINUS_ONE.mul(Field::from(121_665)).mul(square));
    if !numerator.mul(denominator).mul(Field::from(121_666)).is_square() {
        return Err(KeyError::Malformed("the Ed25519 point is not on the curve"));
    }
    Ok(())
}

/// An integer modulo p = 2^255 - 19 in four little-endian limbs, below 2^256 and so not always reduced.
#[derive(Clone, Copy, Debug)]
struct Field([u64; 4]);

#[expect(clippy::indexing_slicing, reason = "limb arrays have fixed lengths, and the loops run to them")]
#[expect(clippy::cast_possible_truncation, reason = "a limb is the low half of its product")]
impl Field {
    const P: [u64; 4] = [u64::MAX - 18, u64::MAX, u64::MAX, u64::MAX >> 1];
    const MINUS_ONE: Self = Self([u64::MAX - 19, u64::MAX, u64::MAX, u64::MAX >> 1]);

    /// The y coordinate of an encoded point; the topmost bit is the sign of x. `None` if y is not below p.
    fn from_encoding(encoded: &[u8; 32]) -> Option<Self> {
        let mut limbs = [0; 4];
        for (limb, bytes) in limbs.iter_mut().zip(encoded.chunks_exact(8)) {
            *limb = bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
        }
        limbs[3] &= u64::MAX >> 1;
        limbs.iter().rev().lt(Self::P.iter().rev()).then_some(Self(limbs))
    }

    fn add(self, other: Self) -> Self {
        let mut sum = self.0;
        let mut carry = 0_u128;
        for (limb, added) in sum.iter_mut().zip(other.0) {
            carry += u128::from(*limb) + u128::from(added);
            *limb = carry as u64;
            carry >>= 64;
        }
        Self::fold(sum, carry)
    }

    fn mul(self, other: Self) -> Self {
        let mut product = [0_u64; 8];
        for i in 0..4 {
            let mut carry = 0_u128;
            for j in 0..4 {
                carry += u128::from(self.0[i]) * u128::from(other.0[j]) + u128::from(product[i + j]);
                product[i + j] = carry as u64;
                carry >>= 64;
            }
            product[i + 4] = carry as u64;
        }
        // 2^256 is 38 modulo p.
        let mut low = [product[0], product[1], product[2], product[3]];
        let mut carry = 0_u128;
        for (limb, high) in low.iter_mut().zip(&product[4..]) {
            carry += u128::from(*limb) + 38 * u128::from(*high);
            *limb = carry as u64;
            carry >>= 64;
        }
        Self::fold(low, carry)
    }

    /// `limbs + carry · 2^256`, brought below 2^256 again.
    fn fold(mut limbs: [u64; 4], mut carry: u128) -> Self {
        while carry != 0 {
            carry *= 38;
            for limb in &mut limbs {
                carry += u128::from(*limb);
                *limb = carry as u64;
                carry >>= 64;
            }
        }
        Self(limbs)
    }

    fn is(self, other: Self) -> bool {
        self.add(Self::MINUS_ONE.mul(other)).is_zero()
    }

    /// Multiples of p below 2^256 are 0, p and 2p.
    fn is_zero(self) -> bool {
        const TWICE_P: [u64; 4] = [u64::MAX - 37, u64::MAX, u64::MAX, u64::MAX];
        self.0 == [0; 4] || self.0 == Self::P || self.0 == TWICE_P
    }

    /// Euler's criterion: the power (p - 1) / 2 = 2^254 - 10 is 1. Zero is not counted as a square.
    fn is_square(self) -> bool {
        let mut power = Self::from(1);
        for bit in (0..254).rev() {
            power = power.mul(power);
            // 2^254 - 10 in binary: ones, except in the places 0 and 3.
            if bit != 0 && bit != 3 {
                power = power.mul(self);
            }
        }
        power.is(Self::from(1))
    }
}

impl From<u64> for Field {
    fn from(value: u64) -> Self {
        Self([value, 0, 0, 0])
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    fn point(hex: &str) -> [u8; 32] {
        let bytes: Vec<u8> =
            (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
        bytes.try_into().unwrap()
    }

    #[test]
    fn real_ed25519_keys_pass() {
        for _ in 0..200 {
            let pair = Ed25519KeyPair::generate().unwrap();
            let encoded: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
            assert_eq!(check_ed25519_point(&encoded), Ok(()));
        }
    }

    #[test]
    fn half_of_all_canonical_encodings_are_off_the_curve() {
        let off = (0..=255)
            .filter(|byte| {
                let mut encoded = [7; 32];
                encoded[0] = *byte;
                check_ed25519_point(&encoded).is_err()
            })
            .count();
        assert!((80..176).contains(&off), "{off} of 256");
    }

    #[test]
    fn points_of_small_order_are_weak() {
        for hex in [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        ] {
            assert!(matches!(check_ed25519_point(&point(hex)), Err(KeyError::Weak(_))), "{hex}");
        }
    }

    #[test]
    fn coordinates_from_p_on_are_not_canonical() {
        for hex in [
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            assert!(matches!(check_ed25519_point(&point(hex)), Err(KeyError::Malformed(_))), "{hex}");
        }
    }

    #[test]
    fn a_modulus_that_is_1_modulo_all_primes_is_roca() {
        // The product of the primes, times 2, shifted up to 2048 bits, plus 1.
        let mut product = vec![1_u8];
        for prime in ROCA_PRIMES {
            let mut carry = 0;
            for byte in product.iter_mut().rev() {
                carry += u32::from(*byte) * prime;
                *byte = (carry & 0xff) as u8;
                carry >>= 8;
            }
            while carry != 0 {
                product.insert(0, (carry & 0xff) as u8);
                carry >>= 8;
            }
        }
        product.resize(257, 0);
        *product.last_mut().unwrap() = 1;
        assert_eq!(
            check_rsa_modulus(&product),
            Err(KeyError::Weak("the RSA modulus has the ROCA structure"))
        );
        *product.last_mut().unwrap() = 3;
        assert_eq!(check_rsa_modulus(&product), Ok(()));
    }
}

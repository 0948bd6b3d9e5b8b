//! Shared by the formats: the limits on the cost of a hash, the derivations, and the reading of fields.

use std::num::NonZeroU32;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use ring::pbkdf2;
use subtle::ConstantTimeEq;

/// The stored hash has no known format, or is damaged.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The hash, if it has this length. Functions that can make hashes of any length would accept the first half of a hash too.
pub fn exactly(length: usize, hash: Vec<u8>) -> Result<Vec<u8>, Unreadable> {
    if hash.len() == length {
        Ok(hash)
    } else {
        Err(Unreadable)
    }
}

/// The most memory that a hash may need: the larger of the two sizes that RFC 9106 recommends for argon2. A failed allocation would
/// end the process.
const MOST_MEMORY: u128 = 2 << 30;

/// The most rounds of PBKDF2 and of SHA-crypt. A hash beyond this limit, or the other limits of this crate, takes longer than the
/// five seconds of a sign-in, so it can never be checked. Trying would only slow down other sign-ins.
pub const MOST_ROUNDS: u128 = 50_000_000;

/// The most bytes that argon2 and scrypt may write, over all passes.
const MOST_WRITTEN: u128 = 32 << 30;

pub fn at_most(most: u128, asked: u128) -> Result<(), Unreadable> {
    match asked <= most {
        true => Ok(()),
        false => Err(Unreadable),
    }
}

/// Whether PBKDF2 makes this hash of the password.
pub fn derive(
    password: &[u8],
    algorithm: pbkdf2::Algorithm,
    rounds: &str,
    salt: &[u8],
    hash: &[u8],
) -> Result<bool, Unreadable> {
    let rounds: NonZeroU32 = number(rounds)?;
    at_most(MOST_ROUNDS, rounds.get().into())?;
    Ok(pbkdf2::verify(algorithm, rounds, salt, password, hash).is_ok())
}

/// Whether argon2 with this memory, in KiB, and this many passes is within the limits.
pub fn argon2_is_affordable(memory: u32, passes: u32) -> Result<(), Unreadable> {
    let bytes = u128::from(memory) * 1024;
    at_most(MOST_MEMORY, bytes)?;
    at_most(MOST_WRITTEN, bytes * u128::from(passes))
}

/// Whether scrypt with this cost, block size and number of lanes is within the limits.
fn scrypt_is_affordable(log_n: u8, r: u32, p: u32) -> Result<(), Unreadable> {
    let (block, lanes) = (128 * u128::from(r), u128::from(p));
    at_most(MOST_MEMORY, (block << log_n) + block * lanes)?;
    at_most(MOST_WRITTEN, (block << log_n) * lanes)
}

/// Fills the output with the scrypt hash of a password, if cost, block size and lanes are within the limits.
pub fn scrypt(
    password: &[u8],
    salt: &[u8],
    (cost, r, p): (u32, u32, u32),
    output: &mut [u8],
) -> Result<(), Unreadable> {
    let log_n = u8::try_from(cost).map_err(|_| Unreadable)?;
    let params = scrypt::Params::new(log_n, r, p, scrypt::Params::RECOMMENDED_LEN)
        .map_err(|_| Unreadable)?;
    scrypt_is_affordable(log_n, r, p)?;
    scrypt::scrypt(password, salt, &params, output).map_err(|_| Unreadable)
}

/// Compares in constant time.
pub fn same(computed: &[u8], stored: &[u8]) -> Result<bool, Unreadable> {
    if stored.len() < 16 {
        Err(Unreadable)
    } else {
        Ok(computed.ct_eq(stored).into())
    }
}

pub fn base64(text: &str) -> Result<Vec<u8>, Unreadable> {
    BASE64_STANDARD_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| Unreadable)
}

pub fn number<T: std::str::FromStr>(text: &str) -> Result<T, Unreadable> {
    text.parse().map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_on_cost_are_exact() {
        let most = (MOST_MEMORY, MOST_ROUNDS, MOST_WRITTEN);
        assert_eq!(most, (2_147_483_648, 50_000_000, 34_359_738_368));
        assert_eq!(at_most(7, 7), Ok(()));
        assert_eq!(at_most(7, 8), Err(Unreadable));
    }

    #[test]
    fn argon2_is_limited_in_memory_and_in_passes() {
        for (memory, passes, affordable) in [
            (2_097_152, 1, true),
            (2_097_153, 1, false),
            (2_097_152, 16, true),
            (2_097_152, 17, false),
            (1_024, 32_768, true),
            (1_024, 32_769, false),
        ] {
            let found = argon2_is_affordable(memory, passes);
            assert_eq!(found.is_ok(), affordable, "{memory} {passes}");
        }
    }

    #[test]
    fn scrypt_is_limited_in_memory_and_in_lanes() {
        for (log_n, r, p, affordable) in [
            (20, 8, 1, true),
            (21, 8, 1, false),
            (20, 8, 32, true),
            (20, 8, 33, false),
            (1, 8, 2_097_150, true),
            (1, 8, 2_097_151, false),
        ] {
            let found = scrypt_is_affordable(log_n, r, p);
            assert_eq!(found.is_ok(), affordable, "{log_n} {r} {p}");
        }
    }

    #[test]
    fn a_hash_has_at_least_sixteen_bytes() {
        assert_eq!(same(&[7; 16], &[7; 16]), Ok(true));
        assert_eq!(same(&[7; 16], &[8; 16]), Ok(false));
        assert_eq!(same(&[7; 15], &[7; 15]), Err(Unreadable));
    }
}

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
pub const MOST_MEMORY: u128 = 2 << 30;

/// The most rounds of PBKDF2 and of SHA-crypt. A hash beyond this limit, or the other limits of this crate, takes longer than the
/// five seconds of a sign-in, so it can never be checked. Trying would only slow down other sign-ins.
pub const MOST_ROUNDS: u128 = 50_000_000;

/// The most bytes that argon2 and scrypt may write, over all passes.
pub const MOST_WRITTEN: u128 = 32 << 30;

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

/// Fills the output with the scrypt hash of a password, if cost, block size and lanes are within the limits.
pub fn scrypt(
    password: &[u8],
    salt: &[u8],
    (cost, r, p): (u32, u32, u32),
    output: &mut [u8],
) -> Result<(), Unreadable> {
    let cost = u8::try_from(cost).map_err(|_| Unreadable)?;
    let params =
        scrypt::Params::new(cost, r, p, scrypt::Params::RECOMMENDED_LEN).map_err(|_| Unreadable)?;
    let (block, lanes) = (128 * u128::from(r), u128::from(p));
    at_most(MOST_MEMORY, (block << cost) + block * lanes)?;
    at_most(MOST_WRITTEN, (block << cost) * lanes)?;
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

//! What every format needs: the limits of what one hash may cost, the derivations, and reading its fields.

use std::num::NonZeroU32;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use ring::pbkdf2;
use subtle::ConstantTimeEq;

/// The stored hash is of no known format, or damaged.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The hash, if it is as long as it should be: the first half of one would be as good as the whole to those functions
/// that can make hashes of any length.
pub fn exactly(length: usize, hash: Vec<u8>) -> Result<Vec<u8>, Unreadable> {
    if hash.len() == length {
        Ok(hash)
    } else {
        Err(Unreadable)
    }
}

/// The most memory a hash may ask for: what RFC 9106 recommends for argon2 where there is plenty. Beyond it lies nonsense,
/// and memory that cannot be had would end the process.
pub const MOST_MEMORY: u128 = 2 << 30;

/// The most rounds of PBKDF2 and of SHA-crypt. This and its like elsewhere take more than the five seconds of a sign-in on
/// a whole processor: such a hash can never be checked, and trying would keep the processor from those that can.
pub const MOST_ROUNDS: u128 = 50_000_000;

/// The most that argon2 and scrypt may write, over all their passes.
pub const MOST_WRITTEN: u128 = 32 << 30;

pub fn at_most(most: u128, asked: u128) -> Result<(), Unreadable> {
    match asked <= most {
        true => Ok(()),
        false => Err(Unreadable),
    }
}

/// Whether PBKDF2 gives this hash.
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

/// Fills the output with what scrypt makes of a password, where cost, block size and lanes can be afforded.
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

/// Compares without telling by the time it takes where the difference is.
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

//! Formats that fit no other file: phpass, LDAP's salted SHA, Firebase's scrypt.

use aes::Aes256;
use base64::{Engine, prelude::BASE64_STANDARD};
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit, StreamCipher},
};
use md5::{Digest, Md5};
use ring::digest;

use super::work::{Unreadable, base64, same, scrypt};

/// The digits of phpass. Its cost is one of them.
const ITOA64: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `P$` + cost + eight characters of salt + hash: repeated MD5.
pub(super) fn phpass(password: &[u8], rest: &str) -> Result<bool, Unreadable> {
    let setting = rest
        .get(2..)
        .filter(|setting| setting.len() == 31 && setting.is_ascii())
        .ok_or(Unreadable)?;
    let cost = ITOA64
        .iter()
        .position(|digit| *digit == setting.as_bytes()[0])
        .ok_or(Unreadable)?;
    if !(7..=25).contains(&cost) {
        return Err(Unreadable);
    }
    let mut hash = Md5::new()
        .chain_update(&setting[1..9])
        .chain_update(password)
        .finalize();
    for _ in 0..1_u32 << cost {
        hash = Md5::new()
            .chain_update(hash)
            .chain_update(password)
            .finalize();
    }
    same(encode64(&hash).as_bytes(), &setting.as_bytes()[9..])
}

/// Three bytes to four digits, the lowest bits first.
fn encode64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let value = chunk
            .iter()
            .rev()
            .fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
        for digit in 0..=chunk.len() {
            text.push(char::from(ITOA64[value >> (6 * digit) & 0x3f]));
        }
    }
    text
}

/// `{SSHA}` and its variants: base64 of the hash followed by the salt.
pub(super) fn ldap(password: &[u8], stored: &str) -> Result<bool, Unreadable> {
    let (scheme, encoded) = stored.split_once('}').ok_or(Unreadable)?;
    let algorithm = match scheme.to_ascii_uppercase().as_str() {
        "{SSHA" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "{SSHA256" => &digest::SHA256,
        "{SSHA512" => &digest::SHA512,
        _ => return Err(Unreadable),
    };
    let decoded = base64(encoded)?;
    let (hash, salt) = decoded
        .split_at_checked(algorithm.output_len())
        .ok_or(Unreadable)?;
    let computed = digest::digest(algorithm, &[password, salt].concat());
    same(computed.as_ref(), hash)
}

/// The parameters that all users of a Firebase project share.
#[derive(Clone, Copy, Debug)]
pub struct FirebaseKey<'a> {
    /// `base64_salt_separator`
    pub salt_separator: &'a str,
    /// `rounds`
    pub rounds: u32,
    /// `mem_cost`
    pub mem_cost: u32,
}

/// Firebase's scrypt: the hash is the project's signer key, encrypted with the derived key.
pub fn firebase(
    password: &[u8],
    stored: &str,
    salt: &str,
    key: FirebaseKey<'_>,
    signer_key: &str,
) -> Result<bool, Unreadable> {
    let decode = |text: &str| base64(&text.replace('-', "+").replace('_', "/"));
    let salt = [decode(salt)?, decode(key.salt_separator)?].concat();
    let mut derived = [0; 32];
    scrypt(password, &salt, (key.mem_cost, key.rounds, 1), &mut derived)?;
    let mut computed = BASE64_STANDARD
        .decode(signer_key.trim())
        .map_err(|_| Unreadable)?;
    Ctr128BE::<Aes256>::new(&derived.into(), &[0; 16].into()).apply_keystream(&mut computed);
    same(&computed, &decode(stored)?)
}

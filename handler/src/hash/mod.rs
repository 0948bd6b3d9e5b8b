//! Checks a password against a stored hash. Maintained crates and ring do the hashing; this module reads the text formats in which
//! hashes are stored.
//!
//! A stored hash names its own format, so a table may mix formats. Only Firebase's has no name in it.

mod phc;
mod salted;
mod work;

use base64::{Engine, prelude::BASE64_STANDARD};
use jane_migrate_config::HashFormat;
use ring::{digest, hmac, pbkdf2};
use sha_crypt::{PasswordVerifier, ShaCrypt};

use self::work::{MOST_ROUNDS, at_most, base64, derive, exactly, number, same, scrypt};
pub use self::{
    salted::{FirebaseKey, firebase},
    work::Unreadable,
};
use crate::escape::hex;

/// Whether the stored hash is that of the password.
pub fn verify(password: &[u8], stored: &str) -> Result<bool, Unreadable> {
    match stored.split_once('$') {
        Some(("", rest)) => modular(password, stored, rest),
        Some((algorithm, rest)) => django(password, algorithm, rest),
        None => salted::ldap(password, stored),
    }
}

/// `$name$...`
fn modular(password: &[u8], stored: &str, rest: &str) -> Result<bool, Unreadable> {
    match rest.split('$').next().unwrap_or_default() {
        "2a" | "2b" | "2x" | "2y" => bcrypt(password, stored),
        // WordPress since 6.8: bcrypt reads only 72 bytes, so it gets a shorter hash of the password.
        "wp" => {
            let password = trim(password);
            let key = hmac::Key::new(hmac::HMAC_SHA384, b"wp-sha384");
            let inner = BASE64_STANDARD.encode(hmac::sign(&key, password));
            let stored = stored.strip_prefix("$wp").unwrap_or_default();
            bcrypt(inner.as_bytes(), stored)
        }
        "argon2d" | "argon2i" | "argon2id" => phc::argon2(password, rest),
        "scrypt" => phc::scrypt(password, rest),
        "pbkdf2" => phc::pbkdf2(password, rest, pbkdf2::PBKDF2_HMAC_SHA1, 20),
        "pbkdf2-sha256" => phc::pbkdf2(password, rest, pbkdf2::PBKDF2_HMAC_SHA256, 32),
        "pbkdf2-sha512" => phc::pbkdf2(password, rest, pbkdf2::PBKDF2_HMAC_SHA512, 64),
        "P" | "H" => salted::phpass(password, rest),
        "5" | "6" => {
            let rounds = rest
                .split('$')
                .find_map(|field| field.strip_prefix("rounds="));
            at_most(MOST_ROUNDS, rounds.map_or(Ok(0), number)?)?;
            // One error of the crate means a wrong password; all others mean a damaged hash.
            match ShaCrypt::default().verify_password(password, stored) {
                Ok(()) => Ok(true),
                Err(sha_crypt::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(_) => Err(Unreadable),
            }
        }
        _ => Err(Unreadable),
    }
}

/// `algorithm$...`, Django's format.
fn django(password: &[u8], algorithm: &str, rest: &str) -> Result<bool, Unreadable> {
    let fields: Vec<_> = rest.split('$').collect();
    // Django puts its own separator before bcrypt's text, which starts with `$` too.
    let after_separator = || rest.strip_prefix("$2").map(|_| rest).ok_or(Unreadable);
    match (algorithm, &fields[..]) {
        ("pbkdf2_sha256", [rounds, salt, hash]) => {
            let hash = exactly(digest::SHA256_OUTPUT_LEN, base64(hash)?)?;
            derive(
                password,
                pbkdf2::PBKDF2_HMAC_SHA256,
                rounds,
                salt.as_bytes(),
                &hash,
            )
        }
        ("pbkdf2_sha1", [rounds, salt, hash]) => {
            let hash = exactly(digest::SHA1_OUTPUT_LEN, base64(hash)?)?;
            derive(
                password,
                pbkdf2::PBKDF2_HMAC_SHA1,
                rounds,
                salt.as_bytes(),
                &hash,
            )
        }
        ("argon2", _) => phc::argon2(password, rest),
        ("bcrypt", _) => bcrypt(password, after_separator()?),
        ("bcrypt_sha256", _) => {
            let inner = hex(digest::digest(&digest::SHA256, password).as_ref());
            bcrypt(inner.as_bytes(), after_separator()?)
        }
        ("scrypt", [n, salt, r, p, hash]) => {
            let n: u64 = number(n)?;
            let cost = n
                .is_power_of_two()
                .then(|| n.trailing_zeros())
                .ok_or(Unreadable)?;
            let hash = exactly(64, base64(hash)?)?;
            let mut output = [0; 64];
            let cost = (cost, number(r)?, number(p)?);
            scrypt(password, salt.as_bytes(), cost, &mut output)?;
            same(&output, &hash)
        }
        _ => Err(Unreadable),
    }
}

/// Whether bcrypt makes this hash of the password.
fn bcrypt(password: &[u8], stored: &str) -> Result<bool, Unreadable> {
    // `$2x$` hashes were made with a bug in reading bytes beyond ASCII. No crate reproduces it.
    if stored.starts_with("$2x$") && !password.is_ascii() {
        return Err(Unreadable);
    }
    let cost = stored.split('$').nth(2).ok_or(Unreadable)?;
    at_most(16, number(cost)?)?;
    bcrypt::verify(password, stored).map_err(|_| Unreadable)
}

/// Does what PHP's `trim` does.
fn trim(bytes: &[u8]) -> &[u8] {
    let kept = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0 | 0x0b);
    let start = bytes.iter().position(kept).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(kept).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// The decoy hash until a hash of the table was seen. Its cost is a usual one.
pub fn decoy(format: HashFormat) -> &'static str {
    match format {
        HashFormat::Bcrypt => "$2b$12$C6UzMDM.H6dfI/f/IKcEeO7ZpYb5rDN3ZQm8ZqvNa2eYGRRyVvhQK",
        HashFormat::Argon2 => {
            "$argon2id$v=19$m=19456,t=2,p=1$6HIm3f4Fq9zQKZelyZMoOg$d+2etF5k1aPS8gjJdI/57JoRs1V+nrs3sFOYWQA3QS8"
        }
        HashFormat::Scrypt => {
            "$scrypt$ln=15,r=8,p=1$9j5HKOW8t9Y6B8A4Z0yp9Q$3IVwaRKj/8yxCrPotGnzP9OMbQHI7j3D01B2eHikS+0"
        }
        HashFormat::Pbkdf2 => {
            "$pbkdf2-sha256$600000$mHMO4dz7n/O.F.Lc25vTGg$zqYpChTE/jOJdY/uOq2rNotdNW9EtV7wCXu2nNdbhbM"
        }
        HashFormat::Django => {
            "pbkdf2_sha256$600000$saltsaltsalt$tFmeFaEPJ+XpX+YXQalnoY7okt4zzEFHCqVt+f2GiYA="
        }
        HashFormat::Phpass => "$P$B0y8janSpvvRc1fwe1OxL1HsGY8nP6.",
        HashFormat::ShaCrypt => {
            "$6$g1YJxtEuNdtTcjpG$vvL.OFP3AGpqu6G3VdJH8T8qJu02Fp2yvgjRZD.zGLIsA0jUnkO/IKNo7QWgbDdc0pBV316tPwdRuvQcRaoq1/"
        }
        HashFormat::Ssha => "{SSHA}t+5YIHIOWRx0ckCrWT0WWjvFhDx3jlFq",
        HashFormat::Firebase => {
            "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
        }
    }
}

#[cfg(test)]
mod tests;

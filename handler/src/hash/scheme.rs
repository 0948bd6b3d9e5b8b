//! The function and parameters of a stored hash, independent of its text format: the derivations, the limits on their cost, and
//! the comparison. Maintained crates and ring do the hashing.

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, prelude::BASE64_STANDARD};
use md5::{Digest, Md5};
use ring::{digest, hmac, pbkdf2};
use sha_crypt::{PasswordVerifier, ShaCrypt};
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;

use super::{
    fields::{base64, encode64},
    why::Why,
};
use crate::escape::hex;

/// The most memory that a hash may need: the larger of the two sizes that RFC 9106 recommends for argon2.
pub(super) const MOST_MEMORY: u64 = 2 << 30;

/// The most rounds of PBKDF2 and of SHA-crypt. A hash beyond this limit, or the other limits of this crate, takes longer than the
/// five seconds of a sign-in, so it can never be checked. Trying would only slow down other sign-ins.
pub(super) const MOST_ROUNDS: u32 = 50_000_000;

/// The most bytes that argon2 and scrypt may write, over all passes.
pub(super) const MOST_WRITTEN: u64 = 32 << 30;

/// How a hash was made, with its salt and its value.
pub(super) enum Scheme {
    /// bcrypt of the password, or of a text derived from it.
    Bcrypt { before: Before, text: String },
    /// argon2.
    Argon2 {
        cost: Argon2Cost,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    /// scrypt.
    Scrypt {
        cost: ScryptCost,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    /// scrypt-kdf: a part of the derived key signs the header.
    ScryptKdf { cost: ScryptCost, header: Vec<u8> },
    /// scrypt of better-auth and Lucia, with the block sizes that the hash may have.
    TextSalted {
        block_sizes: &'static [u32],
        salt: String,
        hash: Vec<u8>,
    },
    /// PBKDF2.
    Pbkdf2 {
        algorithm: pbkdf2::Algorithm,
        rounds: NonZeroU32,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    /// phpass and Drupal's variant: repeated digests.
    Phpass {
        digest: Repeated,
        md5_first: bool,
        log_rounds: u8,
        salt: Vec<u8>,
        hash: String,
    },
    /// crypt(3) with SHA-256 or SHA-512.
    ShaCrypt { text: String },
    /// One digest of password and salt.
    Salted {
        algorithm: &'static digest::Algorithm,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    /// Magento: one step applied to the result of the other.
    Magento {
        steps: Vec<MagentoStep>,
        salt: String,
        hash: String,
    },
}

/// The input of bcrypt in place of the password, which it would truncate after 72 bytes.
#[derive(Clone, Copy)]
pub(super) enum Before {
    /// The password itself.
    Nothing,
    /// Django's `bcrypt_sha256`.
    Sha256Hex,
    /// WordPress since 6.8.
    WordPress,
    /// passlib's `bcrypt_sha256`, first version.
    Sha256Base64,
    /// passlib's `bcrypt_sha256`, second version: the salt is the key.
    HmacSha256,
}

/// The cost of argon2.
pub(super) struct Argon2Cost {
    pub algorithm: Algorithm,
    pub version: Version,
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

/// The cost of scrypt.
#[derive(Clone, Copy)]
pub(super) struct ScryptCost {
    pub log_n: u8,
    pub r: u32,
    pub p: u32,
}

/// The digest that phpass repeats.
#[derive(Clone, Copy)]
pub(super) enum Repeated {
    Md5,
    Sha512,
}

/// A step of Magento's hash.
pub(super) enum MagentoStep {
    Md5,
    Sha256,
    Argon2 { cost: Argon2Cost, length: usize },
}

impl Scheme {
    /// The scheme, if it is within the limits that hold for every function.
    pub(super) fn affordable(self) -> Result<Self, Why> {
        let (memory, written) = match &self {
            Self::Argon2 { cost, .. } => cost.bytes(),
            Self::Scrypt { cost, .. } | Self::ScryptKdf { cost, .. } => cost.bytes(),
            Self::Magento { steps, .. } => steps
                .iter()
                .map(MagentoStep::bytes)
                .fold((0, 0), |most: (u64, u64), step| {
                    (most.0.max(step.0), most.1.saturating_add(step.1))
                }),
            Self::Pbkdf2 { rounds, .. } if rounds.get() > MOST_ROUNDS => return Err(Why::Slow),
            _ => (0, 0),
        };
        match (memory <= MOST_MEMORY, written <= MOST_WRITTEN) {
            (true, true) => Ok(self),
            (false, _) => Err(Why::Memory),
            (true, false) => Err(Why::Slow),
        }
    }

    /// How much memory the check needs, in bytes.
    pub(super) fn memory(&self) -> u64 {
        match self {
            Self::Argon2 { cost, .. } => cost.bytes().0,
            Self::Scrypt { cost, .. } | Self::ScryptKdf { cost, .. } => cost.bytes().0,
            Self::TextSalted { block_sizes, .. } => {
                let needs = block_sizes.iter().map(|r| text_salted(*r).bytes().0);
                needs.max().unwrap_or_default()
            }
            Self::Magento { steps, .. } => steps
                .iter()
                .map(|step| step.bytes().0)
                .max()
                .unwrap_or_default(),
            _ => 0,
        }
    }

    /// Whether the hash belongs to the password.
    pub(super) fn matches(&self, password: &[u8]) -> Result<bool, Why> {
        match self {
            Self::Bcrypt { before, text } => {
                // `$2x$` hashes were made with a bug for non-ASCII bytes. No crate reproduces it.
                if text.starts_with("$2x$") && !password.is_ascii() {
                    return Err(Why::Damaged);
                }
                let password = before.of(password, text);
                bcrypt::verify(password, text).map_err(|_| Why::Damaged)
            }
            Self::Argon2 { cost, salt, hash } => {
                same(&cost.derive(password, salt, hash.len())?, hash)
            }
            Self::Scrypt { cost, salt, hash } => {
                same(&cost.derive(password, salt, hash.len())?, hash)
            }
            Self::ScryptKdf { cost, header } => {
                let derived = cost.derive(password, &header[16..48], 64)?;
                let key = hmac::Key::new(hmac::HMAC_SHA256, &derived[32..]);
                Ok(hmac::verify(&key, &header[..64], &header[64..]).is_ok())
            }
            Self::TextSalted {
                block_sizes,
                salt,
                hash,
            } => {
                let password = compatible(password);
                let mut costs = block_sizes.iter().map(|r| text_salted(*r));
                costs.try_fold(false, |found, cost| {
                    let derived = cost.derive(&password, salt.as_bytes(), hash.len())?;
                    Ok(found | same(&derived, hash)?)
                })
            }
            Self::Pbkdf2 {
                algorithm,
                rounds,
                salt,
                hash,
            } => Ok(pbkdf2::verify(*algorithm, *rounds, salt, password, hash).is_ok()),
            Self::Phpass {
                digest,
                md5_first,
                log_rounds,
                salt,
                hash,
            } => {
                let password = match md5_first {
                    true => hex(&Md5::digest(password)).into_bytes(),
                    false => password.to_vec(),
                };
                let mut value = digest.of(&[&salt[..], &password].concat());
                for _ in 0..1_u32 << log_rounds {
                    value = digest.of(&[&value, &password[..]].concat());
                }
                // Drupal truncates the text.
                let computed = encode64(&value);
                let computed = computed.get(..hash.len()).ok_or(Why::Damaged)?;
                same(computed.as_bytes(), hash.as_bytes())
            }
            // One error of the crate means a wrong password; all others mean a damaged hash.
            Self::ShaCrypt { text } => {
                match ShaCrypt::default().verify_password(password, text.as_str()) {
                    Ok(()) => Ok(true),
                    Err(sha_crypt::password_hash::Error::PasswordInvalid) => Ok(false),
                    Err(_) => Err(Why::Damaged),
                }
            }
            Self::Salted {
                algorithm,
                salt,
                hash,
            } => {
                let computed = digest::digest(algorithm, &[password, salt].concat());
                same(computed.as_ref(), hash)
            }
            Self::Magento { steps, salt, hash } => {
                let mut text = password.to_vec();
                for step in steps {
                    text = step.of(&text, salt)?.into_bytes();
                }
                same(&text, hash.as_bytes())
            }
        }
    }
}

/// The cost of better-auth and Lucia.
fn text_salted(r: u32) -> ScryptCost {
    ScryptCost { log_n: 14, r, p: 1 }
}

/// JavaScript's `normalize("NFKC")`, which better-auth and Lucia apply to a password.
fn compatible(password: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(password) {
        Ok(text) => text.nfkc().collect::<String>().into_bytes(),
        Err(_) => password.to_vec(),
    }
}

/// Whether a number of rounds of SHA-crypt is within the limits.
pub(super) fn sha_crypt_is_affordable(rounds: u32) -> Result<(), Why> {
    if rounds <= MOST_ROUNDS {
        Ok(())
    } else {
        Err(Why::Slow)
    }
}

impl Before {
    fn of(self, password: &[u8], text: &str) -> Vec<u8> {
        let sha256 = || digest::digest(&digest::SHA256, password);
        match self {
            Self::Nothing => password.to_vec(),
            Self::Sha256Hex => hex(sha256().as_ref()).into_bytes(),
            Self::Sha256Base64 => BASE64_STANDARD.encode(sha256()).into_bytes(),
            Self::WordPress => {
                let key = hmac::Key::new(hmac::HMAC_SHA384, b"wp-sha384");
                BASE64_STANDARD
                    .encode(hmac::sign(&key, trim(password)))
                    .into_bytes()
            }
            Self::HmacSha256 => {
                let salt = text.rsplit('$').next().and_then(|rest| rest.get(..22));
                let key = hmac::Key::new(hmac::HMAC_SHA256, salt.unwrap_or_default().as_bytes());
                BASE64_STANDARD
                    .encode(hmac::sign(&key, password))
                    .into_bytes()
            }
        }
    }
}

impl Argon2Cost {
    /// How much memory it needs, and how much it writes over all passes.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let memory = u64::from(self.memory_kib) * 1024;
        (memory, memory.saturating_mul(self.passes.into()))
    }

    fn derive(&self, password: &[u8], salt: &[u8], length: usize) -> Result<Vec<u8>, Why> {
        let Self {
            algorithm,
            version,
            memory_kib,
            passes,
            lanes,
        } = *self;
        let params =
            Params::new(memory_kib, passes, lanes, Some(length)).map_err(|_| Why::Damaged)?;
        let mut output = vec![0; length];
        Argon2::new(algorithm, version, params)
            .hash_password_into(password, salt, &mut output)
            .map_err(|_| Why::Damaged)?;
        Ok(output)
    }
}

impl ScryptCost {
    /// How much memory it needs, and how much it writes over all lanes.
    pub(super) fn bytes(self) -> (u64, u64) {
        let (block, lanes) = (128 * u64::from(self.r), u64::from(self.p));
        let table = block
            .checked_shl(self.log_n.into())
            .filter(|_| self.log_n < 30);
        let table = table.unwrap_or(u64::MAX);
        (
            table.saturating_add(block.saturating_mul(lanes)),
            table.saturating_mul(lanes),
        )
    }

    /// The key that is derived from the password.
    pub(super) fn derive(
        self,
        password: &[u8],
        salt: &[u8],
        length: usize,
    ) -> Result<Vec<u8>, Why> {
        let params =
            scrypt::Params::new(self.log_n, self.r, self.p, scrypt::Params::RECOMMENDED_LEN)
                .map_err(|_| Why::Damaged)?;
        let mut output = vec![0; length];
        scrypt::scrypt(password, salt, &params, &mut output).map_err(|_| Why::Damaged)?;
        Ok(output)
    }
}

impl Repeated {
    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => Md5::digest(bytes).to_vec(),
            Self::Sha512 => digest::digest(&digest::SHA512, bytes).as_ref().to_vec(),
        }
    }
}

impl MagentoStep {
    pub(super) fn bytes(&self) -> (u64, u64) {
        match self {
            Self::Argon2 { cost, .. } => cost.bytes(),
            Self::Md5 | Self::Sha256 => (0, 0),
        }
    }

    fn of(&self, text: &[u8], salt: &str) -> Result<String, Why> {
        let salted = || [salt.as_bytes(), text].concat();
        Ok(match self {
            Self::Md5 => hex(&Md5::digest(salted())),
            Self::Sha256 => hex(digest::digest(&digest::SHA256, &salted()).as_ref()),
            Self::Argon2 { cost, length } => {
                // libsodium uses a salt of sixteen bytes.
                let salt: Vec<u8> = salt.bytes().cycle().take(16).collect();
                hex(&cost.derive(text, &salt, *length)?)
            }
        })
    }
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
) -> Result<bool, Why> {
    use aes::Aes256;
    use ctr::{
        Ctr128BE,
        cipher::{KeyIvInit, StreamCipher},
    };
    let decode = |text: &str| base64(&text.replace('-', "+").replace('_', "/"));
    let salt = [decode(salt)?, decode(key.salt_separator)?].concat();
    let log_n = u8::try_from(key.mem_cost).map_err(|_| Why::Memory)?;
    let cost = ScryptCost {
        log_n,
        r: key.rounds,
        p: 1,
    };
    let (hash, mut derived) = (Vec::new(), [0; 32]);
    Scheme::Scrypt {
        cost,
        salt: salt.clone(),
        hash,
    }
    .affordable()?;
    derived.copy_from_slice(&cost.derive(password, &salt, 32)?);
    let mut computed = BASE64_STANDARD
        .decode(signer_key.trim())
        .map_err(|_| Why::Damaged)?;
    Ctr128BE::<Aes256>::new(&derived.into(), &[0; 16].into()).apply_keystream(&mut computed);
    same(&computed, &decode(stored)?)
}

/// Compares in constant time. A hash has at least sixteen bytes.
fn same(computed: &[u8], stored: &[u8]) -> Result<bool, Why> {
    if stored.len() < 16 {
        Err(Why::Damaged)
    } else {
        Ok(computed.ct_eq(stored).into())
    }
}

/// The same as PHP's `trim`.
fn trim(bytes: &[u8]) -> &[u8] {
    let kept = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0 | 0x0b);
    let start = bytes.iter().position(kept).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(kept).map_or(start, |last| last + 1);
    &bytes[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argon2(memory_kib: u32, passes: u32) -> Scheme {
        let (algorithm, version, lanes) = (Algorithm::Argon2id, Version::V0x13, 1);
        let cost = Argon2Cost {
            algorithm,
            version,
            memory_kib,
            passes,
            lanes,
        };
        Scheme::Argon2 {
            cost,
            salt: Vec::new(),
            hash: Vec::new(),
        }
    }

    fn scrypt(log_n: u8, r: u32, p: u32) -> Scheme {
        let cost = ScryptCost { log_n, r, p };
        Scheme::Scrypt {
            cost,
            salt: Vec::new(),
            hash: Vec::new(),
        }
    }

    fn magento(steps: &[(u32, u32)]) -> Scheme {
        let steps = steps.iter().map(|(memory, passes)| {
            let (algorithm, version, lanes) = (Algorithm::Argon2id, Version::V0x13, 1);
            let cost = Argon2Cost {
                algorithm,
                version,
                memory_kib: memory / 1024,
                passes: *passes,
                lanes,
            };
            MagentoStep::Argon2 { cost, length: 32 }
        });
        Scheme::Magento {
            steps: steps.collect(),
            salt: String::new(),
            hash: String::new(),
        }
    }

    fn pbkdf2(rounds: u32) -> Scheme {
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        let rounds = NonZeroU32::new(rounds).unwrap();
        Scheme::Pbkdf2 {
            algorithm,
            rounds,
            salt: Vec::new(),
            hash: Vec::new(),
        }
    }

    #[test]
    fn the_limits_on_memory_and_time_are_exact() {
        for (scheme, expected) in [
            (argon2(2_097_152, 1), None),
            (argon2(2_097_153, 1), Some(Why::Memory)),
            (argon2(2_097_152, 16), None),
            (argon2(2_097_152, 17), Some(Why::Slow)),
            (argon2(1_024, 32_768), None),
            (argon2(1_024, 32_769), Some(Why::Slow)),
            (scrypt(20, 8, 1), None),
            (scrypt(21, 8, 1), Some(Why::Memory)),
            (scrypt(20, 8, 32), None),
            (scrypt(20, 8, 33), Some(Why::Slow)),
            (scrypt(1, 8, 2_097_150), None),
            (scrypt(1, 8, 2_097_151), Some(Why::Memory)),
            (scrypt(63, 1, 1), Some(Why::Memory)),
            (scrypt(255, u32::MAX, u32::MAX), Some(Why::Memory)),
            (magento(&[(2 << 30, u32::MAX); 3]), Some(Why::Slow)),
            (magento(&[(64 << 20, 2)]), None),
            (pbkdf2(50_000_000), None),
            (pbkdf2(50_000_001), Some(Why::Slow)),
        ] {
            assert_eq!(scheme.affordable().err(), expected);
        }
        assert_eq!(sha_crypt_is_affordable(50_000_001), Err(Why::Slow));
    }

    #[test]
    fn the_memory_of_a_check_is_known_in_advance() {
        assert_eq!(argon2(65_536, 3).memory(), 64 << 20);
        assert_eq!(scrypt(14, 8, 1).memory(), (16 << 20) + 1024);
        assert_eq!(pbkdf2(1000).memory(), 0);
    }

    #[test]
    fn a_hash_has_at_least_sixteen_bytes() {
        assert_eq!(same(&[7; 16], &[7; 16]), Ok(true));
        assert_eq!(same(&[7; 16], &[8; 16]), Ok(false));
        assert_eq!(same(&[7; 15], &[7; 15]), Err(Why::Damaged));
    }

    #[test]
    fn php_trims_six_characters_at_either_end() {
        assert_eq!(trim(b" \t\n\r\0\x0ba b\x0c \0"), b"a b\x0c");
        assert_eq!(trim(b"  "), b"");
        assert_eq!(trim(b"a"), b"a");
    }
}

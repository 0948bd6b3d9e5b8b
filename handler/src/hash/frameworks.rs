//! Formats of frameworks that do not start with `$name$`: Django, Werkzeug, Spring Security, LDAP, ASP.NET Core Identity,
//! Keycloak, better-auth, Lucia, Magento, scrypt-kdf.

use std::num::NonZeroU32;

use argon2::{Algorithm, Version};
use ring::{digest, pbkdf2};
use serde_json::Value;

use super::{
    crypt,
    fields::{base64, be32, exactly, number, unhex},
    scheme::{Argon2Cost, Before, MagentoStep, Repeated, Scheme, ScryptCost},
    why::Why,
};

/// `algorithm$...`: Django and Werkzeug. Drupal writes `U$S$...` for hashes of version 6 that version 7 hashed again.
pub(super) fn dollar(algorithm: &str, rest: &str) -> Result<Scheme, Why> {
    let fields: Vec<_> = rest.split('$').collect();
    // Django puts its own separator before bcrypt's text, which starts with `$` too.
    let after_separator = || rest.strip_prefix("$2").map(|_| rest).ok_or(Why::Damaged);
    match (algorithm, &fields[..]) {
        ("pbkdf2_sha256", [rounds, salt, hash]) => {
            let hash = exactly(digest::SHA256_OUTPUT_LEN, base64(hash)?)?;
            derived(
                pbkdf2::PBKDF2_HMAC_SHA256,
                number(rounds)?,
                salt.as_bytes(),
                hash,
            )
        }
        ("pbkdf2_sha1", [rounds, salt, hash]) => {
            let hash = exactly(digest::SHA1_OUTPUT_LEN, base64(hash)?)?;
            derived(
                pbkdf2::PBKDF2_HMAC_SHA1,
                number(rounds)?,
                salt.as_bytes(),
                hash,
            )
        }
        ("argon2", _) => crypt::argon2(rest),
        ("bcrypt", _) => crypt::bcrypt(Before::Nothing, after_separator()?),
        ("bcrypt_sha256", _) => crypt::bcrypt(Before::Sha256Hex, after_separator()?),
        ("scrypt", [n, salt, r, p, hash]) => {
            let cost = ScryptCost {
                log_n: log2(n)?,
                r: number(r)?,
                p: number(p)?,
            };
            let (salt, hash) = (salt.as_bytes().to_vec(), exactly(64, base64(hash)?)?);
            Scheme::Scrypt { cost, salt, hash }.affordable()
        }
        ("U", _) => match rest.split('$').next() {
            Some("S") => crypt::phpass(rest, Repeated::Sha512, true),
            Some("P" | "H") => crypt::phpass(rest, Repeated::Md5, true),
            _ => Err(Why::Unknown),
        },
        (method, [salt, hash]) => werkzeug(method, salt, hash),
        _ => Err(Why::Unknown),
    }
}

/// `scrypt:32768:8:1$salt$hash` or `pbkdf2:sha256:600000$salt$hash`
fn werkzeug(method: &str, salt: &str, hash: &str) -> Result<Scheme, Why> {
    let method: Vec<_> = method.split(':').collect();
    let salt = salt.as_bytes().to_vec();
    match method[..] {
        ["scrypt", n, r, p] => {
            let cost = ScryptCost {
                log_n: log2(n)?,
                r: number(r)?,
                p: number(p)?,
            };
            let hash = exactly(64, unhex(hash)?)?;
            Scheme::Scrypt { cost, salt, hash }.affordable()
        }
        ["pbkdf2", digest, rounds] => {
            let (algorithm, length) = match digest {
                "sha1" => (pbkdf2::PBKDF2_HMAC_SHA1, 20),
                "sha256" => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
                "sha512" => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
                _ => return Err(Why::Unknown),
            };
            derived(
                algorithm,
                number(rounds)?,
                &salt,
                exactly(length, unhex(hash)?)?,
            )
        }
        _ => Err(Why::Unknown),
    }
}

fn derived(
    algorithm: pbkdf2::Algorithm,
    rounds: NonZeroU32,
    salt: &[u8],
    hash: Vec<u8>,
) -> Result<Scheme, Why> {
    Scheme::Pbkdf2 {
        algorithm,
        rounds,
        salt: salt.to_vec(),
        hash,
    }
    .affordable()
}

/// The exponent of this power of two.
fn log2(n: &str) -> Result<u8, Why> {
    let n: u64 = number(n)?;
    n.is_power_of_two()
        .then_some(n.trailing_zeros() as u8)
        .ok_or(Why::Damaged)
}

/// `{scheme}...`: LDAP, and Spring Security's encoders. `read` parses a rest that names its own format.
pub(super) fn braces(
    scheme: &str,
    rest: &str,
    read: fn(&str) -> Result<Scheme, Why>,
) -> Result<Scheme, Why> {
    let (scheme, version) = scheme.split_once('@').unwrap_or((scheme, ""));
    match (scheme.to_ascii_lowercase().as_str(), version) {
        ("ssha", _) => salted(&digest::SHA1_FOR_LEGACY_USE_ONLY, rest),
        ("ssha256", _) => salted(&digest::SHA256, rest),
        ("ssha512", _) => salted(&digest::SHA512, rest),
        // crypt(3)'s text, and Spring's prefix for a text that names its own format.
        ("crypt" | "bcrypt" | "argon2" | "ldap", _) => match rest.strip_prefix(['$', '{']) {
            Some(_) => read(rest),
            None => Err(Why::Unknown),
        },
        ("pbkdf2", "SpringSecurity_v5_8") => {
            spring_pbkdf2(pbkdf2::PBKDF2_HMAC_SHA256, 310_000, 16, rest)
        }
        ("pbkdf2", "" | "SpringSecurity_v5_5") => {
            spring_pbkdf2(pbkdf2::PBKDF2_HMAC_SHA1, 185_000, 8, rest)
        }
        ("scrypt", _) => spring_scrypt(rest),
        // The password itself, or a digest that a graphics card computes billions of times a second.
        (
            "noop" | "cleartext" | "plain" | "sha" | "sha1" | "sha-1" | "sha256" | "sha-256"
            | "sha384" | "sha512" | "md4" | "md5" | "smd5",
            _,
        ) => Err(Why::Weak),
        _ => Err(Why::Unknown),
    }
}

/// Base64 of the hash followed by the salt.
fn salted(algorithm: &'static digest::Algorithm, encoded: &str) -> Result<Scheme, Why> {
    let decoded = base64(encoded)?;
    let (hash, salt) = decoded
        .split_at_checked(algorithm.output_len())
        .ok_or(Why::Damaged)?;
    Ok(Scheme::Salted {
        algorithm,
        salt: salt.to_vec(),
        hash: hash.to_vec(),
    })
}

/// Hexadecimal of the salt followed by 32 bytes of hash.
fn spring_pbkdf2(
    algorithm: pbkdf2::Algorithm,
    rounds: u32,
    salt: usize,
    encoded: &str,
) -> Result<Scheme, Why> {
    let decoded = exactly(salt + 32, unhex(encoded)?)?;
    let (salt, hash) = decoded.split_at(salt);
    derived(
        algorithm,
        NonZeroU32::new(rounds).ok_or(Why::Damaged)?,
        salt,
        hash.to_vec(),
    )
}

/// `$e0801$salt$hash`: the three costs are one hexadecimal number.
fn spring_scrypt(rest: &str) -> Result<Scheme, Why> {
    let fields: Vec<_> = rest.split('$').collect();
    let ["", costs, salt, hash] = fields[..] else {
        return Err(Why::Damaged);
    };
    let costs = u64::from_str_radix(costs, 16).map_err(|_| Why::Damaged)?;
    let cost = ScryptCost {
        log_n: u8::try_from(costs >> 16).map_err(|_| Why::Damaged)?,
        r: (costs >> 8 & 0xff) as u32,
        p: (costs & 0xff) as u32,
    };
    Scheme::Scrypt {
        cost,
        salt: base64(salt)?,
        hash: exactly(32, base64(hash)?)?,
    }
    .affordable()
}

/// Base64 of bytes that contain their format: ASP.NET Core Identity's two versions, and scrypt-kdf.
pub(super) fn binary(stored: &str) -> Result<Scheme, Why> {
    let bytes = base64(stored).map_err(|_| Why::Unknown)?;
    match bytes.first() {
        Some(0) if bytes.len() == 49 => {
            let rounds = NonZeroU32::new(1000).ok_or(Why::Damaged)?;
            derived(
                pbkdf2::PBKDF2_HMAC_SHA1,
                rounds,
                &bytes[1..17],
                bytes[17..].to_vec(),
            )
        }
        Some(1) if bytes.len() >= 13 + 16 + 16 => {
            let algorithm = match be32(&bytes, 1)? {
                0 => pbkdf2::PBKDF2_HMAC_SHA1,
                1 => pbkdf2::PBKDF2_HMAC_SHA256,
                2 => pbkdf2::PBKDF2_HMAC_SHA512,
                _ => return Err(Why::Unknown),
            };
            let rounds = NonZeroU32::new(be32(&bytes, 5)?).ok_or(Why::Damaged)?;
            let (salt, hash) = usize::try_from(be32(&bytes, 9)?)
                .ok()
                .and_then(|length| bytes[13..].split_at_checked(length))
                .filter(|(salt, hash)| salt.len() >= 16 && hash.len() >= 16)
                .ok_or(Why::Damaged)?;
            derived(algorithm, rounds, salt, hash.to_vec())
        }
        Some(b's') if bytes.starts_with(b"scrypt\0") => {
            let header = exactly(96, bytes)?;
            let checksum = digest::digest(&digest::SHA256, &header[..48]);
            if checksum.as_ref()[..16] != header[48..64] {
                return Err(Why::Damaged);
            }
            let cost = ScryptCost {
                log_n: header[7],
                r: be32(&header, 8)?,
                p: be32(&header, 12)?,
            };
            Scheme::ScryptKdf { cost, header }.affordable()
        }
        _ => Err(Why::Unknown),
    }
}

/// Keycloak's `credential_data` and `secret_data` as one object.
pub(super) fn keycloak(stored: &str) -> Result<Scheme, Why> {
    let object: Value = serde_json::from_str(stored).map_err(|_| Why::Unknown)?;
    let text = |name: &str| object[name].as_str().ok_or(Why::Damaged);
    let (salt, hash) = (base64(text("salt")?)?, base64(text("value")?)?);
    let rounds = object["hashIterations"]
        .as_u64()
        .and_then(|rounds| u32::try_from(rounds).ok());
    let rounds = rounds.ok_or(Why::Damaged)?;
    let pbkdf2 = |algorithm, lengths: [usize; 2]| match lengths.contains(&hash.len()) {
        true => derived(
            algorithm,
            NonZeroU32::new(rounds).ok_or(Why::Damaged)?,
            &salt,
            hash.clone(),
        ),
        false => Err(Why::Damaged),
    };
    match text("algorithm")? {
        "pbkdf2" => pbkdf2(pbkdf2::PBKDF2_HMAC_SHA1, [20, 64]),
        "pbkdf2-sha256" => pbkdf2(pbkdf2::PBKDF2_HMAC_SHA256, [32, 64]),
        "pbkdf2-sha512" => pbkdf2(pbkdf2::PBKDF2_HMAC_SHA512, [64, 64]),
        "argon2" => {
            let more = &object["additionalParameters"];
            let parameter = |name: &str| more[name][0].as_str().ok_or(Why::Damaged);
            let cost = Argon2Cost {
                algorithm: match parameter("type")? {
                    "id" => Algorithm::Argon2id,
                    "i" => Algorithm::Argon2i,
                    "d" => Algorithm::Argon2d,
                    _ => return Err(Why::Unknown),
                },
                version: match parameter("version")? {
                    "1.3" => Version::V0x13,
                    "1.0" => Version::V0x10,
                    _ => return Err(Why::Unknown),
                },
                memory_kib: number(parameter("memory")?)?,
                passes: rounds,
                lanes: number(parameter("parallelism")?)?,
            };
            let hash = exactly(number(parameter("hashLength")?)?, hash)?;
            Scheme::Argon2 { cost, salt, hash }.affordable()
        }
        _ => Err(Why::Unknown),
    }
}

/// Fields between colons: better-auth, Lucia and Magento.
pub(super) fn colons(stored: &str) -> Result<Scheme, Why> {
    let fields: Vec<_> = stored.split(':').collect();
    // In two fields, Lucia 1 used half the block size of its successors, and nothing in the text says so.
    let (block_sizes, salt, hash): (&'static [u32], _, _) = match fields[..] {
        ["s2", salt, hash] => (&[16], salt, hash),
        [salt, hash] => (&[16, 8], salt, hash),
        _ => return magento(stored),
    };
    if !is_hex(salt, 32) || !is_hex(hash, 128) {
        return Err(Why::Unknown);
    }
    // The salt is the text of its digits, not their bytes.
    let (salt, hash) = (salt.to_owned(), unhex(hash)?);
    Ok(Scheme::TextSalted {
        block_sizes,
        salt,
        hash,
    })
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Magento's `hash:salt:versions`. Each version is a step applied to the previous result.
fn magento(stored: &str) -> Result<Scheme, Why> {
    let fields: Vec<_> = stored.split(':').collect();
    let [hash, salt, versions @ ..] = &fields[..] else {
        return Err(Why::Unknown);
    };
    if hash.len() < 32 || !is_hex(hash, hash.len()) || salt.is_empty() || versions.is_empty() {
        return Err(Why::Unknown);
    }
    let steps = versions.iter().map(|version| {
        let parts: Vec<_> = version.split('_').collect();
        Ok(match parts[..] {
            ["0"] => MagentoStep::Md5,
            ["1"] => MagentoStep::Sha256,
            // libsodium's interactive limits.
            ["2"] => magento_argon2(32, 2, 64 << 20),
            ["3", length, passes, memory] => {
                magento_argon2(number(length)?, number(passes)?, number(memory)?)
            }
            _ => return Err(Why::Unknown),
        })
    });
    let (salt, hash) = ((*salt).to_owned(), hash.to_ascii_lowercase());
    Scheme::Magento {
        steps: steps.collect::<Result<_, _>>()?,
        salt,
        hash,
    }
    .affordable()
}

fn magento_argon2(length: usize, passes: u32, memory: u32) -> MagentoStep {
    let cost = Argon2Cost {
        algorithm: Algorithm::Argon2id,
        version: Version::V0x13,
        memory_kib: memory / 1024,
        passes,
        lanes: 1,
    };
    MagentoStep::Argon2 {
        cost,
        length: length.min(1024),
    }
}

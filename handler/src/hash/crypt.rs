//! Formats that start with `$name$`: those of crypt(3), the PHC string format, and passlib's.

use argon2::{Algorithm, Version};
use ring::pbkdf2;

use super::{
    fields::{ITOA64, base64, exactly, number, value},
    scheme::{Argon2Cost, Before, Repeated, Scheme, ScryptCost, sha_crypt_is_affordable},
    why::Why,
};

/// `$name$...`; `rest` is what follows the first `$`.
pub(super) fn read(stored: &str, rest: &str) -> Result<Scheme, Why> {
    match rest.split('$').next().unwrap_or_default() {
        "2a" | "2b" | "2x" | "2y" => bcrypt(Before::Nothing, stored),
        "wp" => bcrypt(
            Before::WordPress,
            stored.strip_prefix("$wp").unwrap_or_default(),
        ),
        "bcrypt-sha256" => bcrypt_sha256(rest),
        "argon2d" | "argon2i" | "argon2id" => argon2(rest),
        "scrypt" => scrypt(rest),
        "pbkdf2" => pbkdf2(rest, pbkdf2::PBKDF2_HMAC_SHA1, 20),
        "pbkdf2-sha256" => pbkdf2(rest, pbkdf2::PBKDF2_HMAC_SHA256, 32),
        "pbkdf2-sha512" => pbkdf2(rest, pbkdf2::PBKDF2_HMAC_SHA512, 64),
        "P" | "H" => phpass(rest, Repeated::Md5, false),
        "S" => phpass(rest, Repeated::Sha512, false),
        "5" => sha_crypt(stored, rest, 43),
        "6" => sha_crypt(stored, rest, 86),
        _ => Err(Why::Unknown),
    }
}

/// crypt(3) with SHA-256 or SHA-512, whose hash has this length: `6$salt$hash` or `6$rounds=10000$salt$hash`
fn sha_crypt(stored: &str, rest: &str, length: usize) -> Result<Scheme, Why> {
    let fields: Vec<_> = rest.split('$').collect();
    let (rounds, hash) = match fields[..] {
        [_, _, hash] => (0, hash),
        [_, rounds, _, hash] => {
            let rounds = rounds.strip_prefix("rounds=").ok_or(Why::Damaged)?;
            (number(rounds)?, hash)
        }
        _ => return Err(Why::Damaged),
    };
    if hash.len() != length {
        return Err(Why::Damaged);
    }
    sha_crypt_is_affordable(rounds)?;
    Ok(Scheme::ShaCrypt {
        text: stored.to_owned(),
    })
}

/// The text of a bcrypt hash.
pub(super) fn bcrypt(before: Before, text: &str) -> Result<Scheme, Why> {
    let fields: Vec<_> = text.split('$').collect();
    let ["", "2a" | "2b" | "2x" | "2y", cost, salt_and_hash] = fields[..] else {
        return Err(Why::Damaged);
    };
    if number::<u8>(cost)? > 16 {
        return Err(Why::Slow);
    }
    match salt_and_hash.len() {
        53 => Ok(Scheme::Bcrypt {
            before,
            text: text.to_owned(),
        }),
        _ => Err(Why::Damaged),
    }
}

/// `bcrypt-sha256$v=2,t=2b,r=12$salt$hash`, or in the first version `bcrypt-sha256$2a,12$salt$hash`
fn bcrypt_sha256(rest: &str) -> Result<Scheme, Why> {
    let fields: Vec<_> = rest.split('$').collect();
    let [_, parameters, salt, hash] = fields[..] else {
        return Err(Why::Damaged);
    };
    let (before, kind, cost) = match parameters.split_once(',') {
        Some((kind @ ("2a" | "2b" | "2y"), cost)) => {
            (Before::Sha256Base64, kind.to_owned(), number::<u8>(cost)?)
        }
        _ if value::<u8>(parameters, "v")? == 2 => (
            Before::HmacSha256,
            value(parameters, "t")?,
            value(parameters, "r")?,
        ),
        _ => return Err(Why::Damaged),
    };
    bcrypt(before, &format!("${kind}${cost:02}${salt}{hash}"))
}

/// `argon2id$v=19$m=65536,t=3,p=4$salt$hash`
pub(super) fn argon2(rest: &str) -> Result<Scheme, Why> {
    let fields: Vec<_> = rest.split('$').collect();
    let (algorithm, version, parameters, salt, hash) = match fields[..] {
        [algorithm, version, parameters, salt, hash] => {
            (algorithm, version, parameters, salt, hash)
        }
        // Hashes of the first version do not name it.
        [algorithm, parameters, salt, hash] => (algorithm, "v=16", parameters, salt, hash),
        _ => return Err(Why::Damaged),
    };
    let version: u32 = number(version.strip_prefix("v=").ok_or(Why::Damaged)?)?;
    let cost = Argon2Cost {
        algorithm: Algorithm::new(algorithm).map_err(|_| Why::Unknown)?,
        version: Version::try_from(version).map_err(|_| Why::Damaged)?,
        memory_kib: value(parameters, "m")?,
        passes: value(parameters, "t")?,
        lanes: value(parameters, "p")?,
    };
    Scheme::Argon2 {
        cost,
        salt: base64(salt)?,
        hash: base64(hash)?,
    }
    .affordable()
}

/// `scrypt$ln=15,r=8,p=1$salt$hash`
fn scrypt(rest: &str) -> Result<Scheme, Why> {
    let fields: Vec<_> = rest.split('$').collect();
    let [_, parameters, salt, hash] = fields[..] else {
        return Err(Why::Damaged);
    };
    let cost = ScryptCost {
        log_n: value(parameters, "ln")?,
        r: value(parameters, "r")?,
        p: value(parameters, "p")?,
    };
    let hash = exactly(32, base64(hash)?)?;
    Scheme::Scrypt {
        cost,
        salt: base64(salt)?,
        hash,
    }
    .affordable()
}

/// `pbkdf2-sha256$i=600000,l=32$salt$hash`, or passlib's form with only the rounds and `.` for `+`.
fn pbkdf2(rest: &str, algorithm: pbkdf2::Algorithm, length: usize) -> Result<Scheme, Why> {
    let fields: Vec<_> = rest.split('$').collect();
    let [_, parameters, salt, hash] = fields[..] else {
        return Err(Why::Damaged);
    };
    let decode = |text: &str| base64(&text.replace('.', "+"));
    let rounds = value(parameters, "i").or_else(|_| number(parameters))?;
    let length = value(parameters, "l").unwrap_or(length).max(16);
    let hash = exactly(length, decode(hash)?)?;
    Scheme::Pbkdf2 {
        algorithm,
        rounds,
        salt: decode(salt)?,
        hash,
    }
    .affordable()
}

/// `P$` + cost + eight characters of salt + hash: a repeated digest.
pub(super) fn phpass(rest: &str, digest: Repeated, md5_first: bool) -> Result<Scheme, Why> {
    let length = match digest {
        Repeated::Md5 => 31,
        Repeated::Sha512 => 52,
    };
    let setting = rest
        .get(2..)
        .filter(|setting| setting.len() == length && setting.is_ascii())
        .ok_or(Why::Damaged)?;
    let cost = ITOA64
        .iter()
        .position(|digit| *digit == setting.as_bytes()[0]);
    match cost.ok_or(Why::Damaged)? {
        ..7 => Err(Why::Damaged),
        cost @ 7..=25 => Ok(Scheme::Phpass {
            digest,
            md5_first,
            log_rounds: cost as u8,
            salt: setting.as_bytes()[1..9].to_vec(),
            hash: setting[9..].to_owned(),
        }),
        _ => Err(Why::Slow),
    }
}

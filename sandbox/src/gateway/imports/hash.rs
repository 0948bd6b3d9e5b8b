//! The four kinds of password hash that an import accepts: their text forms and limits, as listed in the developer guide, and the
//! check of a password.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};
use std::num::NonZeroU32;

/// Base64 as in the guide's examples: without padding. A final digit may have unused bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// The kind of a job's hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bcrypt,
    Scrypt,
    Argon2id,
    Pbkdf2Sha256,
}

/// The API's names.
pub(super) const KINDS: [(&str, Kind); 4] = [
    ("BCRYPT", Kind::Bcrypt),
    ("SCRYPT", Kind::Scrypt),
    ("ARGON2ID", Kind::Argon2id),
    ("PBKDF2_SHA256", Kind::Pbkdf2Sha256),
];

/// Why a hash is rejected.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Malformed,
    OutOfBounds,
}

/// An imported hash, until its user's first sign-in.
#[derive(Clone)]
pub(crate) enum Imported {
    Bcrypt(String),
    Scrypt {
        log_n: u8,
        r: u32,
        p: u32,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    Argon2id {
        version: Version,
        memory: u32,
        passes: u32,
        lanes: u32,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    Pbkdf2 {
        iterations: NonZeroU32,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
}

impl Imported {
    /// Parses a value of the hash column.
    pub(super) fn read(kind: Kind, text: &str) -> Result<Self, Refused> {
        match kind {
            Kind::Bcrypt => bcrypt(text),
            Kind::Scrypt => scrypt(text),
            Kind::Argon2id => argon2id(text),
            Kind::Pbkdf2Sha256 => pbkdf2(text),
        }
    }

    /// Whether the hash belongs to the password.
    pub(crate) fn matches(&self, password: &str) -> bool {
        let password = password.as_bytes();
        match self {
            // The crate supports `$2x$` and `$2y$`, which hash ASCII like `$2b$`.
            Self::Bcrypt(text) => bcrypt::verify(password, text).unwrap_or(false),
            Self::Scrypt {
                log_n,
                r,
                p,
                salt,
                hash,
            } => {
                let mut made = vec![0; hash.len()];
                let parameters = scrypt::Params::new(*log_n, *r, *p, hash.len());
                parameters.is_ok_and(|parameters| {
                    scrypt::scrypt(password, salt, &parameters, &mut made).is_ok() && made == *hash
                })
            }
            Self::Argon2id {
                version,
                memory,
                passes,
                lanes,
                salt,
                hash,
            } => {
                let mut made = vec![0; hash.len()];
                let parameters = Params::new(*memory, *passes, *lanes, Some(hash.len()));
                parameters.is_ok_and(|parameters| {
                    let argon2 = Argon2::new(Algorithm::Argon2id, *version, parameters);
                    argon2.hash_password_into(password, salt, &mut made).is_ok() && made == *hash
                })
            }
            Self::Pbkdf2 {
                iterations,
                salt,
                hash,
            } => {
                let algorithm = ring::pbkdf2::PBKDF2_HMAC_SHA256;
                ring::pbkdf2::verify(algorithm, *iterations, salt, password, hash).is_ok()
            }
        }
    }
}

/// `$2b$10$` and 53 digits. The cost is at most 12.
fn bcrypt(text: &str) -> Result<Imported, Refused> {
    let fields: Vec<_> = text.split('$').collect();
    let ["", version, cost, rest] = fields[..] else {
        return Err(Refused::Malformed);
    };
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || b"./".contains(&byte);
    let formed = ["2a", "2b", "2x", "2y"].contains(&version)
        && cost.len() == 2
        && rest.len() == 53
        && rest.bytes().all(digit);
    match cost.parse() {
        Ok(4..=12) if formed => Ok(Imported::Bcrypt(text.to_owned())),
        Ok(13..=31) if formed => Err(Refused::OutOfBounds),
        _ => Err(Refused::Malformed),
    }
}

/// `N$r$p$hexSalt$hexHash`, with at most 65536, 8 and 1.
fn scrypt(text: &str) -> Result<Imported, Refused> {
    let fields: Vec<_> = text.split('$').collect();
    let [n, r, p, salt, hash] = fields[..] else {
        return Err(Refused::Malformed);
    };
    let number = |text: &str| text.parse::<u32>().map_err(|_| Refused::Malformed);
    let (n, r, p) = (number(n)?, number(r)?, number(p)?);
    let bytes = |text: &str| hex::decode(text).map_err(|_| Refused::Malformed);
    let (salt, hash) = (bytes(salt)?, bytes(hash)?);
    if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 || salt.is_empty() || hash.is_empty() {
        return Err(Refused::Malformed);
    }
    if n > 65_536 || r > 8 || p > 1 {
        return Err(Refused::OutOfBounds);
    }
    Ok(Imported::Scrypt {
        log_n: n.trailing_zeros() as u8,
        r,
        p,
        salt,
        hash,
    })
}

/// `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`, with at most these numbers.
fn argon2id(text: &str) -> Result<Imported, Refused> {
    let fields: Vec<_> = text.split('$').collect();
    let ["", "argon2id", version, parameters, salt, hash] = fields[..] else {
        return Err(Refused::Malformed);
    };
    let value = |text: &str, name: &str| -> Result<u32, Refused> {
        let value = text.strip_prefix(name).and_then(|rest| rest.parse().ok());
        value.ok_or(Refused::Malformed)
    };
    let parameters: Vec<_> = parameters.split(',').collect();
    let [memory, passes, lanes] = parameters[..] else {
        return Err(Refused::Malformed);
    };
    let (memory, passes, lanes) = (
        value(memory, "m=")?,
        value(passes, "t=")?,
        value(lanes, "p=")?,
    );
    let version = Version::try_from(value(version, "v=")?).map_err(|_| Refused::Malformed)?;
    if memory > 19_456 || passes > 2 || lanes > 1 {
        return Err(Refused::OutOfBounds);
    }
    Ok(Imported::Argon2id {
        version,
        memory,
        passes,
        lanes,
        salt: base64(salt)?,
        hash: base64(hash)?,
    })
}

/// `$pbkdf2-sha256$600000$salt$hash`, with at most 600000 iterations. The form is passlib's, which writes `.` for `+`.
fn pbkdf2(text: &str) -> Result<Imported, Refused> {
    let fields: Vec<_> = text.split('$').collect();
    let ["", "pbkdf2-sha256", iterations, salt, hash] = fields[..] else {
        return Err(Refused::Malformed);
    };
    if salt.contains('+') || hash.contains('+') {
        return Err(Refused::Malformed);
    }
    let iterations: NonZeroU32 = iterations.parse().map_err(|_| Refused::Malformed)?;
    let (salt, hash) = (
        base64(&salt.replace('.', "+"))?,
        base64(&hash.replace('.', "+"))?,
    );
    if hash.len() != 32 {
        return Err(Refused::Malformed);
    }
    match iterations.get() {
        ..=600_000 => Ok(Imported::Pbkdf2 {
            iterations,
            salt,
            hash,
        }),
        _ => Err(Refused::OutOfBounds),
    }
}

fn base64(text: &str) -> Result<Vec<u8>, Refused> {
    let bytes = BASE64.decode(text).ok().filter(|bytes| !bytes.is_empty());
    bytes.ok_or(Refused::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples in the guide.
    const EXAMPLES: [(Kind, &str); 4] = [
        (
            Kind::Bcrypt,
            "$2b$10$CtA.Rcu/szzn9U00wpUjOuN3vrgJRZycv4aOzcP3GzqzO8UDPEFq6",
        ),
        (
            Kind::Scrypt,
            "65536$8$1$304dbaef7c5e828dc19c98f0600d18fe$4f69c498c12cd102d057356facf8d77e8d42407090491ea32c5b038f5a18c099",
        ),
        (
            Kind::Argon2id,
            "$argon2id$v=19$m=19456,t=2,p=1$ko/G5o1ms+ML08P95sQ8DA$AkVbvWSOqz7Hs3qthhWKxicOWnGLN+MBmpwc3emi5VA",
        ),
        (
            Kind::Pbkdf2Sha256,
            "$pbkdf2-sha256$600000$1XZlmwLQ2hhM3JYuCPiArQ$Pfheg9Zi/v5lXU4yyLA0WFUYEd/rlaVbzrM9oMD6IrA",
        ),
    ];

    #[test]
    fn each_kind_accepts_only_its_own_example() {
        for (kind, _) in EXAMPLES {
            for (other, text) in EXAMPLES {
                let read = Imported::read(kind, text);
                assert_eq!(read.is_ok(), kind == other, "{kind:?} {text}");
            }
        }
    }

    #[test]
    fn a_hash_beyond_the_guides_limits_is_out_of_bounds() {
        let larger = [
            (Kind::Bcrypt, "$10$", "$13$"),
            (Kind::Scrypt, "65536$", "131072$"),
            (Kind::Scrypt, "$8$1$", "$9$1$"),
            (Kind::Scrypt, "$8$1$", "$8$2$"),
            (Kind::Argon2id, "m=19456", "m=19457"),
            (Kind::Argon2id, "t=2", "t=3"),
            (Kind::Argon2id, "p=1", "p=2"),
            (Kind::Pbkdf2Sha256, "$600000$", "$600001$"),
        ];
        for (kind, from, to) in larger {
            let (_, example) = EXAMPLES[KINDS.iter().position(|(_, k)| *k == kind).unwrap()];
            let refused = Imported::read(kind, &example.replacen(from, to, 1)).err();
            assert_eq!(refused, Some(Refused::OutOfBounds), "{to}");
        }
    }

    /// Made with Python's hashlib, bcrypt and argon2, from the password `canary`.
    #[test]
    fn a_hash_matches_only_its_own_password() {
        let bcrypt = bcrypt::hash("canary", 4).unwrap();
        let mut made = [0; 32];
        let parameters = Params::new(64, 1, 1, Some(32)).unwrap();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
            .hash_password_into(b"canary", b"saltsalt", &mut made)
            .unwrap();
        let argon2 = format!(
            "$argon2id$v=19$m=64,t=1,p=1${}${}",
            BASE64.encode("saltsalt"),
            BASE64.encode(made)
        );
        for (kind, text) in [
            (Kind::Bcrypt, bcrypt.as_str()),
            (
                Kind::Scrypt,
                "16$8$1$73616c74$99d5640693f66ce63dff3b6a961327189e52fa68f0b87aa356d500c7c4174e2c",
            ),
            (Kind::Argon2id, &argon2),
            (
                Kind::Pbkdf2Sha256,
                "$pbkdf2-sha256$1000$c2FsdA$2YDlUUP3zcesuEEE2i/HTousvSaIUT7AT3291XWkYHw",
            ),
        ] {
            let imported = Imported::read(kind, text).expect("it is read");
            assert!(imported.matches("canary"), "{kind:?}");
            assert!(!imported.matches("Canary"), "{kind:?}");
        }
    }
}

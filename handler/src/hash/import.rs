//! Stored hashes in the form of a Cognito import job: one of four kinds, in the text form and within the limits of the developer
//! guide ("Importing users with password hashes").

use argon2::{Algorithm, Version};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use ring::pbkdf2;
use secrecy::SecretString;

use super::{
    label,
    scheme::{Before, Scheme},
    scheme_of,
};
use crate::escape::hex;

/// The length of scrypt and PBKDF2 hashes in the guide's examples, in bytes. Other lengths are not documented, and a customer
/// whose hash Cognito cannot check is locked out.
const LENGTH: usize = 32;

/// Why a hash is not imported. Each contains the format's name and nothing of the hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotImported {
    /// The handler cannot check it either, and why.
    Unreadable(String),
    /// Cognito does not support the format.
    OtherFormat(String),
    /// Its cost is above Cognito's limit.
    TooCostly(String),
}

/// The kind of the hash in the API, and its text for an import file.
pub fn for_cognito(stored: &str) -> Result<(&'static str, SecretString), NotImported> {
    let label = || label(stored);
    let scheme = scheme_of(stored)
        .map_err(|why| NotImported::Unreadable(format!("{}: {}", label(), why.words())))?;
    let limited = |within: bool, kind, text: String| match within {
        true => Ok((kind, text.into())),
        false => Err(NotImported::TooCostly(label())),
    };
    match scheme {
        Scheme::Bcrypt {
            before: Before::Nothing,
            text,
        } => {
            let cost = text.split('$').nth(2).and_then(|cost| cost.parse().ok());
            let within = cost.is_some_and(|cost: u8| (4..=12).contains(&cost));
            limited(within, "BCRYPT", text)
        }
        Scheme::Scrypt { cost, salt, hash } if hash.len() == LENGTH => {
            let within = cost.log_n <= 16 && cost.r <= 8 && cost.p <= 1;
            // This is only a number if the cost is within the limit.
            let n = 1_u64.checked_shl(cost.log_n.into()).unwrap_or_default();
            let (salt, hash) = (hex(&salt), hex(&hash));
            let text = format!("{n}${}${}${salt}${hash}", cost.r, cost.p);
            limited(within, "SCRYPT", text)
        }
        Scheme::Argon2 { cost, salt, hash }
            if cost.algorithm == Algorithm::Argon2id && cost.version == Version::V0x13 =>
        {
            let (m, t, p) = (cost.memory_kib, cost.passes, cost.lanes);
            let [salt, hash] = [salt, hash].map(|bytes| BASE64_STANDARD_NO_PAD.encode(bytes));
            let text = format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${hash}");
            limited(m <= 19_456 && t <= 2 && p <= 1, "ARGON2ID", text)
        }
        Scheme::Pbkdf2 {
            algorithm,
            rounds,
            salt,
            hash,
        } if algorithm == pbkdf2::PBKDF2_HMAC_SHA256 && hash.len() == LENGTH => {
            // The guide uses passlib's form, which writes `.` for `+`.
            let digits = |bytes: &[u8]| BASE64_STANDARD_NO_PAD.encode(bytes).replace('+', ".");
            let text = format!(
                "$pbkdf2-sha256${rounds}${}${}",
                digits(&salt),
                digits(&hash)
            );
            limited(rounds.get() <= 600_000, "PBKDF2_SHA256", text)
        }
        _ => Err(NotImported::OtherFormat(label())),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn taken(stored: &str) -> Option<(&'static str, String)> {
        let (kind, text) = for_cognito(stored).ok()?;
        Some((kind, text.expose_secret().to_owned()))
    }

    /// The guide's examples give their own text.
    #[test]
    fn each_kind_is_written_as_the_guide_has_it() {
        for (kind, text) in [
            (
                "BCRYPT",
                "$2b$10$CtA.Rcu/szzn9U00wpUjOuN3vrgJRZycv4aOzcP3GzqzO8UDPEFq6",
            ),
            (
                "ARGON2ID",
                "$argon2id$v=19$m=19456,t=2,p=1$ko/G5o1ms+ML08P95sQ8DA$AkVbvWSOqz7Hs3qthhWKxicOWnGLN+MBmpwc3emi5VA",
            ),
            (
                "PBKDF2_SHA256",
                "$pbkdf2-sha256$600000$1XZlmwLQ2hhM3JYuCPiArQ$Pfheg9Zi/v5lXU4yyLA0WFUYEd/rlaVbzrM9oMD6IrA",
            ),
        ] {
            assert_eq!(taken(text), Some((kind, text.to_owned())));
        }
        let scrypt = "$scrypt$ln=16,r=8,p=1$ME26/3xegn3BnJjwYA0Y/g$T2nEmMEs0QLQV2+s9+fT/9ABcO7aVlJmHkl4JjL+I7A";
        let (kind, text) = taken(scrypt).expect("it is taken");
        assert_eq!(kind, "SCRYPT");
        assert!(
            text.starts_with("65536$8$1$304dbaff7c5e827dc19c98f0600d18fe$"),
            "{text}"
        );
    }

    #[test]
    fn hashes_of_frameworks_are_rewritten() {
        for (stored, kind, text) in [
            (
                "bcrypt$$2b$04$IID4J3rqa.rmMG7IMrlsTeLtNjamj1nepXYx.Bc8bIw000shrIjM6",
                "BCRYPT",
                "$2b$04$IID4J3rqa.rmMG7IMrlsTeLtNjamj1nepXYx.Bc8bIw000shrIjM6",
            ),
            (
                "{bcrypt}$2b$04$IID4J3rqa.rmMG7IMrlsTeLtNjamj1nepXYx.Bc8bIw000shrIjM6",
                "BCRYPT",
                "$2b$04$IID4J3rqa.rmMG7IMrlsTeLtNjamj1nepXYx.Bc8bIw000shrIjM6",
            ),
            (
                "pbkdf2_sha256$1000$saltsaltsalt$tFmeFaEPJ+XpX+YXQalnoY7okt4zzEFHCqVt+f2GiYA=",
                "PBKDF2_SHA256",
                "$pbkdf2-sha256$1000$c2FsdHNhbHRzYWx0$tFmeFaEPJ.XpX.YXQalnoY7okt4zzEFHCqVt.f2GiYA",
            ),
            (
                "argon2$argon2id$v=19$m=64,t=2,p=1$6HIm3f4Fq9zQKZelyZMoOg$d+2etF5k1aPS8gjJdI/57JoRs1V+nrs3sFOYWQA3QS8",
                "ARGON2ID",
                "$argon2id$v=19$m=64,t=2,p=1$6HIm3f4Fq9zQKZelyZMoOg$d+2etF5k1aPS8gjJdI/57JoRs1V+nrs3sFOYWQA3QS8",
            ),
        ] {
            assert_eq!(taken(stored), Some((kind, text.to_owned())), "{stored}");
        }
    }

    #[test]
    fn a_hash_that_cognito_cannot_check_is_not_imported_and_not_quoted() {
        let costly = |stored: &str| matches!(for_cognito(stored), Err(NotImported::TooCostly(_)));
        let other = |stored: &str| matches!(for_cognito(stored), Err(NotImported::OtherFormat(_)));
        let bcrypt = "$2b$13$CtA.Rcu/szzn9U00wpUjOuN3vrgJRZycv4aOzcP3GzqzO8UDPEFq6";
        let argon2 = "$argon2id$v=19$m=19457,t=2,p=1$6HIm3f4Fq9zQKZelyZMoOg$d+2etF5k1aPS8gjJdI/57JoRs1V+nrs3sFOYWQA3QS8";
        let pbkdf2 =
            "pbkdf2_sha256$600001$saltsaltsalt$tFmeFaEPJ+XpX+YXQalnoY7okt4zzEFHCqVt+f2GiYA=";
        assert!(costly(bcrypt) && costly(argon2) && costly(pbkdf2));
        let of_sha256 =
            "bcrypt_sha256$$2b$04$HniSqZ.lhPzerCxjaFkJOO2e9FD1w/72SgAEKLjOgVsU5LeYT.PMO";
        let argon2i = "$argon2i$v=19$m=64,t=2,p=1$NHItfn06vyVwyuoWMy4mtw$tZ/pkUelltFB/NQ/pRBfKBvFgojkpwQdgCNQvgAvOYM";
        let longer = "scrypt$1024$saltsaltsalt$8$5$9uXCwHmzVXjE5eG8U7MH9pt7dF4E/ebTodNlh10M0AQxXd3aazqiVJHJ2PyzoxxKSe8p1VouxfksSftCwogumg==";
        assert!(other(of_sha256) && other(argon2i) && other(longer));
        for stored in ["hunter2canary", "{noop}canary", "$2b$12$canary"] {
            let Err(NotImported::Unreadable(why)) = for_cognito(stored) else {
                panic!("{stored}");
            };
            assert!(!why.contains("canary"), "{why}");
        }
    }
}

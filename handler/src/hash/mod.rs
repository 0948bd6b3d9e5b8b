//! Checks a password against a stored hash. This module parses the text formats of stored hashes: which one it is (here), its
//! fields (`crypt`, `frameworks`), the function and cost (`scheme`), and its name for logs (`label`).
//!
//! A stored hash names its own format, so a table may mix formats. Only Firebase's has no name in it.

mod crypt;
mod fields;
mod frameworks;
#[cfg(any(test, fuzzing))]
pub(crate) mod holds;
#[cfg(feature = "export")]
mod import;
mod label;
mod scheme;
mod why;

use jane_migrate_config::HashFormat;

#[cfg(feature = "export")]
pub use self::import::{NotImported, for_cognito};
use self::scheme::Scheme;
pub use self::{
    scheme::{FirebaseKey, firebase},
    why::Why,
};

/// A hash that can be checked.
pub struct Stored(Scheme);

/// Reads a stored hash.
pub fn read(stored: &str) -> Result<Stored, Why> {
    scheme_of(stored).map(Stored)
}

fn scheme_of(stored: &str) -> Result<Scheme, Why> {
    // Columns of the type char(n) are padded with spaces.
    let stored = stored.trim_end_matches(' ');
    if stored.starts_with("{\"") {
        return frameworks::keycloak(stored);
    }
    if let Some((scheme, rest)) = stored
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'))
    {
        return frameworks::braces(scheme, rest, scheme_of);
    }
    match stored.split_once('$') {
        Some(("", rest)) => crypt::read(stored, rest),
        Some((algorithm, rest)) => frameworks::dollar(algorithm, rest),
        None if stored.contains(':') => frameworks::colons(stored),
        None => frameworks::binary(stored),
    }
}

impl Stored {
    /// Whether the hash belongs to the password.
    pub fn matches(&self, password: &[u8]) -> Result<bool, Why> {
        self.0.matches(password)
    }

    /// How much memory the check needs, in bytes.
    pub fn memory(&self) -> u64 {
        self.0.memory()
    }
}

/// The format of a stored hash with its cost, for logs and reports. It contains nothing of the salt, the hash or a password.
pub fn label(stored: &str) -> String {
    label::label(stored.trim_end_matches(' '))
}

/// The decoy hash until a hash of the table was seen. It has a usual cost.
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
        HashFormat::Werkzeug => {
            "scrypt:32768:8:1$qZg0q6XPgpHLSS1T$cd8c6af501be0625a090a9b7f1b56c957ae65da1340435618742c4ff6d47f6d4e93b3d5d401990f6cfcad1403cd55c7fd1318d8bebad6d7280fcc02689f0c9d7"
        }
        HashFormat::Spring => {
            "{bcrypt}$2a$10$C6UzMDM.H6dfI/f/IKcEeO7ZpYb5rDN3ZQm8ZqvNa2eYGRRyVvhQK"
        }
        HashFormat::AspnetIdentity => {
            "AQAAAAIAAYagAAAAELvtU9VbNCMUc3mAf97budHucm/q8W7LxEm2xGXULneo3VWLooC++oc+BfNnhJOQ5Q=="
        }
        HashFormat::Keycloak => {
            r#"{"value":"NgPkoEKTzpfH1eBpTqW66ulLMznvF30nITIfn9kl+VA=","salt":"u+1T1Vs0IxRzeYB/3tu50Q==","hashIterations":5,"algorithm":"argon2","additionalParameters":{"hashLength":["32"],"memory":["7168"],"type":["id"],"version":["1.3"],"parallelism":["1"]}}"#
        }
        HashFormat::Drupal => "$S$Dxy6CfgHGlGoPJ9uy6V.lmq/g96kgaKTlqlixqiPcG1Yd9LdliPB",
        HashFormat::Magento => {
            "caca7c6d0e5f4124622e2b563c8a8083fa193de4a5654380a6d55535c00a5c83:nAYkZzQ2wXcVbT7rLm3pKq8sHd5fGj1E:3_32_2_67108864"
        }
        HashFormat::ScryptKdf => {
            "c2NyeXB0AA8AAAAIAAAAATlnIEKEe9kvBuDYpwP8ORw2Z9ySdHATWRt1Y6XobxPEKLyx54jb1Dqjdn+i5IB/WWAaqQd4WCy2Ero7xxGJBWtOSdmtrOS/kE+8idyLt2Hh"
        }
        HashFormat::BetterAuth => {
            "e9baa3e83f2d692b21943974ea549467:dc14d57f7eaffa297f6f099592982c8ab7ee50127de099ceac6ae35f727511574d33a61559889d7b5e13bf41881bd8a8aca826948d0ab53e153c5575c81aaf79"
        }
        HashFormat::Firebase => {
            "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
        }
    }
}

#[cfg(test)]
mod tests;

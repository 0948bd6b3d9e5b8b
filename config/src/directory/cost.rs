//! What it costs to check a password against a stored hash: measured time, and memory. `docs/from-sql.md` has the figures;
//! `cost_of_each_format` in the handler's tests measures them.

use super::database::{Database, HashFormat};

/// The time of bcrypt with cost 12 on a whole core, in milliseconds.
const BCRYPT_12_MS: f64 = 235.0;

/// The memory at which Lambda gives a function a whole core.
const WHOLE_CORE_MB: f64 = 1769.0;

/// The longest time that a check should take. A sign-in has five seconds, and its first one also includes the function's start.
const LONGEST_MS: f64 = 1500.0;

/// The function's own need, in MB.
const RESERVE_MB: f64 = 40.0;

/// The cost of a check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// On a whole core, as a multiple of bcrypt with cost 12.
    pub time: f64,
    /// In MiB.
    pub memory: f64,
}

impl Cost {
    /// How long a check takes in a function with this memory, in milliseconds.
    pub fn ms(self, memory_mb: u32) -> f64 {
        let share = (f64::from(memory_mb) / WHOLE_CORE_MB).min(1.0);
        self.time * BCRYPT_12_MS / share
    }

    /// Whether the hash fits into the memory of a function.
    pub fn fits(self, memory_mb: u32) -> bool {
        self.memory + RESERVE_MB <= f64::from(memory_mb)
    }

    /// The memory that a function should have, in MB.
    pub fn memory_mb(self) -> u32 {
        let for_time = self.time * BCRYPT_12_MS * WHOLE_CORE_MB / LONGEST_MS;
        let least = for_time.max(self.memory + RESERVE_MB);
        (least / 256.0).ceil().max(1.0) as u32 * 256
    }
}

impl HashFormat {
    /// The format with this name.
    pub fn named(name: &str) -> Option<Self> {
        use serde::de::{IntoDeserializer, value::StrDeserializer};
        let name: StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
        serde::Deserialize::deserialize(name).ok()
    }

    /// The highest cost among the defaults of the frameworks that write this format.
    pub fn usual_cost(self) -> Cost {
        let (time, memory) = match self {
            Self::Bcrypt => (1.0, 0.0),
            Self::Argon2 => (0.6, 64.0),
            // passlib's 2^16.
            Self::Scrypt => (0.78, 64.0),
            Self::Werkzeug | Self::ScryptKdf => (0.39, 32.0),
            // scrypt with two block sizes, one after the other.
            Self::BetterAuth => (0.5, 32.0),
            // Odoo's 600,000 rounds of SHA-512.
            Self::Pbkdf2 => (1.66, 0.0),
            // A million rounds of SHA-256; its argon2 takes the memory.
            Self::Django => (1.28, 100.0),
            Self::Phpass => (0.01, 0.0),
            // passlib's 656,000 rounds.
            Self::ShaCrypt => (0.76, 0.0),
            Self::Ssha => (0.0, 0.0),
            Self::Spring => (0.78, 64.0),
            Self::AspnetIdentity => (0.24, 0.0),
            Self::Keycloak => (0.55, 7.0),
            Self::Drupal => (0.09, 0.0),
            Self::Magento => (0.49, 64.0),
            Self::Firebase => (0.16, 16.0),
        };
        Cost { time, memory }
    }
}

impl Database {
    /// The cost of a check: that of `decoy` if it can be read, or else the usual one.
    pub fn cost(&self) -> Cost {
        let decoy = self.decoy.as_deref().and_then(cost_of);
        decoy.unwrap_or_else(|| self.hash.usual_cost())
    }
}

/// The cost of a hash of bcrypt or argon2.
fn cost_of(hash: &str) -> Option<Cost> {
    if let Some(at) = hash.find("$2") {
        let cost: i32 = hash.get(at + 4..at + 6)?.parse().ok()?;
        return Some(Cost {
            time: f64::from(cost - 12).exp2(),
            memory: 0.0,
        });
    }
    let (_, parameters) = hash.split_once("$m=")?;
    let mut numbers = parameters.split(['$', ',']).take(2);
    let memory: f64 = numbers.next()?.parse().ok()?;
    let passes: f64 = numbers.next()?.strip_prefix("t=")?.parse().ok()?;
    let memory = memory / 1024.0;
    // 64 MiB in three passes take 0.6 of bcrypt with cost 12.
    Some(Cost {
        time: memory * passes * 0.6 / 192.0,
        memory,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recommended_memory_fits_the_hashes() {
        for (format, memory) in [
            (HashFormat::Bcrypt, 512),
            (HashFormat::Argon2, 256),
            (HashFormat::Scrypt, 256),
            (HashFormat::Pbkdf2, 512),
            (HashFormat::Django, 512),
            (HashFormat::Phpass, 256),
            (HashFormat::ShaCrypt, 256),
        ] {
            assert_eq!(format.usual_cost().memory_mb(), memory, "{format:?}");
        }
        let odoo = HashFormat::Pbkdf2.usual_cost();
        assert!((2600.0..2800.0).contains(&odoo.ms(256)), "{}", odoo.ms(256));
    }

    #[test]
    fn the_cost_is_read_from_the_decoy() {
        let ten = cost_of("$2b$10$C6UzMDM.H6dfI/f/IKcEeO7ZpYb5rDN3ZQm8ZqvNa2eYGRRyVvhQK").unwrap();
        assert_eq!((ten.time, ten.memory_mb()), (0.25, 256));
        let fourteen = cost_of("bcrypt$$2b$14$x").unwrap();
        assert_eq!((fourteen.time, fourteen.memory_mb()), (4.0, 1280));
        let large = cost_of("$argon2id$v=19$m=262144,t=1,p=1$salt$hash").unwrap();
        assert!(!large.fits(256) && large.fits(512));
        assert_eq!(large.memory_mb(), 512);
        assert_eq!(cost_of("pbkdf2_sha256$600000$salt$hash"), None);
        assert_eq!(cost_of("$2"), None);
    }

    #[test]
    fn a_format_is_found_by_its_name() {
        assert_eq!(HashFormat::named("scrypt-kdf"), Some(HashFormat::ScryptKdf));
        assert_eq!(HashFormat::named("md5"), None);
    }

    #[test]
    fn the_time_of_argon2_grows_with_memory_and_passes() {
        let cost = |memory: u32, passes: u32| {
            cost_of(&format!("$argon2id$v=19$m={memory},t={passes},p=1$s$h")).unwrap()
        };
        let usual = cost(65_536, 3);
        assert!((usual.time - 0.6).abs() < 1e-9 && (usual.memory - 64.0).abs() < 1e-9);
        assert!((cost(65_536, 6).time - 1.2).abs() < 1e-9);
        assert!((cost(131_072, 3).time - 1.2).abs() < 1e-9);
    }
}

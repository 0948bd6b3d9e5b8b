//! Properties of all stored hashes, for the property tests and the fuzzer: the limits on their cost hold, a password matches only
//! a hash that was made from it, and a label contains no part of a hash. Only cheap hashes are computed.

use super::{
    FirebaseKey, Stored, firebase, label, read,
    scheme::{MOST_MEMORY, MOST_ROUNDS, MOST_WRITTEN, MagentoStep, Scheme},
};

/// The most bytes that a memory-hard function writes in a test.
const FEW_BYTES: u64 = 1 << 20;

/// The most rounds of any other function in a test.
const FEW_ROUNDS: u64 = 5000;

/// The password does not match: no caller has a password from which a hash was made.
pub(crate) fn no_password_fits(password: &[u8], stored: &str) {
    if let Ok(stored) = read(stored)
        && is_cheap(&stored)
    {
        assert_ne!(stored.matches(password), Ok(true));
    }
}

/// The same for a Firebase hash.
pub(crate) fn no_firebase_password_fits(
    password: &[u8],
    stored: &str,
    salt: &str,
    key: FirebaseKey<'_>,
    signer_key: &str,
) {
    let table = u64::from(key.rounds)
        .checked_mul(128)
        .and_then(|block| block.checked_mul(1_u64.checked_shl(key.mem_cost)?));
    if table.is_none_or(|table| table <= FEW_BYTES || table > MOST_MEMORY) {
        let fits = firebase(password, stored, salt, key, signer_key);
        assert_ne!(fits, Ok(true));
        assert!(table.is_some_and(|table| table <= FEW_BYTES) || fits.is_err());
    }
}

/// The label of a hash in the log contains no part of its value, which is at the end of most formats.
pub(crate) fn labelled(stored: &str) {
    let label = label(stored);
    let text = stored.trim_end_matches(' ');
    let others = text.starts_with("{\"") || label.starts_with("hash:salt:");
    if read(stored).is_ok() && !others {
        let end = text.char_indices().rev().nth(15).map(|(at, _)| &text[at..]);
        assert!(end.is_none_or(|end| !label.contains(end)), "{label}");
    }
}

/// A hash in Cognito's form stays the same if it is converted again.
#[cfg(feature = "export")]
pub(crate) fn imported_as_it_is(stored: &str) {
    use secrecy::ExposeSecret;

    if let Ok((kind, text)) = super::for_cognito(stored)
        && kind != "SCRYPT"
    {
        let (again, same) = super::for_cognito(text.expose_secret()).expect("it is accepted again");
        assert_eq!(again, kind);
        assert_eq!(same.expose_secret(), text.expose_secret());
    }
}

/// Whether a test may compute the hash. Panics if it is above the limits of this crate.
pub(crate) fn is_cheap(stored: &Stored) -> bool {
    let in_memory = |(memory, written): (u64, u64)| {
        assert!(memory <= MOST_MEMORY && written <= MOST_WRITTEN);
        written <= FEW_BYTES
    };
    let in_rounds = |rounds: u64, most: u64| {
        assert!(rounds <= most);
        rounds <= FEW_ROUNDS
    };
    assert!(stored.memory() <= MOST_MEMORY);
    match &stored.0 {
        Scheme::Bcrypt { text, .. } => {
            let cost = text.split('$').nth(2).and_then(|cost| cost.parse().ok());
            let cost: u8 = cost.expect("a cost");
            assert!(cost <= 16);
            cost <= 4
        }
        Scheme::Argon2 { cost, .. } => in_memory(cost.bytes()),
        Scheme::Scrypt { cost, .. } | Scheme::ScryptKdf { cost, .. } => in_memory(cost.bytes()),
        // 48 MiB are written.
        Scheme::TextSalted { .. } => false,
        Scheme::Pbkdf2 { rounds, .. } => in_rounds(rounds.get().into(), MOST_ROUNDS.into()),
        Scheme::Phpass { log_rounds, .. } => in_rounds(1 << log_rounds, 1 << 25),
        Scheme::ShaCrypt { text } => {
            // Only the first field can have the rounds: in any other field the text is a salt that looks like them.
            let field = text.split('$').nth(2);
            let digits = field.and_then(|field| field.strip_prefix("rounds="));
            let rounds = digits.and_then(|digits| digits.parse().ok());
            in_rounds(rounds.unwrap_or(5000), MOST_ROUNDS.into())
        }
        Scheme::Salted { .. } => true,
        Scheme::Magento { steps, .. } => {
            let written = steps.iter().map(|step: &MagentoStep| step.bytes().1);
            in_memory((stored.memory(), written.sum()))
        }
    }
}

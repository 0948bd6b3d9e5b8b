//! Checks a password against the user pool's policy, by Cognito's rules.

use jane_migrate_config::PasswordPolicy;

/// The characters that Cognito counts as symbols. A space counts too, except at either end.
const SYMBOLS: &str = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+-";

/// Whether Cognito would accept this password.
pub fn satisfies(policy: &PasswordPolicy, password: &str) -> bool {
    let any = |wanted: fn(char) -> bool| password.chars().any(wanted);
    let symbol = || any(|c| SYMBOLS.contains(c)) || password.trim().contains(' ');
    password.chars().count() >= policy.minimum_length as usize
        && (!policy.uppercase || any(|c| c.is_ascii_uppercase()))
        && (!policy.lowercase || any(|c| c.is_ascii_lowercase()))
        && (!policy.numbers || any(|c| c.is_ascii_digit()))
        && (!policy.symbols || symbol())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_rejects_a_weak_password_and_accepts_a_strong_one() {
        let none = PasswordPolicy::default();
        assert!(satisfies(&none, ""));
        for (policy, weak, strong) in [
            (
                PasswordPolicy {
                    minimum_length: 6,
                    ..none.clone()
                },
                "äöüäö",
                "äöüäöü",
            ),
            (
                PasswordPolicy {
                    uppercase: true,
                    ..none.clone()
                },
                "abcÄ1!",
                "abcA",
            ),
            (
                PasswordPolicy {
                    lowercase: true,
                    ..none.clone()
                },
                "ABCä1!",
                "ABCa",
            ),
            (
                PasswordPolicy {
                    numbers: true,
                    ..none.clone()
                },
                "abc٣",
                "abc3",
            ),
            (
                PasswordPolicy {
                    symbols: true,
                    ..none.clone()
                },
                " abc€ ",
                "ab c",
            ),
        ] {
            assert!(!satisfies(&policy, weak), "{weak}");
            assert!(satisfies(&policy, strong), "{strong}");
        }
    }

    #[test]
    fn every_cognito_symbol_counts() {
        let policy = PasswordPolicy {
            symbols: true,
            ..PasswordPolicy::default()
        };
        for symbol in SYMBOLS.chars() {
            assert!(satisfies(&policy, &format!("a{symbol}")), "{symbol}");
        }
    }
}

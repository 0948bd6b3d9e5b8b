//! Whether a migrated customer can sign in again with the typed name. Cognito also accepts a migration after which that is
//! impossible: a customer whose alias is not verified signs in once, while migrating, and never again, neither in the pool nor in
//! the directory.

use jane_migrate_config::HandlerSettings;

use crate::attributes::Attributes;

/// Sets the attribute that users sign in with to the `typed` name. The error is why the customer must not be migrated.
pub fn keep(
    settings: &HandlerSettings,
    typed: &str,
    attributes: &mut Attributes,
) -> Result<(), &'static str> {
    let kind = match typed {
        typed if typed.contains('@') => "email",
        typed if typed.starts_with('+') => "phone_number",
        _ => return Ok(()),
    };
    let is = |names: &[String]| names.iter().any(|name| name == kind);
    let value = attributes.get(kind);
    // The lower case of the Kelvin sign is an ASCII `k`: a letter of another address, to which the code must not go.
    let same = value.is_some_and(|value| {
        value.to_lowercase() == typed.trim().to_lowercase() && value.is_ascii() == typed.is_ascii()
    });
    if is(&settings.username_attributes) {
        // Cognito: "User email should be empty or same as username". Whether this is case-sensitive is not documented.
        match value {
            Some(_) if !same => return Err("other-name"),
            Some(_) => attributes.insert(kind.to_owned(), typed.to_owned()),
            None => None,
        };
    } else if is(&settings.alias_attributes) {
        if !same {
            return Err("other-name");
        }
        if !attributes.contains_key(&format!("{kind}_verified")) {
            return Err("unverified-alias");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::settings;

    fn attributes(pairs: &[(&str, &str)]) -> Attributes {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// The attributes in a pool whose users sign in with this attribute, as their user name or as an alias.
    fn kept(
        names: &[&str],
        aliases: &[&str],
        typed: &str,
        pairs: &[(&str, &str)],
    ) -> Result<Attributes, &'static str> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut settings = settings(&[]);
        settings.username_attributes = owned(names);
        settings.alias_attributes = owned(aliases);
        let mut attributes = attributes(pairs);
        keep(&settings, typed, &mut attributes)?;
        Ok(attributes)
    }

    #[test]
    fn an_address_as_user_name_is_returned_as_typed() {
        let kept = |typed: &str, pairs: &[(&str, &str)]| kept(&["email"], &[], typed, pairs);
        let as_typed = Ok(attributes(&[("email", "Ann@Example.com")]));
        for email in ["Ann@Example.com", "ann@example.com", "ANN@EXAMPLE.COM"] {
            assert_eq!(kept("Ann@Example.com", &[("email", email)]), as_typed);
        }
        assert_eq!(
            kept("ann@example.com", &[("email", "bob@example.com")]),
            Err("other-name")
        );
        let kelvin = "an\u{212a}@example.com";
        assert_eq!(
            kept(kelvin, &[("email", "ank@example.com")]),
            Err("other-name")
        );
        let nothing = Ok(attributes(&[("given_name", "Ann")]));
        assert_eq!(kept("ann@example.com", &[("given_name", "Ann")]), nothing);
    }

    #[test]
    fn a_phone_number_as_user_name_is_returned_as_typed() {
        let kept = |typed: &str, pairs: &[(&str, &str)]| {
            kept(&["phone_number", "email"], &[], typed, pairs)
        };
        let both = [("email", "a@b.c"), ("phone_number", "+15550100000")];
        assert_eq!(kept("+15550100000", &both), Ok(attributes(&both)));
        assert_eq!(kept("+15550100001", &both), Err("other-name"));
        assert_eq!(kept("a@b.c", &both), Ok(attributes(&both)));
    }

    #[test]
    fn an_alias_must_be_the_customers_own_and_verified() {
        let kept = |typed: &str, pairs: &[(&str, &str)]| {
            kept(&[], &["email", "preferred_username"], typed, pairs)
        };
        let verified = [("email", "ann@example.com"), ("email_verified", "true")];
        assert_eq!(
            kept("Ann@example.com", &verified),
            Ok(attributes(&verified))
        );
        let typed = "ann@example.com";
        assert_eq!(kept(typed, &verified[..1]), Err("unverified-alias"));
        assert_eq!(kept("bob@example.com", &verified), Err("other-name"));
        assert_eq!(kept(typed, &[]), Err("other-name"));
        for name in ["ann", "+15550100000"] {
            assert!(
                kept(name, &verified[..1]).is_ok(),
                "{name} is no alias here"
            );
        }
    }

    #[test]
    fn a_plain_user_name_does_not_verify_addresses() {
        let other = [("email", "bob@example.com")];
        assert_eq!(
            kept(&[], &[], "ann@example.com", &other),
            Ok(attributes(&other))
        );
    }
}

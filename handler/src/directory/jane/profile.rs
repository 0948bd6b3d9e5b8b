//! Cognito's attributes in Jane's form: the fields that Jane defines, and the others below `user_attributes`.

use serde_json::{Map, Value};

/// Jane's name for a Cognito attribute. `custom:` attributes named like one of Jane's fields fill that field.
const FIELDS: [(&str, &str); 5] = [
    ("email", "email"),
    ("birthdate", "birth_date"),
    ("family_name", "last_name"),
    ("given_name", "first_name"),
    ("phone_number", "phone"),
];

/// A Cognito user's data in Jane's form.
#[derive(Debug, Default, PartialEq)]
pub struct Profile {
    /// `email`, `birth_date`, `first_name`, `last_name` and `phone`, if present.
    pub fields: Map<String, Value>,
    /// The other attributes.
    pub others: Map<String, Value>,
}

impl Profile {
    /// The profile in these attributes.
    pub fn new(attributes: &Map<String, Value>) -> Self {
        let mut profile = Self::default();
        let mut custom = Vec::new();
        for (name, value) in attributes {
            if name.starts_with("cognito:") || name == "sub" || name == "email_verified" {
                continue;
            }
            let field = FIELDS.iter().find(|(attribute, _)| attribute == name);
            match (field, name.split_once("custom:")) {
                (Some((_, field)), _) => {
                    profile.fields.insert((*field).to_owned(), value.clone());
                }
                // `dev:custom:` if only developers may write it.
                (None, Some(("" | "dev:", name))) => custom.push((name, value)),
                (None, _) => {
                    profile.others.insert(name.clone(), value.clone());
                }
            }
        }
        // Cognito's own attribute takes precedence over a custom one with the same meaning.
        for (name, value) in custom {
            let is_field = FIELDS.iter().any(|(_, field)| *field == name);
            let into = match is_field {
                true => &mut profile.fields,
                false => &mut profile.others,
            };
            into.entry(name).or_insert_with(|| value.clone());
        }
        profile
    }

    /// The fields and the others as a request's body, with further fields.
    pub fn body(self, members: &[(&str, &str)]) -> Value {
        let mut body = self.fields;
        body.extend(
            members
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).into())),
        );
        body.insert("user_attributes".to_owned(), self.others.into());
        body.into()
    }

    /// Only the email and the others, for calls that accept no more.
    pub fn email_only(mut self) -> Self {
        self.fields.retain(|field, _| field == "email");
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn profile(attributes: Value) -> Profile {
        Profile::new(attributes.as_object().unwrap())
    }

    #[test]
    fn attributes_are_mapped_to_janes_fields() {
        let profile = profile(json!({
            "sub": "1", "email": "ann@example.com", "email_verified": "true", "birthdate": "1980-02-29", "family_name": "Lee",
            "given_name": "Ann", "phone_number": "+15550100000", "phone_number_verified": "true", "locale": "en",
            "custom:shop": "7", "dev:custom:tier": "gold", "cognito:user_status": "CONFIRMED", "cognito:email_alias": "x",
        }));
        assert_eq!(
            profile.body(&[("pool_id", "p")]),
            json!({
                "pool_id": "p", "email": "ann@example.com", "birth_date": "1980-02-29", "last_name": "Lee", "first_name": "Ann",
                "phone": "+15550100000",
                "user_attributes": { "phone_number_verified": "true", "locale": "en", "shop": "7", "tier": "gold" },
            })
        );
    }

    #[test]
    fn a_custom_attribute_fills_janes_field_if_cognitos_own_is_missing() {
        let body = |attributes| profile(attributes).body(&[]);
        assert_eq!(
            body(json!({ "custom:birth_date": "1980-02-29" }))["birth_date"],
            "1980-02-29"
        );
        let both = body(json!({ "custom:phone": "1", "phone_number": "+2" }));
        assert_eq!(both, json!({ "phone": "+2", "user_attributes": {} }));
    }

    #[test]
    fn a_call_can_get_the_email_only() {
        let profile = profile(json!({ "email": "a@b.c", "given_name": "Ann", "locale": "en" }));
        assert_eq!(
            profile.email_only().body(&[]),
            json!({ "email": "a@b.c", "user_attributes": { "locale": "en" } })
        );
    }
}

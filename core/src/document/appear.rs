//! Defaults that Cognito adds to a description: after an update, a field that was absent may appear with the value that it had
//! all along. This is no loss, so it is reported and kept. A table, each row with its source; anything else is an ordinary
//! difference.

use serde_json::{Value, json};

use super::diff::{Difference, is_unset};

/// A field, whether a value is its default, and the source of that.
struct Default(
    &'static str,
    fn(&Value) -> bool,
    #[expect(dead_code, reason = "for readers")] &'static str,
);

/// The feature plan is not included: ESSENTIALS is also its default, but on a pool of the LITE plan it costs money.
const DEFAULTS: [Default; 12] = [
    Default(
        "/EmailConfiguration/EmailSendingAccount",
        |value| value == "COGNITO_DEFAULT",
        "API_EmailConfigurationType: the default option; seen to appear in pulumi-aws#4158",
    ),
    Default(
        "/VerificationMessageTemplate/DefaultEmailOption",
        |value| value == "CONFIRM_WITH_CODE",
        "AWS::Cognito::UserPool VerificationMessageTemplate; seen to appear in pulumi-aws#4158",
    ),
    Default(
        "/AccountRecoverySetting/RecoveryMechanisms",
        either_address,
        "API_UserPoolType: either verified address where the setting is absent; seen to appear in pulumi-aws#4158",
    ),
    Default(
        "/DeletionProtection",
        |value| value == "INACTIVE",
        "guide, user pool deletion protection: inactive unless activated",
    ),
    Default(
        "/MfaConfiguration",
        |value| value == "OFF",
        "API_CreateUserPool, MfaConfiguration: OFF where it is left out",
    ),
    Default(
        "/AdminCreateUserConfig/AllowAdminCreateUserOnly",
        |value| *value == false,
        "API_AdminCreateUserConfigType: users may sign up unless it is true",
    ),
    Default(
        "/Policies/SignInPolicy/AllowedFirstAuthFactors",
        |value| *value == json!(["PASSWORD"]),
        "API_SignInPolicyType: a password alone where there is no policy",
    ),
    Default(
        "/AuthSessionValidity",
        |value| *value == 3,
        "API_CreateUserPoolClient, AuthSessionValidity: three minutes",
    ),
    Default(
        "/RefreshTokenValidity",
        |value| *value == 30,
        "API_CreateUserPoolClient, RefreshTokenValidity: 30 days",
    ),
    Default(
        "/PreventUserExistenceErrors",
        |value| value == "LEGACY",
        "API_CreateUserPoolClient, PreventUserExistenceErrors: LEGACY where it is left out",
    ),
    Default(
        "/AllowedOAuthFlowsUserPoolClient",
        |value| *value == false,
        "API_CreateUserPoolClient, AllowedOAuthFlowsUserPoolClient: false where it is left out",
    ),
    Default(
        "/EnablePropagateAdditionalUserContextData",
        |value| *value == false,
        "API_CreateUserPoolClient, EnablePropagateAdditionalUserContextData: false where it is left out",
    ),
];

/// Email and phone number, in either order.
fn either_address(mechanisms: &Value) -> bool {
    let mechanisms = mechanisms.as_array().into_iter().flatten();
    let names = mechanisms.map(|one| &one["Name"]);
    let mut names: Vec<&str> = names.filter_map(Value::as_str).collect();
    names.sort_unstable();
    names == ["verified_email", "verified_phone_number"]
}

/// Whether the difference is only a default that Cognito now shows and that applied all along.
pub fn appeared(difference: &Difference) -> bool {
    let Difference {
        pointer,
        before,
        after,
    } = difference;
    // Cognito adds its new attributes to every pool.
    if pointer == "/SchemaAttributes" {
        return only_added(before, after);
    }
    let row = DEFAULTS.iter().find(|row| row.0 == pointer);
    is_unset(before) && row.is_some_and(|Default(_, is_default, _)| is_default(after))
}

/// Whether all old attributes still exist, and the new ones are standard ones.
fn only_added(before: &Value, after: &Value) -> bool {
    let (Some(before), Some(after)) = (before.as_array(), after.as_array()) else {
        return false;
    };
    let standard = |attribute: &&Value| {
        let name = attribute["Name"].as_str().unwrap_or_default();
        !name.is_empty() && !name.contains(':') && attribute["Required"] != true
    };
    before.iter().all(|attribute| after.contains(attribute))
        && after
            .iter()
            .filter(|attribute| !before.contains(attribute))
            .all(|attribute| standard(&attribute))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::differences;

    fn appear(before: &Value, after: &Value) -> Vec<bool> {
        let found = differences(before, after);
        assert!(!found.is_empty());
        found.iter().map(appeared).collect()
    }

    #[test]
    fn documented_defaults_appear() {
        let recovery = json!({ "RecoveryMechanisms": [
            { "Priority": 1, "Name": "verified_email" }, { "Priority": 2, "Name": "verified_phone_number" },
        ] });
        let shown = json!({
            "EmailConfiguration": { "EmailSendingAccount": "COGNITO_DEFAULT" },
            "VerificationMessageTemplate": { "DefaultEmailOption": "CONFIRM_WITH_CODE" },
            "AccountRecoverySetting": recovery,
            "DeletionProtection": "INACTIVE",
            "MfaConfiguration": "OFF",
            "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": false },
            "Policies": { "SignInPolicy": { "AllowedFirstAuthFactors": ["PASSWORD"] } },
            "AuthSessionValidity": 3,
            "RefreshTokenValidity": 30,
            "PreventUserExistenceErrors": "LEGACY",
            "AllowedOAuthFlowsUserPoolClient": false,
            "EnablePropagateAdditionalUserContextData": false,
        });
        assert_eq!(appear(&json!({}), &shown), [true; DEFAULTS.len()]);
        // A field of a group that was partly shown.
        let before = json!({ "EmailConfiguration": { "From": "a@example.com" } });
        let after = json!({ "EmailConfiguration": { "From": "a@example.com", "EmailSendingAccount": "COGNITO_DEFAULT" } });
        assert_eq!(appear(&before, &after), [true]);
    }

    #[test]
    fn other_new_fields_are_differences() {
        let one = json!({ "RecoveryMechanisms": [{ "Priority": 1, "Name": "admin_only" }] });
        for (before, after) in [
            (json!({}), json!({ "UserPoolTier": "ESSENTIALS" })),
            (
                json!({}),
                json!({ "EmailConfiguration": { "EmailSendingAccount": "DEVELOPER" } }),
            ),
            (json!({}), json!({ "AccountRecoverySetting": one })),
            (json!({}), json!({ "DeletionProtection": "ACTIVE" })),
            (json!({}), json!({ "MfaConfiguration": "ON" })),
            (
                json!({}),
                json!({ "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true } }),
            ),
            (json!({}), json!({ "AuthSessionValidity": 5 })),
            (json!({}), json!({ "RefreshTokenValidity": 10 })),
            (
                json!({}),
                json!({ "PreventUserExistenceErrors": "ENABLED" }),
            ),
            (
                json!({ "DeletionProtection": "ACTIVE" }),
                json!({ "DeletionProtection": "INACTIVE" }),
            ),
            (json!({ "DeletionProtection": "ACTIVE" }), json!({})),
        ] {
            assert_eq!(appear(&before, &after), [false], "{before} {after}");
        }
    }

    #[test]
    fn new_standard_attributes_are_no_loss() {
        let attribute = |name: &str| json!({ "Name": name, "AttributeDataType": "String" });
        let pool = |names: &[&str]| {
            let attributes: Vec<Value> = names.iter().map(|name| attribute(name)).collect();
            json!({ "SchemaAttributes": attributes })
        };
        let before = pool(&["sub", "email", "custom:loyalty"]);
        let more = pool(&["sub", "email", "custom:loyalty", "pronouns"]);
        assert_eq!(appear(&before, &more), [true]);
        for other in [
            pool(&["sub", "email"]),
            pool(&["sub", "email", "custom:loyalty", "custom:more"]),
        ] {
            assert!(appear(&before, &other).contains(&false), "{other}");
        }
    }
}

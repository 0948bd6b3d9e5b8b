//! Values shared by several unit tests.

use jane_migrate_config::{Directory, HandlerSettings, Jane, Secret};
use serde_json::{Value, json};

use crate::event::Event;

/// The pool of [`settings`].
pub const POOL: &str = "us-east-1_AbC123456";

/// Settings for a Jane directory that cannot be reached: the environment variable of its secret does not
/// exist.
pub fn settings(attributes: &[(&str, &str)]) -> HandlerSettings {
    let attributes = attributes.iter();
    HandlerSettings {
        pool: POOL.into(),
        directory: Directory::Jane(Jane {
            url: "https://api.example".into(),
            client_id: "c".into(),
            client_secret: Secret::Env("JANE_MIGRATE_TEST_NO_SUCH_VARIABLE".into()),
            timeout_ms: 1000,
            ca_certificate: None,
        }),
        attributes: attributes
            .map(|(name, source)| ((*name).to_owned(), (*source).to_owned()))
            .collect(),
        response: Default::default(),
        triggers: Default::default(),
        on_migrated: None,
        required_attributes: Vec::new(),
        alias_attributes: Vec::new(),
        username_attributes: Vec::new(),
        constraints: Default::default(),
        case_sensitive: false,
        password_policy: None,
        window_closes: None,
        window_share: None,
    }
}

/// A sign-in as Cognito sends it.
pub fn sign_in(name: &str, password: &str) -> Value {
    json!({
        "version": "1",
        "triggerSource": "UserMigration_Authentication",
        "userPoolId": POOL,
        "userName": name,
        "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "client-1" },
        "request": { "password": password, "validationData": null },
        "response": { "userAttributes": null, "finalUserStatus": null },
    })
}

/// A forgotten password as Cognito sends it.
pub fn forgot_password(name: &str) -> Value {
    let mut event = sign_in(name, "");
    event["triggerSource"] = "UserMigration_ForgotPassword".into();
    event["request"] = json!({ "clientMetadata": null });
    event
}

/// A sign-up as Cognito sends it before it creates the user.
pub fn sign_up(user: &str, attributes: Value) -> Value {
    account("PreSignUp_SignUp", user, attributes)
}

/// An event of the triggers pre sign-up and post confirmation as Cognito sends it.
pub fn account(source: &str, user: &str, attributes: Value) -> Value {
    let mut event = sign_in(user, "");
    event["triggerSource"] = source.into();
    event["request"] = json!({ "userAttributes": attributes, "validationData": null });
    event["response"] = match source.starts_with("PreSignUp") {
        true => {
            json!({ "autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false })
        }
        false => json!({}),
    };
    event
}

/// The event, read with these settings.
pub fn event(payload: Value, settings: &HandlerSettings) -> Event {
    Event::read(payload, settings).expect("the tests' events are of the tests' pool")
}

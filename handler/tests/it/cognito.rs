//! The handler with `kind = "cognito"`, against moto and against a server for the responses that moto does
//! not give.

use std::sync::{Arc, Mutex};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;
use serde_json::{Value, json};

use crate::{
    function::{Function, forgot_password, settings, sign_in},
    python::Moto,
    server::{Reply, Server},
};

const PASSWORD: &str = "Canary-password-1!";
const CREDENTIALS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIACANARY"),
    ("AWS_SECRET_ACCESS_KEY", "canary-secret-key"),
    ("AWS_SESSION_TOKEN", "canary-session-token"),
];

fn function(url: &str, pool: &str, client: &str, more: &str) -> Function {
    let toml = format!(
        "[directory]\nkind = 'cognito'\npool_id = '{pool}'\nclient_id = '{client}'\n{more}\n"
    );
    let mut environment = CREDENTIALS.to_vec();
    environment.push(("AWS_ENDPOINT_URL", url));
    Function::start(&settings(&toml), &environment)
}

#[test]
fn users_of_an_old_pool_migrate_with_their_attributes() {
    let moto = Moto::shared();
    let cognito = |action: &str, body: Value| {
        moto.call(
            "cognito-idp",
            &format!("AWSCognitoIdentityProviderService.{action}"),
            &body,
        )
    };
    let pool = cognito(
        "CreateUserPool",
        json!({
            "PoolName": "old",
            "Schema": [{ "Name": "tier", "AttributeDataType": "String", "Mutable": true }],
        }),
    );
    let pool = pool["UserPool"]["Id"].as_str().unwrap();
    let client = cognito(
        "CreateUserPoolClient",
        json!({
            "UserPoolId": pool,
            "ClientName": "migration",
            "GenerateSecret": true,
            "ExplicitAuthFlows": ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        }),
    );
    let client = &client["UserPoolClient"];
    for (name, verified) in [("ann@example.com", "true"), ("eve@example.com", "false")] {
        cognito(
            "AdminCreateUser",
            json!({
                "UserPoolId": pool,
                "Username": name,
                "MessageAction": "SUPPRESS",
                "UserAttributes": [
                    { "Name": "email", "Value": name }, { "Name": "email_verified", "Value": verified },
                    { "Name": "given_name", "Value": "Ann" }, { "Name": "phone_number", "Value": "+14155550100" },
                    { "Name": "custom:tier", "Value": "gold" },
                ],
            }),
        );
        cognito(
            "AdminSetUserPassword",
            json!({
                "UserPoolId": pool, "Username": name, "Password": PASSWORD, "Permanent": true,
            }),
        );
    }
    let parameter =
        json!({ "Name": "/old/secret", "Type": "SecureString", "Value": client["ClientSecret"] });
    moto.call("ssm", "AmazonSSM.PutParameter", &parameter);
    let more = "client_secret = { ssm = '/old/secret' }\nrole_arn = 'arn:aws:iam::123456789012:role/read-old-pool'\n\
                external_id = 'migration'\n[attributes]\n'custom:level' = 'custom:tier'\n'custom:old_id' = 'sub'";
    let function = function(
        &moto.url(),
        pool,
        client["ClientId"].as_str().unwrap(),
        more,
    );

    let answer = function
        .invoke(&sign_in("Ann@example.com", PASSWORD))
        .event();
    let mut attributes = answer["response"]["userAttributes"].clone();
    assert_eq!(
        attributes["custom:old_id"].take().as_str().unwrap().len(),
        36
    );
    assert_eq!(
        attributes,
        json!({
            "email": "ann@example.com", "email_verified": "true", "given_name": "Ann", "phone_number": "+14155550100",
            "custom:level": "gold", "custom:old_id": null,
        })
    );
    assert_eq!(function.record()["outcome"], "migrated");
    assert_eq!(
        function.outcome(&sign_in("ann@example.com", "wrong")).0,
        "wrong-password"
    );
    assert_eq!(
        function.outcome(&sign_in("nobody@example.com", PASSWORD)).0,
        "not-found"
    );
    assert_eq!(
        function.outcome(&forgot_password("ann@example.com")).0,
        "migrated-for-reset"
    );
    assert_eq!(
        function.outcome(&forgot_password("eve@example.com")).0,
        "not-eligible"
    );
    assert_eq!(
        function.outcome(&forgot_password("nobody@example.com")).0,
        "not-found"
    );
    cognito(
        "AdminDisableUser",
        json!({ "UserPoolId": pool, "Username": "ann@example.com" }),
    );
    assert_eq!(
        function.outcome(&sign_in("ann@example.com", PASSWORD)).0,
        "not-eligible"
    );
    assert_eq!(
        function.outcome(&forgot_password("ann@example.com")).0,
        "not-eligible"
    );
    assert!(
        !function.output().to_lowercase().contains("canary"),
        "{}",
        function.output()
    );
}

#[test]
fn a_replaced_client_secret_is_fetched_again() {
    let current = Arc::new(Mutex::new("first"));
    let shared = Arc::clone(&current);
    let server = Server::start(move |request| {
        let secret = *shared.lock().unwrap();
        let body = request.json();
        let target = request.header("x-amz-target");
        match target.rsplit('.').next().unwrap() {
            "GetParameter" => Reply::json(200, json!({ "Parameter": { "Value": secret } })),
            "AdminGetUser" => Reply::json(
                200,
                json!({ "Enabled": true, "UserStatus": "CONFIRMED", "UserAttributes": [{ "Name": "email", "Value": "a@example.com" }] }),
            ),
            _ if body["AuthParameters"]["SECRET_HASH"] == secret_hash("ann", secret) => {
                Reply::json(200, json!({ "AuthenticationResult": {} }))
            }
            _ => Reply::json(
                400,
                json!({ "__type": "NotAuthorizedException", "message": "Unable to verify secret hash for client abc" }),
            ),
        }
    });
    let function = function(
        &server.url(),
        "us-east-1_Old",
        "abc",
        "client_secret = { ssm = '/old/secret' }",
    );
    assert_eq!(function.outcome(&sign_in("ann", PASSWORD)).0, "migrated");
    *current.lock().unwrap() = "second";
    assert_eq!(function.outcome(&sign_in("ann", PASSWORD)).0, "migrated");
    // The secret is not the cause, so the password is not sent again.
    server.forget();
    assert_eq!(
        function.outcome(&sign_in("eve", PASSWORD)).0,
        "directory-unavailable"
    );
    let sent = server.requests();
    let sent = sent
        .iter()
        .map(|request| request.header("x-amz-target").rsplit('.').next().unwrap());
    assert_eq!(
        sent.collect::<Vec<_>>(),
        ["AdminInitiateAuth"],
        "the secret was fetched again a moment ago"
    );
}

fn secret_hash(name: &str, secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, format!("{name}abc").as_bytes()))
}

/// Responses from Cognito's documentation that moto does not give.
#[test]
fn every_response_of_cognito_has_its_outcome() {
    let error =
        |kind: &str, message: &str| Reply::json(400, json!({ "__type": kind, "message": message }));
    let server = Server::start(move |request| {
        let body = request.json();
        if request.header("x-amz-target").ends_with("AdminGetUser") {
            let status = if body["Username"] == "federated" {
                "EXTERNAL_PROVIDER"
            } else {
                "CONFIRMED"
            };
            let attributes = json!([{ "Name": "email", "Value": "a@example.com" }, { "Name": "email_verified", "Value": "true" }]);
            return Reply::json(
                200,
                json!({ "Username": "u", "Enabled": true, "UserStatus": status, "UserAttributes": attributes }),
            );
        }
        match body["AuthParameters"]["USERNAME"].as_str().unwrap() {
            "good" => Reply::json(
                200,
                json!({ "AuthenticationResult": { "AccessToken": "canary" }, "ChallengeParameters": {} }),
            ),
            "sms" => Reply::json(200, json!({ "ChallengeName": "SMS_MFA", "Session": "s" })),
            "totp" => Reply::json(
                200,
                json!({ "ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": "s" }),
            ),
            "setup" => Reply::json(200, json!({ "ChallengeName": "MFA_SETUP", "Session": "s" })),
            "temporary" => Reply::json(
                200,
                json!({ "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": "s" }),
            ),
            "unconfirmed" => error("UserNotConfirmedException", "User is not confirmed."),
            "reset" => error(
                "PasswordResetRequiredException",
                "Password reset required for the user",
            ),
            "unknown" => error(
                "com.amazonaws.cognito#UserNotFoundException",
                "User does not exist.",
            ),
            "wrong" => error("NotAuthorizedException", "Incorrect username or password."),
            "locked" => error("NotAuthorizedException", "Password attempts exceeded"),
            "client" => error(
                "NotAuthorizedException",
                "Unable to verify secret hash for client x",
            ),
            "throttled" => error("TooManyRequestsException", "Rate exceeded"),
            "denied" => error(
                "AccessDeniedException",
                "User: x is not authorized to perform: cognito-idp:AdminInitiateAuth",
            ),
            _ => Reply::json(500, json!({ "__type": "InternalErrorException" })),
        }
    });
    let function = function(&server.url(), "us-east-1_Old", "abc", "");
    for (name, outcome) in [
        ("good", "migrated"),
        ("sms", "not-eligible"),
        ("totp", "not-eligible"),
        ("setup", "not-eligible"),
        ("temporary", "not-eligible"),
        ("unconfirmed", "not-eligible"),
        ("reset", "not-eligible"),
        ("unknown", "not-found"),
        ("wrong", "wrong-password"),
        ("locked", "not-eligible"),
        ("client", "directory-unavailable"),
        ("throttled", "directory-unavailable"),
        ("denied", "directory-unavailable"),
        ("else", "directory-unavailable"),
    ] {
        assert_eq!(
            function.outcome(&sign_in(name, PASSWORD)).0,
            outcome,
            "{name}"
        );
    }
    assert_eq!(
        function.outcome(&forgot_password("federated")).0,
        "sso-only"
    );
    let accepting = self::function(
        &server.url(),
        "us-east-1_Old",
        "abc",
        "second_factor = 'accept'",
    );
    for name in ["good", "sms", "totp", "setup"] {
        assert_eq!(
            accepting.outcome(&sign_in(name, PASSWORD)).0,
            "migrated",
            "{name}"
        );
    }
    assert!(!function.output().to_lowercase().contains("canary"));
}

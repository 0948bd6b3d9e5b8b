//! No secret is ever written, for any kind of directory and any response. A database has its own test of this.

use std::sync::{Arc, Mutex};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

use crate::{
    function::{Answer, Function, forgot_password, settings, sign_in},
    server::{Reply, Request, Server, faults},
};

const SECRET: &str = "canary-client-secret-5ac1";
const TOKEN: &str = "canary-token-77d0";
const PASSWORD: &str = "Canary-password-e19f";
const USER: &str = "canary.user.3b8@example.com";

/// A kind of directory: its settings, with `URL` for the server's URL, and the words that distinguish its calls.
const KINDS: [(&str, &[&str]); 3] = [
    (
        "kind = 'jane'
        url = 'URL'
        client_id = 'operator'
        client_secret = { env = 'SECRET' }",
        &["user_exists", "verify_credentials", "user_can_reset_password", "oauth/token"],
    ),
    (
        "kind = 'http'
        secrets = { key = { env = 'SECRET' } }
        oauth = { url = 'URL/oauth/token', client_id = 'operator', client_secret = { env = 'SECRET' } }
        [directory.authenticate]
        url = 'URL/sign_in?name={username}&shop={validation.k}'
        headers = { x-key = '{secrets.key}' }
        basic = { username = 'operator', password = '{secrets.key}' }
        json = { password = '{password}' }
        ok = [200]
        user = '/user'
        [directory.lookup]
        url = 'URL/lookup'
        form = { name = '{username}', shop = '{metadata.k}' }
        oauth = true
        ok = [200]
        user = '/user'
        [attributes]
        email = 'email'
        email_verified = '=true'",
        &["sign_in", "lookup", "oauth/token"],
    ),
    (
        "kind = 'cognito'
        pool_id = 'us-east-1_Old'
        client_id = 'operator'
        client_secret = { ssm = '/old/secret' }",
        &["AdminInitiateAuth", "AdminGetUser"],
    ),
];

#[test]
fn nothing_secret_is_ever_written() {
    for (directory, calls) in KINDS {
        let fault = Arc::<Mutex<Option<(&str, Reply)>>>::default();
        let shared = Arc::clone(&fault);
        let server = Server::start(move |request| {
            let call = call(request);
            match &*shared.lock().unwrap() {
                Some((at, reply)) if call.contains(at) => reply.clone(),
                // A good response for every request.
                _ => Reply::json(
                    200,
                    json!({
                        "access_token": TOKEN, "expires_in": 0,
                        "user": { "email": USER, "phone": "1112224444", "first_name": "Ann" },
                        "AuthenticationResult": { "AccessToken": TOKEN },
                        "Enabled": true, "UserStatus": "CONFIRMED",
                        "UserAttributes": [{ "Name": "email", "Value": USER }, { "Name": "email_verified", "Value": "true" }],
                        "Parameter": { "Value": SECRET },
                    }),
                ),
            }
        });
        let toml = format!("[directory]\n{}\n", directory.replace("URL", &server.url()));
        let environment = [
            ("SECRET", SECRET),
            ("AWS_ACCESS_KEY_ID", "AKIACANARY"),
            ("AWS_SECRET_ACCESS_KEY", "canary-secret-key"),
            ("AWS_SESSION_TOKEN", "canary-session-token"),
            ("AWS_ENDPOINT_URL", &server.url()),
        ];
        let function = Function::start(&settings(&toml), &environment);
        let mut event = sign_in(USER, PASSWORD);
        event["request"]["validationData"] = json!({ "k": "canary-validation-11" });
        let mut forgot = forgot_password(USER);
        forgot["request"]["clientMetadata"] = json!({ "k": "canary-metadata-22" });
        assert_eq!(function.outcome(&event).0, "migrated", "{directory}");
        assert_eq!(
            function.outcome(&forgot).0,
            "migrated-for-reset",
            "{directory}"
        );
        for call in calls {
            for (_, reply) in faults(PASSWORD) {
                if matches!(reply, Reply::Hang | Reply::Drip(_) | Reply::Endless(_)) {
                    continue;
                }
                *fault.lock().unwrap() = Some((call, reply));
                server.forget();
                for event in [&event, &forgot] {
                    if let Answer::Error { kind, message } = function.invoke(event) {
                        assert_eq!(
                            (kind.as_str(), message.as_str()),
                            ("DirectoryUnavailable", "Sign-in is not possible right now")
                        );
                    }
                }
                let asked = |request: &Request| self::call(request).contains(call);
                assert!(server.requests().iter().any(asked), "{call}");
            }
        }
        assert_silent(&function);
    }
}

fn call(request: &Request) -> String {
    format!("{} {}", request.path, request.header("x-amz-target"))
}

fn assert_silent(function: &Function) {
    let output = function.output().to_lowercase();
    assert!(output.contains("directory-unavailable"), "{output}");
    let basic = BASE64_STANDARD.encode(format!("operator:{SECRET}"));
    for written in ["canary", "1112224444", "ann\"", &basic] {
        assert!(
            !output.contains(&written.to_lowercase()),
            "{written} in {output}"
        );
    }
}

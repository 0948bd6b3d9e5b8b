//! The handler with `kind = "jane"`, against a server with Jane's protocol: which users migrate, and which do not.

mod accounts;
mod faults;
mod response;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jane_migrate_config::HandlerSettings;
use serde_json::{Value, json};

use crate::{
    function::{Answer, Function, POOL, forgot_password, settings, sign_in},
    server::{Reply, Request, Server},
};

const SECRET: &str = "canary-client-secret-5ac1";
const TOKEN: &str = "canary-token-77d0";
const PASSWORD: &str = "Canary-password-e19f";
const USER: &str = "canary.user.3b8@example.com";

const SOURCE: &str = "/roots/store_operations_api/v1/cognito";

/// A simulated Jane that can fail.
struct Jane {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The valid token; the first is number 1.
    issued: u32,
    expires_in: Option<u64>,
    /// Whether sign-ups are confirmed without a code.
    auto_confirm: bool,
    /// The response to calls below this path instead of the usual one.
    fault: Option<(&'static str, Reply)>,
}

impl Jane {
    fn start() -> Self {
        Self::serve(Server::start)
    }

    fn start_tls() -> Self {
        Self::serve(Server::start_tls)
    }

    fn serve<F>(start: F) -> Self
    where
        F: FnOnce(Box<dyn Fn(&Request) -> Reply + Send + Sync>) -> Server,
    {
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        Self {
            server: start(Box::new(move |request| {
                answer(request, &mut shared.lock().unwrap())
            })),
            state,
        }
    }

    /// A Jane whose responses take this long.
    fn slow(delay: Duration) -> Self {
        Self::serve(|answer| {
            Server::start(move |request| {
                std::thread::sleep(delay);
                answer(request)
            })
        })
    }

    fn fault(&self, path: &'static str, reply: Reply) {
        self.state.lock().unwrap().fault = Some((path, reply));
    }

    fn heal(&self) {
        self.state.lock().unwrap().fault = None;
    }

    fn toml(&self, more: &str) -> String {
        let certificate = self.server.certificate.as_ref();
        let certificate = certificate.map_or(String::new(), |pem| {
            format!("ca_certificate = '''{pem}'''\n")
        });
        format!(
            "[directory]\nkind = 'jane'\nurl = '{}'\nclient_id = 'operator'\nclient_secret = {{ env = 'JANE_CLIENT_SECRET' }}\ntimeout_ms = 1500\n{certificate}{more}\n",
            self.server.url()
        )
    }

    fn settings(&self) -> HandlerSettings {
        settings(&self.toml(""))
    }

    fn function(&self, settings: &HandlerSettings) -> Function {
        Function::start(settings, &[("JANE_CLIENT_SECRET", SECRET)])
    }

    /// The calls since the last time, by their last path segment.
    fn calls(&self) -> Vec<String> {
        let calls = self
            .server
            .paths()
            .iter()
            .map(|path| path.rsplit('/').next().unwrap().to_owned())
            .collect();
        self.server.forget();
        calls
    }
}

fn answer(request: &Request, state: &mut State) -> Reply {
    if let Some((path, reply)) = &state.fault
        && request.path.contains(path)
    {
        return reply.clone();
    }
    if request.path == "/oauth/token" {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let expected = format!(
            "Basic {}",
            BASE64_STANDARD.encode(format!("operator:{SECRET}"))
        );
        if request.header("authorization") != expected
            || request.json() != json!({"grant_type": "client_credentials"})
        {
            return Reply::json(401, json!({ "error": "invalid_client" }));
        }
        state.issued += 1;
        let mut granted =
            json!({ "access_token": format!("{TOKEN}-{}", state.issued), "token_type": "Bearer" });
        if let Some(seconds) = state.expires_in {
            granted["expires_in"] = seconds.into();
        }
        return Reply::json(200, granted);
    }
    if request.header("authorization") != format!("Bearer {TOKEN}-{}", state.issued) {
        return Reply::json(401, json!({ "error": "The access token expired" }));
    }
    if let Some(id) = request.path.strip_prefix(&format!("{SOURCE}/app_clients/")) {
        return match id {
            "1example23456789" => Reply::json(
                200,
                json!({ "id": 1, "auto_confirm_email": state.auto_confirm }),
            ),
            _ => Reply::status(404),
        };
    }
    if request.method != "POST" {
        return Reply::status(405);
    }
    let body = request.json();
    let email = body["email"].as_str().unwrap_or_default();
    let known_client = body["app_client_id"] == "1example23456789";
    match request.path.strip_prefix(SOURCE).unwrap_or_default() {
        "/user_exists" => match email {
            USER | "sso@example.com" | "sso-refused@example.com" | "minimal@example.com"
                if known_client =>
            {
                Reply::json(200, json!({}))
            }
            _ => Reply::status(404),
        },
        "/verify_credentials" => match (email, body["password"].as_str().unwrap_or_default()) {
            (USER, PASSWORD) => Reply::json(
                200,
                json!({ "user": {
                    "email": "other@example.com", "nickname": null, "phone": "1112224444", "first_name": "Ann",
                    "last_name": "", "name": "Ann", "birth_date": "1980-02-29", "created_at": "2020-01-01T00:00:00Z",
                    "id": 17, "new_field": [1]
                } }),
            ),
            ("minimal@example.com", PASSWORD) => Reply::json(
                200,
                json!({ "user": { "phone": "12", "birth_date": "29.2.1980" } }),
            ),
            (USER | "minimal@example.com", _) => Reply::status(401),
            _ => Reply::status(404),
        },
        "/user_can_reset_password" => match email {
            _ if !known_client => Reply::status(404),
            USER | "sso@example.com" => Reply::json(200, json!({})),
            "sso-refused@example.com" => Reply::json(
                404,
                json!({ "errors": "Please sign in with your Google account" }),
            ),
            _ => Reply::status(404),
        },
        "/ensure_external_user_exists" | "/create_user" | "/validate_user" => {
            Reply::json(200, json!({}))
        }
        "/verify_sso_user" => match email {
            "sso@example.com" => Reply::json(
                200,
                json!({ "user": { "first_name": "Ann", "last_name": "Lee", "phone": "1112224444", "birth_date": "1980-02-29" } }),
            ),
            _ => Reply::status(404),
        },
        _ => Reply::status(404),
    }
}

#[test]
fn a_right_password_migrates_the_user_confirmed() {
    let jane = Jane::start_tls();
    let function = jane.function(&jane.settings());
    let event = sign_in(USER, PASSWORD);
    let mut expected = event.clone();
    expected["response"] = json!({
        "userAttributes": {
            "email": USER, "email_verified": "true", "given_name": "Ann", "phone_number": "+11112224444",
            "birthdate": "1980-02-29"
        },
        "finalUserStatus": "CONFIRMED",
        "messageAction": "SUPPRESS",
        "forceAliasCreation": false,
        "enableSMSMFA": null,
        "desiredDeliveryMediums": null,
    });
    assert_eq!(function.invoke(&event), Answer::Event(expected));
    assert_eq!(function.record()["outcome"], "migrated");
}

#[test]
fn a_forgotten_password_migrates_password_and_sso_accounts_without_a_status() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    for user in [USER, "sso@example.com"] {
        let event = forgot_password(user);
        let mut expected = event.clone();
        expected["response"]["userAttributes"] = json!({ "email": user, "email_verified": "true" });
        expected["response"]["messageAction"] = "SUPPRESS".into();
        expected["response"]["forceAliasCreation"] = false.into();
        assert_eq!(
            function.outcome(&event),
            ("migrated-for-reset".into(), Answer::Event(expected))
        );
    }
}

#[test]
fn a_user_who_is_not_migrated_gets_the_unchanged_event() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    for (event, outcome) in [
        (sign_in("marketplace@example.com", PASSWORD), "not-found"),
        (sign_in("nobody@example.com", PASSWORD), "not-found"),
        (sign_in("not an address", PASSWORD), "not-found"),
        (sign_in("", PASSWORD), "not-found"),
        (sign_in(USER, "wrong"), "wrong-password"),
        (sign_in(USER, ""), "wrong-password"),
        (sign_in("sso@example.com", PASSWORD), "sso-only"),
        (forgot_password("marketplace@example.com"), "not-found"),
        (forgot_password("minimal@example.com"), "not-found"),
        (forgot_password("sso-refused@example.com"), "sso-only"),
    ] {
        assert_eq!(
            function.outcome(&event),
            (outcome.into(), Answer::Event(event.clone())),
            "{event}"
        );
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_bytes() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    let (_, wrong) = function.invoke_raw(sign_in(USER, "wrong").to_string().into_bytes());
    let (_, unknown) = function.invoke_raw(
        sign_in("nobody@example.com", "wrong")
            .to_string()
            .into_bytes(),
    );
    let wrong = String::from_utf8(wrong).unwrap().replace(USER, "X");
    let unknown = String::from_utf8(unknown)
        .unwrap()
        .replace("nobody@example.com", "X");
    assert_eq!(wrong, unknown);
}

#[test]
fn no_password_is_sent_for_a_user_who_is_no_customer() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    jane.calls();
    function.invoke(&sign_in("marketplace@example.com", PASSWORD));
    assert_eq!(jane.calls(), ["user_exists"]);
    let mut other_client = sign_in(USER, PASSWORD);
    other_client["callerContext"]["clientId"] = "another".into();
    function.invoke(&other_client);
    assert_eq!(jane.calls(), ["user_exists"]);
}

#[test]
fn unknown_fields_are_returned_and_missing_ones_are_accepted() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    let mut event = sign_in(USER, PASSWORD);
    event["newMember"] = json!({ "deep": [null, 1.5, "ü"] });
    event["request"]["newMember"] = json!(true);
    event["response"]["newMember"] = json!(7);
    event["callerContext"]["newMember"] = json!([]);
    let answer = function.invoke(&event).event();
    assert_eq!(answer["newMember"], event["newMember"]);
    assert_eq!(answer["request"], event["request"], "the password included");
    assert_eq!(answer["response"]["newMember"], 7);
    assert_eq!(answer["callerContext"], event["callerContext"]);

    for response in [json!(null), json!({})] {
        let mut event = sign_in(USER, PASSWORD);
        event["response"] = response;
        event.as_object_mut().unwrap().remove("version");
        event["request"] = json!({ "password": PASSWORD });
        let answer = function.invoke(&event).event();
        assert_eq!(answer["response"]["finalUserStatus"], "CONFIRMED");
    }
    let mut bare = json!({ "triggerSource": "UserMigration_ForgotPassword", "userPoolId": POOL, "userName": USER });
    assert_eq!(
        function.invoke(&bare).event(),
        bare,
        "without a client there is no store"
    );
    bare["callerContext"] = json!({ "clientId": "1example23456789" });
    assert_eq!(
        function.invoke(&bare).event()["response"]["messageAction"],
        "SUPPRESS"
    );
}

#[test]
fn events_for_other_functions_are_errors_with_constant_texts() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    jane.calls();
    let error = |kind: &str, message: &str| Answer::Error {
        kind: kind.into(),
        message: message.into(),
    };
    let unsupported = error("UnsupportedTrigger", "This trigger is not supported");
    let invalid = error("InvalidEvent", "This event is not supported");
    for source in [
        json!("UserMigration_Other"),
        json!("TokenGeneration_Authentication"),
        json!(null),
        json!(7),
    ] {
        let mut event = sign_in(USER, PASSWORD);
        event["triggerSource"] = source;
        assert_eq!(
            function.outcome(&event),
            ("unsupported-trigger".into(), unsupported.clone())
        );
    }
    for pool in [json!("us-east-1_Other"), json!(null)] {
        let mut event = sign_in(USER, PASSWORD);
        event["userPoolId"] = pool;
        assert_eq!(
            function.outcome(&event),
            ("invalid-event".into(), invalid.clone())
        );
    }
    let mut nameless = sign_in(USER, PASSWORD);
    nameless["userName"] = json!(null);
    assert_eq!(
        function.outcome(&nameless),
        ("invalid-event".into(), invalid.clone())
    );
    let deep = "[".repeat(5000) + &"]".repeat(5000);
    for body in ["[]", "null", "\"text\"", "17", "{", deep.as_str()] {
        assert_eq!(function.invoke_raw(body.into()).0, invalid, "{body}");
    }
    assert_eq!(jane.calls(), [""; 0], "no calls");
}

#[test]
fn unreadable_settings_are_an_error_of_every_invocation() {
    for settings in ["", "{", "{}", r#"{"pool":"p","directory":{"ldap":{}}}"#] {
        let function = Function::start_with(settings, &[]);
        for _ in 0..2 {
            let answer = function.invoke(&sign_in(USER, PASSWORD));
            assert_eq!(answer.error(), "InvalidSettings");
            let record = function.record();
            assert_eq!(record["outcome"], "invalid-settings");
            measured(&record);
        }
    }
}

#[test]
fn each_invocation_writes_one_line_with_metrics() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    function.invoke(&sign_in(USER, PASSWORD));
    function.invoke(&sign_in(USER, "wrong"));
    let (first, second) = (function.record(), function.record());
    assert_eq!(first["outcome"], "migrated");
    assert_eq!(first["triggerSource"], "UserMigration_Authentication");
    assert_eq!(first["clientId"], "1example23456789");
    assert_eq!(first["userPoolId"], POOL);
    assert_eq!(
        (&first["cold"], &second["cold"]),
        (&json!(true), &json!(false))
    );
    assert!(first["initMs"].as_f64().unwrap() > 0.0);
    assert!(second.get("initMs").is_none(), "only a cold start has one");
    assert!(first["durationMs"].as_f64().unwrap() > 0.0);
    let calls: Vec<_> = first["upstream"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| &call["call"])
        .collect();
    assert_eq!(calls, ["user_exists", "verify_credentials"]);
    assert_eq!(first["upstream"][1]["status"], 200);
    assert!(first["upstream"][1]["ms"].as_f64().unwrap() > 0.0);
    assert_eq!(first["user"], second["user"], "the same user is recognised");
    assert_eq!(first["user"].as_str().unwrap().len(), 24);
    assert_eq!(
        measured(&first),
        json!([["userPoolId"], ["userPoolId", "outcome"]])
    );
    assert_eq!(function.output().lines().count(), 2);
}

/// Checks that CloudWatch finds the metrics in the line, and returns their dimensions.
fn measured(record: &Value) -> Value {
    let metrics = &record["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(metrics["Namespace"], "JaneMigrate");
    for metric in metrics["Metrics"].as_array().unwrap() {
        assert!(
            record[metric["Name"].as_str().unwrap()].is_number(),
            "{metric}"
        );
    }
    let sets = metrics["Dimensions"].as_array().unwrap();
    for dimension in sets.iter().flat_map(|set| set.as_array().unwrap()) {
        let value = record[dimension.as_str().unwrap()].as_str();
        assert!(value.is_some_and(|value| !value.is_empty()), "{dimension}");
    }
    metrics["Dimensions"].clone()
}

#[test]
fn an_operators_test_is_marked_and_a_sign_in_is_not() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    function.invoke(&sign_in(USER, PASSWORD));
    let mut trial = sign_in(USER, PASSWORD);
    trial["janeMigrateTrial"] = json!(true);
    function.invoke(&trial);
    let (customer, operator) = (function.record(), function.record());
    assert!(customer.get("trial").is_none());
    measured(&customer);
    assert!(operator.get("_aws").is_none(), "a trial is not counted");
    assert_eq!(operator["trial"], true);
    assert_eq!(operator["outcome"], customer["outcome"]);
}

//! Each preset with a server that responds as in the product's documentation.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{PASSWORD, SECRET, USER, form, function};
use crate::{
    function::{Answer, Function, forgot_password, sign_in},
    server::{Reply, Server},
};

fn jwt(claims: Value) -> String {
    let part = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.{}",
        part("{\"alg\":\"RS256\"}".into()),
        part(claims.to_string()),
        part("signature".into())
    )
}

/// Signs in and requests a new password, and compares the outcomes with the attributes.
fn outcomes(function: &Function, cases: &[(Value, &str, Value)]) {
    for (event, outcome, expected) in cases {
        let (found, answer) = function.outcome(event);
        assert_eq!(found, *outcome, "{event}: {answer:?}");
        if let Answer::Event(event) = answer {
            assert_eq!(event["response"]["userAttributes"], *expected);
        }
    }
    assert!(
        !function.output().contains("anary"),
        "{}",
        function.output()
    );
}

#[test]
fn auth0() {
    let server = Server::start(|request| {
        let error = |status, error: &str| {
            Reply::json(
                status,
                json!({ "error": error, "error_description": "..." }),
            )
        };
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/oauth/token") => {
                let form = form(request);
                if form["grant_type"] == "client_credentials" {
                    assert_eq!(
                        form["audience"]
                            .as_str()
                            .unwrap()
                            .rsplit_once("/api")
                            .unwrap()
                            .1,
                        "/v2/"
                    );
                    assert_eq!(
                        request.header("authorization"),
                        "Basic bTJtOmNhbmFyeS1zZWNyZXQtOTBhZg=="
                    );
                    return Reply::json(200, json!({ "access_token": "m2m", "expires_in": 86400 }));
                }
                assert_eq!(
                    form["grant_type"],
                    "http://auth0.com/oauth/grant-type/password-realm"
                );
                assert_eq!(form["realm"], "Username-Password-Authentication");
                assert_eq!(
                    (&form["client_id"], &form["client_secret"]),
                    (&json!("app"), &json!(SECRET))
                );
                match (
                    form["username"].as_str().unwrap(),
                    form["password"].as_str().unwrap(),
                ) {
                    (USER, PASSWORD) => {
                        let claims = json!({
                            "iss": "https://t.auth0.com/", "sub": "auth0|1", "email": USER, "email_verified": false,
                            "given_name": "Ann", "nickname": "ann"
                        });
                        Reply::json(
                            200,
                            json!({ "access_token": "a", "id_token": jwt(claims), "token_type": "Bearer" }),
                        )
                    }
                    ("mfa@example.com", _) => error(403, "mfa_required"),
                    ("blocked@example.com", _) => error(401, "unauthorized"),
                    ("denied@example.com", _) => error(403, "access_denied"),
                    ("leaked@example.com", _) => error(403, "password_leaked"),
                    ("application@example.com", _) => error(401, "access_denied"),
                    ("often@example.com", _) => error(429, "too_many_attempts"),
                    _ => error(403, "invalid_grant"),
                }
            }
            ("GET", path) => {
                assert_eq!(request.header("authorization"), "Bearer m2m");
                match path.strip_prefix("/api/v2/users-by-email?email=").unwrap() {
                    "ann%40example.com" => {
                        Reply::json(200, json!([{ "email": USER, "email_verified": true }]))
                    }
                    "blocked%40example.com" => {
                        Reply::json(200, json!([{ "email": USER, "blocked": true }]))
                    }
                    _ => Reply::json(200, json!([])),
                }
            }
            other => panic!("{other:?}"),
        }
    });
    let toml = "
        preset = 'auth0'
        settings = { client_id = 'app' }
        secrets = { client_secret = { env = 'SECRET' } }
        oauth = { client_id = 'm2m', client_secret = { env = 'SECRET' } }
    ";
    outcomes(
        &function(&server, toml),
        &[
            (
                sign_in(USER, PASSWORD),
                "migrated",
                json!({ "email": USER, "given_name": "Ann", "nickname": "ann" }),
            ),
            (sign_in(USER, "wrong"), "wrong-password", json!(null)),
            (
                sign_in("mfa@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (
                sign_in("blocked@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (
                sign_in("denied@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (
                sign_in("leaked@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (
                sign_in("application@example.com", PASSWORD),
                "directory-unavailable",
                json!(null),
            ),
            (
                sign_in("often@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (
                forgot_password(USER),
                "migrated-for-reset",
                json!({ "email": USER, "email_verified": "true" }),
            ),
            (
                forgot_password("blocked@example.com"),
                "not-eligible",
                json!(null),
            ),
            (
                forgot_password("nobody@example.com"),
                "not-found",
                json!(null),
            ),
        ],
    );
}

#[test]
fn supabase() {
    let server = Server::start(|request| {
        assert_eq!(request.header("apikey"), SECRET);
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/auth/v1/token?grant_type=password")
        );
        assert_eq!(request.header("x-supabase-api-version"), "2024-01-01");
        let error = |code: &str| Reply::json(400, json!({ "code": code, "message": "..." }));
        let user = |factors: Value| {
            Reply::json(
                200,
                json!({ "access_token": "t", "token_type": "bearer", "refresh_token": "r", "user": {
                    "id": "u1", "aud": "authenticated", "email": USER, "email_confirmed_at": "2025-03-01T10:00:00.123456Z",
                    "phone": "", "user_metadata": { "name": "Ann" }, "factors": factors, "is_anonymous": false,
                } }),
            )
        };
        let body = request.json();
        match (
            body["email"].as_str().unwrap(),
            body["password"].as_str().unwrap(),
        ) {
            (USER, PASSWORD) => user(json!([{ "factor_type": "totp", "status": "unverified" }])),
            ("mfa@example.com", _) => user(json!([
                { "factor_type": "phone", "status": "unverified" }, { "factor_type": "totp", "status": "verified" },
            ])),
            ("off@example.com", _) => error("user_banned"),
            ("new@example.com", _) => error("email_not_confirmed"),
            ("ann", _) => error("validation_failed"),
            ("key@example.com", _) => Reply::json(401, json!({ "message": "Invalid API key" })),
            ("often@example.com", _) => {
                Reply::json(429, json!({ "code": "over_request_rate_limit" }))
            }
            _ => error("invalid_credentials"),
        }
    });
    let case = |name, password, outcome| (sign_in(name, password), outcome, json!(null));
    outcomes(
        &function(
            &server,
            "preset = 'supabase'\nsecrets = { api_key = { env = 'SECRET' } }",
        ),
        &[
            (
                sign_in(USER, PASSWORD),
                "migrated",
                json!({ "email": USER, "email_verified": "true", "name": "Ann" }),
            ),
            case(USER, "wrong", "wrong-password"),
            case("unknown@example.com", PASSWORD, "wrong-password"),
            case("ann", PASSWORD, "wrong-password"),
            case("mfa@example.com", PASSWORD, "not-eligible"),
            case("off@example.com", PASSWORD, "not-eligible"),
            case("new@example.com", PASSWORD, "not-eligible"),
            case("often@example.com", PASSWORD, "directory-unavailable"),
            case("key@example.com", PASSWORD, "directory-unavailable"),
            // Without a lookup forgotten passwords do not migrate.
            (forgot_password(USER), "not-eligible", json!(null)),
        ],
    );
}

/// As FusionAuth's API documentation describes it: no package has the server.
#[test]
fn fusionauth() {
    let server = Server::start(|request| {
        assert_eq!(request.header("authorization"), SECRET);
        let user = |email: &str, active: bool| {
            json!({ "user": {
                "id": "u1", "email": email, "verified": true, "active": active, "firstName": "Ann", "lastName": "Lee",
                "mobilePhone": "+15550100000", "birthDate": "1990-02-28", "registrations": [],
            } })
        };
        let Some(email) = request.path.strip_prefix("/api/user?email=") else {
            assert_eq!(
                (request.method.as_str(), request.path.as_str()),
                ("POST", "/api/login")
            );
            let body = request.json();
            assert_eq!(
                (&body["applicationId"], &body["noJWT"]),
                (&json!("app"), &json!(true))
            );
            let name = body["loginId"].as_str().unwrap();
            let status = name.split_once('@').and_then(|(name, _)| name.parse().ok());
            return match (name, body["password"].as_str().unwrap(), status) {
                (USER, PASSWORD, _) => Reply::json(200, user(USER, true)),
                (_, _, Some(202)) => Reply::json(202, user(name, true)),
                (_, _, Some(242)) => Reply::json(242, json!({ "twoFactorId": "x", "methods": [] })),
                (_, _, Some(status)) => Reply::status(status),
                _ => Reply::status(404),
            };
        };
        match email {
            "ann%40example.com" => Reply::json(200, user(USER, true)),
            "off%40example.com" => Reply::json(200, user("off@example.com", false)),
            _ => Reply::status(404),
        }
    });
    let toml = "preset = 'fusionauth'\nsettings = { client_id = 'app' }\nsecrets = { api_key = { env = 'SECRET' } }";
    let ann = json!({
        "email": USER, "email_verified": "true", "given_name": "Ann", "family_name": "Lee",
        "phone_number": "+15550100000", "birthdate": "1990-02-28",
    });
    let case = |name: &str, outcome| (sign_in(name, PASSWORD), outcome, json!(null));
    outcomes(
        &function(&server, toml),
        &[
            (sign_in(USER, PASSWORD), "migrated", ann.clone()),
            (sign_in(USER, "wrong"), "wrong-password", json!(null)),
            case("unknown@example.com", "wrong-password"),
            case("202@example.com", "not-eligible"),
            case("203@example.com", "not-eligible"),
            case("212@example.com", "not-eligible"),
            case("213@example.com", "not-eligible"),
            case("242@example.com", "not-eligible"),
            case("409@example.com", "not-eligible"),
            case("410@example.com", "not-eligible"),
            case("423@example.com", "not-eligible"),
            // The API key is refused, or the request is.
            case("401@example.com", "directory-unavailable"),
            case("400@example.com", "directory-unavailable"),
            (forgot_password(USER), "migrated-for-reset", ann),
            (
                forgot_password("off@example.com"),
                "not-eligible",
                json!(null),
            ),
            (
                forgot_password("unknown@example.com"),
                "not-found",
                json!(null),
            ),
        ],
    );
}

#[test]
fn firebase() {
    let server = Server::start(|request| {
        assert_eq!(request.header("x-goog-api-key"), SECRET);
        let error = |message: &str| {
            Reply::json(
                400,
                json!({ "error": { "code": 400, "message": message, "errors": [{ "message": message }] } }),
            )
        };
        let body = request.json();
        match request.path.as_str() {
            "/v1/accounts:signInWithPassword" => match (
                body["email"].as_str().unwrap(),
                body["password"].as_str().unwrap(),
            ) {
                (USER, PASSWORD) => {
                    let claims = json!({ "email": USER, "email_verified": true, "name": "Ann", "user_id": "u1" });
                    Reply::json(
                        200,
                        json!({ "localId": "u1", "idToken": jwt(claims), "registered": true, "expiresIn": "3600" }),
                    )
                }
                ("mfa@example.com", _) => Reply::json(
                    200,
                    json!({ "localId": "u2", "mfaPendingCredential": "x", "mfaInfo": [] }),
                ),
                ("off@example.com", _) => error("USER_DISABLED"),
                ("key@example.com", _) => Reply::json(
                    400,
                    json!({ "error": { "code": 400, "message": "API key not valid. Please pass a valid API key.",
                        "status": "INVALID_ARGUMENT", "details": [{ "reason": "API_KEY_INVALID" }] } }),
                ),
                ("often@example.com", _) => {
                    error("TOO_MANY_ATTEMPTS_TRY_LATER : Access has been disabled")
                }
                ("stopped@example.com", _) => error(
                    "BLOCKING_FUNCTION_ERROR_RESPONSE : ((HTTP request to https://f.example returned HTTP error 403))",
                ),
                ("weak@example.com", _) => error(
                    "PASSWORD_DOES_NOT_MEET_REQUIREMENTS : Missing password requirements: [Password must contain 12 characters]",
                ),
                ("nobody@example.com", _) => error("EMAIL_NOT_FOUND"),
                ("nobody", _) => error("INVALID_EMAIL"),
                ("old@example.com", _) => error("INVALID_PASSWORD"),
                _ => error("INVALID_LOGIN_CREDENTIALS"),
            },
            "/v1/accounts:createAuthUri" => match body["identifier"].as_str().unwrap() {
                USER => Reply::json(
                    200,
                    json!({ "allProviders": ["password"], "registered": true, "sessionId": "s" }),
                ),
                "protected@example.com" => Reply::json(200, json!({ "sessionId": "s" })),
                _ => Reply::json(200, json!({ "registered": false, "sessionId": "s" })),
            },
            other => panic!("{other}"),
        }
    });
    outcomes(
        &function(
            &server,
            "preset = 'firebase'\nsecrets = { api_key = { env = 'SECRET' } }",
        ),
        &[
            (
                sign_in(USER, PASSWORD),
                "migrated",
                json!({ "email": USER, "email_verified": "true", "name": "Ann" }),
            ),
            (sign_in(USER, "wrong"), "wrong-password", json!(null)),
            (
                sign_in("old@example.com", "wrong"),
                "wrong-password",
                json!(null),
            ),
            (
                sign_in("nobody@example.com", PASSWORD),
                "not-found",
                json!(null),
            ),
            (
                sign_in("mfa@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (
                sign_in("off@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (
                sign_in("often@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (
                sign_in("stopped@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (
                sign_in("weak@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (sign_in("nobody", PASSWORD), "not-found", json!(null)),
            (
                forgot_password(USER),
                "migrated-for-reset",
                json!({ "email": USER, "email_verified": "true" }),
            ),
            (
                forgot_password("nobody@example.com"),
                "not-found",
                json!(null),
            ),
            (
                sign_in("key@example.com", PASSWORD),
                "directory-unavailable",
                json!(null),
            ),
            (
                forgot_password("protected@example.com"),
                "not-found",
                json!(null),
            ),
        ],
    );
}

#[test]
fn keycloak() {
    let server = Server::start(|request| {
        let error = |status, error: &str, text: &str| {
            Reply::json(status, json!({ "error": error, "error_description": text }))
        };
        match request.path.as_str() {
            "/realms/shop/protocol/openid-connect/token" => {
                let form = form(request);
                if form["grant_type"] == "client_credentials" {
                    return Reply::json(200, json!({ "access_token": "admin", "expires_in": 60 }));
                }
                assert_eq!(
                    (&form["client_secret"], &form["scope"]),
                    (&json!(SECRET), &json!("openid profile email"))
                );
                match (
                    form["username"].as_str().unwrap(),
                    form["password"].as_str().unwrap(),
                ) {
                    (USER, PASSWORD) => {
                        let claims = json!({ "email": USER, "email_verified": true, "given_name": "Ann", "family_name": "Lee" });
                        Reply::json(
                            200,
                            json!({ "access_token": jwt(json!({})), "id_token": jwt(claims) }),
                        )
                    }
                    ("off@example.com", _) => error(400, "invalid_grant", "Account disabled"),
                    ("off401@example.com", _) => error(401, "invalid_grant", "Account disabled"),
                    ("new@example.com", _) => {
                        error(400, "invalid_grant", "Account is not fully set up")
                    }
                    // Since 26.6.
                    (_, "wrong") => error(400, "invalid_grant", "Invalid user credentials"),
                    _ => error(401, "invalid_grant", "Invalid user credentials"),
                }
            }
            path => {
                assert_eq!(request.header("authorization"), "Bearer admin");
                let user = |enabled: bool| {
                    json!([{ "id": "1", "username": "ann", "enabled": enabled, "emailVerified": true, "firstName": "Ann",
                        "lastName": "Lee", "email": USER, "attributes": {} }])
                };
                match path.strip_prefix("/admin/realms/shop/users?").unwrap() {
                    "email=ann%40example.com&exact=true" => Reply::json(200, user(true)),
                    "email=off%40example.com&exact=true" => Reply::json(200, user(false)),
                    _ => Reply::json(200, json!([])),
                }
            }
        }
    });
    let toml = "
        preset = 'keycloak'
        settings = { realm = 'shop', client_id = 'migration' }
        secrets = { client_secret = { env = 'SECRET' } }
        oauth = { client_id = 'migration', client_secret = { env = 'SECRET' } }
    ";
    let ann = json!({ "email": USER, "email_verified": "true", "given_name": "Ann", "family_name": "Lee" });
    outcomes(
        &function(&server, toml),
        &[
            (sign_in(USER, PASSWORD), "migrated", ann.clone()),
            (sign_in(USER, "wrong"), "wrong-password", json!(null)),
            (
                sign_in(USER, "wrong before 26.6"),
                "wrong-password",
                json!(null),
            ),
            (
                sign_in("off@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (
                sign_in("off401@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (
                sign_in("new@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (forgot_password(USER), "migrated-for-reset", ann),
            (
                forgot_password("off@example.com"),
                "not-eligible",
                json!(null),
            ),
            (
                forgot_password("nobody@example.com"),
                "not-found",
                json!(null),
            ),
        ],
    );
}

#[test]
fn okta() {
    let server = Server::start(|request| {
        let error = |status, code: &str| {
            Reply::json(
                status,
                json!({ "errorCode": code, "errorSummary": "...", "errorCauses": [] }),
            )
        };
        if request.path == "/api/v1/authn" {
            let body = request.json();
            let status = |status: &str| {
                let profile = json!({ "login": USER, "firstName": "Ann", "lastName": "Lee", "locale": "en", "timeZone": "America/Los_Angeles" });
                Reply::json(
                    200,
                    json!({ "status": status, "_embedded": { "user": { "id": "1", "profile": profile } } }),
                )
            };
            return match (
                body["username"].as_str().unwrap(),
                body["password"].as_str().unwrap(),
            ) {
                (USER, PASSWORD) => status("SUCCESS"),
                ("mfa@example.com", PASSWORD) => status("MFA_REQUIRED"),
                ("locked@example.com", _) => status("LOCKED_OUT"),
                _ => error(401, "E0000004"),
            };
        }
        assert_eq!(request.header("authorization"), format!("SSWS {SECRET}"));
        let user = |status: &str| {
            let profile = json!({ "login": USER, "email": USER, "firstName": "Ann", "lastName": "Lee", "mobilePhone": "+1 415 555 0100" });
            Reply::json(
                200,
                json!({ "id": "1", "status": status, "profile": profile }),
            )
        };
        match request.path.strip_prefix("/api/v1/users/").unwrap() {
            "ann%40example.com" => user("ACTIVE"),
            "off%40example.com" => user("SUSPENDED"),
            // The owner of the token, and a user by an id.
            "me" | "00ub0ongtswtbkolglnr" => user("ACTIVE"),
            _ => error(404, "E0000007"),
        }
    });
    let ann = json!({ "email": USER, "given_name": "Ann", "family_name": "Lee" });
    let mut found = ann.clone();
    found["email_verified"] = "true".into();
    found["phone_number"] = "+14155550100".into();
    outcomes(
        &function(
            &server,
            "preset = 'okta'\nsecrets = { api_token = { env = 'SECRET' } }",
        ),
        &[
            (sign_in(USER, PASSWORD), "migrated", ann.clone()),
            (
                sign_in("mfa@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (forgot_password("me"), "not-found", json!(null)),
            (
                forgot_password("00ub0oNGTSWTBKOLGLNR"),
                "not-found",
                json!(null),
            ),
            (sign_in(USER, "wrong"), "wrong-password", json!(null)),
            (
                sign_in("locked@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (forgot_password(USER), "migrated-for-reset", found),
            (
                forgot_password("off@example.com"),
                "not-eligible",
                json!(null),
            ),
            (
                forgot_password("nobody@example.com"),
                "not-found",
                json!(null),
            ),
        ],
    );
    outcomes(
        &function(
            &server,
            "preset = 'okta'\nsecond_factor = 'accept'\nsecrets = { api_token = { env = 'SECRET' } }",
        ),
        &[(sign_in("mfa@example.com", PASSWORD), "migrated", ann)],
    );
}

/// The application in the comments at the top of the two presets, as an HTTP server.
fn application(user: Value) -> Server {
    Server::start(move |request| {
        if request.header("authorization") != format!("Bearer {SECRET}") {
            return Reply::json(401, json!({ "error": "token" }));
        }
        let body = request.json();
        match (
            request.path.as_str(),
            body["email"].as_str().unwrap(),
            body["password"].as_str(),
        ) {
            (_, "off@example.com", _) => Reply::status(403),
            ("/migration/authenticate", USER, Some(PASSWORD))
            | ("/migration/lookup", USER, None) => Reply::json(200, user.clone()),
            ("/migration/authenticate", USER, Some(_)) => {
                Reply::json(422, json!({ "error": "password" }))
            }
            _ => Reply::status(404),
        }
    })
}

#[test]
fn devise() {
    let user = json!({ "id": 1, "email": USER, "confirmed_at": "2020-05-01T10:00:00.000Z", "first_name": "Ann", "last_name": null });
    let server = application(user);
    let ann = json!({ "email": USER, "email_verified": "true", "given_name": "Ann" });
    outcomes(
        &function(
            &server,
            "preset = 'devise'\nsecrets = { token = { env = 'SECRET' } }",
        ),
        &[
            (sign_in(USER, PASSWORD), "migrated", ann.clone()),
            (sign_in(USER, "wrong"), "wrong-password", json!(null)),
            (
                sign_in("off@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (
                sign_in("nobody@example.com", PASSWORD),
                "not-found",
                json!(null),
            ),
            (forgot_password(USER), "migrated-for-reset", ann),
            (
                forgot_password("nobody@example.com"),
                "not-found",
                json!(null),
            ),
        ],
    );
}

#[test]
fn django() {
    let server =
        application(json!({ "id": 1, "email": USER, "first_name": "Ann", "last_name": "Lee" }));
    let ann = json!({ "email": USER, "given_name": "Ann", "family_name": "Lee" });
    outcomes(
        &function(
            &server,
            "preset = 'django'\nsecrets = { token = { env = 'SECRET' } }",
        ),
        &[
            (sign_in(USER, PASSWORD), "migrated", ann),
            (sign_in(USER, "wrong"), "wrong-password", json!(null)),
            (
                sign_in("off@example.com", PASSWORD),
                "not-eligible",
                json!(null),
            ),
            (
                sign_in("nobody@example.com", PASSWORD),
                "not-found",
                json!(null),
            ),
            (forgot_password(USER), "not-eligible", json!(null)),
        ],
    );
}

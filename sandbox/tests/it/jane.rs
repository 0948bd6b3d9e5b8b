//! The simulated Jane over HTTP.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jane_migrate_sandbox::{Account, AccountKind, Fault, JaneCall, JaneDirectory};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const CLIENT: &str = "3n4b5urk1ft4fl3mg5e62d9ado";
const DIRECTORY: &str = "/roots/store_operations_api/v1/cognito/";

/// Sends one request; returns the complete response.
async fn send(jane: &JaneDirectory, request: &str, authorization: &str, body: &Value) -> String {
    let url = jane.url();
    let host = url.strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(host).await.expect("a connection");
    let body = body.to_string();
    let request = format!(
        "{request} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // A fault may close the connection or never end: only what arrived counts.
    let reading = stream.take(1_000_000).read_to_end(&mut answer).await;
    assert!(reading.is_ok() || answer.is_empty());
    String::from_utf8_lossy(&answer).into_owned()
}

async fn call(
    jane: &JaneDirectory,
    request: &str,
    authorization: &str,
    body: Value,
) -> (u16, Value) {
    let answer = send(jane, request, authorization, &body).await;
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    (
        status.expect("a status"),
        serde_json::from_str(body).expect("JSON"),
    )
}

async fn token(jane: &JaneDirectory) -> String {
    let basic = BASE64_STANDARD.encode(format!("{}:{}", jane.client_id(), jane.client_secret()));
    let asked = json!({"grant_type": "client_credentials"});
    let (status, body) = call(jane, "POST /oauth/token", &format!("Basic {basic}"), asked).await;
    assert_eq!(status, 200);
    assert_eq!(body["token_type"], "Bearer");
    format!("Bearer {}", body["access_token"].as_str().expect("a token"))
}

async fn start() -> JaneDirectory {
    let jane = JaneDirectory::start().await.expect("Jane starts");
    jane.register_client(CLIENT, "us-west-2_AbC123", "us-west-2");
    for (kind, email, password) in [
        (AccountKind::Password, "password@example.com", Some("right")),
        (AccountKind::Sso, "google@example.com", None),
        (AccountKind::SsoRefused, "apple@example.com", None),
        (
            AccountKind::Marketplace,
            "marketplace@example.com",
            Some("right"),
        ),
    ] {
        jane.add_account(Account::new(kind, email, password));
    }
    jane
}

#[tokio::test]
async fn each_kind_of_account_gets_janes_responses() {
    let jane = start().await;
    let token = token(&jane).await;
    for (email, exists, verified, resets) in [
        ("password@example.com", 200, 200, 200),
        ("Password@Example.com ", 200, 200, 200),
        ("google@example.com", 200, 401, 200),
        ("apple@example.com", 200, 404, 404),
        // Valid credentials, but of no store: a client that only checks these migrates the wrong
        // users.
        ("marketplace@example.com", 404, 200, 404),
        ("nobody@example.com", 404, 404, 404),
    ] {
        let post = async |what: &str, body: Value| {
            call(&jane, &format!("POST {DIRECTORY}{what}"), &token, body).await
        };
        let asked = json!({"email": email, "app_client_id": CLIENT});
        assert_eq!(
            post("user_exists", asked.clone()).await.0,
            exists,
            "{email}"
        );
        assert_eq!(
            post("user_can_reset_password", asked).await.0,
            resets,
            "{email}"
        );
        let (status, body) = post(
            "verify_credentials",
            json!({"email": email, "password": "right"}),
        )
        .await;
        assert_eq!(status, verified, "{email}");
        assert_eq!(body["user"]["first_name"] == "Demo", verified == 200);
        let wrong = json!({"email": email, "password": "wrong"});
        assert_ne!(post("verify_credentials", wrong).await.0, 200, "{email}");
        let foreign = json!({"email": email, "app_client_id": "another"});
        assert_eq!(post("user_exists", foreign).await.0, 404, "{email}");
    }
    assert_eq!(jane.count(JaneCall::UserExists), 12);
    assert_eq!(jane.count(JaneCall::Token), 1);
}

#[tokio::test]
async fn app_clients_are_known_with_their_pool() {
    let jane = start().await;
    let token = token(&jane).await;
    let (status, body) = call(
        &jane,
        &format!("GET {DIRECTORY}app_clients/{CLIENT}"),
        &token,
        json!(null),
    )
    .await;
    assert_eq!(status, 200);
    assert_eq!(body["app_client_id"], CLIENT);
    assert_eq!(
        (&body["pool_id"], &body["region"]),
        (&json!("us-west-2_AbC123"), &json!("us-west-2"))
    );
    let (status, _) = call(
        &jane,
        &format!("GET {DIRECTORY}app_clients/another"),
        &token,
        json!(null),
    )
    .await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn notifications_about_users_are_kept() {
    let jane = start().await;
    let token = token(&jane).await;
    let post = async |what: &str, body: &Value| {
        let request = format!("POST {DIRECTORY}{what}");
        call(&jane, &request, &token, body.clone()).await.0
    };
    let ann = json!({"pool_id": "us-west-2_AbC123", "external_id": "1", "email": "a@b.c", "user_attributes": {}});
    let user = json!({"app_client_id": CLIENT, "pool_id": "us-west-2_AbC123", "external_id": "2", "email": "d@e.f", "user_attributes": {}});
    assert_eq!(post("ensure_external_user_exists", &ann).await, 200);
    assert_eq!(post("create_user", &user).await, 200);
    assert_eq!(post("create_user", &json!({"email": "d@e.f"})).await, 422);
    assert_eq!(
        jane.told().told(),
        [
            json!({"call": "ensure_external_user_exists", "body": ann}),
            json!({"call": "create_user", "body": user}),
        ]
    );
    assert_eq!(
        post("validate_user", &json!({"birth_date": "1990-01-31"})).await,
        200
    );
    assert_eq!(
        post("validate_user", &json!({"birth_date": "2015-01-31"})).await,
        400
    );
    let google = json!([{"providerName": "Google", "userId": "1"}]);
    for (email, identities, status) in [
        ("google@example.com", google.clone(), 200),
        ("apple@example.com", google.clone(), 200),
        ("google@example.com", json!(google.to_string()), 404),
        ("password@example.com", google.clone(), 404),
        ("nobody@example.com", google, 404),
    ] {
        let asked = json!({"email": email, "app_client_id": CLIENT, "user_attributes": {"identities": identities}});
        assert_eq!(post("verify_sso_user", &asked).await, status, "{asked}");
    }
}

#[tokio::test]
async fn tokens_are_required_and_expire() {
    let jane = start().await;
    let exists = async |authorization: &str| {
        let asked = json!({"email": "password@example.com", "app_client_id": CLIENT});
        call(
            &jane,
            &format!("POST {DIRECTORY}user_exists"),
            authorization,
            asked,
        )
        .await
        .0
    };
    let (status, _) = call(
        &jane,
        "POST /oauth/token",
        "Basic d3Jvbmc6d3Jvbmc=",
        json!({"grant_type": "client_credentials"}),
    )
    .await;
    assert_eq!(status, 401);
    assert_eq!(exists("Bearer made-up").await, 401);
    let first = token(&jane).await;
    assert_eq!(exists(&first).await, 200);
    jane.revoke_tokens();
    assert_eq!(exists(&first).await, 401);
    jane.set_token_life(Duration::ZERO, false);
    assert_eq!(exists(&token(&jane).await).await, 401);
}

#[tokio::test]
async fn each_fault_has_its_effect() {
    let jane = start().await;
    let token = token(&jane).await;
    let asked = json!({"email": "password@example.com", "app_client_id": CLIENT});
    let request = format!("POST {DIRECTORY}user_exists");
    let answer = async || send(&jane, &request, &token, &asked).await;

    for (fault, start) in [
        (Fault::Status(500), "HTTP/1.1 500"),
        (Fault::Garbage, "HTTP/1.1 200"),
        (Fault::Redirect, "HTTP/1.1 302"),
        (Fault::Reset, ""),
        (Fault::Slow(Duration::from_millis(300)), "HTTP/1.1 200"),
        (Fault::Huge, "HTTP/1.1 200"),
    ] {
        jane.set_fault(JaneCall::UserExists, Some(fault));
        let began = std::time::Instant::now();
        let answer = answer().await;
        assert!(answer.starts_with(start), "{fault:?}: {answer}");
        match fault {
            Fault::Garbage => assert!(answer.contains("Maintenance")),
            Fault::Reset => assert_eq!(answer, ""),
            Fault::Huge => assert_eq!(answer.len(), 1_000_000),
            Fault::Slow(delay) => assert!(began.elapsed() >= delay),
            _ => {}
        }
    }
    jane.set_fault_everywhere(Some(Fault::Hang));
    timeout(Duration::from_millis(300), answer())
        .await
        .expect_err("it hangs");
    jane.set_fault_everywhere(None);
    assert!(answer().await.starts_with("HTTP/1.1 200"));
    assert_eq!(jane.count(JaneCall::UserExists), 8);
}

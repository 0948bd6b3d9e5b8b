//! `doctor`: the cause of each incident is named first, with the evidence and what to do.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jane_migrate_sandbox::{Fault, JaneCall};
use jane_migrate_test_kit::{Fate, Proxy};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::bench::Bench;
use super::pool::set_metric;
use crate::support::{Corner, Ran};

async fn doctor(bench: &Bench, code: i32) -> Value {
    let ran: Ran = bench
        .corner
        .run(&["doctor", "--pool", &bench.pool, "--json"])
        .await
        .ended(code);
    ran.json()
}

/// The first cause, which must have this id.
async fn diagnosed(bench: &Bench, id: &str) -> Value {
    let document = doctor(bench, 1).await;
    let cause = document["causes"][0].clone();
    assert_eq!(cause["id"], id, "{document:#}");
    assert!(
        !cause["evidence"].as_array().unwrap().is_empty(),
        "{cause:#}"
    );
    assert!(cause["next"].is_string(), "{cause:#}");
    cause
}

#[tokio::test]
async fn each_incident_is_named_first() {
    let bench = Bench::new().await;
    let fine = doctor(&bench, 0).await;
    assert_eq!(fine["causes"], json!([]), "{fine:#}");

    // The directory is down.
    bench
        .corner
        .jane
        .set_fault_everywhere(Some(Fault::Status(503)));
    let down = diagnosed(&bench, "probe-unknown-user").await;
    let cause = down["cause"].as_str().unwrap();
    assert!(
        cause.contains("call `user_exists` to 127.0.0.1, answered with 503"),
        "{cause}"
    );
    bench.corner.jane.set_fault_everywhere(None);

    // Another tool removed the trigger.
    bench.update_pool(json!({ "LambdaConfig": {} })).await;
    let gone = diagnosed(&bench, "trigger-registered").await;
    assert_eq!(
        gone["next"],
        format!("jane-migrate deploy --pool {}", bench.pool)
    );
    let shown = bench
        .corner
        .run(&["doctor", "--pool", &bench.pool])
        .await
        .ended(1);
    assert!(
        shown.stdout.contains("  The pool does not call the function: another tool has changed the trigger.\n    seen: "),
        "{}",
        shown.stdout
    );
    bench.deploy().await;

    // No caller may invoke it.
    bench
        .function(
            "PUT",
            "/concurrency",
            json!({ "ReservedConcurrentExecutions": 0 }),
        )
        .await;
    diagnosed(&bench, "concurrency").await;
    bench.deploy().await;

    // The window has closed.
    bench.configure("[window]\ncloses = 2020-01-01\n");
    diagnosed(&bench, "window-open").await;
}

/// The text of the first cause, after a probe of the function.
async fn tried(bench: &Bench) -> String {
    let cause = diagnosed(bench, "probe-unknown-user").await;
    cause["cause"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_wrong_secret_or_one_rotated_only_at_the_directory_is_named() {
    let bench = Bench::new().await;
    let refused = "the token endpoint refused the client id or the client secret";
    let sign_in = json!({
        "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": bench.client,
        "AuthParameters": { "USERNAME": "ada@example.com", "PASSWORD": "Right-Pass-1" },
    });
    let (status, answer) = bench.corner.try_cognito("InitiateAuth", sign_in).await;
    assert_eq!(status, 200, "{answer}");

    // The directory now has another secret.
    let jane = &bench.corner.jane;
    jane.set_fault(JaneCall::Token, Some(Fault::Status(401)));
    jane.revoke_tokens();
    let rotated = tried(&bench).await;
    assert!(
        rotated.contains(refused) && rotated.contains("rotated or revoked at the directory"),
        "{rotated}"
    );
    jane.set_fault(JaneCall::Token, None);

    // It was mistyped where it is stored.
    let wrong = json!({ "SecretId": bench.secret, "SecretString": "mistyped" });
    let put = "secretsmanager.PutSecretValue";
    bench.json("secretsmanager", put, wrong).await;
    bench
        .reconfigure(json!({ "Description": "another start" }))
        .await;
    bench.go_live().await;
    let wrong = tried(&bench).await;
    assert!(
        wrong.contains(refused) && wrong.contains("The secret was changed where it is kept"),
        "{wrong}"
    );
}

#[tokio::test]
async fn throttled_invocations_are_named() {
    let bench = Bench::new().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let metric = |name: &str, value: f64| {
        json!({
            "MetricName": name, "Value": value, "Timestamp": now.as_secs() - 600,
            "Dimensions": [{ "Name": "FunctionName", "Value": bench.function }],
        })
    };
    let data = [metric("Invocations", 100.0), metric("Throttles", 40.0)];
    let data = json!({ "Namespace": "AWS/Lambda", "MetricData": data });
    bench.corner.cloudwatch("PutMetricData", data).await;
    let cause = diagnosed(&bench, "health").await;
    assert_eq!(cause["evidence"], json!(["40 throttles"]), "{cause:#}");
}

#[tokio::test]
async fn sign_ins_throttled_by_cognito_are_named() {
    let mut bench = Bench::new().await;
    // The emulator does not count sign-ins.
    let proxy = Proxy::start(&bench.corner.endpoint, |call| match call.action.as_str() {
        "GetMetricData" => Fate::Edit(|answer| set_metric(answer, "turnedAway", 12.0)),
        _ => Fate::Pass,
    });
    let proxy = proxy.await.expect("a proxy");
    bench.corner.endpoint = proxy.url();
    let cause = diagnosed(&bench, "health").await;
    assert_eq!(
        cause["evidence"],
        json!(["12 sign-ins turned away"]),
        "{cause:#}"
    );
    let words = cause["cause"].as_str().unwrap();
    assert!(words.starts_with("Cognito turned sign-ins away"), "{words}");
}

#[tokio::test]
async fn a_pool_reset_by_another_tool_is_named_with_its_snapshot() {
    let corner = Corner::new().await;
    corner.add_accounts();
    let pool = corner
        .create_pool(json!({
            "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true },
            "AutoVerifiedAttributes": ["email"],
            "DeletionProtection": "ACTIVE",
            "Policies": { "PasswordPolicy": { "MinimumLength": 14 } },
            "UserPoolTags": { "team": "shop" },
            "UserAttributeUpdateSettings": { "AttributesRequireVerificationBeforeUpdate": ["email"] },
        }))
        .await;
    corner.create_client(&pool, json!({})).await;
    corner.deploy(&pool).await;
    let bare = json!({ "UserPoolId": pool });
    corner.cognito("UpdateUserPool", bare).await;
    let doctor = ["doctor", "--pool", &pool, "--json"];
    let document = corner.run(&doctor).await.ended(1).json();
    let cause = &document["causes"][0];
    assert_eq!(cause["id"], "pool-unchanged", "{document:#}");
    let next = cause["next"].as_str().unwrap();
    assert!(
        next.contains("jane-migrate restore --snapshot jane-migrate."),
        "{cause:#}"
    );
}

/// A directory behind TLS without users. Its certificate can be changed.
fn directory(shown: &Arc<Mutex<Arc<ServerConfig>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let shown = Arc::clone(shown);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&shown.lock().unwrap());
            std::thread::spawn(move || {
                let connection = ServerConnection::new(config).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                // The request is one write.
                let read = stream.read(&mut [0; 8192]);
                if read.is_ok_and(|read| read > 0) {
                    let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                    let _ = stream.write_all(answer.as_bytes());
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            });
        }
    });
    port
}

/// A certificate for `localhost` that ends this long from now, or that has ended.
fn certified(issuer: &Issuer<'_, KeyPair>, ends: i64) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let now = SystemTime::now();
    let days = |days: i64| Duration::from_secs(days.unsigned_abs() * 24 * 3600);
    parameters.not_before = (now - days(30)).into();
    parameters.not_after = match ends {
        0.. => now + days(ends),
        _ => now - days(ends),
    }
    .into();
    let certificate = parameters.signed_by(&key, issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

#[tokio::test]
async fn an_expired_certificate_of_the_directory_is_named() {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let trusted = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let shown = Arc::new(Mutex::new(certified(&issuer, 30)));
    let port = directory(&shown);

    let bench = Bench::new().await;
    let file = bench.corner.folder.path().join("migrate.toml");
    let config = format!(
        "[directory]\nkind = \"http\"\nca_certificate = \"\"\"\n{trusted}\"\"\"\n\
         [directory.authenticate]\nurl = \"https://localhost:{port}/check\"\n\
         json = {{ user = \"{{username}}\", password = \"{{password}}\" }}\nok = [200]\nwrong_password = [401]\nnot_found = [404]\n\
         [attributes]\nemail = \"email\"\n"
    );
    std::fs::write(file, config).unwrap();
    bench.deploy().await;
    *shown.lock().unwrap() = certified(&issuer, -1);
    let expired = tried(&bench).await;
    assert!(
        expired.contains("the certificate of the directory has expired"),
        "{expired}"
    );
}

#[tokio::test]
async fn without_a_pool_doctor_examines_the_machine_and_writes_no_personal_data() {
    let corner = Corner::new().await;
    // All secret and personal data: it is all available, and none of it may be printed.
    let canaries = [
        "canary-secret",
        "canary-client",
        "canary-profile",
        "canary-host",
    ];
    std::fs::write(
        corner.folder.path().join("migrate.toml"),
        "[directory]\nkind = \"jane\"\nurl = \"https://canary-host.example\"\nclient_id = \"canary-client\"\nclient_secret = { env = \"CANARY\" }\n",
    )
    .unwrap();
    let mut command = corner.command(&["doctor", "--region", "us-west-2", "--json"]);
    command
        .env("CANARY", "canary-secret")
        .env("CARGO_NET_OFFLINE", "canary-profile")
        .env("JANE_MIGRATE_CONFIG", "migrate.toml");
    let ran = Ran::of(command).await.ended(0);
    let file = corner.folder.path().join("jane-migrate-report.json");
    let written = std::fs::read_to_string(file).unwrap();
    let report: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(ran.json(), report);
    assert_eq!(report["configuration"]["read"]["directory"], "jane");
    let calls = report["calls"].as_array().unwrap();
    assert!(
        calls.len() == 4 && calls.iter().all(|call| call["result"] == "answered"),
        "{report:#}"
    );
    assert!(
        report["toolchain"]["rustc"]
            .as_str()
            .unwrap()
            .starts_with("rustc 1.")
    );
    assert!(
        report["variables"]
            .as_array()
            .unwrap()
            .contains(&json!("AWS_SECRET_ACCESS_KEY"))
    );
    let home = std::env::var("HOME").unwrap_or_else(|_| "canary".into());
    let personal = [
        &*corner.account,
        &*corner.secret,
        &*home,
        corner.folder.path().to_str().unwrap(),
    ];
    for canary in canaries.into_iter().chain(personal) {
        assert!(!written.contains(canary), "{canary}: {written}");
    }

    // Without a working endpoint it reports what is wrong.
    let mut command =
        corner.command(&["doctor", "--region", "us-west-2", "--bundle", "other.json"]);
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let ran = Ran::of(command).await.ended(1);
    assert!(
        ran.stdout.contains("an AWS endpoint cannot be reached"),
        "{ran:#?}"
    );
    assert!(corner.folder.path().join("other.json").is_file());
}

//! The pool, its clients, and the progress of the migration.

use jane_migrate_sandbox::Fault;
use jane_migrate_test_kit::{Fate, Proxy};
use serde_json::json;

use super::bench::{Bench, Edit, commands, wrong};
use crate::support::REGION;

impl Bench {
    /// Removes the snapshot, so that a change of the pool only fails the check for its meaning.
    fn forget_the_pool(&self) {
        let files = std::fs::read_dir(self.corner.folder.path()).expect("the folder");
        for file in files.flatten().map(|file| file.path()) {
            if file.to_string_lossy().ends_with(".snapshot.json") {
                std::fs::remove_file(file).expect("a snapshot");
            }
        }
    }
}

#[tokio::test]
async fn clients_must_allow_passwords_and_hide_user_existence() {
    let bench = Bench::new().await;
    bench
        .update_client(
            json!({ "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] }),
        )
        .await;
    bench
        .fails_and_is_fixed("client-password-auth", "error")
        .await;

    bench
        .update_client(json!({ "PreventUserExistenceErrors": "LEGACY" }))
        .await;
    bench.fails("client-user-existence", "warning").await;
    bench
        .update_client(json!({ "PreventUserExistenceErrors": "ENABLED" }))
        .await;
    bench.holds().await;

    bench
        .update_client(json!({ "WriteAttributes": ["email"] }))
        .await;
    bench.fails("attributes-writable", "warning").await;
    bench
        .update_client(json!({ "WriteAttributes": null }))
        .await;
    bench.holds().await;

    let jane = &bench.corner.jane;
    jane.register_client(&bench.client, "us-east-1_Other", REGION);
    bench.fails("jane-knows-client", "error").await;
    jane.register_client(&bench.client, &bench.pool, REGION);
    bench.holds().await;
}

#[tokio::test]
async fn a_change_of_the_pool_and_its_consequences_are_reported() {
    let bench = Bench::new().await;
    bench
        .update_pool(json!({ "UserPoolTags": { "team": "others" } }))
        .await;
    bench.fails("pool-unchanged", "warning").await;
    bench.update_pool(json!({})).await;
    bench.holds().await;

    bench.forget_the_pool();
    let trigger = bench.corner.pool(&bench.pool).await["LambdaConfig"]["UserMigration"].take();
    let other = format!(
        "arn:aws:lambda:{REGION}:{}:function:other",
        bench.corner.account
    );
    bench
        .update_pool(json!({ "LambdaConfig": { "UserMigration": trigger, "PreSignUp": other } }))
        .await;
    bench.holds().await;
    // Only Jane needs such a trigger.
    let old_pool = "[directory]\nkind = \"cognito\"\npool_id = \"us-west-2_Old1\"\nclient_id = \"1example23456789\"\n";
    let file = bench.corner.folder.path().join("migrate.toml");
    std::fs::write(file, old_pool).expect("migrate.toml");
    let found = wrong(&bench.verify(&["--only", "pre-signup"]).await);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (&found[0]["id"], &found[0]["severity"]),
        (&json!("pre-signup"), &json!("warning"))
    );
    bench.configure("");
    bench
        .update_pool(json!({ "LambdaConfig": { "UserMigration": trigger } }))
        .await;

    bench
        .update_pool(json!({ "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": false } }))
        .await;
    bench.fails("open-sign-up", "warning").await;
    bench
        .update_pool(json!({ "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true } }))
        .await;

    let only_administrators =
        json!({ "RecoveryMechanisms": [{ "Name": "admin_only", "Priority": 1 }] });
    bench
        .update_pool(json!({ "AccountRecoverySetting": only_administrators }))
        .await;
    bench.fails("recovery-channel", "warning").await;
    let by_email = json!({ "RecoveryMechanisms": [{ "Name": "verified_email", "Priority": 1 }] });
    bench
        .update_pool(json!({ "AccountRecoverySetting": by_email }))
        .await;
    bench.holds().await;
}

#[tokio::test]
async fn a_configuration_that_does_not_suit_the_pool_is_found() {
    let mut bench = Bench::new().await;
    for (id, severity, more) in [
        (
            "username-case",
            "warning",
            "[response]\nusername = \"as-typed\"\n",
        ),
        (
            "alias-takeover",
            "warning",
            "[response]\nforce_alias_creation = true\n",
        ),
        ("window-open", "error", "[window]\ncloses = 2020-01-01\n"),
    ] {
        bench.configure(more);
        // Verify is the last step of deploy, and may fail it.
        bench
            .corner
            .run(&["deploy", "--pool", &bench.pool, "--yes"])
            .await;
        bench.fails(id, severity).await;
    }
    bench.configure("");
    bench.deploy().await;
    bench.holds().await;

    // The placeholders of `init` for values that only the operator knows.
    let file = bench.corner.folder.path().join("migrate.toml");
    let known = format!("client_id = \"{}\"", bench.corner.jane.client_id());
    let config = std::fs::read_to_string(&file).unwrap();
    let proposed = config.replace(&known, "client_id = \"your-client-id\"");
    std::fs::write(&file, proposed).unwrap();
    bench
        .fail(&["filled-in", "function-settings"], "error")
        .await;
    bench.configure("");

    // Not deployed yet, which is also reported.
    let hashes = |more: &str| {
        let config = format!(
            "[directory]\nkind = \"postgres\"\nhost = \"db.example\"\ndatabase = \"shop\"\nuser = \"reader\"\n\
             password = {{ secretsmanager = \"{}\" }}\nquery = \"select password_hash, email from customers where email = $1\"\n\
             password_column = \"password_hash\"\nhash = \"bcrypt\"\n[attributes]\nemail = \"email\"\nemail_verified = \"=true\"\n{more}",
            bench.secret
        );
        std::fs::write(bench.corner.folder.path().join("migrate.toml"), config).unwrap();
    };
    hashes("");
    let ids = [
        "hash-memory",
        "function-code",
        "function-settings",
        "guessing-brake",
    ];
    let fix = bench.fail(&ids, "warning").await;
    let memory = fix
        .split(" under ")
        .next()
        .unwrap()
        .trim_start_matches("set ");
    hashes(&format!("[function]\n{memory}\n"));
    bench.fail(&ids[1..], "error").await;
    bench.configure("");

    // Settings that cannot be changed after a pool's creation come from a proxy. The function should know them, too.
    let endpoint = bench.corner.endpoint.clone();
    let edits: [(&[&str], Edit); 3] = [
        (&["attributes-schema", "function-settings"], |answer| {
            let schema = answer["UserPool"]["SchemaAttributes"].as_array_mut();
            schema
                .expect("a schema")
                .push(json!({ "Name": "custom:shop", "Required": true, "Mutable": true }));
        }),
        (&["username-alias", "function-settings"], |answer| {
            answer["UserPool"]["AliasAttributes"] = json!(["email"]);
        }),
        (&["attributes-writable"], |answer| {
            let schema = answer["UserPool"]["SchemaAttributes"].as_array_mut();
            for attribute in schema.expect("a schema") {
                if attribute["Name"] == "family_name" {
                    attribute["Mutable"] = json!(false);
                }
            }
        }),
    ];
    bench.forget_the_pool();
    for (ids, edit) in edits {
        let proxy = Proxy::start(&endpoint, move |call| match call.action.as_str() {
            "DescribeUserPool" => Fate::Edit(edit),
            _ => Fate::Pass,
        })
        .await
        .expect("a proxy");
        bench.corner.endpoint = proxy.url();
        let severity = if ids.len() == 2 { "error" } else { "warning" };
        let fix = bench.fail(ids, severity).await;
        if ids[0] == "username-alias" {
            let name = fix
                .split(" under ")
                .next()
                .unwrap()
                .trim_start_matches("set ");
            bench.configure(&format!("[attributes]\n{name}\n"));
            bench.deploy().await;
            bench.holds().await;
            bench.configure("");
            bench.corner.endpoint = endpoint.clone();
            bench.deploy().await;
        }
    }

    // A mapped attribute can be added to the pool.
    bench.corner.endpoint = endpoint.clone();
    bench.configure("[attributes]\n\"custom:shop\" = \"store\"\n");
    let ids = ["attributes-schema", "function-settings"];
    let fix = bench.fail(&ids, "error").await;
    bench.run_fix(commands(&fix)[0]).await;
    bench.deploy().await;
    bench.holds().await;

    bench.configure("[attributes]\nphone_number = \"=\"\n");
    bench.deploy().await;
    let proxy = Proxy::start(&endpoint, |call| match call.action.as_str() {
        "GetUserPoolMfaConfig" => Fate::Edit(|answer| {
            answer["MfaConfiguration"] = json!("ON");
            answer["SmsMfaConfiguration"] = json!({ "SmsConfiguration": { "SnsCallerArn": "arn:aws:iam::123456789012:role/sms" } });
        }),
        _ => Fate::Pass,
    })
    .await
    .expect("a proxy");
    bench.corner.endpoint = proxy.url();
    bench.fails("mfa-phone", "warning").await;
    bench.configure("");
    bench.deploy().await;
    bench.holds().await;
}

#[tokio::test]
async fn errors_of_the_last_day_are_found() {
    let mut bench = Bench::new().await;
    bench
        .corner
        .jane
        .set_fault_everywhere(Some(Fault::Status(503)));
    let sign_in = json!({
        "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": bench.client,
        "AuthParameters": { "USERNAME": "ada@example.com", "PASSWORD": "Right-Pass-1" },
    });
    let (status, answer) = bench.corner.try_cognito("InitiateAuth", sign_in).await;
    assert_ne!(status, 200, "{answer}");
    bench.corner.jane.set_fault_everywhere(None);
    let fix = bench.fails("health", "warning").await;
    bench.run_fix(commands(&fix)[0]).await;

    // The emulator has no numbers for this, so a proxy shows them.
    let endpoint = bench.corner.endpoint.clone();
    let edits: [(Edit, &str); 3] = [
        (|answer| set_metric(answer, "throttles", 3.0), "3 throttles"),
        (
            |answer| set_metric(answer, "turnedAway", 7.0),
            "7 sign-ins turned away",
        ),
        (|answer| set_metric(answer, "p99", 4400.0), "4400 ms"),
    ];
    for (edit, expected) in edits {
        let proxy = Proxy::start(&endpoint, move |call| match call.action.as_str() {
            "GetMetricData" => Fate::Edit(edit),
            _ => Fate::Pass,
        })
        .await
        .expect("a proxy");
        bench.corner.endpoint = proxy.url();
        let found = bench.wrong().await;
        assert_eq!(found.len(), 2, "{found:#?}");
        assert_eq!(found[1]["id"], "health", "{found:#?}");
        assert!(
            found[1]["found"].as_str().unwrap().contains(expected),
            "{found:#?}"
        );
    }

    // A sign-up with a customer's address also ends in an error, which is correct.
    let refused = |answer: &mut serde_json::Value| {
        set_metric(answer, "errors", 3.0);
        set_metric(answer, "userExists", 2.0);
        set_metric(answer, "signUpRefused", 1.0);
    };
    let proxy = Proxy::start(&endpoint, move |call| match call.action.as_str() {
        "GetMetricData" => Fate::Edit(refused),
        _ => Fate::Pass,
    });
    let proxy = proxy.await.expect("a proxy");
    bench.corner.endpoint = proxy.url();
    bench.holds().await;
}

/// Sets the values of one metric, and adds it if it has none.
pub(super) fn set_metric(answer: &mut serde_json::Value, id: &str, value: f64) {
    let results = answer["MetricDataResults"].as_array_mut().expect("results");
    results.retain(|result| result["Id"] != id);
    results.push(json!({ "Id": id, "Values": [value] }));
}

#[tokio::test]
async fn the_end_of_the_window_is_reported_two_weeks_ahead() {
    let bench = Bench::new().await;
    let today = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        / 86_400;
    for (days, soon) in [(16, false), (13, true)] {
        let closes = i64::try_from(today + days).unwrap();
        let closes = jane_migrate_config::Date::from_epoch_days(closes).unwrap();
        bench.configure(&format!("[window]\ncloses = {closes}\n"));
        bench.deploy().await;
        match soon {
            true => drop(bench.fails("window-open", "warning").await),
            false => bench.holds().await,
        }
    }
}

/// During an active recovery the pool accepts no writes: no user migrates, and neither deploy nor teardown nor
/// rollback starts.
#[tokio::test]
async fn a_point_in_time_recovery_is_reported_and_stops_every_write() {
    let bench = Bench::new().await;
    let begin = json!({ "UserPoolId": bench.pool, "RestoreTimestamp": 1_795_600_000 });
    let begun = bench
        .corner
        .cognito("InitiatePointInTimeRecovery", begin)
        .await;
    bench.fails("point-in-time-recovery", "error").await;
    bench.configure("[function]\nmemory_mb = 512\n");
    let before = bench.corner.pool(&bench.pool).await;
    let ran = bench.corner.run(&["status", "--pool", &bench.pool]).await;
    let words = "a point-in-time recovery to 2026-11-25 is active";
    assert!(ran.stdout.contains(words), "{ran:#?}");
    for command in [&["deploy"][..], &["teardown", "--force"], &["rollback"]] {
        let more = ["--pool", &bench.pool, "--yes"];
        let ran = bench.corner.run(&[command, &more].concat()).await.ended(1);
        assert!(
            ran.stdout
                .contains("a point-in-time recovery to 2026-11-25 is active"),
            "{ran:#?}"
        );
    }
    assert_eq!(before, bench.corner.pool(&bench.pool).await);
    bench.configure("");
    let cancel =
        json!({ "UserPoolId": bench.pool, "RestoreId": begun["Restoration"]["RestoreId"] });
    bench
        .corner
        .cognito("CancelPointInTimeRecovery", cancel)
        .await;
    bench.holds().await;
}

/// A SQL table counts no wrong passwords: `on_wrong_password` or a rule of AWS WAF must slow down guessing.
#[tokio::test]
async fn a_table_that_does_not_count_wrong_passwords_needs_another_limit() {
    let mut bench = Bench::new().await;
    let shop = |more: &str| {
        let toml = format!(
            "[directory]\nkind = \"postgres\"\nhost = \"db.example.com\"\ndatabase = \"shop\"\nuser = \"reader\"\n\
             password = {{ ssm = \"/db\" }}\nquery = \"SELECT email, h FROM users WHERE email = $1\"\npassword_column = \"h\"\n\
             hash = \"bcrypt\"\n{more}\n[attributes]\nemail = \"email\"\nemail_verified = \"=true\"\n"
        );
        std::fs::write(bench.corner.folder.path().join("migrate.toml"), toml)
            .expect("migrate.toml");
    };
    let only = ["--only", "guessing-brake"];
    let message = async |bench: &Bench| {
        let ran = bench.verify(&only).await.ended(0);
        assert!(wrong(&ran).is_empty(), "{ran:#?}");
        ran.json()["findings"][0]["message"].to_string()
    };
    shop("");
    let found = wrong(&bench.verify(&only).await.ended(0));
    assert_eq!(found[0]["id"], "guessing-brake");
    assert_eq!(found[0]["severity"], "warning");
    shop("on_wrong_password = \"INSERT INTO refused (name) VALUES ($1)\"");
    let holds = message(&bench).await;
    assert!(holds.contains("on_wrong_password"), "{holds}");

    shop("");
    for (action, limits) in [("Count", false), ("Block", true)] {
        let acl = bench
            .json("wafv2", "AWSWAF_20190729.CreateWebACL", web_acl(action))
            .await["Summary"]["ARN"]
            .take();
        let pool = bench.corner.pool(&bench.pool).await["Arn"].take();
        let associated = json!({ "WebACLArn": acl, "ResourceArn": pool });
        bench
            .json("wafv2", "AWSWAF_20190729.AssociateWebACL", associated)
            .await;
        let ran = bench.verify(&only).await.ended(0);
        assert_eq!(wrong(&ran).is_empty(), limits, "{action}: {ran:#?}");
        assert!(
            ran.stdout.contains(&format!("web ACL {action}")),
            "{ran:#?}"
        );
    }
    let holds = message(&bench).await;
    assert!(
        holds.contains("rule each-address of web ACL Block"),
        "{holds}"
    );

    let _proxy = bench
        .behind(|passing| match passing.action.as_str() {
            "GetWebACLForResource" => Fate::Refuse(400, "AccessDeniedException", "not authorized"),
            _ => Fate::Pass,
        })
        .await;
    let ran = bench.verify(&only).await.ended(0);
    assert_eq!(ran.json()["findings"][0]["unknown"], true, "{ran:#?}");
    assert!(
        ran.stdout.contains("allow `wafv2:GetWebACLForResource`"),
        "{ran:#?}"
    );
    bench
        .verify(&[&only[..], &["--strict"]].concat())
        .await
        .ended(2);
    // For another directory, what is known is enough.
    bench.configure("");
    let holds = message(&bench).await;
    assert!(
        holds.contains("wafv2:GetWebACLForResource is denied"),
        "{holds}"
    );
}

/// A web ACL with one rate-based rule, named after the rule's action.
fn web_acl(action: &str) -> serde_json::Value {
    let seen = json!({ "SampledRequestsEnabled": false, "CloudWatchMetricsEnabled": false, "MetricName": "m" });
    json!({
        "Name": action, "Scope": "REGIONAL", "DefaultAction": { "Allow": {} }, "VisibilityConfig": seen,
        "Rules": [{
            "Name": "each-address", "Priority": 1, "Action": { action: {} }, "VisibilityConfig": seen,
            "Statement": { "RateBasedStatement": { "Limit": 100, "AggregateKeyType": "IP" } },
        }],
    })
}

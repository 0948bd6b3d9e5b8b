//! The function itself. States that no call can cause on the emulator come from a proxy in front of it.

use std::sync::atomic::{AtomicBool, Ordering};

use jane_migrate::artifact::source_digest;
use jane_migrate_core::resources::tag;
use jane_migrate_test_kit::{Fate, Proxy};
use serde_json::{Value, json};

use super::bench::{Bench, Edit, wrong};
use crate::support::REGION;

#[tokio::test]
async fn changed_function_settings_are_found() {
    let bench = Bench::new().await;

    bench.reconfigure(json!({ "Runtime": "python3.12" })).await;
    bench.fails_and_is_fixed("function-runtime", "error").await;

    let aws = bench.corner.aws().await;
    let found = aws.function(&bench.function).await.unwrap().unwrap();
    let settings = found.function.environment["JANE_MIGRATE_SETTINGS"].expose();
    let mut settings: Value = serde_json::from_str(settings).unwrap();
    settings["response"]["force_alias_creation"] = json!(true);
    bench
        .set_variable("JANE_MIGRATE_SETTINGS", &settings.to_string())
        .await;
    bench.fails_and_is_fixed("function-settings", "error").await;

    bench.reconfigure(json!({ "Timeout": 30 })).await;
    bench.fails_and_is_fixed("function-limits", "warning").await;
    bench.reconfigure(json!({ "MemorySize": 128 })).await;
    bench.fails_and_is_fixed("function-limits", "warning").await;

    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
    }] });
    let mighty = format!("mighty-{}", bench.corner.account);
    bench
        .iam(
            "CreateRole",
            &[
                ("RoleName", &mighty),
                ("AssumeRolePolicyDocument", &trust.to_string()),
            ],
        )
        .await;
    let arn = format!("arn:aws:iam::{}:role/{mighty}", bench.corner.account);
    bench.reconfigure(json!({ "Role": arn })).await;
    bench.fails_and_is_fixed("function-role", "error").await;

    bench
        .function(
            "PUT",
            "/concurrency",
            json!({ "ReservedConcurrentExecutions": 0 }),
        )
        .await;
    bench.fails_and_is_fixed("concurrency", "error").await;
    bench
        .function(
            "PUT",
            "/concurrency",
            json!({ "ReservedConcurrentExecutions": 2 }),
        )
        .await;
    bench.fails_and_is_fixed("concurrency", "warning").await;

    let signing = "arn:aws:lambda:us-west-2:123456789012:code-signing-config:csc-0123456789abcdef0";
    bench
        .function(
            "PUT",
            "/code-signing-config",
            json!({ "CodeSigningConfigArn": signing }),
        )
        .await;
    let fix = bench.fails("code-signing", "warning").await;
    assert!(fix.contains("signing_profile"), "{fix}");
    // A configuration that trusts the profile of the release's signature is fine; it need not be removed.
    let profile = "arn:aws:signer:us-west-2:123456789012:/signing-profiles/migration";
    let made = bench
        .lambda(
            "POST",
            "code-signing-configs",
            json!({ "AllowedPublishers": { "SigningProfileVersionArns": [format!("{profile}/AbCdEf1234")] },
                "CodeSigningPolicies": { "UntrustedArtifactOnDeployment": "Enforce" } }),
        )
        .await;
    let signing = &made["CodeSigningConfig"]["CodeSigningConfigArn"];
    let signed = json!({ "CodeSigningConfigArn": signing });
    bench.function("PUT", "/code-signing-config", signed).await;
    let only = ["--only", "code-signing", "--strict"];
    for (configured, code) in [(None, 1), (Some("other"), 1), (Some("migration"), 0)] {
        let named = configured.map(|name| {
            let profile = profile.replace("migration", name);
            format!("[function]\nsigning_profile = \"{profile}\"\n")
        });
        bench.configure(&named.unwrap_or_default());
        bench.verify(&only).await.ended(code);
    }
    bench.configure("");
    bench
        .function("DELETE", "/code-signing-config", json!({}))
        .await;

    bench
        .function(
            "PUT",
            "/runtime-management-config",
            json!({ "UpdateRuntimeOn": "Manual",
            "RuntimeVersionArn": "arn:aws:lambda:us-west-2::runtime:0123456789abcdef" }),
        )
        .await;
    bench.fails_and_is_fixed("runtime-updates", "warning").await;
}

#[tokio::test]
async fn each_change_of_the_function_fails_only_its_own_check() {
    let mut bench = Bench::new().await;
    let endpoint = bench.corner.endpoint.clone();
    // The edited response is shown until this call is made, with which the printed fix repairs it.
    let edits: [(&str, &'static str, Edit); 4] = [
        ("function-active", "UpdateFunctionConfiguration", |answer| {
            answer["Configuration"]["State"] = json!("Failed");
            answer["Configuration"]["StateReason"] = json!("the image is gone");
        }),
        (
            "function-network",
            "UpdateFunctionConfiguration",
            |answer| {
                answer["Configuration"]["VpcConfig"] = json!({ "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "VpcId": "vpc-1" });
            },
        ),
        ("function-code", "UpdateFunctionCode", |answer| {
            answer["Configuration"]["Architectures"] = json!(["arm64"]);
        }),
        ("durable-execution", "DeleteFunction", |answer| {
            answer["Configuration"]["DurableConfig"] = json!({ "RetentionPeriodInDays": 14 });
        }),
    ];
    for (id, mending, edit) in edits {
        let mended = AtomicBool::new(false);
        let proxy = Proxy::start(&endpoint, move |call| {
            if call.action == mending {
                mended.store(true, Ordering::Relaxed);
            }
            match call.action.as_str() {
                "GetFunction" if !mended.load(Ordering::Relaxed) => Fate::Edit(edit),
                _ => Fate::Pass,
            }
        })
        .await
        .expect("a proxy");
        bench.corner.endpoint = proxy.url();
        bench.fails_and_is_fixed_in_words(id, "error").await;
    }
}

#[tokio::test]
async fn a_new_accounts_concurrency_is_too_low_for_a_large_shop() {
    let mut bench = Bench::new().await;
    let _proxy = bench
        .behind(|call| match call.action.as_str() {
            "GetAccountSettings" => {
                Fate::Edit(|answer| answer["AccountLimit"]["ConcurrentExecutions"] = json!(10))
            }
            _ => Fate::Pass,
        })
        .await;
    bench.holds().await;
    bench.configure("[window]\ntotal_users = 1000000\n");
    let fix = bench.fails("concurrency", "warning").await;
    assert!(fix.contains("--quota-code L-B99A9384"), "{fix}");
}

#[tokio::test]
async fn code_for_another_kind_of_directory_is_found() {
    let bench = Bench::new().await;
    let aws = bench.corner.aws().await;
    let found = aws.function(&bench.function).await.unwrap().unwrap();
    // As after a deploy that was interrupted after it had changed the settings to another kind.
    let other = source_digest("http", found.function.architecture);
    let arn = format!(
        "arn:aws:lambda:{REGION}:{}:function:{}",
        bench.corner.account, bench.function
    );
    let tags = [(tag::SOURCE.to_owned(), other)].into();
    aws.tag_function(&arn, &tags).await;
    let said = &bench.wrong().await[0];
    assert_eq!(
        (&said["expected"], &said["found"]),
        (&json!("jane"), &json!("http"))
    );
    bench.fails_and_is_fixed("function-code", "error").await;
}

#[tokio::test]
async fn an_inactive_function_is_activated_or_deployed() {
    let mut bench = Bench::new().await;
    let proxy = Proxy::start(&bench.corner.endpoint, |call| match call.action.as_str() {
        "GetFunction" => Fate::Edit(|answer| answer["Configuration"]["State"] = json!("Inactive")),
        _ => Fate::Pass,
    })
    .await
    .expect("a proxy");
    let endpoint = std::mem::replace(&mut bench.corner.endpoint, proxy.url());
    let fix = bench.fails("function-active", "error").await;
    let sleeping = std::mem::replace(&mut bench.corner.endpoint, endpoint.clone());
    bench.run_fix(&fix).await;

    bench.corner.endpoint = sleeping;
    bench.configure("[function]\nmemory_mb = 512\n");
    let ran = bench
        .corner
        .run(&["deploy", "--pool", &bench.pool, "--yes"])
        .await
        .ended(1);
    assert!(ran.stdout.contains("function-active"), "{ran:#?}");
    // Everything but activating it was done.
    bench.corner.endpoint = endpoint;
    bench.holds().await;
}

#[tokio::test]
async fn without_a_function_its_other_checks_are_only_unchecked() {
    let bench = Bench::new().await;
    bench.function("DELETE", "", json!({})).await;
    let ran = bench.verify(&[]).await.ended(1);
    let failed: Vec<String> = wrong(&ran)
        .iter()
        .map(|finding| finding["id"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(failed, ["invoke-permission", "function-active"]);
    bench.deploy().await;
    bench.holds().await;
}

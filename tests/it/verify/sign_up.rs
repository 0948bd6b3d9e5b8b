//! Before and after a sign-up: Jane's connection, the guard, and the permission that the function needs for it.

use jane_migrate_sandbox::{Fault, JaneCall};
use serde_json::{Value, json};

use super::bench::{Bench, wrong};
use crate::support::REGION;

const BOTH: &str = "[triggers]\npre_sign_up = true\npost_confirmation = true\n";

impl Bench {
    async fn set_triggers(&self, triggers: Value) {
        self.update_pool(json!({ "LambdaConfig": triggers })).await;
    }
}

#[tokio::test]
async fn missing_triggers_and_permissions_are_found() {
    let bench = Bench::new().await;
    bench.configure(BOTH);
    bench.deploy().await;
    bench.holds().await;
    let all = bench.corner.pool(&bench.pool).await["LambdaConfig"].clone();

    let mut without = all.clone();
    without
        .as_object_mut()
        .expect("triggers")
        .remove("PostConfirmation");
    bench.set_triggers(without).await;
    bench
        .fails_and_is_fixed("trigger-registered", "error")
        .await;

    let mut without = all.clone();
    without
        .as_object_mut()
        .expect("triggers")
        .remove("PreSignUp");
    bench.set_triggers(without).await;
    let failing = ["jane-connection", "trigger-registered", "sign-up-guard"];
    let fix = bench.fail(&failing, "error").await;
    bench.run_fix(&fix).await;
    bench.holds().await;

    let mut theirs = all.clone();
    let other = format!(
        "arn:aws:lambda:{REGION}:{}:function:other",
        bench.corner.account
    );
    theirs["PreSignUp"] = json!(other);
    bench.set_triggers(theirs).await;
    let failing = [&failing[..], &["pool-unchanged"]].concat();
    bench.fail(&failing, "warning").await;
    bench.set_triggers(all).await;

    let role = &bench.function;
    let nothing = json!({ "Effect": "Deny", "Action": "s3:*", "Resource": "*" });
    let own = json!({ "Version": "2012-10-17", "Statement": [nothing] }).to_string();
    let parameters = [
        ("RoleName", role.as_str()),
        ("PolicyName", "jane-migrate"),
        ("PolicyDocument", &own),
    ];
    bench.iam("PutRolePolicy", &parameters).await;
    let fix = bench.fails("role-needs", "error").await;
    bench.run_fix(&fix).await;
    bench.holds().await;
}

#[tokio::test]
async fn jane_must_be_notified_and_an_idle_function_does_not_notify() {
    let bench = Bench::new().await;
    // No finding is accepted, and no trigger is on.
    bench.configure("[triggers]\npre_sign_up = false\n");
    let fix = bench.fails("jane-connection", "error").await;
    assert!(fix.contains("pre_sign_up = true under [triggers]"), "{fix}");

    // Attached by hand, with a version that was deployed without it.
    let migration = bench.corner.pool(&bench.pool).await["LambdaConfig"]["UserMigration"].clone();
    bench
        .set_triggers(json!({ "UserMigration": migration, "PreSignUp": migration }))
        .await;
    bench.configure("[triggers]\npre_sign_up = true\n");
    bench
        .fail(
            &["sign-up-guard", "jane-connection", "function-settings"],
            "error",
        )
        .await;
    bench.deploy().await;
    bench.holds().await;
}

#[tokio::test]
async fn a_function_that_does_not_answer_its_triggers_is_found_by_the_probe() {
    let bench = Bench::new().await;
    bench.configure(BOTH);
    bench.deploy().await;
    let ids = ["probe-sign-up", "probe-confirmation"];
    let only = ids.join(",");
    let probe = ["--probe", "--only", only.as_str()];
    assert_eq!(wrong(&bench.verify(&probe).await), [] as [Value; 0]);

    let jane = &bench.corner.jane;
    jane.set_fault(JaneCall::ValidateUser, Some(Fault::Status(500)));
    let found = wrong(&bench.verify(&probe).await);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (&found[0]["id"], &found[0]["severity"]),
        (&json!(ids[0]), &json!("error"))
    );
    jane.set_fault(JaneCall::ValidateUser, None);

    bench.set_variable("JANE_MIGRATE_SETTINGS", "{}").await;
    bench.go_live().await;
    let found = wrong(&bench.verify(&probe).await);
    let found: Vec<&Value> = found.iter().map(|finding| &finding["id"]).collect();
    assert_eq!(found, ids);
}

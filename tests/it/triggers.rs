//! The triggers besides the migration's: attached and detached with it, recorded and put back, and left by a teardown.

use serde_json::{Value, json};

use crate::support::{Corner, REGION};

const BOTH: &str = "[triggers]\npre_sign_up = true\npost_confirmation = true\n";

impl Corner {
    /// What the pool calls.
    async fn triggers(&self, pool: &str) -> Value {
        self.pool(pool).await["LambdaConfig"].take()
    }

    /// The ARN by which a pool calls us.
    fn live(&self, pool: &str) -> String {
        let account = &self.account;
        format!("arn:aws:lambda:{REGION}:{account}:function:jane-migrate-{pool}:live")
    }

    /// What the execution role may do in Cognito.
    async fn rights(&self, pool: &str) -> Vec<Value> {
        let policies = self
            .aws()
            .await
            .inline_policies(&format!("jane-migrate-{pool}"))
            .await;
        let policies = policies.expect("the role's policies");
        let statements = policies.into_values().flat_map(|policy| {
            let statements = policy["Statement"].as_array().cloned();
            statements.unwrap_or_default()
        });
        let of_cognito =
            |statement: &Value| statement["Action"].to_string().contains("cognito-idp");
        statements.filter(of_cognito).collect()
    }
}

#[tokio::test]
async fn triggers_come_and_go_with_the_configuration_and_outlive_the_migration() {
    let corner = Corner::new().await;
    let (pool, _) = corner.deployed().await;
    let live = corner.live(&pool);
    assert_eq!(
        corner.triggers(&pool).await,
        json!({ "UserMigration": live })
    );
    assert_eq!(corner.rights(&pool).await, [] as [Value; 0]);

    corner.configure(BOTH);
    corner.deploy(&pool).await;
    let all = json!({ "UserMigration": live, "PreSignUp": live, "PostConfirmation": live });
    assert_eq!(corner.triggers(&pool).await, all);
    let rights = corner.rights(&pool).await;
    assert_eq!(rights.len(), 1, "{rights:?}");
    assert_eq!(rights[0]["Action"], "cognito-idp:AdminUpdateUserAttributes");
    let of_pool = format!("userpool/{pool}");
    assert!(
        rights[0]["Resource"].as_str().unwrap().ends_with(&of_pool),
        "{rights:?}"
    );
    let again = corner
        .run(&["deploy", "--pool", &pool, "--yes", "--json"])
        .await
        .ended(0);
    assert_eq!(again.json()["result"], "nothing-to-do");

    corner.configure("[triggers]\npre_sign_up = true\n");
    corner.deploy(&pool).await;
    let two = json!({ "UserMigration": live, "PreSignUp": live });
    assert_eq!(corner.triggers(&pool).await, two);
    assert_eq!(corner.rights(&pool).await, [] as [Value; 0]);

    let teardown = ["teardown", "--pool", &pool, "--yes"];
    let ran = corner.run(&teardown).await.ended(0);
    for words in [
        "the function stays for pre sign-up",
        "teardown --everything",
    ] {
        assert!(ran.stdout.contains(words), "{words}\n{ran:#?}");
    }
    assert_eq!(corner.triggers(&pool).await, json!({ "PreSignUp": live }));
    let name = format!("jane-migrate-{pool}");
    assert!(corner.aws().await.function(&name).await.unwrap().is_some());
    let again = corner
        .run(&[&teardown[..], &["--json"]].concat())
        .await
        .ended(0);
    assert_eq!(again.json()["result"], "nothing-to-do");
    assert_eq!(again.json()["kept"], json!(["PreSignUp"]));

    // Once the window has closed, what is left is right, and no deploy brings the migration back.
    corner.configure("[triggers]\npre_sign_up = true\n[window]\ncloses = 2026-01-31\n");
    corner.deploy(&pool).await;
    assert_eq!(corner.triggers(&pool).await, json!({ "PreSignUp": live }));
    corner.run(&["verify", "--pool", &pool]).await.ended(0);

    corner
        .run(&[&teardown[..], &["--everything"]].concat())
        .await
        .ended(0);
    assert_eq!(corner.triggers(&pool).await, json!({}));
    assert!(corner.aws().await.function(&name).await.unwrap().is_none());
    assert!(corner.aws().await.role(&name).await.unwrap().is_none());
}

#[tokio::test]
async fn a_trigger_of_somebody_else_is_taken_over_only_on_request_and_put_back() {
    let corner = Corner::new().await;
    let theirs = format!("arn:aws:lambda:{REGION}:{}:function:theirs", corner.account);
    let settings = json!({ "LambdaConfig": { "PreSignUp": theirs, "PreAuthentication": theirs } });
    let pool = corner.create_pool(settings).await;
    corner.create_client(&pool, json!({})).await;
    corner.configure(BOTH);
    let deploy = ["deploy", "--pool", &pool, "--yes"];
    let ran = corner.run(&deploy).await.ended(1);
    let conflict = format!("the pool already has a pre sign-up trigger: {theirs}");
    assert!(ran.stdout.contains(&conflict), "{ran:#?}");

    corner
        .run(&[&deploy[..], &["--replace"]].concat())
        .await
        .ended(0);
    let live = corner.live(&pool);
    let ours = json!({ "UserMigration": live, "PreSignUp": live, "PostConfirmation": live, "PreAuthentication": theirs });
    assert_eq!(corner.triggers(&pool).await, ours);

    // Turned off, it is theirs again; on again, it is taken over again, and teardown puts it back.
    corner.configure("[triggers]\npost_confirmation = true\n");
    corner.deploy(&pool).await;
    assert_eq!(corner.triggers(&pool).await["PreSignUp"], json!(theirs));
    corner.configure(BOTH);
    corner
        .run(&[&deploy[..], &["--replace"]].concat())
        .await
        .ended(0);
    let teardown = [
        "teardown",
        "--pool",
        &pool,
        "--yes",
        "--everything",
        "--force",
    ];
    corner.run(&teardown).await.ended(0);
    let before = json!({ "PreSignUp": theirs, "PreAuthentication": theirs });
    assert_eq!(corner.triggers(&pool).await, before);
}

//! The triggers besides the migration's: attached and detached with it, recorded and put back, and kept by a teardown.

use serde_json::{Value, json};

use crate::support::{Corner, REGION};

const BOTH: &str = "[triggers]\npre_sign_up = true\npost_confirmation = true\n";

impl Corner {
    /// The pool's triggers.
    async fn triggers(&self, pool: &str) -> Value {
        self.pool(pool).await["LambdaConfig"].take()
    }

    /// The ARN with which a pool calls our function.
    fn live(&self, pool: &str) -> String {
        let account = &self.account;
        format!("arn:aws:lambda:{REGION}:{account}:function:jane-migrate-{pool}:live")
    }

    /// The execution role's permissions in Cognito.
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
async fn triggers_follow_the_configuration_and_outlive_the_migration() {
    let corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    let client = corner.create_client(&pool, json!({})).await;
    let open = ["deploy", "--pool", &pool, "--yes", "--enable-password-auth"];
    let srp = json!({ "UserPoolId": pool, "ClientId": client, "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
    corner.cognito("UpdateUserPoolClient", srp.clone()).await;
    corner.run(&open).await.ended(0);
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
    let flows = async || corner.client(&pool, &client).await["ExplicitAuthFlows"].take();
    assert_eq!(flows().await, srp["ExplicitAuthFlows"]);
    // From here on, the shop itself opens the client.
    let mut opened = srp;
    opened["ExplicitAuthFlows"] = json!(["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]);
    corner.cognito("UpdateUserPoolClient", opened.clone()).await;

    // After the window has closed, what is left is correct, and a deploy does not bring the migration back.
    corner.configure("[triggers]\npre_sign_up = true\n[window]\ncloses = 2026-01-31\n");
    corner.deploy(&pool).await;
    assert_eq!(corner.triggers(&pool).await, json!({ "PreSignUp": live }));
    corner
        .run(&["verify", "--probe", "--pool", &pool])
        .await
        .ended(0);

    corner
        .run(&[&teardown[..], &["--everything"]].concat())
        .await
        .ended(0);
    assert_eq!(corner.triggers(&pool).await, json!({}));
    assert!(corner.aws().await.function(&name).await.unwrap().is_none());
    assert!(corner.aws().await.role(&name).await.unwrap().is_none());
    assert_eq!(flows().await, opened["ExplicitAuthFlows"]);
}

#[tokio::test]
async fn a_foreign_trigger_is_replaced_only_with_the_flag_and_put_back() {
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

    // Turned off, it is theirs again; turned on again, it is replaced again, and teardown puts it back.
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

/// The version of a rollback must support the triggers that the pool calls by then.
#[tokio::test]
async fn each_trigger_that_is_on_is_probed_before_it_goes_live() {
    let corner = Corner::new().await;
    corner.configure(BOTH);
    let pool = corner.create_pool(json!({})).await;
    corner.create_client(&pool, json!({})).await;
    let ran = corner
        .run(&["deploy", "--pool", &pool, "--yes"])
        .await
        .ended(0);
    let tried = "tried with a user that does not exist: a sign-in, a sign-up and a confirmation";
    assert!(ran.stdout.contains(tried), "{ran:#?}");
    // No account was created.
    assert_eq!(corner.jane.told().told(), [] as [Value; 0]);

    let ran = corner
        .run(&["verify", "--pool", &pool, "--probe", "--json"])
        .await
        .ended(0);
    let document = ran.json();
    let findings = document["findings"].as_array().expect("findings").clone();
    for id in ["probe-sign-up", "probe-confirmation"] {
        let finding = findings.iter().find(|finding| finding["id"] == id);
        assert_eq!(finding.expect(id)["ok"], true, "{id}: {ran:#?}");
    }
    assert_eq!(corner.jane.told().told(), [] as [Value; 0]);

    // Jane does not answer about sign-ups: the new version does not go live.
    let fault = jane_migrate_sandbox::Fault::Status(500);
    corner
        .jane
        .set_fault(jane_migrate_sandbox::JaneCall::ValidateUser, Some(fault));
    corner.configure(&format!("{BOTH}[function]\nmemory_mb = 512\n"));
    let ran = corner
        .run(&["deploy", "--pool", &pool, "--yes"])
        .await
        .ended(1);
    for words in [
        "does not answer to a sign-up as it should",
        "alias `live` stays",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
}

#[tokio::test]
async fn connect_notifies_jane_of_existing_users() {
    let corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    corner.create_client(&pool, json!({})).await;
    // More than a page of users, one who never confirmed, and one with an unverified address.
    for n in 0..62 {
        let verified = if n == 0 { "false" } else { "true" };
        let email = format!("customer{n}@example.com");
        let body = json!({
            "UserPoolId": pool, "Username": email, "MessageAction": "SUPPRESS",
            "UserAttributes": [{ "Name": "email", "Value": email }, { "Name": "email_verified", "Value": verified },
                { "Name": "locale", "Value": "en" }],
        });
        corner.cognito("AdminCreateUser", body).await;
    }
    let connect = ["connect", "--pool", &pool, "--per-second", "1000"];
    let ran = corner.run(&connect).await.ended(0);
    let counted = format!("Jane would be notified of 61 of 62 user(s) of pool {pool}.");
    assert!(ran.stdout.contains(&counted), "{ran:#?}");
    assert!(
        ran.stdout.contains("Left out: 1 without a verified email."),
        "{ran:#?}"
    );
    assert_eq!(corner.jane.told().told(), [] as [Value; 0]);

    let yes = [&connect[..], &["--yes", "--json"]].concat();
    let document = corner.run(&yes).await.ended(0).json();
    assert_eq!(
        (&document["connected"], &document["users"]),
        (&json!(61), &json!(62))
    );
    assert_eq!(
        (&document["dry_run"], &document["failed"]),
        (&json!(false), &json!([]))
    );
    let notified = corner.jane.told().told();
    assert_eq!(notified.len(), 61);
    for one in &notified {
        assert_eq!(one["call"], "ensure_external_user_exists");
        assert_eq!(
            (
                &one["body"]["pool_id"],
                &one["body"]["user_attributes"]["locale"]
            ),
            (&json!(pool), &json!("en"))
        );
        assert!(one["body"]["external_id"].is_string() && one["body"]["email"].is_string());
    }

    // An outage ends it, and the command to continue is printed.
    let ensure = jane_migrate_sandbox::JaneCall::EnsureExternalUserExists;
    corner
        .jane
        .set_fault(ensure, Some(jane_migrate_sandbox::Fault::Status(500)));
    let ran = corner
        .run(&[&connect[..], &["--yes"]].concat())
        .await
        .ended(1);
    assert!(
        ran.stderr.contains("Jane gave no usable answer"),
        "{ran:#?}"
    );
}

#[tokio::test]
async fn try_shows_the_notification_to_jane_and_sends_none() {
    let corner = Corner::new().await;
    corner.add_accounts();
    corner.configure(BOTH);
    let (pool, _) = corner.deployed().await;
    let attempt = [
        "try",
        "--pool",
        &pool,
        "--user",
        "sso@example.com",
        "--forgot-password",
    ];
    let ran = corner.run(&attempt).await.ended(0);
    for words in [
        "connected",
        "ensure_external_user_exists",
        "external_id = (made by Cognito)",
        "email = sso@example.com",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {ran:#?}");
    }
    let document = corner
        .run(&[&attempt[..], &["--json"]].concat())
        .await
        .ended(0)
        .json();
    assert_eq!(
        document["connection"]["told"][0]["body"]["pool_id"],
        json!(pool)
    );
    assert_eq!(corner.jane.told().told(), [] as [Value; 0]);
    let status = corner
        .run(&["status", "--pool", &pool, "--json"])
        .await
        .ended(0)
        .json();
    assert_eq!(status["accounts"]["connected"], 0, "{status}");

    // Without a connection the customer would not migrate.
    let exists = jane_migrate_sandbox::JaneCall::UserExists;
    corner
        .jane
        .set_fault(exists, Some(jane_migrate_sandbox::Fault::Status(500)));
    let document = corner
        .run(&[&attempt[..], &["--json"]].concat())
        .await
        .ended(3)
        .json();
    assert_eq!(
        document["connection"]["outcome"], "not-connected",
        "{document}"
    );
}

//! The whole life of a migration: deploy, sign-ins, verify, teardown, from the side of operators and
//! customers.

use jane_migrate_sandbox::JaneCall;
use serde_json::{Value, json};

use crate::support::{Corner, REGION, assert_same, moto};

/// A pool with settings of every kind, none of which may change.
pub fn settings_of_every_kind(account: &str) -> Value {
    let function = |name: &str| format!("arn:aws:lambda:{REGION}:{account}:function:{name}");
    json!({
        "Policies": { "PasswordPolicy": {
            "MinimumLength": 12, "RequireUppercase": true, "RequireLowercase": true,
            "RequireNumbers": true, "RequireSymbols": false, "TemporaryPasswordValidityDays": 3,
        } },
        "DeletionProtection": "ACTIVE",
        "AutoVerifiedAttributes": ["email"],
        "VerificationMessageTemplate": {
            "DefaultEmailOption": "CONFIRM_WITH_CODE",
            "EmailMessage": "Your code is {####}.", "EmailSubject": "Your code",
        },
        "UserAttributeUpdateSettings": { "AttributesRequireVerificationBeforeUpdate": ["email"] },
        "DeviceConfiguration": { "ChallengeRequiredOnNewDevice": true, "DeviceOnlyRememberedOnUserPrompt": true },
        "EmailConfiguration": { "EmailSendingAccount": "COGNITO_DEFAULT", "ReplyToEmailAddress": "help@example.com" },
        "LambdaConfig": {
            "PreAuthentication": function("pre-authentication"),
            "PostAuthentication": function("post-authentication"),
            "CustomMessage": function("custom-message"),
        },
        "AccountRecoverySetting": { "RecoveryMechanisms": [{ "Name": "verified_email", "Priority": 1 }] },
        "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true },
        "UserPoolAddOns": { "AdvancedSecurityMode": "AUDIT" },
        "UserPoolTier": "PLUS",
        "UserPoolTags": { "team": "roots", "cost-centre": "42" },
    })
}

fn without_trigger(mut pool: Value) -> Value {
    if let Some(triggers) = pool["LambdaConfig"].as_object_mut() {
        triggers.remove("UserMigration");
    }
    pool
}

async fn sign_in(corner: &Corner, client: &str, user: &str, password: &str) -> (u16, Value) {
    let body = json!({
        "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client,
        "AuthParameters": { "USERNAME": user, "PASSWORD": password },
    });
    corner.try_cognito("InitiateAuth", body).await
}

async fn user_exists(corner: &Corner, pool: &str, user: &str) -> bool {
    let body = json!({ "UserPoolId": pool, "Username": user });
    corner.try_cognito("AdminGetUser", body).await.0 == 200
}

#[tokio::test]
async fn a_deploy_changes_only_the_trigger_and_a_teardown_restores_it() {
    let corner = Corner::new().await;
    let pool = corner
        .create_pool(settings_of_every_kind(&corner.account))
        .await;
    let web = corner.create_client(&pool, json!({})).await;
    let legacy = json!({ "ClientName": "old", "ExplicitAuthFlows": ["CUSTOM_AUTH_FLOW_ONLY"] });
    let legacy = corner.create_client(&pool, legacy).await;
    let defaults = json!({ "ClientName": "defaults", "ExplicitAuthFlows": null, "AccessTokenValidity": 30,
        "TokenValidityUnits": { "AccessToken": "minutes" } });
    let defaults = corner.create_client(&pool, defaults).await;
    let clients = [&web, &legacy, &defaults];
    let pool_before = corner.pool(&pool).await;
    let mut clients_before = Vec::new();
    for client in clients {
        clients_before.push(corner.client(&pool, client).await);
    }

    corner
        .run(&["deploy", "--pool", &pool, "--yes", "--enable-password-auth"])
        .await
        .ended(0);

    let deployed = corner.pool(&pool).await;
    let arn = format!(
        "arn:aws:lambda:{REGION}:{}:function:jane-migrate-{pool}:live",
        corner.account
    );
    assert_eq!(deployed["LambdaConfig"]["UserMigration"], json!(arn));
    assert_same(&pool_before, &without_trigger(deployed), "deployed");
    assert_same(
        &clients_before[0],
        &corner.client(&pool, &web).await,
        "deployed",
    );
    for (client, flow) in [
        (&legacy, "USER_PASSWORD_AUTH"),
        (&defaults, "ALLOW_USER_PASSWORD_AUTH"),
    ] {
        let flows = corner.client(&pool, client).await["ExplicitAuthFlows"].take();
        assert!(
            flows
                .as_array()
                .is_some_and(|flows| flows.contains(&json!(flow))),
            "{flows}"
        );
    }

    corner
        .run(&["teardown", "--pool", &pool, "--yes"])
        .await
        .ended(0);

    assert_same(&pool_before, &corner.pool(&pool).await, "torn down");
    for (client, before) in clients.iter().zip(&clients_before) {
        assert_same(before, &corner.client(&pool, client).await, "torn down");
    }
    let aws = corner.aws().await;
    let name = format!("jane-migrate-{pool}");
    assert!(aws.function(&name).await.unwrap().is_none());
    assert!(aws.role(&name).await.unwrap().is_none());
    let group = format!("/aws/lambda/{name}");
    assert!(aws.log_group_settings(&group).await.unwrap().is_none());
}

#[tokio::test]
async fn each_kind_of_account_migrates_in_its_way() {
    let corner = Corner::new().await;
    corner.add_accounts();
    let any_case = json!({ "UsernameConfiguration": { "CaseSensitive": false } });
    let pool = corner.create_pool(any_case).await;
    let client = corner.create_client(&pool, json!({})).await;
    corner.deploy(&pool).await;

    let tokens = corner.jane.count(JaneCall::Token);
    // A password, with a sign-in; the second sign-in makes no request to the directory.
    let (status, answer) = sign_in(&corner, &client, "Ada@example.com", "Right-Pass-1").await;
    assert_eq!(status, 200, "{answer}");
    assert!(
        answer["AuthenticationResult"]["IdToken"].is_string(),
        "{answer}"
    );
    let asked = corner.jane.count(JaneCall::UserExists);
    let (status, answer) = sign_in(&corner, &client, "ada@example.com", "Right-Pass-1").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(corner.jane.count(JaneCall::UserExists), asked);

    // SSO: not with a sign-in, but with a reset.
    let (status, _) = sign_in(&corner, &client, "sso@example.com", "Any-Password-1").await;
    assert_eq!(status, 400);
    assert!(!user_exists(&corner, &pool, "sso@example.com").await);
    let forgot = json!({ "ClientId": client, "Username": "sso@example.com" });
    corner.cognito("ForgotPassword", forgot).await;
    let code = corner
        .gateway()
        .await
        .code(&pool, "sso@example.com")
        .expect("a code was sent");
    let confirm = json!({ "ClientId": client, "Username": "sso@example.com",
        "ConfirmationCode": code, "Password": "New-Password-1" });
    corner.cognito("ConfirmForgotPassword", confirm).await;
    let (status, answer) = sign_in(&corner, &client, "sso@example.com", "New-Password-1").await;
    assert_eq!(status, 200, "{answer}");

    // Rejected by Jane, or only in the marketplace: neither way works.
    for user in ["refused@example.com", "market@example.com"] {
        let (status, _) = sign_in(&corner, &client, user, "Right-Pass-1").await;
        assert_eq!(status, 400);
        let forgot = json!({ "ClientId": client, "Username": user });
        corner.try_cognito("ForgotPassword", forgot).await;
        assert!(
            !user_exists(&corner, &pool, user).await,
            "{user} was migrated"
        );
    }
    assert_eq!(
        corner.jane.count(JaneCall::Token),
        tokens,
        "the token of the init serves every sign-in"
    );
}

/// Also in a case-sensitive pool: Cognito rejects an email that differs from the typed name.
#[tokio::test]
async fn a_name_typed_in_capitals_migrates() {
    let corner = Corner::new().await;
    corner.add_accounts();
    let (pool, client) = corner.deployed().await;
    for _ in 0..2 {
        let (status, answer) = sign_in(&corner, &client, "Ada@example.com", "Right-Pass-1").await;
        assert_eq!(status, 200, "{answer}");
    }
    let user = json!({ "UserPoolId": pool, "Username": "Ada@example.com" });
    let user = corner.cognito("AdminGetUser", user).await;
    let email = json!({ "Name": "email", "Value": "Ada@example.com" });
    assert!(
        user["UserAttributes"].as_array().unwrap().contains(&email),
        "{user}"
    );
}

/// Without a status, because Cognito is reported to reject `RESET_REQUIRED`.
#[tokio::test]
async fn a_customer_who_must_choose_a_new_password_migrates_and_gets_the_challenge() {
    let corner = Corner::new().await;
    corner.add_accounts();
    corner.configure("[response]\nfinal_user_status = \"RESET_REQUIRED\"\n");
    let (pool, client) = corner.deployed().await;
    let (status, answer) = sign_in(&corner, &client, "ada@example.com", "Right-Pass-1").await;
    assert_eq!(status, 400, "{answer}");
    assert_eq!(
        answer["__type"], "PasswordResetRequiredException",
        "{answer}"
    );
    assert!(user_exists(&corner, &pool, "ada@example.com").await);
}

#[tokio::test]
async fn wrong_passwords_and_unknown_users_get_the_same_response() {
    let corner = Corner::new().await;
    corner.add_accounts();
    let (_, client) = corner.deployed().await;
    let wrong = sign_in(&corner, &client, "ada@example.com", "Wrong-Pass-1").await;
    let unknown = sign_in(&corner, &client, "nobody@example.com", "Wrong-Pass-1").await;
    assert_eq!(wrong, unknown);
    assert_eq!(wrong.0, 400);
}

#[tokio::test]
async fn a_second_deploy_writes_nothing() {
    let corner = Corner::new().await;
    let (pool, _) = corner.deployed().await;
    let gateway = corner.gateway().await;
    let before = gateway.journal(&corner.account).len();
    let ran = corner.deploy(&pool).await;
    assert!(ran.stdout.contains("No changes."), "{ran:#?}");
    let calls = gateway.journal(&corner.account).split_off(before);
    let writes: Vec<_> = calls
        .iter()
        .filter(|call| {
            !["Get", "List", "Describe", "Invoke"]
                .iter()
                .any(|reads| call.action.starts_with(reads))
        })
        .collect();
    assert!(!calls.is_empty() && writes.is_empty(), "{writes:#?}");
}

#[tokio::test]
async fn a_missing_permission_fails_sign_ins_and_verify_says_so() {
    let corner = Corner::new().await;
    corner.add_accounts();
    let (pool, client) = corner.deployed().await;
    let ran = corner
        .run(&["verify", "--pool", &pool, "--format", "json"])
        .await
        .ended(0);
    assert_eq!(ran.json()["ok"], true);

    let aws = corner.aws().await;
    let function = format!("jane-migrate-{pool}");
    aws.remove_permission(&function, "jane-migrate-live").await;

    let (status, answer) = sign_in(&corner, &client, "ada@example.com", "Right-Pass-1").await;
    assert_eq!(status, 400, "{answer}");
    let ran = corner
        .run(&["verify", "--pool", &pool, "--format", "json"])
        .await
        .ended(1);
    let document = ran.json();
    let failed: Vec<&str> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["ok"] == false && finding["severity"] == "error")
        .filter(|finding| finding["accepted"].is_null())
        .filter_map(|finding| finding["id"].as_str())
        .collect();
    assert_eq!(failed, ["invoke-permission"]);

    corner.deploy(&pool).await;
    let (status, answer) = sign_in(&corner, &client, "ada@example.com", "Right-Pass-1").await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_client_without_password_auth_stops_the_deploy_before_anything_is_changed() {
    let corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    let srp = json!({ "ClientName": "mobile", "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
    let client = corner.create_client(&pool, srp).await;
    let before = corner.pool(&pool).await;
    let ran = corner
        .run(&["deploy", "--pool", &pool, "--yes"])
        .await
        .ended(1);
    assert!(ran.stdout.contains(&client), "{ran:#?}");
    assert!(ran.stdout.contains("--enable-password-auth"), "{ran:#?}");
    assert_eq!(before, corner.pool(&pool).await);
    let aws = corner.aws().await;
    assert!(
        aws.role(&format!("jane-migrate-{pool}"))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_foreign_trigger_is_a_conflict_until_replaced_and_is_put_back() {
    let corner = Corner::new().await;
    let foreign = format!(
        "arn:aws:lambda:{REGION}:{}:function:older-migration",
        corner.account
    );
    let pool = corner
        .create_pool(json!({ "LambdaConfig": { "UserMigration": foreign } }))
        .await;
    corner.create_client(&pool, json!({})).await;
    let before = corner.pool(&pool).await;
    let ran = corner
        .run(&["deploy", "--pool", &pool, "--yes"])
        .await
        .ended(1);
    assert!(
        ran.stdout.contains("older-migration") && ran.stdout.contains("--replace"),
        "{ran:#?}"
    );
    assert_eq!(before, corner.pool(&pool).await);

    corner
        .run(&["deploy", "--pool", &pool, "--yes", "--replace"])
        .await
        .ended(0);
    corner
        .run(&["teardown", "--pool", &pool, "--yes"])
        .await
        .ended(0);
    assert_same(&before, &corner.pool(&pool).await, "torn down");
}

#[tokio::test]
async fn settings_that_lambda_would_reject_stop_the_deploy_before_any_change() {
    let corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    corner.create_client(&pool, json!({})).await;
    corner.configure(&format!(
        "[attributes]\nprofile = \"={}\"\n",
        "x".repeat(4000)
    ));
    let before = corner.pool(&pool).await;
    let ran = corner
        .run(&["deploy", "--pool", &pool, "--yes"])
        .await
        .ended(1);
    assert!(
        ran.stdout.contains("Lambda takes 4096") && ran.stdout.contains("ca_certificate"),
        "{ran:#?}"
    );
    assert_eq!(before, corner.pool(&pool).await);
    let aws = corner.aws().await;
    let name = format!("jane-migrate-{pool}");
    assert!(aws.role(&name).await.unwrap().is_none());
}

#[tokio::test]
async fn teardown_waits_for_the_end_of_the_window_and_of_migrations() {
    let corner = Corner::new().await;
    corner.add_accounts();
    corner.configure("[window]\ncloses = 2999-12-31\n");
    let (pool, client) = corner.deployed().await;
    let ran = corner
        .run(&["teardown", "--pool", &pool, "--yes"])
        .await
        .ended(1);
    assert!(ran.stderr.contains("open until 2999-12-31"), "{ran:#?}");

    corner.configure("");
    corner.deploy(&pool).await;
    let (status, answer) = sign_in(&corner, &client, "ada@example.com", "Right-Pass-1").await;
    assert_eq!(status, 200, "{answer}");
    let ran = corner
        .run(&["teardown", "--pool", &pool, "--yes"])
        .await
        .ended(1);
    assert!(ran.stderr.contains("within the last 7 days"), "{ran:#?}");
    assert!(corner.pool(&pool).await["LambdaConfig"]["UserMigration"].is_string());
    corner
        .run(&["teardown", "--pool", &pool, "--yes", "--force"])
        .await
        .ended(0);
}

#[tokio::test]
async fn the_life_of_a_migration_is_the_same_on_the_second_emulator() {
    let corner = on_moto().await;
    let settings = settings_for_moto(&corner.account);
    let pool = corner.create_pool(settings).await;
    let client = corner
        .create_client(&pool, json!({ "ExplicitAuthFlows": null }))
        .await;
    let before = corner.pool(&pool).await;
    let client_before = corner.client(&pool, &client).await;
    let deploy = [
        "deploy",
        "--pool",
        &pool,
        "--yes",
        "--no-probe",
        "--enable-password-auth",
    ];
    corner.run(&deploy).await.ended(0);
    let deployed = corner.pool(&pool).await;
    assert!(deployed["LambdaConfig"]["UserMigration"].is_string());
    assert_same(
        &without_create_only(before.clone()),
        &without_create_only(without_trigger(deployed)),
        "deployed",
    );
    corner
        .run(&["teardown", "--pool", &pool, "--yes"])
        .await
        .ended(0);
    assert_same(
        &without_create_only(before),
        &without_create_only(corner.pool(&pool).await),
        "torn down",
    );
    let mut client_after = corner.client(&pool, &client).await;
    // This emulator cannot remove the list again, which contains no flow either way.
    let members = client_after.as_object_mut().expect("a client");
    assert_eq!(members.remove("ExplicitAuthFlows"), Some(json!([])));
    assert_same(&client_before, &client_after, "torn down");
}

/// A test environment with moto, which has no recoveries: it answers such a call with an error that is
/// retried.
pub async fn on_moto() -> Corner {
    let mut corner = Corner::at(moto().await.url().to_owned()).await;
    let once = ("AWS_MAX_ATTEMPTS".to_owned(), "1".to_owned());
    corner.environment.push(once);
    corner
}

/// Without what moto loses at an update and what the handler must support.
pub fn settings_for_moto(account: &str) -> Value {
    let mut settings = settings_of_every_kind(account);
    settings["UsernameAttributes"] = Value::Null;
    settings
}

/// Settings that no update can change; moto still loses some of them.
fn without_create_only(mut pool: Value) -> Value {
    for member in ["UsernameConfiguration", "AliasAttributes"] {
        pool.as_object_mut().unwrap().remove(member);
    }
    pool
}

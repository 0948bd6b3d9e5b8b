//! Requirements of companies: names, a path and a boundary by their rules, and a role that another team created.

use std::collections::BTreeMap;

use jane_migrate_core::document::differences;
use jane_migrate_core::resources::trust_policy;
use serde_json::{Value, json};

use crate::policy::iam;
use crate::support::{Corner, REGION};

/// A pool with one client, and its arguments.
async fn pool(corner: &Corner) -> String {
    corner.add_accounts();
    let closed = json!({ "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true } });
    let pool = corner.create_pool(closed).await;
    corner.create_client(&pool, json!({})).await;
    pool
}

async fn deploy(corner: &Corner, pool: &str, code: i32) -> String {
    let ran = corner.run(&["deploy", "--yes", "--pool", pool]).await;
    let ran = ran.ended(code);
    ran.stdout + &ran.stderr
}

async fn sign_in_migrates(corner: &Corner, pool: &str) {
    let try_ = ["try", "--forgot-password", "--user", "sso@example.com"];
    let try_ = [&try_[..], &["--pool", pool]].concat();
    corner.run(&try_).await.ended(0);
}

/// Creates a managed policy that allows these actions; returns its ARN.
async fn managed_policy(corner: &Corner, name: &str, actions: &[&str]) -> String {
    let document = json!({ "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] });
    let parameters = [
        ("PolicyName", name),
        ("PolicyDocument", &document.to_string()),
    ];
    iam(corner, "CreatePolicy", &parameters).await;
    format!("arn:aws:iam::{}:policy/{name}", corner.account)
}

#[tokio::test]
async fn names_path_boundary_tags_and_key_are_as_configured() {
    let corner = Corner::new().await;
    let pool = pool(&corner).await;
    let wide = managed_policy(&corner, "wide", &["logs:*", "cognito-idp:*"]).await;
    let narrow = managed_policy(&corner, "narrow", &["s3:*"]).await;
    let key = |n: u8| format!("arn:aws:kms:{REGION}:{}:key/{n}", corner.account);
    let configure = |boundary: &str, key: &str| {
        corner.configure(&format!(
            "[function]\nname_prefix = \"acme-\"\nrole_path = \"/apps/\"\npermissions_boundary = \"{boundary}\"\n\
             log_kms_key_arn = \"{key}\"\ntags = {{ team = \"accounts\" }}\n"
        ));
    };
    // A boundary that withholds needed permissions stops the deploy before the first change.
    configure(&narrow, &key(1));
    let said = deploy(&corner, &pool, 1).await;
    assert!(said.contains("permissions boundary withholds"), "{said}");
    let aws = corner.aws().await;
    let name = format!("acme-jane-migrate-{pool}");
    assert!(aws.role(&name).await.unwrap().is_none());

    configure(&wide, &key(1));
    deploy(&corner, &pool, 0).await;
    let role = aws.role(&name).await.unwrap().expect("the role");
    assert_eq!(
        (&*role.path, role.boundary.as_deref()),
        ("/apps/", Some(&*wide))
    );
    let function = aws.function(&name).await.unwrap().expect("the function");
    let group = format!("/aws/lambda/{name}");
    let log = aws
        .log_group_settings(&group)
        .await
        .unwrap()
        .expect("the log");
    assert_eq!(log.kms_key_arn.as_deref(), Some(&*key(1)));
    let arn = format!("arn:aws:logs:{REGION}:{}:log-group:{group}", corner.account);
    let logged = corner
        .logs("ListTagsForResource", json!({ "resourceArn": arn }))
        .await;
    assert_eq!(logged["tags"]["team"], "accounts");
    for tags in [&role.tags, &function.function.tags] {
        assert_eq!(tags["team"], "accounts");
    }
    sign_in_migrates(&corner, &pool).await;
    corner.run(&["verify", "--pool", &pool]).await.ended(0);

    // Only the difference is changed.
    let other = managed_policy(&corner, "other", &["*"]).await;
    configure(&other, &key(2));
    let plan = corner
        .run(&["plan", "--pool", &pool, "--json"])
        .await
        .ended(0)
        .json();
    let changes: Vec<_> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["action"] != "probe")
        .collect();
    let details: BTreeMap<_, _> = changes
        .iter()
        .map(|change| {
            (
                change["resource"].as_str().unwrap(),
                change["detail"].as_str().unwrap(),
            )
        })
        .collect();
    let key_change = format!("KMS key: {} => {}", key(1), key(2));
    assert_eq!(
        details,
        BTreeMap::from([
            ("log-group", &*key_change),
            ("role", "permissions boundary")
        ])
    );
    corner
        .run(&["verify", "--pool", &pool, "--only", "log-kms", "--strict"])
        .await
        .ended(1);
    deploy(&corner, &pool, 0).await;
    let role = aws.role(&name).await.unwrap().expect("the role");
    assert_eq!(role.boundary.as_deref(), Some(&*other));
    corner
        .run(&[
            "verify",
            "--pool",
            &pool,
            "--strict",
            "--only",
            "log-kms,role-needs",
        ])
        .await
        .ended(0);

    // With another prefix the function has another name: the trigger is recognised as ours, and its owner is named.
    corner.configure("");
    let said = deploy(&corner, &pool, 1).await;
    assert!(said.contains("under another name_prefix"), "{said}");
    configure(&other, &key(2));
    corner
        .run(&["teardown", "--yes", "--force", "--pool", &pool])
        .await
        .ended(0);
    assert!(aws.role(&name).await.unwrap().is_none());
    assert!(aws.function(&name).await.unwrap().is_none());
    assert!(aws.log_group_settings(&group).await.unwrap().is_none());
}

#[tokio::test]
async fn a_given_role_is_checked_and_never_changed() {
    let corner = Corner::new().await;
    let pool = pool(&corner).await;
    let arn = format!("arn:aws:iam::{}:role/owned/migration", corner.account);
    corner.configure(&format!("[function]\nrole_arn = \"{arn}\"\n"));
    let said = deploy(&corner, &pool, 1).await;
    assert!(said.contains("there is no role"), "{said}");

    let trust = trust_policy().to_string();
    let role = [
        ("RoleName", "migration"),
        ("Path", "/owned/"),
        ("AssumeRolePolicyDocument", &trust),
    ];
    iam(&corner, "CreateRole", &role).await;
    let refused = corner
        .run(&["deploy", "--yes", "--json", "--pool", &pool])
        .await
        .ended(1)
        .json();
    let findings = refused["plan"]["findings"].as_array().unwrap();
    let lacks = findings
        .iter()
        .find(|finding| finding["id"] == "role-needs")
        .expect("a finding");
    let fix = lacks["fix"].as_str().unwrap();
    // The command is for the role's owner, and complete.
    let command = fix.split('`').nth(1).expect("a command");
    let words = shlex::split(command).unwrap();
    let at = words
        .iter()
        .position(|word| word == "--policy-document")
        .unwrap();
    assert_eq!(words[..3], ["aws", "iam", "put-role-policy"]);
    let aws = corner.aws().await;
    assert!(
        aws.function(&format!("jane-migrate-{pool}"))
            .await
            .unwrap()
            .is_none()
    );
    let policy: Value = serde_json::from_str(&words[at + 1]).unwrap();
    aws.put_role_policy("migration", "owners-own", &policy)
        .await;

    let before = aws.role("migration").await.unwrap().expect("the role");
    deploy(&corner, &pool, 0).await;
    sign_in_migrates(&corner, &pool).await;
    corner.run(&["verify", "--pool", &pool]).await.ended(0);
    let planned = corner
        .run(&["plan", "--pool", &pool, "--detailed-exitcode"])
        .await;
    planned.ended(0);

    // Surplus permissions are as wrong as in our own role, and stop the next deploy.
    let everything = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    aws.put_role_policy("migration", "more", &everything).await;
    let ran = corner.run(&["verify", "--pool", &pool]).await.ended(1);
    assert!(ran.stdout.contains("never changes"), "{ran:#?}");
    corner.configure(&format!(
        "[function]\nrole_arn = \"{arn}\"\nmemory_mb = 512\n"
    ));
    deploy(&corner, &pool, 1).await;
    aws.delete_role_policy("migration", "more").await;
    deploy(&corner, &pool, 0).await;
    corner
        .run(&["rollback", "--yes", "--pool", &pool])
        .await
        .ended(0);

    // PassRole for it is printed, and no action that changes it.
    let policy = corner
        .run(&["policy", "--for", "deploy", "--json", "--pool", &pool])
        .await
        .ended(0)
        .json();
    let statements = policy["Statement"].as_array().unwrap();
    let on_role: Vec<&str> = statements
        .iter()
        .filter(|statement| {
            statement["Resource"]
                .as_array()
                .unwrap()
                .iter()
                .any(|resource| resource.as_str().unwrap().contains(":role/"))
        })
        .flat_map(|statement| statement["Action"].as_array().unwrap())
        .filter_map(Value::as_str)
        .collect();
    assert!(on_role.contains(&"iam:PassRole"), "{on_role:?}");
    let reads = |action: &&str| action.contains(":Get") || action.contains(":List");
    assert_eq!(
        on_role.iter().filter(|action| !reads(action)).count(),
        1,
        "{on_role:?}"
    );

    corner
        .run(&["teardown", "--yes", "--force", "--pool", &pool])
        .await
        .ended(0);
    let after = aws.role("migration").await.unwrap().expect("the role");
    let shown = |role: &jane_migrate_core::resources::Role| {
        json!([
            role.trust,
            role.policies,
            role.attached,
            role.tags,
            role.path
        ])
    };
    assert_eq!(differences(&shown(&before), &shown(&after)), []);
    let plan = corner
        .run(&["teardown", "--pool", &pool, "--json", "--yes"])
        .await
        .ended(0);
    assert!(!plan.stdout.contains("not-ours"), "{plan:#?}");
}

#[tokio::test]
async fn only_the_approved_plan_is_applied() {
    let corner = Corner::new().await;
    let pool = pool(&corner).await;
    let file = corner.folder.path().join("a plan.json");
    let made = corner
        .run(&["plan", "--pool", &pool, "--out", "a plan.json"])
        .await
        .ended(0);
    let command = format!("jane-migrate deploy --plan 'a plan.json' --pool {pool}");
    assert!(made.stderr.contains(&command), "{made:#?}");
    let secret = corner.jane.client_secret();
    let written = std::fs::read_to_string(&file).expect("the plan");
    assert!(!written.contains(secret), "{written}");

    // Another tool changes the pool, the client or the configuration in between.
    let aws = corner.aws().await;
    let apply = async |code: i32| {
        let ran = corner.run(&["deploy", "--plan", "a plan.json"]).await;
        ran.ended(code).stderr
    };
    let update = |more: Value| {
        let mut body = json!({ "UserPoolId": pool, "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true } });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    corner
        .cognito(
            "UpdateUserPool",
            update(json!({ "DeletionProtection": "ACTIVE" })),
        )
        .await;
    let refused = apply(1).await;
    assert!(refused.contains("UserPool/DeletionProtection"), "{refused}");
    corner
        .cognito(
            "UpdateUserPool",
            update(json!({ "DeletionProtection": "INACTIVE" })),
        )
        .await;
    corner.configure("[response]\nenforce_password_policy = true\n");
    let refused = apply(1).await;
    assert!(
        refused.contains("what deploy would make is another"),
        "{refused}"
    );
    corner.configure("[function]\nmemory_mb = 512\n");
    let refused = apply(1).await;
    assert!(refused.contains("512 MB"), "{refused}");
    let function = format!("jane-migrate-{pool}");
    assert!(aws.function(&function).await.unwrap().is_none());
    corner.configure("");
    let another = corner
        .create_client(&pool, json!({ "ClientName": "another" }))
        .await;
    let refused = apply(1).await;
    assert!(refused.contains(&another), "{refused}");
    let gone = json!({ "UserPoolId": pool, "ClientId": another });
    corner.cognito("DeleteUserPoolClient", gone).await;

    apply(0).await;
    sign_in_migrates(&corner, &pool).await;
    // The plan was made for a pool without a function: it is not applied a second time.
    let refused = apply(1).await;
    assert!(refused.contains("make the plan again"), "{refused}");

    // A plan that cannot be applied is not written.
    corner.configure("[function]\nname_prefix = \"acme-\"\n");
    let blocked = corner
        .run(&["plan", "--pool", &pool, "--out", "b.json"])
        .await
        .ended(1);
    assert!(blocked.stderr.contains("was not written"), "{blocked:#?}");
    assert!(!corner.folder.path().join("b.json").exists());
}

//! Another tool's function: deploy lets the pool call it and changes nothing else of it, verify checks it, teardown keeps it.

use std::collections::BTreeSet;

use jane_migrate_core::document::differences;
use jane_migrate_core::resources::{role_policy, trust_policy};
use serde_json::{Value, json};

use crate::policy::{action, iam};
use crate::support::{Corner, REGION};

const NAME: &str = "accounts-migration";

/// A pool with a client, and the function that another team's tool created.
struct Scene {
    corner: Corner,
    pool: String,
    client: String,
    digest: String,
}

impl Scene {
    fn role(&self) -> String {
        format!("arn:aws:iam::{}:role/owned/{NAME}", self.corner.account)
    }

    fn arn(&self) -> String {
        let account = &self.corner.account;
        format!("arn:aws:lambda:{REGION}:{account}:function:{NAME}")
    }

    /// Names the function in the configuration, with this alias.
    fn configure(&self, qualifier: &str, more: &str) {
        self.corner.configure_secret_and(
            "{ ssm = \"/jane/secret\" }",
            &format!(
                "[function]\narn = \"{}{qualifier}\"\nrole_arn = \"{}\"\ncode_sha256 = \"{}\"\n{more}",
                self.arn(),
                self.role(),
                self.digest,
            ),
        );
    }

    async fn run(&self, code: i32, arguments: &[&str]) -> String {
        let ran = [arguments, &["--pool", &self.pool]].concat();
        let ran = self.corner.run(&ran).await.ended(code);
        ran.stdout + &ran.stderr
    }

    /// Runs a command; its printed policy must allow each call that it makes, and no change of the function.
    async fn run_as(&self, duty: &str, arguments: &[&str]) -> String {
        let policy = ["policy", "--for", duty, "--json", "--pool", &self.pool];
        let policy = self.corner.run(&policy).await.ended(0).json();
        let statements = policy["Statement"].as_array().unwrap().iter();
        let actions = statements.flat_map(|one| one["Action"].as_array().unwrap());
        let allowed: BTreeSet<&str> = actions.filter_map(Value::as_str).collect();
        let gateway = self.corner.gateway().await;
        let before = gateway.journal(&self.corner.account).len();
        let said = self.run(0, arguments).await;
        let calls = gateway.journal(&self.corner.account).split_off(before);
        let called: BTreeSet<String> = calls.iter().filter_map(action).collect();
        for call in &called {
            assert!(allowed.contains(&**call), "{duty}: {call} {allowed:?}");
        }
        if duty == "teardown" {
            assert!(called.contains("lambda:RemovePermission"), "{called:?}");
            assert!(called.contains("lambda:GetPolicy"), "{called:?}");
        }
        let writes = [
            "Create", "Update", "Put", "Delete", "Tag", "Untag", "Publish",
        ];
        let changes = |action: &&&str| {
            let (service, name) = action.split_once(':').unwrap_or_default();
            ["lambda", "iam", "logs"].contains(&service)
                && writes.iter().any(|write| name.starts_with(write))
        };
        // Only `import` creates the role for an import.
        let of_import = |one: &&Value| one["Resource"].to_string().contains(&format!("{NAME}-log"));
        let others = policy["Statement"].as_array().unwrap().iter();
        let others = others.filter(|one| !of_import(one));
        let others = others.flat_map(|one| one["Action"].as_array().unwrap());
        let others: BTreeSet<&str> = others.filter_map(Value::as_str).collect();
        let changes: Vec<_> = others.iter().filter(changes).collect();
        assert!(changes.is_empty(), "{duty}: {changes:?}");
        said
    }

    /// Everything that AWS returns about the function, its role and its log group.
    async fn owned(&self) -> Value {
        let aws = self.corner.aws().await;
        let function = aws.function(NAME).await.unwrap().expect("the function");
        let live = aws.function(&format!("{NAME}:prod")).await.unwrap();
        let alias = aws.alias(NAME, "prod").await.unwrap().expect("the alias");
        let role = aws.role(NAME).await.unwrap().expect("the role");
        let group = aws.log_group_settings(&format!("/aws/lambda/{NAME}")).await;
        let group = group.unwrap().expect("the log group");
        json!([
            format!("{:?}", function.function),
            function.code_sha256,
            live.map(|live| live.code_sha256),
            alias.version,
            role.tags,
            role.policies,
            format!("{:?}", role.trust),
            group.retention_days,
        ])
    }

    async fn statements(&self) -> Vec<Value> {
        let aws = self.corner.aws().await;
        let policy = aws.policy(NAME, Some("prod")).await.unwrap();
        policy.statements
    }

    async fn new() -> Self {
        let corner = Corner::new().await;
        corner.add_accounts();
        corner
            .keep_parameter("/jane/secret", corner.jane.client_secret())
            .await;
        let closed = json!({ "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true } });
        let pool = corner.create_pool(closed).await;
        let srp =
            json!({ "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
        let client = corner.create_client(&pool, srp).await;
        corner.configure_secret("{ ssm = \"/jane/secret\" }");
        let built = corner.run(&["build", "--output", "handler.zip", "--json"]);
        let digest = built.await.ended(0).json()["code_sha256"]
            .as_str()
            .expect("a digest")
            .to_owned();
        Self {
            corner,
            pool,
            client,
            digest,
        }
    }

    /// Creates role, log group and function.
    async fn make(&self) {
        let corner = &self.corner;
        let trust = trust_policy().to_string();
        let role = [
            ("RoleName", NAME),
            ("Path", "/owned/"),
            ("AssumeRolePolicyDocument", &trust),
        ];
        iam(corner, "CreateRole", &role).await;
        let file = std::fs::read_to_string(corner.folder.path().join("migrate.toml"));
        let config = jane_migrate_config::parse(&file.unwrap(), "migrate.toml").unwrap();
        let pool = format!(
            "arn:aws:cognito-idp:{REGION}:{}:userpool/{}",
            corner.account, self.pool
        );
        let names = jane_migrate_core::ids::Names::configured(
            pool.parse().unwrap(),
            Some(&config.function),
        );
        let aws = corner.aws().await;
        aws.put_role_policy(NAME, "own", &role_policy(&names, &config))
            .await;
        let group = format!("/aws/lambda/{NAME}");
        corner
            .logs("CreateLogGroup", json!({ "logGroupName": group }))
            .await;
        let keeps = json!({ "logGroupName": group, "retentionInDays": 30 });
        corner.logs("PutRetentionPolicy", keeps).await;
        let settings = ["settings", "--json", "--pool", &self.pool];
        let settings = corner.run(&settings).await.ended(0).json();
        let zip = std::fs::read(corner.folder.path().join("handler.zip")).unwrap();
        // Lambda does not accept a role that was created just now.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        aws.make_function(NAME, &self.role(), zip, &settings).await;
    }
}

#[tokio::test]
async fn deploy_attaches_another_tools_function_and_teardown_keeps_it() {
    let scene = Scene::new().await;
    let corner = &scene.corner;
    scene.configure(":prod", "");
    let said = scene.run(1, &["deploy", "--yes"]).await;
    assert!(said.contains("there is no function"), "{said}");

    // The settings in shell syntax, without a secret.
    let lines = scene.run(0, &["settings"]).await;
    assert!(!lines.contains(corner.jane.client_secret()), "{lines}");
    assert!(
        lines.contains("provided.al2023") && lines.contains("JANE_MIGRATE_SETTINGS='{"),
        "{lines}"
    );
    scene.make().await;
    let before = scene.owned().await;

    let of_before = corner.pool(&scene.pool).await;
    let said = scene
        .run_as("deploy", &["deploy", "--yes", "--enable-password-auth"])
        .await;
    assert!(said.contains(&format!("{NAME}:prod")), "{said}");
    assert_eq!(differences(&before, &scene.owned().await), []);
    let pool = corner.pool(&scene.pool).await;
    assert_eq!(
        pool["LambdaConfig"]["UserMigration"],
        format!("{}:prod", scene.arn())
    );
    let try_ = ["try", "--forgot-password", "--user", "sso@example.com"];
    scene.run(0, &try_).await;
    let signed_in = corner
        .try_cognito(
            "InitiateAuth",
            json!({
                "ClientId": scene.client, "AuthFlow": "USER_PASSWORD_AUTH",
                "AuthParameters": { "USERNAME": "ada@example.com", "PASSWORD": "Right-Pass-1" },
            }),
        )
        .await;
    assert_eq!(signed_in.0, 200, "{signed_in:?}");
    scene
        .run_as(
            "verify",
            &["verify", "--strict", "--skip", "jane-connection"],
        )
        .await;
    scene.run_as("plan", &["settings"]).await;
    scene
        .run(
            0,
            &["plan", "--detailed-exitcode", "--enable-password-auth"],
        )
        .await;
    scene.run(0, &["deploy", "--yes"]).await;
    let [statement] = &scene.statements().await[..] else {
        panic!("one statement");
    };
    let id = statement["Sid"].as_str().unwrap();
    assert!(id.starts_with("jane-migrate-snapshot-"), "{id}");

    // Changes by its owner are checked, and the finding is for the owner.
    let aws = corner.aws().await;
    aws.put_role_policy(
        NAME,
        "more",
        &json!({ "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] }),
    )
    .await;
    let said = scene
        .run(1, &["verify", "--only", "role-permissions"])
        .await;
    assert!(said.contains("never changes"), "{said}");
    aws.delete_role_policy(NAME, "more").await;
    scene.configure(
        ":prod",
        "memory_mb = 512\n[response]\nenforce_password_policy = true\n",
    );
    let said = scene
        .run(1, &["verify", "--only", "function-settings"])
        .await;
    assert!(
        said.contains("where function accounts-migration is defined"),
        "{said}"
    );
    let said = scene.run(1, &["deploy", "--yes"]).await;
    assert!(said.contains("does not obey the configuration"), "{said}");
    let said = scene.run(1, &["rollback", "--yes"]).await;
    assert!(said.contains("another tool made the function"), "{said}");
    // Code that was not approved.
    let digest = scene.digest.replace(&scene.digest[..4], "AAAA");
    corner.configure_secret_and(
        "{ ssm = \"/jane/secret\" }",
        &format!(
            "[function]\narn = \"{}:prod\"\nrole_arn = \"{}\"\ncode_sha256 = \"{digest}\"\n",
            scene.arn(),
            scene.role()
        ),
    );
    let said = scene.run(1, &["verify", "--only", "function-code"]).await;
    assert!(said.contains("not the one of code_sha256"), "{said}");
    scene.configure(":prod", "");

    let said = scene
        .run_as("teardown", &["teardown", "--yes", "--force"])
        .await;
    assert!(said.contains("its flows as before deploy"), "{said}");
    assert_eq!(differences(&before, &scene.owned().await), []);
    assert_eq!(scene.statements().await, [] as [Value; 0]);
    let after = corner.pool(&scene.pool).await;
    assert_eq!(
        differences(&of_before, &after)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [] as [String; 0]
    );
    let client = corner.client(&scene.pool, &scene.client).await;
    let flows = client["ExplicitAuthFlows"].to_string();
    assert!(!flows.contains("USER_PASSWORD_AUTH"), "{flows}");
    let said = scene.run(0, &["teardown", "--yes"]).await;
    assert!(!said.contains("not-ours"), "{said}");
}

#[tokio::test]
async fn a_replaced_trigger_is_put_back_from_the_snapshot_in_the_policy() {
    let scene = Scene::new().await;
    let corner = &scene.corner;
    scene.configure(":prod", "");
    scene.make().await;
    let before = format!("arn:aws:lambda:{REGION}:{}:function:older", corner.account);
    let update = json!({ "UserPoolId": scene.pool, "LambdaConfig": { "UserMigration": before },
        "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true } });
    corner.cognito("UpdateUserPool", update).await;
    let said = scene.run(1, &["deploy", "--yes"]).await;
    assert!(
        said.contains("already has a user migration trigger"),
        "{said}"
    );
    scene
        .run(
            0,
            &["deploy", "--yes", "--replace", "--enable-password-auth"],
        )
        .await;

    // Another client later: the newer snapshot records the changes of both deploys.
    let srp = json!({ "ClientName": "mobile", "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
    let mobile = corner.create_client(&scene.pool, srp).await;
    scene
        .run(0, &["deploy", "--yes", "--enable-password-auth"])
        .await;
    assert_eq!(scene.statements().await.len(), 1);

    // An edited file is not trusted.
    let folder = corner.folder.path();
    let named = scene.statements().await[0]["Sid"]
        .as_str()
        .unwrap()
        .to_owned();
    let begin = &named.strip_prefix("jane-migrate-snapshot-").unwrap()[..8];
    let file = folder.join(format!("jane-migrate.{}.{begin}.snapshot.json", scene.pool));
    let kept = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, kept.replace(":older", ":evil")).unwrap();
    let said = scene.run(1, &["teardown", "--yes", "--force"]).await;
    assert!(
        !said.contains(":evil") && said.contains("or was changed"),
        "{said}"
    );
    std::fs::write(&file, kept).unwrap();

    scene.run(0, &["teardown", "--yes", "--force"]).await;
    let pool = corner.pool(&scene.pool).await;
    assert_eq!(pool["LambdaConfig"]["UserMigration"], before);
    for client in [&scene.client, &mobile] {
        let flows = corner.client(&scene.pool, client).await["ExplicitAuthFlows"].to_string();
        assert!(!flows.contains("USER_PASSWORD_AUTH"), "{flows}");
    }
}

#[tokio::test]
async fn a_function_in_another_account_or_without_the_alias_is_rejected() {
    let scene = Scene::new().await;
    scene.configure(":prod", "");
    scene.make().await;
    scene.configure(":staging", "");
    let said = scene
        .run(1, &["deploy", "--yes", "--enable-password-auth"])
        .await;
    assert!(said.contains("has no alias or version staging"), "{said}");
    let account = &scene.corner.account;
    let file = scene.corner.folder.path().join("migrate.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace(account, "210987654321")).unwrap();
    for command in [&["deploy", "--yes"][..], &["teardown", "--yes"]] {
        let said = scene.run(1, command).await;
        assert!(said.contains("is in account 210987654321"), "{said}");
    }
    // The function itself can also be called, without an alias.
    scene.configure("", "");
    scene
        .run(0, &["deploy", "--yes", "--enable-password-auth"])
        .await;
    scene.run(0, &["verify", "--skip", "jane-connection"]).await;
    scene.run(0, &["teardown", "--yes", "--force"]).await;
}

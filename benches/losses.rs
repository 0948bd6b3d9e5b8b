//! Counts the settings of a pool that change when its migration trigger is set and removed again, by this program and by a script
//! of AWS CLI calls. The pool is the sandbox's demo, which has settings of many kinds. Prints how many settings each method
//! changed besides the trigger.
//!
//!     cargo bench --profile dev --bench losses

#[path = "../tests/it/aws.rs"]
#[expect(dead_code, reason = "the integration tests use all of it")]
mod aws;
#[path = "../tests/it/printed.rs"]
mod printed;
#[path = "../tests/it/support.rs"]
#[expect(dead_code, reason = "the integration tests use all of it")]
mod support;

use std::collections::BTreeMap;
use std::process::Stdio;

use jane_migrate_sandbox::{Demo, Options, Sandbox, Venv};
use serde_json::Value;
use support::{Corner, REGION, cache};
use tokio::process::Command;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let options = Options::new(cache());
        let sandbox = Sandbox::start(&options).await.expect("the sandbox starts");
        for way in [Way::Program, Way::Script] {
            let demo = sandbox.seed().await.expect("the demo");
            measure(&sandbox, &demo, way).await;
        }
        sandbox.stop().await.expect("it ends");
    });
}

#[derive(Clone, Copy)]
enum Way {
    Program,
    Script,
}

async fn measure(sandbox: &Sandbox, demo: &Demo, way: Way) {
    let mut corner = Corner::of(sandbox).await;
    corner.account = sandbox.account_id().to_owned();
    for client in [&demo.web_client, &demo.mobile_client] {
        corner.jane.register_client(client, &demo.pool_id, REGION);
    }
    let before = settings(&corner, demo).await;
    let (name, steps): (_, [Vec<&str>; 2]) = match way {
        Way::Program => (
            "jane-migrate",
            [
                vec!["deploy", "--yes", "--enable-password-auth"],
                vec!["teardown", "--yes", "--force"],
            ],
        ),
        Way::Script => ("AWS CLI script", [vec![SET], vec![TAKE_AWAY]]),
    };
    let mut lines = vec![format!("{name}: {} settings before", before.len())];
    for (step, when) in steps.iter().zip(["with the trigger", "without it again"]) {
        match way {
            Way::Program => {
                let pool = ["--pool", &demo.pool_id];
                corner
                    .run(&[step.as_slice(), &pool].concat())
                    .await
                    .ended(0);
            }
            Way::Script => script(&corner, demo, step[0]).await,
        }
        let after = settings(&corner, demo).await;
        let changed: Vec<&String> = before
            .keys()
            .chain(after.keys().filter(|key| !before.contains_key(*key)))
            .filter(|key| before.get(*key) != after.get(*key))
            .filter(|key| !key.ends_with("/LambdaConfig/UserMigration"))
            .collect();
        lines.push(format!(
            "  {when}: {} other settings changed{}{}",
            changed.len(),
            if changed.is_empty() { "" } else { ": " },
            changed.into_iter().cloned().collect::<Vec<_>>().join(" ")
        ));
    }
    say(&lines.join("\n"));
}

/// Lines of the report go to stdout.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// The settings of the pool and its clients, by path; a list is one setting.
async fn settings(corner: &Corner, demo: &Demo) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    leaves("pool", &corner.pool(&demo.pool_id).await, &mut found);
    for (name, client) in [("web", &demo.web_client), ("mobile", &demo.mobile_client)] {
        leaves(
            name,
            &corner.client(&demo.pool_id, client).await,
            &mut found,
        );
    }
    found.retain(|key, _| !key.ends_with("/LastModifiedDate"));
    found
}

fn leaves(way: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                leaves(&format!("{way}/{name}"), value, found);
            }
        }
        value => {
            found.insert(way.to_owned(), value.clone());
        }
    }
}

async fn script(corner: &Corner, demo: &Demo, text: &str) {
    let python = Venv::install(&cache(), "awscli-1.46.2", "awscli==1.46.2", &|_| ())
        .await
        .expect("the AWS CLI")
        .python();
    let output = Command::new("bash")
        .args(["-euc", text])
        .env("AWS", python.parent().expect("a folder").join("aws"))
        .env("POOL", &demo.pool_id)
        .env("CLIENT", &demo.mobile_client)
        .env(
            "FUNCTION",
            format!(
                "arn:aws:lambda:{REGION}:{}:function:migration",
                corner.account
            ),
        )
        .env("AWS_ENDPOINT_URL", &corner.endpoint)
        .env("AWS_ACCESS_KEY_ID", &corner.account)
        .env("AWS_SECRET_ACCESS_KEY", &corner.secret)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .output()
        .await
        .expect("bash starts");
    assert!(output.status.success(), "{output:#?}");
}

/// The usual commands of web pages about the migration trigger, without the function itself.
const SET: &str = r#"
"$AWS" cognito-idp update-user-pool --user-pool-id "$POOL" --lambda-config "UserMigration=$FUNCTION"
"$AWS" cognito-idp update-user-pool-client --user-pool-id "$POOL" --client-id "$CLIENT" \
    --explicit-auth-flows ALLOW_USER_PASSWORD_AUTH ALLOW_USER_SRP_AUTH ALLOW_REFRESH_TOKEN_AUTH >/dev/null
"#;
const TAKE_AWAY: &str = r#"
"$AWS" cognito-idp update-user-pool --user-pool-id "$POOL" --lambda-config '{}'
"$AWS" cognito-idp update-user-pool-client --user-pool-id "$POOL" --client-id "$CLIENT" \
    --explicit-auth-flows ALLOW_USER_SRP_AUTH ALLOW_REFRESH_TOKEN_AUTH >/dev/null
"#;

//! `[on_migrated]` from end to end: the plan and `try` show the notification, the execution role allows exactly that queue, and a
//! failure is counted by `status` and does not affect the customer.

use jane_migrate_sandbox::wire::KEY_HEADER;
use jane_migrate_sandbox::{Account, AccountKind, Callers, Options, Sandbox};
use serde_json::{Value, json};

use crate::support::{Corner, REGION, cache, http};

const PASSWORD: &str = "Right-Pass-1";

impl Corner {
    /// A call of SQS by the account's root.
    async fn sqs(&self, action: &str, body: Value) -> Value {
        let target = format!("AmazonSQS.{action}");
        let authorization = self.authorization("sqs");
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", target.as_str()),
            ("authorization", authorization.as_str()),
            (KEY_HEADER, self.secret.as_str()),
        ];
        let body = body.to_string();
        let (status, answer) = http(&self.endpoint, "POST", "/", &headers, body.as_bytes()).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        assert_eq!(status, 200, "{action}: {answer}");
        answer
    }

    async fn migrates(&self, client: &str, user: &str) {
        let body = json!({
            "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client,
            "AuthParameters": { "USERNAME": user, "PASSWORD": PASSWORD },
        });
        let (status, answer) = self.try_cognito("InitiateAuth", body).await;
        assert_eq!(status, 200, "{user}: {answer}");
    }
}

#[tokio::test]
async fn a_queue_gets_the_notification_with_a_role_for_this_queue_only() {
    let options = Options {
        role_age: std::time::Duration::from_millis(300),
        callers: Callers::Checked,
        ..Options::new(cache())
    };
    let sandbox = Sandbox::start(&options).await.expect("a sandbox");
    let corner = Corner::of(&sandbox).await;
    let pool = corner.create_pool(json!({})).await;
    let client = corner.create_client(&pool, json!({})).await;
    let created = corner.sqs("CreateQueue", json!({ "QueueName": "migrated" }));
    let queue = created.await["QueueUrl"].take();
    corner
        .sqs("CreateQueue", json!({ "QueueName": "another" }))
        .await;
    let arn = |name: &str| format!("arn:aws:sqs:{REGION}:{}:{name}", corner.account);
    let queue_named = |name: &str| {
        format!(
            "[on_migrated]\nqueue = \"{}\"\ntimeout_ms = 3000\n",
            arn(name)
        )
    };
    corner.configure(&queue_named("migrated"));
    for name in ["ada", "bob", "eve"] {
        let address = format!("{name}@example.com");
        let account = Account::new(AccountKind::Password, &address, Some(PASSWORD));
        corner.jane.add_account(account);
    }

    let planned = corner.run(&["plan", "--pool", &pool]).await;
    let shown = "tells of each migration by a message to queue migrated";
    assert!(planned.stdout.contains(shown), "{planned:#?}");
    corner.deploy(&pool).await;
    let role = format!("jane-migrate-{pool}");
    let aws = corner.aws().await;
    let policies = async || {
        aws.inline_policies(&role)
            .await
            .expect("the role's policies")
    };
    let statements = |policy: &Value| policy["Statement"].as_array().unwrap().clone();
    let before = policies().await;
    let (name, policy) = before.iter().next().expect("a policy");
    let of_sqs: Vec<Value> = statements(policy)
        .into_iter()
        .filter(|statement| statement["Action"].to_string().contains("sqs"))
        .collect();
    assert_eq!(of_sqs.len(), 1, "{policy}");
    assert_eq!(
        (&of_sqs[0]["Action"], &of_sqs[0]["Resource"]),
        (&json!("sqs:SendMessage"), &json!(arn("migrated")))
    );

    let attempt = [
        "try",
        "--pool",
        &pool,
        "--user",
        "ada@example.com",
        "--forgot-password",
    ];
    let tried = corner.run(&attempt).await.ended(0);
    assert!(tried.stdout.contains("on_migrated checked"), "{tried:#?}");
    assert!(
        tried.stdout.contains("username = ada@example.com"),
        "{tried:#?}"
    );
    let received = async || -> Vec<Value> {
        let query = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10 });
        let answer = corner.sqs("ReceiveMessage", query).await;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        let bodies = messages
            .iter()
            .map(|message| message["Body"].as_str().expect("a body"));
        bodies
            .map(|body| serde_json::from_str(body).expect("JSON"))
            .collect()
    };
    assert_eq!(
        received().await,
        [] as [Value; 0],
        "a test sends no notification"
    );

    corner.migrates(&client, "ada@example.com").await;
    let whole = json!({ "userPoolId": pool, "clientId": client, "username": "ada@example.com" });
    assert_eq!(received().await, [whole]);

    // Another queue, for which an operator removed the permission: the customer migrates, and verify and status report what is
    // wrong.
    corner.configure(&queue_named("another"));
    corner.deploy(&pool).await;
    let mut policy = policies().await.remove(name).expect("the policy");
    let kept = statements(&policy).into_iter();
    let kept: Vec<Value> = kept
        .filter(|statement| !statement["Action"].to_string().contains("sqs"))
        .collect();
    policy["Statement"] = kept.into();
    aws.put_role_policy(&role, name, &policy).await;
    corner.migrates(&client, "bob@example.com").await;
    let status = corner
        .run(&["status", "--pool", &pool, "--json"])
        .await
        .ended(0);
    let status = status.json();
    assert_eq!(
        status["on_migrated"],
        json!({ "sent": 1, "denied": 1 }),
        "{status}"
    );
    assert_eq!(
        (&status["migrated"], &status["failed"]),
        (&json!(2), &json!(0))
    );
    let status = corner.run(&["status", "--pool", &pool]).await.ended(0);
    let line = "Notified of a migration ([on_migrated]): 1. Not notified: denied (1).";
    assert!(status.stdout.contains(line), "{status:#?}");
    let verified = corner
        .run(&["verify", "--pool", &pool, "--json"])
        .await
        .ended(1);
    assert!(verified.stdout.contains("sqs:SendMessage"), "{verified:#?}");
    corner.deploy(&pool).await;
    corner.migrates(&client, "eve@example.com").await;
    let status = corner
        .run(&["status", "--pool", &pool, "--json"])
        .await
        .ended(0);
    assert_eq!(
        status.json()["on_migrated"],
        json!({ "sent": 2, "denied": 1 })
    );
    sandbox.stop().await.expect("stopped");
}

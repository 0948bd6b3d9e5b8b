//! Notifications to Jane about the pool's users, and who may sign up: with the deployed function, from the
//! customer's side.

use jane_migrate_sandbox::wire::KEY_HEADER;
use jane_migrate_sandbox::{Fault, JaneCall};
use serde_json::{Value, json};

use crate::support::{Corner, http};

const BOTH: &str = "[triggers]\npre_sign_up = true\npost_confirmation = true\n";

/// A deployment with these lines of its configuration; its pool and app client.
async fn deployed(more: &str) -> (Corner, String, String) {
    let corner = Corner::new().await;
    corner.add_accounts();
    corner.configure(more);
    let (pool, client) = corner.deployed().await;
    (corner, pool, client)
}

impl Corner {
    async fn signs_in(&self, client: &str, user: &str) -> (u16, Value) {
        let body = json!({
            "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client,
            "AuthParameters": { "USERNAME": user, "PASSWORD": "Right-Pass-1" },
        });
        self.try_cognito("InitiateAuth", body).await
    }

    async fn signs_up(&self, client: &str, user: &str, birthdate: &str) -> (u16, Value) {
        let body = json!({
            "ClientId": client, "Username": user, "Password": "Right-Pass-1",
            "UserAttributes": [{ "Name": "birthdate", "Value": birthdate }],
        });
        self.try_cognito("SignUp", body).await
    }

    /// The name and the attributes of a user in the pool.
    async fn user(&self, pool: &str, user: &str) -> Option<(String, Value)> {
        let body = json!({ "UserPoolId": pool, "Username": user });
        let (status, user) = self.try_cognito("AdminGetUser", body).await;
        let attributes = user["UserAttributes"].as_array().cloned();
        let attributes = attributes.unwrap_or_default().into_iter().map(|attribute| {
            let name = attribute["Name"].as_str().expect("a name").to_owned();
            (name, attribute["Value"].clone())
        });
        let name = user["Username"].as_str().unwrap_or_default().to_owned();
        (status == 200).then(|| (name, Value::Object(attributes.collect())))
    }

    fn jane_was_told(&self) -> Vec<Value> {
        self.jane.told().told()
    }
}

fn refused(answer: &(u16, Value), message: &str) {
    assert_eq!(answer.0, 400, "{answer:?}");
    assert_eq!(
        answer.1["__type"], "UserLambdaValidationException",
        "{answer:?}"
    );
    assert_eq!(answer.1["message"], message, "{answer:?}");
}

#[tokio::test]
async fn jane_is_notified_of_each_migrated_customer_or_the_migration_fails() {
    let (corner, pool, client) = deployed(BOTH).await;
    let ensure = JaneCall::EnsureExternalUserExists;
    corner.jane.set_fault(ensure, Some(Fault::Status(500)));
    let failed = corner.signs_in(&client, "ada@example.com").await;
    refused(
        &failed,
        "PreSignUp failed with error Sign-in is not possible right now.",
    );
    assert_eq!(corner.user(&pool, "ada@example.com").await, None);
    assert_eq!(corner.jane_was_told(), [] as [Value; 0]);

    corner.jane.set_fault(ensure, None);
    let tokens = corner.jane.count(JaneCall::Token);
    for _ in 0..2 {
        let (status, answer) = corner.signs_in(&client, "ada@example.com").await;
        assert_eq!(status, 200, "{answer}");
    }
    let (name, _) = corner.user(&pool, "ada@example.com").await.expect("Ada");
    let others = json!({});
    assert_eq!(
        corner.jane_was_told(),
        [json!({ "call": "ensure_external_user_exists", "body": {
            "pool_id": pool, "external_id": name, "email": "ada@example.com", "user_attributes": others,
        } })]
    );
    assert_eq!(
        corner.jane.count(JaneCall::Token),
        tokens,
        "the token is kept"
    );
}

#[tokio::test]
async fn a_stranger_cannot_sign_up_with_a_customers_address_and_a_new_customer_can() {
    let (corner, pool, client) = deployed(BOTH).await;
    for spelling in ["ada@example.com", "Ada@Example.com"] {
        let stranger = corner.signs_up(&client, spelling, "1990-01-31").await;
        refused(
            &stranger,
            "PreSignUp failed with error User already exists, please log in.",
        );
        assert_eq!(corner.user(&pool, spelling).await, None);
    }
    let young = corner
        .signs_up(&client, "new@example.com", "2015-01-31")
        .await;
    refused(
        &young,
        "PreSignUp failed with error birth date must be before 2010.",
    );
    assert_eq!(corner.jane_was_told(), [] as [Value; 0]);

    // Jane confirms sign-ups itself, so the account exists at once.
    let (status, answer) = corner
        .signs_up(&client, "new@example.com", "1990-01-31")
        .await;
    assert_eq!(
        (status, &answer["UserConfirmed"]),
        (200, &json!(true)),
        "{answer}"
    );
    let (name, attributes) = corner
        .user(&pool, "new@example.com")
        .await
        .expect("the customer");
    assert_eq!(attributes["email_verified"], "true");
    assert_eq!(
        corner.jane_was_told(),
        [json!({ "call": "create_user", "body": {
            "pool_id": pool, "external_id": name, "app_client_id": client, "email": "new@example.com",
            "birth_date": "1990-01-31", "user_attributes": {},
        } })]
    );
    let (status, answer) = corner.signs_in(&client, "new@example.com").await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_customer_of_the_old_menu_with_google_gets_janes_profile() {
    let (corner, pool, client) = deployed(BOTH).await;
    let path = format!(
        "/_sandbox/federated?pool={pool}&client={client}&provider=Google&subject=117&email=sso@example.com"
    );
    let headers = [(KEY_HEADER, &*corner.secret)];
    let (status, answer) = http(&corner.endpoint, "GET", &path, &headers, b"").await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert_eq!(status, 200, "{answer}");
    let (_, attributes) = corner
        .user(&pool, "google_117")
        .await
        .expect("the customer");
    assert_eq!(
        json!([
            attributes["given_name"],
            attributes["family_name"],
            attributes["phone_number"],
            attributes["email_verified"]
        ]),
        json!(["Demo", "Customer", "+12065550100", "true"]),
        "{attributes}"
    );
    let notified = corner.jane_was_told();
    assert_eq!(
        (&notified[0]["call"], &notified[0]["body"]["external_id"]),
        (&json!("create_user"), &json!("google_117"))
    );
    assert_eq!(notified.len(), 1);
}

#[tokio::test]
async fn after_a_teardown_of_the_migration_jane_is_notified_of_new_customers() {
    let (corner, pool, client) = deployed(BOTH).await;
    corner
        .run(&["teardown", "--pool", &pool, "--yes", "--force"])
        .await
        .ended(0);
    let (status, answer) = corner.signs_in(&client, "ada@example.com").await;
    assert_eq!(status, 400, "no user migrates any more: {answer}");
    let (status, answer) = corner
        .signs_up(&client, "new@example.com", "1990-01-31")
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(corner.jane_was_told().len(), 1);
}

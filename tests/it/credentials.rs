//! Credentials as companies have them, each from a stand-in of where they come from, and the way out through a proxy and its certificate.

use serde_json::{Value, json};

use crate::server::{Reply, Request, Server};
use crate::support::{Corner, sandbox};

/// A corner whose environment has no key, with a pool, and the key that AWS takes.
async fn scene(config: &str) -> (Corner, String, [String; 2]) {
    let mut corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    corner.create_client(&pool, json!({})).await;
    let secret = sandbox().await.secret_key().to_owned();
    let file = corner.folder.path().join("aws-config");
    let keys = [corner.account.clone(), secret];
    let config = config
        .replace("KEY_ID", &keys[0])
        .replace("SECRET", &keys[1]);
    std::fs::write(&file, config).expect("written");
    let home = corner.folder.path().display().to_string();
    corner.environment = vec![
        ("AWS_ACCESS_KEY_ID".into(), String::new()),
        ("AWS_SECRET_ACCESS_KEY".into(), String::new()),
        ("AWS_CONFIG_FILE".into(), file.display().to_string()),
        ("HOME".into(), home),
    ];
    (corner, pool, keys)
}

impl Corner {
    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.push((name.to_owned(), value.into()));
    }

    async fn plans(&self, pool: &str, more: &[&str]) {
        let plan = [&["plan", "--pool", pool], more].concat();
        self.run(&plan).await.ended(0);
    }
}

/// What STS answers to these calls: the keys.
fn sts(keys: [String; 2]) -> Server {
    Server::start(move |request: &Request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let action = body
            .split('&')
            .find_map(|pair| pair.strip_prefix("Action="));
        let action = action.unwrap_or_default();
        let [id, secret] = &keys;
        let answer = format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
             <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>token</SessionToken>\
             <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>"
        );
        Reply::Answer(
            200,
            vec![("content-type".into(), "text/xml".into())],
            answer.into_bytes(),
        )
    })
}

#[tokio::test]
async fn a_credential_process_and_a_chain_of_roles() {
    let (mut corner, pool, keys) = scene(
        "[profile process]\ncredential_process = printf '{\"Version\":1,\"AccessKeyId\":\"KEY_ID\",\"SecretAccessKey\":\"SECRET\"}'\n\
         [profile base]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = another\n\
         [profile middle]\nrole_arn = arn:aws:iam::123456789012:role/middle\nsource_profile = base\n\
         [profile end]\nrole_arn = arn:aws:iam::123456789012:role/end\nsource_profile = middle\n",
    )
    .await;
    corner.plans(&pool, &["--profile", "process"]).await;
    let sts = sts(keys);
    corner.set("AWS_ENDPOINT_URL_STS", sts.url());
    corner.plans(&pool, &["--profile", "end"]).await;
    let asked: Vec<String> = sts
        .requests()
        .iter()
        .map(|request| String::from_utf8_lossy(&request.body).into_owned())
        .collect();
    let role = |name: &str| {
        asked
            .iter()
            .position(|one| one.contains(&format!("role%2F{name}")))
    };
    assert!(
        role("middle").is_some() && role("middle") < role("end"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_container_and_a_web_identity() {
    let (mut corner, pool, keys) = scene("").await;
    let [id, secret] = keys.clone();
    let container = Server::start(move |_| {
        let keys: Value = json!({ "AccessKeyId": id, "SecretAccessKey": secret, "Token": "token", "Expiration": "2099-01-01T00:00:00Z" });
        Reply::json(200, keys)
    });
    let asked = corner.environment.len();
    corner.set(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        format!("{}/role", container.url()),
    );
    corner.plans(&pool, &[]).await;
    assert!(!container.requests().is_empty());
    corner.environment.truncate(asked);

    let token = corner.folder.path().join("token");
    std::fs::write(&token, "a.web.token").expect("written");
    let sts = sts(keys);
    corner.set("AWS_ENDPOINT_URL_STS", sts.url());
    corner.set("AWS_WEB_IDENTITY_TOKEN_FILE", token.display().to_string());
    corner.set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pipeline");
    corner.plans(&pool, &[]).await;
    let body = String::from_utf8_lossy(&sts.requests()[0].body).into_owned();
    assert!(body.contains("WebIdentityToken=a.web.token"), "{body}");
}

#[tokio::test]
async fn aws_is_known_by_the_bundle_and_by_nothing_else() {
    let mut corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    let other =
        Server::start_tls(|_| Reply::json(400, json!({ "__type": "ResourceNotFoundException" })));
    let url = other.url();
    let plan = ["plan", "--pool", &pool, "--endpoint-url", &url];
    let file = corner.folder.path().join("bundle.pem");
    let name = file.display().to_string();
    corner.set("AWS_CA_BUNDLE", &name);
    let said = corner.run(&plan).await.ended(1).stderr;
    assert!(
        said.contains("failed to read the certificates of AWS_CA_BUNDLE"),
        "{said}"
    );
    std::fs::write(
        &file,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .expect("written");
    let said = corner.run(&plan).await.ended(1).stderr;
    assert!(
        said.contains("failed to read the certificates of AWS_CA_BUNDLE"),
        "{said}"
    );
    assert!(other.requests().is_empty());
    std::fs::write(&file, other.certificate.as_deref().unwrap_or_default()).expect("written");
    corner.run(&plan).await.ended(1);
    assert!(!other.requests().is_empty());
    // Another authority than that of the bundle.
    let stranger = Server::start_tls(|_| Reply::json(200, json!({})));
    let url = stranger.url();
    let said = corner
        .run(&["plan", "--pool", &pool, "--endpoint-url", &url])
        .await;
    let said = said.ended(1).stderr;
    assert!(said.contains("none of its certificates vouches"), "{said}");
}

#[tokio::test]
async fn a_proxy_is_used_but_for_the_hosts_of_no_proxy() {
    let mut corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    corner.create_client(&pool, json!({})).await;
    let proxy = Server::start(|_| Reply::status(502));
    corner.set("HTTP_PROXY", proxy.url());
    corner.run(&["plan", "--pool", &pool]).await.ended(1);
    let used = proxy.requests().len();
    assert!(used > 0);
    // What goes out by TLS asks for a tunnel.
    corner.set("HTTPS_PROXY", proxy.url());
    let aws = [
        "plan",
        "--pool",
        &pool,
        "--endpoint-url",
        "https://aws.example.com",
    ];
    corner.run(&aws).await.ended(1);
    assert!(
        proxy.requests()[used..]
            .iter()
            .any(|request| request.method == "CONNECT")
    );
    proxy.forget();
    corner.set("NO_PROXY", "127.0.0.1,localhost");
    corner.plans(&pool, &[]).await;
    assert!(proxy.requests().is_empty(), "{:?}", proxy.paths());
}

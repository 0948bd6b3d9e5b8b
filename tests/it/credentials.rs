//! The usual sources of credentials in companies, each simulated, and the path through a proxy with its certificate.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::server::{Reply, Request, Server};
use crate::support::{Corner, sandbox};
use crate::terminal::Terminal;

/// A test environment without a key in its variables, with a pool, and the key that AWS accepts.
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

/// STS's responses to these calls: the keys, and an error for a wrong code.
fn sts(keys: [String; 2]) -> Server {
    Server::start(move |request: &Request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        if body.contains("TokenCode=") && !body.contains(&format!("TokenCode={CODE}")) {
            let refused = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>MultiFactorAuthentication \
                           failed with invalid MFA one time pass code. </Message></Error></ErrorResponse>";
            return Reply::Answer(403, Vec::new(), refused.into());
        }
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

/// The code of the MFA device.
const CODE: &str = "918273";

#[tokio::test]
async fn credentials_come_from_a_process_and_a_chain_of_roles() {
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
async fn credentials_come_from_a_container_and_a_web_identity() {
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
async fn with_a_ca_bundle_no_other_authority_is_trusted() {
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
    // Another authority than the bundle's.
    let stranger = Server::start_tls(|_| Reply::json(200, json!({})));
    let url = stranger.url();
    let said = corner
        .run(&["plan", "--pool", &pool, "--endpoint-url", &url])
        .await;
    let said = said.ended(1).stderr;
    assert!(said.contains("none of its certificates vouches"), "{said}");
}

#[tokio::test]
async fn a_proxy_is_used_except_for_hosts_in_no_proxy() {
    let mut corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    corner.create_client(&pool, json!({})).await;
    let proxy = Server::start(|_| Reply::status(502));
    corner.set("HTTP_PROXY", proxy.url());
    corner.run(&["plan", "--pool", &pool]).await.ended(1);
    let used = proxy.requests().len();
    assert!(used > 0);
    // TLS connections use a tunnel.
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

/// The access token from `aws sso login`, in the cache's file of the session or of the start URL; and further fields of that
/// file.
fn sso_token(corner: &Corner, file: &str, expires: &str, more: Value) {
    let cache = corner.folder.path().join(".aws/sso/cache");
    std::fs::create_dir_all(&cache).expect("a folder");
    let mut token = json!({ "accessToken": "an-sso-token", "expiresAt": expires });
    for (key, value) in more.as_object().into_iter().flatten() {
        token[key] = value.clone();
    }
    std::fs::write(cache.join(file), token.to_string()).expect("written");
}

/// The access portal, which returns the keys for this token.
fn portal(token: &'static str, [id, secret]: [String; 2]) -> Server {
    Server::start(move |request: &Request| {
        if request.header("x-amz-sso_bearer_token") != token {
            let refused = json!({ "__type": "UnauthorizedException", "message": "Session token not found or invalid" });
            return Reply::json(401, refused);
        }
        let keys = json!({ "accessKeyId": id, "secretAccessKey": secret, "sessionToken": "a-session-token", "expiration": 4_070_908_800_000_i64 });
        Reply::json(200, json!({ "roleCredentials": keys }))
    })
}

const SSO: &str = "[sso-session company]\nsso_start_url = https://company.awsapps.com/start\nsso_region = us-east-1\n\
    [profile shop]\nsso_session = company\nsso_account_id = 123456789012\nsso_role_name = Deployer\n\
    [profile old]\nsso_start_url = https://company.awsapps.com/start\nsso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = Deployer\n";

/// The cache's files, named after the session's name or the start URL.
const OF_SESSION: &str = "71b21161ffa1e6516bcc072aaf5ef38cbe85b511.json";
const OF_URL: &str = "b7037568a7e4f6fba9450af24427009b78703b33.json";

#[tokio::test]
async fn an_sso_session_is_used_and_renewed() {
    let (mut corner, pool, keys) = scene(SSO).await;
    let before = corner.environment.len();
    sso_token(&corner, OF_SESSION, "2099-01-01T00:00:00Z", json!({}));
    sso_token(&corner, OF_URL, "2099-01-01T00:00:00Z", json!({}));
    let portal = portal("an-sso-token", keys.clone());
    corner.set("AWS_ENDPOINT_URL_SSO", portal.url());
    for profile in ["shop", "old"] {
        let plan = ["plan", "--verbose", "--pool", &pool, "--profile", profile];
        let ran = corner.run(&plan).await.ended(0);
        let shown = format!("{}{}", ran.stdout, ran.stderr);
        let secrets = [keys[1].as_str(), "an-sso-token", "a-session-token"];
        assert!(
            !secrets.iter().any(|secret| shown.contains(secret)),
            "{shown}"
        );
    }
    let asked = &portal.requests()[0];
    assert!(
        asked.path.contains("role_name=Deployer") && asked.path.contains("account_id=123456789012"),
        "{asked:?}"
    );
    corner.environment.truncate(before);

    let renewable = json!({
        "clientId": "client", "clientSecret": "a-client-secret", "refreshToken": "a-refresh-token", "registrationExpiresAt": "2099-01-01T00:00:00Z",
    });
    sso_token(&corner, OF_SESSION, "2020-01-01T00:00:00Z", renewable);
    let login = Server::start(|_| {
        let token =
            json!({ "accessToken": "a-new-token", "expiresIn": 3600, "tokenType": "Bearer" });
        Reply::json(200, token)
    });
    let portal = self::portal("a-new-token", keys);
    corner.set("AWS_ENDPOINT_URL_SSO", portal.url());
    corner.set("AWS_ENDPOINT_URL_SSO_OIDC", login.url());
    corner.plans(&pool, &["--profile", "shop"]).await;
    assert_eq!(
        login.requests()[0].json()["refreshToken"],
        "a-refresh-token"
    );
}

#[tokio::test]
async fn an_expired_sso_session_names_the_login_command() {
    let (mut corner, pool, keys) = scene(SSO).await;
    let portal = portal("another-token", keys);
    corner.set("AWS_ENDPOINT_URL_SSO", portal.url());
    let said = async |corner: &Corner, profile: &str| {
        let plan = ["plan", "--pool", &pool, "--profile", profile];
        let said = corner.run(&plan).await.ended(1).stderr;
        assert!(
            said.contains(&format!("`aws sso login --profile {profile}`")),
            "{said}"
        );
        assert!(!said.contains("an-sso-token"), "{said}");
    };
    // Never logged in, expired, and no longer accepted by the portal.
    for profile in ["shop", "old"] {
        said(&corner, profile).await;
    }
    sso_token(&corner, OF_SESSION, "2020-01-01T00:00:00Z", json!({}));
    said(&corner, "shop").await;
    sso_token(&corner, OF_SESSION, "2099-01-01T00:00:00Z", json!({}));
    sso_token(&corner, OF_URL, "2099-01-01T00:00:00Z", json!({}));
    for profile in ["shop", "old"] {
        said(&corner, profile).await;
    }
}

const MFA: &str = "[profile base]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = another-secret\n\
    [profile middle]\nrole_arn = arn:aws:iam::123456789012:role/middle\nsource_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/ann\n\
    [profile end]\nrole_arn = arn:aws:iam::123456789012:role/end\nsource_profile = middle\n";

/// The bodies of the AssumeRole requests, by the role's name.
fn assumed(sts: &Server) -> Vec<(String, String)> {
    let read = |request: &Request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let role = body
            .split("role%2F")
            .nth(1)
            .and_then(|rest| rest.split('&').next());
        (role.unwrap_or_default().to_owned(), body)
    };
    sts.requests().iter().map(read).collect()
}

#[tokio::test]
async fn one_mfa_code_serves_all_pools_of_the_role() {
    let (mut corner, pool, keys) = scene(MFA).await;
    let other = corner.create_pool(json!({})).await;
    corner.create_client(&other, json!({})).await;
    let sts = sts(keys.clone());
    corner.set("AWS_ENDPOINT_URL_STS", sts.url());
    // Another connection, with one more role.
    corner.configure(&format!(
        "[[pool]]\nid = \"{pool}\"\nprofile = \"end\"\n[[pool]]\nid = \"{other}\"\nprofile = \"end\"\nrole_arn = \"arn:aws:iam::210987654321:role/far\"\n"
    ));
    let mut terminal = Terminal::start(&corner, 100, &["plan", "--verbose"]);
    terminal
        .until("MFA code of arn:aws:iam::123456789012:mfa/ann, for profile end:")
        .await;
    terminal.until_hidden().await;
    terminal.types(CODE);
    let (code, shown) = terminal.ended().await;
    assert_eq!(code, 0, "{shown}");
    assert_eq!(shown.matches("MFA code of").count(), 1, "{shown}");
    for secret in [CODE, &keys[1], "another-secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let assumed = assumed(&sts);
    let roles: Vec<&str> = assumed.iter().map(|(role, _)| role.as_str()).collect();
    assert_eq!(roles, ["middle", "end", "far"]);
    let with_code = |body: &str| body.contains("SerialNumber=arn") && body.contains("TokenCode=");
    let asked: Vec<bool> = assumed.iter().map(|(_, body)| with_code(body)).collect();
    assert_eq!(asked, [true, false, false]);
}

#[tokio::test]
async fn without_a_terminal_or_with_a_wrong_mfa_code_there_is_a_hint() {
    let (mut corner, pool, keys) = scene(MFA).await;
    let sts = sts(keys);
    corner.set("AWS_ENDPOINT_URL_STS", sts.url());
    let plan = ["plan", "--pool", &pool, "--profile", "end"];
    let said = corner.run(&plan).await.ended(1).stderr;
    assert!(said.contains("mfa/ann, and there is no terminal"), "{said}");
    assert!(
        said.contains("aws configure export-credentials --format env --profile end"),
        "{said}"
    );
    assert!(sts.requests().is_empty());
    let mut terminal = Terminal::start(&corner, 200, &plan);
    terminal.until("MFA code of").await;
    terminal.until_hidden().await;
    terminal.types("654321");
    let (code, shown) = terminal.ended().await;
    assert!(
        code == 1 && shown.contains("type the code that the MFA device shows now"),
        "{shown}"
    );
    assert!(!shown.contains("654321"), "{shown}");
}

/// After an answered prompt, Ctrl-C works for the command again.
#[tokio::test]
async fn after_the_mfa_prompt_a_signal_stops_the_command_normally() {
    let (mut corner, pool, keys) = scene(MFA).await;
    let profiles = std::mem::take(&mut corner.environment);
    corner.deploy(&pool).await;
    corner.environment = profiles;
    let sts = sts(keys);
    corner.set("AWS_ENDPOINT_URL_STS", sts.url());
    let watch = ["status", "--pool", &pool, "--profile", "end", "--watch=1"];
    let mut terminal = Terminal::start(&corner, 80, &watch);
    terminal.until("MFA code of").await;
    terminal.until_hidden().await;
    terminal.types(CODE);
    terminal.until("q ends it").await;
    terminal.signal(rustix::process::Signal::INT);
    let (code, shown) = terminal.ended().await;
    assert_eq!(code, 0, "{shown}");
}

/// The file of `aws login` for a session: credentials that are valid until then, and the data to renew them.
fn login_token(corner: &Corner, [id, secret]: &[String; 2], expires: &str) {
    let cache = corner.folder.path().join(".aws/login/cache");
    std::fs::create_dir_all(&cache).expect("a folder");
    // The key in SEC1 form is the end of its PKCS #8 form.
    let key = rcgen::KeyPair::generate().expect("a key").serialize_der();
    let key = BASE64.encode(&key[key.len() - 109..]);
    // Lines of 64 characters, as the format requires.
    let key: Vec<&str> = (0..key.len())
        .step_by(64)
        .map(|at| &key[at..key.len().min(at + 64)])
        .collect();
    let key = key.join("\n");
    let token = json!({
        "accessToken": {
            "accessKeyId": id, "secretAccessKey": secret, "sessionToken": "a-session-token",
            "accountId": "123456789012", "expiresAt": expires,
        },
        "tokenType": "aws_sigv4",
        "refreshToken": "a-refresh-token",
        "clientId": "arn:aws:signin:::devtools/same-device",
        "dpopKey": format!("-----BEGIN EC PRIVATE KEY-----\n{key}\n-----END EC PRIVATE KEY-----\n"),
    });
    std::fs::write(cache.join(OF_LOGIN), token.to_string()).expect("written");
}

/// The cache's file, named after the session.
const OF_LOGIN: &str = "143b1fc18f5ca9bb89e81d9a77fe53029e237039039ccab734b6fb08284f7780.json";

#[tokio::test]
async fn an_aws_login_session_is_used_and_renewed_and_its_end_is_reported() {
    let config = "[profile console]\nlogin_session = arn:aws:iam::123456789012:user/ann\nregion = us-east-1\n";
    let (mut corner, pool, keys) = scene(config).await;
    let plan = ["plan", "--verbose", "--pool", &pool, "--profile", "console"];
    let next = "`aws login --profile console`";
    let said = corner.run(&plan).await.ended(1).stderr;
    assert!(said.contains(next), "{said}");

    login_token(&corner, &keys, "2099-01-01T00:00:00Z");
    corner.run(&plan).await.ended(0);

    login_token(&corner, &["A".into(), "b".into()], "2020-01-01T00:00:00Z");
    let [id, secret] = keys.clone();
    let signin = Server::start(move |_| {
        let token = json!({ "accessKeyId": id, "secretAccessKey": secret, "sessionToken": "another-token" });
        Reply::json(
            200,
            json!({ "accessToken": token, "tokenType": "aws_sigv4", "expiresIn": 900, "refreshToken": "the-next" }),
        )
    });
    let asked = corner.environment.len();
    corner.set("AWS_ENDPOINT_URL_SIGNIN", signin.url());
    let ran = corner.run(&plan).await.ended(0);
    let renewal = &signin.requests()[0];
    assert_eq!(renewal.json()["refreshToken"], "a-refresh-token");
    assert!(!renewal.header("dpop").is_empty(), "{renewal:?}");
    let shown = format!("{}{}", ran.stdout, ran.stderr);
    for secret in [
        keys[1].as_str(),
        "a-refresh-token",
        "another-token",
        "the-next",
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
    corner.environment.truncate(asked);

    login_token(&corner, &keys, "2020-01-01T00:00:00Z");
    let over = Server::start(|_| {
        let refused = json!({ "__type": "AccessDeniedException", "error": "TOKEN_EXPIRED", "message": "The token has expired" });
        Reply::json(403, refused)
    });
    corner.set("AWS_ENDPOINT_URL_SIGNIN", over.url());
    let said = corner.run(&plan).await.ended(1).stderr;
    assert!(
        said.contains(next) && !said.contains("a-refresh-token"),
        "{said}"
    );
}

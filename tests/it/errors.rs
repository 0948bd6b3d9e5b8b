//! The most likely failures, each caused in a real run of the program, and its output: one transcript each, with the hint.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use jane_migrate_test_kit::{Fate, Proxy, write_program};
use serde_json::json;

use crate::server::{Reply, Server};
use crate::support::{Corner, Ran};
use crate::transcript::assert_transcript;

/// A test environment with a pool and a client, in which a deploy would succeed.
async fn ready() -> (Corner, String) {
    let corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    corner.create_client(&pool, json!({})).await;
    (corner, pool)
}

/// AWS's endpoint, with one action rejected.
async fn refusing(
    corner: &Corner,
    action: &'static str,
    status: u16,
    code: &'static str,
    message: &'static str,
) -> Proxy {
    Proxy::start(&corner.endpoint, move |passing| {
        match passing.action == action {
            true => Fate::Refuse(status, code, message),
            false => Fate::Pass,
        }
    })
    .await
    .expect("the proxy starts")
}

/// Checks the error's text, without values that differ between runs.
#[track_caller]
fn assert_told(name: &str, ran: &Ran, corner: &Corner, pool: &str) {
    assert_eq!(ran.code, 1, "{name}: {ran:#?}");
    assert_error(name, ran, corner, pool);
}

/// The same with any exit code.
#[track_caller]
fn assert_error(name: &str, ran: &Ran, corner: &Corner, pool: &str) {
    let from = ran.stderr.find("error: ");
    let shown = &ran.stderr[from.unwrap_or_else(|| panic!("{name}: no error: {ran:#?}"))..];
    assert!(shown.contains("\nhint: "), "{name}: no hint: {shown}");
    let folder = corner.folder.path().display().to_string();
    let mut shown = shown
        .replace(&folder, "FOLDER")
        .replace(pool, "us-west-2_AbCdEf123")
        .replace(&corner.account, "123456789012");
    for (before, kept) in [("127.0.0.1:", "PORT"), ("(request id ", "ID")] {
        shown = shown
            .split(before)
            .enumerate()
            .map(|(index, part)| match index {
                0 => part.to_owned(),
                _ => {
                    let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
                    format!("{before}{kept}{}", &part[end.unwrap_or(part.len())..])
                }
            })
            .collect();
    }
    assert_transcript(&format!("errors/{name}"), &shown);
}

/// Plans with an endpoint that rejects every call of one action.
async fn assert_refusal_told(
    name: &str,
    (corner, pool): &(Corner, String),
    refusal: (&'static str, u16, &'static str, &'static str),
) {
    let (action, status, code, message) = refusal;
    let proxy = refusing(corner, action, status, code, message).await;
    let ran = corner
        .run(&["plan", "--pool", pool, "--endpoint-url", &proxy.url()])
        .await;
    assert_told(name, &ran, corner, pool);
}

#[tokio::test]
async fn errors_about_missing_credentials() {
    let (mut corner, pool) = ready().await;
    let home = corner.folder.path().to_owned();
    let aws = home.join(".aws");
    std::fs::create_dir_all(aws.join("sso/cache")).expect("a folder");
    std::fs::write(
        aws.join("config"),
        "[profile shop]\nsso_session = shop\nsso_account_id = 123456789012\nsso_role_name = Operator\n\
         [sso-session shop]\nsso_region = us-west-2\nsso_start_url = https://shop.example.com/start\n\
         [profile guarded]\nrole_arn = arn:aws:iam::123456789012:role/operator\nsource_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/ada\n\
         [profile laptop]\nlogin_session = arn:aws:iam::123456789012:user/ada\n\
         [profile base]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = secret\n",
    )
    .expect("written");
    // Its name is the SHA-1 of the session's name.
    std::fs::write(
        aws.join("sso/cache/5042d146667518a1a5017644946b8650aafca44c.json"),
        r#"{"startUrl": "https://shop.example.com/start", "region": "us-west-2", "accessToken": "t", "expiresAt": "2024-01-01T00:00:00Z"}"#,
    )
    .expect("written");
    corner.environment = vec![
        ("HOME".into(), home.display().to_string()),
        ("AWS_ACCESS_KEY_ID".into(), String::new()),
        ("AWS_SECRET_ACCESS_KEY".into(), String::new()),
    ];
    let plan = ["plan", "--pool", &pool];
    let ran = corner.run(&plan).await;
    assert_told("no-credentials", &ran, &corner, &pool);
    let ran = corner
        .run(&[&plan[..], &["--profile", "shop"]].concat())
        .await;
    assert_told("sso-session-expired", &ran, &corner, &pool);
    let ran = corner
        .run(&[&plan[..], &["--profile", "nobody"]].concat())
        .await;
    assert_told("no-such-profile", &ran, &corner, &pool);
    let ran = corner
        .run(&[&plan[..], &["--profile", "laptop"]].concat())
        .await;
    assert_told("login-profile", &ran, &corner, &pool);
    let metadata = Server::start(|_| Reply::status(403));
    let asked = corner.environment.len();
    corner.environment.extend([
        ("AWS_EC2_METADATA_DISABLED".into(), "false".into()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT".into(), metadata.url()),
    ]);
    let ran = corner.run(&plan).await;
    assert_told("metadata-service-refuses", &ran, &corner, &pool);
    corner.environment.truncate(asked);
    let denied = "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/operator";
    let proxy = refusing(&corner, "AssumeRole", 403, "AccessDenied", denied).await;
    let url = proxy.url();
    let guarded = ["--profile", "guarded", "--endpoint-url", &url];
    corner
        .environment
        .push(("AWS_ENDPOINT_URL".into(), url.clone()));
    let ran = corner.run(&[&plan[..], &guarded].concat()).await;
    assert_told("role-wants-mfa", &ran, &corner, &pool);
}

#[tokio::test]
async fn errors_about_rejected_credentials() {
    let scene = ready().await;
    const READ: &str = "DescribeUserPool";
    let expired = "The security token included in the request is expired";
    let invalid = "The security token included in the request is invalid.";
    let late = "Signature expired: 20270101T000000Z is now earlier than 20270101T001000Z (20270101T001500Z - 5 min.)";
    assert_refusal_told(
        "session-expired",
        &scene,
        (READ, 400, "ExpiredTokenException", expired),
    )
    .await;
    assert_refusal_told(
        "keys-invalid",
        &scene,
        (READ, 400, "UnrecognizedClientException", invalid),
    )
    .await;
    assert_refusal_told(
        "clock-off",
        &scene,
        (READ, 400, "InvalidSignatureException", late),
    )
    .await;
}

#[tokio::test]
async fn missing_permissions_are_reported() {
    let scene = ready().await;
    const READ: &str = "DescribeUserPool";
    const DENIED: &str = "AccessDeniedException";
    let plain = "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: cognito-idp:DescribeUserPool on resource: arn:aws:cognito-idp:us-west-2:123456789012:userpool/us-west-2_AbCdEf123 because no identity-based policy allows the cognito-idp:DescribeUserPool action";
    let organisation = "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: cognito-idp:DescribeUserPool on resource: * with an explicit deny in a service control policy";
    let mfa = "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: cognito-idp:DescribeUserPool on resource: * with an explicit deny in an identity-based policy";
    let boundary = "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: lambda:GetFunction on resource: * because no permissions boundary allows the lambda:GetFunction action";
    assert_refusal_told("denied", &scene, (READ, 400, DENIED, plain)).await;
    assert_refusal_told(
        "denied-by-organisation",
        &scene,
        (READ, 400, DENIED, organisation),
    )
    .await;
    assert_refusal_told("denied-without-mfa", &scene, (READ, 400, DENIED, mfa)).await;
    assert_refusal_told(
        "denied-by-boundary",
        &scene,
        ("GetFunction", 403, DENIED, boundary),
    )
    .await;
}

#[tokio::test]
async fn empty_variables_are_not_set() {
    let (mut corner, pool) = ready().await;
    let services = [
        "COGNITO_IDENTITY_PROVIDER",
        "LAMBDA",
        "IAM",
        "CLOUDWATCH_LOGS",
    ];
    corner.environment = services
        .map(|service| {
            (
                format!("AWS_ENDPOINT_URL_{service}"),
                corner.endpoint.clone(),
            )
        })
        .to_vec();
    for name in [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_SSM",
        "AWS_REGION",
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ] {
        corner.environment.push((name.into(), String::new()));
    }
    for name in [
        "CONFIG",
        "ENDPOINT_URL",
        "POOL",
        "PROFILE",
        "REGION",
        "TIMEOUT",
    ] {
        let name = format!("JANE_MIGRATE_{name}");
        corner.environment.push((name, String::new()));
    }
    corner.run(&["plan", "--pool", &pool]).await.ended(0);
    let ran = corner.run(&["plan"]).await;
    assert_told("which-pool", &ran, &corner, &pool);
}

#[tokio::test]
async fn errors_about_the_pool() {
    let (corner, pool) = ready().await;
    let missing = "us-west-2_NoSuchPool";
    let ran = corner.run(&["plan", "--pool", missing]).await;
    assert_told("no-such-pool", &ran, &corner, missing);
    let elsewhere = ["plan", "--pool", missing, "--region", "eu-west-1"];
    let ran = corner.run(&elsewhere).await;
    assert_told("wrong-region", &ran, &corner, missing);
    let stranger = Corner::new().await;
    let ran = stranger.run(&["plan", "--pool", &pool]).await;
    assert_told("pool-of-another-account", &ran, &stranger, &pool);
    corner.configure("[pool]\nclients = [\"nosuchclient\"]\n");
    let ran = corner.run(&["plan", "--pool", &pool]).await;
    assert_told("no-such-client", &ran, &corner, &pool);
}

#[tokio::test]
async fn a_pool_that_does_not_exist() {
    let (corner, _) = ready().await;
    let missing = "us-west-2_NoSuchPool";
    for command in ["status", "verify", "teardown", "deploy"] {
        let ran = corner.run(&[command, "--pool", missing]).await;
        // For verify this is no finding: it could not check.
        assert_eq!(
            ran.code,
            if command == "verify" { 2 } else { 1 },
            "{ran:#?}"
        );
        assert_error("no-such-pool", &ran, &corner, missing);
    }
    for command in [&["policy"][..], &["coexist", "--for", "terraform"]] {
        let ran = corner.run(&[command, &["--pool", missing]].concat()).await;
        assert_told("no-such-pool-without-account", &ran, &corner, missing);
    }
    let flags = ["--pool", missing, "--profile", "shop", "--timeout", "9"];
    let mut corner = corner;
    let home = corner.folder.path().to_owned();
    std::fs::create_dir_all(home.join(".aws")).expect("a folder");
    let keys = format!(
        "[profile shop]\naws_access_key_id = 123456789012\naws_secret_access_key = {}\n",
        corner.secret
    );
    std::fs::write(home.join(".aws/config"), keys).expect("written");
    corner.environment = vec![
        ("HOME".into(), home.display().to_string()),
        ("AWS_ACCESS_KEY_ID".into(), String::new()),
        ("AWS_SECRET_ACCESS_KEY".into(), String::new()),
    ];
    let ran = corner
        .run(&[&["status"], &flags[..]].concat())
        .await
        .ended(1);
    let list =
        "`aws cognito-idp list-user-pools --max-results 60 --region us-west-2 --profile shop`";
    assert!(ran.stderr.contains(list), "{ran:#?}");
}

#[tokio::test]
async fn commands_without_a_deployment() {
    let (corner, pool) = ready().await;
    let ran = corner.run(&["status", "--pool", &pool]).await;
    assert_told("nothing-deployed", &ran, &corner, &pool);
    let asked = ["try", "--forgot-password", "--user", "ada@example.com"];
    let ran = corner.run(&[&asked[..], &["--pool", &pool]].concat()).await;
    assert_told("no-function", &ran, &corner, &pool);
    let ran = corner.run(&["deploy", "--pool", &pool]).await;
    assert_told("no-terminal", &ran, &corner, &pool);
}

#[tokio::test]
async fn files_and_folders() {
    let (mut corner, pool) = ready().await;
    let folder = corner.folder.path().to_owned();
    std::fs::write(folder.join("other.json"), "{}").expect("written");
    let restore = ["restore", "--yes", "--snapshot"];
    let ran = corner
        .run(&[&restore[..], &["missing.json"]].concat())
        .await;
    assert_told("no-such-snapshot", &ran, &corner, &pool);
    let ran = corner.run(&[&restore[..], &["other.json"]].concat()).await;
    assert_told("not-a-snapshot", &ran, &corner, &pool);
    let init = ["init", "--yes", "--pool", &pool];
    let ran = corner.run(&init).await;
    assert_told("file-exists", &ran, &corner, &pool);
    let ran = corner
        .run(&[&init[..], &["--output", "none/shop.toml"]].concat())
        .await;
    assert_told("file-not-written", &ran, &corner, &pool);

    // The snapshot is written next to the configuration: here, into the folder in which Linux keeps the open files.
    let file = std::fs::File::open(folder.join("migrate.toml")).expect("the configuration");
    let config = ["--config", "/proc/self/fd/0"];
    let mut deploy = corner.command(&[&["deploy", "--yes", "--pool", &pool], &config[..]].concat());
    deploy.stdin(file);
    let ran = Ran::of(deploy).await.ended(1);
    assert!(
        ran.stderr
            .contains("failed to write `/proc/self/fd/jane-migrate.")
            && ran.stderr.contains("hint: "),
        "{ran:#?}"
    );

    corner
        .run(&["deploy", "--yes", "--pool", &pool])
        .await
        .ended(0);
    let ran = corner
        .run(&["status", "--pool", &pool, "--html", "none/page.html"])
        .await;
    assert_told("page-not-written", &ran, &corner, &pool);

    let cache = folder.join("other.json/cache").display().to_string();
    corner.environment = vec![("JANE_MIGRATE_CACHE".into(), cache)];
    let ran = corner.run(&["build"]).await;
    assert_told("cache-not-written", &ran, &corner, &pool);
}

/// A port without a listener, as long as the socket is held.
fn closed_port() -> (tokio::net::TcpSocket, String) {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let address = socket.local_addr().expect("its address");
    (socket, format!("http://{address}"))
}

#[tokio::test]
async fn errors_about_the_connection() {
    let (mut corner, pool) = ready().await;
    let plan = ["plan", "--pool", &pool];
    let (_held, closed) = closed_port();
    let unreachable = [&plan[..], &["--endpoint-url", &closed]].concat();
    let page = Proxy::start(&corner.endpoint, |_| Fate::Page(407))
        .await
        .expect("a proxy");
    let page_url = page.url();
    let page_plan = [&plan[..], &["--endpoint-url", &page_url]].concat();
    let (unreachable, page) = tokio::join!(corner.run(&unreachable), corner.run(&page_plan));
    assert_told("unreachable", &unreachable, &corner, &pool);
    assert_told("proxy-wants-a-password", &page, &corner, &pool);
    let service = "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER";
    corner.environment.push((service.into(), closed.clone()));
    let ran = corner.run(&plan).await;
    assert_told("unreachable", &ran, &corner, &pool);
    corner.environment.clear();
    corner.environment.push(("HTTP_PROXY".into(), closed));
    let ran = corner.run(&plan).await;
    assert_told("proxy-unreachable", &ran, &corner, &pool);
}

#[tokio::test]
async fn an_untrusted_certificate() {
    let (mut corner, pool) = ready().await;
    let other = Server::start_tls(|_| Reply::json(200, json!({})));
    let url = other.url();
    let plan = ["plan", "--pool", &pool, "--endpoint-url", &url];
    let ran = corner.run(&plan).await;
    assert_told("certificate-unknown", &ran, &corner, &pool);
    // A dozen parallel calls without retries: retries would make eight times as many.
    assert!(other.connections() < 30, "{} tries", other.connections());
    let authority = corner.folder.path().join("authority.pem");
    std::fs::write(&authority, other.certificate.as_deref().unwrap_or_default()).expect("written");
    let authority = authority.display().to_string();
    corner.environment.push(("SSL_CERT_FILE".into(), authority));
    let ran = corner.run(&plan).await;
    assert!(!other.requests().is_empty(), "{}", ran.stderr);
}

/// A separate test, because the program waits two minutes for AWS.
#[tokio::test]
async fn too_many_requests() {
    let refusal = (
        "DescribeUserPool",
        400,
        "TooManyRequestsException",
        "Rate exceeded",
    );
    assert_refusal_told("throttled", &ready().await, refusal).await;
}

/// A folder with these tools of the machine, for a separate PATH.
fn tools(folder: &Path, names: &[&str]) -> PathBuf {
    let tools = folder.join("tools");
    let _ = std::fs::remove_dir_all(&tools);
    std::fs::create_dir(&tools).expect("a folder");
    let path = std::env::var_os("PATH").expect("a PATH");
    for name in names {
        let tool = std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|tool| tool.is_file())
            .unwrap_or_else(|| panic!("{name} is on the PATH"));
        symlink(tool, tools.join(name)).expect("linked");
    }
    tools
}

#[tokio::test]
async fn errors_about_the_toolchain() {
    let (mut corner, pool) = ready().await;
    let folder = corner.folder.path().to_owned();
    let cache = folder.join("cache").display().to_string();
    let with = |corner: &mut Corner, names: &[&str]| {
        let tools = tools(&folder, names);
        corner.environment = vec![
            ("PATH".into(), tools.display().to_string()),
            ("JANE_MIGRATE_CACHE".into(), cache.clone()),
        ];
        tools
    };
    with(&mut corner, &[]);
    let ran = corner.run(&["build"]).await;
    assert_told("cargo-missing", &ran, &corner, &pool);
    with(&mut corner, &["cargo", "rustc"]);
    let ran = corner.run(&["build"]).await;
    assert_told("no-c-compiler", &ran, &corner, &pool);
    let tools = with(&mut corner, &["rustc", "cc"]);
    let failing = "#!/bin/sh\necho 'error: failed to get `ring` as a dependency' >&2\nexit 101\n";
    write_program(&tools.join("cargo"), failing);
    let ran = corner.run(&["build"]).await;
    assert!(
        ran.stderr.contains("failed to get `ring`") && ran.stderr.contains("--artifact"),
        "{ran:#?}"
    );
    with(&mut corner, &["cargo", "rustc", "cc"]);
    let foreign = if cfg!(target_arch = "aarch64") {
        "x86_64"
    } else {
        "arm64"
    };
    corner.configure(&format!("[function]\narchitecture = \"{foreign}\"\n"));
    let ran = corner.run(&["build"]).await;
    assert!(
        ran.stderr.contains("hint: ") && ran.stderr.contains("cargo-zigbuild"),
        "{ran:#?}"
    );
}

#[tokio::test]
async fn errors_about_the_configuration() {
    let (mut corner, pool) = ready().await;
    let plan = ["plan", "--pool", &pool];
    corner.configure("[window]\nclosed = 2027-03-31\n");
    let ran = corner.run(&plan).await;
    assert_told("config-wrong-key", &ran, &corner, &pool);
    corner.configure("");
    let ran = corner
        .run(&["plan", "--pool", &pool, "--artifact", "none.zip"])
        .await;
    assert_told("no-such-artifact", &ran, &corner, &pool);
    let ran = corner.run(&["plan"]).await;
    assert_told("which-pool", &ran, &corner, &pool);
    corner
        .environment
        .push(("JANE_CLIENT_SECRET".into(), String::new()));
    let ran = corner.run(&plan).await;
    assert_told("secret-not-set", &ran, &corner, &pool);
    std::fs::remove_file(corner.folder.path().join("migrate.toml")).expect("removed");
    let ran = corner.run(&plan).await;
    assert_told("config-missing", &ran, &corner, &pool);
    let ran = corner
        .run(&["plan", "--pool", &pool, "--config", "other.toml"])
        .await;
    assert_told("config-not-there", &ran, &corner, &pool);
}

#[tokio::test]
async fn errors_about_the_account_and_the_pool() {
    let (corner, pool) = ready().await;
    corner.configure("[function]\nreserved_concurrency = 5\n");
    let parameter = "InvalidParameterValueException";
    // In the order of a deploy: each run gets further than the last one and keeps its results.
    let refusals = [
        (
            "quota-used-up",
            "CreateRole",
            409,
            "LimitExceeded",
            "Cannot exceed quota for RolesPerAccount: 1000.",
        ),
        (
            "pass-role-denied",
            "CreateFunction",
            403,
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:PassRole action",
        ),
        (
            "code-storage-full",
            "CreateFunction",
            400,
            "CodeStorageExceededException",
            "Code storage limit exceeded.",
        ),
        (
            "concurrency-used-up",
            "PutFunctionConcurrency",
            400,
            parameter,
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
        ),
        (
            "sms-role-broken",
            "UpdateUserPool",
            400,
            "InvalidSmsRoleTrustRelationshipException",
            "Role does not have a trust relationship allowing Cognito to assume the role",
        ),
        (
            "users-being-imported",
            "UpdateUserPool",
            400,
            "UserImportInProgressException",
            "A user import job is in progress.",
        ),
        (
            "tier-refuses",
            "UpdateUserPool",
            400,
            "FeatureUnavailableInTierException",
            "The following features need to be disabled for the LITE pricing tier configured: Threat Protection",
        ),
        (
            "pool-refuses",
            "UpdateUserPool",
            400,
            "InvalidParameterException",
            "Cannot turn MFA functionality ON, once the user pool has been created",
        ),
    ];
    for (name, action, status, code, message) in refusals {
        let proxy = refusing(&corner, action, status, code, message).await;
        let deploy = [
            "deploy",
            "--pool",
            &pool,
            "--yes",
            "--endpoint-url",
            &proxy.url(),
        ];
        let ran = corner.run(&deploy).await;
        assert_told(name, &ran, &corner, &pool);
    }
}

#[tokio::test]
async fn a_function_that_failed() {
    let (corner, pool) = ready().await;
    let failing = Proxy::start(&corner.endpoint, |passing| {
        match passing.action == "GetFunction" {
            true => Fate::Edit(|answer| {
                if let Some(function) = answer.get_mut("Configuration") {
                    function["State"] = json!("Failed");
                    function["StateReason"] = json!("The KMS key is disabled.");
                }
            }),
            false => Fate::Pass,
        }
    })
    .await
    .expect("the proxy starts");
    let deploy = [
        "deploy",
        "--pool",
        &pool,
        "--yes",
        "--endpoint-url",
        &failing.url(),
    ];
    let ran = corner.run(&deploy).await;
    assert_told("function-failed", &ran, &corner, &pool);
}

#[tokio::test]
async fn errors_are_json_documents_too() {
    let corner = Corner::new().await;
    let ran = corner
        .run(&["plan", "--json", "--pool", "us-west-2_NoSuchPool"])
        .await
        .ended(1);
    let document = ran.json();
    let error = &document["error"];
    assert_eq!(error["aws"]["action"], "cognito-idp:DescribeUserPool");
    assert_eq!(error["aws"]["code"], "ResourceNotFoundException");
    assert!(
        error["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("get-caller-identity")),
        "{document}"
    );
    assert!(
        error["causes"]
            .as_array()
            .is_some_and(|causes| causes.len() == 1),
        "{document}"
    );
    assert!(ran.stderr.contains("hint: "), "{ran:#?}");
}

#[tokio::test]
async fn the_json_document_says_what_stopped_a_deploy() {
    let (corner, pool) = ready().await;
    let said = "is not authorized to perform: lambda:CreateFunction on it";
    let proxy = refusing(
        &corner,
        "CreateFunction",
        403,
        "AccessDeniedException",
        said,
    )
    .await;
    let deploy = ["deploy", "--pool", &pool, "--yes", "--json"];
    let at = ["--endpoint-url", &proxy.url()];
    let ran = corner.run(&[&deploy[..], &at[..]].concat()).await.ended(1);
    let error = &ran.json()["error"];
    assert_eq!(error["aws"]["action"], "lambda:CreateFunction");
    assert!(
        error["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("grant `lambda:CreateFunction`")),
        "{error}"
    );
}

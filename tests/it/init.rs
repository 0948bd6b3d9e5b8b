//! `init`: with a pool only, with flags, and on a terminal.

use jane_migrate_config::{Config, Directory, Secret, parse};
use serde_json::{Value, json};

use crate::support::{Corner, REGION, Ran};
use crate::terminal::Terminal;

/// A test environment without a migrate.toml, with a pool that has its own attributes and two clients, one of which does
/// not allow passwords.
async fn corner() -> (Corner, String) {
    let corner = Corner::new().await;
    std::fs::remove_file(corner.folder.path().join("migrate.toml")).expect("removed");
    let attribute =
        |name: &str| json!({ "Name": name, "AttributeDataType": "String", "Mutable": true });
    let schema = json!({
        "PoolName": "Roots",
        "Schema": [attribute("created_at"), attribute("loyalty")],
    });
    let pool = corner.create_pool(schema).await;
    corner.create_client(&pool, json!({})).await;
    let srp = json!({ "ClientName": "mobile", "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
    corner.create_client(&pool, srp).await;
    (corner, pool)
}

fn text(corner: &Corner, file: &str) -> String {
    std::fs::read_to_string(corner.folder.path().join(file)).expect("the file is written")
}

#[track_caller]
fn config(corner: &Corner, file: &str) -> Config {
    parse(&text(corner, file), file).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn init_needs_only_a_pool() {
    let (corner, pool) = corner().await;
    let ran = corner.run(&["init", "--pool", &pool]).await.ended(0);
    for expected in [
        "migrate.toml is written",
        "to fill in: directory.client_id",
        "filled-in",
        "aws ssm put-parameter",
        "client-password-auth",
        "Next: jane-migrate plan",
    ] {
        assert!(ran.stdout.contains(expected), "{expected}: {ran:#?}");
    }
    let config = config(&corner, "migrate.toml");
    assert_eq!(config.pools[0].id, Some(pool.parse().unwrap()));
    assert!(config.triggers.pre_sign_up && config.triggers.post_confirmation);
    assert!(!ran.stdout.contains("open-sign-up"), "{ran:#?}");
    assert_eq!(config.attributes["custom:created_at"], "created_at");
    assert!(text(&corner, "migrate.toml").contains("#\"custom:loyalty\" = \"field\""));

    // The first line makes editors find the schema in the same folder.
    assert!(text(&corner, "migrate.toml").starts_with("#:schema ./migrate.schema.json\n"));
    let schema = text(&corner, "migrate.schema.json");
    let printed = corner.run(&["example", "--schema"]).await.ended(0);
    assert!(schema == printed.stdout && schema.contains("\"$schema\""));

    // The next command works with it, and stops because of values that are still open.
    let plan = ["plan", "--enable-password-auth"];
    let ran = corner.run(&plan).await.ended(1);
    assert!(ran.stdout.contains("filled-in"), "{ran:#?}");
    let file = corner.folder.path().join("migrate.toml");
    let filled = text(&corner, "migrate.toml").replace("your-client-id", "shop");
    std::fs::write(file, filled).expect("written");
    let ran = corner.run(&plan).await.ended(0);
    assert!(ran.stdout.contains("4 to create"), "{ran:#?}");
}

#[tokio::test]
async fn an_existing_file_is_never_overwritten() {
    let (corner, pool) = corner().await;
    let file = corner.folder.path().join("migrate.toml");
    std::fs::write(&file, "# mine\n").expect("written");
    let ran = corner.run(&["init", "--pool", &pool]).await.ended(1);
    assert!(ran.stderr.contains("--output"), "{ran:#?}");
    assert_eq!(text(&corner, "migrate.toml"), "# mine\n");
    let other = ["init", "--pool", &pool, "--output", "other.toml"];
    let ran = corner.run(&other).await.ended(0);
    assert!(ran.stdout.contains("plan --config other.toml"), "{ran:#?}");
    config(&corner, "other.toml");
}

#[tokio::test]
async fn flags_answer_every_question_for_every_kind() {
    let (corner, pool) = corner().await;
    let old = corner
        .create_pool(json!({ "Schema": [{ "Name": "loyalty", "AttributeDataType": "String" }] }))
        .await;
    let arn = format!(
        "arn:aws:secretsmanager:{REGION}:{}:secret:jane-AbCdEf",
        corner.account
    );
    let cases: [(&str, &[&str]); 8] = [
        (
            "jane",
            &[
                "--url",
                "https://jane.example.com",
                "--client-id",
                "shop",
                "--client-secret-arn",
                &arn,
            ],
        ),
        (
            "auth0",
            &[
                "--preset",
                "auth0",
                "--url",
                "https://shop.auth0.com",
                "--client-id",
                "app",
                "--client-secret-ssm",
                "/auth0/secret",
            ],
        ),
        (
            "keycloak",
            &[
                "--directory",
                "http",
                "--preset",
                "keycloak",
                "--url",
                "https://sso.example.com",
                "--realm",
                "shop",
                "--client-id",
                "app",
            ],
        ),
        (
            "http",
            &[
                "--directory",
                "http",
                "--url",
                "https://accounts.example.com",
                "--client-secret-env",
                "ACCOUNTS_TOKEN",
            ],
        ),
        (
            "cognito",
            &[
                "--directory",
                "cognito",
                "--old-pool",
                &old,
                "--client-id",
                "2example23456789",
            ],
        ),
        (
            "postgres",
            &[
                "--directory",
                "postgres",
                "--host",
                "db.example.com",
                "--database",
                "shop",
                "--user",
                "reader",
                "--query",
                "SELECT email, first_name, confirmed_at, digest FROM users WHERE email = $1",
                "--password-column",
                "digest",
                "--hash",
                "argon2",
            ],
        ),
        (
            "mysql",
            &[
                "--directory",
                "mysql",
                "--host",
                "db.example.com",
                "--database",
                "shop",
                "--user",
                "reader",
                "--query",
                "SELECT email, first_name, confirmed_at, digest FROM users WHERE email = ?",
                "--password-column",
                "digest",
                "--hash",
                "argon2",
            ],
        ),
        (
            "ldap",
            &[
                "--directory",
                "ldap",
                "--url",
                "ldaps://ldap.example.com",
                "--base",
                "ou=people,dc=example,dc=com",
                "--bind-dn",
                "cn=reader,dc=example,dc=com",
            ],
        ),
    ];
    for (name, flags) in cases {
        let file = format!("{name}.toml");
        let common = [
            "init",
            "--pool",
            &pool,
            "--json",
            "--output",
            &file,
            "--closes",
            "2027-03-31",
            "--total-users",
            "7",
        ];
        let ran = corner.run(&[&common[..], flags].concat()).await.ended(0);
        let document = ran.json();
        let open: Vec<&str> = document["open"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        match name {
            "http" => assert_eq!(open, ["directory.authenticate", "directory.lookup"]),
            _ => assert_eq!(open, [] as [&str; 0], "{name}"),
        }
        assert_eq!(
            document["next"],
            format!("jane-migrate plan --config {file}")
        );
        assert!(
            document["findings"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
        );
        let config = config(&corner, &file);
        assert_eq!(document["directory"], config.directory.kind());
        assert_eq!(config.window.total_users, Some(7));
        match config.directory {
            Directory::Jane(jane) => {
                assert_eq!(
                    (jane.url.as_str(), jane.client_id.as_str()),
                    ("https://jane.example.com", "shop")
                );
                assert!(
                    matches!(jane.client_secret, Secret::SecretsManager { arn: found, .. } if found.to_string() == arn)
                );
            }
            Directory::Cognito(_) => {
                assert_eq!(config.attributes["custom:loyalty"], "custom:loyalty")
            }
            Directory::Postgres(database) | Directory::Mysql(database) => {
                assert_eq!(database.password_column, "digest");
                assert_eq!(config.attributes["email_verified"], "confirmed_at");
                assert_eq!(config.function.memory_mb, 256, "enough for argon2");
            }
            Directory::Ldap(ldap) => {
                assert_eq!(ldap.base.as_deref(), Some("ou=people,dc=example,dc=com"));
                assert_eq!(config.attributes["email"], "mail");
                assert_eq!(config.attributes["family_name"], "sn");
            }
            Directory::Http(_) => {}
        }
    }
}

#[tokio::test]
async fn an_invalid_answer_is_rejected_before_anything_is_written() {
    let (corner, pool) = corner().await;
    let cases: [(&[&str], &str); 13] = [
        (&["--url", "http://jane.example.com"], "https://"),
        (&["--preset", "auht0"], "auth0"),
        (&["--client-secret-ssm", "hunter2secret"], "parameter store"),
        (&["--client-secret-ssm", "/hunter2/"], "parameter's name"),
        (&["--client-secret-env", "hunter2secret"], "in capitals"),
        (&["--client-secret-arn", "/hunter2"], "ARN"),
        (&["--directory", "jane", "--preset", "auth0"], "--preset"),
        (&["--preset", "auth0", "--realm", "shop"], "--realm"),
        (
            &["--preset", "firebase", "--url", "https://shop.example.com"],
            "--url",
        ),
        (&["--old-pool", "us-west-2_AbCdEf123"], "--old-pool"),
        (&["--directory", "cognito", "--hash", "bcrypt"], "--hash"),
        (&["--clients", "nobody"], "nobody"),
        (
            &["--directory", "postgres", "--query", "DELETE FROM users"],
            "SELECT",
        ),
    ];
    for (flags, expected) in cases {
        let ran = corner
            .run(&[&["init", "--pool", &pool][..], flags].concat())
            .await
            .ended(1);
        assert!(
            ran.stderr.contains(expected) && ran.stderr.contains("hint: "),
            "{ran:#?}"
        );
        assert!(!corner.folder.path().join("migrate.toml").exists());
    }
    assert!(
        corner
            .run(&[
                "init",
                "--pool",
                &pool,
                "--client-secret-env",
                "hunter2secret"
            ])
            .await
            .stderr
            .find("hunter2secret")
            .is_none()
    );
    let ran = corner.run(&["init"]).await.ended(1);
    assert!(ran.stderr.contains("--pool"), "{ran:#?}");
}

#[tokio::test]
async fn an_unwritable_output_is_reported_before_the_questions() {
    let (corner, pool) = corner().await;
    let arguments = ["init", "--pool", &pool, "--output", "none/migrate.toml"];
    let (code, shown) = Terminal::start(&corner, 80, &arguments).ended().await;
    assert_eq!(code, 1, "{shown}");
    assert!(
        shown.contains("none/migrate.toml") && !shown.contains("existing accounts?"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_window_that_has_closed_causes_a_warning() {
    let (corner, pool) = corner().await;
    let arguments = ["init", "--pool", &pool, "--closes", "2020-12-31"];
    let ran = corner.run(&arguments).await.ended(0);
    assert!(ran.stderr.contains("warning: 2020-12-31"), "{ran:#?}");
}

/// Types a secret into the command that init printed, with an `aws` that records its input.
async fn stored(corner: &Corner, init: &Ran, secret: &str) -> (String, String) {
    let command = init
        .stdout
        .lines()
        .find(|line| line.contains("file:///dev/stdin"))
        .unwrap_or_else(|| panic!("no command: {init:#?}"));
    let kept = "aws() { echo \"$*\" > arguments; cat > secret; }";
    let mut shell = corner.shell(&format!("{kept}; {command}; test -z \"$SECRET\""));
    let typed = corner.folder.path().join("typed");
    std::fs::write(&typed, format!("{secret}\n")).expect("written");
    shell.stdin(std::fs::File::open(&typed).expect("there"));
    Ran::of(shell).await.ended(0);
    (text(corner, "arguments"), text(corner, "secret"))
}

#[tokio::test]
async fn the_printed_command_stores_exactly_the_secret() {
    let (corner, pool) = corner().await;
    let secret = " p%s\\n$HOME ";
    let ran = corner.run(&["init", "--pool", &pool]).await.ended(0);
    let (arguments, kept) = stored(&corner, &ran, secret).await;
    assert_eq!(kept, secret);
    let name = format!("--name /jane-migrate/{pool}/client-secret");
    assert!(
        arguments.starts_with("ssm put-parameter --region us-west-2"),
        "{arguments}"
    );
    assert!(arguments.contains(&name), "{arguments}");
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:jane-AbCdEf";
    let other = [
        "init",
        "--pool",
        &pool,
        "--output",
        "other.toml",
        "--client-secret-arn",
        arn,
    ];
    let ran = corner.run(&other).await.ended(0);
    let (arguments, kept) = stored(&corner, &ran, secret).await;
    assert_eq!(kept, secret);
    let put = format!("secretsmanager put-secret-value --region eu-west-1 --secret-id {arn}");
    assert!(arguments.starts_with(&put), "{arguments}");
}

#[tokio::test]
async fn on_a_terminal_init_asks_and_checks_each_answer() {
    let (corner, pool) = corner().await;
    let mut terminal = Terminal::start(&corner, 80, &["init"]);
    for (question, answer) in [
        ("User pool id", "nonsense"),
        ("must be a user pool's id", &pool),
        ("existing accounts?", "http"),
        ("Is it one of auth0,", "devise"),
        ("Base URL", "http://shop.example.com"),
        ("must begin with https://", "https://shop.example.com"),
        ("Stored in", "hunter2"),
        ("none of the three", "SHOP_TOKEN"),
        ("Last day", "soon"),
        ("such as 2027-03-31\n", "2027-03-31"),
        ("Number of accounts", ""),
    ] {
        terminal.until(question).await;
        terminal.types(answer);
    }
    let (code, shown) = terminal.ended().await;
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("Next: jane-migrate plan"), "{shown}");
    let config = config(&corner, "migrate.toml");
    assert_eq!(config.directory.kind(), "http");
    assert!(matches!(&config.secrets()[..], [(_, Secret::Env(name))] if name == "SHOP_TOKEN"));
    assert_eq!(
        config.window.closes.map(|day| day.to_string()).as_deref(),
        Some("2027-03-31")
    );
    assert!(!text(&corner, "migrate.toml").contains("hunter2"));
}

#[tokio::test]
async fn an_empty_answer_is_the_default() {
    let (corner, pool) = corner().await;
    let mut terminal = Terminal::start(&corner, 80, &["init", "--pool", &pool]);
    for question in [
        "existing accounts?",
        "Base URL",
        "Client id",
        "Stored in",
        "Last day",
        "Number of accounts",
    ] {
        terminal.until(question).await;
        terminal.types("");
    }
    let (code, shown) = terminal.ended().await;
    assert_eq!(code, 0, "{shown}");
    let asked = text(&corner, "migrate.toml");
    let quiet = ["init", "--pool", &pool, "--output", "quiet.toml"];
    corner.run(&quiet).await.ended(0);
    assert_eq!(asked, text(&corner, "quiet.toml"));
}

#[tokio::test]
async fn with_the_sandboxs_variables_init_says_that_it_does_not_use_aws() {
    let (mut corner, pool) = corner().await;
    let ran = corner.run(&["init", "--yes", "--pool", &pool]).await;
    assert!(!ran.ended(0).stderr.contains("not AWS"));
    corner
        .environment
        .push(("JANE_MIGRATE_POOL".into(), pool.clone()));
    let ran = corner.run(&["init", "--yes"]).await.ended(1);
    let warned = format!("init reads the sandbox at {}, not AWS", corner.endpoint);
    assert!(ran.stderr.contains(&warned), "{ran:#?}");
    assert!(ran.stderr.contains("it exists already"), "{ran:#?}");
    let other = corner
        .run(&["init", "--yes", "--output", "other.toml"])
        .await;
    assert!(other.ended(0).stderr.contains("not AWS"));
}

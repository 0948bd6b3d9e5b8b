//! The users who have not migrated: counted exactly, imported with their passwords, each with an outcome, and none
//! twice.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use jane_migrate_sandbox::{Account, AccountKind, ImportRules, Options, Sandbox};
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::{Value, json};

use crate::safety::table::{self, Table};
use crate::support::{Corner, Ran, cache};

/// The password of all users here, and its hashes of the four kinds as frameworks store them.
pub const PASSWORD: &str = "Pässword 1!";
pub const HASHES: [&str; 4] = [
    "$2b$04$mzL0N04zmEBsoPiNsy1vxemdj/rncCjR30iqcdUY4ENlfqiAnNzkG",
    "$scrypt$ln=10,r=8,p=1$9j5HKOW8t9Y6B8A4Z0yp9Q$3IVwaRKj/8yxCrPotGnzP9OMbQHI7j3D01B2eHikS+0",
    "argon2$argon2id$v=19$m=64,t=2,p=1$6HIm3f4Fq9zQKZelyZMoOg$d+2etF5k1aPS8gjJdI/57JoRs1V+nrs3sFOYWQA3QS8",
    "pbkdf2_sha256$1000$saltsaltsalt$tFmeFaEPJ+XpX+YXQalnoY7okt4zzEFHCqVt+f2GiYA=",
];

/// Parts of these hashes and of their import form, none of which may appear anywhere.
const CANARIES: [&str; 5] = [
    "mzL0N04zm",
    "3IVwaRKj",
    "dc8570691",
    "d+2etF5k1",
    "tFmeFaEP",
];

impl Corner {
    /// A pool that verifies email addresses, with an app client.
    pub async fn shop(&self) -> (String, String) {
        let pool = json!({ "AutoVerifiedAttributes": ["email"] });
        let pool = self.create_pool(pool).await;
        let client = self.create_client(&pool, json!({})).await;
        (pool, client)
    }

    pub async fn can_sign_in(&self, client: &str, user: &str) -> bool {
        self.sign_in(client, user).await.is_ok()
    }

    /// Signs in; the error is the app's response.
    pub async fn sign_in(&self, client: &str, user: &str) -> Result<(), String> {
        let body = json!({
            "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client,
            "AuthParameters": { "USERNAME": user, "PASSWORD": PASSWORD },
        });
        match self.try_cognito("InitiateAuth", body).await {
            (200, _) => Ok(()),
            (_, refused) => Err(format!("{}: {}", refused["__type"], refused["message"])),
        }
    }

    pub async fn status_of(&self, pool: &str, user: &str) -> String {
        let body = json!({ "UserPoolId": pool, "Username": user });
        let user = self.cognito("AdminGetUser", body).await;
        user["UserStatus"].as_str().expect("a status").to_owned()
    }

    /// The addresses of the pool's users.
    async fn addresses(&self, pool: &str) -> Vec<String> {
        let mut addresses = Vec::new();
        let mut asked = json!({ "UserPoolId": pool });
        loop {
            let page = self.cognito("ListUsers", asked.clone()).await;
            for user in page["Users"].as_array().expect("users") {
                let attributes = user["Attributes"].as_array().expect("attributes");
                let email = attributes.iter().find(|one| one["Name"] == "email");
                addresses.push(
                    email.expect("an email")["Value"]
                        .as_str()
                        .unwrap()
                        .to_owned(),
                );
            }
            match &page["PaginationToken"] {
                Value::Null => break,
                token => asked["PaginationToken"] = token.clone(),
            }
        }
        addresses.sort();
        addresses
    }

    async fn import_role_is_gone(&self, pool: &str) -> bool {
        let role = format!("jane-migrate-{pool}-log");
        self.aws().await.role(&role).await.unwrap().is_none()
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).expect("written");
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(file)).expect("a file")
    }
}

/// Twelve users for a CSV file: three of each kind.
fn users() -> Vec<(String, &'static str)> {
    let user = |n: usize| (format!("user{n}@example.com"), HASHES[n % 4]);
    (0..12).map(user).collect()
}

fn csv(users: &[(String, &str)]) -> String {
    let row = |(email, hash): &(String, &str)| format!("{email},\"{hash}\"\n");
    "email,password_hash\n".to_owned() + &users.iter().map(row).collect::<String>()
}

#[track_caller]
pub fn has_no_hash(ran: &Ran) {
    for canary in CANARIES {
        assert!(!ran.stdout.contains(canary), "{canary} in {ran:#?}");
        assert!(!ran.stderr.contains(canary), "{canary} in {ran:#?}");
    }
}

#[tokio::test]
async fn the_tail_of_a_migration_is_counted_imported_and_accounted_for() {
    let corner = Corner::new().await;
    let (pool, client) = corner.shop().await;
    let users = users();
    for (email, _) in &users {
        let account = Account::new(AccountKind::Password, email, Some(PASSWORD));
        corner.jane.add_account(account);
    }
    corner.deploy(&pool).await;
    for (email, _) in &users[..7] {
        assert!(corner.can_sign_in(&client, email).await, "{email} migrates");
    }
    // One of the migrated users never set a new password.
    let reset = json!({ "UserPoolId": pool, "Username": users[0].0 });
    corner.cognito("AdminResetUserPassword", reset).await;
    let odd = "sso@example.com,\nodd@example.com,canary-plain-text\ncostly@example.com,$2b$13$mzL0N04zmEBsoPiNsy1vxemdj/rncCjR30iqcdUY4ENlfqiAnNzkG\nuser8@example.com,\n,\n";
    corner.write("users.csv", &(csv(&users) + odd));

    let remaining = [
        "remaining",
        "--pool",
        &pool,
        "--from",
        "users.csv",
        "--names",
        "left.csv",
    ];
    let ran = corner.run(&remaining).await.ended(0);
    has_no_hash(&ran);
    let next = format!("import --from users.csv --pool {pool}");
    assert!(ran.stdout.contains(&next), "{ran:#?}");
    assert!(
        ran.stdout
            .contains("7 of 17 users of the directory are in the pool, 10 are not."),
        "{ran:#?}"
    );
    let counted = corner
        .run(&[&remaining[..], &["--json"]].concat())
        .await
        .ended(0)
        .json();
    assert_eq!(
        (
            &counted["directory"],
            &counted["migrated"],
            &counted["remaining"],
            &counted["half_finished"]
        ),
        (&json!(17), &json!(7), &json!(10), &json!(1)),
        "{counted}"
    );
    assert_eq!(
        counted["categories"],
        json!({ "password": 6, "sso": 1, "unreadable-hash": 1, "not-eligible": 2 })
    );
    assert_eq!(
        counted["not_eligible"],
        json!({ "name-twice": 1, "no-name": 1 })
    );
    let names = corner.read("left.csv");
    assert!(
        names.contains("user0@example.com,half-finished,"),
        "{names}"
    );
    assert!(names.contains("sso@example.com,sso,"), "{names}");
    let mode = std::fs::metadata(corner.folder.path().join("left.csv"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    // The plan changes nothing.
    let plan = ["import", "--pool", &pool, "--from", "users.csv"];
    let journal = corner.gateway().await.journal(&corner.account).len();
    let planned = corner.run(&plan).await.ended(0);
    has_no_hash(&planned);
    assert!(
        planned
            .stdout
            .contains("with BCRYPT hashes keep their password"),
        "{planned:#?}"
    );
    let calls = corner
        .gateway()
        .await
        .journal(&corner.account)
        .split_off(journal);
    let reads = ["Describe", "Get", "List"];
    for call in &calls {
        assert!(
            reads.iter().any(|read| call.action.starts_with(read)),
            "{call:?}"
        );
    }

    let before = corner.pool(&pool).await;
    let import = [&plan[..], &["--yes", "--json"]].concat();
    let ran = corner.run(&import).await.ended(0);
    has_no_hash(&ran);
    let done = ran.json();
    assert_eq!(
        (&done["with_password"], &done["must_reset"]),
        (&json!(5), &json!(3)),
        "{done}"
    );
    assert_eq!(
        (&done["skipped"], &done["failed"]),
        (&json!(0), &json!({})),
        "{done}"
    );
    assert_eq!(
        done["after"]["remaining"], 1,
        "only the row without a name is left: {done}"
    );
    for (email, _) in &users[1..] {
        assert!(
            corner.can_sign_in(&client, email).await,
            "{email} signs in with the old password"
        );
    }
    for email in ["sso@example.com", "odd@example.com", "costly@example.com"] {
        assert_eq!(corner.status_of(&pool, email).await, "RESET_REQUIRED");
    }
    assert!(corner.import_role_is_gone(&pool).await);
    assert_eq!(
        corner.pool(&pool).await["LambdaConfig"],
        before["LambdaConfig"]
    );

    // A second run has nothing to do, and status has the exact figure.
    let again = corner.run(&import).await.ended(0).json();
    assert_eq!(
        (&again["jobs"], &again["with_password"]),
        (&json!([]), &json!(0))
    );
    let status = corner
        .run(&["status", "--pool", &pool, "--json"])
        .await
        .ended(0)
        .json();
    assert_eq!(status["exact"]["remaining"], 1, "{status}");
    assert_eq!(status["exact"]["half_finished"], 4, "{status}");
    for file in std::fs::read_dir(corner.folder.path()).unwrap().flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap_or_default();
        let ours = file.file_name() != "users.csv";
        assert!(
            !ours || CANARIES.iter().all(|canary| !text.contains(canary)),
            "{file:?}"
        );
    }
}

#[tokio::test]
async fn undocumented_details_of_imports_work_either_way() {
    for (listed, first_line) in [(false, 1), (true, 2), (true, 0)] {
        let corner = Corner::new().await;
        let (pool, client) = corner.shop().await;
        let rules = ImportRules {
            hash_column_listed: listed,
            first_line,
            ..ImportRules::default()
        };
        corner.gateway().await.set_import_rules(&pool, rules);
        let users = users();
        corner.write("users.csv", &csv(&users));
        let import = [
            "import",
            "--pool",
            &pool,
            "--from",
            "users.csv",
            "--yes",
            "--json",
        ];
        let done = corner.run(&import).await.ended(0).json();
        assert_eq!(done["with_password"], 12, "{listed} {first_line}: {done}");
        assert!(corner.can_sign_in(&client, &users[2].0).await);
    }
    // For a pool that does not accept hashes yet, this is reported, and no user is imported.
    let corner = Corner::new().await;
    let (pool, _) = corner.shop().await;
    let rules = ImportRules {
        takes_hashes: false,
        ..ImportRules::default()
    };
    corner.gateway().await.set_import_rules(&pool, rules);
    corner.write("users.csv", &csv(&users()));
    let import = ["import", "--pool", &pool, "--from", "users.csv", "--yes"];
    let ran = corner.run(&import).await.ended(1);
    has_no_hash(&ran);
    assert!(ran.stderr.contains("does not take hashes yet"), "{ran:#?}");
    assert_eq!(corner.addresses(&pool).await, [] as [&str; 0]);
    assert!(corner.import_role_is_gone(&pool).await);
}

#[tokio::test]
async fn a_pool_that_verifies_nothing_by_itself_stops_an_import() {
    let corner = Corner::new().await;
    let bare = corner.create_pool(json!({})).await;
    corner.write("users.csv", &csv(&users()));
    let ran = corner
        .run(&["import", "--pool", &bare, "--from", "users.csv"])
        .await
        .ended(1);
    assert!(ran.stderr.contains("AutoVerifiedAttributes"), "{ran:#?}");
}

/// Whether a call may change something.
fn writes(passing: &Passing) -> bool {
    let reads = ["Describe", "Get", "List", "Filter"];
    !reads.iter().any(|read| passing.action.starts_with(read))
}

#[tokio::test]
async fn an_import_killed_at_any_write_continues_and_imports_no_user_twice() {
    let slow = ImportRules {
        per_user: Duration::from_millis(20),
        ..ImportRules::default()
    };
    let import = async |corner: &Corner, pool: &str, endpoint: &str| {
        let arguments = [
            "import",
            "--pool",
            pool,
            "--from",
            "users.csv",
            "--yes",
            "--json",
        ];
        let mut command = corner.command(&arguments);
        command.env("AWS_ENDPOINT_URL", endpoint);
        command
    };
    // New roles are accepted at once, so that each run makes the same calls.
    let options = Options {
        role_age: Duration::ZERO,
        ..Options::new(cache())
    };
    let sandbox = Sandbox::start(&options).await.expect("a sandbox");
    let scene = async || {
        let corner = Corner::of(&sandbox).await;
        let (pool, client) = corner.shop().await;
        sandbox.gateway().set_import_rules(&pool, slow);
        // With an alias that holds the lease.
        corner.deploy(&pool).await;
        corner.write("users.csv", &csv(&users()[..3]));
        (corner, pool, client)
    };
    let (corner, pool, _) = scene().await;
    let proxy = Proxy::start(&corner.endpoint, |_| Fate::Pass)
        .await
        .unwrap();
    Ran::of(import(&corner, &pool, &proxy.url()).await)
        .await
        .ended(0);
    let points: Vec<Passing> = proxy.passed().into_iter().filter(writes).collect();
    // Three kinds: three jobs with their files, and the role created and removed.
    let count = |action: &str| points.iter().filter(|point| point.action == action).count();
    assert_eq!(
        (count("CreateUserImportJob"), count("StartUserImportJob")),
        (3, 3)
    );
    assert_eq!(
        (count(""), count("CreateRole"), count("DeleteRole")),
        (3, 1, 1)
    );
    let mut times = BTreeMap::<&str, usize>::new();
    for point in &points {
        let action = match point.action.as_str() {
            "" => "the file's upload",
            action => action,
        };
        *times.entry(action).or_default() += 1;
    }
    let mut killed = Table::new(["killed at", "times", "before it", "after it"]);
    for (action, times) in &times {
        killed.row([action, &times.to_string(), "goes on", "goes on"]);
    }
    let kills = points
        .iter()
        .flat_map(|point| [false, true].map(|after| (point.clone(), after)));
    stream::iter(kills)
        .for_each_concurrent(4, async |(point, after)| {
            let when = format!("{} {} after: {after}", point.action, point.nth);
            let (corner, pool, client) = scene().await;
            let there = point.clone();
            let decide = move |passing: &Passing| {
                let here = (&passing.action, passing.nth) == (&there.action, there.nth);
                match (here && writes(passing), after) {
                    (false, _) => Fate::Pass,
                    (true, false) => Fate::HoldRequest,
                    (true, true) => Fate::HoldAnswer,
                }
            };
            let proxy = Proxy::start(&corner.endpoint, decide).await.unwrap();
            let mut command = import(&corner, &pool, &proxy.url()).await;
            let mut program = command.spawn().expect("the program starts");
            tokio::select! {
                () = proxy.held() => program.kill().await.expect("killed"),
                ended = program.wait() => panic!("ended before {when}: {ended:?}"),
            }
            drop(proxy);
            let ran = Ran::of(import(&corner, &pool, &corner.endpoint).await)
                .await
                .ended(0);
            assert_eq!(ran.json()["failed"], json!({}), "{when}");
            assert_eq!(ran.json()["after"]["remaining"], 0, "{when}");
            let expected: Vec<String> = users()[..3]
                .iter()
                .map(|(email, _)| email.clone())
                .collect();
            assert_eq!(corner.addresses(&pool).await, expected, "{when}");
            for email in &expected {
                assert!(corner.can_sign_in(&client, email).await, "{when}: {email}");
            }
            assert!(corner.import_role_is_gone(&pool).await, "{when}");
        })
        .await;
    sandbox.stop().await.expect("stopped");
    // A failed run has ended the test above, so the table lists only runs that continued.
    table::check("import killed", &killed);
}

#[tokio::test]
async fn a_killed_count_continues_where_it_stopped() {
    const USERS: usize = 150;
    let corner = Corner::new().await;
    let (pool, _) = corner.shop().await;
    for n in 0..USERS {
        let email = format!("user{n}@example.com");
        let user = json!({ "UserPoolId": pool, "Username": email, "MessageAction": "SUPPRESS",
            "UserAttributes": [{ "Name": "email", "Value": email }, { "Name": "email_verified", "Value": "true" }] });
        corner.cognito("AdminCreateUser", user).await;
    }
    let listed = (0..USERS + 5).map(|n| format!("user{n}@example.com\n"));
    corner.write("users.csv", &listed.collect::<String>());
    let remaining = [
        "remaining",
        "--pool",
        &pool,
        "--from",
        "users.csv",
        "--json",
    ];
    let kept = corner
        .folder
        .path()
        .join(format!("jane-migrate.{pool}.listing"));
    let pages = async |more: &[&str]| {
        let proxy = Proxy::start(&corner.endpoint, |_| Fate::Pass)
            .await
            .unwrap();
        let mut command = corner.command(&[&remaining[..], more].concat());
        command.env("AWS_ENDPOINT_URL", proxy.url());
        let counted = Ran::of(command).await.ended(0).json();
        assert_eq!(
            (
                &counted["migrated"],
                &counted["remaining"],
                &counted["half_finished"]
            ),
            (&json!(USERS), &json!(5), &json!(USERS)),
            "{counted}"
        );
        assert!(!kept.exists(), "nothing is left when the count is done");
        let passed = proxy.passed().into_iter();
        passed.filter(|call| call.action == "ListUsers").count()
    };
    let killed = async || {
        let third = |passing: &Passing| match (passing.action.as_str(), passing.nth) {
            ("ListUsers", 3) => Fate::HoldRequest,
            _ => Fate::Pass,
        };
        let proxy = Proxy::start(&corner.endpoint, third).await.unwrap();
        let mut command = corner.command(&remaining);
        command.env("AWS_ENDPOINT_URL", proxy.url());
        let mut program = command.spawn().expect("the program starts");
        proxy.held().await;
        program.kill().await.expect("killed");
    };
    assert_eq!(pages(&[]).await, 3, "undisturbed");
    killed().await;
    let text = std::fs::read_to_string(&kept).expect("what is kept");
    assert!(
        !text.contains("user1") && !text.contains('@'),
        "no name: {text}"
    );
    let mode = std::fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(pages(&[]).await, 1, "the count continues");

    // A page that was written only in part is read again.
    killed().await;
    let text = std::fs::read_to_string(&kept).expect("what is kept");
    std::fs::write(&kept, &text[..text.len() - 9]).expect("written");
    assert_eq!(pages(&[]).await, 2);
    // A file with other content is written again.
    std::fs::write(&kept, "odd").expect("written");
    assert_eq!(pages(&[]).await, 3);
    // An import changes the pool's users.
    killed().await;
    let import = ["import", "--pool", &pool, "--from", "users.csv", "--yes"];
    corner.run(&import).await;
    assert!(!kept.exists());
}

#[tokio::test]
async fn a_teardown_removes_the_role_that_a_killed_import_left() {
    let corner = Corner::new().await;
    let (pool, _) = corner.shop().await;
    corner.deploy(&pool).await;
    corner.write("users.csv", &csv(&users()));
    let decide = |passing: &Passing| match passing.action.as_str() {
        "CreateUserImportJob" => Fate::HoldRequest,
        _ => Fate::Pass,
    };
    let proxy = Proxy::start(&corner.endpoint, decide).await.unwrap();
    let import = ["import", "--pool", &pool, "--from", "users.csv", "--yes"];
    let mut command = corner.command(&import);
    command.env("AWS_ENDPOINT_URL", proxy.url());
    let mut program = command.spawn().expect("the program starts");
    proxy.held().await;
    program.kill().await.expect("killed");
    drop(proxy);
    assert!(!corner.import_role_is_gone(&pool).await);
    let teardown = ["teardown", "--pool", &pool];
    let planned = corner.run(&teardown).await.ended(1);
    let words = "left by an import that was stopped";
    assert!(planned.stdout.contains(words), "{planned:#?}");
    let done = corner.run(&[&teardown[..], &["--yes"]].concat()).await;
    done.ended(0);
    assert!(corner.import_role_is_gone(&pool).await);
    let again = [&teardown[..], &["--yes", "--json"]].concat();
    let again = corner.run(&again).await.ended(0);
    assert_eq!(again.json()["result"], "nothing-to-do");
}

//! `[on_migrated]`: a real database, a real HTTP server, and moto's queue and bus get the notification of a user who migrates,
//! and none of their failures makes the sign-in fail.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    database::{DATABASE_PASSWORD, Server as Database},
    function::{Function, account, forgot_password, settings, sign_in},
    mariadb::MariaDb,
    python::Moto,
    server::{Reply, Server},
};

const PASSWORD: &str = "canary-user-password";
const ANN: &str = "ann@example.com";

fn users() -> String {
    let bcrypt = bcrypt::hash(PASSWORD, 4).unwrap();
    format!(
        "CREATE TABLE users (id int, email varchar(80), verified int, moved int, hash varchar(100));\n\
         INSERT INTO users VALUES (7, '{ANN}', 1, 0, '{bcrypt}'), (8, 'Bob@example.com', 1, 0, '{bcrypt}');\n"
    )
}

/// A directory whose users have `custom:moved`: how many notifications about them there were.
fn toml(kind: &str, port: u16, user: &str, certificate: &str, told: &str) -> String {
    let (database, name) = match kind {
        "postgres" => ("postgres", "$1"),
        _ => ("shop", "?"),
    };
    format!(
        "[directory]\nkind = '{kind}'\nhost = '127.0.0.1'\nport = {port}\ndatabase = '{database}'\nuser = '{user}'\n\
         password = {{ env = 'DATABASE_PASSWORD' }}\npassword_column = 'hash'\nhash = 'bcrypt'\n\
         query = 'SELECT id, email, verified, moved, hash FROM users WHERE lower(email) = {name}'\n\
         ca_certificate = '''{certificate}'''\n[attributes]\nemail = 'email'\nemail_verified = 'verified'\n\
         'custom:id' = 'id'\n'custom:moved' = 'moved'\n{told}\n"
    )
}

fn started(toml: &str) -> Function {
    let environment = [
        ("DATABASE_PASSWORD", DATABASE_PASSWORD),
        ("SECRET", "canary-first"),
    ];
    Function::start(&settings(toml), &environment)
}

/// How many notifications about Ann the directory got, and the log line of this one.
fn moved(function: &Function, event: &Value) -> (Value, Value) {
    let answer = function.invoke(event).event();
    let record = function.record();
    assert!(
        record["outcome"].as_str().unwrap().starts_with("migrated"),
        "{record}"
    );
    let moved = answer["response"]["userAttributes"]["custom:moved"].clone();
    (moved, record["onMigrated"].clone())
}

fn trial(mut event: Value) -> Value {
    event["janeMigrateTrial"] = true.into();
    event
}

/// The statement runs once for each user, is only explained for the operator, and changes no other user.
fn marks(start: impl Fn(&str) -> Function, name: &str) {
    let by_name = format!(
        "[on_migrated]\nstatement = 'UPDATE users SET moved = moved + 1 WHERE lower(email) = {name} AND moved = 0;'"
    );
    let function = start(&by_name);
    let ann = sign_in("Ann@Example.com", PASSWORD);
    let asked = function.invoke(&trial(ann.clone())).event();
    let told = &asked["janeMigrateTold"][0];
    assert_eq!(
        (&told["call"], &told["body"]["value"]),
        (&json!("on_migrated"), &json!(ANN))
    );
    assert_eq!(function.record()["onMigrated"], "checked");
    assert_eq!(
        moved(&function, &ann),
        (json!("0"), json!("sent")),
        "a test sends no notification"
    );
    for event in [&ann, &forgot_password(ANN)] {
        assert_eq!(
            moved(&function, event),
            (json!("1"), json!("sent")),
            "idempotent"
        );
    }
    let record = {
        function.invoke(&sign_in(ANN, "wrong"));
        function.record()
    };
    assert_eq!(
        (&record["outcome"], &record["onMigrated"]),
        (&json!("wrong-password"), &Value::Null)
    );
    let bob = sign_in("bob@example.com", PASSWORD);
    assert_eq!(moved(&function, &bob).0, json!("0"), "another user");

    let by_id = format!(
        "[on_migrated]\nstatement = 'UPDATE users SET moved = 5 WHERE id = {name}'\nvalue = '{{attributes.custom:id}}'"
    );
    let function = start(&by_id);
    assert_eq!(moved(&function, &bob).1, json!("sent"));
    assert_eq!(moved(&function, &bob).0, json!("5"));
    assert_eq!(moved(&function, &ann).0, json!("1"), "another user");
    assert!(
        !function.output().contains("canary"),
        "{}",
        function.output()
    );
}

#[test]
fn a_statement_marks_a_user_of_postgres_once() {
    let server = Database::start(&users());
    marks(
        |told| {
            started(&toml(
                "postgres",
                server.port,
                "migration",
                &server.certificate,
                told,
            ))
        },
        "$1",
    );
}

#[test]
fn a_statement_marks_a_user_of_mariadb_once() {
    let sql = users() + "GRANT UPDATE ON shop.users TO migration;";
    let server = MariaDb::start(&sql);
    marks(
        |told| {
            started(&toml(
                "mysql",
                server.port,
                "migration",
                &server.certificate,
                told,
            ))
        },
        "?",
    );
}

/// As in docs/while-it-runs.md: a customer who changes the address in the old system does not migrate twice.
#[test]
fn a_customer_who_changes_the_address_in_the_old_system_does_not_migrate_twice() {
    let sql = format!("{}ALTER TABLE users ADD moved_as text;", users());
    let server = Database::start(&sql);
    let whole = |told: &str| {
        toml(
            "postgres",
            server.port,
            "migration",
            &server.certificate,
            told,
        )
    };
    let marking = whole(
        "[on_migrated]\nstatement = \"UPDATE users SET moved_as = lower(email) WHERE lower(email) = $1 AND moved_as IS NULL\"",
    );
    let marking = marking.replace(
        "WHERE lower(email) = $1'",
        "WHERE lower(email) = $1 AND (moved_as IS NULL OR moved_as = $1)'",
    );
    let function = started(&marking);
    for _ in 0..2 {
        // Cognito may have rejected the user the first time.
        assert_eq!(moved(&function, &sign_in(ANN, PASSWORD)).1, json!("sent"));
    }
    let change = "[on_migrated]\nstatement = \"UPDATE users SET email = 'new@example.com' WHERE lower(email) = $1\"";
    assert_eq!(
        moved(&started(&whole(change)), &sign_in(ANN, PASSWORD)).1,
        json!("sent")
    );
    let again = sign_in("new@example.com", PASSWORD);
    assert_eq!(function.outcome(&again).0, "not-found");
    assert_eq!(
        started(&whole("")).outcome(&again).0,
        "migrated",
        "without the condition on `moved_as` the customer migrates twice"
    );
}

/// If a statement fails, there is a word in the log, and the next sign-in still works.
fn fails(start: impl Fn(&str) -> Function, cases: &[(&str, &str)]) {
    for (statement, word) in cases {
        let function = start(&format!("[on_migrated]\nstatement = \"{statement}\""));
        for event in [sign_in(ANN, PASSWORD), forgot_password(ANN)] {
            let since = Instant::now();
            let (moved, told) = moved(&function, &event);
            assert_eq!((moved, told), (json!("0"), json!(word)), "{statement}");
            assert!(since.elapsed() < Duration::from_secs(3), "{statement}");
        }
        if *word != "timeout" {
            function.invoke(&trial(sign_in(ANN, PASSWORD))).event();
            assert_eq!(
                function.record()["onMigrated"],
                *word,
                "the operator's test shows the error: {statement}"
            );
        }
    }
}

#[test]
fn a_failed_or_slow_statement_in_postgres_fails_no_sign_in() {
    let sql = format!(
        "{}CREATE ROLE reader LOGIN PASSWORD '{DATABASE_PASSWORD}';\nGRANT SELECT ON users TO reader;",
        users()
    );
    let server = Database::start(&sql);
    let start = |told: &str| {
        started(&toml(
            "postgres",
            server.port,
            "reader",
            &server.certificate,
            told,
        ))
    };
    fails(
        start,
        &[
            ("UPDATE users SET moved = 1 WHERE email = $1", "denied"),
            (
                "UPDATE users SET no_such_column = 1 WHERE email = $1",
                "statement",
            ),
            ("SELECT pg_sleep(9) WHERE $1 <> ''", "timeout"),
        ],
    );
}

#[test]
fn a_failed_or_slow_statement_in_mariadb_fails_no_sign_in() {
    let server = MariaDb::start(&users());
    let start = |told: &str| {
        started(&toml(
            "mysql",
            server.port,
            "migration",
            &server.certificate,
            told,
        ))
    };
    fails(
        start,
        &[
            ("UPDATE users SET moved = 1 WHERE email = ?", "denied"),
            (
                "SELECT no_such_column FROM users WHERE email = ?",
                "statement",
            ),
            ("SELECT sleep(9) FROM users WHERE email = ?", "timeout"),
        ],
    );
}

/// A directory for the tests with notifications to HTTP or AWS.
fn directory() -> Server {
    Server::start(|_| Reply::json(200, json!({ "mail": "Ann@example.com", "id": "a/7" })))
}

fn by_http(directory: &Server, told: &str) -> String {
    format!(
        "[directory]\nkind = 'http'\nurl = '{0}'\n[directory.authenticate]\nurl = '/sign-in'\njson = '{{password}}'\nok = [200]\n\
         [directory.lookup]\nurl = '/lookup'\njson = '{{username}}'\nok = [200]\n\
         [attributes]\nemail = 'mail'\nemail_verified = '=true'\n'custom:id' = 'id'\n{told}\n",
        directory.url()
    )
}

#[test]
fn a_request_names_the_migrated_user_and_its_secret_can_be_rotated() {
    let directory = directory();
    let good = Arc::new(Mutex::new("Bearer canary-first".to_owned()));
    let taken = Arc::clone(&good);
    let told = Server::start_tls(move |request| {
        let admitted = request.header("authorization") == *taken.lock().unwrap();
        Reply::status(if admitted { 204 } else { 401 })
    });
    let toml = by_http(
        &directory,
        &format!(
            "[on_migrated]\nurl = '{}/users/{{attributes.custom:id}}?app={{client_id}}'\nmethod = 'PUT'\n\
             headers = {{ authorization = 'Bearer {{secrets.token}}' }}\njson = {{ name = '{{username}}', new = true }}\n\
             secrets = {{ token = {{ env = 'SECRET' }} }}\nca_certificate = '''{}'''\n",
            told.url(),
            told.certificate.clone().unwrap()
        ),
    );
    let function = started(&toml);
    let event = sign_in("Ann@Example.com", PASSWORD);
    let asked = function.invoke(&trial(event.clone())).event();
    let path = "/users/a%2F7?app=1example23456789";
    let shown = &asked["janeMigrateTold"][0]["body"];
    assert_eq!(shown["url"], format!("{}{path}", told.url()));
    assert_eq!(
        (&shown["method"], &shown["json"]["name"]),
        (&json!("PUT"), &json!(ANN))
    );
    assert_eq!(function.record()["onMigrated"], "checked");
    assert_eq!(told.requests().len(), 0, "a test sends no notification");

    assert_eq!(moved(&function, &event).1, json!("sent"));
    let request = &told.requests()[0];
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("PUT", path)
    );
    assert_eq!(request.json(), json!({ "name": ANN, "new": true }));
    // A token that is refused and has not changed is not sent again.
    *good.lock().unwrap() = "Bearer other".to_owned();
    assert_eq!(moved(&function, &event).1, json!("status"));
    assert_eq!(told.requests().len(), 2);
    assert!(
        !function.output().contains("canary"),
        "{}",
        function.output()
    );
}

#[test]
fn a_request_that_fails_or_hangs_fails_no_sign_in() {
    let directory = directory();
    let next = Arc::new(Mutex::new(Reply::status(500)));
    let answer = Arc::clone(&next);
    let told = Server::start(move |_| answer.lock().unwrap().clone());
    let url = format!("[on_migrated]\nurl = '{}/'\ntimeout_ms = 300\n", told.url());
    let function = started(&by_http(&directory, &url));
    let event = sign_in(ANN, PASSWORD);
    for (reply, word) in [
        (Reply::status(500), "status"),
        (Reply::status(301), "status"),
        (Reply::Reset, "connection"),
        (Reply::Hang, "timeout"),
        (Reply::Endless(b"x".repeat(1000)), "connection"),
        (Reply::status(200), "sent"),
    ] {
        *next.lock().unwrap() = reply.clone();
        let since = Instant::now();
        assert_eq!(moved(&function, &event).1, json!(word), "{reply:?}");
        assert!(since.elapsed() < Duration::from_secs(2), "{reply:?}");
    }
    // The shop's other server is down: no process listens there.
    drop(told);
    let nobody = "[on_migrated]\nurl = 'http://127.0.0.1:9/'\n";
    let function = started(&by_http(&directory, nobody));
    assert_eq!(moved(&function, &event).1, json!("connect"));
}

#[test]
fn with_pre_sign_up_the_notification_is_sent_before_the_users_creation() {
    let directory = directory();
    let told = Server::start(|_| Reply::status(200));
    let toml = by_http(
        &directory,
        &format!(
            "[triggers]\npre_sign_up = true\n[on_migrated]\nurl = '{}/'\njson = {{ name = '{{username}}', id = '{{attributes.custom:id}}' }}\n",
            told.url()
        ),
    );
    let function = started(&toml);
    assert_eq!(
        moved(&function, &sign_in(ANN, PASSWORD)).1,
        Value::Null,
        "not yet"
    );
    assert_eq!(told.requests().len(), 0);
    let attributes = json!({ "email": "Ann@example.com", "custom:id": "a/7" });
    let created = account("PreSignUp_AdminCreateUser", "Ann", attributes.clone());
    assert_eq!(function.outcome(&created).0, "nothing-to-do");
    // In this pool users sign in with the user name.
    assert_eq!(
        told.requests()[0].json(),
        json!({ "name": "ann", "id": "a/7" })
    );
    let asked = function.invoke(&trial(created)).event();
    assert_eq!(asked["janeMigrateTold"][0]["body"]["json"]["id"], "a/7");
    // A sign-up is no migration.
    let sign_up = account("PreSignUp_SignUp", "Ann", attributes);
    function.invoke(&sign_up);
    assert_eq!(told.requests().len(), 1);
}

#[test]
fn a_queue_and_a_bus_get_a_message_signed_by_the_role() {
    let moto = Moto::shared();
    let called = |service: &str, target: &str, body: Value| moto.call(service, target, &body);
    called(
        "sqs",
        "AmazonSQS.CreateQueue",
        json!({ "QueueName": "migrated" }),
    );
    let fifo = json!({ "QueueName": "migrated.fifo", "Attributes": { "FifoQueue": "true" } });
    called("sqs", "AmazonSQS.CreateQueue", fifo);
    called(
        "sqs",
        "AmazonSQS.CreateQueue",
        json!({ "QueueName": "of-events" }),
    );
    called(
        "events",
        "AWSEvents.CreateEventBus",
        json!({ "Name": "migrated" }),
    );
    let arn =
        |service: &str, name: &str| format!("arn:aws:{service}:us-east-1:123456789012:{name}");
    called(
        "events",
        "AWSEvents.PutRule",
        json!({ "Name": "all", "EventBusName": "migrated", "EventPattern": "{\"source\":[\"jane-migrate\"]}" }),
    );
    let targets = json!([{ "Id": "1", "Arn": arn("sqs", "of-events") }]);
    called(
        "events",
        "AWSEvents.PutTargets",
        json!({ "Rule": "all", "EventBusName": "migrated", "Targets": targets }),
    );
    let received = |queue: &str| -> Vec<Value> {
        let url = format!("{}/123456789012/{queue}", moto.url());
        let query = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 });
        let answer = called("sqs", "AmazonSQS.ReceiveMessage", query);
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        let bodies = messages
            .iter()
            .map(|message| message["Body"].as_str().unwrap().to_owned());
        bodies
            .map(|body| serde_json::from_str(&body).unwrap())
            .collect()
    };
    let directory = directory();
    let start = |told: &str| {
        let url = moto.url();
        let environment = [
            ("AWS_ACCESS_KEY_ID", "AKIACANARY"),
            ("AWS_SECRET_ACCESS_KEY", "canary-key"),
            ("AWS_SESSION_TOKEN", "canary-session"),
            ("AWS_ENDPOINT_URL", &url),
        ];
        // Moto loads a service at its first request, which takes longer than a customer should wait.
        let told = format!("[on_migrated]\ntimeout_ms = 4000\n{told}");
        Function::start(&settings(&by_http(&directory, &told)), &environment)
    };
    let event = sign_in(ANN, PASSWORD);
    let whole = json!({ "userPoolId": crate::function::POOL, "clientId": "1example23456789", "username": ANN });

    let queue = start(&format!("queue = '{}'", arn("sqs", "migrated")));
    let asked = queue.invoke(&trial(event.clone())).event();
    assert_eq!(asked["janeMigrateTold"][0]["body"], whole);
    assert_eq!(queue.record()["onMigrated"], "checked");
    assert_eq!(moved(&queue, &event).1, json!("sent"));
    assert_eq!(received("migrated"), std::slice::from_ref(&whole));

    let fifo = start(&format!(
        "queue = '{}'\njson = {{ id = '{{attributes.custom:id}}' }}",
        arn("sqs", "migrated.fifo")
    ));
    for _ in 0..2 {
        assert_eq!(moved(&fifo, &event).1, json!("sent"));
    }
    assert_eq!(
        received("migrated.fifo"),
        [json!({ "id": "a/7" })],
        "the repetition is dropped"
    );

    let bus = start(&format!(
        "event_bus = '{}'",
        arn("events", "event-bus/migrated")
    ));
    assert_eq!(moved(&bus, &event).1, json!("sent"));
    let sent = received("of-events");
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(
        (&sent[0]["detail"], &sent[0]["detail-type"]),
        (&whole, &json!("User migrated"))
    );

    let none = start(&format!("queue = '{}'", arn("sqs", "no-such-queue")));
    assert_eq!(moved(&none, &event).1, json!("status"));
    for function in [queue, fifo, bus, none] {
        assert!(
            !function.output().to_lowercase().contains("canary"),
            "{}",
            function.output()
        );
    }
}

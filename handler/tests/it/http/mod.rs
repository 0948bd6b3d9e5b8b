//! The handler with `kind = "http"`: templates and conditions.

mod presets;

use std::{
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    function::{Answer, Function, account, forgot_password, settings, sign_in},
    server::{Reply, Request, Server},
};

const USER: &str = "ann@example.com";
const PASSWORD: &str = "Canary-pass:w&rd=%41";
const SECRET: &str = "canary-secret-90af";

fn function(server: &Server, toml: &str) -> Function {
    let toml = format!(
        "[directory]\nkind = 'http'\nurl = '{}'\n{toml}",
        server.url()
    );
    Function::start(&settings(&toml), &[("SECRET", SECRET)])
}

fn form(request: &Request) -> Value {
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            match first {
                b'%' => {
                    bytes.push(
                        u8::from_str_radix(std::str::from_utf8(&rest[..2]).unwrap(), 16).unwrap(),
                    );
                    rest = &rest[2..];
                }
                byte => bytes.push(*byte),
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let body = String::from_utf8(request.body.clone()).unwrap();
    let pairs = body.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs
        .map(|(name, value)| (decode(name), Value::from(decode(value))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn attributes(answer: Answer) -> Value {
    answer.event()["response"]["userAttributes"].clone()
}

#[test]
fn all_values_from_the_app_can_be_passed_on_and_are_escaped() {
    let server = Server::start(|request| {
        let mail = match request.path.as_str() {
            "/lookup" => "a b+c@x",
            _ => USER,
        };
        Reply::json(200, json!({ "data": { "mail": mail, "ok": true } }))
    });
    let toml = "
        settings = { shop = '42' }
        secrets = { key = { env = 'SECRET' } }
        [directory.authenticate]
        url = '/shops/{settings.shop}/{username}?client={client_id}'
        headers = { x-key = 'Key {secrets.key}', x-shop = '{validation.shop}' }
        json = { user = '{username}', list = ['{password}', 1, true], meta = 'a{metadata.m}b{validation.none}c' }
        basic = { username = 'me', password = '{secrets.key}' }
        ok = [200]
        user = '/data'
        [directory.lookup]
        url = '/lookup'
        form = { 'user name' = '{username}' }
        ok = [200]
        user = '/data'
        [attributes]
        email = 'mail'
        email_verified = 'ok'
    ";
    let function = function(&server, toml);
    let mut event = sign_in("Ü&/?#\"@x", PASSWORD);
    event["request"]["validationData"] = json!({ "shop": "7" });
    event["request"]["clientMetadata"] = json!({ "m": "\"quoted\"" });
    assert_eq!(attributes(function.invoke(&event))["email"], USER);
    let request = &server.requests()[0];
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        (
            "POST",
            "/shops/42/%C3%BC%26%2F%3F%23%22%40x?client=1example23456789"
        )
    );
    assert_eq!(
        (request.header("x-key"), request.header("x-shop")),
        ("Key canary-secret-90af", "7")
    );
    assert_eq!(
        request.header("authorization"),
        "Basic bWU6Y2FuYXJ5LXNlY3JldC05MGFm"
    );
    assert_eq!(
        request.json(),
        json!({ "user": "ü&/?#\"@x", "list": [PASSWORD, 1, true], "meta": "a\"quoted\"bc" })
    );

    let answer = function.invoke(&forgot_password("a b+c@x")).event();
    assert_eq!(
        answer["response"]["userAttributes"],
        json!({ "email": "a b+c@x", "email_verified": "true" })
    );
    let request = &server.requests()[1];
    assert_eq!(form(request), json!({ "user name": "a b+c@x" }));
    assert!(!function.output().contains("canary"));
}

#[test]
fn the_connection_is_open_before_the_first_sign_in_and_stays_open() {
    let server = Server::start(|_| Reply::json(200, json!({ "email": USER })));
    let toml = "
        [directory.authenticate]
        url = '/users/{username}/check'
        json = '{password}'
        ok = [200]
        [attributes]
        email = 'email'
    ";
    let function = function(&server, toml);
    assert_eq!(server.connections(), 1);
    for _ in 0..3 {
        assert_eq!(function.outcome(&sign_in(USER, PASSWORD)).0, "migrated");
    }
    assert_eq!(server.connections(), 1);
}

/// Also not if the server closes a kept connection after it read the password.
#[test]
fn a_password_is_sent_once_also_on_a_kept_connection() {
    let server = Server::start(|request| match request.method.as_str() {
        "HEAD" => Reply::status(200),
        _ => Reply::Bytes(Vec::new()),
    });
    let toml = "
        [directory.authenticate]
        url = '/check'
        json = '{password}'
        ok = [200]
        [attributes]
        email = 'email'
    ";
    let function = function(&server, toml);
    let outcome = function.outcome(&sign_in(USER, PASSWORD)).0;
    assert_eq!(outcome, "directory-unavailable");
    assert_eq!(server.paths(), ["/check"]);
}

#[test]
fn a_configured_header_field_replaces_ours() {
    let server = Server::start(|_| Reply::json(200, json!({ "email": USER })));
    let toml = "
        [directory.authenticate]
        url = '/'
        headers = { content-Type = 'application/vnd.api+json' }
        json = '{password}'
        ok = [200]
        [attributes]
        email = 'email'
    ";
    let function = function(&server, toml);
    assert_eq!(function.outcome(&sign_in(USER, PASSWORD)).0, "migrated");
    let fields = &server.requests()[0].fields;
    let mut types = fields.iter().filter(|(name, _)| name == "content-type");
    assert_eq!(types.next().unwrap().1, "application/vnd.api+json");
    assert_eq!(types.next(), None);
}

#[test]
fn conditions_on_the_body_come_before_the_status() {
    let server = Server::start(|request| {
        let answer = request.json()["u"]
            .as_str()
            .unwrap()
            .split('@')
            .next()
            .unwrap()
            .to_owned();
        match answer.as_str() {
            "ok" => Reply::json(200, json!({ "email": USER })),
            "blocked" => Reply::json(200, json!({ "email": USER, "state": "blocked" })),
            "none" => Reply::json(200, json!([])),
            "list" => Reply::json(200, json!([{ "email": USER }])),
            "text" => Reply::Answer(200, Vec::new(), b"fine".to_vec()),
            "401" => Reply::status(401),
            "404" => Reply::status(404),
            "410" => Reply::json(410, json!({ "error": "gone" })),
            "often" => Reply::json(400, json!({ "error": "OFTEN : come back later" })),
            "seldom" => Reply::json(400, json!({ "error": "not OFTEN" })),
            other => Reply::status(other.parse().unwrap()),
        }
    });
    let toml = "
        [directory.authenticate]
        url = '/'
        json = { u = '{username}', p = '{password}' }
        ok = [200]
        not_found = [404, { status = 200, pointer = '/email', absent = true }]
        wrong_password = [401]
        not_eligible = [{ status = 200, pointer = '/state', equals = 'blocked' }, { status = 410, pointer = '/error' },
            { status = 400, pointer = '/error', begins = 'OFTEN' }]
        [attributes]
        email = 'email'
    ";
    let function = function(&server, toml);
    for (name, outcome) in [
        ("ok", "migrated"),
        ("blocked", "not-eligible"),
        ("none", "not-found"),
        ("list", "not-found"),
        ("text", "directory-unavailable"),
        ("401", "wrong-password"),
        ("404", "not-found"),
        ("410", "not-eligible"),
        ("often", "not-eligible"),
        ("seldom", "directory-unavailable"),
        ("403", "directory-unavailable"),
        ("500", "directory-unavailable"),
        ("204", "directory-unavailable"),
    ] {
        assert_eq!(
            function.outcome(&sign_in(&format!("{name}@x"), PASSWORD)).0,
            outcome,
            "{name}"
        );
    }
    assert_eq!(
        function.outcome(&forgot_password("ok@x")).0,
        "not-eligible",
        "there is no lookup"
    );
}

#[test]
fn an_existing_address_cannot_sign_up_in_another_spelling() {
    let server = Server::start(|request| {
        // Equal for this service: any case, and accents composed or decomposed.
        let name = form(request)["name"].as_str().unwrap().to_lowercase();
        match name.replace("e\u{301}", "é").as_str() {
            "josé@example.com" => Reply::json(200, json!({ "email": "josé@example.com" })),
            _ => Reply::status(404),
        }
    });
    let toml = "
        [directory.authenticate]
        url = '/sign_in'
        json = '{password}'
        ok = [200]
        [directory.lookup]
        url = '/lookup'
        form = { name = '{username}' }
        ok = [200]
        not_found = [404]
        [attributes]
        email = 'email'
        [triggers]
        pre_sign_up = true
    ";
    let function = function(&server, toml);
    let sign_up = |email: &str| account("PreSignUp_SignUp", "5a3f", json!({ "email": email }));
    for email in [
        "josé@example.com",
        "JOSÉ@Example.com",
        " josé@example.com ",
        "jose\u{301}@example.com",
        "JOSE\u{301}@EXAMPLE.COM",
    ] {
        let expected = Answer::Error {
            kind: "UserExists".into(),
            message: "User already exists, please log in".into(),
        };
        let refused = ("user-exists".to_owned(), expected);
        assert_eq!(function.outcome(&sign_up(email)), refused, "{email:?}");
    }
    let event = sign_up("jo@example.com");
    let allowed = ("sign-up-allowed".to_owned(), Answer::Event(event.clone()));
    assert_eq!(function.outcome(&event), allowed);
    let migration = account(
        "PreSignUp_AdminCreateUser",
        "5a3f",
        json!({ "email": "josé@example.com" }),
    );
    let passes = ("nothing-to-do".to_owned(), Answer::Event(migration.clone()));
    assert_eq!(
        function.outcome(&migration),
        passes,
        "a migration is allowed"
    );
}

#[test]
fn a_name_cannot_lead_to_another_path() {
    let server = Server::start(|_| Reply::json(200, json!({ "email": USER })));
    let toml = "
        [directory.authenticate]
        url = '/users/{username}/check'
        json = '{password}'
        ok = [200]
        [attributes]
        email = 'email'
    ";
    let function = function(&server, toml);
    for (name, outcome) in [
        ("..", "not-found"),
        (".", "not-found"),
        ("../admin", "not-found"),
        ("a\\..\\admin", "not-found"),
        ("a..b/c", "migrated"),
    ] {
        assert_eq!(function.outcome(&sign_in(name, PASSWORD)).0, outcome);
    }
    assert_eq!(server.paths(), ["/users/a..b%2Fc/check"]);
}

#[test]
fn combined_values_cannot_lead_to_another_path_either() {
    let server = Server::start(|_| Reply::json(200, json!({ "email": USER })));
    let toml = "
        [directory.authenticate]
        url = '/users/.{username}/{validation.a}{validation.b}'
        json = '{password}'
        ok = [200]
        [attributes]
        email = 'email'
    ";
    let function = function(&server, toml);
    for (name, second) in [(".", "x"), ("x", ".")] {
        let mut event = sign_in(name, PASSWORD);
        event["request"]["validationData"] = json!({ "a": ".", "b": second });
        assert_eq!(function.outcome(&event).0, "not-found");
    }
    assert_eq!(server.paths(), [""; 0]);
}

#[test]
fn a_name_cannot_start_the_password_or_another_header() {
    let server = Server::start(|_| Reply::json(200, json!({ "email": USER })));
    let toml = "
        [directory.authenticate]
        url = '/'
        basic = { username = '{username}', password = '{password}' }
        headers = { x-app = '{validation.app}' }
        ok = [200]
        [attributes]
        email = 'email'
    ";
    let function = function(&server, toml);
    assert_eq!(
        function.outcome(&sign_in("ann:pass", "word")).0,
        "not-found"
    );
    let mut event = sign_in(USER, PASSWORD);
    event["request"]["validationData"] = json!({ "app": "1\r\nx-admin: 1" });
    function.invoke(&event).error();
    assert_eq!(server.paths(), [""; 0]);
    event["request"]["validationData"] = json!({ "app": "1" });
    assert_eq!(attributes(function.invoke(&event))["email"], USER);
}

#[test]
fn a_surplus_response_is_not_used_for_the_next_request() {
    let answer = |status: u16, body: Value| {
        let body = body.to_string();
        format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let two = answer(401, json!({})) + &answer(200, json!({ "email": USER }));
    let server = Server::start(move |request| match &*request.path {
        "/eve" => Reply::BytesAndKeep(two.clone().into_bytes()),
        _ => Reply::status(401),
    });
    let toml = "
        [directory.authenticate]
        url = '/{username}'
        json = '{password}'
        ok = [200]
        wrong_password = [401]
        [attributes]
        email = 'email'
    ";
    let function = function(&server, toml);
    for name in ["eve", "ann", "eve", "ann"] {
        assert_eq!(
            function.outcome(&sign_in(name, PASSWORD)).0,
            "wrong-password",
            "{name}"
        );
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(|_| Reply::json(200, json!({ "email": USER })));
    let target = elsewhere.url();
    let server = Server::start(move |request| {
        let status = request.json()["status"].as_str().unwrap().parse().unwrap();
        Reply::Answer(
            status,
            vec![("location".to_owned(), target.clone())],
            Vec::new(),
        )
    });
    let toml = "
        [directory.authenticate]
        url = '/'
        json = { status = '{username}', password = '{password}' }
        ok = [200]
        [attributes]
        email = 'email'
    ";
    let function = function(&server, toml);
    for status in ["301", "302", "303", "307", "308"] {
        function.invoke(&sign_in(status, PASSWORD)).error();
    }
    assert_eq!(server.requests().len(), 5);
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_host_that_accepts_no_connection_is_paused_too() {
    // Its queue is full and never emptied: every further connection waits forever.
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let waiting: Vec<_> = (0..4)
        .map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)))
        .collect();
    assert!(waiting.last().unwrap().is_err(), "the queue should be full");
    let toml = format!(
        "[directory]\nkind = 'http'\nurl = 'http://{address}'\n[directory.authenticate]\nurl = '/'\n\
         json = '{{password}}'\nok = [200]\n[attributes]\nemail = '{{username}}'\n"
    );
    let function = Function::start(&settings(&toml), &[]);
    // One name alone does not block the others.
    for (name, reason) in [
        (USER, "connect"),
        (USER, "connect"),
        ("bob@example.com", "connect"),
        (USER, "paused"),
    ] {
        function.invoke(&sign_in(name, PASSWORD)).error();
        assert_eq!(function.record()["reason"], reason);
    }
}

#[test]
fn a_refused_secret_is_not_a_wrong_password() {
    let server = Server::start(|_| Reply::status(401));
    let toml = "
        secrets = { token = { env = 'SECRET' } }
        [directory.authenticate]
        url = '/'
        headers = { authorization = 'Bearer {secrets.token}' }
        json = '{password}'
        ok = [200]
        wrong_password = [422]
        [attributes]
        email = 'email'
    ";
    let function = function(&server, toml);
    assert_eq!(
        function.outcome(&sign_in(USER, PASSWORD)).0,
        "directory-unavailable"
    );
    assert_eq!(
        server.requests().len(),
        1,
        "the secret is the same, so the password is not sent again"
    );
}

#[test]
fn a_response_configured_as_refused_is_an_outage_and_the_password_is_sent_once() {
    let server = Server::start(|_| Reply::json(400, json!({ "error": "key" })));
    let toml = "
        secrets = { token = { env = 'SECRET' } }
        [directory.authenticate]
        url = '/'
        json = ['{password}', '{secrets.token}']
        ok = [200]
        wrong_password = [400]
        refused = [{ status = 400, pointer = '/error', equals = 'key' }]
        [attributes]
        email = 'email'
    ";
    let function = function(&server, toml);
    function.invoke(&sign_in(USER, PASSWORD)).error();
    assert_eq!(function.record()["reason"], "credentials");
    assert_eq!(server.requests().len(), 1);
}

/// A firewall in front of the service answers every request with 403, also one with a new token.
#[test]
fn a_directory_that_refuses_every_token_costs_one_token_a_minute() {
    let tokens = AtomicUsize::new(0);
    let server = Server::start(move |request: &Request| match request.path.as_str() {
        "/token" => {
            let token = tokens.fetch_add(1, Ordering::Relaxed).to_string();
            Reply::json(200, json!({ "access_token": token }))
        }
        _ => Reply::status(403),
    });
    let toml = format!(
        "
        oauth = {{ url = '{}/token', client_id = 'c', client_secret = {{ env = 'SECRET' }} }}
        [directory.authenticate]
        url = '/'
        oauth = true
        json = '{{password}}'
        ok = [200]
        wrong_password = [422]
        [attributes]
        email = 'email'
        ",
        server.url()
    );
    let function = function(&server, &toml);
    for _ in 0..3 {
        function.invoke(&sign_in(USER, PASSWORD)).error();
    }
    let requests = server.requests();
    let sent = |path: &str| {
        requests
            .iter()
            .filter(|sent| sent.path == path && sent.method == "POST")
            .count()
    };
    assert_eq!(
        (sent("/token"), sent("/")),
        (2, 4),
        "once at the start, and once when refused"
    );
}

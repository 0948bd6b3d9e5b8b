//! The handler with `kind = "http"`: templates and conditions.

mod presets;

use serde_json::{Value, json};

use crate::{
    function::{Answer, Function, forgot_password, settings, sign_in},
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
fn everything_the_app_sent_can_be_passed_on_each_escaped_for_its_place() {
    let server = Server::start(|_| {
        Reply::json(
            200,
            json!({ "data": { "mail": "ann@example.com", "ok": true } }),
        )
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
        json!({ "email": USER, "email_verified": "true" })
    );
    let request = &server.requests()[1];
    assert_eq!(form(request), json!({ "user name": "a b+c@x" }));
    assert!(!function.output().contains("canary"));
}

#[test]
fn the_connection_is_there_before_the_first_sign_in_and_stays() {
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
        not_eligible = [{ status = 200, pointer = '/state', equals = 'blocked' }, { status = 410, pointer = '/error' }]
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
    for name in ["..", ".", "../admin"] {
        function.invoke(&sign_in(name, PASSWORD));
    }
    assert_eq!(server.paths(), ["/users/..%2Fadmin/check"]);
}

#[test]
fn a_refused_secret_is_not_taken_for_a_wrong_password() {
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
        2,
        "tried once more with the secret as it is now"
    );
}

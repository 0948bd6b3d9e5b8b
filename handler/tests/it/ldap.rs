//! The handler with `kind = "ldap"`, against a real OpenLDAP.

use std::{
    net::TcpListener,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use jane_migrate_config::{Import, Secret};
use jane_migrate_handler::{Export, Secrets, Unavailable};
use serde_json::json;
use tokio::task::spawn_blocking;

use crate::{
    function::{Function, account, forgot_password, settings, sign_in},
    openldap::{OpenLdap, READER_PASSWORD},
    server,
};

const PASSWORD: &str = "canary-user-password";

fn person(uid: &str, more: &str) -> String {
    format!(
        "dn: uid={uid},ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: Lee\n\
         userPassword: {PASSWORD}\n{more}\n"
    )
}

fn people() -> String {
    [
        person("ann", "mail: other@example.com\nmail: Ann@example.com\ngivenName: Ann\n"),
        person("twin1", "mail: twin@example.com\n"),
        person("twin2", "mail: twin@example.com\n"),
        person("a*b", "mail: star@example.com\n"),
        "dn: uid=nopass,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: nopass\ncn: n\nsn: n\nmail: nopass@example.com\n\n".into(),
    ]
    .concat()
}

const SEARCH: &str = "base = 'ou=people,dc=example,dc=com'\nfilter = '(&(objectClass=inetOrgPerson)(|(mail={username})(uid={username})))'\n\
    bind_dn = 'cn=reader,dc=example,dc=com'\nbind_password = { env = 'READER_PASSWORD' }\n";

const BY_NAME: &str = "user_dn = 'uid={username},ou=people,dc=example,dc=com'\n";

impl OpenLdap {
    fn toml(&self, directory: &str) -> String {
        format!(
            "[directory]\nkind = 'ldap'\nurl = 'ldaps://127.0.0.1:{}'\n{directory}ca_certificate = '''{}'''\n\
             [attributes]\nemail = 'mail'\nemail_verified = '=true'\ngiven_name = 'givenname'\nfamily_name = 'sn'\n",
            self.port, self.certificate
        )
    }

    fn function(&self, directory: &str) -> Function {
        started(&self.toml(directory))
    }
}

fn started(toml: &str) -> Function {
    Function::start(&settings(toml), &[("READER_PASSWORD", READER_PASSWORD)])
}

#[test]
fn each_kind_of_account_has_its_outcome() {
    let server = OpenLdap::start(&people());
    let function = server.function(SEARCH);
    for (name, password, outcome) in [
        ("ann@example.com", PASSWORD, "migrated"),
        ("ann", PASSWORD, "migrated"),
        ("ann@example.com", "wrong", "wrong-password"),
        // A bind without a password succeeds, and is anonymous.
        ("ann@example.com", "", "wrong-password"),
        ("nobody@example.com", PASSWORD, "not-found"),
        ("twin@example.com", PASSWORD, "not-eligible"),
        ("nopass@example.com", PASSWORD, "wrong-password"),
        // Characters with a meaning in a filter have none in a name.
        ("*", PASSWORD, "not-found"),
        ("ann*", PASSWORD, "not-found"),
        ("ann)(uid=*", PASSWORD, "not-found"),
        ("a*b", PASSWORD, "migrated"),
    ] {
        let (found, _) = function.outcome(&sign_in(name, password));
        assert_eq!(found, outcome, "{name}");
    }
    let output = function.output();
    assert!(
        !output.contains("canary") && !output.contains("ann@"),
        "{output}"
    );
}

/// The limit on guesses counts the account, by whichever name it is found.
#[test]
fn all_names_of_an_entry_share_the_limit_on_guesses() {
    let server = OpenLdap::start(&people());
    let function = server.function(SEARCH);
    let names = ["ann", "ann@example.com", "other@example.com"];
    for name in names.iter().cycle().take(10) {
        let wrong = sign_in(name, "wrong");
        assert_eq!(function.outcome(&wrong).0, "wrong-password", "{name}");
    }
    for name in names {
        let right = sign_in(name, PASSWORD);
        assert_eq!(function.outcome(&right).0, "too-many-guesses", "{name}");
    }
    assert_eq!(function.outcome(&sign_in("a*b", PASSWORD)).0, "migrated");
}

#[test]
fn attributes_have_the_names_of_the_settings() {
    let server = OpenLdap::start(&people());
    for directory in [SEARCH, BY_NAME] {
        let function = server.function(directory);
        let answer = function.invoke(&sign_in("ann", PASSWORD)).event();
        let user = &answer["response"]["userAttributes"];
        assert_eq!(user["given_name"], "Ann", "{user}");
        assert_eq!(user["family_name"], "Lee", "{user}");
    }
    // Of several addresses the typed one is used.
    let function = server.function(SEARCH);
    let answer = function
        .invoke(&sign_in("ann@example.com", PASSWORD))
        .event();
    let user = &answer["response"]["userAttributes"];
    assert_eq!(user["email"], "Ann@example.com", "{user}");
}

#[test]
fn a_user_dn_can_be_derived_from_the_name() {
    let server = OpenLdap::start(&people());
    let function = server.function(BY_NAME);
    for (name, password, outcome) in [
        ("ann", PASSWORD, "migrated"),
        ("a*b", PASSWORD, "migrated"),
        ("ann", "wrong", "wrong-password"),
        ("ann", "", "wrong-password"),
        // The server's response is the same for an unknown name and a wrong password.
        ("nobody", PASSWORD, "wrong-password"),
        ("ann,ou=people", PASSWORD, "wrong-password"),
        ("ann+cn=ann", PASSWORD, "wrong-password"),
    ] {
        let (found, _) = function.outcome(&sign_in(name, password));
        assert_eq!(found, outcome, "{name}");
    }
    assert_eq!(function.outcome(&forgot_password("ann")).0, "not-eligible");
}

#[test]
fn a_forgotten_password_and_a_sign_up_are_looked_up() {
    let server = OpenLdap::start(&people());
    let toml = server.toml(SEARCH) + "[triggers]\npre_sign_up = true\n";
    let function = started(&toml);
    let forgotten = |name: &str| function.outcome(&forgot_password(name)).0;
    assert_eq!(forgotten("ann@example.com"), "migrated-for-reset");
    assert_eq!(forgotten("nobody@example.com"), "not-found");
    let signs_up = |name: &str| {
        let event = account("PreSignUp_SignUp", "5a3f", json!({ "email": name }));
        function.invoke(&event);
        function.record()["outcome"].take()
    };
    assert_eq!(signs_up("ann@example.com"), "user-exists");
    assert_eq!(signs_up("new@example.com"), "sign-up-allowed");
}

#[test]
fn a_mistake_in_the_settings_is_logged_with_the_call() {
    let server = OpenLdap::start(&people());
    let toml = server.toml(SEARCH);
    for (from, to, reason, call) in [
        ("cn=reader", "cn=stranger", "login", "bind"),
        ("base = 'ou=people", "base = 'ou=nobody", "base", "search"),
        (
            "(objectClass=inetOrgPerson)",
            "(objectClass=(inetOrgPerson))",
            "query",
            "search",
        ),
        (
            "bind_dn = 'cn=reader,dc=example,dc=com'\nbind_password = { env = 'READER_PASSWORD' }\n",
            "",
            "base",
            "search",
        ),
    ] {
        let wrong = toml.replace(from, to);
        assert_ne!(wrong, toml);
        let function = started(&wrong);
        function
            .invoke(&sign_in("ann@example.com", PASSWORD))
            .error();
        let record = function.record();
        assert_eq!(
            (&record["reason"], &record["host"]),
            (&reason.into(), &"127.0.0.1".into()),
            "{to}: {record}"
        );
        let calls = record["upstream"].as_array().unwrap();
        assert!(calls.iter().any(|made| made["call"] == call), "{record}");
        let output = function.output();
        assert!(!output.contains("canary"), "{output}");
    }
}

#[test]
fn nothing_is_sent_to_a_server_with_an_untrusted_certificate() {
    let server = OpenLdap::start(&people());
    let other = server::certificate().cert.pem();
    let untrusted = server.toml(SEARCH).replace(&server.certificate, &other);
    let function = started(&untrusted);
    function
        .invoke(&sign_in("ann@example.com", PASSWORD))
        .error();
    assert_eq!(function.record()["reason"], "certificate");
    // Without TLS only this machine is allowed.
    let secure = format!("ldaps://127.0.0.1:{}", server.port);
    let plain = format!("ldap://127.0.0.1:{}", server.plain);
    let function = started(&server.toml(SEARCH).replace(&secure, &plain));
    assert_eq!(
        function.outcome(&sign_in("ann@example.com", PASSWORD)).0,
        "migrated"
    );
}

#[test]
fn an_unreachable_or_silent_server_ends_in_time() {
    let server = OpenLdap::start(&people());
    let function = server.function(SEARCH);
    let event = sign_in("ann@example.com", PASSWORD);
    assert_eq!(function.outcome(&event).0, "migrated");
    let port = server.port;
    drop(server);
    let started = Instant::now();
    assert_eq!(function.outcome(&event).0, "directory-unavailable");
    assert!(started.elapsed() < Duration::from_secs(4));
    // Another program listens there and never responds.
    let _silent = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let started = Instant::now();
    assert_eq!(function.outcome(&event).0, "directory-unavailable");
    assert!(started.elapsed() < Duration::from_secs(4));
}

/// There are more users than the server returns at once.
#[tokio::test]
async fn all_users_are_listed_in_pages_with_their_own_dn() {
    let many: String = (0..1_200)
        .map(|number| {
            person(
                &format!("u{number}"),
                &format!("mail: u{number}@example.com\n"),
            )
        })
        .collect();
    let many = many + &people();
    let server = spawn_blocking(move || OpenLdap::start(&many))
        .await
        .unwrap();
    let settings = settings(&server.toml(BY_NAME));
    let list = async |import: Import, most: usize| {
        let secrets = Secrets::new(None, String::new())
            .with(Secret::Env("EXPORT".into()), READER_PASSWORD.into());
        let export = Export::new(&settings, &import, Arc::new(secrets), 0).expect("usable");
        let mut names = Vec::new();
        export
            .each(&mut |row| {
                names.push(export.judge(row).name);
                match names.len() == most {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })
            .await
            .map(|()| names)
    };
    let import = Import {
        user: Some("cn=export,dc=example,dc=com".into()),
        password: Some(Secret::Env("EXPORT".into())),
        filter: Some("(objectClass=inetOrgPerson)".into()),
        base: Some("ou=people,dc=example,dc=com".into()),
        username_column: "uid".into(),
        ..Import::default()
    };
    let names = list(import.clone(), usize::MAX).await.unwrap();
    assert_eq!(names.len(), 1_205);
    assert!(names.contains(&"ann".to_owned()) && names.contains(&"u1199".to_owned()));
    assert_eq!(list(import.clone(), 3).await.unwrap().len(), 3);
    for (wrong, reason) in [
        // This limit of the server applies to every client.
        (
            Import {
                user: Some("cn=reader,dc=example,dc=com".into()),
                ..import.clone()
            },
            "size-limit",
        ),
        (
            Import {
                user: Some("cn=nobody,dc=example,dc=com".into()),
                ..import.clone()
            },
            "login",
        ),
        (
            Import {
                base: Some("ou=none,dc=example,dc=com".into()),
                ..import.clone()
            },
            "base",
        ),
        (
            Import {
                username_column: "email".into(),
                ..import.clone()
            },
            "username_column",
        ),
    ] {
        assert_eq!(list(wrong, usize::MAX).await, Err(Unavailable(reason)));
    }
}

//! The conditions on a directory as a whole, and the presets.

use super::{PRESETS, example_parts, http, preset, read, refused, with};
use crate::{Directory, ForgotPassword, HandlerSettings, PoolFacts, SecondFactor};

#[test]
fn an_http_directory_is_checked_as_a_whole() {
    let good = "url = 'https://a/'\njson = { p = '{password}' }\n";
    read(&http(good));
    for (lines, message) in [
        ("url = '/x'\njson = '{password}'", "is a path: add `url"),
        (
            "url = 'https://a/{password}'",
            "must carry neither the password nor a secret",
        ),
        (
            "url = 'http://a/'\njson = '{password}'",
            "must begin with https://",
        ),
        (
            "url = 'https://{username}.a/'\njson = '{password}'",
            "may have placeholders behind the host only",
        ),
        (
            "url = 'https://a{validation.x}/'\njson = '{password}'",
            "may have placeholders behind the host only",
        ),
        (
            "url = 'https://a/{nobody}'\njson = '{password}'",
            "`{nobody}` is no placeholder",
        ),
        (
            "url = 'https://a/'\njson = { p = '{username}' }",
            "never sends {password}",
        ),
        (
            "url = 'https://a/'\nform = { p = '{password}' }\njson = 1",
            "a request has one body",
        ),
        (
            "url = 'https://a/'\nmethod = 'GET'\nform = { p = '{password}' }",
            "is a GET and has no body",
        ),
        (
            "url = 'https://a/{settings.x}'\nform = { p = '{password}' }",
            "uses {settings.x}: add `x = \"...\"` under [directory.settings]",
        ),
        (
            "url = 'https://a/'\nform = { p = '{password}', k = '{secrets.x}' }",
            "under [directory.secrets]",
        ),
        (
            "url = 'https://a/'\nform = { p = '{password}' }\noauth = true",
            "add the table [directory.oauth]",
        ),
        (
            "url = 'https://a/'\njson = '{password}'\nheaders = { Authorization = 'x' }\nbasic = { username = 'u', password = 'p' }",
            ":5:1: [directory.authenticate] has a header field and `basic` for its authorization",
        ),
        (
            "url = 'https://a/'\njson = '{password}'\nheaders = { x-a = '1', X-A = '2' }",
            "has the same header field twice",
        ),
        (
            "url = 'https://a/'\njson = '{password}'\nnames = 'emails'",
            "`names`: unknown variant `emails`",
        ),
        (
            "url = 'https://a/'\njson = '{password}'\n[directory.lookup]\nurl = 'https://a/'\nok = []",
            "`ok` must have at least one status",
        ),
        (
            "url = 'https://a/'\njson = '{password}'\n[directory.oauth]\nurl = 'https://a/'\nclient_id = 'c'\n\
             client_secret = { env = 'SECRET' }\nform = { audience = '{username}' }",
            "`audience` may have no placeholder but {settings.KEY}",
        ),
        (
            "url = 'https://a/'\nform = { p = '{password}' }\nuser = 'x'",
            "must be a JSON pointer",
        ),
        (
            "url = 'https://a/'\nform = { p = '{password}' }\nheaders = { Host = 'x' }",
            "is set by the handler itself",
        ),
        (
            "url = 'https://a/'\nform = { p = '{password}' }\n[directory.lookup]\nok = [200]\nurl = 'https://a/'\njson = '{password}'",
            "which a forgotten password does not have",
        ),
    ] {
        let found = refused(&http(lines));
        assert!(found.contains(message), "{lines}: {found}");
    }
    let unmapped = http(good).replace("[attributes]\nemail = 'email'\n", "");
    assert!(refused(&unmapped).contains("[attributes] must map at least one attribute"));
}

#[test]
fn every_preset_works_as_documented() {
    for (name, text) in PRESETS {
        let config = read(&preset(name, text));
        assert!(config.attributes.contains_key("email"), "{name}");
        let Directory::Http(http) = &config.directory else {
            panic!("{name}")
        };
        assert!(http.authenticate.url.starts_with("https://"), "{name}");
        // Supabase has no lookup that a publishable key allows.
        assert_eq!(http.lookup.is_some(), name != "supabase", "{name}");
        let settings = HandlerSettings::new(
            &config,
            &PoolFacts {
                id: "us-east-1_AbC123456".into(),
                ..PoolFacts::default()
            },
        );
        let json = settings.to_json();
        assert!(!json.contains("settings."), "{name}: {json}");
        assert!(json.len() < 3000, "{name}: {} bytes", json.len());
        assert_eq!(HandlerSettings::from_json(&json).unwrap(), settings);
    }
}

#[test]
fn the_file_overrides_its_preset() {
    let text = PRESETS
        .iter()
        .find(|(name, _)| *name == "keycloak")
        .unwrap()
        .1;
    let whole = preset("keycloak", text);
    let without_oauth = whole.split("[directory.oauth]").next().unwrap();
    let Directory::Http(http) = read(without_oauth).directory else {
        panic!()
    };
    assert!(http.lookup.is_none(), "nothing to look up with");
    assert!(
        refused(&without_oauth.replace("realm =", "area =")).contains("uses {settings.realm}: add")
    );
    assert!(
        refused(&without_oauth.replace("client_secret =", "other ="))
            .contains("uses {secrets.client_secret}: add")
    );
    assert!(
        refused(&without_oauth.replace("keycloak\"", "keycloack\""))
            .contains("did you mean `keycloak`?")
    );
    let own = format!(
        "{whole}\n[directory.lookup]\nurl = '/mine'\nok = [200]\n[attributes]\nemail = 'mail'\nname = 'name'"
    );
    let config = read(&own);
    let Directory::Http(http) = &config.directory else {
        panic!()
    };
    assert_eq!(
        http.lookup.as_ref().unwrap().url,
        "https://keycloak.example.com/mine"
    );
    assert_eq!(
        http.oauth.as_ref().unwrap().url,
        "https://keycloak.example.com/realms/shop/protocol/openid-connect/token"
    );
    assert_eq!(
        (
            config.attributes["email"].as_str(),
            config.attributes["given_name"].as_str()
        ),
        ("mail", "given_name | firstName")
    );
}

#[test]
fn a_query_must_be_one_select_of_one_user() {
    let query = |query: &str| {
        example_parts()
            .remove(3)
            .replace("WHERE lower(email) = $1", query)
    };
    for bad in ["", "WHERE email = $1; DELETE FROM users", "WHERE email = ?"] {
        assert!(refused(&query(bad)).contains("`query` must"), "{bad}");
    }
    let mysql = example_parts().remove(4).replace('?', "$1");
    assert!(refused(&mysql).contains("`query` must use ?, which is the user name"));
}

#[test]
fn a_query_must_select_the_configured_columns() {
    let postgres = example_parts().remove(3);
    for (column, key) in [
        (", password_hash FROM", "password_column"),
        (" salt,", "salt_column"),
    ] {
        let without = postgres.replace(
            column,
            if column.ends_with("FROM") {
                " FROM"
            } else {
                ""
            },
        );
        assert_ne!(without, postgres);
        let found = refused(&without);
        assert!(
            found.contains(&format!(
                "`{key}` is not among the columns that `query` selects"
            )),
            "{found}"
        );
    }
    read(&postgres.replace(
        "SELECT email, first_name, true AS verified, salt, password_hash",
        "SELECT *",
    ));
}

#[test]
fn an_unknown_hash_format_lists_the_known_ones() {
    let file = example_parts()
        .remove(3)
        .replace("hash = \"firebase\"", "hash = \"md5\"");
    let found = refused(&file);
    for words in [
        "`bcrypt`",
        "`scrypt-kdf`",
        "docs/from-sql.md lists them by framework",
    ] {
        assert!(found.contains(words), "{found}");
    }
}

#[test]
fn sso_only_needs_a_sql_table() {
    let sso_only = "\n[response]\nforgot_password = \"sso-only\"\n";
    read(&(example_parts().remove(3) + sso_only));
    read(&(example_parts().remove(4) + sso_only));
    let found = refused(&super::with(sso_only));
    assert!(
        found.contains("other directories do not say who has a password"),
        "{found}"
    );
    let off = read(&super::with("\n[response]\nforgot_password = \"off\"\n"));
    assert_eq!(off.response.forgot_password, ForgotPassword::Off);
}

#[test]
fn a_second_factor_is_refused_by_default() {
    let okta = PRESETS.iter().find(|(name, _)| *name == "okta").unwrap().1;
    let file = preset("okta", okta);
    let of = |file: &str| match read(file).directory {
        Directory::Http(http) => http.second_factor,
        other => panic!("{other:?}"),
    };
    assert_eq!(of(&file), SecondFactor::Refuse);
    let accept = file.replace(
        "kind = \"http\"",
        "kind = \"http\"\nsecond_factor = \"accept\"",
    );
    assert_eq!(of(&accept), SecondFactor::Accept);
}

#[test]
fn a_host_is_only_a_name_or_an_address() {
    for bad in ["", "a b", "https://db.example.com", "db:5432"] {
        let host = format!("host = \"{bad}\"");
        let file = example_parts()
            .remove(3)
            .replace("host = \"db.example.com\"", &host);
        assert!(refused(&file).contains("`host` must"), "{bad}");
    }
}

#[test]
fn import_needs_its_own_user_and_query() {
    let database = |import: &str| {
        format!(
            "[directory]\nkind = 'postgres'\nhost = 'h'\ndatabase = 'd'\nuser = 'u'\npassword = {{ env = 'PP' }}\n\
             query = 'SELECT hash FROM users WHERE email = $1'\npassword_column = 'hash'\nhash = 'bcrypt'\n\
             [attributes]\nemail = 'email'\n[import]\n{import}\n"
        )
    };
    let whole = "user = 'e'\npassword = { env = 'EE' }\nquery = 'SELECT email, hash FROM users'";
    let config = read(&database(whole));
    assert_eq!(config.import.username_column, "email");
    assert_eq!(config.import.hash_column, "password_hash");
    // The function does not get it.
    let secrets: Vec<_> = config.secrets().into_iter().map(|(name, _)| name).collect();
    assert_eq!(secrets, ["directory.password"]);
    for (import, told) in [
        ("user = 'e'", "belong together"),
        (
            "user = 'e'\npassword = { env = 'EE' }\nquery = 'SELECT hash FROM users WHERE email = $1'",
            "has no placeholder",
        ),
        (
            "user = 'e'\npassword = { env = 'EE' }\nquery = 'DELETE FROM users'",
            "must be a SELECT",
        ),
        ("hash_column = 'a b'", "column's name"),
        ("role_arn = 'x'", "must be an ARN"),
    ] {
        let error = refused(&database(import));
        assert!(error.contains(told), "{error}");
    }
    let jane = refused(&with("[import]\nquery = 'SELECT 1'"));
    assert!(jane.contains("--from FILE"), "{jane}");
    assert_eq!(
        read(&with("[import]\nid_column = 'id'"))
            .import
            .id_column
            .as_deref(),
        Some("id")
    );
}

#[test]
fn on_migrated_has_exactly_one_target_with_its_own_settings() {
    let database = |kind: &str, told: &str| {
        let name = if kind == "mysql" { "?" } else { "$1" };
        format!(
            "[directory]\nkind = '{kind}'\nhost = 'h'\ndatabase = 'd'\nuser = 'u'\npassword = {{ env = 'PP' }}\n\
             query = 'SELECT hash FROM users WHERE email = {name}'\npassword_column = 'hash'\nhash = 'bcrypt'\n\
             [attributes]\nemail = 'email'\n[on_migrated]\n{told}\n"
        )
    };
    let told = |file: &str| {
        read(file)
            .on_migrated
            .expect("a notification is configured")
    };
    let statement = told(&database(
        "postgres",
        "statement = 'UPDATE u SET m = 1 WHERE e = $1'",
    ));
    assert_eq!(
        (statement.value(), statement.timeout_ms),
        ("{username}", 1000)
    );
    let request = with(
        "[on_migrated]\nurl = 'https://shop.example/moved/{attributes.custom:id}'\nheaders = { x = 'Bearer {secrets.token}' }\n\
         secrets = { token = { ssm = '/t' } }\njson = { list = ['{username}'], by = '{client_id}' }",
    );
    assert_eq!(
        told(&request).summary(),
        "a request to https://shop.example"
    );
    let secrets: Vec<_> = read(&request)
        .secrets()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        secrets,
        ["directory.client_secret", "on_migrated.secrets.token"]
    );
    let queue = "[on_migrated]\nqueue = 'arn:aws:sqs:us-east-1:123456789012:q'\nkms_key = 'arn:aws:kms:us-east-1:123456789012:key/k'";
    assert_eq!(told(&with(queue)).summary(), "a message to queue q");
    let bus = "[on_migrated]\nevent_bus = 'arn:aws:events:us-east-1:123456789012:event-bus/b'";
    assert_eq!(told(&with(bus)).summary(), "an event to event-bus/b");

    for (file, words) in [
        (with("[on_migrated]\ntimeout_ms = 1000"), "and has 0"),
        (
            with(
                "[on_migrated]\nurl = 'https://a.example/'\nqueue = 'arn:aws:sqs:us-east-1:123456789012:q'",
            ),
            "and has 2",
        ),
        (
            with("[on_migrated]\nstatement = 'UPDATE u SET m = 1 WHERE e = $1'"),
            "is for `kind = \"postgres\"`",
        ),
        (
            database("mysql", "statement = 'UPDATE u SET m = 1 WHERE e = $1'"),
            "must use ?",
        ),
        (
            database("postgres", "statement = 'DROP TABLE users -- $1'"),
            "must be an INSERT",
        ),
        (
            database(
                "postgres",
                "statement = 'UPDATE u SET m = 1 WHERE e = $1; DELETE FROM u'",
            ),
            "must be one statement",
        ),
        (
            database(
                "postgres",
                "statement = 'SELECT f($1)'\nvalue = '{password}'",
            ),
            "{username}, {client_id}, {attributes.NAME}",
        ),
        (
            with("[on_migrated]\nurl = 'https://a.example/{secrets.x}'"),
            "must carry no secret",
        ),
        (
            with("[on_migrated]\nurl = 'https://{username}.example/'"),
            "behind the host",
        ),
        (with("[on_migrated]\nurl = 'http://a.example/'"), "https://"),
        (
            with("[on_migrated]\nurl = 'https://a.example/'\njson = { a = ['{password}'] }"),
            "may have the placeholders",
        ),
        (
            with("[on_migrated]\nurl = 'https://a.example/'\nheaders = { a = '{secrets.b}' }"),
            "under [on_migrated.secrets]",
        ),
        (
            with("[on_migrated]\nurl = 'https://a.example/'\nheaders = { host = 'b' }"),
            "set by the handler",
        ),
        (
            with("[on_migrated]\nurl = 'https://a.example/'\nmethod = 'GET'\njson = {}"),
            "has no body",
        ),
        (
            with(
                "[on_migrated]\nevent_bus = 'arn:aws:events:us-east-1:123456789012:event-bus/b'\nheaders = {}",
            ),
            "`headers` in [on_migrated] is for `url`",
        ),
        (with("[on_migrated]\nqueue = 'migrated'"), "must be an ARN"),
        (
            with("[on_migrated]\nurl = 'https://a.example/'\ntimeout_ms = 9000"),
            "between 100 and 4500",
        ),
    ] {
        let error = refused(&file);
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn a_statement_counts_refused_sign_ins_by_name() {
    let mysql = |statement: &str| {
        format!(
            "[directory]\nkind = 'mysql'\nhost = 'h'\ndatabase = 'd'\nuser = 'u'\npassword = {{ env = 'PASSWORD' }}\nhash = 'bcrypt'\n\
             password_column = 'p'\nquery = 'SELECT p FROM u WHERE n = ?'\non_wrong_password = '{statement}'\n[attributes]\nemail = 'n'\n"
        )
    };
    let config = crate::parse(&mysql("INSERT INTO r VALUES (?, now())"), "f").unwrap();
    let crate::Directory::Mysql(database) = &config.directory else {
        panic!("{config:?}")
    };
    assert!(database.on_wrong_password.is_some());
    for (statement, words) in [
        ("INSERT INTO r VALUES ($1)", "must use ?"),
        ("DROP TABLE r -- ?", "must be an INSERT"),
    ] {
        let error = crate::parse(&mysql(statement), "f")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("on_wrong_password") && error.contains(words),
            "{error}"
        );
    }
}

#[test]
fn an_ldap_directory_has_a_search_or_a_user_dn() {
    let ldap = |lines: &str| {
        format!("[directory]\nkind = 'ldap'\n{lines}\n[attributes]\nemail = 'mail'\n")
    };
    let url = "url = 'ldaps://ldap.example.com'\n";
    let search = "base = 'dc=example'\nfilter = '(mail={username})'\n";
    let bind = "bind_dn = 'cn=reader'\nbind_password = { ssm = '/reader' }\n";
    let by_name = "user_dn = 'uid={username},dc=example'\n";
    for good in [
        format!("{url}{search}{bind}"),
        format!("{url}{search}"),
        format!("{url}{by_name}"),
        format!("{url}user_dn = 'uid={{username}}'"),
        format!("url = 'ldap://127.0.0.1:1389'\n{search}"),
    ] {
        read(&ldap(&good));
    }
    for (bad, words) in [
        (url.to_owned(), "needs `base` and `filter`"),
        (
            format!("{url}base = 'dc=example'"),
            "needs `base` and `filter`",
        ),
        (
            format!("url = 'ldap://ldap.example.com'\n{search}"),
            "ldap is for this machine alone",
        ),
        (
            format!("url = 'ldaps://cn=a:canary@h'\n{search}"),
            "must be ldaps:// with a host",
        ),
        (
            format!("{url}{search}bind_dn = 'cn=reader'"),
            "need each other",
        ),
        (
            format!("{url}{search}{by_name}"),
            "`base` in [directory] has no effect with `user_dn`",
        ),
        (
            format!("{url}base = 'example'\nfilter = '(mail={{username}})'"),
            "must be a DN",
        ),
        (
            format!("{url}base = 'dc=example'\nfilter = '(mail=ann)'"),
            "must use {username}",
        ),
        (
            format!("{url}base = 'dc=example'\nfilter = 'mail={{username}}'"),
            "must be a filter in parentheses",
        ),
        (
            format!("{url}base = 'dc=example'\nfilter = '(&(mail={{username}})'"),
            "must be a filter in parentheses",
        ),
        (
            format!("{url}user_dn = 'uid=ann,dc=example'"),
            "must be a DN with {username}",
        ),
        (
            format!("{url}user_dn = 'uid=x{{username}},dc=example'"),
            "must be a DN with {username}",
        ),
        (
            format!("{url}user_dn = '{{username}}'"),
            "must be a DN with {username}",
        ),
        (
            format!("{url}{by_name}[triggers]\npre_sign_up = true"),
            "needs `base` and `filter` under [directory]",
        ),
        (
            format!("{url}{search}[import]\nquery = 'SELECT 1'"),
            "`query` in [import] is for `kind = \"postgres\"`",
        ),
        (
            format!("{url}{search}[import]\nfilter = '(a=b)'"),
            "`filter`, `user` and `password` in [import] belong together",
        ),
        (
            format!(
                "{url}{search}[import]\nuser = 'u'\npassword = {{ env = 'PW' }}\nfilter = '(mail={{username}})'"
            ),
            "finds all users",
        ),
    ] {
        let error = refused(&ldap(&bad));
        assert!(
            error.contains(words) && !error.contains("canary"),
            "{words}: {error}"
        );
    }
    let list = "[import]\nuser = 'cn=export'\npassword = { env = 'PW' }\nfilter = '(objectClass=person)'\n";
    let config = read(&ldap(&format!("{url}{by_name}{list}base = 'dc=example'")));
    assert_eq!(config.import.base.as_deref(), Some("dc=example"));
    assert_eq!(config.directory.secrets(), []);
}

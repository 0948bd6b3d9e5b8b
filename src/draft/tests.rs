//! The real parser accepts every draft, and the draft contains what was asked for.

use jane_migrate_config::{Config, SchemaAttribute, parse};

use super::*;

fn facts(attributes: &[(&str, bool)]) -> PoolFacts {
    PoolFacts {
        id: "us-east-1_AbC123".into(),
        attributes: attributes
            .iter()
            .map(|(name, required)| SchemaAttribute {
                name: (*name).to_owned(),
                required: *required,
                mutable: true,
                constraint: None,
            })
            .collect(),
        ..PoolFacts::default()
    }
}

fn draft(directory: Directory, pool: PoolFacts) -> Draft {
    Draft {
        pool,
        pool_name: "Roots\n[attack]\u{202e}\u{2028}".into(),
        clients: vec![Client {
            id: "1example23456789".into(),
            name: "web\nclients = 1".into(),
            allows_password: false,
        }],
        chosen_clients: Vec::new(),
        directory,
        triggers: Vec::new(),
        closes: None,
        total_users: None,
    }
}

/// The draft as `init` makes it: with the pool's attributes.
fn made(draft: &Draft) -> (String, Config) {
    let mapped = draft.directory.maps().unwrap();
    let lines = propose(&draft.pool, &mapped, &draft.directory.fields());
    let text = draft.render(&lines);
    let config = read(&text);
    assert!(text.contains("(Roots?[attack]??)"), "{text}");
    (text, config)
}

#[track_caller]
fn read(text: &str) -> Config {
    parse(text, "migrate.toml").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn jane() -> Directory {
    Directory::Jane(Jane {
        url: "https://api.iheartjane.com".into(),
        client_id: "shop \"one\"".into(),
        secret: Place::Ssm("/jane/secret".into()),
    })
}

fn http(preset: Option<&str>) -> Directory {
    Directory::Http(Http {
        preset: preset.map(str::to_owned),
        url: "https://accounts.example.com".into(),
        client_id: "migration".into(),
        realm: "shop".into(),
        secret: Place::Environment("ACCOUNTS_TOKEN".into()),
    })
}

fn database() -> Database {
    Database {
        host: "db.example.com".into(),
        database: "shop".into(),
        user: "migration".into(),
        secret: Place::SecretsManager(
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf".into(),
        ),
        query:
            "SELECT id, email, first_name, confirmed_at, password_hash FROM users WHERE email = $1"
                .into(),
        password_column: "password_hash".into(),
        hash: "bcrypt".into(),
    }
}

fn mysql() -> Directory {
    let own = database();
    Directory::Mysql(Database {
        query: own.query.replace("$1", "?"),
        ..own
    })
}

fn ldap() -> Directory {
    Directory::Ldap(Ldap {
        url: "ldaps://ldap.example.com".into(),
        base: "ou=people,dc=example,dc=com".into(),
        filter: "(mail={username})".into(),
        bind_dn: "cn=reader,dc=example,dc=com".into(),
        secret: Place::Ssm("/ldap/reader".into()),
    })
}

fn old_pool() -> Directory {
    Directory::Cognito(OldPool {
        pool_id: "us-west-2_Old1".into(),
        client_id: "2example23456789".into(),
        role_arn: None,
        secret: None,
    })
}

#[test]
fn the_draft_of_every_kind_can_be_parsed() {
    let presets = jane_migrate_config::presets().map(|preset| http(Some(preset)));
    let postgres = Directory::Postgres(database());
    let own = [jane(), http(None), old_pool(), postgres, mysql(), ldap()];
    for directory in own.into_iter().chain(presets) {
        let kind = directory.kind();
        let (text, config) = made(&draft(directory, facts(&[("custom:tier", false)])));
        assert_eq!(config.directory.kind(), kind);
        assert_eq!(
            config.pools[0].id,
            Some("us-east-1_AbC123".parse().unwrap())
        );
        assert!(config.attributes.contains_key("email"), "{kind}: {text}");
        assert!(text.contains("#\"custom:tier\""), "{kind}: {text}");
    }
}

#[test]
fn answers_are_written_to_their_keys() {
    let mut draft = draft(jane(), facts(&[]));
    draft.chosen_clients = vec!["1example23456789".into()];
    draft.closes = Some("2027-03-31".parse().unwrap());
    draft.total_users = Some(5);
    let (_, config) = made(&draft);
    assert_eq!(
        config.pools[0].clients.as_deref(),
        Some(&["1example23456789".to_owned()][..])
    );
    assert_eq!(config.window.closes, draft.closes);
    assert_eq!(config.window.total_users, Some(5));
    let jane_migrate_config::Directory::Jane(jane) = config.directory else {
        panic!("another directory");
    };
    assert_eq!(jane.client_id, "shop \"one\"");
}

#[test]
fn an_untouched_draft_changes_no_default() {
    let (_, config) = made(&draft(jane(), facts(&[])));
    assert_eq!(config.response, Default::default());
    assert_eq!(config.function, Default::default());
    assert_eq!(config.window, Default::default());
    assert_eq!(config.pools[0].clients, None);
}

#[test]
fn the_pools_schema_is_matched_with_the_directorys_fields() {
    let schema = facts(&[
        ("sub", true),
        ("email", true),
        ("name", true),
        ("gender", true),
        ("locale", false),
        ("custom:legacy_id", false),
        ("custom:Created-At", false),
        ("custom:loyalty", false),
    ]);
    let (text, config) = made(&draft(jane(), schema.clone()));
    assert_eq!(config.attributes["name"], "name");
    assert_eq!(config.attributes["custom:Created-At"], "created_at");
    assert!(text.contains("#gender = \"field\"") && text.contains("# required by the pool"));
    assert!(text.contains("#\"custom:loyalty\" = \"field\""), "{text}");
    assert!(!text.contains("locale"), "{text}");

    let (_, config) = made(&draft(Directory::Postgres(database()), schema));
    assert_eq!(config.attributes["custom:legacy_id"], "id");
    assert_eq!(config.attributes["email_verified"], "confirmed_at");
    assert_eq!(config.attributes["given_name"], "first_name");
}

#[test]
fn a_pool_with_aliases_gets_a_user_name_mapping() {
    let pool = PoolFacts {
        alias_attributes: vec!["email".into()],
        ..facts(&[])
    };
    let (_, config) = made(&draft(jane(), pool));
    assert_eq!(config.attributes["username"], "{uuid}");
}

#[test]
fn both_triggers_are_proposed_for_jane_if_the_pool_has_none() {
    let jane = Directory::Jane(Jane {
        url: "https://api.iheartjane.com".into(),
        client_id: "c".into(),
        secret: Place::Ssm("/jane".into()),
    });
    let mut jane = draft(jane, facts(&[("email", true)]));
    let (_, config) = made(&jane);
    assert!(config.triggers.pre_sign_up && config.triggers.post_confirmation);

    let theirs = "arn:aws:lambda:us-east-1:123456789012:function:theirs";
    jane.triggers = vec![(Trigger::PreSignUp, theirs.into())];
    let (text, config) = made(&jane);
    assert_eq!(config.triggers, jane_migrate_config::Triggers::default());
    assert!(
        text.contains(theirs) && text.contains("\n#pre_sign_up = true"),
        "{text}"
    );
}

//! The messages for the author of a `migrate.toml`.

mod directories;
#[cfg(feature = "schema")]
mod schema;
mod values;

use super::{parse, preset::PRESETS};
use crate::{
    Architecture, Config, Connect, Constraint, Directory, FinalUserStatus, Function,
    HandlerSettings, Mfa, PasswordPolicy, PoolFacts, Response, SchemaAttribute, Triggers, Username,
    Verify, Window,
};

const EXAMPLE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../migrate.example.toml"
));

const SMALLEST: &str = r#"
[directory]
kind = "jane"
client_id = "shop"
client_secret = { env = "JANE_CLIENT_SECRET" }
"#;

fn read(text: &str) -> Config {
    parse(text, "migrate.toml").unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    parse(text, "migrate.toml")
        .expect_err("the file should be refused")
        .to_string()
}

/// The smallest file, with lines of its `[directory]` and tables added.
fn with(lines: &str) -> String {
    format!("{SMALLEST}{lines}\n")
}

fn http(lines: &str) -> String {
    let rest =
        "kind = 'http'\n[attributes]\nemail = 'email'\n[directory.authenticate]\nok = [200]\n";
    format!("[directory]\n{rest}{lines}\n")
}

/// A file with a preset, as described in the preset's own comment.
fn preset(name: &str, text: &str) -> String {
    let commented: String = text
        .lines()
        .map_while(|line| line.strip_prefix('#'))
        .filter_map(|line| line.strip_prefix("   "))
        .take_while(|line| !line.contains("class ") && !line.contains("def "))
        .map(|line| line.to_owned() + "\n")
        .collect();
    assert!(
        commented.contains(&format!("preset = \"{name}\"")),
        "{commented}"
    );
    commented.replace("/...", "/path").replace("YOUR-", "your-")
}

/// The parts of the example, with the keys that have no default uncommented.
fn example_parts() -> Vec<String> {
    let used = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with([' ', '#', '-']) => rest.to_owned(),
        Some(rest) if rest.starts_with("-----END") => rest.to_owned(),
        _ => line.to_owned(),
    };
    let parts = EXAMPLE.split("\n# -----------");
    let whole = parts.map(|part| part.trim_start_matches('-'));
    whole
        .map(|part| part.lines().map(|line| used(line) + "\n").collect())
        .collect()
}

#[test]
fn the_example_contains_the_defaults() {
    let example = read(EXAMPLE);
    let smallest = read(SMALLEST);
    assert_eq!(example.response, Response::default());
    assert_eq!(example.triggers, Triggers::default());
    assert_eq!(example.on_migrated, None);
    assert_eq!(example.function, Function::default());
    assert_eq!(example.window, Window::default());
    assert_eq!(example.verify, Verify::default());
    assert_eq!(example.attributes, smallest.attributes);
    let (Directory::Jane(example), Directory::Jane(smallest)) =
        (example.directory, smallest.directory)
    else {
        panic!("both are Jane's");
    };
    assert_eq!(
        (example.url, example.timeout_ms),
        (smallest.url, smallest.timeout_ms)
    );
}

#[test]
fn every_key_of_the_example_can_be_used() {
    let parts = example_parts();
    let kinds: Vec<_> = parts
        .iter()
        .map(|part| read(part).directory.kind())
        .collect();
    assert_eq!(
        kinds,
        [
            "jane", "http", "cognito", "postgres", "mysql", "ldap", "jane"
        ]
    );
    let first = read(&parts[0]);
    assert_eq!(
        first.pools[0].clients.as_deref(),
        Some(&["1example23456789".to_owned()][..])
    );
    assert_eq!(first.window.closes.unwrap().to_string(), "2027-03-31");
    assert_eq!(
        first.function.vpc.unwrap().subnets,
        ["subnet-0123456789abcdef0"]
    );
    assert_eq!(first.function.architecture, Architecture::X86_64);
    assert_eq!(
        first.verify.accept["open-sign-up"],
        "sign-up is closed in the app"
    );
}

#[test]
fn a_pool_overrides_single_keys() {
    let config = read(&example_parts()[6]);
    let [first, second] = &config.pools[..] else {
        panic!("two pools");
    };
    assert_eq!(config.for_pool(first.id.as_ref().unwrap()), &config);
    let own = config.for_pool(second.id.as_ref().unwrap());
    assert_eq!(second.region.as_deref(), Some("eu-west-1"));
    let (Directory::Jane(shared), Directory::Jane(jane)) = (&config.directory, &own.directory)
    else {
        panic!("both are Jane's");
    };
    assert_eq!(jane.client_id, "shop-two");
    assert_eq!(
        (&jane.url, jane.timeout_ms),
        (&shared.url, shared.timeout_ms)
    );
    assert_eq!(own.attributes["custom:shop"], "=two");
    assert_eq!(own.attributes["email"], "{username}");
    assert_eq!(
        (own.function.memory_mb, config.function.memory_mb),
        (512, 256)
    );
    assert!(own.triggers.pre_sign_up && !config.triggers.pre_sign_up);
    assert_eq!(own.window.total_users, Some(45_000));
    assert!(!config.attributes.contains_key("custom:shop"));
}

#[test]
fn a_pool_can_have_another_kind_of_directory() {
    let config = read(&with(
        "[[pool]]\nid = 'us-east-1_Ab1'\n[pool.directory]\nkind = 'cognito'\npool_id = 'us-east-1_Old1'\nclient_id = '1example'",
    ));
    assert_eq!(config.directory.kind(), "jane");
    assert_eq!(
        config
            .for_pool(&"us-east-1_Ab1".parse().unwrap())
            .directory
            .kind(),
        "cognito"
    );
}

#[test]
fn a_quoted_date_is_rejected_with_a_hint() {
    let message = refused(&with("[window]\ncloses = \"2027-03-31\""));
    let remedy = "a date is written without quotes: 2027-03-31";
    assert!(
        message.contains("closes") && message.contains(remedy),
        "{message}"
    );
    let message = refused(&with("[window]\ncloses = \"soon\""));
    assert!(message.contains("must be a date alone"), "{message}");
}

#[test]
fn an_error_in_an_override_is_reported_once_at_its_place() {
    let message = refused(&with(
        "timeout_ms = 9\n[[pool]]\nid = 'us-east-1_Ab1'\n[pool.function]\nmemory = 512\n[[pool]]\nid = 'us-east-1_Ab2'\nwindow = {closes = 1}",
    ));
    assert_eq!(message.matches("timeout_ms").count(), 1, "{message}");
    assert!(
        message.contains("unknown key `memory` in [pool.function]; did you mean `memory_mb`?"),
        "{message}"
    );
    assert!(message.contains("closes"), "{message}");
}

#[test]
fn the_file_overrides_the_default_mapping() {
    let config = read(&with(
        "[attributes]\nphone_number = '='\n'custom:id' = 'id'",
    ));
    assert_eq!(config.attributes["email"], "{username}");
    assert_eq!(config.attributes["given_name"], "first_name");
    assert_eq!(config.attributes["phone_number"], "=");
    assert_eq!(config.attributes["custom:id"], "id");
    let old_pool = read(&example_parts()[2]);
    assert_eq!(old_pool.attributes["locale"], "locale");
    assert!(!old_pool.attributes.contains_key("username"));
}

#[test]
fn settings_of_every_kind_survive_json_and_fit_the_environment() {
    for part in example_parts() {
        let config = read(&part);
        let settings = HandlerSettings::new(
            &config,
            &PoolFacts {
                id: "us-east-1_AbC123456".into(),
                ..PoolFacts::default()
            },
        );
        let json = settings.to_json();
        assert_eq!(
            HandlerSettings::from_json(&json).unwrap(),
            settings,
            "{json}"
        );
        assert!(json.len() < 2000, "{} bytes: {json}", json.len());
    }
}

#[test]
fn each_secret_is_listed_with_its_key() {
    let members: Vec<_> = example_parts()
        .iter()
        .map(|part| {
            read(part)
                .secrets()
                .into_iter()
                .map(|(member, secret)| format!("{member}: {secret}"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(
        members[0],
        [
            "directory.client_secret: secret arn:aws:secretsmanager:us-east-1:123456789012:secret:jane-AbCdEf",
            "on_migrated.secrets.token: parameter /shop/token"
        ]
    );
    assert_eq!(
        members[1],
        [
            "directory.secrets.token: environment variable ACCOUNTS_TOKEN",
            "directory.oauth.client_secret: parameter /accounts/client-secret"
        ]
    );
    assert_eq!(
        members[2],
        ["directory.client_secret: parameter /old-pool/client-secret"]
    );
    assert_eq!(
        members[3],
        [
            "directory.password: key password of secret arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf",
            "directory.pepper: parameter /shop/pepper",
            "directory.firebase.signer_key: environment variable FIREBASE_SIGNER_KEY"
        ]
    );
}

#[test]
fn the_pool_id_of_an_emulator_is_valid() {
    let config = read(&with("[pool]\nid = 'local_5aBc'"));
    assert_eq!(config.pools[0].id.as_ref().unwrap().as_str(), "local_5aBc");
    let old = |more| {
        format!("[directory]\nkind = 'cognito'\npool_id = 'local_5aBc'\nclient_id = 'a'\n{more}")
    };
    assert_eq!(
        refused(&old("")),
        "migrate.toml:1:1: `region` is missing in [directory]: `pool_id` begins with none"
    );
    let Directory::Cognito(pool) = read(&old("region = 'us-west-2'")).directory else {
        panic!("an old pool");
    };
    assert_eq!(pool.region, "us-west-2");
}

#[test]
fn one_pool_or_several_can_be_configured() {
    assert_eq!(read(SMALLEST).pools, []);
    assert_eq!(read(&with("[pool]\nid = 'us-east-1_A'")).pools.len(), 1);
    assert_eq!(
        read(&with(
            "[[pool]]\nid = 'us-east-1_A'\n[[pool]]\nid = 'us-east-1_B'"
        ))
        .pools
        .len(),
        2
    );
    assert!(
        refused(&with("[[pool]]\nid = 'us-east-1_A'\n[[pool]]"))
            .contains("`id` is missing in [pool]")
    );
    assert!(
        refused(&with(
            "[[pool]]\nid = 'us-east-1_A'\n[[pool]]\nid = 'us-east-1_A'"
        ))
        .contains("named twice")
    );
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_one() {
    assert_eq!(
        refused(&with("timeout = 3000")),
        "migrate.toml:6:1: unknown key `timeout` in [directory]; did you mean `timeout_ms`?"
    );
    assert_eq!(
        refused(&with("[window]\n  ends = 2027-01-01")),
        "migrate.toml:7:3: unknown key `ends` in [window]; known are `closes`, `total_users`, `share`"
    );
    assert!(
        refused(&with("[functions]"))
            .contains("unknown key `functions` in the file; did you mean `function`?")
    );
}

#[test]
fn every_table_rejects_unknown_keys() {
    let firebase = example_parts().remove(3);
    for (table, text) in [
        ("[pool]", with("[pool]\nzzz = 1")),
        ("[response]", with("[response]\nzzz = 1")),
        ("[triggers]", with("[triggers]\nzzz = 1")),
        ("[function]", with("[function]\nzzz = 1")),
        (
            "[function.vpc]",
            with(
                "[function]\nvpc = { subnets = ['subnet-1'], security_groups = ['sg-1'], zzz = 1 }",
            ),
        ),
        ("[verify]", with("[verify]\nzzz = 1")),
        (
            "[directory.client_secret]",
            SMALLEST.replace("env =", "zzz = 1, env ="),
        ),
        (
            "[directory]",
            "[directory]\nkind = 'cognito'\npool_id = 'us-east-1_A'\nclient_id = 'a'\nzzz = 1"
                .into(),
        ),
        (
            "[directory.firebase]",
            firebase.replace("[directory.firebase]", "[directory.firebase]\nzzz = 1"),
        ),
        (
            "[directory.authenticate]",
            http("zzz = 1\nurl = 'https://a/'\njson = '{password}'"),
        ),
    ] {
        let message = refused(&text);
        assert!(
            message.contains(&format!("unknown key `zzz` in {table}")),
            "{table}: {message}"
        );
    }
}

#[test]
fn triggers_are_off_by_default() {
    assert_eq!(read(SMALLEST).triggers, Triggers::default());
    let config = read(&with(
        "[triggers]\npre_sign_up = true\npost_confirmation = true\nconnect = 'best-effort'",
    ));
    let settings = HandlerSettings::new(&config, &PoolFacts::default());
    let on = Triggers {
        pre_sign_up: true,
        post_confirmation: true,
        connect: Connect::BestEffort,
    };
    assert_eq!((config.triggers, settings.triggers), (on, on));
    let json = settings.to_json();
    assert!(
        json.contains(
            r#""triggers":{"pre_sign_up":true,"post_confirmation":true,"connect":"best-effort"}"#
        ),
        "{json}"
    );
    let off = HandlerSettings::new(&read(SMALLEST), &PoolFacts::default()).to_json();
    assert!(!off.contains("triggers"), "{off}");
}

#[test]
fn a_trigger_without_effect_for_the_directory_is_rejected_at_its_place() {
    let lookup = "url = 'https://a/'\njson = '{password}'\n[directory.lookup]\nurl = 'https://a/{username}'\nok = [200]\n";
    let with_lookup = |lines: &str| http(&format!("{lookup}{lines}"));
    read(&with_lookup("[triggers]\npre_sign_up = true"));
    // So that a pool can override the file's settings for Jane.
    read(&with_lookup(
        "[triggers]\npost_confirmation = false\nconnect = 'required'",
    ));
    for part in [2, 3] {
        let part = example_parts().remove(part);
        assert!(
            read(&format!("{part}[triggers]\npre_sign_up = true"))
                .triggers
                .pre_sign_up
        );
    }
    let other = "is for `kind = \"jane\"`: no other directory is notified of users";
    for (line, column) in [
        ("post_confirmation = true", 21),
        ("connect = 'best-effort'", 11),
    ] {
        let key = line.split(' ').next().unwrap();
        let message = refused(&with_lookup(&format!("[triggers]\n{line}")));
        let expected = format!("migrate.toml:13:{column}: `{key}` in [triggers] {other}");
        assert_eq!(message, expected);
    }
    let message = refused(&http(
        "url = 'https://a/'\njson = '{password}'\n[triggers]\npre_sign_up = true",
    ));
    assert!(
        message.starts_with(
            "migrate.toml:10:15: `pre_sign_up` in [triggers] needs [directory.lookup]"
        ),
        "{message}"
    );
    let pools = "[triggers]\npost_confirmation = true\n[[pool]]\nid = 'us-east-1_A'\n[pool.directory]\nkind = 'cognito'\npool_id = 'us-east-1_B'\nclient_id = 'a'";
    let message = refused(&with(pools));
    assert!(message.contains(other), "{message}");
    read(&with(&format!(
        "{pools}\n[pool.triggers]\npost_confirmation = false"
    )));
}

#[test]
fn all_problems_are_reported_at_once_in_file_order() {
    let message = refused(
        "[pool]\nid = 'nonsense'\n[directory]\nkind = 'jane'\nurl = 'http://api.example'\n[function]\nmemory_mb = 64\narchitecture = 'x86'\n",
    );
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(
        lines,
        [
            "migrate.toml:2:6: `id` must be a user pool's id, such as us-east-1_AbC123456 (`aws cognito-idp list-user-pools --max-results 60` lists them)",
            "migrate.toml:3:1: `client_id` is missing in [directory]",
            "migrate.toml:3:1: `client_secret` is missing in [directory]",
            "migrate.toml:5:7: `url` must begin with https://; http is for this machine alone",
            "migrate.toml:7:13: `memory_mb` must be between 128 and 10240, not 64",
            "migrate.toml:8:16: `architecture`: unknown variant `x86`, expected `x86_64` or `arm64`",
        ]
    );
}

#[test]
fn an_unknown_kind_lists_the_known_ones() {
    assert_eq!(
        refused("[directory]\nkind = 'postgresql'\nhost = 'x'"),
        "migrate.toml:2:8: `kind` must be one of `jane`, `http`, `cognito`, `postgres`, `mysql`, `ldap`; did you mean `postgres`?"
    );
    assert_eq!(
        refused(""),
        "migrate.toml:1:1: `directory` is missing in the file"
    );
    assert_eq!(
        refused("[directory]"),
        "migrate.toml:1:1: `kind` is missing in [directory]"
    );
}

#[test]
fn a_syntax_error_has_its_place() {
    assert!(refused("[directory]\nkind = \n").starts_with("migrate.toml:2:"));
    assert!(refused("[directory\n").starts_with("migrate.toml:1:"));
}

#[test]
fn columns_count_characters() {
    assert!(refused(&with("\"ü\" = 1")).starts_with("migrate.toml:6:1: unknown key `ü`"));
    let message = refused(
        "directory = { kind = 'jane', client_id = 'ü', client_secret = { env = 'SECRET' }, oops = 1 }",
    );
    assert!(
        message.starts_with("migrate.toml:1:83: unknown key `oops`"),
        "{message}"
    );
}

#[test]
fn the_handler_settings_follow_from_the_pool() {
    let mut config = read(&with(
        "[response]\nenforce_password_policy = true\nenable_sms_mfa = true\nfinal_user_status = 'RESET_REQUIRED'\nusername = 'as-typed'\n[window]\ncloses = 2027-03-31",
    ));
    let attribute = |name: &str, required| SchemaAttribute {
        name: name.into(),
        required,
        mutable: true,
        constraint: Some(Constraint::Boolean),
    };
    let facts = PoolFacts {
        id: "us-east-1_A".into(),
        attributes: vec![
            attribute("sub", true),
            attribute("email", true),
            attribute("name", false),
        ],
        mfa: Mfa::Optional,
        sms_mfa: true,
        password_policy: Some(PasswordPolicy {
            minimum_length: 8,
            ..PasswordPolicy::default()
        }),
        ..PoolFacts::default()
    };
    let settings = HandlerSettings::new(&config, &facts);
    assert_eq!(settings.pool, "us-east-1_A");
    assert_eq!(
        settings.required_attributes,
        ["email"],
        "sub is Cognito's own"
    );
    assert_eq!(
        settings.constraints.into_iter().collect::<Vec<_>>(),
        [("email".to_owned(), Constraint::Boolean)],
        "name is not mapped"
    );
    assert_eq!(
        settings.response.final_user_status,
        FinalUserStatus::ResetRequired
    );
    assert_eq!(settings.response.username, Username::AsTyped);
    assert!(settings.response.enable_sms_mfa);
    assert_eq!(settings.password_policy.unwrap().minimum_length, 8);
    assert_eq!(settings.window_closes.unwrap().to_string(), "2027-03-31");

    config.response.enforce_password_policy = false;
    let settings = HandlerSettings::new(
        &config,
        &PoolFacts {
            sms_mfa: false,
            ..facts
        },
    );
    assert_eq!(
        settings.password_policy, None,
        "only where the config enforces it"
    );
    assert!(
        !settings.response.enable_sms_mfa,
        "the pool has no such factor"
    );
}

#[test]
fn default_settings_are_left_out() {
    let settings = |case_sensitive| {
        let facts = PoolFacts {
            id: "us-east-1_A".into(),
            case_sensitive,
            ..PoolFacts::default()
        };
        HandlerSettings::new(&read(SMALLEST), &facts)
    };
    assert!(
        settings(true)
            .to_json()
            .contains(r#""case_sensitive":true"#)
    );
    // So that the settings of an older version's deployment can be read.
    let json = settings(false).to_json();
    assert!(!json.contains("case_sensitive"), "{json}");
    assert_eq!(HandlerSettings::from_json(&json).unwrap(), settings(false));
}

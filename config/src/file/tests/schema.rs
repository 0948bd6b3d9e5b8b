//! The JSON Schema: the file in the repository matches the types, it accepts what the parser accepts, and it rejects mistakes.

use std::{env, fs, path::Path};

use serde_json::Value;

use super::{EXAMPLE, SMALLEST, example_parts, http, parse, preset, with};
use crate::schema;

/// A TOML document as JSON, with dates as texts.
fn json(toml: &str) -> Value {
    fn dates(value: &mut Value) {
        match value {
            Value::Object(members) => {
                if let Some(date) = members.remove("$__toml_private_datetime") {
                    *value = date;
                } else {
                    members.values_mut().for_each(dates);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(dates),
            _ => {}
        }
    }
    let mut value = toml::from_str(toml).unwrap_or_else(|error| panic!("{error}\n{toml}"));
    dates(&mut value);
    value
}

/// An independent implementation of JSON Schema, which also checks the schema itself.
struct Judge(boon::Schemas, boon::SchemaIndex);

impl Judge {
    fn new() -> Self {
        let mut compiler = boon::Compiler::new();
        let name = "migrate.schema.json";
        compiler.add_resource(name, schema()).unwrap();
        let mut schemas = boon::Schemas::new();
        let index = compiler.compile(name, &mut schemas);
        let index = index.unwrap_or_else(|error| panic!("{error:#}"));
        Self(schemas, index)
    }

    /// The schema's errors for a file.
    fn faults(&self, toml: &str) -> Option<String> {
        let file = json(toml);
        let judged = self.0.validate(&file, self.1);
        judged.err().map(|fault| format!("{fault:#}"))
    }
}

/// The TOML blocks in the documentation, each with its file.
fn documented() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let docs = fs::read_dir(root.join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let pages = docs.chain([root.join("README.md")]);
    let mut blocks = Vec::new();
    for page in pages.filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(&page).unwrap();
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            // A block with only one table is added to a file.
            let whole = match block.contains("[directory]") {
                true => block.to_owned(),
                false => format!("{block}{SMALLEST}"),
            };
            blocks.push((page.display().to_string(), whole));
        }
    }
    assert!(blocks.len() > 5, "{blocks:?}");
    blocks
}

#[test]
fn the_schema_in_the_repository_matches_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrate.schema.json");
    let now = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(path, &now).unwrap();
    }
    assert!(
        fs::read_to_string(path).unwrap_or_default() == now,
        "migrate.schema.json is not current: UPDATE_SCHEMA=1 cargo test -p jane-migrate-config --features schema"
    );
}

#[test]
fn the_schema_contains_no_rust_names() {
    let text = schema().to_string();
    assert!(
        !text.contains("[`") && !text.contains("None"),
        "words of Rust: {text}"
    );
}

#[test]
fn the_schema_accepts_what_the_parser_accepts() {
    let mut files = vec![
        ("the example".to_owned(), EXAMPLE.to_owned()),
        ("the smallest".to_owned(), SMALLEST.to_owned()),
    ];
    files.extend(
        example_parts()
            .into_iter()
            .map(|part| ("a part of the example".to_owned(), part)),
    );
    files.extend(super::PRESETS.map(|(name, text)| (name.to_owned(), preset(name, text))));
    files.extend(documented());
    let judge = Judge::new();
    for (name, text) in files {
        parse(&text, &name).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(judge.faults(&text), None, "{name}");
    }
}

#[test]
fn the_schema_rejects_single_invalid_values() {
    let old_pool = |lines: &str| {
        format!("[directory]\nkind = 'cognito'\npool_id = 'us-east-1_A'\nclient_id = 'a'\n{lines}")
    };
    let postgres = example_parts().remove(3);
    let judge = Judge::new();
    let good_http = "url = 'https://a/'\njson = '{password}'\n";
    for file in [
        String::new(),
        "[directory]".to_owned(),
        "[directory]\nkind = 'postgresql'".to_owned(),
        "[directory]\nkind = 'jane'\nclient_id = 'shop'".to_owned(),
        with("zzz = 1"),
        with("url = 5"),
        with("timeout_ms = 5000"),
        with("ca_certificate = 'x'"),
        with("[functions]"),
        with("[pool]\nid = 'nonsense'"),
        with("[pool]\nzzz = 1"),
        with("[pool]\nregion = 'x'"),
        with("[pool]\nclients = []"),
        with("[pool]\nclients = ['a b']"),
        with("[pool]\nid = 'us-east-1_A'\nfunction = { memory = 512 }"),
        with("[[pool]]\nid = 'us-east-1_A'\ndirectory = { zzz = 1 }"),
        with("[[pool]]\nid = 'us-east-1_A'\nattributes = { sub = 'id' }"),
        with("[[pool]]\nid = 'us-east-1_A'\ndirectory = { kind = 'cognito' }"),
        with("[response]\nzzz = 1"),
        with("[response]\nfinal_user_status = 'FORCE_CHANGE_PASSWORD'"),
        with("[response]\ndelivery_mediums = ['FAX']"),
        with("[response]\nforce_alias_creation = 'yes'"),
        with("[triggers]\npre_sign_up = 'yes'"),
        with("[triggers]\nconnect = 'never'"),
        with("[function]\nlog_retention_days = 31"),
        with("[function]\nmemory_mb = 64"),
        with("[function]\nreserved_concurrency = 0"),
        with("[function]\nkms_key_arn = 'key'"),
        with("[function]\nlog_kms_key_arn = 'key'"),
        with("[function]\nname_prefix = 'a/b'"),
        with("[function]\nsigning_profile = 'x'"),
        with("[alarms]\ntopic = 'x'"),
        with("[alarms]\np99_ms = 6000"),
        with("[function]\nrole_path = 'apps'"),
        with("[function]\npermissions_boundary = 'x'"),
        with("[function]\nrole_arn = 'x'"),
        with("[function]\nvpc = { subnets = ['subnet-1'] }"),
        with("[function]\nvpc = { subnets = ['x'], security_groups = ['sg-1'] }"),
        with("[function]\ntags = { 'aws:x' = 'y' }"),
        with("[function]\ntags = { 'aWs:x' = 'y' }"),
        with("[function]\ntags = { 'x' = 'y;z' }"),
        with("[function]\ntags = { 'x!' = 'y' }"),
        with(
            "[function.vpc]\nsubnets = ['subnet-1']\nsecurity_groups = ['sg-1','sg-2','sg-3','sg-4','sg-5','sg-6']",
        ),
        SMALLEST.replace(
            "{ env = \"JANE_CLIENT_SECRET\" }",
            "{ ssm = '/aws/reference/secretsmanager/jane' }",
        ),
        SMALLEST.replace("{ env = \"JANE_CLIENT_SECRET\" }", "{ ssm = 'a/b' }"),
        with("[window]\ncloses = 2027-03-31T10:00:00Z"),
        with("[window]\ntotal_users = 0"),
        with("[window]\nends = 2027-01-01"),
        with("[attributes]\nemial = 'email'"),
        with("[attributes]\nsub = 'id'"),
        with("[attributes]\nemail = ''"),
        with("[verify.accept]\nopen-sign-up = ''"),
        with("[verify.accept]\nOpen = 'why'"),
        SMALLEST.replace("{ env = \"JANE_CLIENT_SECRET\" }", "'hunter2'"),
        SMALLEST.replace("{ env = \"JANE_CLIENT_SECRET\" }", "{}"),
        SMALLEST.replace(
            "{ env = \"JANE_CLIENT_SECRET\" }",
            "{ env = 'AB', key = 'k' }",
        ),
        SMALLEST.replace(
            "{ env = \"JANE_CLIENT_SECRET\" }",
            "{ env = 'AB', ssm = '/a' }",
        ),
        SMALLEST.replace("{ env = \"JANE_CLIENT_SECRET\" }", "{ env = 'AWS_SECRET' }"),
        SMALLEST.replace(
            "{ env = \"JANE_CLIENT_SECRET\" }",
            "{ secretsmanager = 'x' }",
        ),
        old_pool("role_arn = 'x'"),
        old_pool("role_arn = 'arn:aws:iam::123456789012:role/a'\nexternal_id = 'a b'"),
        old_pool("role_arn = 'arn:aws:iam::123456789012:role/a'\nexternal_id = 'a'"),
        old_pool("zzz = 1"),
        postgres.replace("hash = \"firebase\"", "hash = \"md5\""),
        postgres.replace("rounds = 8", "rounds = 9"),
        postgres.replace("SELECT", "DELETE"),
        http(&format!("{good_http}zzz = 1")),
        http(&good_http.replace("url = 'https://a/'", "")),
        http(&format!("{good_http}user = 'x'")),
        http(&format!(
            "{good_http}not_found = [{{ status = 404, zzz = 1 }}]"
        )),
        http(&format!("{good_http}names = 'emails'")),
        http(good_http).replace("ok = [200]", ""),
    ] {
        assert!(
            parse(&file, "migrate.toml").is_err(),
            "the reader takes {file}"
        );
        assert!(judge.faults(&file).is_some(), "the schema takes {file}");
    }
}

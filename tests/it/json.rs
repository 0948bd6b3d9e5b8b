//! The documents of `--json`: real runs print them, and an independent implementation of JSON Schema compares them with
//! `docs/schemas`. A key that a schema does not have is an error. UPDATE_SCHEMAS=1 adds the output of these runs to the schemas;
//! existing entries stay.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use jane_migrate_sandbox::Fault;
use jane_migrate_test_kit::{Fate, Proxy};

use crate::support::{Corner, Ran};

/// Fields whose keys are data: names of outcomes, of hash formats, of reasons.
const MAPS: [&str; 7] = [
    "outcomes",
    "unsupported_hashes",
    "accepted",
    "categories",
    "hashes",
    "not_eligible",
    "failed",
];

/// Fields of a difference that may contain any value of a pool or client.
const ANYTHING: [&str; 2] = ["before", "after"];

/// What is known about a value.
#[derive(Default, Clone, PartialEq, Debug)]
struct Shape {
    types: BTreeSet<String>,
    properties: BTreeMap<String, Shape>,
    required: Option<BTreeSet<String>>,
    items: Option<Box<Shape>>,
    values: Option<Box<Shape>>,
}

impl Shape {
    fn of(value: &Value) -> Self {
        let mut shape = Self::default();
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(items) => {
                shape.items = items.iter().map(Self::of).reduce(Self::and).map(Box::new);
                "array"
            }
            Value::Object(members) => {
                shape.properties = members
                    .iter()
                    .map(|(key, value)| {
                        let anything =
                            members.contains_key("pointer") && ANYTHING.contains(&key.as_str());
                        let shape = match anything {
                            true => Self::default(),
                            false => Self::under(key, value),
                        };
                        (key.clone(), shape)
                    })
                    .collect();
                shape.required = Some(members.keys().cloned().collect());
                "object"
            }
        };
        shape.types.insert(kind.to_owned());
        shape
    }

    fn under(key: &str, value: &Value) -> Self {
        match value {
            Value::Object(members) if MAPS.contains(&key) => Self {
                types: ["object".to_owned()].into(),
                values: members
                    .values()
                    .map(Self::of)
                    .reduce(Self::and)
                    .map(Box::new),
                ..Self::default()
            },
            _ => Self::of(value),
        }
    }

    /// Matches what either of the two matches.
    fn and(mut self, other: Self) -> Self {
        // Without a type it can be any value.
        if self.types.is_empty() || other.types.is_empty() {
            return Self::default();
        }
        self.types.extend(other.types);
        if self.types.contains("number") {
            self.types.remove("integer");
        }
        for (key, shape) in other.properties {
            let both = match self.properties.remove(&key) {
                Some(known) => known.and(shape),
                None => shape,
            };
            self.properties.insert(key, both);
        }
        self.required = match (self.required, other.required) {
            (Some(one), Some(two)) => Some(one.intersection(&two).cloned().collect()),
            (one, two) => one.or(two),
        };
        let both = |one: Option<Box<Self>>, two: Option<Box<Self>>| match (one, two) {
            (Some(one), Some(two)) => Some(Box::new(one.and(*two))),
            (one, two) => one.or(two),
        };
        self.items = both(self.items, other.items);
        self.values = both(self.values, other.values);
        self
    }

    fn schema(&self) -> Value {
        let mut schema = Map::new();
        match &self.types.iter().collect::<Vec<_>>()[..] {
            [] => return json!(true),
            [one] => schema.insert("type".into(), json!(one)),
            many => schema.insert("type".into(), json!(many)),
        };
        if !self.properties.is_empty() {
            let properties = self.properties.iter();
            let properties: Map<String, Value> = properties
                .map(|(key, shape)| (key.clone(), shape.schema()))
                .collect();
            schema.insert("properties".into(), properties.into());
        }
        if let Some(required) = self
            .required
            .as_ref()
            .filter(|required| !required.is_empty())
        {
            schema.insert("required".into(), json!(required));
        }
        if let Some(items) = &self.items {
            schema.insert("items".into(), items.schema());
        }
        if let Some(values) = &self.values {
            schema.insert("additionalProperties".into(), values.schema());
        }
        schema.into()
    }

    fn read(schema: &Value) -> Self {
        let names = |value: &Value| match value {
            Value::String(one) => vec![one.clone()],
            many => many
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|it| Some(it.as_str()?.to_owned()))
                .collect(),
        };
        let below = |member: &str| schema.get(member).map(|it| Box::new(Self::read(it)));
        let types: BTreeSet<String> = names(&schema["type"]).into_iter().collect();
        let is_object = types.contains("object") && schema.get("additionalProperties").is_none();
        Self {
            properties: schema["properties"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), Self::read(value)))
                .collect(),
            required: is_object.then(|| names(&schema["required"]).into_iter().collect()),
            items: below("items"),
            values: below("additionalProperties"),
            types,
        }
    }
}

/// The same schema without additional keys.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let closed = members.contains_key("properties") && members.contains_key("type");
            members.values_mut().for_each(strict);
            if closed {
                members
                    .entry("additionalProperties")
                    .or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strict),
        _ => {}
    }
}

/// The output of one command's runs.
#[derive(Default)]
struct Printed {
    documents: Vec<Value>,
    /// The document for a pool, or for the whole run, that failed early.
    failures: Vec<Value>,
    whole: Vec<Value>,
}

impl Printed {
    fn add(&mut self, document: Value) {
        let pools = document["pools"].as_array().cloned();
        for one in pools.unwrap_or_else(|| vec![document.clone()]) {
            let members: Vec<_> = one
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            match members[..] {
                ["error"] | ["error", "pool"] | ["pool", "error"] => self.failures.push(one),
                _ => self.documents.push(one),
            }
        }
        self.whole.push(document);
    }
}

fn file(command: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join(format!("docs/schemas/{command}.json"))
}

fn check(command: &str, printed: &Printed) {
    let path = file(command);
    let kept = std::fs::read_to_string(&path).ok();
    let kept: Option<Value> = kept.map(|text| serde_json::from_str(&text).unwrap());
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        let shape = |name: &str, seen: &[Value]| {
            let kept = kept.as_ref().and_then(|kept| kept["$defs"].get(name));
            kept.map(Shape::read)
                .into_iter()
                .chain(seen.iter().map(Shape::of))
                .reduce(Shape::and)
        };
        let mut definitions = Map::new();
        for (name, seen) in [
            ("document", &printed.documents),
            ("failure", &printed.failures),
        ] {
            if let Some(shape) = shape(name, seen) {
                definitions.insert(name.into(), shape.schema());
            }
        }
        let one: Vec<Value> = definitions
            .keys()
            .map(|name| json!({ "$ref": format!("#/$defs/{name}") }))
            .collect();
        let several = json!({ "type": "object", "properties": { "pools": { "type": "array", "items": { "anyOf": one } } }, "required": ["pools"] });
        let any: Vec<Value> = one.into_iter().chain([several]).collect();
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": format!("What `jane-migrate {command} --json` prints"),
            "anyOf": any,
            "$defs": definitions,
        });
        let text = serde_json::to_string_pretty(&schema).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("{text}\n")).unwrap();
        return;
    }
    let mut schema = kept.unwrap_or_else(|| panic!("{} is there", path.display()));
    strict(&mut schema);
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("schema.json", schema).unwrap();
    let mut schemas = boon::Schemas::new();
    let index = compiler.compile("schema.json", &mut schemas);
    let index = index.unwrap_or_else(|error| panic!("{error:#}"));
    for document in &printed.whole {
        let judged = schemas.validate(document, index);
        if let Err(fault) = judged {
            panic!(
                "{command}: {fault:#}\n{document:#}\nUPDATE_SCHEMAS=1 writes docs/schemas anew; docs/json.md says what it means"
            );
        }
    }
}

/// Runs a command in every way that it can end, and keeps its output.
struct Runs {
    corner: Corner,
    printed: BTreeMap<&'static str, Printed>,
}

impl Runs {
    async fn run(&mut self, command: &'static str, more: &[&str]) -> Value {
        let arguments: Vec<&str> = [command]
            .iter()
            .chain(more)
            .chain(&["--json"])
            .copied()
            .collect();
        let ran: Ran = self.corner.run(&arguments).await;
        let document = ran.json();
        self.printed
            .entry(command)
            .or_default()
            .add(document.clone());
        document
    }
}

#[tokio::test]
async fn each_document_matches_its_schema() {
    let corner = Corner::new().await;
    corner.add_accounts();
    let closed = json!({ "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true } });
    let pool = corner.create_pool(closed).await;
    let client = corner.create_client(&pool, json!({})).await;
    let other = corner.create_pool(json!({})).await;
    let mobile =
        json!({ "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
    corner.create_client(&other, mobile).await;
    corner.configure("[window]\ntotal_users = 4\n");
    let gone = "us-west-2_Nowhere00";
    std::fs::write(
        corner.folder.path().join("users.csv"),
        "tail@example.com\nada@example.com\n",
    )
    .unwrap();
    let mut runs = Runs {
        corner,
        printed: BTreeMap::new(),
    };
    let one = ["--pool", &pool];
    let many = ["--pool", &pool, "--pool", &other, "--pool", gone];
    let yes = ["--yes", "--pool", &pool];

    // Before anything exists, and for a pool that does not exist.
    for command in ["plan", "verify", "status", "doctor", "remaining", "coexist"] {
        let from: &[&str] = match command {
            "remaining" => &["--from", "users.csv"],
            "coexist" => &["--for", "terraform"],
            _ => &[],
        };
        for pools in [&one[..], &["--pool", gone], &many] {
            runs.run(command, &[pools, from].concat()).await;
        }
    }
    runs.run("deploy", &one).await;
    runs.run("deploy", &[&["--yes"], &many[..]].concat()).await;
    runs.run("deploy", &yes).await;
    runs.run("policy", &one).await;
    let group = format!("/aws/lambda/jane-migrate-{pool}");
    let stream = json!({ "logGroupName": group, "logStreamName": "earlier" });
    runs.corner.logs("CreateLogStream", stream).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let events = (1..=10).rev().map(|day| {
        let at = now.as_millis() as u64 - day * 86_400_000;
        let line = json!({ "outcome": "migrated", "durationMs": 12.5, "clientId": client });
        json!({ "timestamp": at, "message": line.to_string() })
    });
    let lines = json!({ "logGroupName": group, "logStreamName": "earlier", "logEvents": events.collect::<Vec<_>>() });
    runs.corner.logs("PutLogEvents", lines).await;
    for since in ["30d", "400d"] {
        runs.run("status", &["--since", since, "--pool", &pool])
            .await;
    }
    runs.run("plan", &one).await;
    runs.run("teardown", &one).await;
    for more in [
        "[window]\ncloses = 2020-01-01\n",
        "[window]\ncloses = 2999-12-31\n",
    ] {
        runs.corner.configure(more);
        for command in ["verify", "plan", "status", "doctor"] {
            runs.run(command, &one).await;
        }
    }
    runs.corner
        .configure("[window]\ntotal_users = 4\ncloses = 2999-12-31\n");

    // One customer migrates, and one cannot.
    let sign_in = |password: &str| {
        json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client,
            "AuthParameters": { "USERNAME": "ada@example.com", "PASSWORD": password } })
    };
    runs.corner
        .cognito("InitiateAuth", sign_in("Right-Pass-1"))
        .await;
    runs.corner
        .jane
        .set_fault_everywhere(Some(Fault::Status(503)));
    for user in ["bob@example.com", "tail@example.com"] {
        let mut body = sign_in("Any-Pass-1");
        body["AuthParameters"]["USERNAME"] = json!(user);
        runs.corner.try_cognito("InitiateAuth", body).await;
    }
    for command in ["status", "doctor", "connect"] {
        runs.run(command, &one).await;
    }
    runs.run("verify", &["--probe", "--pool", &pool]).await;
    let forgot = [
        "--forgot-password",
        "--user",
        "sso@example.com",
        "--pool",
        &pool,
    ];
    runs.run("try", &forgot).await;
    runs.corner.jane.set_fault_everywhere(None);
    runs.run("try", &forgot).await;
    runs.run(
        "try",
        &[
            "--forgot-password",
            "--user",
            "ada@example.com",
            "--pool",
            &pool,
        ],
    )
    .await;
    runs.run(
        "try",
        &[
            "--forgot-password",
            "--user",
            "nobody@example.com",
            "--pool",
            &pool,
        ],
    )
    .await;
    runs.run("try", &["--user", "ada@example.com", "--pool", gone])
        .await;
    for command in ["plan", "verify", "status", "doctor", "connect"] {
        for pools in [&one[..], &many] {
            runs.run(command, pools).await;
        }
    }
    runs.run("verify", &["--probe", "--pool", &pool]).await;
    runs.run("connect", &yes).await;
    let verified = json!({ "UserPoolId": pool, "AutoVerifiedAttributes": ["email"],
        "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true },
        "LambdaConfig": runs.corner.pool(&pool).await["LambdaConfig"] });
    runs.corner.cognito("UpdateUserPool", verified).await;
    for pools in [&one[..], &many] {
        runs.run("remaining", &[pools, &["--from", "users.csv"]].concat())
            .await;
        runs.run("import", &[pools, &["--from", "users.csv"]].concat())
            .await;
    }
    runs.run("import", &[&yes[..], &["--from", "users.csv"]].concat())
        .await;
    runs.run("status", &one).await;
    for command in ["history", "settings"] {
        for pools in [&one[..], &many] {
            runs.run(command, pools).await;
        }
    }

    // Another version, and a rollback.
    runs.corner.configure("[function]\nmemory_mb = 512\n");
    runs.run("plan", &one).await;
    let refused = Proxy::start(&runs.corner.endpoint, |call| match call.action.as_str() {
        "PublishVersion" => Fate::Refuse(403, "AccessDeniedException", "no"),
        _ => Fate::Pass,
    });
    let refused = refused.await.expect("a proxy");
    let url = refused.url();
    runs.run("deploy", &[&yes[..], &["--endpoint-url", &url]].concat())
        .await;
    runs.run("deploy", &yes).await;
    for pools in [&one[..], &many, &yes] {
        runs.run("rollback", pools).await;
    }
    let folder = runs.corner.folder.path().to_owned();
    let snapshot = std::fs::read_dir(folder).unwrap().find_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        (name.contains(&pool) && name.ends_with(".snapshot.json")).then_some(name)
    });
    let snapshot = snapshot.expect("a snapshot");
    runs.corner
        .cognito("UpdateUserPool", json!({ "UserPoolId": pool }))
        .await;
    runs.run("doctor", &one).await;
    runs.run("plan", &one).await;
    runs.run("deploy", &yes).await;
    runs.run("restore", &["--snapshot", &snapshot]).await;
    runs.run("restore", &["--snapshot", &snapshot, "--yes"])
        .await;
    runs.run("restore", &["--snapshot", "nowhere.json", "--yes"])
        .await;
    runs.run("teardown", &yes).await;
    for pools in [&one[..], &many] {
        runs.run("teardown", &[&["--force"], pools].concat()).await;
        runs.run("teardown", &[&["--force", "--yes"], pools].concat())
            .await;
    }
    let machine = ["doctor", "--bundle", "report.json", "--json"];
    let report = runs.corner.run(&machine).await.json();
    runs.printed
        .entry("doctor-machine")
        .or_default()
        .add(report);
    for (command, printed) in &runs.printed {
        check(command, printed);
    }
    for (command, printed) in &runs.printed {
        let failures = &printed.failures;
        assert!(!printed.documents.is_empty(), "{command}: {failures:#?}");
    }
}

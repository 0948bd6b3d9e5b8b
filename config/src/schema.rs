//! The JSON Schema of `migrate.toml`, derived from the types that read it. It is in the repository as `migrate.schema.json`,
//! for editors; a test keeps it current. What must fit together is only checked when the file is read.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Value, json};

use crate::{
    Condition, Date, PoolId, Secret,
    directory::Written,
    file::{Apart, DirectoryTable, File, Partial, SecretForms},
};

/// The schema.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<File>().to_value();
    schema["title"] = json!("migrate.toml of jane-migrate");
    tidy(&mut schema);
    schema
}

/// TOML has no null; no table accepts an unknown key; and `uint32` is schemars' own format.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(members) => {
            let is_null = |value: &Value| *value == json!({ "type": "null" });
            if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
                choices.retain(|choice| !is_null(choice));
                if let [one] = &choices[..]
                    && let Value::Object(one) = one.clone()
                {
                    members.remove("anyOf");
                    members.extend(one);
                }
            }
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [one] = &types[..] {
                    let one = one.clone();
                    members.insert("type".to_owned(), one);
                }
            }
            let format = members.get("format").and_then(Value::as_str);
            if format.is_some_and(|format| format.starts_with("uint")) {
                members.remove("format");
            }
            if members.get("default") == Some(&Value::Null) {
                members.remove("default");
            }
            if members.get("properties").is_some_and(Value::is_object) {
                members
                    .entry("additionalProperties")
                    .or_insert(json!(false));
            }
            members.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

impl<T: JsonSchema> JsonSchema for Apart<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl JsonSchema for Partial {
    fn schema_name() -> Cow<'static, str> {
        "PartialDirectory".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let whole = generator.subschema_for::<DirectoryTable>();
        // Without a kind it replaces some of the file's keys.
        let mut kinds = DirectoryTable::json_schema(generator).to_value();
        let kinds = kinds["oneOf"].as_array_mut().map(std::mem::take);
        let partial = kinds.unwrap_or_default().into_iter().map(|mut kind| {
            if let Some(members) = kind.as_object_mut() {
                members.remove("required");
                members.insert("not".to_owned(), json!({ "required": ["kind"] }));
            }
            kind
        });
        json_schema!({
            "description": "The settings of the directory that differ for this pool. With a `kind` it is a whole directory.",
            "anyOf": std::iter::once(whole.to_value()).chain(partial).collect::<Vec<_>>(),
        })
    }
}

impl JsonSchema for PoolId {
    fn schema_name() -> Cow<'static, str> {
        "PoolId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The id of a user pool.",
            "type": "string",
            "pattern": "^[A-Za-z0-9_-]+_[A-Za-z0-9]+$",
            "maxLength": 55,
        })
    }
}

impl JsonSchema for Date {
    fn schema_name() -> Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A day: a TOML date, without quotes.",
            "type": "string",
            "format": "date",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        })
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = SecretForms::json_schema(generator);
        let of = |key: &str, not: &[&str]| {
            let not: Vec<_> = not.iter().map(|key| json!({ "required": [key] })).collect();
            json!({ "required": [key], "not": { "anyOf": not } })
        };
        schema.insert(
            "oneOf".to_owned(),
            json!([
                of("secretsmanager", &["ssm", "env"]),
                of("ssm", &["secretsmanager", "env", "key"]),
                of("env", &["secretsmanager", "ssm", "key", "kms_key"]),
            ]),
        );
        schema
    }
}

impl JsonSchema for Condition {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

//! The differences between versions of the function. Values of the environment are never shown.

use std::collections::BTreeSet;

use crate::resources::{Function, ObservedFunction};

/// The differences as text: code first. Empty if both behave the same for a customer.
pub fn differences(version: &ObservedFunction, other: &ObservedFunction) -> Vec<String> {
    let mut different = Vec::new();
    if version.code_sha256 != other.code_sha256 {
        different.push("other code".to_owned());
    }
    different.extend(settings(version, other));
    different
}

/// The same without the code.
pub fn settings(version: &ObservedFunction, other: &ObservedFunction) -> Vec<String> {
    // Tags and reserved concurrency belong to the function, not to a version.
    let Function {
        name: _,
        runtime,
        handler,
        architecture,
        memory_mb,
        timeout_s,
        role_arn,
        role_id,
        environment,
        kms_key_arn,
        vpc,
        layers,
        reserved_concurrency: _,
        tags: _,
    } = &version.function;
    let than = &other.function;
    let more = layers.iter().filter(|layer| !than.layers.contains(layer));
    let mut different: Vec<String> = more.map(|layer| format!("layer {layer}")).collect();
    let names: BTreeSet<&String> = environment.keys().chain(than.environment.keys()).collect();
    let variables = names
        .into_iter()
        .filter(|name| environment.get(*name) != than.environment.get(*name));
    different.extend(variables.map(|name| format!("variable {name}")));
    let fewer = layers.len() < than.layers.len();
    let again = matches!((role_id, &than.role_id), (Some(id), Some(other)) if id != other);
    let others = [
        (fewer, "set of layers"),
        (*role_arn != than.role_arn, "role"),
        (again, "role of the same name"),
        (*vpc != than.vpc, "network"),
        (*kms_key_arn != than.kms_key_arn, "KMS key"),
        (*runtime != than.runtime, "runtime"),
        (*handler != than.handler, "handler"),
        (*architecture != than.architecture, "architecture"),
        (*timeout_s != than.timeout_s, "timeout"),
        (*memory_mb != than.memory_mb, "memory"),
        (version.log_group != other.log_group, "log group"),
        (version.log_level != other.log_level, "log level"),
        (
            version.dead_letters != other.dead_letters,
            "dead-letter queue",
        ),
        (version.traced != other.traced, "tracing"),
        (version.durable != other.durable, "durable execution"),
    ];
    let others = others.into_iter().filter(|(differs, _)| *differs);
    different.extend(others.map(|(_, what)| format!("another {what}")));
    different
}

#[cfg(test)]
mod tests {
    use jane_migrate_config::Config;

    use super::*;
    use crate::resources::EnvValue;

    fn version() -> ObservedFunction {
        let toml = "[directory]\nkind = 'jane'\nclient_id = 'c'\nclient_secret = { ssm = '/s' }\n";
        let config: Config = jane_migrate_config::parse(toml, "migrate.toml").unwrap();
        let pool = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";
        let names = crate::ids::Names::new(pool.parse().unwrap());
        let document = serde_json::json!({ "Id": "us-east-1_Ab1", "Name": "n", "Arn": pool });
        let document = crate::document::PoolDocument::from_json(document).unwrap();
        let facts = crate::facts::pool_facts(&document, &serde_json::Value::Null);
        let settings = jane_migrate_config::HandlerSettings::new(&config, &facts);
        let desired =
            crate::resources::Desired::new(&names, &config, &settings, "s", Default::default());
        ObservedFunction::fresh(desired.function)
    }

    #[test]
    fn tags_and_concurrency_are_no_difference_between_versions() {
        let (one, mut other) = (version(), version());
        other.function.tags.insert("team".into(), "shop".into());
        other.function.reserved_concurrency = Some(3);
        assert!(differences(&one, &other).is_empty());
    }

    #[test]
    fn each_difference_has_a_text() {
        let (one, mut other) = (version(), version());
        other.code_sha256 = "other".into();
        other.function.memory_mb += 1;
        other
            .function
            .environment
            .insert("SECRET".into(), EnvValue::new("hunter2"));
        assert_eq!(
            differences(&one, &other),
            ["other code", "variable SECRET", "another memory"]
        );
    }

    #[test]
    fn layers_of_either_version_are_differences() {
        let (one, mut other) = (version(), version());
        other.function.layers = vec!["arn:layer".into()];
        assert_eq!(differences(&other, &one), ["layer arn:layer"]);
        assert_eq!(differences(&one, &other), ["another set of layers"]);
    }

    #[test]
    fn a_recreated_role_is_a_difference_if_both_ids_are_known() {
        let (mut one, mut other) = (version(), version());
        one.function.role_id = Some("AROA1".into());
        assert!(differences(&one, &other).is_empty());
        other.function.role_id = Some("AROA2".into());
        assert_eq!(differences(&one, &other), ["another role of the same name"]);
    }
}

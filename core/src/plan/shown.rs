//! How a resource of ours will differ from its current state, field by field with the names of AWS's API. Values that may be
//! secret are hidden here.

use std::collections::BTreeMap;

use jane_migrate_config::SETTINGS_VARIABLE;
use serde_json::{Value, json};

use super::change::missing_tags;
use crate::document::{Difference, differences};
use crate::resources::{
    EnvValue, Environment, Function, LogGroup, ObservedFunction, Role, Tags, tag,
};

/// Replaces a value that is not shown.
const HIDDEN: &str = "****";

/// The handler's settings that may contain confidential text, although no secret belongs there.
const CONFIDENTIAL: [&str; 7] = [
    "headers",
    "basic",
    "json",
    "form",
    "decoy",
    "ca_certificate",
    "external_id",
];

pub(super) fn log_group(found: &LogGroup, desired: &LogGroup) -> Vec<Difference> {
    let shown = |group: &LogGroup| json!({ "retentionInDays": group.retention_days, "kmsKeyId": group.kms_key_arn });
    let mut difference = differences(&shown(found), &shown(desired));
    difference.extend(tags(&found.tags, &desired.tags));
    difference
}

pub(super) fn role(found: &Role, desired: &Role) -> Vec<Difference> {
    let shown = |role: &Role| {
        json!({
            "AssumeRolePolicyDocument": role.trust,
            "Policies": role.policies,
            "AttachedPolicies": role.attached,
            "PermissionsBoundary": role.boundary,
        })
    };
    let mut difference = differences(&shown(found), &shown(desired));
    difference.extend(tags(&found.tags, &desired.tags));
    difference
}

pub(super) fn function(
    found: &ObservedFunction,
    desired: &Function,
    untag: &[String],
) -> Vec<Difference> {
    let now = &found.function;
    let mut difference = differences(&configuration(now), &configuration(desired));
    difference.extend(environment(&now.environment, &desired.environment));
    let deployed = now.tags.get(tag::CODE);
    if deployed.is_some_and(|deployed| *deployed != found.code_sha256) {
        difference.push(Difference {
            pointer: "/CodeSha256".into(),
            before: json!(found.code_sha256),
            after: json!(deployed),
        });
    }
    difference.extend(tags(&now.tags, &desired.tags));
    difference.extend(untag.iter().map(|key| Difference {
        pointer: at("Tags", key),
        before: json!(now.tags.get(key)),
        after: Value::Null,
    }));
    difference
}

fn configuration(function: &Function) -> Value {
    let Function {
        name: _,
        runtime,
        handler,
        architecture,
        memory_mb,
        timeout_s,
        role_arn,
        role_id: _,
        environment: _,
        kms_key_arn,
        vpc,
        layers,
        reserved_concurrency,
        tags: _,
    } = function;
    json!({
        "Runtime": runtime,
        "Handler": handler,
        "Architectures": [architecture],
        "MemorySize": memory_mb,
        "Timeout": timeout_s,
        "Role": role_arn,
        "KMSKeyArn": kms_key_arn,
        "VpcConfig": vpc.as_ref().map(|vpc| json!({
            "SubnetIds": vpc.subnets,
            "SecurityGroupIds": vpc.security_groups,
        })),
        "Layers": layers,
        "ReservedConcurrentExecutions": reserved_concurrency,
    })
}

/// Our settings field by field; for any other variable only that it changes.
fn environment(now: &Environment, desired: &Environment) -> Vec<Difference> {
    let mut found = Vec::new();
    for name in changed_variables(now, desired) {
        let pointer = at("Environment/Variables", &name);
        let settings = |environment: &BTreeMap<String, EnvValue>| {
            let text = environment.get(&name)?.expose();
            serde_json::from_str::<Value>(text).ok()
        };
        if name == SETTINGS_VARIABLE
            && let (Some(before), Some(after)) = (settings(now), settings(desired))
        {
            found.extend(differences(&before, &after).into_iter().map(|inner| {
                hidden(Difference {
                    pointer: format!("{pointer}{}", inner.pointer),
                    ..inner
                })
            }));
            continue;
        }
        let shown = |environment: &Environment| match environment.contains_key(&name) {
            true => json!(HIDDEN),
            false => Value::Null,
        };
        found.push(Difference {
            pointer,
            before: shown(now),
            after: shown(desired),
        });
    }
    found
}

/// The difference, without confidential values.
fn hidden(difference: Difference) -> Difference {
    let confidential = difference
        .pointer
        .split('/')
        .any(|member| CONFIDENTIAL.contains(&member));
    let shown = |value: Value| match value.is_null() || !confidential {
        true => value,
        false => json!(HIDDEN),
    };
    Difference {
        before: shown(difference.before),
        after: shown(difference.after),
        pointer: difference.pointer,
    }
}

fn tags(found: &Tags, desired: &Tags) -> Vec<Difference> {
    missing_tags(desired, found)
        .into_iter()
        .map(|(key, value)| Difference {
            pointer: at("Tags", &key),
            before: json!(found.get(&key)),
            after: json!(value),
        })
        .collect()
}

fn at(parent: &str, member: &str) -> String {
    format!("/{parent}/{}", member.replace('~', "~0").replace('/', "~1"))
}

/// The names of the variables that differ.
pub(super) fn changed_variables(
    now: &BTreeMap<String, EnvValue>,
    desired: &BTreeMap<String, EnvValue>,
) -> Vec<String> {
    let mut names: Vec<String> = now
        .keys()
        .chain(desired.keys())
        .filter(|name| now.get(*name) != desired.get(*name))
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(variables: &[(&str, &str)]) -> Environment {
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), EnvValue::new(*value)))
            .collect()
    }

    fn lines(found: &[Difference]) -> Vec<String> {
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn settings_are_shown_by_field_and_secrets_never() {
        let settings = |closes: &str, header: &str| {
            json!({
                "window_closes": closes,
                "directory": { "http": { "authenticate": { "headers": { "x-key": header } } } },
            })
            .to_string()
        };
        let now = variables(&[
            (SETTINGS_VARIABLE, &settings("2027-01-31", "hunter1")),
            ("JANE_SECRET", "hunter2"),
            ("OLD", "hunter3"),
        ]);
        let desired = variables(&[
            (SETTINGS_VARIABLE, &settings("2027-03-31", "hunter4")),
            ("JANE_SECRET", "hunter5"),
        ]);
        let found = lines(&environment(&now, &desired));
        assert_eq!(
            found,
            [
                "/Environment/Variables/JANE_MIGRATE_SETTINGS/directory/http/authenticate/headers/x-key: \"****\" => \"****\"",
                "/Environment/Variables/JANE_MIGRATE_SETTINGS/window_closes: \"2027-01-31\" => \"2027-03-31\"",
                "/Environment/Variables/JANE_SECRET: \"****\" => \"****\"",
                "/Environment/Variables/OLD: \"****\" => none",
            ]
        );
    }

    #[test]
    fn an_unreadable_settings_variable_is_not_quoted() {
        let now = variables(&[(SETTINGS_VARIABLE, "hunter2")]);
        let found = lines(&environment(&now, &variables(&[(SETTINGS_VARIABLE, "{}")])));
        assert_eq!(
            found,
            ["/Environment/Variables/JANE_MIGRATE_SETTINGS: \"****\" => \"****\""]
        );
    }
}

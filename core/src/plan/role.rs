//! What deploy would do with the execution role. While a new version is probed, the live one still runs with this role: the role
//! first gets the permissions of both, and loses those of the old version after the new one is live.

use serde_json::Value;

use super::change::{Action, Allowed, Operation, Plan, Resource, foreign, missing_tags};
use super::shown;
use crate::fix::{Fix, fix};
use crate::ids::{LONGEST_NAME, Names, ROLE_POLICY};
use crate::resources::{Role, is_ours};

/// When the permissions go that Lambda needs to delete network interfaces.
pub(super) const INTERFACES: &str = "after the function's network interfaces";

pub(super) fn plan_role(
    plan: &mut Plan,
    names: &Names,
    desired: &Role,
    found: Option<&Role>,
    allowed: &Allowed,
) {
    // A given role is not created, and there is no spare role for it.
    let made = [
        (&names.spare_role, names.given_role),
        (&names.function, names.given_function),
    ];
    if let Some((longest, _)) = made
        .into_iter()
        .find(|(name, given)| !given && name.len() > LONGEST_NAME)
    {
        return plan.conflict(
            Resource::Role,
            longest,
            format!(
                "the name has {} characters, and AWS takes {LONGEST_NAME}",
                longest.len()
            ),
            "shorten name_prefix under [function]",
        );
    }
    let elsewhere = found.filter(|found| found.path != desired.path);
    if let Some(found) = elsewhere {
        return plan.conflict(
            Resource::Role,
            &desired.name,
            format!(
                "the role is there with the path {} and not {}, and IAM cannot move a role",
                found.path, desired.path
            ),
            match names.given_role {
                true => "give role_arn under [function] the ARN that the role has".into(),
                false => fix![
                    format!(
                        "set role_path = \"{}\" under [function], or run `",
                        found.path
                    ),
                    Fix::ours("teardown", &names.pool.id, " --everything"),
                    "` with the old role_path first",
                ],
            },
        );
    }
    if names.given_role {
        // The checks judge a given role; it is never changed.
        if found.is_none() {
            plan.conflict(
                Resource::Role,
                &desired.name,
                format!("there is no role {}", names.role_arn),
                "make it, for Lambda alone, or leave role_arn out; once it is there, deploy says what it must allow",
            );
        }
        return;
    }
    let Some(found) = found else {
        return plan.change(
            Action::Create,
            Resource::Role,
            &desired.name,
            match &desired.boundary {
                Some(arn) => format!("for Lambda alone; writes its own logs; bounded by {arn}"),
                None => "for Lambda alone; writes its own logs".to_owned(),
            },
            Operation::CreateRole(desired.clone()),
        );
    };
    if !is_ours(&found.tags, &names.pool) && foreign(plan, Resource::Role, &desired.name, allowed) {
        return;
    }
    let wide = union(desired, found);
    widen(plan, &wide, found);
    narrow(plan, desired, &wide, found);
}

/// The role with the permissions of both.
fn union(desired: &Role, found: &Role) -> Role {
    let mut wide = desired.clone();
    wide.trust = both(&desired.trust, &found.trust);
    for (name, policy) in &mut wide.policies {
        if let Some(found) = found.policies.get(name) {
            *policy = both(policy, found);
        }
    }
    wide
}

/// The document, plus the statements that only the other has. They lose their ids, which may be in use.
fn both(document: &Value, other: &Value) -> Value {
    let mut document = document.clone();
    let same = |one: &Value, other: &Value| without_id(one) == without_id(other);
    if let Some(statements) = document["Statement"].as_array_mut() {
        let others = other["Statement"].as_array().into_iter().flatten();
        let lacking: Vec<Value> = others
            .filter(|other| !statements.iter().any(|one| same(one, other)))
            .map(without_id)
            .collect();
        statements.extend(lacking);
    }
    document
}

fn without_id(statement: &Value) -> Value {
    let mut statement = statement.clone();
    if let Some(members) = statement.as_object_mut() {
        members.remove("Sid");
    }
    statement
}

/// Whether two policies are the same, in any order and with any ids.
fn agree(one: &Value, other: &Value) -> bool {
    let statements = |document: &Value| {
        let statements = document["Statement"].as_array();
        let mut texts: Vec<String> = statements
            .into_iter()
            .flatten()
            .map(|statement| without_id(statement).to_string())
            .collect();
        texts.sort();
        texts
    };
    one == other
        || (one["Version"] == other["Version"]
            && one["Statement"].is_array()
            && other["Statement"].is_array()
            && statements(one) == statements(other))
}

fn widen(plan: &mut Plan, wide: &Role, found: &Role) {
    let mut details = Vec::new();
    if !agree(&wide.trust, &found.trust) {
        details.push("trust policy");
    }
    let lacking = |(name, policy): (&String, &Value)| {
        let found = found.policies.get(name);
        found.is_none_or(|found| !agree(policy, found))
    };
    if wide.policies.iter().any(lacking) {
        details.push("permissions");
    }
    let bound = wide.boundary.is_some() && wide.boundary != found.boundary;
    if bound {
        details.push("permissions boundary");
    }
    if !missing_tags(&wide.tags, &found.tags).is_empty() {
        details.push("tags");
    }
    if details.is_empty() {
        return;
    }
    plan.change(
        Action::Update,
        Resource::Role,
        &wide.name,
        details.join(", "),
        Operation::WidenRole(Role {
            boundary: wide.boundary.clone().filter(|_| bound),
            ..wide.clone()
        }),
    );
    plan.differs_by(shown::role(found, &bounded_as(wide, found)));
}

/// The role, with its existing boundary if none is configured.
fn bounded_as(role: &Role, found: &Role) -> Role {
    Role {
        boundary: role.boundary.clone().or_else(|| found.boundary.clone()),
        ..role.clone()
    }
}

/// Adds the permissions to the role that a version needs and the role no longer has.
pub(super) fn widen_for(plan: &mut Plan, found: &Role, policy: &Value) {
    let mut wide = found.clone();
    let own = wide
        .policies
        .entry(ROLE_POLICY.into())
        .or_insert_with(|| policy.clone());
    *own = both(own, policy);
    widen(plan, &wide, found);
}

fn narrow(plan: &mut Plan, desired: &Role, wide: &Role, found: &Role) {
    let Role {
        name,
        path: _,
        trust,
        policies,
        attached,
        boundary: _,
        id: _,
        tags: _,
    } = desired;
    let surplus: Vec<String> = found
        .policies
        .keys()
        .filter(|policy| !policies.contains_key(*policy))
        .cloned()
        .collect();
    let detach: Vec<String> = found
        .attached
        .iter()
        .filter(|arn| !attached.contains(arn))
        .cloned()
        .collect();
    let mut details = Vec::new();
    if !agree(trust, &wide.trust) {
        details.push("trust policy: only what is needed from now on".to_owned());
    }
    if policies
        .iter()
        .any(|(policy, document)| !agree(document, &wide.policies[policy]))
    {
        details.push("permissions: only what is needed from now on".into());
    }
    if !surplus.is_empty() {
        details.push(format!("removes policy {}", surplus.join(", ")));
    }
    if !detach.is_empty() {
        details.push(format!("detaches {}", detach.join(", ")));
    }
    if details.is_empty() {
        return;
    }
    let leaves_vpc = found.keeps_interfaces() && !desired.keeps_interfaces();
    if leaves_vpc {
        details.push(format!("{INTERFACES}, and the versions in the VPC"));
    }
    let widened = Role {
        policies: found
            .policies
            .iter()
            .filter(|(name, _)| surplus.contains(name))
            .chain(&wide.policies)
            .map(|(name, policy)| (name.clone(), policy.clone()))
            .collect(),
        attached: found.attached.clone(),
        ..wide.clone()
    };
    plan.change(
        Action::Update,
        Resource::Role,
        name,
        details.join(", "),
        Operation::NarrowRole {
            role: desired.clone(),
            surplus,
            detach,
            leaves_vpc,
        },
    );
    plan.differs_by(shown::role(
        &bounded_as(&widened, found),
        &bounded_as(desired, found),
    ));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(statements: Value) -> Value {
        json!({ "Version": "2012-10-17", "Statement": statements })
    }

    fn secret(id: &str, name: &str) -> Value {
        json!({ "Sid": id, "Effect": "Allow", "Action": "ssm:GetParameter", "Resource": name })
    }

    #[test]
    fn a_union_has_every_statement_once_and_no_id_twice() {
        let new = policy(json!([secret("ReadClientSecret", "new")]));
        let old = policy(json!([
            secret("ReadClientSecret", "old"),
            secret("Other", "new")
        ]));
        let wide = both(&new, &old);
        let statements = wide["Statement"].as_array().unwrap();
        assert_eq!(statements.len(), 2);
        assert_eq!(statements[0], secret("ReadClientSecret", "new"));
        assert_eq!(statements[1], without_id(&secret("", "old")));
        // An interrupted run left it so: adding the permissions again changes nothing.
        assert!(agree(&both(&new, &wide), &wide));
        assert!(!agree(&new, &wide));
    }

    #[test]
    fn an_unreadable_policy_is_replaced() {
        let new = policy(json!([secret("ReadClientSecret", "new")]));
        for odd in [Value::Null, json!({ "Statement": "?" })] {
            assert_eq!(both(&new, &odd), new);
            assert!(!agree(&new, &odd));
        }
    }
}

//! The execution role: who can assume it, what it allows, and whether that is enough.

use std::fmt;

use serde_json::Value;

use super::kind::{Check, Findings};
use super::subject::Subject;
use crate::finding::Finding;
use crate::fix::{Fix, fix, quoted};
use crate::ids::ROLE_POLICY;
use crate::permission::{has_variable, matches, meet};
use crate::read::Unread;
use crate::resources::{role_policy, trust_policy};

pub(super) fn role_trust(check: &Check, subject: &Subject<'_>) -> Findings {
    let found = subject
        .observed
        .role
        .as_ref()?
        .as_ref()
        .map(|role| &role.trust);
    if found.is_some_and(|trust| for_lambda_alone(trust, &subject.names.pool.account)) {
        return check.holds("Lambda alone may assume the role");
    }
    check
        .fails(
            "the execution role is not for Lambda alone",
            trust_policy().to_string(),
            found.map_or("no role".to_owned(), Value::to_string),
            of_role(subject, || {
                let trust = quoted(&trust_policy().to_string());
                let role = &subject.names.role;
                subject.aws(format_args!(
                    "iam update-assume-role-policy --role-name {role} --policy-document {trust}"
                ))
            }),
        )
        .stopping(subject.names.given_role)
        .into()
}

/// The fix for the role: a deploy, or a command for the owner of another's role.
fn of_role(subject: &Subject<'_>, by_owner: impl Fn() -> Fix) -> Fix {
    match subject.names.given_role {
        true => fix![
            "it is the role of role_arn, which jane-migrate never changes; for its owner: `",
            by_owner(),
            "`",
        ],
        false => subject.deploy(),
    }
}

/// Whether the trust policy is deploy's, or the same limited to this account's functions. The ids of statements and policies do
/// not matter.
pub(super) fn for_lambda_alone(trust: &Value, account: &str) -> bool {
    let [statement] = &statements(trust)[..] else {
        return false;
    };
    let mut statement = unlisted(statement);
    if let Some(members) = statement.as_object_mut() {
        members.remove("Sid");
        if let Some(condition) = members.remove("Condition") {
            let keys = condition["StringEquals"].as_object();
            let ours = keys.is_some_and(|keys| {
                keys.len() == 1
                    && keys.iter().all(|(key, value)| {
                        key.eq_ignore_ascii_case("aws:SourceAccount") && value == account
                    })
            });
            if !ours || condition.as_object().is_none_or(|all| all.len() != 1) {
                return false;
            }
        }
    }
    statements(&trust_policy()) == [statement]
}

/// The same statement, with the one element of a list in place of the list.
fn unlisted(value: &Value) -> Value {
    match value {
        Value::Array(only) if only.len() == 1 => only[0].clone(),
        Value::Object(members) => {
            let each = members.iter();
            each.map(|(name, value)| (name.clone(), unlisted(value)))
                .collect()
        }
        other => other.clone(),
    }
}

fn statements(policy: &Value) -> Vec<Value> {
    match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        one => vec![one.clone()],
    }
}

/// One thing a policy allows or denies.
#[derive(Debug, Clone, PartialEq)]
struct Grant {
    action: String,
    resource: String,
    /// Its condition; `Null`: none.
    condition: Value,
}

impl Grant {
    /// Whether this grant includes the other, with wildcards.
    fn covers(&self, other: &Self) -> bool {
        matches(
            &self.action.to_ascii_lowercase(),
            &other.action.to_ascii_lowercase(),
        ) && matches(&self.resource, &other.resource)
    }

    /// Whether this grant allows nothing that the other does not, also not under fewer conditions.
    fn is_within(&self, other: &Self) -> bool {
        other.covers(self) && (other.condition.is_null() || other.condition == self.condition)
    }

    /// Whether both include something in common.
    fn meets(&self, other: &Self) -> bool {
        meet(
            &self.action.to_ascii_lowercase(),
            &other.action.to_ascii_lowercase(),
        ) && meet(&any_value(&self.resource), &other.resource)
    }
}

/// The grants of a policy. `NotAction` and `NotResource` allow everything but some, which counts as everything here.
fn grants(policy: &Value) -> Vec<Grant> {
    with_effect(policy, "Allow").flat_map(|s| of(&s)).collect()
}

fn with_effect(policy: &Value, effect: &str) -> impl Iterator<Item = Value> {
    statements(policy)
        .into_iter()
        .filter(move |statement| statement["Effect"] == effect)
}

fn of(statement: &Value) -> Vec<Grant> {
    let resources = strings(statement, "Resource");
    let actions = strings(statement, "Action").into_iter();
    let pairs = actions.flat_map(|action| {
        let pair = move |resource: &String| (action.clone(), resource.clone());
        resources.iter().map(pair).collect::<Vec<_>>()
    });
    pairs
        .map(|(action, resource)| Grant {
            action,
            resource,
            condition: statement["Condition"].clone(),
        })
        .collect()
}

/// Whether a statement denies something that is needed. `NotAction` and `NotResource` deny what they do not list.
fn denies(statement: &Value, needed: &Grant) -> bool {
    let named = |member: &str| match statement.get(member) {
        Some(_) => strings(statement, member),
        None => Vec::new(),
    };
    // Names of actions have no case, those of resources have.
    let action = needed.action.to_ascii_lowercase();
    let mut actions = named("NotAction").into_iter();
    let mut resources = named("NotResource").into_iter();
    of(statement).iter().any(|denied| denied.meets(needed))
        && !actions.any(|pattern| matches(&pattern.to_ascii_lowercase(), &action))
        && !resources.any(|pattern| matches(&pattern, &needed.resource))
}

/// The pattern with a `*` for each variable of IAM: its value is not known here.
fn any_value(pattern: &str) -> String {
    let (mut known, mut rest) = (String::new(), pattern);
    while has_variable(rest) {
        let (before, variable) = rest.split_once("${").unwrap_or_default();
        known = known + before + "*";
        // Its default value is in quotes, and may contain a `}`.
        let named = variable
            .split_once('}')
            .filter(|(name, _)| !name.contains('\''));
        rest = named.map_or("", |(_, after)| after);
    }
    known + rest
}

/// A string or an array of strings; `*` if the statement has none.
fn strings(statement: &Value, member: &str) -> Vec<String> {
    match &statement[member] {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => vec!["*".to_owned()],
    }
}

/// Services with actions by which a function could extend its own or others' permissions, or sign in as any user.
const POWERS: [&str; 5] = ["iam:", "lambda:", "cognito-idp:", "kms:", "sts:"];

pub(super) fn role_permissions(check: &Check, subject: &Subject<'_>) -> Findings {
    subject.role()?;
    let needed = grants(&role_policy(subject.names, subject.wanted()?));
    let mut surplus: Vec<Finding> = Vec::new();
    let mut judge = |policy: &str, document: &Value| {
        for grant in surplus_of(&needed, document) {
            let action = grant.action.to_ascii_lowercase();
            let dangerous = action.contains('*')
                || grant.resource == "*"
                || POWERS.iter().any(|power| action.starts_with(power));
            let what = format!("{policy} allows {} on {}", grant.action, grant.resource);
            let wrong = check
                .fails(
                    "the execution role may do more than a sign-in needs",
                    "its own log and the configured secrets",
                    &what,
                    match subject.names.given_role {
                        true => "it is the role of role_arn, which jane-migrate never changes: ask its owner to take that out, or accept role-permissions under [verify.accept]".into(),
                        false => subject.deploy(),
                    },
                )
                .stopping(subject.names.given_role)
                .about(what);
            surplus.push(if dangerous { wrong } else { wrong.warning() });
        }
    };
    for (name, document) in subject.observed.role_policies.as_ref()? {
        judge(&format!("policy {name}"), document);
    }
    for (arn, document) in subject.observed.attached_policies.as_ref()? {
        judge(&format!("attached policy {arn}"), document.as_ref()?);
    }
    check.unless(surplus, "the role may do no more than a sign-in needs")
}

pub(super) fn role_needs(check: &Check, subject: &Subject<'_>) -> Findings {
    let role = subject.role()?;
    let needed = role_policy(subject.names, subject.wanted()?);
    let needs = grants(&needed);
    let mut own: Vec<&Value> = subject.observed.role_policies.as_ref()?.values().collect();
    for attached in subject.observed.attached_policies.as_ref()?.values() {
        own.push(attached.as_ref()?);
    }
    let mut findings: Vec<Finding> = withheld(&needs, &own)
        .into_iter()
        .map(|(what, obstacle)| {
            let message = "the execution role lacks what a sign-in needs";
            let found = obstacle.to_string();
            let fix = of_role(subject, || {
                let (role, policy) = (&subject.names.role, quoted(&needed.to_string()));
                subject.aws(format_args!(
                    "iam put-role-policy --role-name {role} --policy-name {ROLE_POLICY} --policy-document {policy}"
                ))
            });
            check
                .fails(message, &what, found, fix)
                .stopping(subject.names.given_role)
                .about(what)
        })
        .collect();
    match (&role.boundary, subject.observed.boundary.as_ref()) {
        (_, Err(Unread::NotAsked)) => return Err(Unread::NotAsked),
        (_, Err(unread)) => findings.push(check.unchecked(unread)),
        (Some(arn), Ok(Some(boundary))) => {
            let bounded = withheld(&needs, &[boundary]).into_iter();
            findings.extend(bounded.map(|(what, obstacle)| {
                let beyond = beyond_the_boundary(check, subject, arn, &what, &obstacle);
                beyond.about(format!("the permissions boundary: {what}"))
            }));
        }
        _ => {}
    }
    check.unless(findings, "the role may do what a sign-in needs")
}

/// The role's own policies only allow what its boundary also allows.
fn beyond_the_boundary(
    check: &Check,
    subject: &Subject<'_>,
    boundary: &str,
    what: &str,
    obstacle: &InTheWay,
) -> Finding {
    let configured = subject
        .asked
        .config
        .and_then(|config| config.function.permissions_boundary.as_ref());
    let wrong = check.fails(
        "the role's permissions boundary withholds what a sign-in needs",
        what,
        format!("{boundary}: {obstacle}"),
        match configured.is_some() || subject.names.given_role {
            true => "let the boundary allow it: it is a rule of this account: ask its administrators".into(),
            false => fix![
                "let the boundary allow it (it is a rule of this account: ask its administrators), or `",
                subject.aws(format_args!(
                    "iam delete-role-permissions-boundary --role-name {}",
                    subject.names.role
                )),
                "`",
            ],
        },
    )
    .stopping(configured.is_some() || subject.names.given_role);
    // Boundaries are written for many roles, and their conditions rarely apply to this one.
    match obstacle {
        InTheWay::Always(_) => wrong,
        InTheWay::Perhaps(_) => wrong.warning(),
    }
}

/// What a policy allows beyond what is needed.
fn surplus_of(needed: &[Grant], policy: &Value) -> Vec<Grant> {
    let within = |grant: &Grant| needed.iter().any(|needed| grant.is_within(needed));
    grants(policy)
        .into_iter()
        .filter(|grant| !within(grant))
        .collect()
}

/// What a role's policies allow beyond the policy `needed`, and what they withhold of it. The same judgement as the checks', for
/// comparison with another evaluator.
pub fn judged(needed: &Value, policies: &[&Value]) -> (Vec<String>, Vec<String>) {
    let needed = grants(needed);
    let surplus = policies
        .iter()
        .flat_map(|policy| surplus_of(&needed, policy));
    let withheld = withheld(&needed, policies)
        .into_iter()
        .map(|(what, _)| what);
    let shown = |grant: Grant| format!("{} on {}", grant.action, grant.resource);
    (surplus.map(shown).collect(), withheld.collect())
}

/// Why something is not allowed: never, or under conditions that cannot be evaluated here.
#[derive(Debug, PartialEq, Eq)]
enum InTheWay {
    Always(String),
    Perhaps(String),
}

impl fmt::Display for InTheWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Always(why) | Self::Perhaps(why)) = self;
        f.write_str(why)
    }
}

/// The grants of an allowing statement for something needed: none if `NotAction` or `NotResource` exclude any of it.
fn given(statement: &Value, needed: &Grant) -> Vec<Grant> {
    let left_out = |member: &str, text: &str| {
        let text = text.to_ascii_lowercase();
        statement.get(member).is_some()
            && strings(statement, member)
                .iter()
                .any(|pattern| meet(&any_value(pattern).to_ascii_lowercase(), &text))
    };
    match left_out("NotAction", &needed.action) || left_out("NotResource", &needed.resource) {
        true => Vec::new(),
        false => of(statement),
    }
}

/// What these policies do not allow without conditions, and why.
fn withheld(needs: &[Grant], policies: &[&Value]) -> Vec<(String, InTheWay)> {
    let allowing = policies
        .iter()
        .flat_map(|policy| with_effect(policy, "Allow"));
    let allowing: Vec<Value> = allowing.collect();
    let denied = policies
        .iter()
        .flat_map(|policy| with_effect(policy, "Deny"));
    let denied: Vec<Value> = denied.collect();
    let obstacles = needs.iter().filter_map(|needed| {
        let granted: Vec<Grant> = allowing
            .iter()
            .flat_map(|statement| given(statement, needed))
            .collect();
        let obstacle = in_the_way(needed, &granted, &denied)?;
        Some((
            format!("{} on {}", needed.action, needed.resource),
            obstacle,
        ))
    });
    obstacles.collect()
}

/// Why something needed is not allowed, or not always.
fn in_the_way(needed: &Grant, granted: &[Grant], denied: &[Value]) -> Option<InTheWay> {
    if let Some(statement) = denied.iter().find(|statement| denies(statement, needed)) {
        let why = format!("denied by {statement}");
        return Some(match statement.get("Condition") {
            None => InTheWay::Always(why),
            Some(_) => InTheWay::Perhaps(why),
        });
    }
    let mut covering = granted
        .iter()
        .filter(|grant| grant.covers(needed))
        .peekable();
    match covering.peek() {
        None => Some(InTheWay::Always("not allowed".to_owned())),
        Some(first) => {
            let why = format!("allowed only under the condition {}", first.condition);
            let always = covering
                .any(|grant| grant.condition.is_null() || grant.condition == needed.condition);
            (!always).then_some(InTheWay::Perhaps(why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_statement_with_not_action_counts_as_allowing_everything() {
        let policy = json!({ "Statement": {
            "Effect": "Allow", "NotAction": "iam:*", "Resource": ["a", "b"],
        }});
        let everything: Vec<_> = grants(&policy)
            .into_iter()
            .map(|grant| grant.action)
            .collect();
        assert_eq!(everything, ["*", "*"]);
        assert!(
            grants(&json!({ "Statement": [{ "Effect": "Deny", "Action": "*", "Resource": "*" }] }))
                .is_empty()
        );
    }

    #[test]
    fn an_allow_with_not_action_excludes_the_listed_actions() {
        let needed = json!({ "Statement": { "Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "g:*" } });
        for (member, pattern, allowed) in [
            ("NotAction", "logs:*", false),
            ("NotAction", "iam:*", true),
            ("NotResource", "g:*", false),
            ("NotResource", "g:log-stream:x", false),
            ("NotResource", "*:log-stream:x", false),
            ("NotResource", "h:*", true),
            ("NotResource", "${aws:PrincipalTag/group}:*", false),
            ("NotResource", "h:${aws:PrincipalTag/stream}", true),
        ] {
            let policy = json!({ "Statement": { "Effect": "Allow", member: pattern } });
            let (_, withheld) = judged(&needed, &[&policy]);
            assert_eq!(withheld.is_empty(), allowed, "{policy}");
        }
    }

    #[test]
    fn denied_or_conditional_permissions_are_not_enough() {
        let needed = Grant {
            action: "logs:PutLogEvents".into(),
            resource: "arn:aws:logs:us-east-1:1:log-group:/g:*".into(),
            condition: Value::Null,
        };
        let why = |statements: Value| {
            let policy = json!({ "Statement": statements });
            let obstacles = withheld(std::slice::from_ref(&needed), &[&policy]);
            obstacles.into_iter().next().map(|(_, obstacle)| obstacle)
        };
        let perhaps = |obstacle: Option<InTheWay>, word: &str| matches!(obstacle, Some(InTheWay::Perhaps(why)) if why.contains(word));
        let allow = json!({ "Effect": "Allow", "Action": "logs:*", "Resource": "*" });
        assert_eq!(why(json!([allow])), None);
        let never = InTheWay::Always("not allowed".into());
        assert_eq!(why(json!([])), Some(never));
        let only = json!({ "Effect": "Allow", "Action": "logs:*", "Resource": "*",
            "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } });
        assert!(perhaps(why(json!([only])), "SourceIp"));
        let elsewhere = json!({ "Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": { "StringNotEquals": { "aws:RequestedRegion": "us-east-1" } } });
        assert!(perhaps(why(json!([allow, elsewhere])), "RequestedRegion"));
        assert_eq!(why(json!([only, allow])), None);
        let one_character = json!({ "Effect": "Allow", "Action": "logs:*", "Resource": "arn:aws:logs:us-east-1:1:log-group:/g:?" });
        assert!(why(json!([one_character])).is_some());
        for (deny, in_the_way) in [
            (
                json!({ "Effect": "Deny", "Action": "logs:PutLogEvents", "Resource": "*" }),
                true,
            ),
            (
                json!({ "Effect": "Deny", "Action": "*", "Resource": "arn:aws:logs:us-east-1:1:log-group:/g:log-stream:a" }),
                true,
            ),
            (
                json!({ "Effect": "Deny", "NotAction": "s3:*", "Resource": "*" }),
                true,
            ),
            (
                json!({ "Effect": "Deny", "NotAction": "logs:*", "Resource": "*" }),
                false,
            ),
            (
                json!({ "Effect": "Deny", "Action": "*", "NotResource": "arn:aws:logs:*" }),
                false,
            ),
            (
                json!({ "Effect": "Deny", "Action": "s3:*", "Resource": "*" }),
                false,
            ),
            // The streams of every group, this one's among them.
            (
                json!({ "Effect": "Deny", "Action": "*", "Resource": "arn:aws:logs:*:*:log-group:*:log-stream:*" }),
                true,
            ),
            // A variable may have any value.
            (
                json!({ "Effect": "Deny", "Action": "*", "Resource": "arn:aws:logs:*:${aws:PrincipalAccount}:log-group:*" }),
                true,
            ),
            (
                json!({ "Effect": "Deny", "Action": "*", "Resource": "arn:aws:logs:us-east-1:1:log-group:/h:${aws:x}" }),
                false,
            ),
            (
                json!({ "Effect": "Deny", "Action": "*", "Resource": "arn:aws:logs:us-east-1:1:${aws:x, '}'}:*" }),
                true,
            ),
            // All streams but those with a name of one character.
            (
                json!({ "Effect": "Deny", "Action": "*", "NotResource": "arn:aws:logs:us-east-1:1:log-group:/g:?" }),
                true,
            ),
            // Another group: names of resources have case.
            (
                json!({ "Effect": "Deny", "Action": "*", "NotResource": "arn:aws:logs:us-east-1:1:log-group:/G:*" }),
                true,
            ),
        ] {
            assert_eq!(why(json!([allow, deny])).is_some(), in_the_way, "{deny}");
        }
    }

    #[test]
    fn a_grant_without_its_condition_is_wider() {
        let via = json!({ "StringEquals": { "kms:ViaService": "secretsmanager.us-east-1.amazonaws.com" } });
        let decrypt = |condition: &Value| Grant {
            action: "kms:Decrypt".into(),
            resource: "arn:aws:kms:us-east-1:1:key/k".into(),
            condition: condition.clone(),
        };
        let (needed, bare) = (decrypt(&via), decrypt(&Value::Null));
        assert!(decrypt(&via).is_within(&needed));
        assert!(!bare.is_within(&needed));
        assert!(needed.is_within(&bare));
    }

    #[test]
    fn the_trust_policy_may_be_narrower_but_not_wider() {
        let trust = |change: &dyn Fn(&mut Value)| {
            let mut trust = trust_policy();
            change(&mut trust["Statement"][0]);
            for_lambda_alone(&trust, "123456789012")
        };
        assert!(trust(&|_| ()));
        assert!(trust(&|s| {
            s["Sid"] = json!("Lambda");
            s["Condition"] = json!({ "StringEquals": { "aws:SourceAccount": "123456789012" } });
        }));
        // The same as lists.
        assert!(trust(&|s| {
            s["Principal"]["Service"] = json!(["lambda.amazonaws.com"]);
            s["Action"] = json!(["sts:AssumeRole"]);
            s["Condition"] = json!({ "StringEquals": { "aws:SourceAccount": ["123456789012"] } });
        }));
        assert!(!trust(&|s| {
            s["Principal"]["Service"] = json!(["lambda.amazonaws.com", "ec2.amazonaws.com"]);
        }));
        // No function could assume it then.
        assert!(!trust(&|s| {
            s["Condition"] = json!({ "StringEquals": { "aws:SourceAccount": "210987654321" } });
        }));
        assert!(!trust(&|s| {
            s["Condition"] =
                json!({ "StringEquals": { "aws:SourceAccount": "123456789012", "aws:x": "y" } });
        }));
        assert!(!trust(
            &|s| s["Condition"] = json!({ "Bool": { "aws:SecureTransport": "true" } })
        ));
        assert!(!trust(&|s| s["Principal"]["AWS"] = json!("*")));
        assert!(!for_lambda_alone(
            &json!({ "Statement": [] }),
            "123456789012"
        ));
    }
}

//! What happens to each field of a described document when it is written back.
//!
//! Owns the kinds of rule, the projection that applies a table of them, the operator's decisions
//! about fields without a rule, and the refusal. The tables are in `pool` and `client`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

use super::diff::{Difference, differences};

/// The operator's decision about a field that this version cannot judge (`--unknown
/// KEY=carry|drop`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send it as described.
    Carry,
    /// Leave it out, whatever value the service then sets.
    Drop,
}

/// Decisions by top-level field. They only apply to doubts: a field with its own rule keeps it.
pub type Decisions = BTreeMap<String, Decision>;

pub(super) enum Rule {
    /// Sent as described.
    Carry,
    /// Sent as described, but `{}` means "never set": the service would reject it, or switch the
    /// feature on.
    CarryUnlessEmpty,
    /// Sent under another name.
    As(&'static str),
    /// Shown by the service, but not part of the request.
    ReadOnly,
    /// Depends on the rest of the document (first argument) or on the field's own content (second).
    By(fn(&Value, &Value) -> Fate),
}

pub(super) enum Fate {
    Send(Value),
    Omit,
    /// The operator may decide.
    Doubt(Reason),
    /// No decision is possible: no request keeps the document as it is.
    Refuse(Reason),
}

/// Fields of a pool that are set at its creation only.
const FIXED_AT_CREATION: [&str; 3] = [
    "AliasAttributes",
    "UsernameAttributes",
    "UsernameConfiguration",
];

/// A request body, and the description that the service should give after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    body: Value,
    expected: Value,
    dropped: BTreeSet<String>,
}

impl Update {
    /// Projects the target document onto the fields of the request.
    pub(super) fn project(
        subject: impl FnOnce() -> String,
        target: Value,
        rules: &[(&str, Rule)],
        unknown: &Decisions,
    ) -> Result<Self, Refusal> {
        let mut body = Map::new();
        let mut dropped = BTreeSet::new();
        let mut reasons = Vec::new();
        let mut settle = |member: &str, value: &Value, fate: Fate| match fate {
            Fate::Send(value) => {
                body.insert(member.to_owned(), value);
            }
            Fate::Omit => {}
            Fate::Refuse(reason) => reasons.push(reason),
            Fate::Doubt(reason) => match unknown.get(member) {
                Some(Decision::Carry) => {
                    body.insert(member.to_owned(), value.clone());
                }
                Some(Decision::Drop) => {
                    dropped.insert(member.to_owned());
                }
                None => reasons.push(reason),
            },
        };

        // Unknown fields first: if one has a name of the request, the rule below decides.
        for (member, value) in target.as_object().into_iter().flatten() {
            if !is_blank(value) && rules.iter().all(|(known, _)| known != member) {
                let reason = Reason::Unknown {
                    member: member.clone(),
                };
                settle(member, value, Fate::Doubt(reason));
            }
        }
        for (member, rule) in rules {
            let Some(value) = target.get(member).filter(|value| !is_blank(value)) else {
                continue;
            };
            let name = if let Rule::As(name) = rule {
                name
            } else {
                member
            };
            let fate = match rule {
                Rule::ReadOnly => Fate::Omit,
                Rule::CarryUnlessEmpty if is_empty_object(value) => Fate::Omit,
                Rule::Carry | Rule::CarryUnlessEmpty | Rule::As(_) => Fate::Send(value.clone()),
                Rule::By(judge) => judge(&target, value),
            };
            settle(name, value, fate);
        }

        if reasons.is_empty() {
            let expected = without(target, &dropped);
            Ok(Self {
                body: Value::Object(body),
                expected,
                dropped,
            })
        } else {
            Err(Refusal {
                subject: subject(),
                reasons,
            })
        }
    }

    /// The complete JSON of the request.
    pub fn body(&self) -> &Value {
        &self.body
    }

    /// The description that the service should give afterwards, with read-only fields, without
    /// those that the operator dropped.
    pub fn expected(&self) -> &Value {
        &self.expected
    }

    /// The differences between the description after the write and the intended one. Fields that
    /// the operator dropped are left out: either result was requested. So are fields that no update
    /// changes: Cognito fixes them at creation, and if a server shows them differently afterwards,
    /// this is not due to the update.
    pub fn differences(&self, after: &Value) -> Vec<Difference> {
        let mut found = differences(&self.expected, &without(after.clone(), &self.dropped));
        found.retain(|difference| {
            let member = difference.pointer.split('/').nth(1).unwrap_or_default();
            !FIXED_AT_CREATION.contains(&member)
        });
        found
    }
}

/// The document with its read-only members replaced by those of `now`.
pub(super) fn with_fixed_of(document: &Value, now: &Value, rules: &[(&str, Rule)]) -> Value {
    let mut document = document.clone();
    for (member, rule) in rules {
        if matches!(rule, Rule::ReadOnly)
            && let Some(members) = document.as_object_mut()
        {
            match now.get(member) {
                Some(value) => members.insert((*member).to_owned(), value.clone()),
                None => members.remove(*member),
            };
        }
    }
    document
}

fn without(mut document: Value, members: &BTreeSet<String>) -> Value {
    if let Some(document) = document.as_object_mut() {
        document.retain(|member, _| !members.contains(member));
    }
    document
}

/// Not set, in any form of a top-level field. No field of the requests accepts an empty string.
fn is_blank(value: &Value) -> bool {
    value.is_null() || value == ""
}

pub(super) fn is_empty_object(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

/// Why a document cannot be written back without loss. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    subject: String,
    reasons: Vec<Reason>,
}

impl Refusal {
    pub(super) fn new(subject: String, reason: Reason) -> Self {
        Self {
            subject,
            reasons: vec![reason],
        }
    }

    /// All reasons, not only the first.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be updated without loss", self.subject)?;
        for (index, reason) in self.reasons.iter().enumerate() {
            write!(f, "{} {reason}", if index == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// One reason, with the field's name. Values are never part of it: a field that this version does
/// not know may contain anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A top-level field without a rule.
    Unknown {
        /// The field.
        member: String,
    },
    /// A legacy message that differs from the template that it duplicates.
    Contradiction {
        /// The legacy field.
        member: &'static str,
        /// The field of `VerificationMessageTemplate` that it duplicates.
        template: &'static str,
    },
    /// `UnusedAccountValidityDays` can no longer be sent and there is no password policy to move it
    /// to.
    HomelessDays,
    /// Without this flow the list would be empty, which means the service's default flows.
    OnlyFlow {
        /// The flow to remove.
        flow: &'static str,
    },
    /// The record of the change is not one that this program writes.
    UnreadableRecord,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { member } => write!(
                f,
                "this build does not know its member `{member}`; say `--unknown {member}=carry` to send it as it is or \
                 `--unknown {member}=drop` to leave it out, which may reset it"
            ),
            Self::Contradiction { member, template } => write!(
                f,
                "`{member}` differs from `VerificationMessageTemplate.{template}`, and an update would overwrite one with the \
                 other; make them equal, or say `--unknown {member}=carry` or `--unknown {member}=drop`"
            ),
            Self::HomelessDays => write!(
                f,
                "`AdminCreateUserConfig.UnusedAccountValidityDays` is no longer accepted and there is no password policy to hold \
                 it; set `TemporaryPasswordValidityDays` in the pool's password policy first"
            ),
            Self::OnlyFlow { flow } => write!(
                f,
                "`{flow}` is its only flow, and without one the service enables its default flows; choose the client's \
                 `ExplicitAuthFlows` by hand"
            ),
            Self::UnreadableRecord => write!(
                f,
                "the record of the flow that was opened is not one this program writes; set the client's `ExplicitAuthFlows` by hand"
            ),
        }
    }
}

/// A description without a field that every pool or client has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete {
    /// The path of the missing field, such as `UserPool.Id`.
    pub(super) member: String,
}

impl Incomplete {
    /// Checks that `document` is an object in which the named fields are non-empty strings.
    pub(super) fn check(kind: &str, document: &Value, members: &[&str]) -> Result<(), Self> {
        let missing = |member: &&&str| {
            document
                .get(**member)
                .and_then(Value::as_str)
                .is_none_or(str::is_empty)
        };
        match members.iter().find(missing) {
            Some(member) => Err(Self {
                member: format!("{kind}.{member}"),
            }),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the description has no `{}`", self.member)
    }
}

impl std::error::Error for Incomplete {}

/// The text of a field that every checked document has.
pub(super) fn text<'a>(document: &'a Value, member: &str) -> &'a str {
    document
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The texts of a list; none if the list is absent.
pub(super) fn texts<'a>(document: &'a Value, member: &str) -> impl Iterator<Item = &'a str> {
    document
        .get(member)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULES: &[(&str, Rule)] = &[("Known", Rule::Carry), ("Id", Rule::As("UserPoolId"))];

    fn project(target: Value, unknown: &[(&str, Decision)]) -> Result<Update, Refusal> {
        let unknown = unknown
            .iter()
            .map(|(member, decision)| ((*member).to_owned(), *decision))
            .collect();
        Update::project(|| "user pool `p`".to_owned(), target, RULES, &unknown)
    }

    #[test]
    fn every_unknown_field_is_named_with_its_fix_and_without_its_value() {
        let refusal =
            project(json!({ "Known": 1, "Later": "value", "Newer": {} }), &[]).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "user pool `p` cannot be updated without loss: this build does not know its member `Later`; say `--unknown \
             Later=carry` to send it as it is or `--unknown Later=drop` to leave it out, which may reset it; this build does \
             not know its member `Newer`; say `--unknown Newer=carry` to send it as it is or `--unknown Newer=drop` to leave \
             it out, which may reset it"
        );
    }

    #[test]
    fn carried_fields_are_sent_as_they_are() {
        let update = project(
            json!({ "Later": { "a": [null, ""] } }),
            &[("Later", Decision::Carry)],
        )
        .unwrap();
        assert_eq!(*update.body(), json!({ "Later": { "a": [null, ""] } }));
    }

    #[test]
    fn dropped_fields_are_not_sent_and_not_reported() {
        let update = project(
            json!({ "Known": 1, "Later": 2 }),
            &[("Later", Decision::Drop)],
        )
        .unwrap();
        assert_eq!(*update.body(), json!({ "Known": 1 }));
        assert_eq!(update.differences(&json!({ "Known": 1 })), []);
        assert_eq!(update.differences(&json!({ "Known": 1, "Later": 3 })), []);
    }

    #[test]
    fn decisions_do_not_override_rules() {
        let update = project(json!({ "Known": 1 }), &[("Known", Decision::Drop)]).unwrap();
        assert_eq!(*update.body(), json!({ "Known": 1 }));
    }

    #[test]
    fn an_unknown_field_cannot_replace_a_known_one() {
        let update = project(
            json!({ "Id": "p", "UserPoolId": "q" }),
            &[("UserPoolId", Decision::Carry)],
        )
        .unwrap();
        assert_eq!(*update.body(), json!({ "UserPoolId": "p" }));
    }

    #[test]
    fn unset_fields_are_not_sent() {
        let update = project(
            json!({ "Known": "", "Id": null, "Later": "", "Newer": null }),
            &[],
        )
        .unwrap();
        assert_eq!(*update.body(), json!({}));
    }
}

//! IAM's roles: their trust policies, inline policies and tags. A new permission works after a delay; a removed one stops at once.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{ACCOUNT, Answer, Aws, Call, Tags, refuse};

#[derive(Debug, Clone)]
pub struct Role {
    pub id: String,
    pub path: String,
    pub trust: String,
    pub policies: BTreeMap<String, String>,
    pub tags: Tags,
    /// The time from which Lambda can assume it.
    pub ready_ms: u64,
    /// The resources of its policies, each with the time from which the permission works.
    rights: BTreeMap<String, u64>,
}

impl Role {
    pub fn trusts_lambda(&self) -> bool {
        self.trust.contains("lambda.amazonaws.com")
    }

    /// Whether it has a permission for a resource with this end.
    pub fn may(&self, resource: &str, now_ms: u64) -> bool {
        let mut rights = self.rights.iter();
        rights.any(|(name, since)| name.ends_with(resource) && *since <= now_ms)
    }

    fn settle(&mut self, counts_ms: u64) {
        let mut named = BTreeSet::new();
        for policy in self.policies.values() {
            let policy: Value = serde_json::from_str(policy).unwrap_or_default();
            for statement in policy["Statement"].as_array().into_iter().flatten() {
                let resource = &statement["Resource"];
                let many = resource.as_array().into_iter().flatten();
                let texts = many.chain([resource]).filter_map(Value::as_str);
                named.extend(texts.map(str::to_owned));
            }
        }
        self.rights.retain(|name, _| named.contains(name));
        for name in named {
            self.rights.entry(name).or_insert(counts_ms);
        }
    }

    fn shown(&self, name: &str) -> String {
        let tags = self.tags.iter().map(|(key, value)| {
            let (key, value) = (escaped(key), escaped(value));
            format!("<member><Key>{key}</Key><Value>{value}</Value></member>")
        });
        format!(
            "<Role><Path>{path}</Path><RoleName>{name}</RoleName><RoleId>{id}</RoleId><Arn>arn:aws:iam::{ACCOUNT}:role{path}{name}</Arn><CreateDate>2026-11-27T00:00:00Z</CreateDate><AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument><Tags>{tags}</Tags></Role>",
            path = self.path,
            id = self.id,
            trust = encoded(&self.trust),
            tags = tags.collect::<String>(),
        )
    }
}

impl Aws {
    pub(super) fn iam(&mut self, call: &Call) -> Option<Answer> {
        let name = call.field("RoleName").to_owned();
        let policy = call.field("PolicyName").to_owned();
        let document = call.field("PolicyDocument").to_owned();
        let (now, pace) = (self.now_ms, self.pace.clone());
        if call.action == "CreateRole" {
            if self.roles.contains_key(&name) {
                let message = format!("Role with name {name} already exists.");
                return Some(Err(refuse(409, "EntityAlreadyExists", message)));
            }
            let role = Role {
                id: format!("AROA{:017}", self.number()),
                path: call.field("Path").to_owned(),
                trust: call.field("AssumeRolePolicyDocument").to_owned(),
                policies: BTreeMap::new(),
                tags: tags_of(call),
                ready_ms: now + pace.role,
                rights: BTreeMap::new(),
            };
            let shown = role.shown(&name);
            self.roles.insert(name, role);
            return Some(Ok(json!(shown)));
        }
        let no_entity =
            |what: String| refuse(404, "NoSuchEntity", format!("{what} cannot be found."));
        let Some(role) = self.roles.get_mut(&name) else {
            return Some(Err(no_entity(format!("The role with name {name}"))));
        };
        let nothing = || Ok(json!(""));
        Some(match call.action.as_str() {
            "GetRole" => Ok(json!(role.shown(&name))),
            "TagRole" => {
                role.tags.extend(tags_of(call));
                nothing()
            }
            "UpdateAssumeRolePolicy" => {
                role.trust = document;
                nothing()
            }
            "PutRolePolicy" => {
                role.policies.insert(policy, document);
                role.settle(now + pace.rights);
                nothing()
            }
            "DeleteRolePolicy" => match role.policies.remove(&policy) {
                Some(_) => {
                    role.settle(now);
                    nothing()
                }
                None => Err(no_entity(format!("The role policy with name {policy}"))),
            },
            "GetRolePolicy" => match role.policies.get(&policy) {
                Some(document) => Ok(json!(format!(
                    "<RoleName>{name}</RoleName><PolicyName>{policy}</PolicyName><PolicyDocument>{}</PolicyDocument>",
                    encoded(document)
                ))),
                None => Err(no_entity(format!("The role policy with name {policy}"))),
            },
            "ListRolePolicies" => {
                let names = role
                    .policies
                    .keys()
                    .map(|name| format!("<member>{name}</member>"));
                let names: String = names.collect();
                Ok(json!(format!(
                    "<IsTruncated>false</IsTruncated><PolicyNames>{names}</PolicyNames>"
                )))
            }
            "ListAttachedRolePolicies" => Ok(json!(
                "<IsTruncated>false</IsTruncated><AttachedPolicies></AttachedPolicies>"
            )),
            "DeleteRole" if !role.policies.is_empty() => Err(refuse(
                409,
                "DeleteConflict",
                "Cannot delete entity, must delete policies first.",
            )),
            "DeleteRole" => {
                self.roles.remove(&name);
                nothing()
            }
            _ => return None,
        })
    }
}

fn tags_of(call: &Call) -> Tags {
    let tag = |n: usize| {
        let at = |what| call.fields.get(&format!("Tags.member.{n}.{what}")).cloned();
        Some((at("Key")?, at("Value")?))
    };
    (1..).map_while(tag).collect()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

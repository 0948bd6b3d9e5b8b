//! The execution role: its trust policy, and its one inline policy.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::client::Reader;
use super::error::{During, failed};
use super::pages;
use jane_migrate_core::aws_error::{AwsError, Found, Kind};
use jane_migrate_core::resources::Role;

/// The most policies of a role that are read. IAM's quotas are lower; it may give a list in parts however short it is.
const MOST: usize = 1000;

impl Reader {
    /// The role with its policies. `None` if it does not exist.
    pub async fn role(&self, name: &str) -> Result<Option<Role>, AwsError> {
        let (role, policies, attached) = tokio::join!(
            self.role_settings(name),
            self.inline_policies(name),
            self.attached_policies(name),
        );
        let Some(role) = role? else {
            return Ok(None);
        };
        Ok(Some(Role {
            policies: policies?,
            attached: attached?,
            ..role
        }))
    }

    /// The role without its policies. `None` if it does not exist.
    pub(crate) async fn role_settings(&self, name: &str) -> Result<Option<Role>, AwsError> {
        let role = self
            .iam
            .get_role()
            .role_name(name)
            .send()
            .await
            .during("iam:GetRole")
            .found()?
            .and_then(|answer| answer.role);
        Ok(role.map(|role| Role {
            name: name.to_owned(),
            path: role.path.clone(),
            trust: document(role.assume_role_policy_document()),
            policies: BTreeMap::new(),
            attached: Vec::new(),
            boundary: role
                .permissions_boundary
                .and_then(|boundary| boundary.permissions_boundary_arn),
            id: Some(role.role_id).filter(|id| !id.is_empty()),
            tags: role
                .tags
                .unwrap_or_default()
                .into_iter()
                .map(|tag| (tag.key, tag.value))
                .collect(),
        }))
    }

    /// The inline policies of a role, by name; none if the role does not exist.
    pub async fn inline_policies(&self, role: &str) -> Result<BTreeMap<String, Value>, AwsError> {
        const ACTION: &str = "iam:ListRolePolicies";
        let call = self.iam.list_role_policies().role_name(role);
        let page = async |marker| {
            let page = call.clone().set_marker(marker).send().await;
            let page = page.during(ACTION).found()?;
            Ok(page.map(|page| (page.policy_names, page.marker)))
        };
        let names = pages::all(ACTION, MOST, page).await?;
        let policies = names.iter().map(|name| self.inline_policy(role, name));
        let policies = try_join_all(policies).await?;
        Ok(policies.into_iter().flatten().collect())
    }

    /// The inline policy of a role with this name, if it exists.
    pub(crate) async fn inline_policy(
        &self,
        role: &str,
        name: &str,
    ) -> Result<Option<(String, Value)>, AwsError> {
        let policy = self
            .iam
            .get_role_policy()
            .role_name(role)
            .policy_name(name)
            .send()
            .await
            .during("iam:GetRolePolicy")
            .found()?;
        let read = |text: &str| readable("iam:GetRolePolicy", document(Some(text)));
        let policy = policy.map(|policy| read(policy.policy_document()));
        Ok(policy.transpose()?.map(|policy| (name.to_owned(), policy)))
    }

    /// The ARNs of the managed policies attached to a role; none if the role does not exist.
    pub(crate) async fn attached_policies(&self, role: &str) -> Result<Vec<String>, AwsError> {
        const ACTION: &str = "iam:ListAttachedRolePolicies";
        let call = self.iam.list_attached_role_policies().role_name(role);
        let page = async |marker| {
            let page = call.clone().set_marker(marker).send().await;
            let page = page.during(ACTION).found()?;
            Ok(page.map(|page| (page.attached_policies.unwrap_or_default(), page.marker)))
        };
        let attached = pages::all(ACTION, MOST, page).await?;
        Ok(attached
            .into_iter()
            .filter_map(|policy| policy.policy_arn)
            .collect())
    }

    /// The document of a managed policy.
    pub(crate) async fn managed_policy(&self, arn: &str) -> Result<Value, AwsError> {
        let version = self
            .iam
            .get_policy()
            .policy_arn(arn)
            .send()
            .await
            .during("iam:GetPolicy")?
            .policy
            .and_then(|policy| policy.default_version_id)
            .unwrap_or_else(|| "v1".to_owned());
        let answer = self
            .iam
            .get_policy_version()
            .policy_arn(arn)
            .version_id(version)
            .send()
            .await
            .during("iam:GetPolicyVersion")?;
        let version = answer.policy_version();
        let text = version.and_then(|version| version.document());
        readable("iam:GetPolicyVersion", document(text))
    }
}

/// IAM returns percent-encoded JSON. An unreadable document becomes `null`, which equals no desired policy.
fn document(encoded: Option<&str>) -> Value {
    let text: Vec<u8> = percent_decode_str(encoded.unwrap_or_default()).collect();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Fails for a policy that cannot be read: without statements it would count as one that allows nothing.
fn readable(action: &'static str, policy: Value) -> Result<Value, AwsError> {
    match policy {
        Value::Object(_) => Ok(policy),
        _ => {
            let why = "the policy is not a JSON object";
            Err(failed(action, Kind::NoAnswer, "unreadable policy", why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_that_cannot_be_read_does_not_count_as_one_that_allows_nothing() {
        for text in ["", "%5B%5D", &"[".repeat(200)] {
            assert!(readable("iam:GetRolePolicy", document(Some(text))).is_err());
        }
        assert!(readable("iam:GetRolePolicy", document(Some("{}"))).is_ok());
    }

    #[test]
    fn a_policy_is_read_encoded_or_plain() {
        assert_eq!(
            document(Some("%7B%22a%22%3A%22%3A%2A%22%7D")),
            json!({"a": ":*"})
        );
        assert_eq!(document(Some(r#"{"a":1}"#)), json!({"a": 1}));
        assert_eq!(document(Some("100%")), Value::Null);
        assert_eq!(document(None), Value::Null);
    }
}

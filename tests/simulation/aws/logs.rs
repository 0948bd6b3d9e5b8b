//! CloudWatch Logs: groups with their retention and tags, without log lines.

use serde_json::{Value, json};

use super::{ACCOUNT, Answer, Aws, Call, REGION, Tags, refuse, texts};

#[derive(Debug, Clone)]
pub struct Group {
    pub days: Value,
    pub tags: Tags,
    made_ms: u64,
}

impl Aws {
    pub(super) fn logs(&mut self, call: &Call) -> Option<Answer> {
        let gone = || {
            refuse(
                400,
                "ResourceNotFoundException",
                "The specified log group does not exist.",
            )
        };
        let name = call.text("logGroupName").to_owned();
        let arn = call.text("resourceArn");
        let of_arn = arn.rsplit("log-group:").next().unwrap_or_default();
        let of_arn = of_arn.trim_end_matches(":*").to_owned();
        Some(match call.action.as_str() {
            "CreateLogGroup" => {
                if self.groups.contains_key(&name) {
                    return Some(Err(refuse(
                        400,
                        "ResourceAlreadyExistsException",
                        "The specified log group already exists",
                    )));
                }
                let group = Group {
                    days: Value::Null,
                    tags: texts(&call.body["tags"]),
                    made_ms: self.now_ms,
                };
                self.groups.insert(name, group);
                Ok(json!({}))
            }
            "DeleteLogGroup" => self
                .groups
                .remove(&name)
                .map(|_| json!({}))
                .ok_or_else(gone),
            "PutRetentionPolicy" => match self.groups.get_mut(&name) {
                Some(group) => {
                    group.days = call.body["retentionInDays"].clone();
                    Ok(json!({}))
                }
                None => Err(gone()),
            },
            "TagResource" => match self.groups.get_mut(&of_arn) {
                Some(group) => {
                    group.tags.extend(texts(&call.body["tags"]));
                    Ok(json!({}))
                }
                None => Err(gone()),
            },
            "ListTagsForResource" => match self.groups.get(&of_arn) {
                Some(group) => Ok(json!({ "tags": group.tags })),
                None => Err(gone()),
            },
            "DescribeLogGroups" => {
                let prefix = call.text("logGroupNamePrefix");
                let fits = self
                    .groups
                    .iter()
                    .filter(|(name, _)| name.starts_with(prefix));
                let shown = fits.map(|(name, group)| {
                    let mut shown = json!({
                        "logGroupName": name, "creationTime": group.made_ms,
                        "arn": format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"),
                    });
                    if !group.days.is_null() {
                        shown["retentionInDays"] = group.days.clone();
                    }
                    shown
                });
                Ok(json!({ "logGroups": shown.collect::<Vec<_>>() }))
            }
            "StartQuery" | "FilterLogEvents" | "DescribeSubscriptionFilters"
                if !self.groups.contains_key(&name) =>
            {
                Err(gone())
            }
            "StartQuery" => Ok(json!({ "queryId": "q" })),
            "GetQueryResults" => Ok(json!({ "status": "Complete", "results": [] })),
            "FilterLogEvents" => Ok(json!({ "events": [] })),
            "DescribeSubscriptionFilters" => Ok(json!({ "subscriptionFilters": [] })),
            "DescribeAccountPolicies" => Ok(json!({ "accountPolicies": [] })),
            _ => return None,
        })
    }
}

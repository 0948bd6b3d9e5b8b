//! CloudTrail's event history of one account and Region, which exists for 90 days even without a trail; and the versions that
//! Lambda keeps.

use serde_json::{Value, json};

use super::client::Reader;
use super::error::During;
use super::pages;
use super::service::{Protocol, Service, ask};
use jane_migrate_core::aws_error::{AwsError, Found};
use jane_migrate_core::history::Published;

const CLOUDTRAIL: Service = Service {
    signed_as: "cloudtrail",
    id: "CloudTrail",
    protocol: Protocol::Json {
        version: "1.1",
        target: "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
    },
};

/// The most events of one name to read: with two pages a second this takes a quarter of an hour.
const MOST: usize = 90_000;

impl Reader {
    /// The events with this name since then, in seconds since 1970.
    pub(crate) async fn trail_events(
        &self,
        region: &str,
        name: &str,
        since_s: i64,
    ) -> Result<Vec<Value>, AwsError> {
        const ACTION: &str = "cloudtrail:LookupEvents";
        let page = async |token: Option<String>| {
            let mut body = json!({
                "LookupAttributes": [{ "AttributeKey": "EventName", "AttributeValue": name }],
                "StartTime": since_s,
                "MaxResults": 50,
            });
            if let Some(token) = token {
                body["NextToken"] = token.into();
            }
            let mut answer = ask(&self.config, &CLOUDTRAIL, ACTION, region, body).await?;
            let events = answer["Events"].as_array().into_iter().flatten();
            let events = events
                .filter_map(|event| serde_json::from_str(event["CloudTrailEvent"].as_str()?).ok());
            let events: Vec<Value> = events.collect();
            let next = match answer["NextToken"].take() {
                Value::String(token) => Some(token),
                _ => None,
            };
            Ok(Some((events, next)))
        };
        pages::all(ACTION, MOST, page).await
    }

    /// The published versions of a function.
    pub(crate) async fn published(&self, name: &str) -> Result<Vec<Published>, AwsError> {
        const ACTION: &str = "lambda:ListVersionsByFunction";
        let call = self.lambda.list_versions_by_function().function_name(name);
        let page = async |marker| {
            let page = call.clone().set_marker(marker).send().await;
            let page = page.during(ACTION).found()?;
            Ok(page.map(|page| (page.versions.unwrap_or_default(), page.next_marker)))
        };
        let versions = pages::all(ACTION, MOST, page).await?.into_iter();
        let numbered = |number: &String| number.bytes().all(|byte| byte.is_ascii_digit());
        Ok(versions
            .filter_map(|version| {
                Some(Published {
                    number: version.version.filter(numbered)?,
                    code_sha256: version.code_sha256?,
                    at: version.last_modified?,
                })
            })
            .collect())
    }
}

//! The function's log group: its retention, its tags, and its events.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use aws_config::SdkConfig;
use jane_migrate_core::aws_error::{AwsError, Found, Kind};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::client::Reader;
use super::error::failed;
use super::pages::Pages;
use super::service::{self, Protocol, Service};
use crate::host::{Instant, sleep};
use jane_migrate_core::resources::{LogGroup, Tags};

const LOGS: Service = Service {
    signed_as: "logs",
    id: "CloudWatch Logs",
    protocol: Protocol::Json {
        version: "1.1",
        target: "Logs_20140328",
    },
};

/// Insights itself stops a query after an hour.
const LONGEST_QUERY: Duration = Duration::from_secs(61 * 60);

/// No query ends sooner, and AWS allows an account few requests for results a second.
const SHORTEST_QUERY: Duration = Duration::from_millis(150);

/// One row of a query's answer: values by column, as text. A column without a value is absent.
pub(crate) type Row = BTreeMap<String, String>;

impl Reader {
    /// The log group with exactly this name, without its tags.
    pub async fn log_group_settings(&self, name: &str) -> Result<Option<LogGroup>, AwsError> {
        Ok(self
            .described_log_group(name)
            .await?
            .map(|(group, _)| group))
    }

    /// The log group with exactly this name and its tags, if its account is not known.
    pub(crate) async fn tagged_log_group(&self, name: &str) -> Result<Option<LogGroup>, AwsError> {
        match self.described_log_group(name).await? {
            Some((group, arn)) => self
                .with_tags(group, arn.trim_end_matches(":*"))
                .await
                .map(Some),
            None => Ok(None),
        }
    }

    /// The log group and its ARN.
    async fn described_log_group(
        &self,
        name: &str,
    ) -> Result<Option<(LogGroup, String)>, AwsError> {
        // The prefix also matches longer names; the exact one sorts first.
        let query = json!({ "logGroupNamePrefix": name });
        let answer = ask(&self.config, "logs:DescribeLogGroups", query)
            .await
            .found()?
            .unwrap_or_default();
        let group = listed(&answer, "logGroups").find(|group| group["logGroupName"] == name);
        Ok(group.map(|group| {
            let settings = LogGroup {
                name: name.to_owned(),
                retention_days: group["retentionInDays"]
                    .as_u64()
                    .and_then(|days| days.try_into().ok()),
                kms_key_arn: group["kmsKeyId"].as_str().map(str::to_owned),
                created_ms: group["creationTime"].as_i64(),
                tags: Tags::new(),
            };
            (settings, text(group, "arn"))
        }))
    }

    /// The same log group with its tags. `arn` is its ARN without `:*`, the form of the tagging calls.
    pub(crate) async fn with_tags(&self, group: LogGroup, arn: &str) -> Result<LogGroup, AwsError> {
        let answer = ask(
            &self.config,
            "logs:ListTagsForResource",
            json!({ "resourceArn": arn }),
        )
        .await
        .found()?
        .unwrap_or_default();
        let tags = answer["tags"].as_object().into_iter().flatten();
        Ok(LogGroup {
            tags: tags
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
            ..group
        })
    }

    /// Passes on every event from `since_ms` to `until_ms` (milliseconds since 1970, both included), oldest first within a page.
    /// A log group that does not exist has none.
    pub(crate) async fn each_log_event(
        &self,
        group: &str,
        since_ms: i64,
        until_ms: i64,
        mut each: impl FnMut(i64, &str),
    ) -> Result<(), AwsError> {
        let query = json!({ "logGroupName": group, "startTime": since_ms, "endTime": until_ms });
        self.events(query, |at, message| {
            each(at, message);
            ControlFlow::Continue(())
        })
        .await
    }

    /// Passes on the message of each event that the query finds.
    pub(super) async fn log_lines(
        &self,
        query: Value,
        mut each: impl FnMut(&str),
    ) -> Result<(), AwsError> {
        self.events(query, |_, message| {
            each(message);
            ControlFlow::Continue(())
        })
        .await
    }

    /// The time (milliseconds since 1970) of the first event since `since_ms` whose text `matches`. The filter `pattern` saves
    /// AWS from sending the others; it is only a hint, because not every server supports it.
    pub(crate) async fn find_log_event(
        &self,
        group: &str,
        pattern: &str,
        since_ms: i64,
        matches: impl Fn(&str) -> bool,
    ) -> Result<Option<i64>, AwsError> {
        let query =
            json!({ "logGroupName": group, "filterPattern": pattern, "startTime": since_ms });
        let mut found = None;
        self.events(query, |at, message| {
            if !matches(message) {
                return ControlFlow::Continue(());
            }
            found = Some(at);
            ControlFlow::Break(())
        })
        .await?;
        Ok(found)
    }

    /// Runs a query of Logs Insights and waits for its rows. The times are milliseconds since 1970, rounded to seconds. A log
    /// group that does not exist has no rows.
    pub(crate) async fn query_logs(
        &self,
        group: &str,
        query: &str,
        since_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<Row>, AwsError> {
        const ACTION: &str = "logs:GetQueryResults";
        let asked = json!({
            "logGroupName": group,
            "queryString": query,
            "startTime": since_ms.div_euclid(1000),
            "endTime": until_ms.div_euclid(1000),
            "limit": 10_000,
        });
        // Held until the query has ended.
        let _turn = self.queries.acquire().await;
        let Some(started) = ask(&self.config, "logs:StartQuery", asked).await.found()? else {
            return Ok(Vec::new());
        };
        let mut query = json!({ "queryId": started["queryId"] });
        let mut pause = SHORTEST_QUERY;
        let began = Instant::now();
        let mut pages = Pages::of(ACTION);
        let mut rows = Vec::new();
        sleep(SHORTEST_QUERY).await;
        loop {
            let answer = ask(&self.config, ACTION, query.clone()).await?;
            match answer["status"].as_str() {
                Some("Complete") => {
                    rows.extend(listed(&answer, "results").map(row));
                    if !next_page(&mut pages, token(&answer), &mut query)? {
                        return Ok(rows);
                    }
                }
                Some("Scheduled" | "Running") | None if began.elapsed() > LONGEST_QUERY => {
                    let message = "the query goes on for longer than the service lets one";
                    return Err(failed(
                        ACTION,
                        Kind::NoAnswer,
                        "query not answered",
                        message,
                    ));
                }
                Some("Scheduled" | "Running") | None => {
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Some(other) => {
                    let message = format!("the query ended as {other}");
                    return Err(failed(ACTION, Kind::Refused, "query not answered", message));
                }
            }
        }
    }

    /// Passes on each event's time and message until the end, or until the caller stops. A log group that does not exist has
    /// none.
    async fn events(
        &self,
        mut query: Value,
        mut each: impl FnMut(i64, &str) -> ControlFlow<()>,
    ) -> Result<(), AwsError> {
        const ACTION: &str = "logs:FilterLogEvents";
        let mut pages = Pages::of(ACTION);
        loop {
            let Some(page) = ask_as::<Events>(&self.config, ACTION, query.clone())
                .await
                .found()?
            else {
                return Ok(());
            };
            let mut events = page.events.iter();
            let over = events.try_for_each(|event| each(event.timestamp, &event.message));
            if over.is_break() || !next_page(&mut pages, page.next_token, &mut query)? {
                return Ok(());
            }
        }
    }

    /// All items of the list `member`, of all pages. A log group that does not exist has none.
    pub(super) async fn all_listed(
        &self,
        action: &'static str,
        query: Value,
        member: &str,
    ) -> Result<Vec<Value>, AwsError> {
        let mut all = Vec::new();
        self.each_listed(action, query, member, |item| {
            all.push(item.clone());
            ControlFlow::Continue(())
        })
        .await?;
        Ok(all)
    }

    /// Reads page after page, and passes on the items of the list `member` one by one.
    async fn each_listed(
        &self,
        action: &'static str,
        mut query: Value,
        member: &str,
        mut each: impl FnMut(&Value) -> ControlFlow<()>,
    ) -> Result<(), AwsError> {
        let mut pages = Pages::of(action);
        loop {
            let Some(page) = ask(&self.config, action, query.clone()).await.found()? else {
                return Ok(());
            };
            if listed(&page, member).try_for_each(&mut each).is_break()
                || !next_page(&mut pages, token(&page), &mut query)?
            {
                return Ok(());
            }
        }
    }
}

/// A page of events: a long log has a hundred megabytes of them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Events {
    events: Vec<Event>,
    next_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    timestamp: i64,
    message: String,
}

/// Makes a call of CloudWatch Logs in the Region of the clients.
pub(super) async fn ask(
    config: &SdkConfig,
    action: &'static str,
    body: Value,
) -> Result<Value, AwsError> {
    ask_as(config, action, body).await
}

async fn ask_as<T: DeserializeOwned + Send + Sync + 'static>(
    config: &SdkConfig,
    action: &'static str,
    body: Value,
) -> Result<T, AwsError> {
    let region = config.region().map_or("", |region| region.as_ref());
    service::ask_as(config, &LOGS, action, region, body).await
}

/// The token of the next page.
fn token(page: &Value) -> Option<String> {
    page["nextToken"].as_str().map(str::to_owned)
}

/// Turns the query into the query for the next page, if there is one.
fn next_page(pages: &mut Pages, next: Option<String>, query: &mut Value) -> Result<bool, AwsError> {
    let next = pages.next(next)?;
    let more = next.is_some();
    if let Some(next) = next {
        query["nextToken"] = next.into();
    }
    Ok(more)
}

fn listed<'a>(answer: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    answer[member].as_array().into_iter().flatten()
}

/// A text field; empty if it is absent.
pub(super) fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap_or_default().to_owned()
}

fn row(fields: &Value) -> Row {
    fields
        .as_array()
        .into_iter()
        .flatten()
        .map(|field| (text(field, "field"), text(field, "value")))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

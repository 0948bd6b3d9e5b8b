//! The function's log group: its retention, its tags, and reading events back.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use aws_sdk_cloudwatchlogs::operation::filter_log_events::builders::FilterLogEventsFluentBuilder;
use aws_sdk_cloudwatchlogs::types::QueryStatus;

use super::error::During;
use super::{Aws, AwsError, Found, Kind};
use crate::resources::{LogGroup, Tags};

/// One row of a query's answer: values by column, as text. A column without a value is not there.
pub type Row = BTreeMap<String, String>;

impl Aws {
    /// The log group with exactly this name, its tags not yet read.
    pub async fn log_group_settings(&self, name: &str) -> Result<Option<LogGroup>, AwsError> {
        Ok(self
            .described_log_group(name)
            .await?
            .map(|(group, _)| group))
    }

    /// The log group with exactly this name and its tags, where its account is not known.
    pub async fn tagged_log_group(&self, name: &str) -> Result<Option<LogGroup>, AwsError> {
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
        // The prefix matches longer names too; ours sorts first among them.
        let groups = self
            .logs
            .describe_log_groups()
            .log_group_name_prefix(name)
            .send()
            .await
            .during("logs:DescribeLogGroups")
            .found()?
            .and_then(|answer| answer.log_groups)
            .unwrap_or_default();
        Ok(groups
            .into_iter()
            .find(|group| group.log_group_name() == Some(name))
            .map(|group| {
                let settings = LogGroup {
                    name: name.to_owned(),
                    retention_days: group
                        .retention_in_days
                        .and_then(|days| days.try_into().ok()),
                    created_ms: group.creation_time,
                    tags: Tags::new(),
                };
                (settings, group.arn.unwrap_or_default())
            }))
    }

    /// The same log group with its tags. `arn` is its ARN without `:*`, as the tagging calls want it.
    pub async fn with_tags(&self, group: LogGroup, arn: &str) -> Result<LogGroup, AwsError> {
        let tags = self
            .logs
            .list_tags_for_resource()
            .resource_arn(arn)
            .send()
            .await
            .during("logs:ListTagsForResource")
            .found()?
            .and_then(|answer| answer.tags)
            .unwrap_or_default();
        Ok(LogGroup {
            tags: tags.into_iter().collect(),
            ..group
        })
    }

    /// Makes the log group, with its tags.
    pub async fn create_log_group(&self, group: &LogGroup) -> Result<(), AwsError> {
        self.logs
            .create_log_group()
            .log_group_name(&group.name)
            .set_tags(Some(group.tags.clone().into_iter().collect()))
            .send()
            .await
            .during("logs:CreateLogGroup")?;
        Ok(())
    }

    /// Adds tags to the log group.
    pub async fn tag_log_group(&self, arn: &str, tags: &Tags) -> Result<(), AwsError> {
        self.logs
            .tag_resource()
            .resource_arn(arn)
            .set_tags(Some(tags.clone().into_iter().collect()))
            .send()
            .await
            .during("logs:TagResource")?;
        Ok(())
    }

    /// Sets how many days events are kept.
    pub async fn keep_logs(&self, name: &str, days: u32) -> Result<(), AwsError> {
        self.logs
            .put_retention_policy()
            .log_group_name(name)
            .retention_in_days(days.try_into().unwrap_or(i32::MAX))
            .send()
            .await
            .during("logs:PutRetentionPolicy")?;
        Ok(())
    }

    /// Deletes the log group; one that is gone already is no error.
    pub async fn delete_log_group(&self, name: &str) -> Result<(), AwsError> {
        self.logs
            .delete_log_group()
            .log_group_name(name)
            .send()
            .await
            .during("logs:DeleteLogGroup")
            .found()?;
        Ok(())
    }

    /// Hands over every event from `since_ms` to `until_ms` (milliseconds since 1970, both included), oldest first within a page.
    /// A log group that is not there has none.
    pub async fn each_log_event(
        &self,
        group: &str,
        since_ms: i64,
        until_ms: i64,
        mut each: impl FnMut(i64, &str),
    ) -> Result<(), AwsError> {
        let call = self.logs.filter_log_events().log_group_name(group);
        let call = call.start_time(since_ms).end_time(until_ms);
        pages(call, |at, message| {
            each(at, message);
            ControlFlow::Continue(())
        })
        .await
    }

    /// When the first event since `since_ms` was written (milliseconds since 1970) whose text `matches`. The filter `pattern`
    /// spares AWS the sending of others; it is only a hint, because not every server understands it.
    pub async fn find_log_event(
        &self,
        group: &str,
        pattern: &str,
        since_ms: i64,
        matches: impl Fn(&str) -> bool,
    ) -> Result<Option<i64>, AwsError> {
        let call = self.logs.filter_log_events().log_group_name(group);
        let call = call.filter_pattern(pattern).start_time(since_ms);
        let mut found = None;
        pages(call, |at, message| {
            if !matches(message) {
                return ControlFlow::Continue(());
            }
            found = Some(at);
            ControlFlow::Break(())
        })
        .await?;
        Ok(found)
    }

    /// Asks Logs Insights and waits for the answer. The times are milliseconds since 1970, of which only whole seconds count. A
    /// log group that is not there has no rows.
    pub async fn query_logs(
        &self,
        group: &str,
        query: &str,
        since_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<Row>, AwsError> {
        const ACTION: &str = "logs:GetQueryResults";
        let Some(started) = self
            .logs
            .start_query()
            .log_group_name(group)
            .query_string(query)
            .start_time(since_ms.div_euclid(1000))
            .end_time(until_ms.div_euclid(1000))
            .limit(10_000)
            .send()
            .await
            .during("logs:StartQuery")
            .found()?
        else {
            return Ok(Vec::new());
        };
        let id = started.query_id.unwrap_or_default();
        let mut pause = Duration::from_millis(100);
        let mut rows = Vec::new();
        let mut next = None;
        loop {
            let answer = self
                .logs
                .get_query_results()
                .query_id(&id)
                .set_next_token(next.clone())
                .send()
                .await
                .during(ACTION)?;
            match answer.status() {
                Some(QueryStatus::Complete) => {
                    rows.extend(answer.results().iter().map(|fields| {
                        fields
                            .iter()
                            .filter_map(|field| Some((field.field.clone()?, field.value.clone()?)))
                            .filter(|(_, value)| !value.is_empty())
                            .collect::<Row>()
                    }));
                    next = answer.next_token;
                    if next.is_none() {
                        return Ok(rows);
                    }
                }
                Some(QueryStatus::Scheduled | QueryStatus::Running) | None => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Some(other) => {
                    return Err(AwsError {
                        action: ACTION,
                        kind: Kind::Refused,
                        code: "query not answered".into(),
                        message: format!("the query ended as {}", other.as_str()),
                        request_id: None,
                    });
                }
            }
        }
    }
}

/// Reads page after page, and hands over each event's time and message until there is no more to read or wanted. A log group that
/// is not there has none.
async fn pages(
    call: FilterLogEventsFluentBuilder,
    mut each: impl FnMut(i64, &str) -> ControlFlow<()>,
) -> Result<(), AwsError> {
    let mut next = None;
    loop {
        let Some(page) = call
            .clone()
            .set_next_token(next)
            .send()
            .await
            .during("logs:FilterLogEvents")
            .found()?
        else {
            return Ok(());
        };
        for event in page.events() {
            let message = event.message().unwrap_or_default();
            if each(event.timestamp().unwrap_or_default(), message).is_break() {
                return Ok(());
            }
        }
        next = page.next_token;
        if next.is_none() {
            return Ok(());
        }
    }
}

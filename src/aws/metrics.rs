//! CloudWatch: a day of a function's metrics, and the alarms with their metric filters and dashboard.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use super::client::Reader;
use super::logs;
use super::pages::Pages;
use super::service::{Protocol, Service, ask};
use crate::dates::now_ms;
use jane_migrate_core::aws_error::{AwsError, Found};
use jane_migrate_core::exposure::Metrics;
use jane_migrate_core::ids::{Names, PoolId};
use jane_migrate_core::watch::{Part, Watch, alarm_names};

pub(super) const CLOUDWATCH: Service = Service {
    signed_as: "monitoring",
    id: "CloudWatch",
    protocol: Protocol::Json {
        version: "1.0",
        target: "GraniteServiceVersion20100801",
    },
};

impl Reader {
    /// The last 24 hours of a pool's function.
    pub(crate) async fn day_of_metrics(
        &self,
        pool: &PoolId,
        function: &str,
        region: &str,
    ) -> Result<Metrics, AwsError> {
        const HOUR: i64 = 3600;
        let now = now_ms() / 1000;
        let query = |id, metric: Value, stat| query(id, &metric, HOUR, stat);
        let of_lambda = |name: &str| {
            json!({
                "Namespace": "AWS/Lambda",
                "MetricName": name,
                "Dimensions": [{ "Name": "FunctionName", "Value": function }],
            })
        };
        let outcomes = |outcome| of_handler(pool, outcome);
        let body = json!({
            "StartTime": now - 24 * HOUR,
            // The end is exclusive, and events of this second count.
            "EndTime": now + 60,
            "MetricDataQueries": [
                query("invocations", of_lambda("Invocations"), "Sum"),
                query("errors", of_lambda("Errors"), "Sum"),
                query("throttles", of_lambda("Throttles"), "Sum"),
                query("p99", of_lambda("Duration"), "p99"),
                query("userExists", outcomes("user-exists"), "Sum"),
                query("signUpRefused", outcomes("sign-up-refused"), "Sum"),
                turned_away(pool, HOUR),
            ],
        });
        let answer = ask(
            &self.config,
            &CLOUDWATCH,
            "cloudwatch:GetMetricData",
            region,
            body,
        )
        .await?;
        let values = |id: &str| {
            let results = answer["MetricDataResults"].as_array();
            let values = results
                .into_iter()
                .flatten()
                .filter(move |result| result["Id"] == id)
                .filter_map(|result| result["Values"].as_array());
            values
                .flatten()
                .filter_map(Value::as_f64)
                .collect::<Vec<_>>()
        };
        let sum = |id| values(id).into_iter().sum();
        Ok(Metrics {
            invocations: sum("invocations"),
            errors: sum("errors"),
            refused_sign_ups: sum("userExists") + sum("signUpRefused"),
            throttles: sum("throttles"),
            throttled_sign_ins: sum("turnedAway"),
            p99_ms: values("p99").into_iter().reduce(f64::max),
        })
    }

    /// How often each outcome occurred on each of these days (counted from 1970-01-01, UTC); days without any are absent.
    pub(crate) async fn count_by_day(
        &self,
        pool: &PoolId,
        region: &str,
        outcomes: &[String],
        days: RangeInclusive<i64>,
    ) -> Result<Vec<(i64, String, u64)>, AwsError> {
        const ACTION: &str = "cloudwatch:GetMetricData";
        const DAY_S: i64 = 24 * 3600;
        let queries: Vec<Value> = outcomes
            .iter()
            .enumerate()
            .map(|(n, outcome)| query(&format!("o{n}"), &of_handler(pool, outcome), DAY_S, "Sum"))
            .collect();
        let mut body = json!({
            "StartTime": days.start() * DAY_S,
            "EndTime": (days.end() + 1) * DAY_S,
            "MetricDataQueries": queries,
        });
        let mut counts = Vec::new();
        let mut pages = Pages::of(ACTION);
        loop {
            let answer = self.monitoring(ACTION, region, body.clone()).await?;
            for result in answer["MetricDataResults"].as_array().into_iter().flatten() {
                let id = result["Id"].as_str().unwrap_or_default();
                let outcome = id.strip_prefix('o').and_then(|n| n.parse::<usize>().ok());
                let Some(outcome) = outcome.and_then(|n| outcomes.get(n)) else {
                    continue;
                };
                let listed = |member: &str| result[member].as_array().cloned().unwrap_or_default();
                for (at, value) in listed("Timestamps").iter().zip(listed("Values")) {
                    let (Some(at), Some(n)) = (seconds(at), value.as_f64()) else {
                        continue;
                    };
                    counts.push((at.div_euclid(DAY_S), outcome.clone(), n.round() as u64));
                }
            }
            match pages.next(answer["NextToken"].as_str().map(str::to_owned))? {
                Some(next) => body["NextToken"] = next.into(),
                None => return Ok(counts),
            }
        }
    }

    /// The existing alarms, metric filters and dashboard of a pool's function.
    pub(crate) async fn watch(&self, names: &Names) -> Result<Watch, AwsError> {
        let region = names.pool.region.as_str();
        let (alarms, dashboard, filters) = tokio::join!(
            self.monitoring(
                "cloudwatch:DescribeAlarms",
                region,
                json!({ "AlarmNames": alarm_names(names) }),
            ),
            self.monitoring(
                "cloudwatch:GetDashboard",
                region,
                json!({ "DashboardName": names.function }),
            ),
            logs::ask(
                &self.config,
                "logs:DescribeMetricFilters",
                json!({ "logGroupName": names.log_group, "filterNamePrefix": names.function }),
            ),
        );
        let mut watch = Watch::new();
        let alarms = alarms?;
        for alarm in alarms["MetricAlarms"].as_array().into_iter().flatten() {
            let name = alarm["AlarmName"].as_str().unwrap_or_default();
            watch.insert((Part::Alarm, name.to_owned()), as_asked(alarm));
        }
        if let Some(dashboard) = dashboard.found()? {
            let body = dashboard["DashboardBody"].as_str().unwrap_or_default();
            let body = serde_json::from_str(body).unwrap_or_default();
            watch.insert((Part::Dashboard, names.function.clone()), body);
        }
        let filters = filters.found()?.unwrap_or_default();
        for filter in filters["metricFilters"].as_array().into_iter().flatten() {
            let members = [
                "logGroupName",
                "filterName",
                "filterPattern",
                "metricTransformations",
            ];
            let shown: Map<String, Value> = members
                .iter()
                .map(|member| ((*member).to_owned(), filter[member].clone()))
                .collect();
            if filter["filterName"] == json!(names.function) {
                watch.insert((Part::MetricFilter, names.function.clone()), shown.into());
            }
        }
        Ok(watch)
    }

    async fn monitoring(
        &self,
        action: &'static str,
        region: &str,
        body: Value,
    ) -> Result<Value, AwsError> {
        ask(&self.config, &CLOUDWATCH, action, region, body).await
    }
}

fn query(id: &str, metric: &Value, period_s: i64, stat: &str) -> Value {
    json!({ "Id": id, "MetricStat": { "Metric": metric, "Period": period_s, "Stat": stat } })
}

/// The sign-ins that Cognito throttled, of all app clients: its metric is per client.
fn turned_away(pool: &PoolId, period_s: i64) -> Value {
    let of_pool = format!(
        r#"SUM(SEARCH('{{AWS/Cognito,UserPool,UserPoolClient}} MetricName="SignInThrottles" UserPool="{pool}"', 'Sum', {period_s}))"#
    );
    json!({ "Id": "turnedAway", "Expression": of_pool, "Period": period_s })
}

/// The number of a handler outcome, which CloudWatch counts in its log lines.
fn of_handler(pool: &PoolId, outcome: &str) -> Value {
    json!({
        "Namespace": "JaneMigrate",
        "MetricName": "count",
        "Dimensions": [
            { "Name": "userPoolId", "Value": pool.as_str() },
            { "Name": "outcome", "Value": outcome },
        ],
    })
}

/// A time in JSON: seconds since 1970, or a text.
fn seconds(at: &Value) -> Option<i64> {
    match at {
        Value::String(text) => crate::dates::read(text).map(|ms| ms / 1000),
        number => number.as_f64().map(|seconds| seconds as i64),
    }
}

/// An alarm of a response, in the form of the request.
fn as_asked(alarm: &Value) -> Value {
    let mut asked = Map::new();
    for member in [
        "AlarmName",
        "AlarmDescription",
        "ActionsEnabled",
        "AlarmActions",
        "OKActions",
        "Namespace",
        "MetricName",
        "Dimensions",
        "Period",
        "EvaluationPeriods",
        "ComparisonOperator",
        "TreatMissingData",
    ] {
        asked.insert(member.to_owned(), alarm[member].clone());
    }
    // A percentile has a field of its own.
    let statistic = match &alarm["ExtendedStatistic"] {
        Value::Null => &alarm["Statistic"],
        percentile => percentile,
    };
    asked.insert("Statistic".to_owned(), statistic.clone());
    asked.insert("Threshold".to_owned(), json!(alarm["Threshold"].as_f64()));
    asked.into()
}

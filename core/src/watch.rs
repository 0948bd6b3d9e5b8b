//! CloudWatch alarms for a broken migration, the metric that one of them needs and that is counted in the log, and a dashboard of
//! the same metrics. Desired and observed state have the same form: by kind and name, in the form of the API's requests.

use std::collections::BTreeMap;

use jane_migrate_config::{Config, Date};
use serde_json::{Value, json};

use crate::ids::Names;

/// The kinds of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Counts the lines of the log in which the directory was unavailable.
    MetricFilter,
    /// An alarm.
    Alarm,
    /// The dashboard.
    Dashboard,
}

/// By kind and name, each in the form of AWS's request.
pub type Watch = BTreeMap<(Part, String), Value>;

/// The metric that the filter counts.
const UNAVAILABLE: &str = "DirectoryUnavailable";

/// The suffixes of the alarms' names.
const ALARMS: [&str; 6] = [
    "directory-unavailable",
    "errors",
    "throttles",
    "slow",
    "silent",
    "concurrency",
];

/// The names that the alarms of a pool may have.
pub fn alarm_names(names: &Names) -> Vec<String> {
    let name = |end: &&str| format!("{}-{end}", names.function);
    ALARMS.iter().map(name).collect()
}

/// The namespace of the metric that is counted in the log: the function's own, because such a metric has no dimensions.
fn namespace(names: &Names) -> String {
    format!("jane-migrate/{}", names.function)
}

/// What the configuration asks for. `limit` is the account's limit of concurrent executions, if known.
pub fn wanted(names: &Names, config: &Config, today: Date, limit: Option<u32>) -> Watch {
    let Some(topic) = &config.alarms.topic else {
        return Watch::new();
    };
    let mut watch = Watch::new();
    let filter = json!({
        "logGroupName": names.log_group,
        "filterName": names.function,
        "filterPattern": "{ $.outcome = \"directory-unavailable\" && $.trial NOT EXISTS }",
        "metricTransformations": [{
            "metricName": UNAVAILABLE, "metricNamespace": namespace(names), "metricValue": "1", "defaultValue": 0.0,
        }],
    });
    watch.insert((Part::MetricFilter, names.function.clone()), filter);
    let mut alarm = |end: &str, what: &str, metric: Metric<'_>, over: f64| {
        let name = format!("{}-{end}", names.function);
        let silent = metric.stays_silent;
        let alarm = json!({
            "AlarmName": name,
            "AlarmDescription": format!("{what}{DEPLOYED}{})", names.pool),
            "ActionsEnabled": true,
            "AlarmActions": [topic],
            "OKActions": [topic],
            "Namespace": metric.namespace,
            "MetricName": metric.name,
            "Dimensions": metric.of.map(|function| json!({ "Name": "FunctionName", "Value": function })).into_iter().collect::<Vec<_>>(),
            "Statistic": metric.statistic,
            "Period": metric.period_s,
            "EvaluationPeriods": 1,
            "Threshold": over,
            "ComparisonOperator": if silent { "LessThanThreshold" } else { "GreaterThanOrEqualToThreshold" },
            "TreatMissingData": if silent { "breaching" } else { "notBreaching" },
        });
        watch.insert((Part::Alarm, name), alarm);
    };
    let own = namespace(names);
    let of = Some(names.function.as_str());
    let lambda = |name, statistic| Metric {
        namespace: "AWS/Lambda",
        name,
        statistic,
        of,
        period_s: 300,
        stays_silent: false,
    };
    alarm(
        "directory-unavailable",
        "Three sign-ins within 5 minutes failed because the directory did not answer",
        Metric {
            namespace: &own,
            of: None,
            ..lambda(UNAVAILABLE, "Sum")
        },
        3.0,
    );
    alarm(
        "errors",
        "The function failed",
        lambda("Errors", "Sum"),
        1.0,
    );
    alarm(
        "throttles",
        "Lambda refused to run the function: too many executions at once",
        lambda("Throttles", "Sum"),
        1.0,
    );
    alarm(
        "slow",
        "One in a hundred sign-ins is slow, and Cognito gives up after 5 seconds",
        lambda("Duration", "p99"),
        config.alarms.p99_ms.into(),
    );
    if config.window.closes.is_none_or(|closes| closes >= today) {
        alarm(
            "silent",
            "No call of the function for a day while the window is open",
            Metric {
                period_s: 86_400,
                stays_silent: true,
                ..lambda("Invocations", "Sum")
            },
            1.0,
        );
    }
    if let Some(limit) = limit {
        let percent = f64::from(config.alarms.concurrency_percent) / 100.0;
        alarm(
            "concurrency",
            "The functions of this account use nearly all executions that it allows at once",
            Metric {
                of: None,
                ..lambda("ConcurrentExecutions", "Maximum")
            },
            (f64::from(limit) * percent).floor(),
        );
    }
    watch.insert((Part::Dashboard, names.function.clone()), dashboard(names));
    watch
}

/// The end of a deployed alarm's description before the pool, and of an exported one's.
const DEPLOYED: &str = " (jane-migrate, ";
const EXPORTED: &str = " (jane-migrate export, ";

/// The same for another tool's code, so that deploy and teardown do not change it.
pub fn as_exported(watch: &Watch) -> Watch {
    let mut watch = watch.clone();
    for body in watch.values_mut() {
        if let Some(text) = body["AlarmDescription"].as_str() {
            body["AlarmDescription"] = text.replace(DEPLOYED, EXPORTED).into();
        }
    }
    watch
}

/// Whether another tool created the alarms from an export.
pub fn is_exported(found: &Watch) -> bool {
    let described = |body: &Value| {
        let text = body["AlarmDescription"].as_str();
        text.is_some_and(|text| text.contains(EXPORTED))
    };
    found.values().any(described)
}

/// The metric of an alarm.
struct Metric<'a> {
    namespace: &'a str,
    name: &'a str,
    statistic: &'a str,
    /// The function as its dimension; `None`: no dimension.
    of: Option<&'a str>,
    period_s: u32,
    /// The alarm goes off if the value is too low.
    stays_silent: bool,
}

fn dashboard(names: &Names) -> Value {
    let region = &names.pool.region;
    let of = |metric: &str, more: Value| {
        json!(["AWS/Lambda", metric, "FunctionName", names.function, more])
    };
    let graph = |place: (u8, u8), title: &str, metrics: Value| {
        json!({ "type": "metric", "x": place.0, "y": place.1, "width": 12, "height": 6, "properties": {
            "title": title, "region": region, "view": "timeSeries", "period": 300, "metrics": metrics,
        }})
    };
    let sum = json!({ "stat": "Sum" });
    let unavailable = json!([namespace(names), UNAVAILABLE, sum]);
    let text = format!("User migration of {} (jane-migrate)", names.pool);
    json!({ "widgets": [
        { "type": "text", "x": 0, "y": 0, "width": 24, "height": 2, "properties": { "markdown": text } },
        graph((0, 2), "Sign-ins that reached the function", json!([of("Invocations", sum.clone())])),
        graph((12, 2), "Failures", json!([of("Errors", sum.clone()), of("Throttles", sum), unavailable])),
        graph((0, 8), "Duration", json!([of("Duration", json!({ "stat": "p50" })), of("Duration", json!({ "stat": "p99" }))])),
        graph((12, 8), "Executions at once", json!([of("ConcurrentExecutions", json!({ "stat": "Maximum" })),
            ["AWS/Lambda", "ConcurrentExecutions", { "stat": "Maximum", "label": "whole account" }]])),
    ]})
}

/// Whether a found resource belongs to this pool. A filter is part of our log group.
pub fn is_ours(part: Part, found: &Value, names: &Names) -> bool {
    part == Part::MetricFilter || found.to_string().contains(&names.pool.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alarm_is_among_the_names_that_teardown_looks_for() {
        let names = Names::new(
            "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1"
                .parse()
                .unwrap(),
        );
        let toml = "[directory]\nkind = 'jane'\nclient_id = 'c'\nclient_secret = { ssm = '/s' }\n";
        let config =
            |more: &str| jane_migrate_config::parse(&format!("{toml}{more}"), "m").unwrap();
        let today = "2027-01-01".parse().unwrap();
        let alarms = |more: &str, limit| -> Vec<String> {
            let watch = wanted(&names, &config(more), today, limit);
            watch
                .into_keys()
                .filter(|(part, _)| *part == Part::Alarm)
                .map(|(_, name)| name)
                .collect()
        };
        let topic = "[alarms]\ntopic = 'arn:aws:sns:us-east-1:123456789012:t'\n";
        let mut all = alarm_names(&names);
        all.sort();
        assert_eq!(alarms(topic, Some(1000)), all);
        let closed = alarms(&format!("{topic}[window]\ncloses = 2026-12-31\n"), None);
        assert!(
            closed
                .iter()
                .all(|name| !name.ends_with("-silent") && !name.ends_with("-concurrency"))
        );
        assert_eq!(closed.len(), 4);
        assert!(alarms("", Some(1000)).is_empty());
    }

    #[test]
    fn exported_alarms_are_another_tools() {
        let names = Names::new(
            "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1"
                .parse()
                .unwrap(),
        );
        let toml = "[directory]\nkind = 'jane'\nclient_id = 'c'\nclient_secret = { ssm = '/s' }\n\
            [alarms]\ntopic = 'arn:aws:sns:us-east-1:123456789012:t'\n";
        let config = jane_migrate_config::parse(toml, "m").unwrap();
        let deployed = wanted(&names, &config, "2027-01-01".parse().unwrap(), None);
        let exported = as_exported(&deployed);
        assert_eq!(
            deployed.keys().collect::<Vec<_>>(),
            exported.keys().collect::<Vec<_>>()
        );
        assert!(is_exported(&exported) && !is_exported(&deployed));
        let other = Names::new(
            "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab2"
                .parse()
                .unwrap(),
        );
        for ((part, name), body) in &deployed {
            assert!(is_ours(*part, body, &names), "{name}");
            // Each log group has its own filters.
            let filter = *part == Part::MetricFilter;
            assert_eq!(is_ours(*part, body, &other), filter, "{name}");
        }
    }
}

//! A day of a function's metrics.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::client::Reader;
use super::service::{Service, ask};
use jane_migrate_core::aws_error::AwsError;
use jane_migrate_core::exposure::Metrics;

const CLOUDWATCH: Service = Service {
    signed_as: "monitoring",
    id: "CloudWatch",
    json: "1.0",
    target: "GraniteServiceVersion20100801",
};

impl Reader {
    /// The last 24 hours of a function.
    pub(crate) async fn day_of_metrics(
        &self,
        function: &str,
        region: &str,
    ) -> Result<Metrics, AwsError> {
        const HOUR: u64 = 3600;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let query = |id: &str, metric: &str, stat: &str| {
            json!({ "Id": id, "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": metric,
                    "Dimensions": [{ "Name": "FunctionName", "Value": function }],
                },
                "Period": HOUR,
                "Stat": stat,
            }})
        };
        let body = json!({
            "StartTime": now - 24 * HOUR,
            // Excluded itself; what happened this second counts.
            "EndTime": now + 60,
            "MetricDataQueries": [
                query("invocations", "Invocations", "Sum"),
                query("errors", "Errors", "Sum"),
                query("throttles", "Throttles", "Sum"),
                query("p99", "Duration", "p99"),
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
            throttles: sum("throttles"),
            p99_ms: values("p99").into_iter().reduce(f64::max),
        })
    }
}

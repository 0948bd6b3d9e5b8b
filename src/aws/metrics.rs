//! A day of a function's metrics.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::client::Reader;
use super::service::{Service, ask};
use jane_migrate_core::aws_error::AwsError;
use jane_migrate_core::exposure::Metrics;
use jane_migrate_core::ids::PoolId;

const CLOUDWATCH: Service = Service {
    signed_as: "monitoring",
    id: "CloudWatch",
    json: "1.0",
    target: "GraniteServiceVersion20100801",
};

impl Reader {
    /// The last 24 hours of a pool's function.
    pub(crate) async fn day_of_metrics(
        &self,
        pool: &PoolId,
        function: &str,
        region: &str,
    ) -> Result<Metrics, AwsError> {
        const HOUR: u64 = 3600;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let query = |id: &str, metric: Value, stat: &str| json!({ "Id": id, "MetricStat": { "Metric": metric, "Period": HOUR, "Stat": stat } });
        let of_lambda = |name: &str| {
            json!({
                "Namespace": "AWS/Lambda",
                "MetricName": name,
                "Dimensions": [{ "Name": "FunctionName", "Value": function }],
            })
        };
        // The handler's own, which CloudWatch takes from its log lines.
        let outcomes = |outcome: &str| {
            json!({
                "Namespace": "JaneMigrate",
                "MetricName": "count",
                "Dimensions": [
                    { "Name": "userPoolId", "Value": pool.as_str() },
                    { "Name": "outcome", "Value": outcome },
                ],
            })
        };
        let body = json!({
            "StartTime": now - 24 * HOUR,
            // Excluded itself; what happened this second counts.
            "EndTime": now + 60,
            "MetricDataQueries": [
                query("invocations", of_lambda("Invocations"), "Sum"),
                query("errors", of_lambda("Errors"), "Sum"),
                query("throttles", of_lambda("Throttles"), "Sum"),
                query("p99", of_lambda("Duration"), "p99"),
                query("userExists", outcomes("user-exists"), "Sum"),
                query("signUpRefused", outcomes("sign-up-refused"), "Sum"),
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
            p99_ms: values("p99").into_iter().reduce(f64::max),
        })
    }
}

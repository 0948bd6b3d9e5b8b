//! The few calls of services whose SDKs would take minutes to compile: whether a secret or a parameter is there, and a day of a
//! function's metrics. Signed by the handler's own signer; no value of a secret is ever asked for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jane_migrate_config::Secret;
use jane_migrate_handler::aws::{Credentials, Service};
use jane_migrate_handler::budget::Budget;
use jane_migrate_handler::upstream::Upstream;
use serde_json::{Value, json};

use super::{Aws, AwsError, Found, Kind};

/// How long one of these calls may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A place where a secret is kept, as its service describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPlace {
    /// It is to be deleted, and cannot be read any more.
    pub deleted: bool,
    /// Whether a key encrypts it; parameters need not be.
    pub encrypted: bool,
}

/// What CloudWatch counted of a function.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Metrics {
    /// Invocations.
    pub invocations: f64,
    /// Invocations that ended in an error.
    pub errors: f64,
    /// Invocations that Lambda refused.
    pub throttles: f64,
    /// The 99th percentile of the duration, of the slowest hour.
    pub p99_ms: Option<f64>,
}

/// What is called, and how it is named in the three places that want a name.
struct Operation {
    action: &'static str,
    service: &'static str,
    endpoint_ids: &'static [&'static str],
    content_type: &'static str,
    target: &'static str,
}

const JSON_1_0: &str = "application/x-amz-json-1.0";
const JSON_1_1: &str = "application/x-amz-json-1.1";
const SECRETS_MANAGER: &[&str] = &["SECRETS_MANAGER", "SECRETSMANAGER"];

const DESCRIBE_SECRET: Operation = Operation {
    action: "secretsmanager:DescribeSecret",
    service: "secretsmanager",
    endpoint_ids: SECRETS_MANAGER,
    content_type: JSON_1_1,
    target: "secretsmanager.DescribeSecret",
};

const GET_RESOURCE_POLICY: Operation = Operation {
    action: "secretsmanager:GetResourcePolicy",
    target: "secretsmanager.GetResourcePolicy",
    ..DESCRIBE_SECRET
};

const GET_PARAMETER: Operation = Operation {
    action: "ssm:GetParameter",
    service: "ssm",
    endpoint_ids: &["SSM"],
    content_type: JSON_1_1,
    target: "AmazonSSM.GetParameter",
};

const GET_METRIC_DATA: Operation = Operation {
    action: "cloudwatch:GetMetricData",
    service: "monitoring",
    endpoint_ids: &["CLOUDWATCH"],
    content_type: JSON_1_0,
    target: "GraniteServiceVersion20100801.GetMetricData",
};

impl Aws {
    /// Where the secret is kept. `None` where there is no such secret, or where it is in no service.
    pub async fn secret_place(
        &self,
        secret: &Secret,
        region: &str,
    ) -> Result<Option<SecretPlace>, AwsError> {
        match secret {
            Secret::SecretsManager { arn, .. } => {
                let described = self
                    .signed(
                        DESCRIBE_SECRET,
                        region_of(arn, region),
                        json!({ "SecretId": arn }),
                    )
                    .await
                    .found()?;
                Ok(described.map(|secret| SecretPlace {
                    deleted: !secret["DeletedDate"].is_null(),
                    encrypted: true,
                }))
            }
            Secret::Ssm { name, .. } => {
                let query = json!({ "Name": name, "WithDecryption": false });
                let parameter = self.signed(GET_PARAMETER, region, query).await.found()?;
                Ok(parameter.map(|answer| SecretPlace {
                    deleted: false,
                    encrypted: answer["Parameter"]["Type"] == "SecureString",
                }))
            }
            Secret::Env(_) => Ok(None),
        }
    }

    /// The resource policy of a secret of Secrets Manager; `Null` where it has none.
    pub async fn secret_policy(&self, arn: &str, region: &str) -> Result<Value, AwsError> {
        let query = json!({ "SecretId": arn });
        let answer = self
            .signed(GET_RESOURCE_POLICY, region_of(arn, region), query)
            .await
            .found()?
            .unwrap_or_default();
        Ok(answer["ResourcePolicy"]
            .as_str()
            .and_then(|policy| serde_json::from_str(policy).ok())
            .unwrap_or_default())
    }

    /// The last 24 hours of a function.
    pub async fn day_of_metrics(&self, function: &str, region: &str) -> Result<Metrics, AwsError> {
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
        let answer = self.signed(GET_METRIC_DATA, region, body).await?;
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

    async fn signed(
        &self,
        operation: Operation,
        region: &str,
        body: Value,
    ) -> Result<Value, AwsError> {
        let action = operation.action;
        let failed = |kind, code: &str, message: &str| AwsError {
            action,
            kind,
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: None,
        };
        let unsigned = || failed(Kind::Refused, "request not made", "it could not be signed");
        let credentials: Credentials = self.credentials().await.ok_or_else(|| {
            let why = "none were found";
            failed(Kind::NoCredentials, "no usable credentials", why)
        })?;
        let service = Service::new(operation.service, operation.endpoint_ids, region)
            .and_then(|service| match self.endpoint() {
                Some(endpoint) => service.at(endpoint),
                None => Some(service),
            })
            .ok_or_else(unsigned)?;
        let headers = [
            ("content-type", operation.content_type),
            ("x-amz-target", operation.target),
        ];
        let request = service
            .request(&headers, body.to_string(), &credentials, SystemTime::now())
            .ok_or_else(unsigned)?;
        let upstream = Upstream::new(None).map_err(|_| unsigned())?;
        let answer = upstream
            .send(action, request, &Budget::new(PATIENCE))
            .await
            .map_err(|unavailable| {
                let kind = match unavailable.0 {
                    "connect" => Kind::Unreachable,
                    _ => Kind::NoAnswer,
                };
                failed(kind, "endpoint not reached", unavailable.0)
            })?;
        let status = answer.status;
        let body = answer.json().unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        let text = |members: [&str; 2]| {
            members
                .iter()
                .find_map(|member| body[member].as_str())
                .unwrap_or_default()
                .to_owned()
        };
        let code = text(["__type", "Code"]);
        if code.is_empty() {
            let code = format!("HTTP {}", status.as_u16());
            return Err(failed(
                Kind::NoAnswer,
                &code,
                "the answer was not one of AWS's",
            ));
        }
        let message = text(["message", "Message"]);
        Err(AwsError::answered(action, status.as_u16(), &code, &message))
    }
}

/// The Region an ARN names.
fn region_of<'a>(arn: &'a str, fallback: &'a str) -> &'a str {
    arn.split(':').nth(3).unwrap_or(fallback)
}

//! The few calls of services whose SDKs would take minutes to compile: whether a secret or a parameter is there, what it holds
//! where the directory itself is to be asked, and a day of a function's metrics. Signed by the handler's own signer, sent by the
//! SDK's own way out.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use jane_migrate_config::Secret;
use jane_migrate_handler::aws::{Credentials, Service};
use jane_migrate_handler::secrets;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Aws, AwsError, Found, Kind, retry};

/// How long an answer to one of these calls may take, and how long it is asked for again.
const PATIENCE: Duration = Duration::from_secs(15);

/// A place where a secret is kept, as its service describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPlace {
    /// It is to be deleted, and cannot be read any more.
    pub deleted: bool,
    /// Whether a key encrypts it; parameters need not be.
    pub encrypted: bool,
    /// That key, where it is not the service's own and the service tells.
    pub key: Option<String>,
    /// Regions that have a copy of it, each with a policy of its own.
    pub copies: Vec<String>,
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

const GET_SECRET_VALUE: Operation = Operation {
    action: "secretsmanager:GetSecretValue",
    target: "secretsmanager.GetSecretValue",
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
                    key: secret["KmsKeyId"]
                        .as_str()
                        .filter(|key| !key.ends_with("alias/aws/secretsmanager"))
                        .map(str::to_owned),
                    copies: secret["ReplicationStatus"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(|copy| copy["Region"].as_str().map(str::to_owned))
                        .collect(),
                }))
            }
            Secret::Ssm { name, .. } => {
                let query = json!({ "Name": name, "WithDecryption": false });
                let parameter = self.signed(GET_PARAMETER, region, query).await.found()?;
                Ok(parameter.map(|answer| SecretPlace {
                    deleted: false,
                    encrypted: answer["Parameter"]["Type"] == "SecureString",
                    key: None,
                    copies: Vec::new(),
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

    /// The value of the secret, as the handler takes it out of the answer. `None` where it is in no service.
    pub async fn secret_value(
        &self,
        secret: &Secret,
        region: &str,
    ) -> Result<Option<SecretString>, AwsError> {
        let (operation, region, query) = match secret {
            Secret::SecretsManager { arn, .. } => {
                let query = json!({ "SecretId": arn });
                (GET_SECRET_VALUE, region_of(arn, region), query)
            }
            Secret::Ssm { name, .. } => {
                let query = json!({ "Name": name, "WithDecryption": true });
                (GET_PARAMETER, region, query)
            }
            Secret::Env(_) => return Ok(None),
        };
        let action = operation.action;
        let answer = self.signed(operation, region, query).await?;
        let value = secrets::value(secret, &answer).map_err(|_| AwsError {
            action,
            kind: Kind::Refused,
            code: "no such value".into(),
            message: format!("there is no {secret}"),
            request_id: None,
        })?;
        Ok(Some(value))
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

    /// Makes the call, and makes it again where AWS was too busy to answer it.
    async fn signed(
        &self,
        operation: Operation,
        region: &str,
        body: Value,
    ) -> Result<Value, AwsError> {
        let body = body.to_string();
        let started = Instant::now();
        let mut pause = retry::FIRST_PAUSE;
        let mut left = self.attempts();
        loop {
            left -= 1;
            match self.sent(&operation, region, &body).await {
                Err(error)
                    if matches!(error.kind, Kind::Throttled | Kind::NoAnswer)
                        && left > 0
                        && started.elapsed() + pause < PATIENCE =>
                {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                answer => return answer,
            }
        }
    }

    async fn sent(
        &self,
        operation: &Operation,
        region: &str,
        body: &str,
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
            .request(&headers, body.to_owned(), &credentials, SystemTime::now())
            .ok_or_else(unsigned)?;
        let request =
            HttpRequest::try_from(request.map(|_| SdkBody::from(body))).map_err(|_| unsigned())?;
        // The SDK's own way out: through a proxy, where one is set.
        let answered = async {
            let answer = self
                .http
                .call(request)
                .await
                .map_err(|error| match error.is_io() {
                    true => failed(Kind::Unreachable, "endpoint not reached", "no connection"),
                    false => failed(Kind::NoAnswer, "no answer", "the connection was lost"),
                })?;
            let status = answer.status().as_u16();
            let body = ByteStream::new(answer.into_body()).collect().await;
            match body {
                Ok(body) => Ok((status, body.into_bytes())),
                Err(_) => Err(failed(
                    Kind::NoAnswer,
                    "unreadable answer",
                    "it was cut off",
                )),
            }
        };
        let (status, answer) = tokio::time::timeout(PATIENCE, answered)
            .await
            .map_err(|_| failed(Kind::NoAnswer, "timeout", "no answer in time"))??;
        let body: Value = serde_json::from_slice(&answer).unwrap_or_default();
        if status == 200 {
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
            let kind = match status {
                500.. => Kind::NoAnswer,
                _ => Kind::Refused,
            };
            let why = "the answer was not one of AWS's";
            return Err(failed(kind, &format!("HTTP {status}"), why));
        }
        let message = text(["message", "Message"]);
        Err(AwsError::answered(action, status, &code, &message))
    }
}

/// The Region an ARN names.
fn region_of<'a>(arn: &'a str, fallback: &'a str) -> &'a str {
    arn.split(':').nth(3).unwrap_or(fallback)
}

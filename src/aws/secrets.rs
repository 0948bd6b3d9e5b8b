//! Where the directory's secret is stored, whether it exists, and its value if this program connects to the directory
//! itself.

use jane_migrate_config::{Arn, Secret};
use jane_migrate_handler::Secrets;
use secrecy::ExposeSecret;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::client::Reader;
use super::error::failed;
use super::known::know;
use super::service::{Protocol, Service, ask};
use jane_migrate_core::aws_error::{AwsError, Found, Kind};
use jane_migrate_core::exposure::SecretPlace;

const SECRETS_MANAGER: Service = Service {
    signed_as: "secretsmanager",
    id: "Secrets Manager",
    protocol: Protocol::Json {
        version: "1.1",
        target: "secretsmanager",
    },
};

const SSM: Service = Service {
    signed_as: "ssm",
    id: "SSM",
    protocol: Protocol::Json {
        version: "1.1",
        target: "AmazonSSM",
    },
};

const GET_PARAMETER: &str = "ssm:GetParameter";

/// A date in the format of these services, in seconds.
fn ms(date: &Value) -> Option<i64> {
    date.as_f64().map(|seconds| (seconds * 1000.0) as i64)
}

impl Reader {
    /// Where the secret is stored. `None` if it does not exist, or is in no service.
    pub(crate) async fn secret_place(
        &self,
        secret: &Secret,
        region: &str,
    ) -> Result<Option<SecretPlace>, AwsError> {
        match secret {
            Secret::SecretsManager { arn, .. } => {
                let described = ask(
                    &self.config,
                    &SECRETS_MANAGER,
                    "secretsmanager:DescribeSecret",
                    &arn.region,
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
                    // A secret that was never changed has no such date.
                    changed_ms: ms(&secret["LastChangedDate"])
                        .or_else(|| ms(&secret["CreatedDate"])),
                }))
            }
            Secret::Ssm { name, .. } => {
                let query = json!({ "Name": name, "WithDecryption": false });
                let parameter = ask(&self.config, &SSM, GET_PARAMETER, region, query)
                    .await
                    .found()?;
                Ok(parameter.map(|answer| SecretPlace {
                    deleted: false,
                    encrypted: answer["Parameter"]["Type"] == "SecureString",
                    key: None,
                    copies: Vec::new(),
                    changed_ms: ms(&answer["Parameter"]["LastModifiedDate"]),
                }))
            }
            Secret::Env(_) => Ok(None),
        }
    }

    /// The resource policy of a secret of Secrets Manager; `Null` if it has none.
    pub(crate) async fn secret_policy(&self, arn: &Arn) -> Result<Value, AwsError> {
        let query = json!({ "SecretId": arn });
        let answer = ask(
            &self.config,
            &SECRETS_MANAGER,
            "secretsmanager:GetResourcePolicy",
            &arn.region,
            query,
        )
        .await
        .found()?
        .unwrap_or_default();
        Ok(answer["ResourcePolicy"]
            .as_str()
            .and_then(|policy| serde_json::from_str(policy).ok())
            .unwrap_or_default())
    }

    /// The value of the secret, read from the response as the handler does. `None` if it is in no service.
    pub(crate) async fn secret_value(
        &self,
        secret: &Secret,
        region: &str,
    ) -> Result<Option<SecretString>, AwsError> {
        let (service, action, region, query) = match secret {
            Secret::SecretsManager { arn, .. } => (
                &SECRETS_MANAGER,
                "secretsmanager:GetSecretValue",
                arn.region.as_str(),
                json!({ "SecretId": arn }),
            ),
            Secret::Ssm { name, .. } => {
                let query = json!({ "Name": name, "WithDecryption": true });
                (&SSM, GET_PARAMETER, region, query)
            }
            Secret::Env(_) => return Ok(None),
        };
        let answer = ask(&self.config, service, action, region, query).await?;
        for whole in [&answer["SecretString"], &answer["Parameter"]["Value"]] {
            know(whole.as_str().unwrap_or_default());
        }
        let value = Secrets::decode(secret, &answer).map_err(|_| {
            let message = format!("there is no {secret}");
            failed(action, Kind::Refused, "no such value", message)
        })?;
        know(value.expose_secret());
        Ok(Some(value))
    }
}

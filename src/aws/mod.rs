//! The only place that knows the AWS SDK. One file a service; each function is one call or one settled wait, takes and gives
//! the program's own types, and names the IAM action in its error. What is called when is decided by `observe`, `apply` and
//! the commands.

mod code;
pub mod cognito;
#[cfg(feature = "sandbox")]
pub mod customer;
pub mod error;
pub mod exposure;
pub mod iam;
pub mod lambda;
pub mod logs;
pub mod metrics;
mod pace;
mod raw;
mod retry;
pub mod secrets;
mod service;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_http_client::{Builder, Connector, proxy::ProxyConfig, tls};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use jane_migrate_handler::Credentials;
use tokio::sync::Semaphore;

pub use jane_migrate_core::aws_error::{AwsError, Found, Kind};

/// How long an answer may take, where nobody says: longer than any of these calls has reason to.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Where to connect, and as whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Connection {
    /// The Region of the pool.
    pub region: String,
    /// A profile of the AWS configuration files.
    pub profile: Option<String>,
    /// One endpoint for every service: an emulator. (`AWS_ENDPOINT_URL` and its per-service forms are the SDK's own.)
    pub endpoint_url: Option<String>,
    /// How long an answer may take.
    pub timeout: Option<Duration>,
    /// An access key and its secret, in place of what the environment and the files hold: the sandbox's.
    pub keys: Option<(&'static str, &'static str)>,
}

/// Connections that are open already: pools of one Region share clients, connections and the pace.
#[derive(Debug, Default)]
pub struct Connections(tokio::sync::Mutex<HashMap<Connection, Aws>>);

impl Connections {
    /// The clients for this connection.
    pub async fn get(&self, connection: &Connection) -> Aws {
        let mut open = self.0.lock().await;
        match open.get(connection) {
            Some(aws) => aws.clone(),
            None => {
                let aws = Aws::connect(connection).await;
                open.insert(connection.clone(), aws.clone());
                aws
            }
        }
    }
}

/// The clients of one Region. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Aws {
    cognito: aws_sdk_cognitoidentityprovider::Client,
    lambda: aws_sdk_lambda::Client,
    iam: aws_sdk_iam::Client,
    /// What services without a client of their own are asked by.
    config: SdkConfig,
    /// What is fetched without the SDK leaves by this, on connections that are kept.
    http: SharedHttpConnector,
    /// An upload is in memory several times over while it is encoded and sent.
    uploads: Arc<Semaphore>,
}

/// Uploads at once.
const UPLOADS: usize = 4;

impl Aws {
    /// Loads the configuration that every AWS tool shares (environment, profiles, SSO, instance roles). Makes no call.
    pub async fn connect(connection: &Connection) -> Self {
        let http = Builder::new().build_with_connector_fn(connector);
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(connection.region.clone()))
            .http_client(SharedHttpClient::new(pace::Paced::new(http)))
            .retry_config(
                retry::mode()
                    .with_max_attempts(retry::attempts())
                    .with_initial_backoff(retry::FIRST_PAUSE),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    // Of the answer alone: an attempt has the wait for its turn in it, too.
                    .read_timeout(connection.timeout.unwrap_or(TIMEOUT))
                    .build(),
            );
        if let Some(profile) = &connection.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = &connection.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if let Some((id, secret)) = connection.keys {
            let keys = aws_credential_types::Credentials::new(id, secret, None, None, "sandbox");
            loader = loader.credentials_provider(keys);
        }
        let config = loader.load().await;
        Self::of(&config)
    }

    fn of(config: &SdkConfig) -> Self {
        Self {
            cognito: aws_sdk_cognitoidentityprovider::Client::from_conf(
                aws_sdk_cognitoidentityprovider::config::Builder::from(config)
                    .retry_partition(retry::unlimited("cognito-idp"))
                    .retry_classifier(retry::Ours)
                    .build(),
            ),
            lambda: aws_sdk_lambda::Client::from_conf(
                aws_sdk_lambda::config::Builder::from(config)
                    .retry_partition(retry::unlimited("lambda"))
                    .retry_classifier(retry::Ours)
                    .build(),
            ),
            iam: aws_sdk_iam::Client::from_conf(
                aws_sdk_iam::config::Builder::from(config)
                    .retry_partition(retry::unlimited("iam"))
                    .retry_classifier(retry::Ours)
                    .build(),
            ),
            config: config.clone(),
            http: SharedHttpConnector::new(connector(None, None)),
            uploads: Arc::new(Semaphore::new(UPLOADS)),
        }
    }

    /// How often a call is made at most.
    pub fn attempts(&self) -> u32 {
        retry::attempts()
    }

    /// The caller's credentials as the handler's own signing takes them, to read the directory's secret as the handler does.
    pub async fn credentials(&self) -> Option<Credentials> {
        let credentials = self
            .config
            .credentials_provider()?
            .provide_credentials()
            .await
            .ok()?;
        Some(Credentials {
            access_key_id: credentials.access_key_id().to_owned(),
            secret_access_key: credentials.secret_access_key().into(),
            session_token: credentials.session_token().map(Into::into),
        })
    }
}

/// How requests leave: through the environment's proxy, where it names one.
fn connector(
    settings: Option<&HttpConnectorSettings>,
    components: Option<&RuntimeComponents>,
) -> Connector {
    // ring and not the SDK's default provider: one C library less to compile, and the handler's TLS is built on it too.
    let mut connector = Connector::builder()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::Ring,
        ))
        .proxy_config(ProxyConfig::from_env());
    if let Some(settings) = settings {
        connector = connector.connector_settings(settings.clone());
    }
    if let Some(sleep) = components.and_then(|components| components.sleep_impl()) {
        connector = connector.sleep_impl(sleep);
    }
    connector.build()
}

//! The SDK's clients, and the open connections. The calls of a service are in the file of that service.

use std::collections::HashMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::provider::ProvideCredentials;
use jane_migrate_handler::Credentials;
use tokio::sync::Semaphore;

use super::connection::{Connection, load};
use super::{known, mfa, retry};
use crate::environment;

/// The open connections: pools of one account and Region share clients, connections and the pace.
#[derive(Debug, Default)]
pub struct Connections(tokio::sync::Mutex<HashMap<Connection, Reader>>);

impl Connections {
    /// The clients for this connection.
    pub(crate) async fn get(&self, connection: &Connection) -> Reader {
        let mut open = self.0.lock().await;
        match open.get(connection) {
            Some(aws) => aws.clone(),
            None => {
                let aws = Reader::connect(connection).await;
                open.insert(connection.clone(), aws.clone());
                aws
            }
        }
    }
}

/// Reads from one Region, and changes nothing there. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) cognito: aws_sdk_cognitoidentityprovider::Client,
    pub(super) lambda: aws_sdk_lambda::Client,
    pub(super) iam: aws_sdk_iam::Client,
    /// For services without an SDK crate.
    pub(super) config: SdkConfig,
    /// Bounds the queries of Logs Insights that run at once.
    pub(super) queries: Arc<Semaphore>,
    /// Bounds the uploads of all writers of this connection: an upload needs several times its size in memory.
    pub(super) uploads: Arc<Semaphore>,
}

/// Queries of Logs Insights at once: an account and Region has 30, and this leaves some to others.
const QUERIES: usize = 20;

/// Uploads at once.
const UPLOADS: usize = 4;

impl Reader {
    /// Loads the configuration that every AWS tool shares (environment, profiles, SSO, instance roles). Makes no call, except if
    /// a role of the profile needs the code of an MFA device: later the SDK would wait only seconds for it.
    pub async fn connect(connection: &Connection) -> Self {
        for name in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            known::know(&environment::var(name).unwrap_or_default());
        }
        let config = load(connection);
        let config = match mfa::session(connection).await {
            Some(session) => config.credentials_provider(session),
            None => config,
        };
        let config = config.load().await;
        let Some(role) = &connection.role_arn else {
            return Self::of(&config);
        };
        let role = AssumeRoleProvider::builder(role)
            .session_name("jane-migrate")
            .configure(&config)
            .build()
            .await;
        let loader = load(connection).credentials_provider(role);
        Self::of(&loader.load().await)
    }

    /// The same with this access key (id, secret) in place of the environment and the files.
    pub async fn connect_as(connection: &Connection, [id, secret]: [&str; 2]) -> Self {
        known::know(secret);
        let keys = aws_credential_types::Credentials::new(id, secret, None, None, "given");
        let loader = load(connection).credentials_provider(keys);
        Self::of(&loader.load().await)
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
            queries: Arc::new(Semaphore::new(QUERIES)),
            uploads: Arc::new(Semaphore::new(UPLOADS)),
        }
    }

    /// The caller's credentials in the form of the handler's own signing, to read the directory's secret as the handler does.
    pub(crate) async fn credentials(&self) -> Option<Credentials> {
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

//! Where to connect and as whom, and the SDK's clients. What is asked of a service stands in the file of that service.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector, proxy::ProxyConfig, tls};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_types::os_shim_internal::Env;
use jane_migrate_handler::Credentials;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::Semaphore;

use super::{known, pace, retry};
use crate::environment;
use crate::error::{Error, Result};

/// How long an answer may take, where nobody says: longer than any of these calls has reason to.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Where to connect, and as whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Connection {
    /// The Region of the pool.
    pub region: String,
    /// A profile of the AWS configuration files.
    pub profile: Option<String>,
    /// A role to assume with the credentials that there are.
    pub role_arn: Option<String>,
    /// One endpoint for every service: an emulator. (`AWS_ENDPOINT_URL` and its per-service forms are the SDK's own.)
    pub endpoint_url: Option<String>,
    /// How long an answer may take.
    pub timeout: Option<Duration>,
}

/// Connections that are open already: pools of one account and Region share clients, connections and the pace.
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
    /// Services without an SDK crate are asked by this.
    pub(super) config: SdkConfig,
    /// Bounds the queries of Logs Insights that run at once.
    pub(super) queries: Arc<Semaphore>,
    /// Bounds the uploads of all writers of this connection: an upload is in memory several times over while it is sent.
    pub(super) uploads: Arc<Semaphore>,
}

/// Queries of Logs Insights at once: an account and Region has 30, of which some are left to others.
const QUERIES: usize = 20;

/// Uploads at once.
const UPLOADS: usize = 4;

impl Reader {
    /// Loads the configuration that every AWS tool shares (environment, profiles, SSO, instance roles). Makes no call.
    pub async fn connect(connection: &Connection) -> Self {
        for name in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            known::know(&environment::var(name).unwrap_or_default());
        }
        let config = load(connection).load().await;
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

    /// The same with this access key, its id and its secret, in place of what the environment and the files hold.
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

    /// The caller's credentials as the handler's own signing takes them, to read the directory's secret as the handler does.
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

/// What every AWS tool reads, and this program's own way out.
fn load(connection: &Connection) -> aws_config::ConfigLoader {
    let http = Builder::new().build_with_connector_fn(connector);
    // A profile that is named comes before an access key in the environment, as for the AWS command line; the SDK takes the key.
    let keys = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ];
    let mut variables = environment::vars();
    if connection.profile.is_some() {
        variables.retain(|name, _| !keys.contains(&name.as_str()));
    }
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .env(Env::from(variables))
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
    loader
}

/// The certificates of `AWS_CA_BUNDLE`, where it names a file: as for every AWS tool, whoever they vouch for is trusted, and nobody
/// else.
pub fn ca_bundle() -> Result<Option<Vec<u8>>> {
    let Some(file) = environment::var("AWS_CA_BUNDLE") else {
        return Ok(None);
    };
    let read = || {
        let bundle = std::fs::read(&file).map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&bundle) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        match roots.is_empty() {
            true => Err("it holds no certificate".to_owned()),
            false => Ok(Some(bundle)),
        }
    };
    read().map_err(|why: String| {
        Error::new(
            format!("failed to read the certificates of AWS_CA_BUNDLE, `{file}`: {why}"),
            "name a file with certificates in PEM, or unset AWS_CA_BUNDLE for the system's",
        )
    })
}

/// How requests leave: through the environment's proxy, where it names one.
fn connector(
    settings: Option<&HttpConnectorSettings>,
    components: Option<&RuntimeComponents>,
) -> Connector {
    let mut trusted = TlsContext::builder();
    if let Ok(Some(bundle)) = ca_bundle() {
        trusted = trusted.with_trust_store(TrustStore::empty().with_pem_certificate(bundle));
    }
    // ring and not the SDK's default provider: one C library less to compile, and the handler's TLS is built on it too.
    let mut connector = Connector::builder()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::Ring,
        ))
        .proxy_config(ProxyConfig::from_env());
    if let Ok(trusted) = trusted.build() {
        connector = connector.tls_context(trusted);
    }
    if let Some(settings) = settings {
        connector = connector.connector_settings(settings.clone());
    }
    if let Some(sleep) = components.and_then(|components| components.sleep_impl()) {
        connector = connector.sleep_impl(sleep);
    }
    connector.build()
}

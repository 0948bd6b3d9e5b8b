//! Where to connect and with which credentials, as every AWS tool reads it, and how requests leave this program. Creates no
//! client.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector, proxy::ProxyConfig, tls};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_types::os_shim_internal::Env;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{pace, retry};
use crate::environment;
use crate::error::{Error, Result};
use crate::host;

/// The default timeout of a call: longer than any of these calls should take.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Where to connect, and with which credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Connection {
    /// The Region of the pool.
    pub region: String,
    /// A profile of the AWS configuration files.
    pub profile: Option<String>,
    /// A role to assume with those credentials.
    pub role_arn: Option<String>,
    /// One endpoint for every service: an emulator. (`AWS_ENDPOINT_URL` and its per-service forms are the SDK's own.)
    pub endpoint_url: Option<String>,
    /// The timeout of a call.
    pub timeout: Option<Duration>,
}

/// The environment for this connection: a named profile wins over an access key, as in the AWS CLI; the SDK would use the key.
pub(super) fn variables(connection: &Connection) -> HashMap<String, String> {
    let keys = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ];
    let mut variables = environment::vars();
    if connection.profile.is_some() {
        variables.retain(|name, _| !keys.contains(&name.as_str()));
    }
    variables
}

tokio::task_local! {
    static WAY: SharedHttpClient;
}

/// Runs work whose requests go to this client instead of the network. They are signed with a meaningless key, and the environment
/// and files of the AWS tools are not read.
pub async fn by_way_of<T>(way: SharedHttpClient, work: impl Future<Output = T>) -> T {
    WAY.scope(way, work).await
}

/// Whether requests go to such a client.
pub(super) fn has_way() -> bool {
    WAY.try_with(|_| ()).is_ok()
}

/// The SDK's clock and sleep, from `host`.
#[derive(Debug)]
struct HostTime;

impl AsyncSleep for HostTime {
    fn sleep(&self, pause: Duration) -> Sleep {
        Sleep::new(host::sleep(pause))
    }
}

impl TimeSource for HostTime {
    fn now(&self) -> SystemTime {
        let since = Duration::from_millis(host::now_ms().try_into().unwrap_or_default());
        SystemTime::UNIX_EPOCH + since
    }
}

/// The configuration of every AWS tool, with this program's HTTP client.
pub(super) fn load(connection: &Connection) -> aws_config::ConfigLoader {
    if let Ok(way) = WAY.try_with(SharedHttpClient::clone) {
        let key = aws_credential_types::Credentials::new("none", "none", None, None, "given");
        return with(connection, way)
            .env(Env::from_slice(&[]))
            .credentials_provider(key);
    }
    let http = Builder::new().build_with_connector_fn(connector);
    let mut loader = with(connection, http).env(Env::from(variables(connection)));
    if let Some(profile) = &connection.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &connection.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader
}

/// The settings for every HTTP client.
fn with(connection: &Connection, http: SharedHttpClient) -> aws_config::ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(connection.region.clone()))
        .sleep_impl(HostTime)
        .time_source(HostTime)
        .http_client(SharedHttpClient::new(pace::Paced::new(http)))
        .retry_config(
            retry::mode()
                .with_max_attempts(retry::attempts())
                .with_initial_backoff(retry::FIRST_PAUSE),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                // A timeout of the response only: an attempt also includes the wait for its turn.
                .read_timeout(connection.timeout.unwrap_or(TIMEOUT))
                .build(),
        )
}

/// The certificates of `AWS_CA_BUNDLE`, if it names a file: as for every AWS tool, no other authority is then trusted.
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

/// How requests leave: through the environment's proxy, if it names one.
fn connector(
    settings: Option<&HttpConnectorSettings>,
    components: Option<&RuntimeComponents>,
) -> Connector {
    let mut trusted = TlsContext::builder();
    if let Ok(Some(bundle)) = ca_bundle() {
        trusted = trusted.with_trust_store(TrustStore::empty().with_pem_certificate(bundle));
    }
    // ring and not the SDK's default provider: one C library less to compile, and the handler's TLS uses it too.
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

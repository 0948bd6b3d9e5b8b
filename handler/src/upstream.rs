//! HTTP to the directory and to AWS: kept connections, no redirects, bounded answers, every call within the budget.

use bytes::Bytes;
use http::{
    Extensions, Request, StatusCode, Uri,
    uri::{Authority, PathAndQuery},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client, Error,
        connect::{HttpConnector, HttpInfo},
    },
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::Value;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

use crate::budget::{Budget, Unavailable};

/// The longest answer that is read.
const LONGEST_ANSWER: usize = 256 * 1024;

/// How much is read at a time, and how long a head may be: between two looks at the clock no more arrives than a few of
/// these.
const BUFFER: usize = 32 * 1024;

/// How long a connection may lie idle and still be used: load balancers close theirs after a minute, and a function that
/// was frozen in between would find out too late.
const IDLE: Duration = Duration::from_secs(50);

/// How long a connection may take to open, and how long what was sent may go unacknowledged: a connection that vanished
/// while the function was frozen tells nobody.
const SILENCE: Duration = Duration::from_millis(1500);

/// An HTTP client.
#[derive(Debug)]
pub struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// The connection, by its own end, that answered last for a host, and when it did.
    answered: Mutex<HashMap<Authority, (SocketAddr, Instant)>>,
}

/// An answer, read to its end.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    body: Bytes,
}

impl Upstream {
    /// A client that trusts the public certificate authorities, or in their place those of this PEM.
    pub fn new(ca_certificate: Option<&str>) -> Result<Self, InvalidCertificate> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(SILENCE));
        // Where the function runs. The command line uses the directories' code on macOS, too, which has no such option.
        #[cfg(target_os = "linux")]
        http.set_tcp_user_timeout(Some(SILENCE));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls(ca_certificate)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self {
            client: Client::builder(TokioExecutor::new())
                .http1_max_buf_size(BUFFER)
                .pool_idle_timeout(IDLE)
                .build(https),
            answered: Mutex::default(),
        })
    }

    /// Opens the connection to a URL's host ahead of its use, by a request that asks for nothing.
    pub async fn open(&self, url: &Uri, budget: &Budget) -> Result<(), Unavailable> {
        let mut parts = url.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
        let root = Uri::from_parts(parts).map_err(|_| Unavailable("request"))?;
        let request = Request::head(root)
            .body(Full::new(Bytes::new()))
            .map_err(|_| Unavailable("request"))?;
        self.send("open", request, budget).await.map(drop)
    }

    /// Sends a request and reads its answer, whatever its status. A connection that died while it lay idle shows only
    /// now, so the request is sent once more if that may be what happened, and never otherwise: each time a password
    /// arrives, the directory may count a failed sign-in.
    pub async fn send(
        &self,
        call: &'static str,
        request: Request<Full<Bytes>>,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let started = Instant::now();
        let again = request.clone();
        let host = request.uri().authority().cloned();
        let sent = async {
            match self.client.request(request).await {
                Err(error) if self.lay_idle(host.as_ref(), &error, budget) => {
                    self.client.request(again).await
                }
                answer => answer,
            }
            .map_err(|error| {
                Unavailable(if error.is_connect() {
                    "connect"
                } else {
                    "connection"
                })
            })
        };
        let answer = match budget.within(sent).await {
            Ok(answer) => answer,
            Err(unavailable) => {
                budget.record(call, started, None);
                return Err(unavailable);
            }
        };
        let status = answer.status();
        if let (Some(host), Some(info)) = (host, answer.extensions().get::<HttpInfo>()) {
            let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
            answered.insert(host, (info.local_addr(), Instant::now()));
        }
        let read = async {
            let body = Limited::new(answer.into_body(), LONGEST_ANSWER)
                .collect()
                .await;
            body.map_err(|_| Unavailable("body"))
                .map(|body| body.to_bytes())
        };
        let body = budget.within(read).await;
        budget.record(call, started, Some(status.as_u16()));
        Ok(Answer {
            status,
            body: body?,
        })
    }

    /// Whether the connection that failed was kept from an earlier invocation.
    fn lay_idle(&self, host: Option<&Authority>, error: &Error, budget: &Budget) -> bool {
        let mut extras = Extensions::new();
        if let Some(connection) = error.connect_info() {
            connection.get_extras(&mut extras);
        }
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let last = host.and_then(|host| answered.get(host));
        match (extras.get::<HttpInfo>(), last) {
            (Some(failed), Some((address, at))) => {
                failed.local_addr() == *address && budget.began_after(*at)
            }
            _ => false,
        }
    }
}

impl Answer {
    /// An answer as tests make them up.
    #[cfg(test)]
    pub fn made_up(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            body: body.into(),
        }
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, Unavailable> {
        serde_json::from_slice(&self.body).map_err(|_| Unavailable("malformed"))
    }

    /// The body as it came.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// How TLS is spoken: with ring, and the given certificate authorities or else the public ones.
pub fn tls(ca_certificate: Option<&str>) -> Result<ClientConfig, InvalidCertificate> {
    let mut roots = RootCertStore::empty();
    match ca_certificate {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|_| InvalidCertificate)?;
                roots.add(certificate).map_err(|_| InvalidCertificate)?;
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| InvalidCertificate)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// `ca_certificate` holds no certificate that can be used.
#[derive(Debug)]
pub struct InvalidCertificate;

//! HTTP to the directory and to AWS: connections are kept, redirects are not followed, responses are limited in size, and every
//! call ends within the budget.

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
    CertificateError, ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::Value;
use std::{
    collections::HashMap,
    error::Error as _,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

use crate::{
    budget::{Budget, Unavailable},
    lock::lock,
};

/// The longest response that is accepted.
const LONGEST_ANSWER: usize = 256 * 1024;

/// The size of a read, and of the longest response header (the limit of Node.js too). The budget is checked after at most 128 reads.
const BUFFER: usize = 16 * 1024;

/// How long an idle connection is reused. Load balancers close idle connections after a minute, and a frozen function would
/// notice too late.
const IDLE: Duration = Duration::from_secs(50);

/// How long a connection may take to open, and how long sent data may stay unacknowledged. A connection that was lost while the
/// function was frozen reports no error.
const SILENCE: Duration = Duration::from_millis(1500);

/// An HTTP client.
#[derive(Debug)]
pub struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// The local address of the connection that last answered for each host, and when it did.
    answered: Mutex<HashMap<Authority, (SocketAddr, Instant)>>,
}

/// A complete response.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    body: Bytes,
}

impl Upstream {
    /// A client that trusts the public certificate authorities, or only those in this PEM text.
    pub fn new(ca_certificate: Option<&str>) -> Result<Self, InvalidCertificate> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(SILENCE));
        // The command line also uses this code on macOS, which has no such option.
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

    /// Opens the connection to a URL's host before it is needed, with a HEAD request.
    pub async fn open(&self, url: &Uri, budget: &Budget) -> Result<(), Unavailable> {
        let mut parts = url.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
        let root = Uri::from_parts(parts).map_err(|_| Unavailable("request"))?;
        let request = Request::head(root)
            .body(Full::new(Bytes::new()))
            .map_err(|_| Unavailable("request"))?;
        self.send("open", request, budget).await.map(drop)
    }

    /// Sends a request and reads its response, with any status. If the request failed on an idle connection, it is sent again:
    /// the connection may have been lost meanwhile. It is never sent again for another reason, also not if the server closed the
    /// connection instead of answering, because the directory may count each password as a failed sign-in.
    pub async fn send(
        &self,
        call: &'static str,
        request: Request<Full<Bytes>>,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let started = Instant::now();
        let again = request.clone();
        let host = request.uri().authority().cloned();
        let name = request.uri().host().map(str::to_owned);
        let sent = async {
            match self.client.request(request).await {
                Err(error) if self.was_idle(host.as_ref(), &error, budget) => {
                    self.client.request(again).await
                }
                answer => answer,
            }
            .map_err(|error| why(&error))
        };
        let answer = match budget.within(sent).await {
            Ok(answer) => answer,
            Err(unavailable) => {
                budget.record(call, name.as_deref(), started, None);
                return Err(unavailable);
            }
        };
        let status = answer.status();
        if let (Some(host), Some(info)) = (host, answer.extensions().get::<HttpInfo>()) {
            lock(&self.answered).insert(host, (info.local_addr(), Instant::now()));
        }
        let read = async {
            let body = Limited::new(answer.into_body(), LONGEST_ANSWER)
                .collect()
                .await;
            body.map_err(|_| Unavailable("body"))
                .map(|body| body.to_bytes())
        };
        let body = budget.within(read).await;
        budget.record(call, name.as_deref(), started, Some(status.as_u16()));
        Ok(Answer {
            status,
            body: body?,
        })
    }

    /// Whether the failed connection was kept from an earlier invocation, and did not fail by a regular end after the request.
    fn was_idle(&self, host: Option<&Authority>, error: &Error, budget: &Budget) -> bool {
        let cause = error
            .source()
            .and_then(<dyn std::error::Error>::downcast_ref);
        if cause.is_some_and(hyper::Error::is_incomplete_message) {
            return false;
        }
        let mut extras = Extensions::new();
        if let Some(connection) = error.connect_info() {
            connection.get_extras(&mut extras);
        }
        let answered = lock(&self.answered);
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
    /// A response for tests.
    #[cfg(any(test, fuzzing))]
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

    /// The raw body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Why there was no response. An expired certificate is reported as such, whatever the network does: its owner must renew it.
fn why(error: &Error) -> Unavailable {
    match error.is_connect() {
        true => refused(error),
        false => Unavailable("connection"),
    }
}

/// Why no connection could be opened.
pub fn refused(error: &(dyn std::error::Error + 'static)) -> Unavailable {
    let mut cause = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref() {
            Some(rustls::Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            )) => return Unavailable("certificate-expired"),
            Some(rustls::Error::InvalidCertificate(_)) => return Unavailable("certificate"),
            _ => {}
        }
        // rustls' error is inside the socket's error, whose `source` skips it.
        cause = match error.downcast_ref::<io::Error>() {
            Some(error) => error.get_ref().map(|inner| inner as _),
            None => error.source(),
        };
    }
    Unavailable("connect")
}

/// TLS with ring. It trusts the given certificate authorities, or else the public ones.
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

/// The error for a `ca_certificate` with a certificate that cannot be used.
#[derive(Debug)]
pub struct InvalidCertificate;

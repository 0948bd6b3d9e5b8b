//! HTTP to the directory and to AWS: kept connections, no redirects, bounded answers, every call within the budget.

use bytes::Bytes;
use http::{Request, StatusCode, Uri, uri::PathAndQuery};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

use crate::budget::{Budget, Unavailable};

/// The longest answer that is read.
const LONGEST_ANSWER: usize = 256 * 1024;

/// How long a connection may lie idle and still be used: load balancers close theirs after a minute, and a function that
/// was frozen in between would find out too late.
const IDLE: Duration = Duration::from_secs(50);

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_millis(1500);

/// An HTTP client.
#[derive(Clone, Debug)]
pub struct Upstream(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

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
        http.set_connect_timeout(Some(CONNECT));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls(ca_certificate)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self(
            Client::builder(TokioExecutor::new())
                .pool_idle_timeout(IDLE)
                .build(https),
        ))
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
    /// now, so the request is sent once more if the first connection broke without a word.
    pub async fn send(
        &self,
        call: &'static str,
        request: Request<Full<Bytes>>,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let started = Instant::now();
        let again = request.clone();
        let sent = async {
            match self.0.request(request).await {
                Err(error) if !error.is_connect() => self.0.request(again).await,
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

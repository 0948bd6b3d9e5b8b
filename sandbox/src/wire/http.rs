//! HTTP/1.1 over loopback: a server that stops when it is dropped, and a client.

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// The body of a response.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The connection is closed without a response.
#[derive(Debug)]
pub struct Hangup;

impl std::fmt::Display for Hangup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hung up")
    }
}

impl std::error::Error for Hangup {}

/// A server for programs of this machine, but not for web pages. It stops with all its connections when this is dropped.
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on loopback; port 0 for any free one.
    pub async fn bind(port: u16) -> Result<TcpListener> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("failed to listen on 127.0.0.1:{port}"))
    }

    /// Responds to the requests at `listener`.
    pub fn serve<F, A>(listener: TcpListener, answer: F) -> Result<Self>
    where
        F: Fn(Request<Incoming>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Response<Body>, Hangup>> + Send,
    {
        let address = listener.local_addr()?;
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                // The only error here is too many open files, which is temporary.
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let _ = stream.set_nodelay(true);
                while connections.try_join_next().is_some() {}
                let answer = answer.clone();
                connections.spawn(async move {
                    let service = service_fn(|request| async {
                        match from_outside(&request) {
                            true => Ok(refused()),
                            false => answer(request).await.map(without_cors),
                        }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Self { address, task })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether a web page made the request, or the host name is not this machine's: a page can point any name to this machine. Tools
/// send neither header.
fn from_outside(request: &Request<Incoming>) -> bool {
    let headers = request.headers();
    let host = header(headers, "host").and_then(|host| host.parse::<Authority>().ok());
    let ours = host.is_some_and(|host| matches!(host.host(), "127.0.0.1" | "localhost" | "[::1]"));
    // A browser sends a complete URL in a request only to a proxy that its user configured.
    let as_proxy = request.uri().authority().is_some();
    !(ours || as_proxy) || headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site")
}

fn refused() -> Response<Body> {
    let body = json!({"__type": "ForbiddenException", "message": "The sandbox serves this machine's tools, and no web page."});
    json(StatusCode::FORBIDDEN, &body)
}

/// No web page may read a response, whatever the emulator allows.
fn without_cors(mut response: Response<Body>) -> Response<Body> {
    let names: Vec<_> = response.headers().keys().cloned().collect();
    for name in names {
        if name.as_str().starts_with("access-control-") {
            response.headers_mut().remove(name);
        }
    }
    response
}

/// The complete body, unless it is longer than `limit`.
pub async fn read(body: Incoming, limit: usize) -> Option<Bytes> {
    Some(Limited::new(body, limit).collect().await.ok()?.to_bytes())
}

/// A body of these bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

pub(crate) fn json(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(full(body.to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The value of a header, if it is text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A client that keeps its connections.
pub(crate) struct Client(hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>);

impl Default for Client {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(
            hyper_util::client::legacy::Client::builder(TokioExecutor::new())
                // The emulators close idle connections after 75 s.
                .pool_idle_timeout(Duration::from_secs(30))
                .build(connector),
        )
    }
}

impl Client {
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
        let (parts, body) = self.0.request(request).await?.into_parts();
        Ok(Response::from_parts(
            parts,
            body.collect().await?.to_bytes(),
        ))
    }
}

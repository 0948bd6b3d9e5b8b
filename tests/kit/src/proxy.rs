//! A proxy between an AWS client and an endpoint that drops, changes, delays and counts calls, as a test decides. It identifies
//! the call of a request, but does not know what the call does.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use jane_migrate_sandbox::wire::{
    self, Answer, BODY_LIMIT, Body, Call, Hangup, Refusal, Server, Upstream,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::sync::{Semaphore, watch};

/// A request that arrived at the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    /// Its number in the order of arrival, from 1.
    pub number: usize,
    /// The service, by its signing name.
    pub service: String,
    /// The API's name of the call, such as `UpdateUserPool`.
    pub action: String,
    /// Its number among the calls with this name, from 1.
    pub nth: usize,
    /// The number of the attempt for this request, from 1.
    pub attempt: usize,
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fate {
    /// Forwarded and answered.
    Pass,
    /// Forwarded after a delay.
    Delay(Duration),
    /// Not forwarded: rejected as by AWS with this status, code and message.
    Refuse(u16, &'static str, &'static str),
    /// Not forwarded: rejected as by AWS with this code, quoting the complete request, plain and escaped.
    Quote(&'static str),
    /// Not forwarded: a server that is not AWS answers with this status.
    Page(u16),
    /// Not forwarded: the connection ends.
    Drop,
    /// Held before it is forwarded, until `release`.
    HoldRequest,
    /// Forwarded: the connection ends instead of the response.
    LoseAnswer,
    /// Forwarded: the connection ends in the middle of the response.
    CutAnswer,
    /// Forwarded, but not answered until `release`.
    HoldAnswer,
    /// Forwarded, but not answered until this becomes true.
    HoldUntil(watch::Receiver<bool>),
    /// Forwarded: the JSON of the response is edited.
    Edit(fn(&mut Value)),
}

/// The proxy. It stops when this is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    server: Server,
}

type Decide = dyn Fn(&Passing) -> Fate + Send + Sync;

struct Shared {
    upstream: Upstream,
    decide: Box<Decide>,
    passed: Mutex<Vec<(u64, Passing)>>,
    at_once: Mutex<AtOnce>,
    held: watch::Sender<usize>,
    /// How many were held so far.
    ever_held: watch::Sender<usize>,
    released: watch::Sender<bool>,
    /// Releases one held request or response.
    one: Semaphore,
}

#[derive(Default)]
struct AtOnce {
    now: usize,
    most: usize,
}

impl Proxy {
    /// Starts a proxy in front of `upstream` that calls `decide` for each request.
    pub async fn start(
        upstream: &str,
        decide: impl Fn(&Passing) -> Fate + Send + Sync + 'static,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            upstream: Upstream::new(upstream),
            decide: Box::new(decide),
            passed: Mutex::default(),
            at_once: Mutex::default(),
            held: watch::Sender::new(0),
            ever_held: watch::Sender::new(0),
            released: watch::Sender::new(false),
            one: Semaphore::new(0),
        });
        let serving = shared.clone();
        let server = Server::serve(Server::bind(0).await?, move |request| {
            let shared = serving.clone();
            async move { shared.answer(request).await }
        })?;
        Ok(Self { shared, server })
    }

    /// Its URL: the endpoint for AWS clients.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The requests so far, in the order in which they arrived.
    pub fn passed(&self) -> Vec<Passing> {
        let passed = lock(&self.shared.passed);
        passed.iter().map(|(_, passing)| passing.clone()).collect()
    }

    /// The highest number of parallel requests.
    pub fn most_at_once(&self) -> usize {
        lock(&self.shared.at_once).most
    }

    /// Waits until a request or a response is held.
    pub async fn held(&self) {
        // The sender exists as long as this does.
        let _ = self
            .shared
            .held
            .subscribe()
            .wait_for(|held| *held > 0)
            .await;
    }

    /// Waits until this many requests or responses have been held.
    pub async fn held_so_far(&self, count: usize) {
        let mut ever = self.shared.ever_held.subscribe();
        // The sender exists as long as this does.
        let _ = ever.wait_for(|ever| *ever >= count).await;
    }

    /// Releases one held request or response, or the next one.
    pub fn release_one(&self) {
        self.shared.one.add_permits(1);
    }

    /// Releases everything that is held, and holds nothing from now on.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Hangup> {
        let (parts, body) = request.into_parts();
        let body = wire::read(body, BODY_LIMIT).await.ok_or(Hangup)?;
        let call = Call::read(parts, body);
        let passing = self.note(&call);
        let _under_way = UnderWay::begin(&self.at_once);
        let fate = (self.decide)(&passing);
        match &fate {
            Fate::Delay(time) => tokio::time::sleep(*time).await,
            Fate::Refuse(status, code, message) => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_REQUEST);
                let refusal = Refusal::new(*code, *message).with_status(status);
                return Ok(refusal.into_answer(&call.service).into_response());
            }
            Fate::Quote(code) => {
                let refusal = Refusal::new(*code, quoted(&call));
                return Ok(refusal.into_answer(&call.service).into_response());
            }
            Fate::Page(status) => return Ok(page(*status)),
            Fate::Drop => return Err(Hangup),
            Fate::HoldRequest => self.hold().await,
            _ => {}
        }
        let answer = self.upstream.pass(&call).await.map_err(|_| Hangup)?;
        match fate {
            Fate::LoseAnswer => return Err(Hangup),
            Fate::CutAnswer => return Ok(cut(answer)),
            Fate::HoldAnswer => self.hold().await,
            Fate::HoldUntil(mut gate) => {
                // A gate whose sender was dropped counts as open.
                let _ = gate.wait_for(|open| *open).await;
            }
            Fate::Edit(edit) => {
                let mut value = answer.value();
                edit(&mut value);
                return Ok(answer.with_value(&value).into_response());
            }
            _ => {}
        }
        Ok(answer.into_response())
    }

    fn note(&self, call: &Call) -> Passing {
        let mut hasher = DefaultHasher::new();
        (&call.uri, &call.action, &call.body).hash(&mut hasher);
        let request = hasher.finish();
        let mut passed = lock(&self.passed);
        let like = |same: &dyn Fn(&(u64, Passing)) -> bool| {
            1 + passed.iter().filter(|passed| same(passed)).count()
        };
        let passing = Passing {
            number: passed.len() + 1,
            service: call.service.clone(),
            action: call.action.clone(),
            nth: like(&|(_, one)| one.action == call.action),
            attempt: like(&|(one, _)| *one == request),
        };
        passed.push((request, passing.clone()));
        passing
    }

    async fn hold(&self) {
        self.held.send_modify(|held| *held += 1);
        self.ever_held.send_modify(|held| *held += 1);
        let mut released = self.released.subscribe();
        // The sender is in `self`, and the semaphore is never closed.
        tokio::select! {
            _ = released.wait_for(|released| *released) => {}
            Ok(one) = self.one.acquire() => one.forget(),
        }
        self.held.send_modify(|held| *held -= 1);
    }
}

/// The request's text in a rejection. Code, which is most of an upload, is left out.
fn quoted(call: &Call) -> String {
    let mut body = String::from_utf8_lossy(&call.body).into_owned();
    if let Ok(mut value) = serde_json::from_slice::<Value>(&call.body) {
        for code in ["/ZipFile", "/Code/ZipFile"] {
            if let Some(code) = value.pointer_mut(code) {
                *code = Value::Null;
            }
        }
        body = value.to_string();
    }
    let json = Value::from(body.as_str());
    let url = utf8_percent_encode(&body, NON_ALPHANUMERIC);
    let headers = call
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {value:?}"));
    let headers: Vec<String> = headers.collect();
    format!(
        "Invalid request {} {}: {body}, as JSON {json}, as URL {url}",
        call.uri,
        headers.join(", ")
    )
}

/// The response of a server that is not AWS.
fn page(status: u16) -> Response<Body> {
    let mut page = Response::new(wire::full("<html><body>Sorry.</body></html>"));
    *page.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let html = HeaderValue::from_static("text/html");
    page.headers_mut().insert(CONTENT_TYPE, html);
    page
}

/// The first half of a response whose header announces all of it.
fn cut(answer: Answer) -> Response<Body> {
    let length = answer.body.len().max(2);
    let half = answer.body.slice(..answer.body.len() / 2);
    let mut response = answer.into_response();
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    // A stream has no known length, so hyper keeps the header. It ends one turn later, so that the first half is sent.
    let frames = stream::unfold(Some(half), async |half| match half {
        Some(half) => Some((Ok(Frame::data(half)), None)),
        None => {
            tokio::task::yield_now().await;
            None
        }
    });
    *response.body_mut() = Body::new(StreamBody::new(frames));
    response
}

/// Counts a request as in progress until it is dropped, however it ends.
struct UnderWay<'a>(&'a Mutex<AtOnce>);

impl<'a> UnderWay<'a> {
    fn begin(at_once: &'a Mutex<AtOnce>) -> Self {
        let mut count = lock(at_once);
        count.now += 1;
        count.most = count.most.max(count.now);
        drop(count);
        Self(at_once)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        lock(self.0).now -= 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    //! The proxy's effects on requests, from the client's side.

    use std::time::Instant;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// Lists pools through the proxy; returns everything received until the connection ended.
    async fn list_pools(proxy: &Proxy) -> String {
        let url = proxy.url();
        let host = url.strip_prefix("http://").unwrap();
        let body = r#"{"MaxResults":60}"#;
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1\r\n\
             x-amz-target: AWSCognitoIdentityProviderService.ListUserPools\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=200000000001/20260101/us-west-2/cognito-idp/aws4_request, SignedHeaders=host, Signature=0\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    /// A proxy in front of an account without pools.
    async fn proxy(fate: Fate) -> (Proxy, Server) {
        let listener = Server::bind(0).await.unwrap();
        let aws = Server::serve(listener, async |_| {
            Ok(Response::new(wire::full(r#"{"UserPools":[]}"#)))
        });
        let aws = aws.unwrap();
        let proxy = Proxy::start(&aws.url(), move |_| fate.clone()).await;
        (proxy.unwrap(), aws)
    }

    /// The response that a client gets for a request with this fate.
    async fn through(fate: Fate) -> String {
        let (proxy, _aws) = proxy(fate).await;
        list_pools(&proxy).await
    }

    fn is_whole(answer: &str) -> bool {
        answer.starts_with("HTTP/1.1 200") && answer.ends_with(r#"{"UserPools":[]}"#)
    }

    #[tokio::test]
    async fn the_proxy_forwards_and_names_the_call() {
        let (proxy, _aws) = proxy(Fate::Pass).await;
        assert!(is_whole(&list_pools(&proxy).await));
        let expected = Passing {
            number: 1,
            service: "cognito-idp".into(),
            action: "ListUserPools".into(),
            nth: 1,
            attempt: 1,
        };
        assert_eq!(proxy.passed(), [expected]);
    }

    #[tokio::test]
    async fn the_proxy_rejects_like_aws() {
        let answer = through(Fate::Refuse(429, "TooManyRequestsException", "Slow")).await;
        assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
        assert!(
            answer.contains(r#""__type":"TooManyRequestsException""#),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn the_proxy_answers_like_another_server() {
        let answer = through(Fate::Page(503)).await;
        assert!(
            answer.starts_with("HTTP/1.1 503") && answer.contains("<html>"),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn the_proxy_loses_requests_and_responses() {
        for fate in [Fate::Drop, Fate::LoseAnswer] {
            assert_eq!(through(fate).await, "");
        }
        let cut = through(Fate::CutAnswer).await;
        assert!(
            cut.starts_with("HTTP/1.1 200") && cut.ends_with(r#"{"UserPo"#),
            "{cut}"
        );
    }

    #[tokio::test]
    async fn the_proxy_holds_until_released() {
        for fate in [Fate::HoldRequest, Fate::HoldAnswer] {
            let (proxy, _aws) = proxy(fate).await;
            let answer = async {
                proxy.held().await;
                proxy.release();
            };
            let (listed, ()) = tokio::join!(list_pools(&proxy), answer);
            assert!(is_whole(&listed), "{listed}");
        }
    }

    #[tokio::test]
    async fn the_proxy_edits_responses() {
        let answer = through(Fate::Edit(|value| value["Extra"] = true.into())).await;
        assert!(answer.contains(r#""Extra":true"#), "{answer}");
    }

    #[tokio::test]
    async fn the_proxy_delays_and_counts_parallel_requests() {
        let delay = Duration::from_millis(200);
        let (proxy, _aws) = proxy(Fate::Delay(delay)).await;
        let started = Instant::now();
        let (one, other) = tokio::join!(list_pools(&proxy), list_pools(&proxy));
        assert!(is_whole(&one) && is_whole(&other));
        assert!(started.elapsed() >= delay);
        assert_eq!(proxy.most_at_once(), 2);
    }
}

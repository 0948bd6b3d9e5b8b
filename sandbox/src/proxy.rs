//! A proxy between an AWS client and an endpoint that loses, spoils, delays and counts what passes, as a test orders. It knows
//! which call a request is, and nothing of what the call means.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Result;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde_json::Value;
use tokio::sync::watch;

use crate::gateway::{Answer, BODY_LIMIT, Call, Refusal};
use crate::http::{self, Body, Client, Hangup, Server};

/// A request that arrived at the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    /// Its place in the order of arrival, from 1.
    pub number: usize,
    /// The service, by its signing name.
    pub service: String,
    /// The API's name of the call, such as `UpdateUserPool`.
    pub action: String,
    /// Its place among the calls of this name, from 1.
    pub nth: usize,
    /// Which time this very request is made, from 1.
    pub attempt: usize,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Fate {
    /// Passed on, and answered.
    Pass,
    /// Passed on after a while.
    Delay(Duration),
    /// Not passed on: AWS refuses it with this status, code and message.
    Refuse(u16, &'static str, &'static str),
    /// Not passed on: something that is not AWS answers with this status.
    Page(u16),
    /// Not passed on: the connection ends.
    Drop,
    /// Not passed on, and not answered until `release`; then passed on.
    HoldRequest,
    /// Passed on: the connection ends in place of the answer.
    LoseAnswer,
    /// Passed on: the connection ends amid the answer.
    CutAnswer,
    /// Passed on, and not answered until `release`.
    HoldAnswer,
    /// Passed on, and not answered until this turns true.
    HoldUntil(watch::Receiver<bool>),
    /// Passed on: the JSON of the answer is edited.
    Edit(fn(&mut Value)),
}

/// The proxy. It stops when this is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    server: Server,
}

type Decide = dyn Fn(&Passing) -> Fate + Send + Sync;

struct Shared {
    client: Client,
    upstream: String,
    decide: Box<Decide>,
    passed: Mutex<Vec<(u64, Passing)>>,
    at_once: Mutex<AtOnce>,
    held: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

#[derive(Default)]
struct AtOnce {
    now: usize,
    most: usize,
}

impl Proxy {
    /// Starts one in front of `upstream` that asks `decide` about each request.
    pub async fn start(
        upstream: &str,
        decide: impl Fn(&Passing) -> Fate + Send + Sync + 'static,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            client: Client::default(),
            upstream: upstream.trim_end_matches('/').to_owned(),
            decide: Box::new(decide),
            passed: Mutex::default(),
            at_once: Mutex::default(),
            held: watch::Sender::new(0),
            released: watch::Sender::new(false),
        });
        let serving = shared.clone();
        let server = Server::serve(Server::bind(0).await?, move |request| {
            let shared = serving.clone();
            async move { shared.answer(request).await }
        })?;
        Ok(Self { shared, server })
    }

    /// Where it listens: the endpoint to give to AWS clients.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The requests so far, in the order in which they arrived.
    pub fn passed(&self) -> Vec<Passing> {
        let passed = lock(&self.shared.passed);
        passed.iter().map(|(_, passing)| passing.clone()).collect()
    }

    /// How many requests were under way at once, at most.
    pub fn most_at_once(&self) -> usize {
        lock(&self.shared.at_once).most
    }

    /// Waits until a request or an answer is held.
    pub async fn held(&self) {
        // The sender lives as long as this does.
        let _ = self
            .shared
            .held
            .subscribe()
            .wait_for(|held| *held > 0)
            .await;
    }

    /// Lets go what is held, and holds nothing from now on.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Hangup> {
        let (parts, body) = request.into_parts();
        let body = http::read(body, BODY_LIMIT).await.ok_or(Hangup)?;
        let call = Call::read(parts.method, parts.uri, parts.headers, body);
        let passing = self.note(&call);
        let _under_way = UnderWay::begin(&self.at_once);
        match (self.decide)(&passing) {
            Fate::Pass => self.pass_on(call).await.map(Answer::into_response),
            Fate::Delay(time) => {
                tokio::time::sleep(time).await;
                self.pass_on(call).await.map(Answer::into_response)
            }
            Fate::Refuse(status, code, message) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
                let refusal = Refusal::new(code, message).with_status(status);
                Ok(refusal.into_answer(&call.service).into_response())
            }
            Fate::Page(status) => {
                let mut page = Response::new(http::full("<html><body>Sorry.</body></html>"));
                *page.status_mut() =
                    StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                let html = HeaderValue::from_static("text/html");
                page.headers_mut().insert(CONTENT_TYPE, html);
                Ok(page)
            }
            Fate::Drop => Err(Hangup),
            Fate::HoldRequest => {
                self.hold().await;
                self.pass_on(call).await.map(Answer::into_response)
            }
            Fate::LoseAnswer => {
                self.pass_on(call).await?;
                Err(Hangup)
            }
            Fate::CutAnswer => Ok(cut(self.pass_on(call).await?)),
            Fate::HoldAnswer => {
                let answer = self.pass_on(call).await?;
                self.hold().await;
                Ok(answer.into_response())
            }
            Fate::HoldUntil(mut gate) => {
                let answer = self.pass_on(call).await?;
                // A gate that nobody can open any more is open.
                let _ = gate.wait_for(|open| *open).await;
                Ok(answer.into_response())
            }
            Fate::Edit(edit) => {
                let answer = self.pass_on(call).await?;
                let mut value = answer.value();
                edit(&mut value);
                Ok(answer.with_value(&value).into_response())
            }
        }
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

    async fn pass_on(&self, call: Call) -> Result<Answer, Hangup> {
        let path = call.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.uri_mut() = format!("{}{path}", self.upstream)
            .parse()
            .map_err(|_| Hangup)?;
        *request.headers_mut() = call.headers;
        let (parts, body) = self
            .client
            .send(request)
            .await
            .map_err(|_| Hangup)?
            .into_parts();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    async fn hold(&self) {
        self.held.send_modify(|held| *held += 1);
        // The sender is in `self`.
        let _ = self
            .released
            .subscribe()
            .wait_for(|released| *released)
            .await;
        self.held.send_modify(|held| *held -= 1);
    }
}

/// The first half of an answer that says it is whole.
fn cut(answer: Answer) -> Response<Body> {
    let length = answer.body.len().max(2);
    let half = answer.body.slice(..answer.body.len() / 2);
    let mut response = answer.into_response();
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    *response.body_mut() = Unmeasured::Begun(half).boxed_unsync();
    response
}

/// A body that does not say how long it is, so that the header may. It ends one turn later, so that what there is gets sent.
enum Unmeasured {
    Begun(Bytes),
    Sent,
    Ended,
}

impl HttpBody for Unmeasured {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match std::mem::replace(&mut *self, Self::Ended) {
            Self::Begun(bytes) => {
                *self = Self::Sent;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Sent => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Ended => Poll::Ready(None),
        }
    }
}

/// Counts a request as under way until it is dropped, however it ends.
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

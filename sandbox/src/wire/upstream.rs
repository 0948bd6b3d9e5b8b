//! A client of the endpoint behind a proxy: it forwards requests, and makes the gateway's own requests.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::request::Builder;
use hyper::{Method, Request, Uri};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

use super::answer::{Answer, Refusal};
use super::call::{COGNITO_TARGET, Call, Scope};
use super::http::Client;
use super::key::{KEY_HEADER, Key};

/// The endpoint.
pub struct Upstream {
    client: Client,
    url: String,
    key: Option<Key>,
}

impl Upstream {
    /// The endpoint at this URL.
    pub fn new(url: &str) -> Self {
        Self {
            client: Client::default(),
            url: url.trim_end_matches('/').to_owned(),
            key: None,
        }
    }

    /// The endpoint at this URL, which answers only callers with the key.
    pub(crate) fn locked(url: &str, key: &Key) -> Self {
        Self {
            key: Some(key.clone()),
            ..Self::new(url)
        }
    }

    /// Checks the caller's permission for a call that the gateway answers itself or changes: the emulator gets the original call with
    /// its signature. Use it only for calls that may be made twice.
    pub(crate) async fn permit(&self, call: &Call) -> Result<(), Refusal> {
        if !call.checked {
            return Ok(());
        }
        let denied = ["AccessDenied", "Signature", "Token", "UnrecognizedClient"];
        match self.forward(call).await {
            Err(refusal) if denied.iter().any(|word| refusal.code.contains(word)) => Err(refusal),
            _ => Ok(()),
        }
    }

    /// Forwards a call unchanged; an error of the emulator becomes a refusal.
    pub(crate) async fn forward(&self, call: &Call) -> Result<Answer, Refusal> {
        let answer = self.send_on(call, call.body.clone(), call.unsigned).await;
        answer?.succeeded()
    }

    /// Forwards a call unchanged, even if it is not signed, and returns every response of the endpoint.
    pub async fn pass(&self, call: &Call) -> Result<Answer, Refusal> {
        self.send_on(call, call.body.clone(), false).await
    }

    /// Forwards a call with another body, signed for the account: the original signature does not match that body.
    pub(crate) async fn forward_as(&self, call: &Call, body: &Value) -> Result<Answer, Refusal> {
        self.permit(call).await?;
        let body = body.to_string().into();
        let answer = self
            .send_on(call, body, call.unsigned || call.checked)
            .await;
        answer?.succeeded()
    }

    async fn send_on(&self, call: &Call, body: Bytes, as_account: bool) -> Result<Answer, Refusal> {
        let path = call.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::new(Full::new(body));
        let headers = request.headers_mut();
        *headers = call.headers.clone();
        if as_account && call.unsigned {
            // Any caller may make it, so the emulator must not be able to interpret it as another call.
            *headers = HeaderMap::new();
            for name in ["content-type", "host", "x-amz-target"] {
                if let Some(value) = call.headers.get(name) {
                    headers.insert(name, value.clone());
                }
            }
            *request.method_mut() = Method::POST;
            *request.uri_mut() = self.uri("/")?;
        } else {
            *request.method_mut() = call.method.clone();
            *request.uri_mut() = self.uri(path)?;
        }
        let headers = request.headers_mut();
        for hop in ["content-length", "transfer-encoding", "connection"] {
            headers.remove(hop);
        }
        if as_account {
            headers.insert(AUTHORIZATION, credential(&call.scope, &call.service)?);
            headers.remove("x-amz-security-token");
        }
        self.send(request).await
    }

    /// A call of Cognito's API.
    pub(crate) async fn cognito(
        &self,
        scope: &Scope,
        action: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let target = format!("{COGNITO_TARGET}{action}");
        self.json(scope, "cognito-idp", &target, body).await
    }

    /// A call of another service with a JSON protocol. `target` is its API's name and the action.
    pub(crate) async fn json(
        &self,
        scope: &Scope,
        service: &str,
        target: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let request = Request::post(self.uri("/")?)
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", target);
        let answer = self.ask(scope, service, request, body.to_string()).await?;
        success(answer)
    }

    /// A question about a role, for the emulator's own policy evaluator.
    pub(crate) async fn roles(&self, question: &Value) -> Result<Value, Refusal> {
        let question = utf8_percent_encode(&question.to_string(), NON_ALPHANUMERIC).to_string();
        let request = Request::get(self.uri(&format!("/_roles?{question}"))?);
        let request = request.body(Full::default());
        let request = request.map_err(|error| Refusal::broken(error.to_string()))?;
        success(self.send(request).await?)
    }

    /// A GET of Lambda's API.
    pub(crate) async fn lambda(&self, scope: &Scope, path: &str) -> Result<Value, Refusal> {
        let request = Request::get(self.uri(path)?);
        let answer = self.ask(scope, "lambda", request, String::new()).await?;
        success(answer)
    }

    /// Invokes a function and waits for its response.
    pub(crate) async fn invoke(
        &self,
        scope: &Scope,
        arn: &str,
        event: &Value,
    ) -> Result<Answer, Refusal> {
        let path = format!("/2015-03-31/functions/{arn}/invocations");
        let request = Request::post(self.uri(&path)?).header(CONTENT_TYPE, "application/json");
        self.ask(scope, "lambda", request, event.to_string()).await
    }

    /// A role in IAM's form; fails if it does not exist.
    pub(crate) async fn role(&self, scope: &Scope, role: &str) -> Result<Answer, Refusal> {
        let request =
            Request::post(self.uri("/")?).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let form = format!("Action=GetRole&Version=2010-05-08&RoleName={role}");
        self.ask(scope, "iam", request, form).await?.succeeded()
    }

    /// The trust policy of a role, if the role exists.
    pub(crate) async fn trust_policy(
        &self,
        scope: &Scope,
        role: &str,
    ) -> Result<Option<Value>, Refusal> {
        let role = self.role(scope, role).await.ok();
        let document = role.and_then(|role| role.element("AssumeRolePolicyDocument"));
        Ok(document.and_then(|document| {
            let document = percent_decode_str(&document).decode_utf8_lossy();
            serde_json::from_str(&document).ok()
        }))
    }

    /// Makes one of the gateway's own requests for the account.
    async fn ask(
        &self,
        scope: &Scope,
        service: &str,
        request: Builder,
        body: String,
    ) -> Result<Answer, Refusal> {
        let request = request
            .header(AUTHORIZATION, credential(scope, service)?)
            .body(Full::new(body.into()))
            .map_err(|error| Refusal::broken(error.to_string()))?;
        self.send(request).await
    }

    fn uri(&self, path: &str) -> Result<Uri, Refusal> {
        format!("{}{path}", self.url)
            .parse()
            .map_err(|_| Refusal::invalid(format!("not a path: {path}")))
    }

    async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Answer, Refusal> {
        if let Some(key) = &self.key {
            request.headers_mut().insert(KEY_HEADER, key.header());
        }
        let response = self.client.send(request).await;
        let (parts, body) = response
            .map_err(|error| Refusal::broken(format!("the emulator does not answer: {error:#}")))?
            .into_parts();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }
}

/// The emulator reads account and Region from the credential. It checks signatures only if it was started with that option.
fn credential(scope: &Scope, service: &str) -> Result<HeaderValue, Refusal> {
    let Scope { account, region } = scope;
    HeaderValue::from_str(&format!(
        "AWS4-HMAC-SHA256 Credential={account}/20250101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    ))
    .map_err(|_| Refusal::invalid("not a region"))
}

fn success(answer: Answer) -> Result<Value, Refusal> {
    let answer = answer.succeeded().map_err(Refusal::reworded)?;
    Ok(answer.value())
}

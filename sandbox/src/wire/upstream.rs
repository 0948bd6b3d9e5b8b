//! An endpoint of AWS behind a server of ours: requests passed on as they came, and requests of the gateway's own.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{Request, Uri};
use serde_json::Value;

use super::answer::{Answer, Refusal};
use super::call::{Call, Scope};
use super::http::Client;

/// The endpoint.
pub struct Upstream {
    client: Client,
    url: String,
}

impl Upstream {
    /// The one at this URL.
    pub fn new(url: &str) -> Self {
        Self {
            client: Client::default(),
            url: url.trim_end_matches('/').to_owned(),
        }
    }

    /// Whether the caller may do this at all, for calls that the gateway answers or words anew: the emulator is shown the call as
    /// it came, signature and all. Only for calls that may be made twice.
    pub(crate) async fn permit(&self, call: &Call) -> Result<(), Refusal> {
        if !call.checked {
            return Ok(());
        }
        let answer = self.forward(call).await?;
        let denied = ["AccessDenied", "Signature", "Token", "UnrecognizedClient"];
        match answer.error() {
            Some(code) if denied.iter().any(|word| code.contains(word)) => {
                Err(Refusal::new(code, answer.message()).with_status(answer.status))
            }
            _ => Ok(()),
        }
    }

    /// Passes a call on as it came.
    pub(crate) async fn forward(&self, call: &Call) -> Result<Answer, Refusal> {
        self.send_on(call, call.body.clone(), call.unsigned).await
    }

    /// Passes a call on exactly as it came, for one whom nobody may notice.
    pub async fn pass(&self, call: &Call) -> Result<Answer, Refusal> {
        self.send_on(call, call.body.clone(), false).await
    }

    /// Passes a call on with another body, as the account itself: what was signed is no longer what is sent.
    pub(crate) async fn forward_as(&self, call: &Call, body: Bytes) -> Result<Answer, Refusal> {
        self.permit(call).await?;
        self.send_on(call, body, call.unsigned || call.checked)
            .await
    }

    async fn send_on(&self, call: &Call, body: Bytes, as_account: bool) -> Result<Answer, Refusal> {
        let path = call.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = self.uri(path)?;
        *request.headers_mut() = call.headers.clone();
        request.headers_mut().remove("content-length");
        request.headers_mut().remove("transfer-encoding");
        request.headers_mut().remove("connection");
        if as_account {
            request
                .headers_mut()
                .insert("authorization", credential(&call.scope, &call.service)?);
            request.headers_mut().remove("x-amz-security-token");
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
        let request = Request::post(self.uri("/")?)
            .header("content-type", "application/x-amz-json-1.1")
            .header(
                "x-amz-target",
                format!("AWSCognitoIdentityProviderService.{action}"),
            )
            .header("authorization", credential(scope, "cognito-idp")?)
            .body(Full::new(body.to_string().into()))
            .map_err(|error| Refusal::broken(error.to_string()))?;
        success(self.send(request).await?)
    }

    /// A GET of Lambda's API.
    pub(crate) async fn lambda(&self, scope: &Scope, path: &str) -> Result<Value, Refusal> {
        let request = Request::get(self.uri(path)?)
            .header("authorization", credential(scope, "lambda")?)
            .body(Full::default())
            .map_err(|error| Refusal::broken(error.to_string()))?;
        success(self.send(request).await?)
    }

    /// Invokes a function and waits for what it says.
    pub(crate) async fn invoke(
        &self,
        scope: &Scope,
        arn: &str,
        event: &Value,
    ) -> Result<Answer, Refusal> {
        let request = Request::post(self.uri(&format!("/2015-03-31/functions/{arn}/invocations"))?)
            .header("content-type", "application/json")
            .header("authorization", credential(scope, "lambda")?)
            .body(Full::new(event.to_string().into()))
            .map_err(|error| Refusal::broken(error.to_string()))?;
        self.send(request).await
    }

    /// The trust policy of a role, if there is such a role.
    pub(crate) async fn trust_policy(
        &self,
        scope: &Scope,
        role: &str,
    ) -> Result<Option<Value>, Refusal> {
        let form = format!("Action=GetRole&Version=2010-05-08&RoleName={role}");
        let request = Request::post(self.uri("/")?)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", credential(scope, "iam")?)
            .body(Full::new(form.into()))
            .map_err(|error| Refusal::broken(error.to_string()))?;
        let answer = self.send(request).await?;
        let xml = String::from_utf8_lossy(&answer.body);
        let document = xml
            .split("<AssumeRolePolicyDocument>")
            .nth(1)
            .and_then(|rest| rest.split('<').next())
            .map(|document| {
                percent_encoding::percent_decode_str(document)
                    .decode_utf8_lossy()
                    .into_owned()
            });
        Ok(document.and_then(|document| serde_json::from_str(&document).ok()))
    }

    fn uri(&self, path: &str) -> Result<Uri, Refusal> {
        format!("{}{path}", self.url)
            .parse()
            .map_err(|_| Refusal::invalid(format!("not a path: {path}")))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Refusal> {
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

/// The emulator takes the account and the region from here and, unless it was started to, checks no signature.
fn credential(scope: &Scope, service: &str) -> Result<HeaderValue, Refusal> {
    let Scope { account, region } = scope;
    HeaderValue::from_str(&format!(
        "AWS4-HMAC-SHA256 Credential={account}/20250101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    ))
    .map_err(|_| Refusal::invalid("not a region"))
}

fn success(answer: Answer) -> Result<Value, Refusal> {
    match answer.error() {
        None if answer.status.is_success() => Ok(answer.value()),
        code => Err(Refusal::new(
            code.unwrap_or_else(|| "InternalErrorException".to_owned()),
            answer.message(),
        )
        .with_status(answer.status)),
    }
}

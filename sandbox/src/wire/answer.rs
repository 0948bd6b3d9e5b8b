//! Responses of AWS, and errors in the two protocols that its services use.

use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::http::{Body, full, header};

/// A complete response.
#[derive(Debug)]
pub struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Its complete body.
    pub body: Bytes,
}

impl Answer {
    pub(crate) fn json(body: &Value) -> Self {
        let kind = HeaderValue::from_static("application/x-amz-json-1.1");
        Self {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, kind)]),
            body: body.to_string().into(),
        }
    }

    pub(crate) fn xml(body: String) -> Self {
        Self {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/xml"))]),
            body: body.into(),
        }
    }

    /// The body as JSON; null if it is not JSON.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The same response with another JSON body.
    pub fn with_value(mut self, value: &Value) -> Self {
        self.body = value.to_string().into();
        self.headers.remove(CONTENT_LENGTH);
        self
    }

    /// The response if it is a success; otherwise the refusal.
    pub(crate) fn succeeded(self) -> Result<Self, Refusal> {
        if self.status.is_success() {
            return Ok(self);
        }
        let body = self.value();
        let message = body["message"].as_str().or(body["Message"].as_str());
        let code = self.error();
        Err(Refusal {
            status: self.status,
            code: code.unwrap_or_else(|| "InternalErrorException".to_owned()),
            message: message.unwrap_or_default().to_owned(),
            original: Some(Box::new(self)),
        })
    }

    /// The error code, if it is an error.
    pub(crate) fn error(&self) -> Option<String> {
        if self.status.is_success() {
            return None;
        }
        let json = self.value();
        let code = header(&self.headers, "x-amzn-errortype").or(json["__type"].as_str());
        let code = code.map(str::to_owned).or_else(|| self.element("Code"))?;
        let code = code.rsplit('#').next()?.split(':').next();
        code.map(str::to_owned)
    }

    /// The text of the first element with this name, if the response is XML.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        let xml = String::from_utf8_lossy(&self.body);
        let (_, rest) = xml.split_once(&format!("<{name}>"))?;
        rest.split('<').next().map(str::to_owned)
    }

    /// The response to send.
    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(full(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let id = format!("{:032x}", fastrand::u128(..));
        if let (false, Ok(id)) = (
            response.headers().contains_key("x-amzn-requestid"),
            HeaderValue::from_str(&id),
        ) {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        for hop in [
            "connection",
            "keep-alive",
            "transfer-encoding",
            "content-length",
        ] {
            response.headers_mut().remove(hop);
        }
        response
    }
}

/// An error response of AWS.
#[derive(Debug)]
pub struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    /// The emulator's error response, which is sent unchanged.
    original: Option<Box<Answer>>,
}

impl Refusal {
    /// A refusal with status 400.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: code.into(),
            message: message.into(),
            original: None,
        }
    }

    /// With another status than 400.
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    /// The emulator behind the gateway failed.
    pub(crate) fn broken(message: impl Into<String>) -> Self {
        Self::new("InternalErrorException", message).with_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The refusal without the emulator's response: a response to the gateway's own call is not sent to the
    /// caller.
    pub(crate) fn reworded(self) -> Self {
        Self {
            original: None,
            ..self
        }
    }

    /// The emulator's response if there is one, otherwise one in the protocol of `service`.
    pub fn into_answer(self, service: &str) -> Answer {
        if let Some(original) = self.original {
            return *original;
        }
        if service == "iam" || service == "sts" {
            let kind = match self.status.is_server_error() {
                true => "Receiver",
                false => "Sender",
            };
            let body = format!(
                "<ErrorResponse><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error></ErrorResponse>",
                self.code, self.message
            );
            return Answer {
                status: self.status,
                ..Answer::xml(body)
            };
        }
        let body = json!({"__type": self.code, "message": self.message, "Type": "User"});
        let mut answer = Answer::json(&body);
        answer.status = self.status;
        if let Ok(code) = HeaderValue::from_str(&self.code) {
            answer.headers.insert("x-amzn-errortype", code);
        }
        answer
    }
}

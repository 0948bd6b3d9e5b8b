//! Requests made from templates: the escaping of a placeholder depends on its place. Callers provide the values.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use jane_migrate_config::{
    self as config,
    template::{self, Part, Placeholder},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{budget::Unavailable, escape::percent};

/// The values of placeholders.
pub trait Values {
    /// The value of a placeholder. An error if there is none here; the command line rejects those when it reads the file.
    fn value(&self, placeholder: &Placeholder) -> Result<&str, Unavailable>;
}

/// The request with its placeholders filled in, and with a bearer token. `None` if it cannot contain one of the values.
pub fn filled(
    values: &impl Values,
    request: &config::Request,
    token: Option<&SecretString>,
) -> Result<Option<Request<Full<Bytes>>>, Unavailable> {
    let method = match request.method {
        config::Method::Get => http::Method::GET,
        config::Method::Post => http::Method::POST,
        config::Method::Put => http::Method::PUT,
        config::Method::Patch => http::Method::PATCH,
    };
    let Some(url) = url(values, &request.url)? else {
        return Ok(None);
    };
    let mut builder = Request::builder().method(method).uri(url);
    for (name, value) in &request.headers {
        builder = builder.header(name, sensitive(fill(values, value, str::to_owned)?)?);
    }
    if let Some(config::Basic { username, password }) = &request.basic {
        let username = fill(values, username, str::to_owned)?;
        // The server would treat the text after a colon as the start of the password.
        if username.contains(':') {
            return Ok(None);
        }
        let password = SecretString::from(fill(values, password, str::to_owned)?);
        builder = builder.header(header::AUTHORIZATION, basic(&username, &password)?);
    }
    if let Some(token) = token {
        builder = builder.header(header::AUTHORIZATION, bearer(token)?);
    }
    let (content_type, body) = match (&request.json, request.form.is_empty()) {
        (Some(json), _) => (Some("application/json"), body(values, json)?.to_string()),
        (None, false) => (
            Some("application/x-www-form-urlencoded"),
            form(values, &request.form)?,
        ),
        (None, true) => (None, String::new()),
    };
    let own = |name: header::HeaderName| {
        let mut names = request.headers.keys();
        names.any(|own| own.eq_ignore_ascii_case(name.as_str()))
    };
    if let Some(content_type) = content_type.filter(|_| !own(header::CONTENT_TYPE)) {
        builder = builder.header(header::CONTENT_TYPE, content_type);
    }
    let request = builder.body(Full::new(body.into()));
    request.map(Some).map_err(|_| Unavailable("request"))
}

fn form(values: &impl Values, form: &BTreeMap<String, String>) -> Result<String, Unavailable> {
    let pairs = form.iter().map(|(name, value)| {
        Ok(format!(
            "{}={}",
            percent(name),
            percent(&fill(values, value, str::to_owned)?)
        ))
    });
    Ok(pairs.collect::<Result<Vec<_>, Unavailable>>()?.join("&"))
}

/// A body with the placeholders in its strings filled in.
pub fn body(values: &impl Values, json: &Value) -> Result<Value, Unavailable> {
    Ok(match json {
        Value::String(text) => fill(values, text, str::to_owned)?.into(),
        Value::Array(items) => items
            .iter()
            .map(|item| body(values, item))
            .collect::<Result<_, _>>()?,
        Value::Object(members) => {
            let filled = members
                .iter()
                .map(|(name, member)| Ok((name.clone(), body(values, member)?)));
            Value::Object(filled.collect::<Result<_, Unavailable>>()?)
        }
        other => other.clone(),
    })
}

fn url(values: &impl Values, template: &str) -> Result<Option<String>, Unavailable> {
    // A segment of one or two dots leads to another path. Some servers decode `%2F` and `%5C` first and then resolve the path,
    // and some drop what follows a semicolon, so values are checked before they are encoded.
    let raw = fill(values, template, str::to_owned)?;
    let mut segments = raw.split(['/', '\\', ';', '?', '#']);
    if segments.any(|segment| matches!(segment, "." | "..")) {
        return Ok(None);
    }
    fill(values, template, percent).map(Some)
}

/// A template with its placeholders filled in.
pub fn fill(
    values: &impl Values,
    template: &str,
    escape: fn(&str) -> String,
) -> Result<String, Unavailable> {
    let mut filled = String::new();
    for part in template::parse(template).map_err(|_| Unavailable("request"))? {
        match part {
            Part::Text(text) => filled.push_str(&text),
            Part::Placeholder(placeholder) => filled.push_str(&escape(values.value(&placeholder)?)),
        }
    }
    Ok(filled)
}

/// The value of the `Authorization` header for a bearer token.
pub fn bearer(token: &SecretString) -> Result<HeaderValue, Unavailable> {
    sensitive(format!("Bearer {}", token.expose_secret()))
}

/// The value of the `Authorization` header for HTTP Basic authentication.
pub fn basic(user: &str, password: &SecretString) -> Result<HeaderValue, Unavailable> {
    sensitive(format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{user}:{}", password.expose_secret()))
    ))
}

/// A header value that does not print.
pub fn sensitive(value: String) -> Result<HeaderValue, Unavailable> {
    let mut value = HeaderValue::try_from(value).map_err(|_| Unavailable("request"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_have_the_form_of_http_and_do_not_print() {
        let basic = basic("Aladdin", &"open sesame".into()).unwrap();
        assert_eq!(basic, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let bearer = bearer(&"abc".into()).unwrap();
        assert_eq!(bearer, "Bearer abc");
        assert!(basic.is_sensitive() && bearer.is_sensitive());
        let broken = sensitive("a\nb".to_owned()).err();
        assert_eq!(broken, Some(Unavailable("request")));
    }
}

//! Calls to AWS services, signed with Signature Version 4. The handler makes only a few kinds of call, all of them a POST to `/`.
//! AWS's own signer would add twenty crates to every function.

use std::{env, time::SystemTime};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Full;
use jane_migrate_config::{Date, FIPS_VARIABLE, partition};
use ring::{
    digest::{SHA256, digest},
    hmac,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::escape::hex;

/// The credentials of a role.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: SecretString,
    /// The session token; the credentials of a role always have one.
    pub session_token: Option<SecretString>,
}

impl Credentials {
    /// The credentials of the function's role, which Lambda puts into the environment.
    pub fn from_environment() -> Option<Self> {
        Some(Self {
            access_key_id: env::var("AWS_ACCESS_KEY_ID").ok()?,
            secret_access_key: env::var("AWS_SECRET_ACCESS_KEY").ok()?.into(),
            session_token: env::var("AWS_SESSION_TOKEN").ok().map(Into::into),
        })
    }
}

/// An AWS service in one region.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name in the signature, such as `secretsmanager`.
    pub name: &'static str,
    /// The region in the signature.
    pub region: String,
    /// Its URL.
    pub endpoint: Uri,
}

impl Service {
    /// The service at AWS, or at the URL in `AWS_ENDPOINT_URL_<ID>` or `AWS_ENDPOINT_URL`.
    pub fn new(name: &'static str, ids: &[&str], region: &str) -> Option<Self> {
        let set = |name: &str| env::var(name).ok().filter(|url| !url.is_empty());
        let endpoint = ids
            .iter()
            .find_map(|id| set(&format!("AWS_ENDPOINT_URL_{id}")))
            .or_else(|| set("AWS_ENDPOINT_URL"))
            .unwrap_or_else(|| {
                let fips = set(FIPS_VARIABLE).is_some_and(|fips| fips == "true");
                format!("https://{}", partition::host(name, region, fips, false))
            });
        Some(Self {
            name,
            region: region.to_owned(),
            endpoint: endpoint.parse().ok()?,
        })
    }

    /// A signed request of a JSON API. `target` names the action.
    pub fn json_request(
        &self,
        target: &str,
        query: &Value,
        credentials: &Credentials,
    ) -> Option<Request<Full<Bytes>>> {
        let version = match self.name {
            "sqs" => "application/x-amz-json-1.0",
            _ => "application/x-amz-json-1.1",
        };
        let headers = [("content-type", version), ("x-amz-target", target)];
        self.request(&headers, query.to_string(), credentials, SystemTime::now())
    }

    /// A signed request. The names of the headers are in lower case; all headers are signed.
    pub fn request(
        &self,
        headers: &[(&'static str, &str)],
        body: String,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Option<Request<Full<Bytes>>> {
        let host = self.endpoint.authority()?.as_str();
        let (day, time) = timestamp(now)?;
        let mut signed: Vec<(&str, &str)> = headers.to_vec();
        signed.extend([("host", host), ("x-amz-date", &time)]);
        if let Some(token) = &credentials.session_token {
            signed.push(("x-amz-security-token", token.expose_secret()));
        }
        signed.sort_unstable();
        let names: Vec<_> = signed.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let canonical: String = signed
            .iter()
            .map(|(name, value)| format!("{name}:{}\n", value.trim()))
            .collect();
        let canonical = format!("POST\n/\n\n{canonical}\n{names}\n{}", sha256(&body));
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.name);
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(&canonical));
        let signature = hex(mac(&self.key(&day, credentials), &to_sign).as_ref());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            credentials.access_key_id
        );
        let uri = Uri::builder()
            .scheme(self.endpoint.scheme_str()?)
            .authority(host)
            .path_and_query("/")
            .build()
            .ok()?;
        let request = signed
            .iter()
            .fold(Request::post(uri), |request, (name, value)| {
                request.header(*name, *value)
            });
        request
            .header(header::AUTHORIZATION, authorization)
            .body(Full::new(body.into()))
            .ok()
    }

    fn key(&self, day: &str, credentials: &Credentials) -> hmac::Tag {
        let secret = format!("AWS4{}", credentials.secret_access_key.expose_secret());
        let start = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
            day.as_bytes(),
        );
        [&self.region, self.name, "aws4_request"]
            .iter()
            .fold(start, |key, part| mac(&key, part))
    }
}

fn mac(key: &hmac::Tag, text: &str) -> hmac::Tag {
    hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()),
        text.as_bytes(),
    )
}

fn sha256(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

/// The day, and the day with the time, in the signature's form.
fn timestamp(now: SystemTime) -> Option<(String, String)> {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let day = Date::from_epoch_days((seconds / 86_400).try_into().ok()?)?
        .to_string()
        .replace('-', "");
    let of_day = seconds % 86_400;
    let time = format!(
        "{day}T{:02}{:02}{:02}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    );
    Some((day, time))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn authorization(
        service: &Service,
        headers: &[(&'static str, &str)],
        body: &str,
        token: Option<&str>,
        seconds: u64,
    ) -> String {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: token.map(Into::into),
        };
        let now = UNIX_EPOCH + Duration::from_secs(seconds);
        let request = service
            .request(headers, body.to_owned(), &credentials, now)
            .unwrap();
        request.headers()[header::AUTHORIZATION]
            .to_str()
            .unwrap()
            .to_owned()
    }

    fn service(name: &'static str, region: &str, endpoint: &str) -> Service {
        Service {
            name,
            region: region.into(),
            endpoint: endpoint.parse().unwrap(),
        }
    }

    /// The case `post-vanilla` of AWS's test suite for Signature Version 4.
    #[test]
    fn the_signature_of_the_published_example_is_right() {
        let service = service("service", "us-east-1", "https://example.amazonaws.com");
        assert_eq!(
            authorization(&service, &[], "", None, 1_440_938_160),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
    }

    #[test]
    fn a_request_of_a_json_api_names_its_action() {
        let endpoint = "https://secretsmanager.eu-central-1.amazonaws.com";
        let service = service("secretsmanager", "eu-central-1", endpoint);
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "secret".into(),
            session_token: None,
        };
        let query = serde_json::json!({ "SecretId": "x" });
        let request = service
            .json_request("secretsmanager.GetSecretValue", &query, &credentials)
            .unwrap();
        assert_eq!(
            request.uri(),
            "https://secretsmanager.eu-central-1.amazonaws.com/"
        );
        assert_eq!(
            request.headers()["x-amz-target"],
            "secretsmanager.GetSecretValue"
        );
        assert!(request.headers().contains_key(header::AUTHORIZATION));
    }

    /// The signature that botocore makes for the same request.
    #[test]
    fn body_headers_and_token_are_signed() {
        let endpoint = "https://secretsmanager.eu-central-1.amazonaws.com";
        let service = service("secretsmanager", "eu-central-1", endpoint);
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "secretsmanager.GetSecretValue"),
        ];
        let token = Some("a/session+token==");
        assert_eq!(
            authorization(
                &service,
                &headers,
                r#"{"SecretId":"x"}"#,
                token,
                1_806_537_548
            ),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270331/eu-central-1/secretsmanager/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, \
             Signature=c8a965ea765f7068c9ed22e15f15261141fe2e3d0716d1ea489768601c3fcc25"
        );
    }
}

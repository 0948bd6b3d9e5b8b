//! The key of one run: random, so that neither a web page nor another user of this machine has it. A caller proves that it has
//! the key with an AWS signature, like any AWS tool; parts of the sandbox send the key in a header.

use anyhow::{Result, anyhow};
use hmac::{Hmac, KeyInit, Mac};
use hyper::header::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::call::{Call, Credential};
use super::http::header;

/// The header with the key itself.
pub const KEY_HEADER: &str = "x-sandbox-key";

/// The characters that a signature does not encode.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const ENCODED_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// The secret access key of a run.
#[derive(Clone)]
pub struct Key(String);

impl Key {
    /// A new key, from the system's random numbers.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random numbers: {error}"))?;
        Ok(Self(hex::encode(bytes)))
    }

    /// The key as text, for callers that may have it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn header(&self) -> HeaderValue {
        let mut value = HeaderValue::try_from(&self.0).expect("hexadecimal digits");
        value.set_sensitive(true);
        value
    }

    /// Whether the caller has the key: the call is signed with it, or carries it.
    pub(crate) fn admits(&self, call: &Call) -> bool {
        match header(&call.headers, KEY_HEADER) {
            // Digests are compared, so that the time reveals nothing about the key.
            Some(given) => Sha256::digest(given) == Sha256::digest(&self.0),
            None => self.signed(call).unwrap_or(false),
        }
    }

    /// A text that only an owner of the key can derive from `text`: the signature of a URL.
    pub(crate) fn word(&self, text: &str) -> String {
        hex::encode(mac(self.0.as_bytes(), text))
    }

    /// Whether a call has a valid signature of version 4 with the key. `None` if it has no signature.
    fn signed(&self, call: &Call) -> Option<bool> {
        let authorization = header(&call.headers, "authorization")?;
        let authorization = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let field = |name: &str| {
            let mut fields = authorization.split(',').map(str::trim);
            fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let credential = Credential::of(&call.headers)?;
        let (names, given) = (field("SignedHeaders")?, field("Signature")?);
        let time = header(&call.headers, "x-amz-date")?;

        let mut headers = String::new();
        for name in names.split(';') {
            let values = call.headers.get_all(name).iter();
            let values: Vec<_> = values
                .filter_map(|value| value.to_str().ok())
                .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            headers.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        let body = match header(&call.headers, "x-amz-content-sha256") {
            Some("UNSIGNED-PAYLOAD") => "UNSIGNED-PAYLOAD".to_owned(),
            _ => hex::encode(Sha256::digest(&call.body)),
        };
        let request = format!(
            "{}\n{}\n{}\n{headers}\n{names}\n{body}",
            call.method,
            path(call, &credential.service),
            query(call),
        );
        let scope = format!(
            "{}/{}/{}/aws4_request",
            credential.date, credential.region, credential.service
        );
        let digest = hex::encode(Sha256::digest(request));
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");

        let mut key = mac(format!("AWS4{}", self.0).as_bytes(), &credential.date);
        for part in [&credential.region, &credential.service, "aws4_request"] {
            key = mac(&key, part);
        }
        let given = hex::decode(given).ok()?;
        Some(keyed(&key).chain_update(text).verify_slice(&given).is_ok())
    }
}

/// The path in its signed form: encoded once more than it is sent, except for S3.
fn path(call: &Call, service: &str) -> String {
    match (call.uri.path(), service) {
        ("", _) => "/".to_owned(),
        (path, "s3") => path.to_owned(),
        (path, _) => utf8_percent_encode(path, ENCODED_PATH).to_string(),
    }
}

/// The query in its signed form: encoded in one way, and sorted.
fn query(call: &Call) -> String {
    let again = |text: &str| {
        let bytes: Vec<u8> = percent_decode_str(text).collect();
        percent_encoding::percent_encode(&bytes, ENCODED).to_string()
    };
    let query = call.uri.query().unwrap_or_default();
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (again(name), again(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    keyed(key)
        .chain_update(text)
        .finalize()
        .into_bytes()
        .to_vec()
}

//! Calls to services without their SDK crates: each crate would take a minute or more to compile for a few calls. The SDK's
//! runtime provides credentials, signature, clock, timeouts, retries and endpoints. The calls are in `logs`, `exposure`,
//! `secrets`, `metrics` and `network`.

use std::fmt;

use aws_config::{Region, SdkConfig};
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::service_clock_skew::{ServiceClockSkewClassifier, ServiceClockSkewInterceptor};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{
    HttpRequest, HttpResponse, OrchestratorError, SensitiveOutput,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;
use jane_migrate_config::partition;
use jane_migrate_core::aws_error::{AwsError, Kind};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{During, failed};
use super::retry;

/// A service, and its names.
#[derive(Debug)]
pub(super) struct Service {
    /// In signatures, and at the start of its host.
    pub signed_as: &'static str,
    /// The name for its own endpoint setting: in profiles, and in capitals after `AWS_ENDPOINT_URL_`.
    pub id: &'static str,
    /// Its protocol.
    pub protocol: Protocol,
}

/// How a service encodes requests (by POST) and responses.
#[derive(Debug)]
pub(super) enum Protocol {
    /// JSON both ways.
    Json {
        /// The version of the protocol.
        version: &'static str,
        /// The prefix of the operation in the header field that names it.
        target: &'static str,
    },
    /// A form in, XML out: an element with elements becomes an object, a list of `item`s an array, any other a text.
    Query {
        /// The version of the API.
        version: &'static str,
    },
}

/// Makes the call that the IAM `action` is named after. A response without a body is `Null`.
pub(super) async fn ask(
    config: &SdkConfig,
    service: &'static Service,
    action: &'static str,
    region: &str,
    body: Value,
) -> Result<Value, AwsError> {
    ask_as(config, service, action, region, body).await
}

/// The same for a long response: a type of its own takes less memory and time than a `Value`.
pub(super) async fn ask_as<T: DeserializeOwned + Send + Sync + 'static>(
    config: &SdkConfig,
    service: &'static Service,
    action: &'static str,
    region: &str,
    body: Value,
) -> Result<T, AwsError> {
    let endpoint = endpoint(config, service, region)
        .map_err(|error| failed(action, Kind::Refused, "request not made", error))?;
    let name = action.rsplit(':').next().unwrap_or(action);
    operation(config, service, name, region, &endpoint)
        .invoke(body)
        .await
        .during(action)
        .map(|Answer(answer)| answer)
}

/// A response. Its `Debug` shows nothing: it may contain a secret's value.
struct Answer<T>(T);

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

/// The parts of the SDK's clients, for one call.
fn operation<T: DeserializeOwned + Send + Sync + 'static>(
    config: &SdkConfig,
    service: &'static Service,
    name: &'static str,
    region: &str,
    endpoint: &str,
) -> Operation<Value, Answer<T>, ErrorMetadata> {
    let mut settings = Layer::new(service.signed_as);
    settings.store_put(SigningName::from_static(service.signed_as));
    settings.store_put(SigningRegion::from(Region::new(region.to_owned())));
    settings.store_put(SigV4OperationSigningConfig::default());
    settings.store_put(AuthSchemeOptionResolverParams::new(()));
    settings.store_put(retry::unlimited(service.signed_as));
    settings.store_put(SensitiveOutput);
    let mut components = RuntimeComponentsBuilder::new(service.signed_as)
        .with_auth_scheme(SigV4AuthScheme::new())
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![
            SCHEME_ID,
        ])))
        // All clients share the fetched credentials.
        .with_identity_cache(config.identity_cache())
        .with_interceptor(ServiceClockSkewInterceptor::new())
        .with_retry_classifier(retry::Ours)
        .with_retry_classifier(HttpStatusCodeClassifier::default())
        .with_retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
        .with_retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
        .with_retry_classifier(ServiceClockSkewClassifier::<ErrorMetadata>::new());
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(SCHEME_ID, credentials);
    }
    components.set_sleep_impl(config.sleep_impl());
    components.set_time_source(config.time_source());
    let mut operation = Operation::builder()
        .service_name(service.id)
        .operation_name(name)
        .endpoint_url(endpoint)
        .with_connection_poisoning()
        .runtime_plugin(
            StaticRuntimePlugin::new()
                .with_config(settings.freeze())
                .with_runtime_components(components),
        );
    if let Some(behaviour) = config.behavior_version() {
        operation = operation.behavior_version(behaviour);
    }
    if let Some(client) = config.http_client() {
        operation = operation.http_client(client);
    }
    if let Some(retries) = config.retry_config() {
        operation = operation.standard_retry(retries);
    }
    if let Some(timeouts) = config.timeout_config() {
        operation = operation.timeout_config(timeouts.clone());
    }
    operation
        .serializer(move |body: Value| request(service, name, &body))
        .deserializer(|got| answer(&service.protocol, got))
        .build()
}

fn request(service: &Service, name: &str, body: &Value) -> Result<HttpRequest, BoxError> {
    let (kind, target, body) = match service.protocol {
        Protocol::Json { version, target } => (
            format!("application/x-amz-json-{version}"),
            Some(format!("{target}.{name}")),
            body.to_string(),
        ),
        Protocol::Query { version } => (
            "application/x-www-form-urlencoded".to_owned(),
            None,
            form(name, version, body),
        ),
    };
    let length = body.len();
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.insert("content-type", kind);
    headers.insert("content-length", length.to_string());
    if let Some(target) = target {
        headers.insert("x-amz-target", target);
    }
    headers.insert(
        "user-agent",
        concat!("jane-migrate/", env!("CARGO_PKG_VERSION")),
    );
    Ok(request)
}

fn form(name: &str, version: &str, body: &Value) -> String {
    let members = body.as_object().into_iter().flatten();
    let members = members.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
    let pairs = [("Action", name), ("Version", version)].into_iter();
    let encoded = pairs
        .chain(members)
        .map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    encoded.collect::<Vec<_>>().join("&")
}

fn answer<T: DeserializeOwned>(
    protocol: &Protocol,
    answer: &HttpResponse,
) -> Result<Answer<T>, OrchestratorError<ErrorMetadata>> {
    let body = answer.body().bytes().unwrap_or_default();
    if answer.status().is_success() {
        let read = read(protocol, body);
        return read.map(Answer).map_err(OrchestratorError::other);
    }
    let body: Value = read(protocol, body).unwrap_or_default();
    // EC2's errors are in a list, STS's is alone.
    let of_xml = [&body["Errors"]["Error"], &body["Error"]];
    let of_xml = of_xml.into_iter().find(|error| error.is_object());
    let body = of_xml.unwrap_or(&body);
    let member = |names: [&str; 2]| names.iter().find_map(|name| body[name].as_str());
    let code = member(["__type", "code"])
        .or_else(|| body["Code"].as_str())
        .or_else(|| answer.headers().get("x-amzn-errortype"));
    let mut error = ErrorMetadata::builder();
    if let Some(code) = code {
        // `com.amazonaws.service#Code` in the body, `Code:http://...` in the header field.
        let code = code.rsplit('#').next().unwrap_or(code);
        error = error.code(code.split(':').next().unwrap_or(code));
    }
    if let Some(message) = member(["message", "Message"]) {
        error = error.message(message);
    }
    Err(OrchestratorError::operation(error.build()))
}

fn read<T: DeserializeOwned>(protocol: &Protocol, body: &[u8]) -> Result<T, BoxError> {
    Ok(match (protocol, body) {
        (_, []) => serde_json::from_value(Value::Null)?,
        (Protocol::Json { .. }, _) => serde_json::from_slice(body)?,
        (Protocol::Query { .. }, _) => serde_json::from_value(from_xml(body)?)?,
    })
}

/// The content of the outermost element.
fn from_xml(body: &[u8]) -> Result<Value, BoxError> {
    let mut reader = Reader::from_reader(body);
    // The open elements: the name of each, its text and its fields.
    let mut open: Vec<(String, String, Value)> = Vec::new();
    loop {
        match reader.read_event()? {
            Event::Start(element) => {
                let name = String::from_utf8_lossy(element.local_name().as_ref()).into_owned();
                open.push((name, String::new(), Value::Null));
            }
            Event::Empty(_) => {}
            Event::Text(text) => {
                if let Some((_, so_far, _)) = open.last_mut() {
                    so_far.push_str(&text.decode()?);
                }
            }
            Event::GeneralRef(name) => {
                if let Some((_, so_far, _)) = open.last_mut() {
                    let name = name.decode()?;
                    so_far.push_str(resolve_predefined_entity(&name).unwrap_or("?"));
                }
            }
            Event::End(_) => {
                let (name, text, members) = open.pop().ok_or("an element ends that is not open")?;
                let value = match members {
                    Value::Null => text.trim().into(),
                    members => members,
                };
                match open.last_mut() {
                    None => return Ok(value),
                    Some((_, _, Value::Array(items))) if name == "item" => items.push(value),
                    Some((_, _, outer)) if name == "item" => *outer = Value::Array(vec![value]),
                    Some((_, _, outer)) => outer[name] = value,
                }
            }
            Event::Eof => return Err("the answer was cut off".into()),
            _ => {}
        }
    }
}

/// The service's endpoint: from the environment or a profile, for this service or for all of AWS, or the default one.
fn endpoint(config: &SdkConfig, service: &Service, region: &str) -> Result<String, BoxError> {
    let key = ServiceConfigKey::builder()
        .service_id(service.id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()?;
    let own = || config.service_config()?.load_config(key);
    let one = config.endpoint_url().map(str::to_owned);
    // The flag applies to every service.
    let configured = match config.get_origin("endpoint_url").is_client_config() {
        true => one,
        false => own().or(one),
    };
    match configured {
        Some(url) => Ok(url),
        None => {
            let fips = config.use_fips().unwrap_or_default();
            let dual_stack = config.use_dual_stack().unwrap_or_default();
            let host = partition::host(service.signed_as, region, fips, dual_stack);
            Ok(format!("https://{host}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_response_in_xml_is_read_like_one_in_json() {
        let read = |xml: &str| from_xml(xml.as_bytes());
        let listed = read(
            "<?xml version=\"1.0\"?>\n<R xmlns=\"x\"><set>\n <item><id>a</id><n>1 &amp; 2</n></item><item><id>b</id></item></set><no/></R>",
        );
        let expected = json!({ "set": [{ "id": "a", "n": "1 & 2" }, { "id": "b" }] });
        assert_eq!(listed.unwrap(), expected);
        assert!(read("<R><set>").is_err() && read("{}").is_err());
        let asked = json!({ "Filter.1.Name": "description", "Filter.1.Value.1": "a *" });
        assert_eq!(
            form("DescribeThings", "2016-11-15", &asked),
            "Action=DescribeThings&Version=2016%2D11%2D15&Filter.1.Name=description&Filter.1.Value.1=a%20%2A"
        );
    }

    /// As botocore's rules define them.
    #[test]
    fn endpoints_follow_botocores_rules() {
        for (service, region, fips, dual_stack, expected) in [
            (
                "logs",
                "us-east-1",
                false,
                false,
                "logs.us-east-1.amazonaws.com",
            ),
            (
                "logs",
                "us-east-1",
                true,
                false,
                "logs-fips.us-east-1.amazonaws.com",
            ),
            ("logs", "eu-west-1", false, true, "logs.eu-west-1.api.aws"),
            (
                "logs",
                "us-gov-west-1",
                true,
                false,
                "logs.us-gov-west-1.amazonaws.com",
            ),
            (
                "ssm",
                "us-gov-east-1",
                true,
                false,
                "ssm.us-gov-east-1.amazonaws.com",
            ),
            (
                "ssm",
                "cn-north-1",
                false,
                false,
                "ssm.cn-north-1.amazonaws.com.cn",
            ),
            (
                "monitoring",
                "us-iso-east-1",
                false,
                false,
                "monitoring.us-iso-east-1.c2s.ic.gov",
            ),
            (
                "monitoring",
                "us-west-2",
                true,
                true,
                "monitoring-fips.us-west-2.api.aws",
            ),
            (
                "secretsmanager",
                "us-gov-west-1",
                true,
                false,
                "secretsmanager-fips.us-gov-west-1.amazonaws.com",
            ),
            (
                "secretsmanager",
                "us-west-2",
                false,
                true,
                "secretsmanager.us-west-2.amazonaws.com",
            ),
            (
                "secretsmanager",
                "eusc-de-east-1",
                false,
                false,
                "secretsmanager.eusc-de-east-1.amazonaws.eu",
            ),
        ] {
            assert_eq!(partition::host(service, region, fips, dual_stack), expected);
        }
    }

    /// The SDK has every partition, too.
    #[tokio::test]
    async fn the_sdk_finds_the_same_hosts() {
        for region in [
            "us-east-1",
            "cn-north-1",
            "us-gov-west-1",
            "eusc-de-east-1",
            "us-iso-east-1",
            "us-isob-east-1",
            "eu-isoe-west-1",
            "us-isof-south-1",
        ] {
            for (fips, dual_stack) in [(false, false), (true, false), (false, true), (true, true)] {
                let params = Params::builder().region(region.to_owned());
                let params = params
                    .use_fips(fips)
                    .use_dual_stack(dual_stack)
                    .build()
                    .unwrap();
                let sdk = DefaultResolver::new()
                    .resolve_endpoint(&params)
                    .await
                    .unwrap();
                let ours = partition::host("lambda", region, fips, dual_stack);
                assert_eq!(sdk.url(), format!("https://{ours}"));
            }
        }
    }
}

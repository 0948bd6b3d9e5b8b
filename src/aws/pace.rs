//! Keeps requests within AWS's rates. They apply to a whole account and Region, so many pools share one [`Pace`]; waiting for a
//! turn costs less than being throttled, for this program and for others in the account. The SDK retries requests that are still
//! throttled because of others.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::known;
use crate::host::{Instant, sleep};

/// A group of calls that share a rate, and the default rate a second, from the services' pages of quotas. The rates of other
/// calls are never reached here.
fn category(method: &str, path: &str, target: &str) -> Option<(&'static str, usize)> {
    let action = target.rsplit('.').next().unwrap_or_default();
    let category = match action {
        "DescribeUserPool" => ("UserPoolRead", 15),
        "UpdateUserPool" => ("UserPoolUpdate", 15),
        "GetUserPoolMfaConfig" => ("UserPoolResourceRead", 20),
        "ListUserPoolClients" | "DescribeUserPoolClient" => ("UserPoolClientRead", 15),
        "UpdateUserPoolClient" => ("UserPoolClientUpdate", 15),
        "ListUsers" => ("UserList", 30),
        "CreateLogGroup" => ("CreateLogGroup", 10),
        "DeleteLogGroup" => ("DeleteLogGroup", 10),
        "DescribeLogGroups" => ("DescribeLogGroups", 10),
        "PutRetentionPolicy" => ("PutRetentionPolicy", 10),
        "FilterLogEvents" => ("FilterLogEvents", 5),
        // No documented rate was found for these two; the other calls of Logs have ten.
        "StartQuery" => ("StartQuery", 10),
        "GetQueryResults" => ("GetQueryResults", 10),
        "LookupEvents" => ("LookupEvents", 2),
        "" => lambda(method, path)?,
        _ => return None,
    };
    Some(category)
}

/// Lambda's general rate: everything but invocations and GetFunction. Its paths begin with the API's date.
fn lambda(method: &str, path: &str) -> Option<(&'static str, usize)> {
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let mut parts = path.split('/').skip(1);
    let dated = |part: &str| part.starts_with("20") && part.as_bytes().get(4) == Some(&b'-');
    if !parts.next().is_some_and(dated) {
        return None;
    }
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    match (method, &parts[..]) {
        ("GET", ["functions", _]) | (_, ["functions", _, "invocations"]) => None,
        ("GET", ["functions", _, "policy"]) => Some(("GetPolicy", 15)),
        _ => Some(("Lambda control plane", 15)),
    }
}

/// The recent turns, by category.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<BTreeMap<&'static str, VecDeque<Instant>>>);

impl Pace {
    /// Takes the next turn; returns how long to wait for it. No period of one second has more requests than the rate, minus one
    /// for others. After a pause all of them may start at once, so that one pool rarely waits.
    fn turn(&self, category: &'static str, per_second: usize, now: Instant) -> Duration {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turns = turns.entry(category).or_default();
        let earliest = match turns.len() < per_second - 1 {
            true => None,
            false => turns.pop_front(),
        };
        let turn = earliest.map_or(now, |earlier| now.max(earlier + Duration::from_secs(1)));
        turns.push_back(turn);
        turn - now
    }
}

/// An HTTP client whose requests, and retries, wait for their turn.
#[derive(Debug)]
pub(super) struct Paced {
    client: SharedHttpClient,
    pace: Arc<Pace>,
}

impl Paced {
    pub(super) fn new(client: SharedHttpClient) -> Self {
        Self {
            client,
            pace: Arc::default(),
        }
    }
}

impl HttpClient for Paced {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(PacedConnector {
            connector: self.client.http_connector(settings, components),
            pace: self.pace.clone(),
        })
    }
}

#[derive(Debug)]
struct PacedConnector {
    connector: SharedHttpConnector,
    pace: Arc<Pace>,
}

impl HttpConnector for PacedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let session = request.headers().get("x-amz-security-token");
        known::know(session.unwrap_or_default());
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let path = request.uri().split('?').next().unwrap_or_default();
        let wait = category(request.method(), path, target)
            .map(|(category, per_second)| self.pace.turn(category, per_second, Instant::now()))
            .unwrap_or_default();
        let connector = self.connector.clone();
        let name = named(&request);
        let endpoint = endpoint(request.uri());
        HttpConnectorFuture::new(async move {
            sleep(wait).await;
            let started = Instant::now();
            let answer = connector.call(request).await;
            let answer = answer.map_err(|error| at(endpoint, error));
            let status = match &answer {
                Ok(answer) => answer.status().as_u16().to_string(),
                Err(_) => "no answer".to_owned(),
            };
            let (took, waited) = (started.elapsed().as_millis(), wait.as_millis());
            match waited {
                0 => log::debug!("{name}: {status} in {took} ms"),
                _ => log::debug!(
                    "{name}: {status} in {took} ms, after waiting {waited} ms for its turn"
                ),
            }
            answer
        })
    }
}

/// A connection error with its target: the SDK omits the target, and it need not be AWS.
#[derive(Debug)]
struct At {
    endpoint: String,
    error: ConnectorError,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}", self.endpoint)
    }
}

impl Error for At {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

fn at(endpoint: String, error: ConnectorError) -> ConnectorError {
    match error.is_io() {
        true => ConnectorError::io(Box::new(At { endpoint, error })),
        false => error,
    }
}

/// The scheme, host and port of a URI.
fn endpoint(uri: &str) -> String {
    let host = uri.find("://").map_or(0, |scheme| scheme + 3);
    let end = uri[host..]
        .find(['/', '?'])
        .map_or(uri.len(), |end| host + end);
    uri[..end].to_owned()
}

/// A request for display: the service's host with the action, or the method and path if they contain the action. Nothing of its
/// body, its query or its header fields.
fn named(request: &HttpRequest) -> String {
    let uri = request.uri().split('?').next().unwrap_or_default();
    let uri = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    match target.rsplit('.').next() {
        Some(action) if !action.is_empty() => format!("{} {action}", uri.trim_end_matches('/')),
        _ => format!("{} {uri}", request.method()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_uses_the_rate_and_never_more() {
        let pace = Pace::default();
        let start = Instant::now() + Duration::from_secs(5);
        let waits: Vec<Duration> = (0..50)
            .map(|_| pace.turn("UserPoolRead", 15, start))
            .collect();
        for first in &waits {
            let within = *first..*first + Duration::from_secs(1);
            assert_eq!(
                waits.iter().filter(|wait| within.contains(*wait)).count(),
                14.min(50 - waits.iter().filter(|wait| *wait < first).count())
            );
        }
        assert_eq!(waits[49], Duration::from_secs(3));
        // Another category has its own turns, and a turn is free again after a second.
        assert_eq!(pace.turn("UserPoolUpdate", 15, start), Duration::ZERO);
        let later = start + Duration::from_secs(10);
        assert_eq!(pace.turn("UserPoolRead", 15, later), Duration::ZERO);
    }

    #[test]
    fn categories_follow_the_quota_pages() {
        let cognito = |action: &str| {
            category(
                "POST",
                "/",
                &format!("AWSCognitoIdentityProviderService.{action}"),
            )
            .map(|(name, _)| name)
        };
        assert_eq!(cognito("UpdateUserPool"), Some("UserPoolUpdate"));
        assert_eq!(
            cognito("DescribeUserPoolClient"),
            Some("UserPoolClientRead")
        );
        assert_eq!(cognito("InitiateAuth"), None);
        let logs = |action: &str| category("POST", "/", &format!("Logs_20140328.{action}"));
        assert_eq!(logs("FilterLogEvents"), Some(("FilterLogEvents", 5)));
        assert_eq!(logs("GetQueryResults"), Some(("GetQueryResults", 10)));
        let lambda = |method, path: &str| {
            category(method, &format!("https://lambda/2015-03-31{path}"), "").map(|(name, _)| name)
        };
        assert_eq!(lambda("POST", "/functions"), Some("Lambda control plane"));
        assert_eq!(
            lambda("GET", "/event-source-mappings/?FunctionName=f"),
            Some("Lambda control plane")
        );
        assert_eq!(category("GET", "https://host/secrets", ""), None);
        assert_eq!(lambda("GET", "/functions/f"), None);
        assert_eq!(lambda("POST", "/functions/f/invocations"), None);
        assert_eq!(lambda("GET", "/functions/f/policy"), Some("GetPolicy"));
        assert_eq!(
            lambda("POST", "/functions/f/policy"),
            Some("Lambda control plane")
        );
        assert_eq!(
            lambda("DELETE", "/functions/f"),
            Some("Lambda control plane")
        );
    }
}

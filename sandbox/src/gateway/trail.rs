//! CloudTrail's event history of writes to Lambda: like AWS's, without the code and the environment. Events appear at once; AWS
//! takes minutes.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::lock::lock;
use crate::wire::{Answer, Call, Refusal};

/// Lambda's event names in the trail include the date of its API.
const NAMES: [(&str, &str); 8] = [
    ("CreateFunction", "CreateFunction20150331"),
    ("UpdateFunctionCode", "UpdateFunctionCode20150331v2"),
    ("PublishVersion", "PublishVersion20150331"),
    ("CreateAlias", "CreateAlias20150331"),
    ("UpdateAlias", "UpdateAlias20150331"),
    ("DeleteFunction", "DeleteFunction20150331"),
    ("AddPermission", "AddPermission20150331v2"),
    ("RemovePermission", "RemovePermission20150331v2"),
];

/// The fields of a response that the trail contains.
const ANSWERED: [&str; 4] = ["FunctionArn", "Version", "CodeSha256", "FunctionVersion"];

/// The most events in one response.
const PAGE: usize = 50;

/// A limit for a sandbox that runs for days.
const LIMIT: usize = 50_000;

struct Event {
    account: String,
    region: String,
    name: &'static str,
    at_s: u64,
    event: Value,
}

#[derive(Default)]
pub(crate) struct Trail(Mutex<Vec<Event>>);

impl Trail {
    /// Records a call and its response.
    pub fn write(&self, call: &Call, answer: &Answer) {
        let named = NAMES.iter().find(|(action, _)| *action == call.action);
        let Some((_, name)) = named.filter(|_| call.service == "lambda") else {
            return;
        };
        let request = call.request().unwrap_or_default();
        let (function, qualifier) = call.function().unzip();
        let mut parameters = Map::new();
        for (key, value) in request.as_object().into_iter().flatten() {
            if !["Code", "ZipFile", "Environment"].contains(&key.as_str()) {
                parameters.insert(lower(key), value.clone());
            }
        }
        let in_path = [
            ("functionName", function),
            ("qualifier", qualifier.flatten()),
            ("name", call.path_after("aliases").map(str::to_owned)),
            ("statementId", call.path_after("policy").map(str::to_owned)),
        ];
        for (key, value) in in_path {
            if let Some(value) = value {
                parameters.entry(key).or_insert(value.into());
            }
        }
        let answered = answer.value();
        let answered: Map<String, Value> = ANSWERED
            .into_iter()
            .filter_map(|key| Some((lower(key), answered.get(key)?.clone())))
            .collect();
        let at_s = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let at = i64::try_from(at_s).ok();
        let at = at.and_then(|at| Timestamp::from_second(at).ok());
        let mut event = json!({
            "eventSource": "lambda.amazonaws.com",
            "eventName": name,
            "eventTime": at.unwrap_or_default().to_string(),
            "awsRegion": call.scope.region,
            "userIdentity": { "type": "Root", "arn": format!("arn:aws:iam::{}:root", call.scope.account) },
            "requestParameters": parameters,
            "responseElements": answered,
        });
        if let Some(error) = answer.error() {
            event["errorCode"] = error.into();
        }
        let mut events = lock(&self.0);
        if events.len() == LIMIT {
            events.drain(..LIMIT / 2);
        }
        events.push(Event {
            account: call.scope.account.clone(),
            region: call.scope.region.clone(),
            name,
            at_s,
            event,
        });
    }

    /// `LookupEvents`: the events of the caller's account and Region, newest first.
    pub fn answer(&self, call: &Call) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let attributes = request["LookupAttributes"].as_array();
        let attributes = attributes.map(Vec::as_slice).unwrap_or_default();
        if attributes.len() > 1 {
            let message = "You can only use one attribute in a lookup request.";
            return Err(Refusal::new("InvalidLookupAttributesException", message));
        }
        let wanted = |event: &&Event| {
            event.account == call.scope.account
                && event.region == call.scope.region
                && event.at_s >= request["StartTime"].as_u64().unwrap_or_default()
                && attributes.iter().all(|asked| {
                    asked["AttributeKey"] == "EventName" && asked["AttributeValue"] == event.name
                })
        };
        let events = lock(&self.0);
        let found: Vec<&Event> = events.iter().rev().filter(wanted).collect();
        let from = request["NextToken"].as_str();
        let from: usize = from
            .and_then(|token| token.parse().ok())
            .unwrap_or_default();
        let page: Vec<Value> = found
            .iter()
            .skip(from)
            .take(PAGE)
            .map(|event| {
                json!({ "EventName": event.name, "EventTime": event.at_s, "EventSource": "lambda.amazonaws.com",
                    "CloudTrailEvent": event.event.to_string() })
            })
            .collect();
        let mut answer = json!({ "Events": page });
        if found.len() > from + PAGE {
            answer["NextToken"] = (from + PAGE).to_string().into();
        }
        Ok(Answer::json(&answer))
    }
}

/// `FunctionName` becomes `functionName`.
fn lower(key: &str) -> String {
    let (first, rest) = key.split_at(1);
    first.to_ascii_lowercase() + rest
}

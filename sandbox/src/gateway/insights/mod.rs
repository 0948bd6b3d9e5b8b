//! Reads logs: the pages of FilterLogEvents and the queries of Logs Insights, which the emulator lacks. The query language
//! follows AWS's documentation; `query` says which part is implemented.

mod expression;
mod query;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;
use serde_json::{Value as Json, json};

use self::expression::{Fields, Value};
use self::query::{Query, Row};
use super::json::remove;
use crate::lock::lock;
use crate::wire::{Answer, Call, Refusal, Upstream};

/// The limits of one page: a megabyte, or this many events.
const PAGE_BYTES: usize = 1024 * 1024;
const PAGE_EVENTS: usize = 10_000;

/// No query ends at once.
const RUNNING: Duration = Duration::from_millis(100);

pub(crate) struct Logs {
    upstream: Arc<Upstream>,
    /// The queries that were started, by id.
    queries: Mutex<HashMap<String, Started>>,
}

struct Started {
    rows: Vec<Row>,
    since: Instant,
}

impl Logs {
    pub fn new(upstream: Arc<Upstream>) -> Self {
        Self {
            upstream,
            queries: Mutex::default(),
        }
    }

    pub async fn answer(&self, call: &Call) -> Result<Answer, Refusal> {
        match call.action.as_str() {
            "FilterLogEvents" => self.page(call).await,
            "StartQuery" => self.start(call).await,
            "GetQueryResults" => self.results(call).await,
            _ => self.upstream.forward(call).await,
        }
    }

    /// One page, and the token of the next page: its start time, and how many events of that time to skip.
    async fn page(&self, call: &Call) -> Result<Answer, Refusal> {
        let mut request = call.request()?;
        let (mut from, mut over) = (request["startTime"].as_i64(), 0);
        let token = remove(&mut request, "nextToken").unwrap_or_default();
        if let Some(token) = token.as_str() {
            let place = token.split_once(':').and_then(|(from, over)| {
                Some((from.parse::<i64>().ok()?, over.parse::<usize>().ok()?))
            });
            let invalid = || Refusal::invalid("The specified nextToken is invalid.");
            let (time, events) = place.ok_or_else(invalid)?;
            request["startTime"] = json!(time);
            (from, over) = (Some(time), events);
        }
        let limit = remove(&mut request, "limit").and_then(|limit| limit.as_u64());
        let limit = limit.map_or(PAGE_EVENTS, |limit| (limit as usize).min(PAGE_EVENTS));
        let answer = self.upstream.forward_as(call, &request).await?;
        let mut value = answer.value();
        let events = value["events"].take();
        let events = events.as_array().cloned().unwrap_or_default();
        // The emulator stops at ten thousand events without a token.
        let full = events.len() >= PAGE_EVENTS;
        let mut bytes = 0;
        let mut page = Vec::new();
        let mut rest = events.into_iter().skip(over);
        for event in rest.by_ref() {
            bytes += event["message"].as_str().map_or(0, str::len) + 26;
            page.push(event);
            if page.len() >= limit || bytes >= PAGE_BYTES {
                break;
            }
        }
        let more = rest.next().is_some() || full;
        let last = page.last().and_then(|event| event["timestamp"].as_i64());
        if let (true, Some(last)) = (more, last) {
            let same = |event: &&Json| event["timestamp"].as_i64() == Some(last);
            let seen = page.iter().rev().take_while(same).count();
            let before = if from == Some(last) { over } else { 0 };
            value["nextToken"] = json!(format!("{last}:{}", seen + before));
        }
        value["events"] = json!(page);
        Ok(answer.with_value(&value))
    }

    /// Every event of a query's log group and time, in order.
    async fn events(&self, call: &Call, request: &Json) -> Result<Vec<Json>, Refusal> {
        let ms = |name: &str| request[name].as_i64().unwrap_or_default() * 1000;
        let mut body = json!({
            "logGroupName": request["logGroupName"],
            "startTime": ms("startTime"),
            "endTime": ms("endTime"),
        });
        let mut filter = Call {
            action: "FilterLogEvents".into(),
            unsigned: true,
            checked: false,
            ..call.clone()
        };
        let target = HeaderValue::from_static("Logs_20140328.FilterLogEvents");
        filter.headers.insert("x-amz-target", target);
        let mut events = Vec::new();
        loop {
            filter.body = body.to_string().into();
            let mut answer = self.page(&filter).await?.value();
            match answer["events"].take() {
                Json::Array(page) => events.extend(page),
                _ => return Err(Refusal::broken("the emulator has no events")),
            }
            match answer["nextToken"].take() {
                Json::Null => return Ok(events),
                token => body["nextToken"] = token,
            }
        }
    }

    async fn start(&self, call: &Call) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let malformed = |message: &str| Refusal::new("MalformedQueryException", message);
        // The emulator checks that the log group exists and that the caller has permission.
        let answer = self.upstream.forward(call).await?;
        if request["startTime"].as_i64() > request["endTime"].as_i64() {
            return Err(malformed("Query's end date and time is before its start"));
        }
        let query = request["queryString"].as_str().and_then(Query::read);
        let query = query.ok_or_else(|| malformed("unexpected symbol found in the query"))?;
        let limit = request["limit"].as_i64();
        let limit = limit.map_or(PAGE_EVENTS, |limit| limit as usize);
        let events = self.events(call, &request).await?;
        let rows = query.run(events.iter().map(fields).collect(), limit);
        let value = answer.value();
        let id = value["queryId"].as_str().unwrap_or_default().to_owned();
        lock(&self.queries).insert(
            id,
            Started {
                rows,
                since: Instant::now(),
            },
        );
        Ok(answer)
    }

    async fn results(&self, call: &Call) -> Result<Answer, Refusal> {
        let answer = self.upstream.forward(call).await?;
        let request = call.request()?;
        let mut queries = lock(&self.queries);
        let id = request["queryId"].as_str().unwrap_or_default();
        let Some(started) = queries.get_mut(id) else {
            return Ok(answer);
        };
        let mut value = answer.value();
        if started.since.elapsed() < RUNNING {
            value["status"] = json!("Running");
            value["results"] = json!([]);
            return Ok(answer.with_value(&value));
        }
        let row = |row: &Row| {
            let column = |(field, value)| json!({ "field": field, "value": value });
            row.iter().cloned().map(column).collect::<Vec<_>>()
        };
        value["status"] = json!("Complete");
        value["results"] = started.rows.iter().map(row).collect();
        Ok(answer.with_value(&value))
    }
}

/// The fields that Insights has for an event: its own, and those of a message that is a JSON object.
fn fields(event: &Json) -> Fields {
    let message = event["message"].as_str().unwrap_or_default();
    let mut fields = Fields::from([("@message".to_owned(), Value::Text(message.to_owned()))]);
    if let Some(ms) = event["timestamp"].as_i64() {
        fields.insert("@timestamp".into(), Value::Time(ms));
    }
    if let Some(stream) = event["logStreamName"].as_str() {
        fields.insert("@logStream".into(), Value::Text(stream.to_owned()));
    }
    if let Ok(Json::Object(members)) = serde_json::from_str(message) {
        for (name, value) in &members {
            discover(name.clone(), value, &mut fields);
        }
    }
    fields
}

fn discover(name: String, value: &Json, fields: &mut Fields) {
    let found = match value {
        Json::Null => return,
        Json::Bool(yes) => Value::Number(f64::from(u8::from(*yes))),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or_default()),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                discover(format!("{name}.{index}"), item, fields);
            }
            return;
        }
        Json::Object(members) => {
            for (member, value) in members {
                discover(format!("{name}.{member}"), value, fields);
            }
            return;
        }
    };
    fields.insert(name, found);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(query: &str) -> Vec<Row> {
        let event =
            |at: i64, message: Json| json!({ "timestamp": at, "message": message.to_string() });
        let events = [
            event(
                0,
                json!({ "outcome": "migrated", "ms": 10.0, "cold": true, "calls": [{ "call": "a" }] }),
            ),
            event(
                86_400_000,
                json!({ "outcome": "migrated", "ms": 30.0, "client": null }),
            ),
            event(
                86_400_001,
                json!({ "outcome": "refused", "ms": 20.0, "client": "web" }),
            ),
            json!({ "timestamp": 5, "message": "REPORT RequestId: 1" }),
        ];
        Query::read(query)
            .expect(query)
            .run(events.iter().map(fields).collect(), 100)
    }

    fn shown(query: &str) -> Vec<String> {
        let row = |row: &Row| {
            row.iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        run(query).iter().map(row).collect()
    }

    #[test]
    fn events_are_counted_by_group() {
        assert_eq!(
            shown(
                "filter ispresent(outcome) | fields datefloor(@timestamp, 1d) as day | stats count(*) as n, max(ms) as most by day, outcome"
            ),
            [
                "day=1970-01-01 00:00:00.000 outcome=migrated n=1 most=10",
                "day=1970-01-02 00:00:00.000 outcome=migrated n=1 most=30",
                "day=1970-01-02 00:00:00.000 outcome=refused n=1 most=20",
            ]
        );
        assert_eq!(
            shown("filter ispresent(outcome) | stats count(*) as n by client"),
            ["n=2", "client=web n=1"]
        );
        assert_eq!(
            shown("stats sum(ms) as s, avg(ms) as a, min(ms) as least"),
            ["s=60 a=20 least=10"]
        );
    }

    #[test]
    fn conditions_and_functions_follow_the_query_language() {
        assert_eq!(
            shown("filter @message like /REPORT|x/ and not ispresent(outcome) | fields @message"),
            ["@message=REPORT RequestId: 1"]
        );
        assert_eq!(
            shown(
                "filter outcome in [\"refused\", 'x'] or calls.0.call = \"a\" | fields ms | sort ms asc"
            ),
            ["ms=10", "ms=20"]
        );
        assert_eq!(
            shown(
                "filter ms > 15 | fields ms + coalesce(extra, 2) * 2 as t | sort t desc | limit 1"
            ),
            ["t=34"]
        );
        assert_eq!(
            shown("filter cold = 1 | fields floor(log(greatest(ms, 0.001)) * 20) as slot"),
            ["slot=46"]
        );
    }

    #[test]
    fn an_invalid_query_is_rejected() {
        for wrong in [
            "",
            "show me",
            "filter",
            "fields a b",
            "stats by x",
            "filter (a = 1",
            "limit many",
            "fields 'x",
        ] {
            assert!(Query::read(wrong).is_none(), "{wrong}");
        }
    }
}

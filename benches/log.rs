//! `status` with a long log: a million lines of a simulated CloudWatch Logs, counted by Logs Insights, or line by line without
//! Insights. Shows the seconds, the processor seconds and the highest memory use of the program, beside a script that counts the
//! same lines.
//!
//!     cargo bench --profile dist --bench log [-- --lines 1000000]
//!
//! Everything except the log comes from the sandbox. A simulated page has AWS's size: 1 MB of messages or 10,000 of them.

#[path = "../tests/it/aws.rs"]
#[expect(dead_code, reason = "the integration tests use all of it")]
mod aws;
mod common;
#[path = "../tests/it/printed.rs"]
mod printed;
#[path = "../handler/tests/it/server.rs"]
#[expect(dead_code, reason = "the handler's tests use all of it")]
mod server;
#[path = "../tests/it/support.rs"]
#[expect(dead_code, reason = "the integration tests use all of it")]
mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use common::{Run, given, run, say};
use serde_json::{Value, json};
use server::{Reply, Request, Server};
use support::Corner;
use tokio::process::Command;

const PAGE_BYTES: usize = 1_000_000;
const PAGE_LINES: usize = 10_000;
const DAY_MS: u64 = 24 * 3600 * 1000;

/// How many pages are different; the others repeat these.
const DAYS: u64 = 30;

/// The program's goal.
const GOAL_SECONDS: f64 = 10.0;
const GOAL_MB: u64 = 70;

/// The requests of FilterLogEvents a second: AWS allows five, of which the program leaves one to others.
const PAGES_A_SECOND: usize = 4;

fn main() {
    let lines = given("--lines").map_or(1_000_000, |lines| {
        lines.parse().expect("--lines takes a number")
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure(lines));
}

async fn measure(lines: usize) {
    let mut corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    corner.create_client(&pool, json!({})).await;
    corner.deploy(&pool).await;
    let log = Log::of(&pool, lines);
    let pages = log.pages;
    say(format_args!(
        "status over {lines} lines of the log, {pages} pages of it"
    ));
    for insights in [true, false] {
        let log = log.clone();
        let stub = Server::start(move |request| log.answer(request, insights));
        corner.environment = vec![("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS".into(), stub.url())];
        let run = run(corner.command(&["status", "--pool", &pool, "--json"])).await;
        let status: Value = serde_json::from_str(&run.stdout).expect("a document");
        assert_eq!(
            status["source"],
            if insights { "insights" } else { "events" },
            "{status:#}"
        );
        let name = match insights {
            true => "by Insights",
            false => "line by line",
        };
        judge(name, &run);
        if !insights {
            let waits = pages.saturating_sub(PAGES_A_SECOND) as f64 / PAGES_A_SECOND as f64;
            say(format_args!(
                "  AWS takes no more than {PAGES_A_SECOND} of our requests for pages a second: {waits:.1} s of it"
            ));
            let mut script = Command::new("python3");
            script.args(["-c", SCRIPT, &stub.url()]);
            let peer = self::run(script).await;
            show("the script", &peer);
            say(format_args!(
                "  processor seconds of the script's: {:.2}",
                run.processor / peer.processor
            ));
        }
    }
}

fn show(name: &str, run: &Run) {
    say(format_args!(
        "  {name:<12} {:>6.1} s, {:>5.1} s of a processor, at most {:>3} MB",
        run.took.as_secs_f64(),
        run.processor,
        run.peak_kb / 1024,
    ));
}

/// The same for the program, beside its goal for the time without waits.
fn judge(name: &str, run: &Run) {
    show(name, run);
    let met = run.processor <= GOAL_SECONDS && run.peak_kb <= GOAL_MB * 1024;
    let met = if met { "met" } else { "not met" };
    say(format_args!(
        "               goal {GOAL_SECONDS} s of a processor and {GOAL_MB} MB: {met}"
    ));
}

/// The log group of a pool's function.
#[derive(Clone)]
struct Log {
    group: String,
    created_ms: u64,
    days: std::sync::Arc<Vec<String>>,
    pages: usize,
}

impl Log {
    /// With this many lines, over the last days.
    fn of(pool: &str, lines: usize) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_ms = now.expect("a clock").as_secs() * 1000;
        let created_ms = now_ms - DAYS * DAY_MS;
        let days: Vec<(String, usize)> = (0..DAYS)
            .map(|day| page(pool, created_ms + day * DAY_MS))
            .collect();
        let on_page = days.iter().map(|(_, lines)| lines).sum::<usize>() / days.len();
        Self {
            group: format!("/aws/lambda/jane-migrate-{pool}"),
            created_ms,
            days: days
                .into_iter()
                .map(|(page, _)| page)
                .collect::<Vec<_>>()
                .into(),
            pages: lines.div_ceil(on_page),
        }
    }

    fn answer(&self, request: &Request, insights: bool) -> Reply {
        let asked = request.json();
        let action = request.header("x-amz-target").rsplit('.').next();
        match action.unwrap_or_default() {
            "FilterLogEvents" => self.page(&asked, insights),
            "StartQuery" if insights => {
                Reply::json(200, json!({ "queryId": asked["queryString"] }))
            }
            "StartQuery" => Reply::json(
                400,
                json!({ "__type": "AccessDeniedException", "message": "no" }),
            ),
            "GetQueryResults" => Reply::json(200, self.counted(&asked)),
            "DescribeLogGroups" => {
                let group = json!({
                    "logGroupName": self.group, "creationTime": self.created_ms, "retentionInDays": 400,
                    "arn": "arn:aws:logs:us-west-2:100000000001:log-group:x:*",
                });
                Reply::json(200, json!({ "logGroups": [group] }))
            }
            _ => Reply::json(200, json!({})),
        }
    }

    fn page(&self, asked: &Value, insights: bool) -> Reply {
        // The lines that Insights has counted are not returned again.
        if insights {
            return Reply::json(200, json!({ "events": [] }));
        }
        let at = asked["nextToken"].as_str().and_then(|at| at.parse().ok());
        let at: usize = at.unwrap_or_default();
        let page = &self.days[at * self.days.len() / self.pages];
        let next = match at + 1 < self.pages {
            true => format!(r#","nextToken":"{}""#, at + 1),
            false => String::new(),
        };
        let body = format!(r#"{{"events":{page}{next}}}"#);
        Reply::Answer(200, Vec::new(), body.into_bytes())
    }

    /// The rows by day and outcome; no rows for other queries.
    fn counted(&self, asked: &Value) -> Value {
        let by_day = asked["queryId"]
            .as_str()
            .is_some_and(|query| query.contains("by day, outcome"));
        let days = if by_day { DAYS } else { 0 };
        let rows = (0..days).map(|day| {
            let at = (self.created_ms + day * DAY_MS).to_string();
            let columns = [
                ("day", &*at),
                ("outcome", "migrated"),
                ("n", "8000"),
                ("last", &*at),
            ];
            columns.map(|(field, value)| json!({ "field": field, "value": value }))
        });
        json!({ "status": "Complete", "results": rows.collect::<Vec<_>>() })
    }
}

/// A page of sign-ins, each with three lines of Lambda and one of the handler; and its number of lines.
fn page(pool: &str, at_ms: u64) -> (String, usize) {
    let (mut events, mut bytes, mut lines) = (Vec::new(), 0, 0);
    while bytes < PAGE_BYTES && lines < PAGE_LINES {
        let n = lines as u64;
        let outcome = match n / 4 % 20 {
            0 => "directory-unavailable",
            1..=3 => "wrong-password",
            4 => "not-found",
            _ => "migrated",
        };
        let id = format!("8f5a2c1e-0000-4000-8000-{n:012}");
        let took = 40.0 + (n % 1000) as f64 / 10.0;
        let ours = json!({
            "_aws": { "Timestamp": at_ms, "CloudWatchMetrics": [{
                "Namespace": "JaneMigrate", "Dimensions": [["userPoolId"], ["userPoolId", "outcome"]],
                "Metrics": [{ "Name": "count", "Unit": "Count" }, { "Name": "durationMs", "Unit": "Milliseconds" }],
            }] },
            "outcome": outcome, "userPoolId": pool, "triggerSource": "UserMigration_Authentication", "count": 1, "durationMs": took,
            "upstream": [{ "call": "user_exists", "ms": 3.25, "status": 200 }, { "call": "verify_credentials", "ms": 35.5, "status": 200 }],
            "cold": false, "clientId": format!("client{}", n % 7), "user": format!("{n:024}"),
        });
        for message in [
            format!("START RequestId: {id} Version: 7\n"),
            format!("{ours}\n"),
            format!("END RequestId: {id}\n"),
            format!(
                "REPORT RequestId: {id}\tDuration: {took:.2} ms\tBilled Duration: 142 ms\tMemory Size: 256 MB\tMax Memory Used: 22 MB\t\n"
            ),
        ] {
            bytes += message.len();
            events.push(json!({
                "eventId": format!("{n:056}"), "ingestionTime": at_ms + 900, "logStreamName": "2026/11/20/[7]1f2e3d4c5b6a79881f2e3d4c5b6a7988",
                "message": message, "timestamp": at_ms + n,
            }));
            lines += 1;
        }
    }
    (Value::from(events).to_string(), lines)
}

/// A typical handwritten script: the outcomes by day.
const SCRIPT: &str = r#"
import collections, json, sys, urllib.request
counts, token = collections.Counter(), None
while True:
    query = {"logGroupName": "x", **({"nextToken": token} if token else {})}
    headers = {"x-amz-target": "Logs_20140328.FilterLogEvents"}
    request = urllib.request.Request(sys.argv[1] + "/", json.dumps(query).encode(), headers)
    page = json.load(urllib.request.urlopen(request))
    for event in page["events"]:
        if event["message"].startswith("{"):
            line = json.loads(event["message"])
            counts[event["timestamp"] // 86400000, line["outcome"]] += 1
    token = page.get("nextToken")
    if not token:
        break
print(len(counts))
"#;

//! `status` with the sandbox and moto: the counts of the function's log on a terminal, as JSON and as a page.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use jane_migrate_config::Date;
use jane_migrate_test_kit::{Fate, Proxy};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::browser::{Browser, Look};
use crate::support::{Corner, Ran, moto};
use crate::terminal::Terminal;

const DAY_MS: i64 = 86_400_000;

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// A line in the handler's format.
fn line(outcome: &str, client: &str, took: f64) -> Value {
    json!({
        "_aws": { "Timestamp": 0, "CloudWatchMetrics": [] },
        "outcome": outcome, "userPoolId": "x", "triggerSource": "UserMigration_Authentication", "count": 1,
        "durationMs": took, "upstream": [{ "call": "user_exists", "ms": took / 2.0, "status": 200 }],
        "cold": false, "clientId": client, "user": "0123456789abcdef01234567",
    })
}

/// A pool with a function's log, but no deployment.
struct Logged {
    corner: Corner,
    pool: String,
    client: String,
    group: String,
}

impl Logged {
    async fn new(corner: Corner) -> Self {
        let pool = corner
            .create_pool(json!({ "PoolName": "Jane Roots" }))
            .await;
        let client = corner.create_client(&pool, json!({})).await;
        let group = format!("/aws/lambda/jane-migrate-{pool}");
        corner
            .logs("CreateLogGroup", json!({ "logGroupName": group }))
            .await;
        let logged = Self {
            corner,
            pool,
            client,
            group,
        };
        logged.stream("a").await;
        logged
    }

    async fn stream(&self, name: &str) {
        let body = json!({ "logGroupName": self.group, "logStreamName": name });
        self.corner.logs("CreateLogStream", body).await;
    }

    /// Writes lines, each with its time, oldest first.
    async fn write(&self, stream: &str, lines: &[(i64, String)]) {
        for lines in lines.chunks(5_000) {
            let events: Vec<_> = lines
                .iter()
                .map(|(at, line)| json!({ "timestamp": at, "message": line }))
                .collect();
            let body =
                json!({ "logGroupName": self.group, "logStreamName": stream, "logEvents": events });
            self.corner.logs("PutLogEvents", body).await;
        }
    }

    /// Twelve days of decreasing migrations, with everything else that happens.
    async fn write_days(&self) {
        let now = now_ms();
        let mut lines = Vec::new();
        for day in (0..12).rev() {
            let at = now - day * DAY_MS - 1000;
            let migrated = 20 + 10 * day;
            for n in 0..migrated {
                let outcome = if n % 6 == 0 {
                    "migrated-for-reset"
                } else {
                    "migrated"
                };
                let took = 8.0 + f64::from(u16::try_from(n * n % 300).unwrap());
                lines.push((at, line(outcome, &self.client, took).to_string()));
            }
            for outcome in ["wrong-password", "wrong-password", "not-found", "sso-only"] {
                lines.push((at, line(outcome, &self.client, 14.0).to_string()));
            }
            if day % 4 == 0 {
                let mut unsupported = line("unsupported-hash", &self.client, 14.0);
                unsupported["reason"] = json!("$1$: unknown format");
                lines.push((at, unsupported.to_string()));
                let mut unavailable = line("directory-unavailable", "gone-client", 3500.0);
                unavailable["reason"] = json!("timeout");
                unavailable["initMs"] = json!(2.5);
                lines.push((at + 1, unavailable.to_string()));
            }
            lines.push((
                at + 1,
                "REPORT RequestId: 8f5a\tDuration: 4.10 ms\tBilled Duration: 5 ms".into(),
            ));
        }
        lines.push((
            now - 500,
            "2026-11-20T10:00:00.000Z 8f5a Task timed out after 5.00 seconds".into(),
        ));
        let mut trial = line("migrated", &self.client, 9.0);
        trial["trial"] = json!(true);
        lines.push((now - 400, trial.to_string()));
        self.write("a", &lines).await;
    }
}

/// The number of migrations in `write_days`.
const MIGRATED: u64 = 12 * 20 + 10 * 66;

fn assert_figures(status: &Value, client: &str) {
    assert_eq!(status["migrated"], MIGRATED, "{status:#}");
    assert_eq!(status["refused"], 48);
    assert_eq!(status["failed"], 7);
    assert_eq!(
        status["unsupported_hashes"],
        json!({ "$1$: unknown format": 3 })
    );
    assert_eq!(status["outcomes"]["sso-only"], 12);
    assert_eq!(status["outcomes"]["aborted"], 1);
    assert_eq!(status["days"].as_array().unwrap().len(), 12);
    assert_eq!(
        status["days"][0]["outcomes"]["directory-unavailable"],
        Value::Null
    );
    assert_eq!(status["progress"]["arrived"], MIGRATED);
    assert_eq!(status["progress"]["share"], MIGRATED as f64 / 2000.0);
    assert_eq!(
        status["outlook"]["rate_per_day"],
        (7 * 20 + 10 * 28) as f64 / 7.0
    );
    assert_eq!(status["outlook"]["verdict"], "no-end-in-sight");
    assert_eq!(status["live"]["state"], "not-live");
    let incidents = status["incidents"].as_array().unwrap();
    assert_eq!(
        incidents
            .iter()
            .map(|it| it["count"].as_u64().unwrap())
            .sum::<u64>(),
        7
    );
    assert_eq!(incidents[0]["outcome"], "aborted");
    assert_eq!(status["clients"][0]["id"], client);
    assert_eq!(status["clients"][0]["name"], "web");
    assert_eq!(
        status["times"]["slowest"][0]["outcome"],
        "directory-unavailable"
    );
    assert_eq!(status["times"]["slowest"][0]["took_ms"], 3500.0);
    assert_eq!(status["cold_starts"]["count"], 3);
    assert_eq!(status["errors"][0]["reason"], "timeout");
    assert_eq!(status["trials"], 1);
    assert!(
        !status.to_string().contains("0123456789abcdef"),
        "a user's hash is shown"
    );
}

#[tokio::test]
async fn the_counts_of_the_log_are_the_same_on_both_emulators() {
    let mut sources = Vec::new();
    for corner in [
        Corner::new().await,
        Corner::at(moto().await.url().to_owned()).await,
    ] {
        corner.configure("[window]\ntotal_users = 2000\ncloses = 2999-12-31\n");
        let logged = Logged::new(corner).await;
        logged.write_days().await;
        let ran = logged
            .corner
            .run(&["status", "--pool", &logged.pool, "--json"])
            .await
            .ended(0);
        let status = ran.json();
        assert_figures(&status, &logged.client);
        sources.push(status["source"].clone());
    }
    // The sandbox has Logs Insights; moto's does not aggregate, which the program detects.
    assert_eq!(sources, ["insights", "events"]);
}

#[tokio::test]
async fn a_log_with_only_part_of_the_history_gives_a_minimum() {
    let corner = Corner::new().await;
    corner.configure("[window]\ntotal_users = 900\n");
    let logged = Logged::new(corner).await;
    // Seven days are kept of a log that was created ninety days ago, with events on each of them; the pool has many other users.
    let now = now_ms();
    let lines: Vec<_> = (0..=7)
        .rev()
        .map(|day| {
            (
                now - day * DAY_MS - 1000,
                line("migrated", &logged.client, 9.0).to_string(),
            )
        })
        .collect();
    logged.write("a", &lines).await;
    let retention = json!({ "logGroupName": logged.group, "retentionInDays": 7 });
    logged.corner.logs("PutRetentionPolicy", retention).await;
    let aged = Proxy::start(&logged.corner.endpoint, |passing| {
        match passing.action.as_str() {
            "DescribeLogGroups" => Fate::Edit(|answer| {
                for group in answer["logGroups"].as_array_mut().unwrap() {
                    group["creationTime"] = json!(now_ms() - 90 * DAY_MS);
                }
            }),
            "DescribeUserPool" => Fate::Edit(|answer| {
                answer["UserPool"]["EstimatedNumberOfUsers"] = json!(5_000);
            }),
            _ => Fate::Pass,
        }
    })
    .await
    .unwrap();
    let status = [
        "status",
        "--pool",
        &logged.pool,
        "--endpoint-url",
        &aged.url(),
    ];
    for since in ["7d", "60d"] {
        let ran = logged
            .corner
            .run(&[&status[..], &["--since", since]].concat())
            .await
            .ended(0);
        assert!(
            !ran.stdout.contains("All customers have migrated"),
            "{ran:#?}"
        );
        for words in [
            "Migrated: at least 8 of 900",
            "Not migrated yet: at most 892.",
        ] {
            assert!(ran.stdout.contains(words), "{words}: {ran:#?}");
        }
    }

    // CloudWatch's metrics have more: fifty twelve days ago, and three on the day that is only partly in the log.
    let metric = |days: i64, value: f64| {
        json!({
            "MetricName": "count", "Value": value, "Timestamp": (now - days * DAY_MS) / 1000,
            "Dimensions": [
                { "Name": "userPoolId", "Value": logged.pool },
                { "Name": "outcome", "Value": "migrated" },
            ],
        })
    };
    let data =
        json!({ "Namespace": "JaneMigrate", "MetricData": [metric(12, 50.0), metric(7, 3.0)] });
    logged.corner.cloudwatch("PutMetricData", data).await;
    let json = [&status[..], &["--json"]].concat();
    let read = logged.corner.run(&json).await.ended(0).json();
    let progress = &read["progress"];
    assert_eq!(
        (&progress["arrived"], &progress["basis"]),
        (&json!(50 + 7 + 3), &json!("log-and-metrics")),
        "{read:#}"
    );
    let ran = logged.corner.run(&status).await.ended(0);
    assert!(ran.stdout.contains("Migrated: 60 of 900"), "{ran:#?}");
    assert!(
        ran.stdout.contains("are from CloudWatch's metrics"),
        "{ran:#?}"
    );

    // A denied read is reported, and the rest is counted.
    let denied = Proxy::start(&aged.url(), |passing| match passing.action.as_str() {
        "GetMetricData" => Fate::Refuse(403, "AccessDeniedException", "no"),
        _ => Fate::Pass,
    })
    .await
    .unwrap();
    let url = denied.url();
    let status = ["status", "--pool", &logged.pool, "--endpoint-url", &url];
    let ran = logged.corner.run(&status).await.ended(0);
    for words in ["Migrated: at least 8 of 900", "could not be read"] {
        assert!(ran.stdout.contains(words), "{words}: {ran:#?}");
    }
}

#[tokio::test]
async fn a_log_line_cannot_control_the_terminal() {
    let logged = Logged::new(Corner::new().await).await;
    let mut line = line("directory-unavailable", "\u{1b}[2Jclient", 14.0);
    line["reason"] = json!("\u{1b}]0;owned\u{7}\r\nMigrated: everybody");
    logged.write("a", &[(now_ms(), line.to_string())]).await;
    let status = ["status", "--pool", &logged.pool];
    let ran = logged.corner.run(&status).await.ended(0);
    assert!(ran.stdout.contains("?]0;owned?"), "{ran:#?}");
    let control = |c: char| c.is_control() && c != '\n';
    assert!(!ran.stdout.contains(control), "{ran:#?}");
    assert!(!ran.stdout.contains("\nMigrated: everybody"), "{ran:#?}");
    let (_, shown) = Terminal::start(&logged.corner, 80, &status).ended().await;
    assert!(
        !shown.contains("\u{1b}]0;") && !shown.contains("\u{1b}[2J"),
        "{shown:?}"
    );
}

#[tokio::test]
async fn a_watch_ends_without_an_error_when_its_pipe_closes() {
    let logged = Logged::new(Corner::new().await).await;
    let watch = format!(
        "set -o pipefail; jane-migrate status --pool {} --watch=1 | head -2",
        logged.pool
    );
    let ran = Ran::of(logged.corner.shell(&watch)).await.ended(0);
    assert_eq!(ran.stdout.lines().count(), 2, "{ran:#?}");
    let full = format!(
        "jane-migrate status --pool {} --watch=1 > /dev/full",
        logged.pool
    );
    let ran = Ran::of(logged.corner.shell(&full)).await.ended(1);
    assert!(ran.stderr.contains("No space left"), "{ran:#?}");
}

#[tokio::test]
async fn the_figures_are_shown_as_text() {
    let corner = Corner::new().await;
    corner.configure("[window]\ntotal_users = 2000\ncloses = 2999-12-31\n");
    let logged = Logged::new(corner).await;
    logged.write_days().await;
    let ran = logged
        .corner
        .run(&["status", "--pool", &logged.pool])
        .await
        .ended(0);
    for words in [
        "(Jane Roots)",
        "Migrated: 900 of 2,000, 45.0 %.",
        "NOT LIVE: function jane-migrate-",
        "To do: jane-migrate deploy --pool",
        "60.0 per day over the last 7 complete day(s).",
        "Not migrated yet: 1,100.",
        "have migrated, at least",
        "Operator tests, not counted: 1.",
        "wrong-password",
        "web (",
        "aborted, timeout",
    ] {
        assert!(ran.stdout.contains(words), "{words}\n{}", ran.stdout);
    }
    let since = logged
        .corner
        .run(&["status", "--pool", &logged.pool, "--since", "2d", "--json"])
        .await
        .ended(0);
    assert_eq!(since.json()["days"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_log_of_many_pages_is_counted_completely() {
    let logged = Logged::new(Corner::at(moto().await.url().to_owned()).await).await;
    let now = now_ms();
    let lines: Vec<_> = (0..25_000)
        .map(|n| {
            (
                now - 60_000 + n,
                r#"{"outcome":"migrated","durationMs":5.0}"#.to_owned(),
            )
        })
        .collect();
    logged.stream("b").await;
    logged.write("a", &lines[..15_000]).await;
    logged.write("b", &lines[15_000..]).await;
    let ran = logged
        .corner
        .run(&["status", "--pool", &logged.pool, "--json"])
        .await
        .ended(0);
    assert_eq!(ran.json()["migrated"], 25_000);
}

#[tokio::test]
async fn status_without_a_deployment_reports_it() {
    let corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    let ran = corner.run(&["status", "--pool", &pool]).await.ended(1);
    assert!(
        ran.stderr.contains("nothing is deployed for user pool"),
        "{ran:#?}"
    );
}

#[tokio::test]
async fn several_pools_are_shown_and_one_without_a_log_stops_no_other() {
    let logged = Logged::new(Corner::new().await).await;
    logged.write_days().await;
    let bare = logged.corner.create_pool(json!({})).await;
    let pools = ["--pool", &logged.pool, "--pool", &bare];
    let ran = logged
        .corner
        .run(&[&["status", "--json", "--html", "status.html"], &pools[..]].concat())
        .await
        .ended(1);
    let documents = ran.json()["pools"].as_array().unwrap().clone();
    let of = |pool: &str| {
        documents
            .iter()
            .find(|document| document["pool"] == pool)
            .unwrap()
    };
    assert_eq!(of(&logged.pool)["migrated"], MIGRATED);
    assert!(
        of(&bare)["error"]
            .to_string()
            .contains("nothing is deployed")
    );
    let page = std::fs::read_to_string(logged.corner.folder.path().join("status.html")).unwrap();
    assert!(page.contains(&logged.pool));

    let ran = logged
        .corner
        .run(
            &[
                &["try", "--user", "ada@example.com", "--forgot-password"],
                &pools[..],
            ]
            .concat(),
        )
        .await
        .ended(1);
    assert!(
        ran.stderr.contains("one pool is tried at a time"),
        "{ran:#?}"
    );
}

#[tokio::test]
async fn a_watch_without_a_terminal_writes_one_line_each_time() {
    let logged = Logged::new(Corner::new().await).await;
    let mut process = logged
        .corner
        .command(&["status", "--pool", &logged.pool, "--watch=1"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    assert!(
        first.ends_with("0 migrated; today 0 migrated, 0 refused, 0 failed"),
        "{first}"
    );
    let now = now_ms();
    logged
        .write(
            "a",
            &[(now, line("migrated", &logged.client, 9.0).to_string())],
        )
        .await;
    loop {
        let next = lines.next_line().await.unwrap().expect("a line a second");
        if next.contains("1 migrated; today 1 migrated") {
            break;
        }
    }
    let id = process.id().unwrap().to_string();
    let interrupt = tokio::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(interrupt.await.unwrap().success());
    assert_eq!(process.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_watch_on_a_terminal_redraws_the_screen() {
    let logged = Logged::new(Corner::new().await).await;
    let arguments = ["status", "--pool", &logged.pool, "--watch=1"];
    let mut terminal = Terminal::start(&logged.corner, 80, &arguments);
    terminal.until("Migrated: 0.").await;
    terminal.until_times("\u{1b}[H", 2).await;
    terminal.signal(rustix::process::Signal::INT);
    let (code, shown) = terminal.ended().await;
    assert_eq!(code, 0, "{shown}");
}

/// The headline is always visible, the end is left out if the terminal has no rows for it, and q restores the terminal.
#[tokio::test]
async fn a_watch_fits_the_terminal_and_ends_with_a_key() {
    let logged = Logged::new(Corner::new().await).await;
    logged.write_days().await;
    let arguments = ["status", "--pool", &logged.pool, "--watch=600"];
    let mut terminal = Terminal::start(&logged.corner, 80, &arguments);
    terminal.until("more line(s); every 600 s; q ends it").await;
    terminal.until_hidden().await;
    let shown = terminal.screen();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines.len() < 40, "{} rows of 40:\n{shown}", lines.len());
    assert!(shown.contains("LIVE"), "{shown}");
    terminal.presses("q");
    terminal.until_visible().await;
    let (code, shown) = terminal.ended().await;
    assert_eq!(code, 0, "{shown}");
}

/// The folder in which the pictures of the page are kept for people.
fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// For each chart: the share of its pixels that are drawn, the contrast of the darkest and the brightest bars and lines with the
/// background, and its width.
const DRAWN: &str = r#"[...document.querySelectorAll('.chart canvas')].map(canvas => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const bright = (r, g, b) => [r, g, b].map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
    const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
    const ground = bright(r, g, b);
    let ink = 0, contrast = 1;
    for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] < 255) { ink += data[at + 3] > 0; continue; }
        ink += 1;
        const here = bright(data[at], data[at + 1], data[at + 2]);
        contrast = Math.max(contrast, (Math.max(here, ground) + 0.05) / (Math.min(here, ground) + 0.05));
    }
    return { ink: ink / (data.length / 4), contrast, width: canvas.getBoundingClientRect().width };
})"#;

#[tokio::test]
async fn the_page_is_readable_in_a_browser() {
    let corner = Corner::new().await;
    let closes = Date::from_epoch_days(now_ms() / DAY_MS + 45).unwrap();
    corner.configure(&format!(
        "[window]\ntotal_users = 2000\ncloses = {closes}\n"
    ));
    let logged = Logged::new(corner).await;
    logged.write_days().await;
    let page = logged.corner.folder.path().join("status.html");
    logged
        .corner
        .run(&["status", "--pool", &logged.pool, "--html", "status.html"])
        .await
        .ended(0);
    let mut browser = Browser::start().await;
    let mut grounds = Vec::new();
    for (width, scheme, media) in [
        (390, "light", "screen"),
        (390, "dark", "screen"),
        (1280, "light", "screen"),
        (1280, "dark", "screen"),
        (800, "dark", "print"),
    ] {
        let look = Look {
            width,
            scheme,
            media,
        };
        let expressions = [
            "getComputedStyle(document.body).backgroundColor",
            "[...document.querySelectorAll('.chart')].every(chart => chart.getAttribute('aria-label'))",
            DRAWN,
            "document.querySelector('dl.key dd').textContent",
            "document.querySelectorAll('details table tbody tr').length",
            "document.scripts.length",
            "[...document.querySelectorAll('.scroll')].every(table => table.scrollWidth <= table.clientWidth)",
        ];
        let seen = browser.look(&page, look, &expressions).await;
        let name = format!("status-{width}-{scheme}-{media}.png");
        std::fs::write(pictures().join(name), &seen.picture).unwrap();
        assert!(
            seen.complaints.is_empty(),
            "{look:?}: {:#?}",
            seen.complaints
        );
        assert!(seen.requests.is_empty(), "{look:?}: {:?}", seen.requests);
        assert!(
            seen.width <= width.into(),
            "{look:?}: the page is {} wide",
            seen.width
        );
        let [ground, described, drawn, migrated, rows, scripts, whole] = &seen.answers[..] else {
            panic!("{:?}", seen.answers)
        };
        assert_eq!(described, true, "each chart is described");
        let drawn = drawn.as_array().unwrap();
        assert_eq!(drawn.len(), 3, "{look:?}");
        for chart in drawn {
            let of = |what: &str| chart[what].as_f64().unwrap();
            // The axes alone have far fewer.
            assert!(of("ink") > 0.05, "{look:?}: {chart}");
            assert!(of("contrast") > 3.0, "{look:?}: {chart}");
            assert!(of("width") > f64::from(width) * 0.8, "{look:?}: {chart}");
        }
        if media == "screen" {
            let tip = |chart: &str| format!(".chart[data-kind={chart}] .u-over");
            let said = "[...document.querySelectorAll('.tip')].filter(tip => !tip.hidden).map(tip => tip.innerText)";
            for (chart, words) in [
                ("daily", "migrated by forgot password"),
                ("migrated", "\nof 2,000"),
                ("latency", "answers"),
            ] {
                let said = browser.hover(&tip(chart), said).await;
                let said = said[0].as_str().unwrap_or_default();
                assert!(said.contains(words), "{look:?}: {chart}: {said:?}");
                let name = format!("status-{width}-{scheme}-{chart}.png");
                std::fs::write(pictures().join(name), browser.picture(false).await).unwrap();
            }
        }
        assert_eq!(migrated, "900");
        assert_eq!(rows, 12 + 12, "every day and every step is in a table");
        assert_eq!(scripts, 1);
        assert_eq!(whole, true, "{look:?}: a table is cut off");
        grounds.push(ground.clone());
    }
    assert_ne!(
        grounds[0], grounds[1],
        "the dark page has a dark background"
    );
    assert_eq!(
        grounds[0], grounds[4],
        "the printed page has a light background"
    );
}

#[tokio::test]
#[ignore = "draws docs/pictures/status.png"]
async fn a_live_page_is_drawn_for_the_readme() {
    let corner = Corner::new().await;
    corner.add_accounts();
    let closes = Date::from_epoch_days(now_ms() / DAY_MS + 20).unwrap();
    corner.configure(&format!(
        "[window]\ntotal_users = 2000\ncloses = {closes}\n"
    ));
    let pool = corner
        .create_pool(json!({ "PoolName": "Jane Roots" }))
        .await;
    let client = corner
        .create_client(&pool, json!({ "ClientName": "web" }))
        .await;
    let deploy = ["deploy", "--pool", &pool, "--yes", "--enable-password-auth"];
    corner.run(&deploy).await.ended(0);
    let group = format!("/aws/lambda/jane-migrate-{pool}");
    let logged = Logged {
        corner,
        pool,
        client,
        group,
    };
    logged.stream("days").await;
    let mut lines = Vec::new();
    for day in (1..26_i64).rev() {
        let at = now_ms() - day * DAY_MS;
        let weekend = if day % 7 < 2 { 2 } else { 3 };
        for n in 0..weekend * (14 + 2 * day) / 3 {
            let outcome =
                ["migrated", "migrated", "migrated-for-reset"][usize::from(n % 5 == 0) * 2];
            let took = 30.0 + f64::from(u16::try_from(n * n % 90).unwrap());
            lines.push((at + n, line(outcome, &logged.client, took).to_string()));
        }
        for outcome in ["wrong-password", "wrong-password", "not-found", "sso-only"] {
            lines.push((at + 900, line(outcome, &logged.client, 24.0).to_string()));
        }
        if day == 9 {
            let mut down = line("directory-unavailable", &logged.client, 3500.0);
            down["reason"] = json!("timeout");
            lines.extend((0..7).map(|n| (at + 60_000 * n, down.to_string())));
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    logged.write("days", &lines).await;
    let page = logged.corner.folder.path().join("status.html");
    let status = ["status", "--pool", &logged.pool, "--html", "status.html"];
    logged.corner.run(&status).await.ended(0);
    let mut browser = Browser::start().await;
    let look = Look {
        width: 1000,
        scheme: "light",
        media: "screen",
    };
    browser.look(&page, look, &[]).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    std::fs::write(folder.join("status.png"), browser.picture(false).await).unwrap();
}

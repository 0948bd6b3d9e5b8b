//! A real browser that opens a page: Chromium, driven over its debugging pipe. It checks what a reader would notice: errors,
//! requests to the network, a page wider than its window.

use std::path::Path;
use std::process::Stdio;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Names under which Chromium may be installed.
const NAMES: [&str; 5] = [
    "chromium",
    "chromium-headless-shell",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// How to open a page.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The window's width.
    pub width: u32,
    /// `light` or `dark`.
    pub scheme: &'static str,
    /// `screen` or `print`.
    pub media: &'static str,
}

/// The result.
#[derive(Debug)]
pub struct Seen {
    /// All errors of the browser.
    pub complaints: Vec<String>,
    /// All addresses that it requested, except the page itself.
    pub requests: Vec<String>,
    /// How wide the page is.
    pub width: u64,
    /// The values of the expressions.
    pub answers: Vec<Value>,
    /// A picture of the whole page, PNG.
    pub picture: Vec<u8>,
}

/// A running browser with one tab.
pub struct Browser {
    // Ends with the browser.
    _process: Child,
    _profile: TempDir,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    session: Option<String>,
    next: u64,
    events: Vec<Value>,
}

impl Browser {
    /// Starts a browser. The test fails if none is installed.
    pub async fn start() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = NAMES
            .iter()
            .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)))
            .find(|program| program.is_file())
            .expect("Chromium is installed; on Debian: apt-get install chromium");
        let profile = tempfile::tempdir().expect("a folder");
        // The pipe uses the descriptors 3 and 4.
        let mut process = Command::new("sh")
            .args([
                "-c",
                "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
                "sh",
            ])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-first-run",
                "--hide-scrollbars",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the browser starts");
        let input = process.stdin.take().expect("its input");
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let mut browser = Self {
            _process: process,
            _profile: profile,
            input,
            output,
            session: None,
            next: 0,
            events: Vec::new(),
        };
        let tab = browser
            .call("Target.createTarget", json!({ "url": "about:blank" }))
            .await;
        let attached = browser
            .call(
                "Target.attachToTarget",
                json!({ "targetId": tab["targetId"], "flatten": true }),
            )
            .await;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// Opens a file.
    pub async fn look(&mut self, file: &Path, look: Look, expressions: &[&str]) -> Seen {
        let Look {
            width,
            scheme,
            media,
        } = look;
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 }),
        )
        .await;
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "media": media, "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        )
        .await;
        self.events.clear();
        let url = format!("file://{}", file.display());
        self.call("Page.navigate", json!({ "url": url })).await;
        self.event("Page.loadEventFired").await;
        let mut answers = Vec::new();
        for expression in ["document.documentElement.scrollWidth"]
            .iter()
            .chain(expressions)
        {
            answers.push(self.evaluate(expression).await);
        }
        let width = answers.remove(0).as_u64().expect("a width");
        let picture = self.picture(true).await;
        let of = |method: &str| {
            self.events
                .iter()
                .filter(move |event| event["method"] == method)
                .map(|event| &event["params"])
                .collect::<Vec<_>>()
        };
        let complaints = [
            "Runtime.exceptionThrown",
            "Runtime.consoleAPICalled",
            "Log.entryAdded",
        ];
        Seen {
            complaints: complaints
                .iter()
                .flat_map(|method| of(method))
                .map(Value::to_string)
                .collect(),
            requests: of("Network.requestWillBeSent")
                .iter()
                .filter_map(|params| params["request"]["url"].as_str())
                .filter(|asked| *asked != url && !asked.starts_with("data:"))
                .map(str::to_owned)
                .collect(),
            width,
            answers,
            picture,
        }
    }

    /// A picture of the whole page, or of the window's part, as PNG.
    pub async fn picture(&mut self, whole: bool) -> Vec<u8> {
        let parameters = json!({ "format": "png", "captureBeyondViewport": whole });
        let picture = self.call("Page.captureScreenshot", parameters).await;
        BASE64_STANDARD
            .decode(picture["data"].as_str().expect("a picture"))
            .expect("base64")
    }

    /// Moves the mouse to the middle of a selector's first match, and evaluates an expression.
    pub async fn hover(&mut self, selector: &str, expression: &str) -> Value {
        let place = self
            .evaluate(&format!(
                "(() => {{ const it = document.querySelector({selector:?}); it.scrollIntoView({{ block: 'center' }}); \
                 const {{ left, top, width, height }} = it.getBoundingClientRect(); return [left + width / 2, top + height / 2]; }})()"
            ))
            .await;
        // The mouse moves there from a point beside it.
        for apart in [3.0, 0.0] {
            self.call(
                "Input.dispatchMouseEvent",
                json!({ "type": "mouseMoved", "x": place[0].as_f64().expect("a place") - apart, "y": place[1] }),
            )
            .await;
        }
        self.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))",
        )
        .await;
        self.evaluate(expression).await
    }

    async fn evaluate(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        self.call("Runtime.evaluate", parameters).await["result"]["value"].take()
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let message = format!("{message}\0");
        self.input
            .write_all(message.as_bytes())
            .await
            .expect("the browser listens");
        loop {
            let mut answer = self.message().await;
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
            self.events.push(answer);
        }
    }

    async fn event(&mut self, method: &str) {
        while !self.events.iter().any(|event| event["method"] == method) {
            let event = self.message().await;
            self.events.push(event);
        }
    }

    async fn message(&mut self) -> Value {
        let mut message = Vec::new();
        let read = self.output.read_until(0, &mut message).await;
        assert!(
            read.expect("the browser answers") > 0,
            "the browser has gone"
        );
        message.pop();
        serde_json::from_slice(&message).expect("JSON")
    }
}

//! Compares the AWS in memory with the gateway of the sandbox, and with moto, which shares no code with it: each call of the program goes
//! to both, and the responses must agree. The model then cannot differ from them unnoticed. No code runs: the model answers invocations.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use jane_migrate::aws::by_way_of;
use jane_migrate::ui::{Kept, Ui};
use jane_migrate::{cli, commands};
use jane_migrate_sandbox::wire::KEY_HEADER;
use jane_migrate_sandbox::{Options, Sandbox};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::aws::{ACCOUNT, Aws, Call, Pool, REGION};
use crate::dice::Dice;
use crate::scene::{
    Builds, CLIENTS, PARAMETERS, TRIGGERS, configuration, folder, given_pool, initial_client,
};
use crate::world::answer;

/// The number of seeds in each run of the tests; `DRIFT_SEEDS` overrides it.
const SEEDS: u64 = 4;

/// Fields that always differ: times, generated ids, and the progress of a change.
const PASSING: [&str; 12] = [
    "CreationDate",
    "EstimatedNumberOfUsers",
    "LastModified",
    "LastModifiedDate",
    "LastUpdateStatus",
    "RevisionId",
    "State",
    "arn",
    "creationTime",
    "queryId",
    "LoggingConfig",
    "Value",
];

/// Calls whose responses are not compared: metrics, log lines, and a missing web ACL, for which the emulator returns an error and AWS an
/// empty response.
const APART: [&str; 4] = [
    "GetMetricData",
    "GetQueryResults",
    "FilterLogEvents",
    "GetWebACLForResource",
];

/// The emulator that the model is compared with.
#[derive(Debug, Clone)]
struct Peer {
    endpoint: String,
    secret: String,
    /// Calls that it lacks or answers otherwise: the model alone answers them.
    lacks: &'static [&'static str],
    /// Fields that it does not keep.
    omits: &'static [&'static str],
    /// Whether it ignores revisions, and publishes a deleted version's number again: a schedule then ends where a version is deleted.
    loose: bool,
}

/// The model and its peer.
#[derive(Debug)]
struct Both {
    peer: Peer,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` until the pool exists.
    model: Option<Aws>,
    /// The model's revision for each of the peer's.
    revisions: BTreeMap<String, Value>,
    differences: Vec<String>,
    compared: usize,
    /// Whether the two cannot agree from here on.
    over: bool,
}

/// The connection to both.
#[derive(Debug, Clone)]
struct Way {
    both: Arc<Both>,
    peer: SharedHttpClient,
}

impl HttpClient for Way {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Line {
            both: self.both.clone(),
            peer: self.peer.http_connector(settings, components),
        })
    }
}

#[derive(Debug, Clone)]
struct Line {
    both: Arc<Both>,
    peer: SharedHttpConnector,
}

impl HttpConnector for Line {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let line = self.clone();
        HttpConnectorFuture::new(async move { line.ask(request).await })
    }
}

async fn bytes(body: SdkBody) -> Result<Vec<u8>, ConnectorError> {
    let read = ByteStream::new(body).collect().await;
    let read = read.map_err(|error| ConnectorError::other(error.into(), None))?;
    Ok(read.to_vec())
}

impl Line {
    async fn ask(self, mut request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        // One call at a time, so that both get the same order.
        let mut state = self.both.state.lock().await;
        let body = bytes(std::mem::replace(request.body_mut(), SdkBody::taken())).await?;
        let target = request.headers().get("x-amz-target");
        let call = Call::read(request.method(), request.uri(), target, &body);
        if (call.action == "Invoke" || self.both.peer.lacks.contains(&call.action.as_str()))
            && let Some(model) = &mut state.model
        {
            let (status, code, text) = call.written(model.answer(&call));
            return Ok(answer(&call, status, code, text));
        }
        *request.body_mut() = SdkBody::from(body);
        let (_, path) = request.uri().split_once("://").unwrap_or_default();
        let path = path.split_once('/').map_or("", |(_, path)| path).to_owned();
        let uri = format!("{}/{path}", self.both.peer.endpoint);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/{}/aws4_request, SignedHeaders=host, Signature=0",
            call.service
        );
        request
            .set_uri(uri)
            .map_err(|error| ConnectorError::user(error.into()))?;
        let headers = request.headers_mut();
        headers.insert("authorization", authorization);
        headers.insert(KEY_HEADER, self.both.peer.secret.clone());
        let mut theirs = self.peer.call(request).await?;
        let text = bytes(std::mem::replace(theirs.body_mut(), SdkBody::taken())).await?;
        *theirs.body_mut() = SdkBody::from(text.clone());
        let status = theirs.status().as_u16();
        let code = theirs.headers().get("x-amzn-errortype").map(str::to_owned);
        let text = String::from_utf8_lossy(&text);
        state.compare(&self.both.peer, call, status, code, &text);
        Ok(theirs)
    }
}

impl State {
    /// Sends a call that the peer has answered to the model, and notes the differences.
    fn compare(
        &mut self,
        peer: &Peer,
        mut call: Call,
        status: u16,
        code: Option<String>,
        theirs: &str,
    ) {
        let one_version = call.action == "DeleteFunction" && call.fields.contains_key("Qualifier");
        self.over |= peer.loose && one_version;
        if self.over {
            return;
        }
        // The sandbox takes time for changes; the model here does not.
        if theirs.contains("in progress") {
            return;
        }
        let Some(model) = &mut self.model else { return };
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        model.now_ms = since.unwrap_or_default().as_millis() as u64;
        if peer.loose && call.body["RevisionId"].is_string() {
            call.body["RevisionId"] = Value::Null;
        }
        if let Some(revision) = call.body["RevisionId"].as_str()
            && let Some(ours) = self.revisions.get(revision)
        {
            call.body["RevisionId"] = ours.clone();
        }
        let (own_status, own_code, ours) = call.written(model.answer(&call));
        if APART.contains(&call.action.as_str()) {
            return;
        }
        self.compared += 1;
        let mut differences = Vec::new();
        if (own_status < 300) != (status < 300) {
            differences.push(format!("{own_status} and {status}: {ours} and {theirs}"));
        } else if status >= 300 {
            let theirs = format!("{} {theirs}", code.unwrap_or_default());
            if !theirs.contains(own_code.unwrap_or_default()) {
                differences.push(format!("{ours} and {theirs}"));
            }
        } else if call.service == "iam" {
            for element in [
                "AssumeRolePolicyDocument",
                "PolicyDocument",
                "PolicyNames",
                "Tags",
            ] {
                let (one, other) = (element_of(&ours, element), element_of(theirs, element));
                if one != other && one != Value::Null {
                    differences.push(format!("{element}: {one} and {other}"));
                }
            }
        } else {
            // One of them omits an empty body.
            let read = |text: &str| serde_json::from_str(text).unwrap_or(json!({}));
            let (ours, theirs): (Value, Value) = (read(&ours), read(theirs));
            self.note_revisions(&ours, &theirs);
            let whole = call.service == "cognito-idp";
            let passing = [&PASSING, peer.omits].concat();
            differ("", &ours, &theirs, whole, &passing, &mut differences);
        }
        let told = differences.into_iter().map(|what| format!("{call} {what}"));
        self.differences.extend(told);
    }

    fn note_revisions(&mut self, ours: &Value, theirs: &Value) {
        for at in ["/RevisionId", "/Configuration/RevisionId"] {
            if let (Some(one), Some(Value::String(other))) = (ours.pointer(at), theirs.pointer(at))
            {
                self.revisions.insert(other.clone(), one.clone());
            }
        }
    }
}

/// The differences of two responses: in all fields of the model, and if `whole`, also in all fields of the peer.
fn differ(
    at: &str,
    ours: &Value,
    theirs: &Value,
    whole: bool,
    passing: &[&str],
    found: &mut Vec<String>,
) {
    match (ours, theirs) {
        (Value::Object(one), Value::Object(other)) => {
            let more = other
                .keys()
                .filter(|name| whole && !one.contains_key(*name));
            for name in one.keys().chain(more) {
                if !passing.contains(&name.as_str()) {
                    differ(
                        &format!("{at}/{name}"),
                        &ours[name],
                        &theirs[name],
                        whole,
                        passing,
                        found,
                    );
                }
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let (one, other) = (sorted(one), sorted(other));
            for (n, (ours, theirs)) in std::iter::zip(one, other).enumerate() {
                differ(&format!("{at}/{n}"), ours, theirs, whole, passing, found);
            }
        }
        // A JSON document inside a string.
        (Value::String(one), Value::String(other)) if one != other && one.starts_with('{') => {
            let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
            let (one, other) = (read(one), read(other));
            if one.is_null() || other.is_null() {
                return found.push(format!("{at} {ours} and {theirs}"));
            }
            differ(at, &one, &other, whole, passing, found);
        }
        // The emulator omits the version or alias, or names the version in place of the alias.
        (Value::String(one), Value::String(other))
            if at.ends_with("/FunctionArn") && unqualified(one) == unqualified(other) => {}
        _ if ours == theirs => {}
        _ => found.push(format!("{at} {ours} and {theirs}")),
    }
}

fn unqualified(arn: &str) -> Vec<&str> {
    arn.split(':').take(7).collect()
}

/// Sorts the elements by the field that names them.
fn sorted(items: &[Value]) -> Vec<&Value> {
    let mut items: Vec<&Value> = items.iter().collect();
    let names = ["Sid", "Version", "Name", "ClientId", "logGroupName"];
    items.sort_by_key(|item| names.map(|name| item.get(name).map(Value::to_string)));
    items
}

/// The content of an XML element of a response: text that is a JSON document, or its members.
fn element_of(xml: &str, name: &str) -> Value {
    let Some((_, rest)) = xml.split_once(&format!("<{name}>")) else {
        return Value::Null;
    };
    let text = rest.split(&format!("</{name}>")).next().unwrap_or_default();
    let plain = percent_decode_str(text).decode_utf8_lossy();
    if let Ok(document) = serde_json::from_str(&plain) {
        return document;
    }
    let between = text.split(['<', '>']).map(str::trim);
    let mut words: Vec<&str> = between
        .filter(|word| !word.is_empty() && !word.starts_with('/'))
        .filter(|word| !["member", "Key", "Value"].contains(word))
        .collect();
    words.sort_unstable();
    json!(words)
}

struct Corner {
    way: Way,
    pool: String,
    folder: tempfile::TempDir,
}

impl Corner {
    /// Creates a pool with its clients in both.
    async fn new(peer: &Peer, replaces: bool) -> Self {
        let both = Both {
            peer: peer.clone(),
            state: Mutex::new(State {
                model: None,
                revisions: BTreeMap::new(),
                differences: Vec::new(),
                compared: 0,
                over: false,
            }),
        };
        let way = Way {
            both: Arc::new(both),
            peer: aws_smithy_http_client::Builder::new().build_http(),
        };
        let mut corner = Self {
            way,
            pool: String::new(),
            folder: folder(),
        };
        let mut asked = given_pool(replaces);
        // The handler's settings depend on them, and moto loses them at the first update.
        if !peer.omits.contains(&"UsernameAttributes") {
            asked["UsernameAttributes"] = json!(["email"]);
        }
        let made = corner.cognito("CreateUserPool", asked).await;
        made["UserPool"]["Id"]
            .as_str()
            .expect("an id")
            .clone_into(&mut corner.pool);
        let mut clients = BTreeMap::new();
        for name in CLIENTS {
            let mut asked = initial_client(name);
            asked["UserPoolId"] = json!(corner.pool);
            asked.as_object_mut().expect("an object").remove("ClientId");
            let made = corner.cognito("CreateUserPoolClient", asked).await;
            let id = made["UserPoolClient"]["ClientId"].as_str().expect("an id");
            let client = json!({ "UserPoolId": corner.pool, "ClientId": id });
            let shown = corner.cognito("DescribeUserPoolClient", client).await;
            clients.insert(id.to_owned(), shown["UserPoolClient"].clone());
        }
        let pool = json!({ "UserPoolId": corner.pool });
        let shown = corner.cognito("DescribeUserPool", pool.clone()).await;
        let mut model = Aws::new(Pool {
            document: shown["UserPool"].clone(),
            mfa: corner.cognito("GetUserPoolMfaConfig", pool).await,
            clients,
        });
        for parameter in PARAMETERS {
            let kept = json!({ "Name": parameter, "Type": "SecureString", "Value": "secret", "Overwrite": true });
            corner.json("ssm", "AmazonSSM.PutParameter", kept).await;
            model.parameters.push(parameter.to_owned());
        }
        corner.way.both.state.lock().await.model = Some(model);
        corner
    }

    async fn cognito(&self, action: &str, body: Value) -> Value {
        let target = format!("AWSCognitoIdentityProviderService.{action}");
        self.json("cognito-idp", &target, body).await
    }

    /// Sends a call of the test itself.
    async fn json(&self, service: &str, target: &str, body: Value) -> Value {
        let mut request = HttpRequest::new(SdkBody::from(body.to_string()));
        request.set_method("POST").expect("a method");
        request
            .set_uri(format!("https://{service}.amazonaws.com/"))
            .expect("an address");
        request
            .headers_mut()
            .insert("x-amz-target", target.to_owned());
        request
            .headers_mut()
            .insert("content-type", "application/x-amz-json-1.1");
        let components = RuntimeComponentsBuilder::for_tests()
            .with_sleep_impl(Some(TokioSleep::new()))
            .with_time_source(Some(SystemTimeSource::new()))
            .build()
            .expect("components");
        let settings = HttpConnectorSettings::builder().build();
        let line = self.way.http_connector(&settings, &components);
        let mut answer = line.call(request).await.expect("an answer");
        let text = bytes(std::mem::replace(answer.body_mut(), SdkBody::taken())).await;
        let text = text.expect("a body");
        assert!(
            answer.status().is_success(),
            "{target}: {}",
            String::from_utf8_lossy(&text)
        );
        serde_json::from_slice(&text).unwrap_or_default()
    }

    async fn run(&self, arguments: &[OsString]) -> (bool, String) {
        let config = self.folder.path().join("migrate.toml");
        let mut all: Vec<OsString> = vec!["jane-migrate".into(), "--config".into(), config.into()];
        all.extend(arguments.iter().cloned());
        all.push("--yes".into());
        let cli = cli::parse(&all).expect("a command line");
        let kept = Kept::default();
        let ui = Ui::keeping(&cli, &kept);
        let way = SharedHttpClient::new(self.way.clone());
        let ended = Box::pin(by_way_of(way, commands::run(cli, &ui))).await;
        let well = match ended {
            Ok(code) => code == ExitCode::SUCCESS,
            Err(error) => {
                ui.fatal(&error);
                false
            }
        };
        (well, kept.text())
    }
}

async fn play(seed: u64, peer: &Peer, builds: &Builds) -> (Vec<String>, usize) {
    let mut dice = Dice::new(seed);
    let corner = Corner::new(peer, dice.chance(50)).await;
    if let Some(model) = &mut corner.way.both.state.lock().await.model {
        model.good = ["one", "two"].map(|build| builds.digest(build)).to_vec();
    }
    let mut commands = vec!["deploy"];
    for _ in 0..dice.within(1, 4) {
        commands.push(dice.pick(&["deploy", "deploy", "rollback", "restore", "teardown"]));
    }
    commands.extend(["deploy", "teardown"]);
    let mut differences = Vec::new();
    for command in commands {
        let triggers = match dice.chance(30) {
            true => TRIGGERS,
            false => "",
        };
        let sizes = (dice.pick(&[256, 512]), dice.pick(&[7, 30]));
        let config = configuration(&corner.pool, dice.pick(&PARAMETERS), "", triggers, sizes);
        let build = builds.zip(dice.pick(&["one", "two"]));
        let mut arguments: Vec<OsString> = vec![command.into()];
        match command {
            "deploy" => {
                let file = corner.folder.path().join("migrate.toml");
                std::fs::write(file, config).expect("a configuration");
                arguments.extend(
                    ["--enable-password-auth", "--replace", "--artifact"].map(OsString::from),
                );
                arguments.push(build.into());
            }
            "teardown" => arguments.push("--everything".into()),
            "restore" => {
                let files = std::fs::read_dir(corner.folder.path()).expect("a folder");
                let mut files: Vec<_> = files.filter_map(|file| Some(file.ok()?.path())).collect();
                files.sort();
                let snapshot = files
                    .iter()
                    .find(|file| file.to_string_lossy().ends_with(".snapshot.json"));
                arguments.push("--snapshot".into());
                arguments.push(snapshot.expect("a snapshot").into());
            }
            _ => {}
        }
        let (well, shown) = corner.run(&arguments).await;
        if corner.way.both.state.lock().await.over {
            break;
        }
        // A first deploy has no earlier version.
        if !well && command != "rollback" {
            differences.push(format!("{command} did not end well: {shown}"));
        }
    }
    let mut state = corner.way.both.state.lock().await;
    differences.append(&mut state.differences);
    let left = state.model.as_ref().expect("a model");
    let unknown = left.unknown.iter();
    differences.extend(unknown.map(|call| format!("the model knows no {call}")));
    (differences, state.compared)
}

#[test]
fn the_aws_in_memory_answers_as_the_gateway_does() {
    let work = async || {
        let options = Options {
            role_age: Duration::ZERO,
            ..Options::new(cache())
        };
        let sandbox = Sandbox::start(&options).await.expect("the sandbox starts");
        let peer = Peer {
            endpoint: sandbox.endpoint(),
            secret: sandbox.secret_key().to_owned(),
            lacks: &[],
            omits: &[],
            loose: false,
        };
        compare(&peer).await;
    };
    with_a_large_stack(work);
}

#[test]
fn the_aws_in_memory_answers_as_the_second_emulator_does() {
    let work = async || {
        let moto = jane_migrate_test_kit::moto(&cache(), &|_| ()).await;
        let moto = moto.expect("moto starts");
        let peer = Peer {
            endpoint: moto.url().to_owned(),
            secret: String::new(),
            // It has one policy for a function and its alias, and no versions, instead of an error, for a missing function.
            lacks: &[
                "DescribeAccountPolicies",
                "GetFunctionCodeSigningConfig",
                "GetPolicy",
                "GetRuntimeManagementConfig",
                "ListFunctionUrlConfigs",
                "ListPointInTimeRecoveries",
                "ListVersionsByFunction",
            ],
            omits: &[
                "DefaultEmailOption",
                "ExplicitAuthFlows",
                "SignInPolicy",
                "TokenValidityUnits",
                "UnusedAccountValidityDays",
                "UserAttributeUpdateSettings",
                "UsernameAttributes",
            ],
            loose: true,
        };
        compare(&peer).await;
    };
    with_a_large_stack(work);
}

fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

async fn compare(peer: &Peer) {
    let builds = Builds::new();
    let first = crate::number("FIRST").unwrap_or(1);
    for seed in first..first + crate::number("DRIFT_SEEDS").unwrap_or(SEEDS) {
        let (differences, compared) = play(seed, peer, &builds).await;
        assert!(
            differences.is_empty(),
            "seed {seed}:\n{}",
            differences.join("\n")
        );
        assert!(
            compared > 100,
            "seed {seed}: only {compared} responses were compared"
        );
    }
}

fn with_a_large_stack<W: Future<Output = ()>>(work: impl FnOnce() -> W + Send + 'static) {
    let played = std::thread::Builder::new()
        .stack_size(crate::STACK)
        .spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(work());
        });
    let played = played.expect("a thread").join();
    assert!(
        played.is_ok(),
        "the model and the emulator differ, see above"
    );
}

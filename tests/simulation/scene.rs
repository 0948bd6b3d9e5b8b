//! The run of a seed: two operators with their commands, Terraform, and a secret that moves and is rotated, each at random times. At the end a deploy
//! and a teardown must succeed and leave nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::join4;
use jane_migrate::ui::{Kept, Ui};
use jane_migrate::{aws::by_way_of, cli, commands, host};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::aws::{ACCOUNT, Aws, Pace, Pool, REGION, updated_client, updated_pool};
use crate::dice::Dice;
use crate::judge::Document;
use crate::world::{Fate, Machine, Run, State, Way, World};

const POOL: &str = "us-east-1_Sim000001";

/// The app clients: one allows password sign-in, one does not, one has the older names of flows, and one has no list of flows.
pub const CLIENTS: [&str; 4] = ["web", "mobile", "legacy", "plain"];

/// The places of the directory's secret in SSM.
pub const PARAMETERS: [&str; 2] = ["/directory/one", "/directory/two"];

/// The part of a migrate.toml that adds a second trigger.
pub const TRIGGERS: &str = "[directory.lookup]\nmethod = \"GET\"\nurl = \"/users?email={username}\"\n\
    headers = { authorization = \"Bearer {secrets.token}\" }\nok = [200]\nnot_found = [404]\n\
    [triggers]\npre_sign_up = true\n";

/// Zips of the handler: two that work, and one that does not.
pub struct Builds {
    folder: tempfile::TempDir,
}

impl Builds {
    pub fn new() -> Self {
        let folder = folder();
        for name in ["one", "two", "broken"] {
            std::fs::write(folder.path().join(name), zipped(name)).expect("a zip");
        }
        Self { folder }
    }

    pub fn zip(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn digest(&self, name: &str) -> String {
        let zip = std::fs::read(self.zip(name)).expect("a zip");
        BASE64.encode(Sha256::digest(zip))
    }
}

/// A folder in memory if possible, because the program flushes snapshots to the disk.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    folder.expect("a folder")
}

/// A zip with the header of an executable; the program reads no more of it.
fn zipped(name: &str) -> Vec<u8> {
    use std::io::Write;
    let mut head = b"\x7fELF\x02\x01\x01".to_vec();
    head.resize(64, 0);
    // An executable for x86-64, with the version of the format and the size of the header.
    head[16] = 2;
    head[18] = 62;
    head[20] = 1;
    head[52] = 64;
    head.extend(name.as_bytes());
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .last_modified_time(zip::DateTime::DEFAULT)
        .unix_permissions(0o755);
    zip.start_file("bootstrap", options).expect("a file");
    zip.write_all(&head).expect("written");
    zip.finish().expect("a zip").into_inner()
}

/// A command of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Deploy,
    Teardown,
    Rollback,
    Restore,
}

/// A person who runs the program on their own machine.
struct Operator {
    world: Arc<World>,
    machine: &'static str,
    folder: tempfile::TempDir,
    builds: Arc<Builds>,
    dice: Dice,
    /// The faults of each run, by its number: the fate of each call.
    fates: BTreeMap<usize, BTreeMap<usize, Fate>>,
    runs: usize,
    build: &'static str,
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Well,
    Badly,
    Killed,
}

impl Operator {
    fn configure(&mut self) {
        let dice = &mut self.dice;
        let parameter = dice.pick(&PARAMETERS);
        let clients = match dice.chance(30) {
            true => "clients = [\"web\", \"mobile\"]",
            false => "",
        };
        let triggers = match dice.chance(25) {
            true => TRIGGERS,
            false => "",
        };
        let (memory, days) = (dice.pick(&[256, 512, 1024]), dice.pick(&[7, 30]));
        self.build = match dice.chance(10) {
            true => "broken",
            false => dice.pick(&["one", "two"]),
        };
        self.write(parameter, clients, triggers, memory, days);
    }

    fn write(&self, parameter: &str, clients: &str, triggers: &str, memory: u32, days: u32) {
        let config = configuration(POOL, parameter, clients, triggers, (memory, days));
        std::fs::write(self.config(), config).expect("a configuration");
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("migrate.toml")
    }

    /// This operator's snapshots, sorted by name.
    fn snapshots(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.path()).expect("a folder");
        let files = files.filter_map(|file| Some(file.ok()?.path()));
        let mut files: Vec<_> = files
            .filter(|file| file.to_string_lossy().ends_with(".snapshot.json"))
            .collect();
        files.sort();
        files
    }

    /// Runs the program until it ends or is killed.
    async fn run(&mut self, command: Command) -> Ended {
        let mut arguments: Vec<OsString> = vec!["jane-migrate".into(), "--config".into()];
        arguments.push(self.config().into());
        let mut restores = None;
        let more: &[&str] = match command {
            Command::Deploy => &[
                "deploy",
                "--enable-password-auth",
                "--replace",
                "--artifact",
            ],
            Command::Teardown => &["teardown", "--everything"],
            Command::Rollback => &["rollback"],
            Command::Restore => &["restore", "--snapshot"],
        };
        arguments.extend(more.iter().map(OsString::from));
        match command {
            Command::Deploy => arguments.push(self.builds.zip(self.build).into()),
            Command::Restore => {
                let Some(snapshot) = self.snapshots().first().cloned() else {
                    return Ended::Well;
                };
                let text = std::fs::read(&snapshot).expect("a snapshot");
                restores = serde_json::from_slice(&text).ok();
                arguments.push(snapshot.into());
            }
            Command::Teardown | Command::Rollback => {}
        }
        arguments.push("--yes".into());
        self.runs += 1;
        let fates = self.fates.remove(&self.runs).unwrap_or_default();
        let name = format!("{}-{}", self.machine, self.runs);
        let world = self.world.clone();
        world.note(format_args!(
            "{name} begins {command:?} of build {}",
            self.build
        ));
        let run = {
            let mut state = world.state();
            state.runs.push(Run {
                name: name.clone(),
                restores,
                fates,
                ..Run::default()
            });
            state.runs.len() - 1
        };
        let cli = cli::parse(&arguments).expect("a command line");
        let kept = Kept::default();
        let ui = Ui::keeping(&cli, &kept);
        let machine = Arc::new(Machine {
            world: world.clone(),
            run,
        });
        let way = SharedHttpClient::new(Way {
            world: world.clone(),
            run,
        });
        let shown = ui.clone();
        let work = async move {
            match commands::run(cli, &shown).await {
                Ok(code) => code == ExitCode::SUCCESS,
                Err(error) => {
                    shown.fatal(&error);
                    false
                }
            }
        };
        let work = Box::pin(host::on(machine, by_way_of(way, work)));
        let ended = match world.until_killed(run, work).await {
            None => Ended::Killed,
            Some(true) => Ended::Well,
            Some(false) => Ended::Badly,
        };
        world.note(format_args!("{name} ended: {ended:?}"));
        if ended != Ended::Well {
            world.note(indented(&kept.text()));
        }
        let verdict = {
            let mut state = world.state();
            let State { judge, runs, .. } = &mut *state;
            let deploy = command == Command::Deploy;
            judge.ended(&runs[run], ended == Ended::Well, deploy)
        };
        if let Err(why) = verdict {
            world.fail(why);
        }
        ended
    }

    /// Runs a command up to three times, until it succeeds.
    async fn persist(&mut self, command: Command) -> Ended {
        let mut ended = Ended::Killed;
        for _ in 0..3 {
            ended = self.run(command).await;
            if ended == Ended::Well || self.world.failed() {
                break;
            }
            let pause = self.dice.within(0, 150);
            self.world.clock.sleep(Duration::from_secs(pause)).await;
        }
        ended
    }

    async fn work(&mut self, commands: Vec<Command>) {
        for command in commands {
            let pause = Duration::from_millis(self.dice.within(0, 20_000));
            self.world.clock.sleep(pause).await;
            if command == Command::Deploy {
                self.configure();
            }
            if self.world.failed() {
                return;
            }
            self.persist(command).await;
        }
    }
}

/// A migrate.toml.
pub fn configuration(
    pool: &str,
    parameter: &str,
    clients: &str,
    triggers: &str,
    (memory, days): (u32, u32),
) -> String {
    format!(
        "[pool]\nid = \"{pool}\"\n{clients}\n[directory]\nkind = \"http\"\nurl = \"https://directory.example.com\"\n\
         secrets = {{ token = {{ ssm = \"{parameter}\" }} }}\n[directory.authenticate]\nurl = \"/check\"\n\
         headers = {{ authorization = \"Bearer {{secrets.token}}\" }}\n\
         json = {{ name = \"{{username}}\", password = \"{{password}}\" }}\nok = [200]\nnot_found = [404]\n\
         wrong_password = [403]\n{triggers}[attributes]\nemail = \"email\"\n[function]\nmemory_mb = {memory}\n\
         log_retention_days = {days}\n"
    )
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("\n             | {line}"))
        .collect()
}

/// Another tool, which writes whole pools and clients.
async fn terraform(world: Arc<World>, mut dice: Dice) {
    let writes = dice.within(0, 4);
    for write in 0..writes {
        let pause = Duration::from_millis(dice.within(0, 90_000));
        world.clock.sleep(pause).await;
        if dice.chance(40) {
            let client = dice.pick(&CLIENTS);
            world.happens(&format!("Terraform writes client {client}"), |state| {
                write_client(&mut state.aws, client, write);
                let document = Document::Client(client.to_owned());
                let theirs = state.aws.pool.clients[client].clone();
                state.judge.changed(document, theirs, state.aws.now_ms);
            });
            continue;
        }
        // Its code has no trigger, and removes ours; or it ignores changes of triggers, and writes the ones that it read.
        let (ignores, read) = (dice.chance(70), world.state().aws.pool.document.clone());
        let gap = match dice.chance(30) {
            true => dice.within(100, 4_000),
            false => 0,
        };
        world.clock.sleep(Duration::from_millis(gap)).await;
        let told = format!(
            "Terraform writes the pool{}",
            if ignores { "" } else { ", without our trigger" }
        );
        world.happens(&told, |state| {
            let theirs = state.judge.theirs(&Document::Pool).clone();
            let change = |mut pool: Value| {
                pool["UserPoolTags"]["terraform"] = json!(write.to_string());
                pool
            };
            let mut written = change(theirs.clone());
            if ignores {
                written["LambdaConfig"] = read["LambdaConfig"].clone();
            }
            let now = state.aws.pool_time();
            let mut after = updated_pool(&state.aws.pool.document, &body(&written));
            after["LastModifiedDate"] = now;
            let before = std::mem::replace(&mut state.aws.pool.document, after);
            let after = &state.aws.pool.document;
            state.judge.triggers_written(&before, after);
            let now_ms = state.aws.now_ms;
            state.judge.changed(Document::Pool, change(theirs), now_ms);
        });
    }
}

/// Rotates the value of the directory's secret. For a while the parameter and the directory have different values.
async fn rotation(world: Arc<World>, mut dice: Dice) {
    for _ in 0..dice.within(0, 3) {
        for (rotating, longest_ms) in [(true, 90_000), (false, 20_000)] {
            let pause = Duration::from_millis(dice.within(0, longest_ms));
            world.clock.sleep(pause).await;
            let what = match rotating {
                true => "the directory gets a new secret",
                false => "the parameter has the new secret",
            };
            world.happens(what, |state| state.aws.rotating = rotating);
        }
    }
}

/// The update that keeps a pool as described.
fn body(pool: &Value) -> Value {
    let mut body = pool.clone();
    if let Some(members) = body.as_object_mut() {
        for fixed in [
            "Id",
            "Arn",
            "CreationDate",
            "LastModifiedDate",
            "SchemaAttributes",
            "EstimatedNumberOfUsers",
            "Name",
        ] {
            members.remove(fixed);
        }
    }
    body
}

fn write_client(aws: &mut Aws, client: &str, write: u64) {
    let before = aws.pool.clients[client].clone();
    let mut body = initial_client(client);
    body["AccessTokenValidity"] = json!(10 + write);
    body["TokenValidityUnits"] = json!({ "AccessToken": "minutes" });
    let mut after = updated_client(&before, &body);
    after["LastModifiedDate"] = aws.pool_time();
    aws.pool.clients.insert(client.to_owned(), after);
}

pub fn initial_client(client: &str) -> Value {
    let mut settings = json!({ "ClientId": client, "UserPoolId": POOL, "ClientName": format!("the {client} app") });
    let flows = match client {
        "web" => json!(["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]),
        "mobile" => json!(["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]),
        "legacy" => json!(["CUSTOM_AUTH_FLOW_ONLY"]),
        _ => return settings,
    };
    settings["ExplicitAuthFlows"] = flows;
    settings
}

/// The request that creates a pool with many settings.
pub fn given_pool(replaces: bool) -> Value {
    let arn = |name: &str| format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}");
    let mut triggers = json!({ "PreAuthentication": arn("check"), "CustomMessage": arn("write") });
    if replaces {
        triggers["UserMigration"] = json!(arn("earlier"));
    }
    json!({
        "PoolName": "Roots", "LambdaConfig": triggers, "DeletionProtection": "ACTIVE", "AutoVerifiedAttributes": ["email"],
        "Policies": { "PasswordPolicy": {
            "MinimumLength": 12, "RequireUppercase": true, "RequireLowercase": true, "RequireNumbers": true,
            "RequireSymbols": false, "TemporaryPasswordValidityDays": 3,
        } },
        "VerificationMessageTemplate": { "EmailMessage": "Your code is {####}.", "EmailSubject": "Your code" },
        "DeviceConfiguration": { "ChallengeRequiredOnNewDevice": true, "DeviceOnlyRememberedOnUserPrompt": true },
        "AccountRecoverySetting": { "RecoveryMechanisms": [{ "Name": "verified_email", "Priority": 1 }] },
        "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true }, "UserPoolTags": { "team": "roots" },
        "UserPoolAddOns": { "AdvancedSecurityMode": "AUDIT" }, "UserPoolTier": "PLUS",
    })
}

/// The same pool as described.
fn pool(replaces: bool) -> Pool {
    let fixed = json!({
        "Id": POOL, "Arn": format!("arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{POOL}"),
        "CreationDate": 1_700_000_000.0, "LastModifiedDate": 1_700_000_000.0, "UsernameAttributes": ["email"],
        "EstimatedNumberOfUsers": 3, "SchemaAttributes": [{ "Name": "email", "AttributeDataType": "String" }],
    });
    let clients = CLIENTS.map(|client| {
        let settings = updated_client(&json!({}), &initial_client(client));
        (client.to_owned(), settings)
    });
    Pool {
        document: updated_pool(&fixed, &given_pool(replaces)),
        mfa: json!({ "MfaConfiguration": "OFF" }),
        clients: clients.into(),
    }
}

/// Runs a seed. Returns its trace, and the property that did not hold.
pub fn play(seed: u64, builds: &Arc<Builds>, tells: bool) -> (Vec<String>, Option<String>) {
    let mut dice = Dice::new(seed);
    let mut aws = Aws::new(pool(dice.chance(25)));
    aws.pace = Pace {
        role: dice.within(0, 8_000),
        rights: dice.within(0, 8_000),
        create: dice.within(0, 3_000),
        update: dice.within(0, 3_000),
    };
    aws.parameters = PARAMETERS.map(str::to_owned).to_vec();
    aws.good = ["one", "two"].map(|build| builds.digest(build)).to_vec();
    let world = World::new(aws, dice.fork(), tells);
    let operator = |machine, mut dice: Dice| {
        let mut fates: BTreeMap<usize, BTreeMap<usize, Fate>> = BTreeMap::new();
        for _ in 0..dice.within(1, 3) {
            let run = dice.within(1, 5) as usize;
            let call = dice.within(1, 70) as usize;
            let fate = dice.pick(&[
                Fate::Throttled,
                Fate::Failed,
                Fate::Lost,
                Fate::Unanswered,
                Fate::Unanswered,
                Fate::Silent,
                Fate::Denied,
                Fate::KilledBefore,
                Fate::KilledAfter,
                Fate::KilledAfter,
            ]);
            fates.entry(run).or_default().insert(call, fate);
        }
        let operator = Operator {
            world: world.clone(),
            machine,
            folder: folder(),
            builds: builds.clone(),
            dice,
            fates,
            runs: 0,
            build: "one",
        };
        operator.write(PARAMETERS[0], "", "", 256, 30);
        operator
    };
    let mut first = operator("one", dice.fork());
    let mut second = operator("two", dice.fork());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    // The program chooses the pauses before retries at random.
    fastrand::seed(seed);
    let course = async {
        let mut commands = vec![Command::Deploy];
        for _ in 0..dice.within(1, 4) {
            commands.push(dice.pick(&[
                Command::Deploy,
                Command::Deploy,
                Command::Rollback,
                Command::Teardown,
                Command::Restore,
            ]));
        }
        let mut others = Vec::new();
        for _ in 0..dice.within(0, 3) {
            others.push(dice.pick(&[
                Command::Deploy,
                Command::Deploy,
                Command::Rollback,
                Command::Teardown,
            ]));
        }
        join4(
            first.work(commands),
            second.work(others),
            terraform(world.clone(), dice.fork()),
            rotation(world.clone(), dice.fork()),
        )
        .await;
        if !world.failed() {
            finish(&world, &mut first).await;
        }
    };
    world.clock.play(Box::pin(course));
    let mut state = world.state();
    (std::mem::take(&mut state.trace), state.failure.take())
}

/// Without further faults: a deploy and a teardown.
async fn finish(world: &Arc<World>, operator: &mut Operator) {
    operator.fates.clear();
    // Longer than any lease of a killed run.
    world.clock.sleep(Duration::from_secs(180)).await;
    operator.build = "two";
    operator.write(PARAMETERS[1], "", "", 256, 30);
    world.note("all is quiet");
    if operator.run(Command::Deploy).await != Ended::Well {
        return world.fail("the last deploy did not end well");
    }
    let deployed = {
        let state = world.state();
        state.judge.is_deployed(&state.aws)
    };
    if let Err(why) = deployed {
        return world.fail(why);
    }
    if operator.run(Command::Teardown).await != Ended::Well {
        return world.fail("the last teardown did not end well");
    }
    let gone = {
        let state = world.state();
        state.judge.is_gone(&state.aws)
    };
    if let Err(why) = gone {
        world.fail(why);
    }
}

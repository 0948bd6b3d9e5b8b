//! `doctor` without a pool: examines this machine's tools, and writes a file for a bug report. The file contains only words of
//! this program, versions and numbers, so it cannot contain a secret, a name or an id.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::artifact;
use crate::aws::{AwsError, Connection, Kind, Reader};
use crate::cli::Global;
use crate::environment;
use crate::error::{Error, Result};
use crate::files;
use crate::settings::Loaded;
use crate::ui::Ui;
use jane_migrate_config::Architecture;
use jane_migrate_core::ids::PoolId;

/// The default file name.
pub(super) const FILE: &str = "jane-migrate-report.json";

/// Variables that change what this program does. Only their names are reported.
const VARIABLES: [&str; 22] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "CARGO_HOME",
    "HTTPS_PROXY",
    "JANE_MIGRATE_CONFIG",
    "JANE_MIGRATE_ENDPOINT_URL",
    "NO_PROXY",
    "RUSTUP_HOME",
    "SSL_CERT_FILE",
];

/// The result.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    system: [&'static str; 2],
    toolchain: Option<artifact::Tools>,
    /// The kinds of directory whose handler is part of the installation, for this machine's architecture.
    prebuilt: Vec<&'static str>,
    variables: Vec<&'static str>,
    configuration: Configuration,
    calls: Vec<Call>,
    /// Each problem with its fix.
    problems: Vec<[String; 2]>,
}

/// The state of the configuration.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Configuration {
    None,
    NotUnderstood,
    Read {
        directory: &'static str,
        pools: usize,
        vpc: bool,
        alarms: bool,
        window_ends: bool,
    },
}

/// One service's response.
#[derive(Debug, Serialize)]
struct Call {
    call: &'static str,
    result: &'static str,
    /// The service's error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    ms: u128,
}

pub(super) async fn run(
    global: &Global,
    loaded: Result<Option<Loaded>>,
    file: Option<PathBuf>,
    ui: &Ui,
) -> Result<ExitCode> {
    let mut problems = Vec::new();
    let configuration = match &loaded {
        Ok(None) => Configuration::None,
        Ok(Some(loaded)) => Configuration::Read {
            directory: loaded.config.directory.kind(),
            pools: loaded.config.pools.len(),
            vpc: loaded.config.function.vpc.is_some(),
            alarms: loaded.config.alarms.topic.is_some(),
            window_ends: loaded.config.window.closes.is_some(),
        },
        Err(_) => {
            let todo = "`jane-migrate plan` says where, and why";
            problems.push([
                "the configuration cannot be read or understood".into(),
                todo.into(),
            ]);
            Configuration::NotUnderstood
        }
    };
    let prebuilt = artifact::prebuilt(match cfg!(target_arch = "aarch64") {
        true => Architecture::Arm64,
        false => Architecture::X86_64,
    });
    let toolchain = match artifact::tools().await {
        Ok(tools) => Some(tools),
        Err(_) if !prebuilt.is_empty() => None,
        Err(_) => {
            let todo =
                "install Rust from https://rustup.rs, or bring a handler by `--artifact ZIP`";
            problems.push(["no handler can be built here".into(), todo.into()]);
            None
        }
    };
    let named = |name: &&str| environment::var(name);
    let region = global.region.clone();
    let region = region.or_else(|| ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(named));
    let calls = match region {
        Some(region) => calls(global, region, &mut problems).await,
        None => {
            let todo = "set AWS_REGION, or give --region";
            problems.push(["no Region is set, so AWS was not asked".into(), todo.into()]);
            Vec::new()
        }
    };
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        system: [std::env::consts::OS, std::env::consts::ARCH],
        toolchain,
        prebuilt,
        variables: VARIABLES
            .into_iter()
            .filter(|name| named(name).is_some())
            .collect(),
        configuration,
        calls,
        problems,
    };
    show(&report, ui);
    let file = file.unwrap_or_else(|| PathBuf::from(FILE));
    write(&file, &report)?;
    ui.note(&format!(
        "written to {}: it has no secret, no name and no id; look at it before you send it",
        file.display()
    ));
    if ui.json {
        ui.document(&report)?;
    }
    Ok(match report.problems.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn write(file: &Path, report: &Report) -> Result<()> {
    let text = serde_json::to_string_pretty(report)
        .map_err(|error| Error::bug(format!("failed to write JSON: {error}")))?;
    files::write(file, format!("{text}\n").as_bytes())
        .map_err(|error| Error::unwritable(file, error, "name another file with --bundle"))
}

/// Asks each service for something that does not exist: a *not found* shows that the endpoint, the credentials, the clock and the
/// permission are right.
async fn calls(global: &Global, region: String, problems: &mut Vec<[String; 2]>) -> Vec<Call> {
    let nothing: PoolId = match format!("{region}_doctor000").parse() {
        Ok(pool) => pool,
        Err(_) => return Vec::new(),
    };
    let connection = Connection {
        region,
        profile: global.profile.clone(),
        role_arn: None,
        endpoint_url: global.endpoint_url.clone(),
        timeout: global.timeout.map(Duration::from_secs),
    };
    let aws = Reader::connect(&connection).await;
    let name = "jane-migrate-doctor";
    let group = "/aws/lambda/jane-migrate-doctor";
    let (pool, function, role, logs) = tokio::join!(
        asked("cognito-idp:DescribeUserPool", async {
            aws.describe_pool(&nothing).await.map(drop)
        }),
        asked("lambda:GetFunction", async {
            aws.function(name).await.map(drop)
        }),
        asked("iam:GetRole", async {
            aws.role_settings(name).await.map(drop)
        }),
        asked("logs:DescribeLogGroups", async {
            aws.log_group_settings(group).await.map(drop)
        }),
    );
    let mut kinds: Vec<Kind> = Vec::new();
    let calls = [pool, function, role, logs].map(|(call, kind)| {
        kinds.extend(kind);
        call
    });
    let todo = |kind: &Kind| match kind {
        Kind::NoCredentials => Some([
            "no AWS credentials are found",
            "sign in with the AWS CLI, or set AWS_PROFILE",
        ]),
        Kind::BadCredentials => Some([
            "AWS does not take the credentials",
            "sign in again; if that does not help, compare this machine's clock: AWS takes no request that is dated five minutes off",
        ]),
        Kind::Unreachable | Kind::NoAnswer => Some([
            "an AWS endpoint cannot be reached",
            "look at the network, HTTPS_PROXY and the Region",
        ]),
        Kind::Throttled | Kind::Busy => Some([
            "AWS takes no more requests at the moment",
            "wait a minute, and run it again",
        ]),
        // The least policies allow only the pool's own resources.
        _ => None,
    };
    for found in kinds.iter().filter_map(todo) {
        let found = found.map(str::to_owned);
        if !problems.contains(&found) {
            problems.push(found);
        }
    }
    calls.into()
}

async fn asked(
    call: &'static str,
    answer: impl Future<Output = Result<(), AwsError>>,
) -> (Call, Option<Kind>) {
    let began = Instant::now();
    let answer = answer.await;
    let ms = began.elapsed().as_millis();
    let error = answer.err().filter(|error| error.kind != Kind::NotFound);
    let result = match error.as_ref().map(|error| error.kind) {
        None => "answered",
        Some(Kind::Denied) => "answered: not allowed for things of other names than a pool's",
        Some(Kind::NoCredentials) => "not asked: no credentials",
        Some(Kind::BadCredentials) => "refused: the credentials or the clock",
        Some(Kind::Unreachable) => "not reached",
        Some(Kind::NoAnswer) => "no usable answer",
        Some(Kind::Throttled | Kind::Busy) => "too many requests",
        Some(_) => "refused",
    };
    // An error code of the service, never a sentence.
    let word = |code: &String| code.chars().all(|c| c.is_ascii_alphanumeric());
    let kind = error.as_ref().map(|error| error.kind);
    let code = error.map(|error| error.code).filter(word);
    (
        Call {
            call,
            result,
            code,
            ms,
        },
        kind,
    )
}

fn show(report: &Report, ui: &Ui) {
    let [system, processor] = report.system;
    let mut lines = vec![format!(
        "jane-migrate {} on {system}, {processor}",
        report.version
    )];
    if let Some(tools) = &report.toolchain {
        lines.push(format!("  toolchain  {}", tools.rustc));
    }
    if !report.prebuilt.is_empty() {
        lines.push(format!(
            "  handlers   {}, which came with the program",
            report.prebuilt.join(", ")
        ));
    }
    for Call {
        call,
        result,
        code,
        ms,
    } in &report.calls
    {
        let code = code
            .as_ref()
            .map_or_else(String::new, |code| format!(" ({code})"));
        lines.push(format!("  {call:<28}  {result}{code}, {ms} ms"));
    }
    for [what, todo] in &report.problems {
        lines.push(format!("  ! {what}: {todo}"));
    }
    if report.problems.is_empty() {
        lines
            .push("Nothing is wrong with this machine. `doctor --pool ID` looks at a pool.".into());
    }
    ui.show(&format!("{}\n", lines.join("\n")));
}

//! The command line: only clap's definitions. `settings` combines the flags with environment and file.

mod again;
mod import;
mod init;
mod parse;

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::export::Tool;
use crate::policy::Duty;
use crate::status::Since;
use jane_migrate_core::check::checks;
use jane_migrate_core::document::Decision;
use jane_migrate_core::finding::Severity;
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::record::Place;

pub use import::{Import, Remaining};
pub use init::{Directory, Init, Kind, total_users};
pub use parse::parse;

/// The text below the list of commands.
fn learn() -> String {
    let tour = match cfg!(feature = "sandbox") {
        true => TOUR,
        false => "",
    };
    format!("A migration, step by step:\n{tour}{LEARN}")
}

const TOUR: &str = "  jane-migrate sandbox --tour     see a whole migration on this machine; no AWS account needed\n";

/// A sandbox on the machine that runs it.
#[cfg(feature = "sandbox")]
const SANDBOX: &str = "\
It installs MiniStack, an emulator of AWS, from PyPI (once, into the cache folder) and runs it with
Python. What you deploy to it runs on this machine as you, with no isolation: deploy only code that
you trust. It listens on 127.0.0.1 only, takes no request from a web page, and refuses requests
that are not signed with the access key that it prints. The key is new at each start. Cognito's
public calls, such as a customer's sign-in, need no key, as on AWS.";

const LEARN: &str = "  \
  jane-migrate init --pool ID     read the pool and write migrate.toml
  jane-migrate plan               show what would change, and what would stop a deploy
  jane-migrate deploy             create what is missing and attach the trigger
  jane-migrate try --user NAME    try one customer, without changing the pool
  jane-migrate verify             check that everything holds; for CI
  jane-migrate status             show progress and the estimated end date
  jane-migrate doctor             find the cause when sign-ins fail
  jane-migrate remaining          count the users who have not migrated yet, by reason
  jane-migrate import             import the remaining users, with their passwords
  jane-migrate teardown           remove everything that deploy created

Plans, findings and JSON go to stdout, everything else to stderr. With --json stdout is exactly one
document; a run that failed before it had one prints {\"error\": {\"message\", \"causes\", \"hint\"}}.
Exit codes: 0 done, 1 failed, 130 or 143 interrupted (by Ctrl-C, SIGTERM); plan and verify add 2, try 3.";

/// Move customers into an Amazon Cognito user pool as they sign in.
///
/// Deploys a user migration Lambda for a pool, verifies it, and removes it. At a customer's first sign-in the Lambda checks the
/// name and password against the existing directory and gives the profile to the pool. No other setting of the pool changes.
#[derive(Debug, Parser)]
#[command(
    name = "jane-migrate",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = learn()
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
}

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The configuration file [default: migrate.toml]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "JANE_MIGRATE_CONFIG",
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,
    /// The pool's Region [default: the one its id begins with]
    #[arg(
        long,
        global = true,
        value_name = "REGION",
        env = "JANE_MIGRATE_REGION",
        hide_env_values = true
    )]
    pub region: Option<String>,
    /// The profile of the AWS configuration files
    #[arg(
        long,
        global = true,
        value_name = "PROFILE",
        env = "JANE_MIGRATE_PROFILE",
        hide_env_values = true
    )]
    pub profile: Option<String>,
    /// One endpoint for every AWS service: an emulator
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "JANE_MIGRATE_ENDPOINT_URL",
        hide_env_values = true,
        value_parser = url
    )]
    pub endpoint_url: Option<String>,
    /// How long AWS may take to answer a call [default: 40]
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        env = "JANE_MIGRATE_TIMEOUT",
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    pub timeout: Option<u64>,
    /// Suppress progress and the summary
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also show each request to AWS and the handler's build
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colour; NO_COLOR is honoured
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Print one JSON document on stdout
    #[arg(long, global = true)]
    pub json: bool,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read a pool and write a commented migrate.toml for it
    Init(Box<Init>),
    /// Build the handler for the configured directory
    Build(Build),
    /// Show what deploy would do, and change nothing
    Plan(Plan),
    /// Create the function and attach it to the pool; a second run does what is missing
    Deploy(Deploy),
    /// Check that the migration still holds
    Verify(Verify),
    /// Show migration progress and the estimated end date
    Status(Status),
    /// Find the cause when sign-ins fail: one diagnosis, the most likely cause first
    Doctor(Doctor),
    /// Print a migrate.toml with each setting, its default and its reason
    Example(Example),
    /// Explain a check, an outcome, a reason in the log or an error
    Explain(Explain),
    /// Try one customer without changing the pool
    Try(Try),
    /// Remove everything deploy created
    Teardown(Teardown),
    /// Print the least IAM policy that each command needs
    Policy(Policy),
    /// Notify Jane of users who are already in the pool
    Connect(Connect),
    /// Count the users who have not migrated, and why
    Remaining(Remaining),
    /// Import the users who have not migrated, with their passwords where Cognito accepts the hashes
    Import(Import),
    /// Make the previous version live again
    Rollback(Rollback),
    /// List deploys, rollbacks and teardowns: by which principal, when, with which version
    History(History),
    /// Restore a pool and its app clients from a snapshot
    Restore(Restore),
    /// Print the settings for a function that another tool creates: environment, runtime, memory, timeout
    Settings(Settings),
    /// Print the function, its role and alarms as code for another tool, to be named in `[function] arn`
    Export(Export),
    /// Print the lines that stop another tool from removing the trigger; export prints them too
    Coexist(Coexist),
    /// Run a local AWS with a pool and a directory, to try a migration
    #[cfg(feature = "sandbox")]
    Sandbox(Sandbox),
    /// Print or install shell completions
    Completions(Completions),
    /// Print a manual page, or write all of them
    Man(Man),
}

/// Which pools.
#[derive(Debug, Clone, Args)]
pub struct Pools {
    /// The user pool's id; repeat it for several pools. Optional if the configuration names them
    #[arg(
        long = "pool",
        value_name = "ID",
        env = "JANE_MIGRATE_POOL",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub pools: Vec<PoolId>,
    /// All pools of the configuration, even if JANE_MIGRATE_POOL names one
    #[arg(long)]
    pub all: bool,
}

/// What deploy may do beyond the configuration, the same for plan.
#[derive(Debug, Clone, Args)]
pub struct Allow {
    /// Allow USER_PASSWORD_AUTH on the app clients that lack it; teardown undoes it
    #[arg(long)]
    pub enable_password_auth: bool,
    /// Replace an existing trigger, role, function or log group; teardown restores a replaced trigger
    #[arg(long)]
    pub replace: bool,
    /// For a setting of the pool that this version does not know: `carry` sends it unchanged, `drop` leaves it out
    #[arg(long, value_name = "KEY=carry|drop", value_parser = decision)]
    pub unknown: Vec<(String, Decision)>,
    /// Accept this unexpected difference of the pool or a client (the JSON pointer from the error)
    #[arg(long, value_name = "POINTER", value_parser = pointer)]
    pub accept_difference: Vec<String>,
    /// Upload this zip instead of building the handler
    #[arg(long, value_name = "ZIP")]
    pub artifact: Option<PathBuf>,
}

fn url(text: &str) -> Result<String, &'static str> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['));
    let clean = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    match host && clean {
        true => Ok(text.to_owned()),
        false => Err("expected a URL such as http://127.0.0.1:4566"),
    }
}

fn decision(text: &str) -> Result<(String, Decision), String> {
    match text.split_once('=') {
        Some((key, "carry")) if !key.is_empty() => Ok((key.to_owned(), Decision::Carry)),
        Some((key, "drop")) if !key.is_empty() => Ok((key.to_owned(), Decision::Drop)),
        _ => Err("expected KEY=carry or KEY=drop".into()),
    }
}

fn pointer(text: &str) -> Result<String, &'static str> {
    match text.strip_prefix('/').is_some_and(|rest| !rest.is_empty()) {
        true => Ok(text.to_owned()),
        false => Err("expected a JSON pointer such as /EmailConfiguration/From"),
    }
}

/// `build`
#[derive(Debug, Args)]
pub struct Build {
    /// Copy the zip to this file
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `plan`
#[derive(Debug, Args)]
pub struct Plan {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// What deploy would be allowed.
    #[command(flatten)]
    pub allow: Allow,
    /// Exit with 2 if there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Write the plan to this file; `deploy --plan` applies exactly that
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Lambda takes up to twenty minutes, and longer now and then.
pub const INTERFACE_WAIT_S: u64 = 45 * 60;

/// `deploy`
#[derive(Debug, Args)]
pub struct Deploy {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// What it may do.
    #[command(flatten)]
    pub allow: Allow,
    /// Do not ask for confirmation; required without a terminal
    #[arg(long, short)]
    pub yes: bool,
    /// Apply the plan that `plan --out` wrote to this file, without asking; refuse if anything has changed since
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Do not invoke the new function before the trigger goes live (for emulators that cannot run it)
    #[arg(long)]
    pub no_probe: bool,
    /// Take the lease of another run of this pool, for example of one that was killed
    #[arg(long)]
    pub break_lease: bool,
    /// Seconds to wait for Lambda to delete the network interfaces of a function that leaves its VPC; 0 leaves them
    #[arg(long, value_name = "SECONDS", default_value_t = INTERFACE_WAIT_S)]
    pub interface_wait: u64,
}

/// How verify's findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text.
    Text,
    /// One JSON document.
    Json,
    /// JUnit's XML, for Jenkins, GitLab and others.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// GitHub's workflow annotations.
    Github,
}

/// `verify`
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 everything holds, 1 a finding, 2 could not be checked.")]
#[command(after_long_help = checks_help())]
pub struct Verify {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Fail on warnings too
    #[arg(long)]
    pub strict: bool,
    /// Also invoke the function, for unknown users, and check that the pool does not change
    #[arg(long)]
    pub probe: bool,
    /// Also ask the function about this user of the directory, which must be eligible
    #[arg(long, value_name = "NAME", requires = "probe", value_parser = NonEmptyStringValueParser::new())]
    pub test_user: Option<String>,
    /// Read the test user's password from standard input instead of asking
    #[arg(long, requires = "test_user")]
    pub password_stdin: bool,
    /// Only these checks
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Skip these checks
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub skip: Vec<String>,
}

/// Every check by its id, for `--only`, `--skip` and `accept` in [verify].
fn checks_help() -> String {
    let mut help = String::from(
        "Exit codes: 0 everything holds, 1 a finding, 2 could not be checked.\n\nChecks (E: an error; W: a warning, which fails only with --strict). probe-* and log-hygiene run only with --probe or --only.\n",
    );
    for check in checks() {
        let severity = match check.severity {
            Severity::Error => 'E',
            Severity::Warning => 'W',
        };
        help.push_str(&format!("  {severity} {:<23} {}\n", check.id, check.holds));
    }
    help.push_str(
        "\nA finding that is known and fine is accepted in the configuration, with the reason:\n  [verify]\n  accept = { \"open-sign-up\" = \"SSO only until March\" }",
    );
    help
}

/// `status`
#[derive(Debug, Args)]
pub struct Status {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// How far back: days (30d), weeks (4w), or from a day (2027-01-31) [default: since the log was made]
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    /// Refresh every N seconds, until q or Ctrl-C
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "60",
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    pub watch: Option<u64>,
    /// Also write a page: one file with charts that needs no network
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `doctor`
#[derive(Debug, Args)]
#[command(
    after_help = "It makes every check of verify, invokes the function for a user that does not exist, and reads the log of the last day.\nWithout a pool it looks at this machine: the toolchain, the credentials and the clock, the endpoints and the rights.\nExit codes: 0 nothing is wrong, 1 a diagnosis, 2 nothing was found but not everything could be examined."
)]
pub struct Doctor {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// Examine this machine and write a report for a bug report: without secrets, names and ids
    /// [default without a pool: jane-migrate-report.json]
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
}

/// `explain`
#[derive(Debug, Args)]
#[command(after_help = "\
jane-migrate explain trigger-registered
jane-migrate explain directory-unavailable
jane-migrate explain UserLambdaValidationException")]
pub struct Explain {
    /// The id of a check, an outcome, a reason, or words of an error
    #[arg(value_name = "WHAT", required = true)]
    pub what: Vec<String>,
}

/// `try`
#[derive(Debug, Args)]
#[command(
    after_help = "The password comes from a prompt or from standard input, never from an argument. Nothing is stored.\nExit codes: 0 the user would migrate, 3 would not, 1 could not be tried."
)]
pub struct Try {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// The user name as the customer types it
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), required_unless_present = "sample")]
    pub user: Option<String>,
    /// Read this many stored hashes, and report their formats and the cost of a check
    #[arg(long, value_name = "N", conflicts_with_all = ["user", "forgot_password", "client", "password_stdin"], value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub sample: Option<u32>,
    /// Try *forgot password* instead of a sign-in
    #[arg(long)]
    pub forgot_password: bool,
    /// The app client of the sign-in [default: the first whose sign-ins must migrate]
    #[arg(long, value_name = "ID")]
    pub client: Option<String>,
    /// Read the password from the first line of standard input
    #[arg(long, conflicts_with = "forgot_password")]
    pub password_stdin: bool,
    /// Run the configured handler on this machine instead of invoking the deployed function
    #[arg(long)]
    pub local: bool,
}

/// `teardown`
#[derive(Debug, Args)]
pub struct Teardown {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// Do not ask for confirmation; required without a terminal
    #[arg(long, short)]
    pub yes: bool,
    /// Also remove the pre sign-up and post confirmation triggers, and the function that serves them
    #[arg(long)]
    pub everything: bool,
    /// Proceed even if customers still migrate or the window is open
    #[arg(long)]
    pub force: bool,
    /// How many days must have passed without a migration
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub recent_days: u32,
    /// Keep the log group
    #[arg(long)]
    pub keep_logs: bool,
    /// Use this record of what deploy changed if the two differ or one is missing: the function's tags or the role's
    #[arg(long, value_name = "function|role", value_parser = place)]
    pub trust: Option<Place>,
    /// Restore a trigger of this other account: that account gets customers' passwords
    #[arg(long, value_name = "ID", value_parser = account)]
    pub trigger_account: Option<String>,
    /// For a setting of the pool that this version does not know: `carry` sends it unchanged, `drop` leaves it out
    #[arg(long, value_name = "KEY=carry|drop", value_parser = decision)]
    pub unknown: Vec<(String, Decision)>,
    /// Accept this unexpected difference of the pool or a client (the JSON pointer from the error)
    #[arg(long, value_name = "POINTER", value_parser = pointer)]
    pub accept_difference: Vec<String>,
    /// Take the lease of another run of this pool, for example of one that was killed
    #[arg(long)]
    pub break_lease: bool,
    /// Seconds to wait for Lambda to delete the network interfaces of a function that leaves its VPC; 0 leaves them
    #[arg(long, value_name = "SECONDS", default_value_t = INTERFACE_WAIT_S)]
    pub interface_wait: u64,
}

/// `connect`
#[derive(Debug, Clone, Args)]
pub struct Connect {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// Notify Jane; without it the users are only counted
    #[arg(long, short)]
    pub yes: bool,
    /// How many users a second to notify Jane of, at most
    #[arg(long, value_name = "USERS", default_value_t = Self::PER_SECOND, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub per_second: u32,
    /// The page to continue from, as an earlier run printed it
    #[arg(long, value_name = "PAGE")]
    pub from: Option<String>,
}

impl Connect {
    /// The rate without `--per-second`.
    pub const PER_SECOND: u32 = 10;
}

/// `rollback`
#[derive(Debug, Args)]
pub struct Rollback {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// Do not ask for confirmation; required without a terminal
    #[arg(long, short)]
    pub yes: bool,
    /// Take the lease of another run of this pool, for example of one that was killed
    #[arg(long)]
    pub break_lease: bool,
}

/// `policy`
#[derive(Debug, Args)]
pub struct Policy {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// For which commands; with --json one policy for all of them [default: one policy each]
    #[arg(long = "for", value_enum, value_name = "DUTY", value_delimiter = ',')]
    pub duties: Vec<Duty>,
    /// The account that owns the pools; no call to AWS is made then
    #[arg(long, value_name = "ID", value_parser = account)]
    pub account: Option<String>,
    /// With --account: the role with which the pool sends SMS
    #[arg(long, value_name = "ARN", requires = "account")]
    pub sms_role: Option<String>,
}

/// `restore`
#[derive(Debug, Args)]
pub struct Restore {
    /// The snapshot that deploy kept next to the configuration
    #[arg(long, value_name = "FILE")]
    pub snapshot: PathBuf,
    /// Do not ask for confirmation; required without a terminal
    #[arg(long, short)]
    pub yes: bool,
    /// For a setting of the pool that this version does not know: `carry` sends it unchanged, `drop` leaves it out
    #[arg(long, value_name = "KEY=carry|drop", value_parser = decision)]
    pub unknown: Vec<(String, Decision)>,
    /// Accept this unexpected difference of the pool or a client (the JSON pointer from the error)
    #[arg(long, value_name = "POINTER", value_parser = pointer)]
    pub accept_difference: Vec<String>,
    /// Take the lease of another run of this pool, for example of one that was killed
    #[arg(long)]
    pub break_lease: bool,
}

/// `history`
#[derive(Debug, Args)]
#[command(
    after_help = "It reads CloudTrail's event history of the pool's Region, which AWS keeps for 90 days and fills within minutes,\nand the versions that Lambda keeps. It changes nothing."
)]
pub struct History {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// How many days back; CloudTrail keeps 90
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=90))]
    pub days: u32,
}

/// `settings`
#[derive(Debug, Args)]
pub struct Settings {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
}

/// `export`
#[derive(Debug, Args)]
pub struct Export {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// The tool that will create the function
    #[arg(long = "for", value_enum, value_name = "TOOL")]
    pub tool: Tool,
    /// Use the digest of this zip instead of building the handler
    #[arg(long, value_name = "ZIP")]
    pub artifact: Option<PathBuf>,
}

/// `coexist`
#[derive(Debug, Args)]
pub struct Coexist {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// The tool that defines the pool
    #[arg(long = "for", value_enum, value_name = "TOOL")]
    pub tool: Tool,
    /// The account of the pool [default: asked of AWS]
    #[arg(long, value_name = "ID", value_parser = account)]
    pub account: Option<String>,
}

fn place(text: &str) -> Result<Place, &'static str> {
    let places = [Place::Function, Place::Role];
    let named = places.into_iter().find(|place| place.name() == text);
    named.ok_or("expected function or role")
}

fn account(text: &str) -> Result<String, String> {
    let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.to_owned())
        .ok_or_else(|| "an account id has twelve digits".to_owned())
}

/// `sandbox`
#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
#[command(after_help = SANDBOX)]
pub struct Sandbox {
    /// Walk through a whole migration, explain each step, and exit
    #[arg(long)]
    pub tour: bool,
    /// Do not wait for Enter between the chapters of the tour
    #[arg(long, requires = "tour")]
    pub no_pause: bool,
    /// The port to listen on [default: a free one]
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
}

/// `example`
#[derive(Debug, Args)]
pub struct Example {
    /// Print the JSON Schema of migrate.toml instead, for editors
    #[arg(long)]
    pub schema: bool,
}

/// `completions`
#[derive(Debug, Args)]
#[command(after_help = "\
--install writes to ~/.local/share/bash-completion/completions/jane-migrate, ~/.local/share/zsh/site-functions/_jane-migrate or
~/.config/fish/completions/jane-migrate.fish.")]
pub struct Completions {
    /// For which shell [default with --install: the one that SHELL names]
    #[arg(value_enum, required_unless_present = "install")]
    pub shell: Option<clap_complete::Shell>,
    /// Install them where the shell looks for them, instead of printing them
    #[arg(long)]
    pub install: bool,
}

/// `man`
#[derive(Debug, Args)]
#[command(after_help = "Read a page with `jane-migrate man deploy | man -l -`.")]
pub struct Man {
    /// The command the page is about [default: the program itself]
    #[arg(value_name = "COMMAND")]
    pub page: Option<String>,
    /// Write every page into this folder
    #[arg(long, short, value_name = "DIR", conflicts_with = "page")]
    pub output: Option<PathBuf>,
}

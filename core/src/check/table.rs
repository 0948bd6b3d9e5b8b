//! The table, and how it is applied.

use std::collections::BTreeMap;

use super::kind::{Check, Deploy, When};
use super::subject::Subject;
use super::{
    capture, clients, configuration, function, guessing, logs, pool, probe, role, secrets, sign_up,
    time, trigger,
};
use crate::finding::{Finding, Severity};
use crate::line::one_line;

macro_rules! table {
    ($($id:literal $severity:ident $when:ident $deploy:ident $decides:path => $holds:literal;)+) => {
        /// All checks, in the order in which they run and are shown.
        const ALL: &[Check] = &[$(Check {
            id: $id,
            severity: Severity::$severity,
            when: When::$when,
            deploy: Deploy::$deploy,
            holds: $holds,
            run: $decides,
        }),+];
    };
}

table! {
    "trigger-registered"     Error   Always Reports trigger::trigger_registered       => "the pool calls our function for users it does not know";
    "invoke-permission"      Error   Always Reports trigger::invoke_permission        => "Cognito may invoke the function for exactly this pool";
    "invoke-permission-only" Error   Always Reports trigger::invoke_permission_only   => "only Cognito may invoke the function, its aliases and its versions";
    "function-url"           Error   Always Reports trigger::function_url             => "the function has no URL of its own";
    "event-sources"          Error   Always Reports trigger::event_sources            => "no queue or stream invokes the function";
    "aliases"                Error   Always Reports trigger::aliases                  => "every alias points to what was deployed, and to nothing else";
    "live-version"           Warning Always Reports trigger::live_version             => "the live version is the newest one, and has answered a probe";
    "record-intact"          Error   Always Reports trigger::record_intact            => "the two records of what teardown will undo agree";

    "function-active"        Error   Always Reports function::function_active         => "the function is there and can be invoked";
    "function-code"          Error   Always Reports function::function_code           => "its code and architecture are those that were deployed";
    "function-runtime"       Error   Always Reports function::function_runtime        => "it runs on provided.al2023";
    "function-settings"      Error   Always Reports function::function_settings       => "its settings match the configuration";
    "function-limits"        Warning Always Reports function::function_limits         => "its timeout is 5 s, as Cognito's, and it has 256 MB or more";
    "function-role"          Error   Always Reports function::function_role           => "it runs as its own execution role";
    "function-network"       Error   Always Reports function::function_network        => "it is in the configured network";
    "concurrency"            Error   Always Reports function::concurrency             => "the concurrency limit lets all customers in";
    "code-signing"           Warning Always Reports function::code_signing            => "code signing accepts the next deploy";
    "runtime-updates"        Warning Always Reports function::runtime_updates         => "the runtime gets its security updates";

    "env-secrets"            Error   Always Stops   secrets::env_secrets              => "the environment has no secret in plain text";
    "env-only"               Error   Always Reports secrets::env_only                 => "the environment has no foreign variable, endpoint or proxy";
    "env-kms"                Error   Always Reports secrets::env_kms                  => "the configured key encrypts the environment";
    "secret-exists"          Error   Always Reports secrets::secret_exists            => "the directory's secrets exist and are not scheduled for deletion";
    "secret-encrypted"       Error   Always Reports secrets::secret_encrypted         => "a key encrypts each of them";
    "secret-key"             Warning Always Reports secrets::secret_key               => "the role may use the key that encrypts each of them";
    "secret-copies"          Warning Always Reports secrets::secret_copies            => "no secret is replicated to another Region";
    "secret-policy"          Error   Always Reports secrets::secret_policy            => "no resource policy of a secret allows foreign readers";

    "role-trust"             Error   Always Reports role::role_trust                  => "Lambda alone may assume the execution role";
    "role-permissions"       Error   Always Reports role::role_permissions            => "the role may do no more than a sign-in needs";
    "role-needs"             Error   Always Reports role::role_needs                  => "the role may do what a sign-in needs";

    "log-group"              Error   Always Reports logs::log_group                   => "the log group exists and has a retention period";
    "log-kms"                Warning Always Reports logs::log_kms                     => "the configured key encrypts the log";
    "log-destination"        Error   Always Reports logs::log_destination             => "the function writes to its own log group";
    "log-level"              Error   Always Reports logs::log_level                   => "the log level writes no event";
    "log-subscriptions"      Warning Always Reports logs::log_subscriptions           => "no subscription forwards the log";
    "log-account-policy"     Warning Always Reports logs::log_account_policy          => "no account policy forwards the log";
    "log-hygiene"            Error   Asked  Reports logs::log_hygiene                 => "no password in the last day's log, nor in the log of a probe";

    "layers"                 Error   Always Reports capture::layers                   => "the function has no layer, and so no extension";
    "event-copies"           Error   Always Reports capture::event_copies             => "no dead-letter queue and no destination gets a copy of events";
    "durable-execution"      Error   Always Reports capture::durable_execution        => "durable execution is off";
    "tracing"                Warning Always Reports capture::tracing                  => "X-Ray does not trace sign-ins";

    "client-password-auth"   Error   Always Stops   clients::client_password_auth     => "each app client allows a flow that sends the password";
    "client-user-existence"  Warning Always Stops   clients::client_user_existence    => "unknown users and wrong passwords get the same response";
    "jane-knows-client"      Error   Always Reports clients::jane_knows_client        => "Jane knows the app clients, for this pool and Region";

    "filled-in"              Error   Always Stops   configuration::filled_in          => "no placeholder of init is left in the configuration";
    "alias-takeover"         Warning Always Stops   configuration::alias_takeover     => "a migrated user takes no email or phone number from another user";
    "environment-secret"     Warning Always Stops   configuration::environment_secret => "a secret in the environment is encrypted with a key of its own";
    "hash-memory"            Warning Always Stops   configuration::hash_memory        => "the function has enough memory for the password hashes";

    "guessing-brake"         Warning Always Stops   guessing::guessing_brake          => "AWS WAF or the directory slows down guessing of passwords";

    "attributes-schema"      Error   Always Stops   pool::attributes_schema           => "the pool has each mapped attribute, and each required attribute is mapped";
    "attributes-writable"    Warning Always Stops   pool::attributes_writable         => "mapped attributes can be changed later";
    "username-case"          Warning Always Stops   pool::username_case               => "user names are case-insensitive";
    "username-alias"         Error   Always Stops   pool::username_alias              => "in a pool with aliases, users get a user name of their own";
    "pre-signup"             Warning Always Stops   sign_up::pre_signup               => "no other function can refuse a migration";
    "open-sign-up"           Warning Always Stops   sign_up::open_sign_up             => "a sign-up cannot claim a customer's address";
    "sign-up-guard"          Error   Always Reports sign_up::sign_up_guard            => "the configured pre sign-up trigger checks sign-ups";
    "jane-connection"        Error   Always Reports sign_up::jane_connection          => "Jane is notified of each user who migrates";
    "mfa-phone"              Warning Always Stops   pool::mfa_phone                   => "where text messages are a second factor, phone numbers are mapped";
    "recovery-channel"       Warning Always Stops   pool::recovery_channel            => "migrated users can recover their account";
    "pool-unchanged"         Warning Always Reports pool::pool_unchanged              => "the pool's settings are as deploy found them, except the trigger";

    "point-in-time-recovery" Error   Always Stops   pool::point_in_time_recovery     => "no point-in-time recovery blocks the pool";

    "window-open"            Error   Always Reports time::window_open                 => "the migration's window is open, and not about to close";
    "alarms"                 Warning Always Reports time::alarms                      => "the configured alarms and the dashboard exist and notify the topic";
    "health"                 Warning Always Reports time::health                      => "no errors, throttles or slow answers in the last day";

    "probe-unknown-user"     Error   Probe  Reports probe::unknown_signs_in           => "a test sign-in gets the answer for an unknown user";
    "probe-forgot-password"  Error   Probe  Reports probe::unknown_forgets            => "a test of a forgotten password gets the answer for an unknown user";
    "probe-sign-up"          Error   Probe  Reports probe::unknown_signs_up           => "a test sign-up of an unknown user is answered";
    "probe-confirmation"     Error   Probe  Reports probe::unknown_confirms           => "a test confirmation is returned unchanged";
    "probe-test-user"        Error   Probe  Reports probe::test_user                  => "the test user would be migrated";
    "probe-migrates-nobody"  Error   Probe  Reports probe::migrates_nobody            => "the test calls created no user in the pool";
}

/// All checks, in the order in which they run and are shown.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    ALL.iter()
}

/// Which checks run.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only these; empty: all.
    pub only: Vec<String>,
    /// Without these.
    pub skip: Vec<String>,
    /// Also those that invoke the function.
    pub probe: bool,
}

impl Choice {
    /// Whether the check runs.
    pub fn includes(&self, check: &Check) -> bool {
        let named = self.only.iter().any(|id| id == check.id);
        let when = match check.when {
            When::Always => true,
            When::Probe => self.probe,
            When::Asked => self.probe || named,
        };
        when && (named || self.only.is_empty()) && !self.skip.iter().any(|id| id == check.id)
    }

    /// Whether the check with this id runs.
    pub fn wants(&self, id: &str) -> bool {
        checks().any(|check| check.id == id && self.includes(check))
    }
}

/// Runs the chosen checks. `accepted` lists accepted findings with the reasons.
pub fn run(
    subject: &Subject<'_>,
    choice: &Choice,
    accepted: &BTreeMap<String, String>,
) -> Vec<Finding> {
    let chosen = checks().filter(|check| choice.includes(check));
    let mut findings: Vec<Finding> = chosen.flat_map(|check| check.findings(subject)).collect();
    for finding in &mut findings {
        if !finding.ok && !finding.unknown {
            finding.accepted = accepted
                .get(finding.id)
                .map(|why| one_line(why).into_owned());
        }
    }
    findings
}

/// The findings that are known before the first deploy: from the pool, its clients and the configuration.
pub fn before_deploy(subject: &Subject<'_>) -> Vec<Finding> {
    checks()
        .filter(|check| check.deploy == Deploy::Stops)
        .flat_map(|check| check.findings(subject))
        .filter(|finding| !finding.ok && !finding.unknown)
        .collect()
}

//! The content of `migrate.toml`, table by table, with its defaults. `file` reads and checks the text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Date, Directory, Import, OnMigrated, PoolId, Secret};

/// A whole `migrate.toml`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[pool]` or `[[pool]]`; empty if the pools come from the command line.
    pub pools: Vec<Pool>,
    /// `[directory]`: where the existing accounts are.
    pub directory: Directory,
    /// `[attributes]`: Cognito attribute = where its value comes from (see [`Source`](crate::Source)), including the default
    /// mapping of the kind of directory.
    pub attributes: BTreeMap<String, String>,
    /// `[response]`: what Cognito gets about a migrated user.
    pub response: Response,
    /// `[triggers]`: what the function does at sign-ups.
    pub triggers: Triggers,
    /// `[on_migrated]`: the notification that a user has migrated.
    pub on_migrated: Option<OnMigrated>,
    /// `[function]`: how the Lambda function is set up.
    pub function: Function,
    /// `[alarms]`: the alarms when the migration breaks.
    pub alarms: Alarms,
    /// `[window]`: how long the migration lasts.
    pub window: Window,
    /// `[verify]`: which findings are accepted.
    pub verify: Verify,
    /// `[import]`: how the whole directory is read.
    pub import: Import,
}

impl Config {
    /// The `[pool]` of a pool; one without an id applies to any pool that `--pool` names.
    pub fn pool(&self, id: &PoolId) -> Option<&Pool> {
        let named = |pool: &&Pool| pool.id.as_ref() == Some(id);
        let unnamed = |pool: &&Pool| pool.id.is_none();
        self.pools
            .iter()
            .find(named)
            .or_else(|| self.pools.iter().find(unnamed))
    }

    /// The configuration of a pool: the file with the overrides of its `[pool]`.
    pub fn for_pool(&self, id: &PoolId) -> &Config {
        self.pool(id)
            .and_then(|pool| pool.config.as_deref())
            .unwrap_or(self)
    }

    /// All secrets that the function needs, each with its key in the file.
    pub fn secrets(&self) -> Vec<(String, &Secret)> {
        let directory = self.directory.secrets().into_iter();
        let directory = directory.map(|(member, secret)| (format!("directory.{member}"), secret));
        let told = self.on_migrated.iter().flat_map(OnMigrated::secrets);
        directory.chain(told).collect()
    }
}

/// One user pool to migrate into.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool {
    /// The pool's id; `None` if `--pool` names it.
    pub id: Option<PoolId>,
    /// The pool's Region; `None` means the one that its id starts with.
    pub region: Option<String>,
    /// The app clients whose sign-ins must migrate; `None` means all of the pool's.
    pub clients: Option<Vec<String>>,
    /// The profile of the AWS configuration files that reaches the pool's account.
    pub profile: Option<String>,
    /// The role to assume there.
    pub role_arn: Option<String>,
    /// The complete file for this pool, with the overrides of `[pool.directory]`, `[pool.window]` and so on. It contains no pools
    /// itself.
    pub config: Option<Box<Config>>,
}

/// `[response]`: what Cognito gets about a migrated user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Response {
    /// The status of a user whose password was right.
    pub final_user_status: FinalUserStatus,
    /// Whether a password that fails the pool's policy makes the user choose a new one.
    pub enforce_password_policy: bool,
    /// Whether Cognito sends its welcome message.
    pub message_action: MessageAction,
    /// How the welcome message travels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub delivery_mediums: Vec<DeliveryMedium>,
    /// Whether an email or phone number that another user has as an alias moves to the migrated one.
    pub force_alias_creation: bool,
    /// Whether a migrated user with a phone number gets SMS as second factor, where the pool has it.
    pub enable_sms_mfa: bool,
    /// Who migrates by a forgotten password.
    #[serde(skip_serializing_if = "ForgotPassword::is_default")]
    pub forgot_password: ForgotPassword,
    /// How the name that was typed is read.
    pub username: Username,
}

/// Which users migrate by *forgot password*. A stranger can type a customer's address there: the customer is then in the pool and must set
/// a new password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ForgotPassword {
    /// Every user whose address the directory vouches for.
    #[default]
    Migrate,
    /// Users who have no password in the directory. Only a SQL table tells who that is.
    SsoOnly,
    /// No user.
    Off,
}

impl ForgotPassword {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `finalUserStatus` of the trigger's response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FinalUserStatus {
    /// The user goes on with the old password.
    #[default]
    Confirmed,
    /// The user must choose a new password at once.
    ResetRequired,
}

/// `messageAction` of the trigger's response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessageAction {
    /// No welcome message.
    #[default]
    Suppress,
    /// Cognito's welcome message.
    Send,
}

/// `desiredDeliveryMediums` of the trigger's response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryMedium {
    /// By email.
    Email,
    /// By text message.
    Sms,
}

/// How the user name that was typed reaches the directory and the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Username {
    /// Trimmed and in lower case.
    #[default]
    Lowercase,
    /// Exactly as typed.
    AsTyped,
}

/// `[triggers]`: which triggers of the pool call the function besides the migration. They stay on after the window's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Triggers {
    /// The pre sign-up trigger. With `kind = "jane"` Jane learns the Cognito user name of each user who migrates, and decides who may
    /// sign up; with another kind an address that the directory knows cannot sign up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pre_sign_up: bool,
    /// The post confirmation trigger: Jane creates an account for each new user. For `kind = "jane"` alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub post_confirmation: bool,
    /// What happens to a user who migrates while Jane cannot be told. For `kind = "jane"` alone.
    #[serde(skip_serializing_if = "Connect::is_default")]
    pub connect: Connect,
}

/// What happens to a user who migrates while Jane cannot be told the user's Cognito user name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Connect {
    /// The sign-in fails and the user is not created: the next attempt tries both again.
    #[default]
    Required,
    /// The user migrates without a connection.
    BestEffort,
}

impl Connect {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// CloudWatch's choice of retentions, in days.
pub const RETENTIONS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// `[function]`: how the Lambda function is set up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Function {
    /// The processor the handler is built for.
    pub architecture: Architecture,
    /// Memory, and with it the share of a processor.
    #[cfg_attr(feature = "schema", schemars(range(min = 128, max = 10_240)))]
    pub memory_mb: u32,
    /// How long CloudWatch keeps the function's log. Without it: the window and a month; 400 days where the window has no end.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = RETENTIONS)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_retention_days: Option<u32>,
    /// The most sign-ins handled at the same time. Without it: the account's limit.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100_000)))]
    pub reserved_concurrency: Option<u32>,
    /// The KMS key that encrypts the function's environment. Without it: AWS's own.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^arn:aws[a-z-]*:kms:[a-z0-9-]*:[0-9]{12}:key/[^ *?]+$"))
    )]
    pub kms_key_arn: Option<String>,
    /// The KMS key that encrypts the function's log. Without it: AWS's own.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^arn:aws[a-z-]*:kms:[a-z0-9-]*:[0-9]{12}:key/[^ *?]+$"))
    )]
    pub log_kms_key_arn: Option<String>,
    /// The profile of AWS Signer with which the zips of `--artifact` are signed.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(
            pattern = r"^arn:aws[a-z-]*:signer:[a-z0-9-]*:[0-9]{12}:/signing-profiles/[^ *?]+$"
        ))
    )]
    pub signing_profile: Option<String>,
    /// What the names of function, role and log group begin with.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,26}$"))
    )]
    pub name_prefix: Option<String>,
    /// The policy that bounds what the execution role may do.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[^ *?]+$"))
    )]
    pub permissions_boundary: Option<String>,
    /// The path of the execution role in IAM. Without it: `/`.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^/([!-.0-~]+/)*$"), length(max = 512))
    )]
    pub role_path: Option<String>,
    /// An existing role for the function to run as, which is never changed. Without it: a role is made.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[^ *?]+$"))
    )]
    pub role_arn: Option<String>,
    /// A function that another tool made from the zip of `jane-migrate build`, or an alias or version of it. Nothing of it is
    /// changed. Without it: a function is made.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(
            pattern = r"^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_-]{1,128})?$"
        ))
    )]
    pub arn: Option<String>,
    /// The digest of the zip that the function of `arn` is to have, as `jane-migrate build` prints it.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Za-z0-9+/]{43}=$")))]
    pub code_sha256: Option<String>,
    /// Whether the function speaks with AWS's FIPS endpoints.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fips: bool,
    /// The network the function runs in. Without it: the internet.
    pub vpc: Option<Vpc>,
    /// Tags besides those the tool sets itself.
    #[cfg_attr(
        feature = "schema",
        schemars(extend(
            "propertyNames" = {"minLength": 1, "maxLength": 128, "pattern": r"^[\p{L}\p{Z}\p{N}_.:/=+@-]*$", "not": {"pattern": "^([Aa][Ww][Ss]:|[Jj][Aa][Nn][Ee]-[Mm][Ii][Gg][Rr][Aa][Tt][Ee])"}},
            "additionalProperties" = {"type": "string", "maxLength": 256, "pattern": r"^[\p{L}\p{Z}\p{N}_.:/=+@-]*$"}
        ))
    )]
    pub tags: BTreeMap<String, String>,
}

impl Default for Function {
    fn default() -> Self {
        Self {
            architecture: Architecture::X86_64,
            memory_mb: 256,
            log_retention_days: None,
            reserved_concurrency: None,
            kms_key_arn: None,
            log_kms_key_arn: None,
            signing_profile: None,
            name_prefix: None,
            permissions_boundary: None,
            role_path: None,
            role_arn: None,
            arn: None,
            code_sha256: None,
            fips: false,
            vpc: None,
            tags: BTreeMap::new(),
        }
    }
}

/// A processor architecture, by Lambda's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Architecture {
    /// Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
    /// Graviton.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    /// The name in Lambda.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// The network the function runs in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Vpc {
    /// Subnet ids, 1 to 16.
    #[cfg_attr(
        feature = "schema",
        schemars(
            length(min = 1, max = 16),
            inner(regex(pattern = "^subnet-[0-9A-Za-z]+$"))
        )
    )]
    pub subnets: Vec<String>,
    /// Security group ids, 1 to 5.
    #[cfg_attr(
        feature = "schema",
        schemars(length(min = 1, max = 5), inner(regex(pattern = "^sg-[0-9A-Za-z]+$")))
    )]
    pub security_groups: Vec<String>,
}

/// `[alarms]`: the alarms when the migration breaks. Without a topic there are no alarms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Alarms {
    /// The ARN of the SNS topic that gets the alarms.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^arn:aws[a-z-]*:sns:[a-z0-9-]*:[0-9]{12}:[^ *?]+$"))
    )]
    pub topic: Option<String>,
    /// How slow one in a hundred sign-ins may be, in milliseconds. Cognito gives up after 5000.
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 5000)))]
    pub p99_ms: u32,
    /// How much of the account's concurrent executions all of its functions may use together, in percent.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub concurrency_percent: u32,
}

impl Default for Alarms {
    fn default() -> Self {
        Self {
            topic: None,
            p99_ms: 4000,
            concurrency_percent: 90,
        }
    }
}

/// `[window]`: how long the migration lasts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Window {
    /// The last day (UTC) on which users are migrated. Without it the window stays open.
    pub closes: Option<Date>,
    /// How many users there are to migrate, so that progress has a 100 %.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub total_users: Option<u64>,
    /// The percentage of user names that migrate, always the same ones; the others get the answer for an unknown user. Without it: all.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub share: Option<u8>,
}

/// `[verify]`: which findings are accepted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Verify {
    /// Findings that are accepted: id of the check = why.
    #[cfg_attr(
        feature = "schema",
        schemars(
            extend("additionalProperties" = {"type": "string", "pattern": r"\S"}),
            extend("propertyNames" = {"pattern": "^[a-z0-9-]+$"})
        )
    )]
    pub accept: BTreeMap<String, String>,
}

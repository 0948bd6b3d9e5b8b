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
    /// `[attributes]`: Cognito attribute = the source of its value (see [`Source`](crate::Source)), including the default
    /// mapping of the kind of directory.
    pub attributes: BTreeMap<String, String>,
    /// `[response]`: the function's response to Cognito for a migrated user.
    pub response: Response,
    /// `[triggers]`: what the function does at sign-ups.
    pub triggers: Triggers,
    /// `[on_migrated]`: the notification that a user has migrated.
    pub on_migrated: Option<OnMigrated>,
    /// `[function]`: the settings of the Lambda function.
    pub function: Function,
    /// `[alarms]`: the alarms when the migration breaks.
    pub alarms: Alarms,
    /// `[window]`: the time of the migration.
    pub window: Window,
    /// `[verify]`: accepted findings.
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

/// `[response]`: the function's response to Cognito for a migrated user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Response {
    /// The status of a user who migrates at sign-in.
    pub final_user_status: FinalUserStatus,
    /// Whether a user whose password does not fit the pool's policy must set a new one.
    pub enforce_password_policy: bool,
    /// Whether Cognito sends its welcome message.
    pub message_action: MessageAction,
    /// The medium of the welcome message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub delivery_mediums: Vec<DeliveryMedium>,
    /// Whether an email address or phone number that is another user's alias moves to the migrated user.
    pub force_alias_creation: bool,
    /// Whether a migrated user with a phone number gets SMS as second factor, if the pool has it.
    pub enable_sms_mfa: bool,
    /// Which users migrate by *forgot password*.
    #[serde(skip_serializing_if = "ForgotPassword::is_default")]
    pub forgot_password: ForgotPassword,
    /// How the function reads the user name that a customer types.
    pub username: Username,
}

/// Which users migrate by *forgot password*. A stranger can type a customer's address there: the customer is then in the pool and must set
/// a new password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ForgotPassword {
    /// Every user whose address the directory has verified.
    #[default]
    Migrate,
    /// Users without a password in the directory. Only a SQL table shows that.
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
    /// The user keeps the old password.
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

/// How the function passes a typed user name on to the directory and the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Username {
    /// Trimmed and in lower case.
    #[default]
    Lowercase,
    /// As typed.
    AsTyped,
}

/// `[triggers]`: further triggers of the pool that call the function. They stay on after the end of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Triggers {
    /// The pre sign-up trigger. With `kind = "jane"`, Jane gets the Cognito user name of each user who migrates, and decides
    /// about sign-ups. With another kind, an address that the directory has cannot sign up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pre_sign_up: bool,
    /// The post confirmation trigger: Jane creates an account for each new user. Only for `kind = "jane"`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub post_confirmation: bool,
    /// What happens if a user migrates and Jane cannot be notified. Only for `kind = "jane"`.
    #[serde(skip_serializing_if = "Connect::is_default")]
    pub connect: Connect,
}

/// What happens if a user migrates and Jane cannot be given the user's Cognito user name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Connect {
    /// The sign-in fails and the user is not created. The next attempt tries both again.
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

/// `[function]`: the settings of the Lambda function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Function {
    /// The processor of the function.
    pub architecture: Architecture,
    /// The function's memory in MB. Its share of a processor is proportional.
    #[cfg_attr(feature = "schema", schemars(range(min = 128, max = 10_240)))]
    pub memory_mb: u32,
    /// The retention of the function's log, in days. Default: the window and a month, or 400 if the window has no end.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = RETENTIONS)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_retention_days: Option<u32>,
    /// The maximum number of sign-ins at the same time. Default: the account's limit.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100_000)))]
    pub reserved_concurrency: Option<u32>,
    /// The KMS key that encrypts the function's environment. Default: a key of AWS.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^arn:aws[a-z-]*:kms:[a-z0-9-]*:[0-9]{12}:key/[^ *?]+$"))
    )]
    pub kms_key_arn: Option<String>,
    /// The KMS key that encrypts the function's log. Default: a key of AWS.
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
    /// The beginning of the names of function, role and log group.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,26}$"))
    )]
    pub name_prefix: Option<String>,
    /// The ARN of the permissions boundary of the execution role.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[^ *?]+$"))
    )]
    pub permissions_boundary: Option<String>,
    /// The path of the execution role in IAM. Default: `/`.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^/([!-.0-~]+/)*$"), length(max = 512))
    )]
    pub role_path: Option<String>,
    /// The ARN of an existing role for the function. Deploy does not change it. Default: deploy creates a role.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[^ *?]+$"))
    )]
    pub role_arn: Option<String>,
    /// A function that another tool creates from the zip of `jane-migrate build`, or an alias or version of it. Deploy does not
    /// change it. Default: deploy creates a function.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(
            pattern = r"^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_-]{1,128})?$"
        ))
    )]
    pub arn: Option<String>,
    /// The required digest of the zip behind `arn`, as `jane-migrate build` prints it.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Za-z0-9+/]{43}=$")))]
    pub code_sha256: Option<String>,
    /// Whether the function uses AWS's FIPS endpoints.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fips: bool,
    /// The VPC of the function. Default: none; the function reaches the internet.
    pub vpc: Option<Vpc>,
    /// Further tags of function, role and log group.
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

/// The VPC of the function.
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

/// `[alarms]`: alarms for an error of the migration. Without a topic there are none.
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
    /// The alarm's threshold for the 99th percentile of the function's time, in milliseconds. Cognito's timeout is 5000.
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 5000)))]
    pub p99_ms: u32,
    /// The alarm's threshold for the account's concurrent executions, of all its functions, in percent of the limit.
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

/// `[window]`: the time of the migration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Window {
    /// The last day (UTC) on which users migrate. Default: no end.
    pub closes: Option<Date>,
    /// The number of users to migrate: 100 % of the progress.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub total_users: Option<u64>,
    /// The percentage of user names that migrate, always the same ones. The others get the response for an unknown user. Default:
    /// all.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub share: Option<u8>,
}

/// `[verify]`: accepted findings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Verify {
    /// Accepted findings: the id of the check = the reason.
    #[cfg_attr(
        feature = "schema",
        schemars(
            extend("additionalProperties" = {"type": "string", "pattern": r"\S"}),
            extend("propertyNames" = {"pattern": "^[a-z0-9-]+$"})
        )
    )]
    pub accept: BTreeMap<String, String>,
}

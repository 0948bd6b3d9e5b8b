//! The resources of a deploy, one struct each, the same for desired and observed state, so that the plan can compare them field
//! by field. `document` has the pool and its clients, `permission` the function's policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jane_migrate_config::{
    Architecture, Config, Directory, FIPS_VARIABLE, HandlerSettings, OldPool, OnMigrated,
    SETTINGS_VARIABLE, Secret, Vpc, partition,
};
use serde_json::{Value, json};

use crate::aws_error::AwsError;
use crate::ids::{Names, PoolArn, ROLE_POLICY};

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// The tags that mark our resources and record deploy's changes. Any machine with credentials can verify or tear down with these
/// alone. Values only have letters, digits, spaces and `_ . : / = + - @`, all that every service allows.
pub mod tag {
    /// ARN of the pool this belongs to; on the function, the role and the log group. A resource without it is not ours.
    pub const POOL: &str = "jane-migrate:pool";
    /// Version of the tool that last deployed.
    pub const VERSION: &str = "jane-migrate:version";
    /// Digest of the handler's sources.
    pub const SOURCE: &str = "jane-migrate:source";
    /// `CodeSha256` of the code as deployed.
    pub const CODE: &str = "jane-migrate:code";
    /// The same of the previous code, which customers use until the alias moves, and again after a rollback.
    pub const CODE_BEFORE: &str = "jane-migrate:code-before";
    /// The user migration trigger that deploy replaced; teardown puts it back.
    pub const REPLACED_TRIGGER: &str = "jane-migrate:replaced-trigger";
    /// The pre sign-up trigger that deploy replaced.
    pub const REPLACED_PRE_SIGN_UP: &str = "jane-migrate:replaced-pre-sign-up";
    /// The post confirmation trigger that deploy replaced.
    pub const REPLACED_POST_CONFIRMATION: &str = "jane-migrate:replaced-post-confirmation";
    /// The clients whose sign-in flows deploy changed: `ID=RECORD ID=RECORD ...`, under this key and every longer one.
    pub const OPENED_CLIENTS: &str = "jane-migrate:opened-clients";
    /// On the role: the lease, if there is no alias.
    pub const LEASE: &str = "jane-migrate:lease";
    /// There are alarms, so a teardown looks for them.
    pub const ALARMS: &str = "jane-migrate:alarms";
    /// SHA-256 of the snapshot taken before the first change.
    pub const SNAPSHOT: &str = "jane-migrate:snapshot";
}

/// CloudWatch's log group of the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// `/aws/lambda/FUNCTION`.
    pub name: String,
    /// Days that events are kept; `None`: forever.
    pub retention_days: Option<u32>,
    /// The key that encrypts it, if it is not CloudWatch's own.
    pub kms_key_arn: Option<String>,
    /// When it was created, in milliseconds since 1970: only of a log group that was read.
    pub created_ms: Option<i64>,
    /// Its tags.
    pub tags: Tags,
}

/// The execution role.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// Its name, the same as the function's.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its trust policy.
    pub trust: Value,
    /// Inline policies by name.
    pub policies: BTreeMap<String, Value>,
    /// ARNs of attached managed policies. Deploy attaches none.
    pub attached: Vec<String>,
    /// ARN of the permissions boundary; `None` in a desired role: any existing one stays.
    pub boundary: Option<String>,
    /// Its id in IAM, which no other role ever gets: only of a role that was read.
    pub id: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Role {
    /// Whether Lambda deletes network interfaces with its permissions: without them an interface stays, and keeps the security
    /// group.
    pub fn keeps_interfaces(&self) -> bool {
        let statements = self.policies.values().map(|policy| &policy["Statement"]);
        let listed = statements.filter_map(Value::as_array).flatten();
        listed.map(|statement| &statement["Action"]).any(|actions| {
            let one = actions == "ec2:DeleteNetworkInterface";
            let many = actions.as_array().into_iter().flatten();
            one || many
                .into_iter()
                .any(|it| it == "ec2:DeleteNetworkInterface")
        })
    }
}

/// The value of an environment variable. It may be a secret, so it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvValue(String);

impl EnvValue {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one call that sends it and for checks that must read it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// The function's environment.
pub type Environment = BTreeMap<String, EnvValue>;

/// The Lambda function.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// `provided.al2023`.
    pub runtime: String,
    /// `bootstrap`.
    pub handler: String,
    /// Its processor architecture.
    pub architecture: Architecture,
    /// Memory in MB, which also sets the share of a core.
    pub memory_mb: u32,
    /// Seconds until Lambda ends an invocation.
    pub timeout_s: u32,
    /// ARN of the execution role.
    pub role_arn: String,
    /// The id of that role, from the function's description: another role with the same name cannot decrypt the environment.
    pub role_id: Option<String>,
    /// Environment variables.
    pub environment: Environment,
    /// The key that encrypts the environment, if it is not Lambda's own.
    pub kms_key_arn: Option<String>,
    /// Subnets and security groups, if it runs in a VPC.
    pub vpc: Option<Vpc>,
    /// ARNs of layers. Deploy uses none.
    pub layers: Vec<String>,
    /// Executions reserved for it; `None`: the account's common pool.
    pub reserved_concurrency: Option<u32>,
    /// Its tags.
    pub tags: Tags,
}

/// The function, as read from Lambda.
#[derive(Debug, Clone)]
pub struct ObservedFunction {
    /// Its settings.
    pub function: Function,
    /// `CodeSha256`: base64 of the SHA-256 of the zip.
    pub code_sha256: String,
    /// Guards updates: it changes with the function.
    pub revision: Option<String>,
    /// Whether it can be invoked, or why not.
    pub state: FunctionState,
    /// The application log level of its logging configuration.
    pub log_level: Option<String>,
    /// The log group in its logging configuration, if there is one.
    pub log_group: Option<String>,
    /// Where failed asynchronous events go; ours are never queued, so there is no such place.
    pub dead_letters: Option<String>,
    /// Whether X-Ray traces it.
    pub traced: bool,
    /// Whether Lambda keeps each invocation's event for a replay.
    pub durable: bool,
    /// Why its tags are unknown, if Lambda did not return them.
    pub tags_unread: Option<AwsError>,
}

impl ObservedFunction {
    /// The observed form of a function just created with these settings.
    pub fn fresh(function: Function) -> Self {
        Self {
            function,
            code_sha256: String::new(),
            revision: None,
            state: FunctionState::Ready,
            log_level: None,
            log_group: None,
            dead_letters: None,
            traced: false,
            durable: false,
            tags_unread: None,
        }
    }
}

/// The function's description: its purpose, and the id of the role under which its environment was encrypted.
pub fn description(pool: &PoolArn, role_id: Option<&str>) -> String {
    let what = format!("User migration for the Cognito user pool {}", pool.id);
    match role_id {
        Some(id) => format!("{what} (role {id})"),
        None => what,
    }
}

/// The id of the role in a description.
pub fn role_id(description: &str) -> Option<&str> {
    let (_, id) = description.strip_suffix(')')?.rsplit_once("(role ")?;
    Some(id).filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// A function's state in Lambda.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionState {
    /// Active, and the last update succeeded.
    Ready,
    /// Inactive for so long that Lambda released its resources: the next invocation fails and restarts it. It accepts updates.
    Inactive,
    /// Pending, or an update in progress.
    Settling(String),
    /// Failed, with Lambda's reason.
    Failed(String),
}

/// Everything that should exist, except the pool's trigger and its clients' flows.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The log group.
    pub log_group: LogGroup,
    /// The execution role.
    pub role: Role,
    /// The function.
    pub function: Function,
}

/// Cognito's timeout for a trigger, which is fixed.
pub const TRIGGER_TIMEOUT_S: u32 = 5;

/// The only runtime for a native handler that Lambda still offers.
pub const RUNTIME: &str = "provided.al2023";

impl Desired {
    /// The state that the configuration asks for. `source` is the digest of the handler's sources; `secrets` are the values of
    /// the configuration's `{ env = NAME }` secrets.
    pub fn new(
        names: &Names,
        config: &Config,
        settings: &HandlerSettings,
        source: &str,
        secrets: Environment,
    ) -> Self {
        let ours = |more: &[(&str, &str)]| -> Tags {
            let mut tags = ours(names, config);
            tags.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
            tags
        };
        let mut environment = secrets;
        environment.insert(SETTINGS_VARIABLE.into(), EnvValue::new(settings.to_json()));
        if config.function.fips {
            environment.insert(FIPS_VARIABLE.into(), EnvValue::new("true"));
        }
        let mut function_tags = ours(&[
            (tag::SOURCE, source),
            (tag::VERSION, env!("CARGO_PKG_VERSION")),
        ]);
        if config.alarms.topic.is_some() {
            function_tags.insert(tag::ALARMS.into(), "on".into());
        }
        Self {
            log_group: LogGroup {
                name: names.log_group.clone(),
                // The default depends on the window and on the existing log group.
                retention_days: config.function.log_retention_days,
                kms_key_arn: config.function.log_kms_key_arn.clone(),
                created_ms: None,
                tags: ours(&[]),
            },
            role: Role {
                name: names.role.clone(),
                path: names.role_path.clone(),
                trust: trust_policy(),
                policies: BTreeMap::from([(ROLE_POLICY.into(), role_policy(names, config))]),
                attached: Vec::new(),
                boundary: config.function.permissions_boundary.clone(),
                id: None,
                tags: ours(&[]),
            },
            function: Function {
                name: names.function.clone(),
                runtime: RUNTIME.into(),
                handler: "bootstrap".into(),
                architecture: config.function.architecture,
                memory_mb: config.function.memory_mb,
                timeout_s: TRIGGER_TIMEOUT_S,
                role_arn: names.role_arn.clone(),
                role_id: None,
                environment,
                kms_key_arn: config.function.kms_key_arn.clone(),
                vpc: config.function.vpc.clone(),
                layers: Vec::new(),
                reserved_concurrency: config.function.reserved_concurrency,
                tags: function_tags,
            },
        }
    }
}

/// The tags of all our resources.
pub fn ours(names: &Names, config: &Config) -> Tags {
    let mut tags: Tags = config.function.tags.clone();
    tags.insert(tag::POOL.into(), names.pool.to_string());
    tags
}

/// Only Lambda may assume the role.
pub fn trust_policy() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "lambda.amazonaws.com" },
            "Action": "sts:AssumeRole"
        }]
    })
}

/// Least privilege: the streams of its own log group, the configured secrets, what the post confirmation trigger writes to new
/// users, and in a VPC the network interfaces.
pub fn role_policy(names: &Names, config: &Config) -> Value {
    let mut statements = vec![json!({
        "Sid": "WriteOwnLogs",
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": format!("{}:*", names.log_group_arn),
    })];
    let mut told = BTreeSet::new();
    for (member, secret) in config.secrets() {
        let Some(access) = SecretAccess::of(&names.pool, secret) else {
            continue;
        };
        let member = member.strip_prefix("directory.").unwrap_or(&member);
        let member = statement_name(member, &mut told);
        statements.push(json!({
            "Sid": format!("Read{member}"),
            "Effect": "Allow",
            "Action": access.action,
            "Resource": access.arn,
        }));
        if let Some(key) = access.kms_key {
            statements.push(json!({
                "Sid": format!("Decrypt{member}"),
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": key,
                "Condition": {
                    "StringEquals": { "kms:ViaService": access.via_service },
                },
            }));
        }
    }
    if let Directory::Cognito(old) = &config.directory {
        let old_pool = old_pool_arn(&names.pool, old);
        // An old pool of another account is read with that account's role, so the only permission needed is to assume it.
        let (action, resource) = match &old.role_arn {
            Some(role) => (json!("sts:AssumeRole"), role.clone()),
            None => (
                json!(["cognito-idp:AdminInitiateAuth", "cognito-idp:AdminGetUser"]),
                old_pool.to_string(),
            ),
        };
        statements.push(json!({
            "Sid": "AskOldPool",
            "Effect": "Allow",
            "Action": action,
            "Resource": resource,
        }));
    }
    if config.triggers.post_confirmation {
        statements.push(json!({
            "Sid": "UpdateNewUsers",
            "Effect": "Allow",
            "Action": "cognito-idp:AdminUpdateUserAttributes",
            "Resource": names.pool.to_string(),
        }));
    }
    if let Some(told) = &config.on_migrated {
        statements.extend(tell_policy(told));
    }
    if config.function.vpc.is_some() {
        // Lambda creates the interfaces with the function's role before any subnet or interface can be named.
        statements.push(json!({
            "Sid": "UseVpc",
            "Effect": "Allow",
            "Action": [
                "ec2:AssignPrivateIpAddresses",
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:UnassignPrivateIpAddresses"
            ],
            "Resource": "*",
        }));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The ARN of an old pool in the pool's own account.
pub fn old_pool_arn(pool: &PoolArn, old: &OldPool) -> PoolArn {
    PoolArn {
        region: old.region.clone(),
        id: old.pool_id.clone(),
        ..pool.clone()
    }
}

/// The permissions to send what `[on_migrated]` asks for: to that queue or bus only.
fn tell_policy(told: &OnMigrated) -> Vec<Value> {
    let mut statements = Vec::new();
    if let Some(queue) = &told.queue {
        statements.push(json!({
            "Sid": "TellQueue",
            "Effect": "Allow",
            "Action": "sqs:SendMessage",
            "Resource": queue.to_string(),
        }));
        if let Some(key) = &told.kms_key {
            let via_service = partition::host("sqs", &queue.region, false, false);
            statements.push(json!({
                "Sid": "EncryptForQueue",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": key,
                "Condition": {
                    "StringEquals": { "kms:ViaService": via_service },
                },
            }));
        }
    }
    if let Some(bus) = &told.event_bus {
        statements.push(json!({
            "Sid": "TellEventBus",
            "Effect": "Allow",
            "Action": "events:PutEvents",
            "Resource": bus.to_string(),
        }));
    }
    statements
}

/// The permissions to read a secret from a service.
#[derive(Debug)]
pub struct SecretAccess {
    /// The IAM action that reads it.
    pub action: &'static str,
    /// Its resource.
    pub arn: String,
    /// The key that encrypts it, if it is not the service's own.
    pub kms_key: Option<String>,
    /// The service that decrypts it on behalf of the reader.
    pub via_service: String,
}

impl SecretAccess {
    /// None for a secret in an environment variable.
    pub fn of(pool: &PoolArn, secret: &Secret) -> Option<Self> {
        let (action, arn, kms_key) = match secret {
            Secret::SecretsManager { arn, kms_key, .. } => {
                ("secretsmanager:GetSecretValue", arn.clone(), kms_key)
            }
            Secret::Ssm { name, kms_key } => {
                let name = name.trim_start_matches('/');
                let parameter = pool.sibling("ssm", format_args!("parameter/{name}"));
                ("ssm:GetParameter", parameter, kms_key)
            }
            Secret::Env(_) => return None,
        };
        Some(Self {
            action,
            via_service: partition::host(&arn.service, &arn.region, false, false),
            arn: arn.to_string(),
            kms_key: kms_key.clone(),
        })
    }
}

/// A statement id may only contain letters and digits, and must be unique in its policy: an id that is already in `told` gets a
/// number.
fn statement_name(member: &str, told: &mut BTreeSet<String>) -> String {
    let name: String = member
        .split(|c: char| !c.is_ascii_alphanumeric())
        .flat_map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
        })
        .collect();
    let numbered = (2..).map(|n| format!("{name}{n}"));
    let mut free = std::iter::once(name.clone())
        .chain(numbered)
        .filter(|name| !told.contains(name));
    let free = free.next().unwrap_or_default();
    told.insert(free.clone());
    free
}

/// Whether these tags mark a resource that deploy created for this pool.
pub fn is_ours(tags: &Tags, pool: &PoolArn) -> bool {
    tags.get(tag::POOL) == Some(&pool.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_may_send_to_the_queue_or_the_bus_of_the_configuration_only() {
        let statements = |more: &str| {
            let toml = format!(
                "[directory]\nkind = 'jane'\nclient_id = 'c'\nclient_secret = {{ env = 'SECRET' }}\n[on_migrated]\n{more}\n"
            );
            let config = jane_migrate_config::parse(&toml, "migrate.toml").unwrap();
            let pool = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_New1";
            let policy = role_policy(&Names::new(pool.parse().unwrap()), &config);
            policy["Statement"].as_array().unwrap()[1..].to_vec()
        };
        let queue = "arn:aws:sqs:eu-west-1:123456789012:migrated";
        let key = "arn:aws:kms:eu-west-1:123456789012:key/1234";
        let bus = "arn:aws:events:us-east-1:123456789012:event-bus/default";
        let queued = statements(&format!("queue = '{queue}'\nkms_key = '{key}'"));
        assert_eq!(queued.len(), 2);
        assert_eq!(queued[0]["Action"], "sqs:SendMessage");
        assert_eq!(queued[0]["Resource"], queue);
        assert_eq!(queued[1]["Resource"], key);
        let via = &queued[1]["Condition"]["StringEquals"]["kms:ViaService"];
        assert_eq!(via, "sqs.eu-west-1.amazonaws.com");
        let sent = statements(&format!("event_bus = '{bus}'"));
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0]["Action"], "events:PutEvents");
        assert_eq!(sent[0]["Resource"], bus);
    }

    #[test]
    fn a_role_that_may_delete_network_interfaces_keeps_them() {
        let pool = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_New1";
        let names = Names::new(pool.parse().unwrap());
        for (actions, keeps) in [
            (json!("ec2:DeleteNetworkInterface"), true),
            (
                json!(["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"]),
                true,
            ),
            (json!(["ec2:CreateNetworkInterface"]), false),
            (json!("logs:PutLogEvents"), false),
        ] {
            let policy = json!({ "Statement": [{ "Effect": "Allow", "Action": actions }] });
            let role = Role {
                name: names.role.clone(),
                path: "/".into(),
                trust: Value::Null,
                policies: [("p".to_owned(), policy)].into(),
                attached: Vec::new(),
                boundary: None,
                id: None,
                tags: Tags::new(),
            };
            assert_eq!(role.keeps_interfaces(), keeps, "{actions}");
        }
    }

    #[test]
    fn the_role_allows_only_reads_of_the_old_pool_in_cognito() {
        for region in ["us-east-1", "eu-west-1"] {
            let old = format!(
                "[directory]\nkind = 'cognito'\npool_id = '{region}_Old1'\nclient_id = '1example23456789'\n"
            );
            let config = jane_migrate_config::parse(&old, "migrate.toml").unwrap();
            let pool = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_New1";
            let policy = role_policy(&Names::new(pool.parse().unwrap()), &config);
            assert_eq!(
                policy["Statement"][1]["Resource"],
                format!("arn:aws:cognito-idp:{region}:123456789012:userpool/{region}_Old1")
            );
            assert_eq!(
                policy["Statement"][1]["Action"],
                json!(["cognito-idp:AdminInitiateAuth", "cognito-idp:AdminGetUser"])
            );
            assert_eq!(policy["Statement"].as_array().unwrap().len(), 2);
        }
    }

    #[test]
    fn the_role_may_decrypt_with_a_configured_key_only_through_its_service() {
        let key = |region: &str| format!("arn:aws:kms:{region}:123456789012:key/1234");
        let statements = |secret: &str| {
            let toml = format!(
                "[directory]\nkind = 'jane'\nclient_id = 'c'\nclient_secret = {{ {secret} }}\n"
            );
            let config = jane_migrate_config::parse(&toml, "migrate.toml").unwrap();
            let pool = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_New1";
            role_policy(&Names::new(pool.parse().unwrap()), &config)["Statement"].clone()
        };
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:jane-AbCdEf";
        for (secret, service, region) in [
            (
                format!("secretsmanager = '{arn}'"),
                "secretsmanager",
                "eu-west-1",
            ),
            ("ssm = '/jane'".to_owned(), "ssm", "us-east-1"),
        ] {
            let key = key(region);
            assert_eq!(statements(&secret).as_array().unwrap().len(), 2);
            let with_key = statements(&format!("{secret}, kms_key = '{key}'"));
            let expected = json!({
                "Sid": "DecryptClientSecret",
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": key,
                "Condition": { "StringEquals": { "kms:ViaService": format!("{service}.{region}.amazonaws.com") } },
            });
            assert_eq!(with_key[2], expected);
        }
    }

    #[test]
    fn fips_is_configured_with_the_variable_of_every_aws_tool() {
        let environment = |fips: bool| {
            let toml = format!(
                "[directory]\nkind = 'jane'\nclient_id = 'c'\nclient_secret = {{ ssm = '/jane' }}\n[function]\nfips = {fips}\n"
            );
            let config = jane_migrate_config::parse(&toml, "migrate.toml").unwrap();
            let pool = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_New1";
            let names = Names::new(pool.parse().unwrap());
            let settings = HandlerSettings::new(&config, &Default::default());
            let desired = Desired::new(&names, &config, &settings, "s", Environment::new());
            desired.function.environment
        };
        assert_eq!(environment(true)[FIPS_VARIABLE].expose(), "true");
        assert!(!environment(false).contains_key(FIPS_VARIABLE));
    }

    #[test]
    fn no_two_statements_have_the_same_id() {
        let mut told = BTreeSet::new();
        let members = [
            "secrets.a-b",
            "secrets.a_b",
            "secrets.aB",
            "secrets.aB2",
            "secrets.é",
        ];
        let names = members.map(|member| statement_name(member, &mut told));
        assert_eq!(
            names,
            [
                "SecretsAB",
                "SecretsAB2",
                "SecretsAB3",
                "SecretsAB22",
                "Secrets"
            ]
        );
    }

    #[test]
    fn a_description_contains_the_roles_id() {
        let pool = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";
        let pool: PoolArn = pool.parse().unwrap();
        let told = description(&pool, Some("AROAEXAMPLE1"));
        assert_eq!(role_id(&told), Some("AROAEXAMPLE1"));
        assert_eq!(role_id(&description(&pool, None)), None);
        for odd in ["", ")", "(role )", "(role a b)", "User migration"] {
            assert_eq!(role_id(odd), None, "{odd}");
        }
    }

    #[test]
    fn an_environment_value_cannot_be_printed() {
        assert_eq!(format!("{:?}", EnvValue::new("hunter2")), "****");
    }
}

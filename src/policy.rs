//! The least permissions to run a command: one table of IAM actions with their resources and the commands that make them, and the
//! policy documents that follow from it. Pure. An integration test compares the table with the calls of each command, in both
//! directions.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use jane_migrate_config::{Arn, Config, Directory, partition};
use serde::Serialize;
use serde_json::{Value, json};

use jane_migrate_core::document::PoolDocument;
use jane_migrate_core::ids::Names;
use jane_migrate_core::permission::COGNITO;
use jane_migrate_core::resources::{SecretAccess, old_pool_arn};
use jane_migrate_core::watch::alarm_names;

/// A command, or a flag of a command that needs more permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Duty {
    /// `plan`, which changes nothing.
    Plan,
    /// `deploy`, with the plan and the checks that are part of it.
    Deploy,
    /// `verify`, which changes nothing.
    Verify,
    /// `verify --probe`, which also invokes the function, so it can test passwords, and checks that no user was created.
    Probe,
    /// `status`.
    Status,
    /// `doctor`: what verify, a probe and status need together.
    Doctor,
    /// `try`, which can test passwords.
    Try,
    /// `connect`, which notifies Jane of each user.
    Connect,
    /// `remaining`, which reads the names of all users.
    Remaining,
    /// `import`, which creates users.
    Import,
    /// `rollback`.
    Rollback,
    /// `history`.
    History,
    /// `teardown`.
    Teardown,
}

use Duty::{
    Connect, Deploy, History, Import, Plan, Probe, Remaining, Rollback, Status, Teardown, Try,
    Verify,
};

impl Duty {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Deploy => "deploy",
            Self::Verify => "verify",
            Self::Probe => "probe",
            Self::Status => "status",
            Self::Doctor => "doctor",
            Self::Try => "try",
            Self::Connect => "connect",
            Self::Remaining => "remaining",
            Self::Import => "import",
            Self::Rollback => "rollback",
            Self::History => "history",
            Self::Teardown => "teardown",
        }
    }
}

/// The resource of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The user pool; app clients are part of it.
    Pool,
    /// The function.
    Function,
    /// The function, its aliases and its versions.
    Versions,
    /// The function, if deploy creates it.
    OwnFunction,
    /// The function, its aliases and its versions, if deploy creates them.
    OwnVersions,
    /// The same if another tool creates them.
    GivenVersions,
    /// The function, its aliases and its versions, when a principal gets the right to invoke them: Cognito only.
    VersionsToCognito,
    /// The execution role.
    Role,
    /// The execution role, if deploy creates it.
    OwnRole,
    /// The same, and the spare role that the function has while its own role is created again.
    Roles,
    /// These two roles when they are created or get a policy: with the configured permissions boundary only.
    RolesWithBoundary,
    /// The same, if the configuration names a boundary.
    BoundedRoles,
    /// What decides whether a deploy may start: the configured permissions boundary, and the policies attached to a given role.
    JudgedPolicies,
    /// The role with which Cognito writes the log of an import.
    ImportRole,
    /// The same when it is created or gets a policy: with the configured permissions boundary only.
    ImportRoleWithBoundary,
    /// That role, or the configured one, passed to Cognito.
    ImportRoleToCognito,
    /// The log of an import.
    ImportLog,
    /// The database password of `[import]` in Secrets Manager.
    ImportSecret,
    /// The same in the SSM parameter store.
    ImportParameter,
    /// The key that encrypts that password, if the configuration names it.
    ImportKey,
    /// The pool that the users leave, if it is the directory and of the same account.
    OldPool,
    /// The role that reads it, if it is another account's.
    OldPoolRole,
    /// The execution role, passed to Lambda and to no other service.
    RoleToLambda,
    /// The role with which the pool sends SMS, passed to Cognito again with the pool's settings.
    SmsRoleToCognito,
    /// The key of the pool's custom message senders.
    SenderKey,
    /// The log group.
    LogGroup,
    /// The log group whose lines an alarm counts. For another tool's function only if alarms are configured.
    CountedLogGroup,
    /// The log group, if deploy creates it.
    OwnLogGroup,
    /// The log group, if the configuration names a key for it.
    EncryptedLogGroup,
    /// All web ACLs of the Region: the pool's own is not known in advance.
    WebAcls,
    /// All code signing configurations: the function's own is not known in advance.
    CodeSigning,
    /// The alarms of the function.
    Alarms,
    /// The alarms of the Region, for listing.
    AllAlarms,
    /// The dashboard of the function; dashboards have no Region.
    Dashboard,
    /// The log groups of the Region: for listing by prefix, and for a query's results, whose request names no group.
    LogGroups,
    /// All managed policies: those that others attached to the execution role are not known in advance.
    ManagedPolicies,
    /// Resources without an ARN, and reads for the whole account: in the pool's Region.
    Account,
    /// The directory's secrets in Secrets Manager.
    Secrets,
    /// The directory's secrets in the SSM parameter store.
    Parameters,
    /// The keys that encrypt those secrets, if the configuration names them.
    SecretKeys,
    /// The key that encrypts the function's environment, if the configuration names one: used through Lambda only.
    FunctionKey,
    /// The same, if deploy creates the function.
    OwnFunctionKey,
    /// The network of the Region, if the configuration puts the function into a VPC.
    Network,
    /// The function, if the configuration puts it into a VPC.
    FunctionInVpc,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Grant {
    /// The IAM action.
    pub action: &'static str,
    /// Its resource.
    pub on: On,
    /// The duties that need it.
    pub duties: &'static [Duty],
    /// Why it is needed although the program never makes this call itself.
    pub implied: Option<&'static str>,
}

impl Grant {
    /// Whether the duty needs it.
    pub fn is_for(&self, duty: Duty) -> bool {
        match duty {
            Duty::Doctor => [Verify, Probe, Status]
                .iter()
                .any(|one| self.duties.contains(one)),
            duty => self.duties.contains(&duty),
        }
    }
}

/// The duties that read what `observe` reads.
const OBSERVE: &[Duty] = &[Plan, Deploy, Verify, Try, Teardown];
const LIVE: &[Duty] = &[Plan, Deploy, Verify, Try, Status, Teardown];
const FUNCTION: &[Duty] = &[Plan, Deploy, Verify, Try, Rollback, Teardown];
const TAGGED: &[Duty] = &[Plan, Deploy, Try, Teardown];
const CHANGE: &[Duty] = &[Deploy, Teardown];
const DEPLOY: &[Duty] = &[Deploy];
const TEARDOWN: &[Duty] = &[Teardown];
const CHECK: &[Duty] = &[Plan, Deploy, Verify];
const METRICS: &[Duty] = &[Plan, Deploy, Verify, Status];
const WATCHED: &[Duty] = &[Plan, Deploy, Verify, Teardown];
const SECRET: &[Duty] = &[Plan, Deploy, Verify, Try, Connect];
const LOG: &[Duty] = &[Status, Teardown];
const LISTED: &[Duty] = &[Plan, Deploy, Verify, Rollback, History];
const POOL: &[Duty] = &[Plan, Deploy, Verify, Try, Status, Rollback, Teardown];
const LISTS: &[Duty] = &[Remaining, Import];
const IMPORT: &[Duty] = &[Import];
const DESCRIBED: &[Duty] = &[
    Plan, Deploy, Verify, Try, Status, Remaining, Import, Rollback, Teardown, History,
];
const MFA: &[Duty] = &[Plan, Deploy, Verify, Try, Remaining, Import, Teardown];
const GROUP: &[Duty] = &[Plan, Deploy, Verify, Try, Status, Teardown];

const fn call(action: &'static str, on: On, duties: &'static [Duty]) -> Grant {
    Grant {
        action,
        on,
        duties,
        implied: None,
    }
}

const fn implied(
    action: &'static str,
    on: On,
    duties: &'static [Duty],
    because: &'static str,
) -> Grant {
    Grant {
        action,
        on,
        duties,
        implied: Some(because),
    }
}

/// Every action the program needs.
pub const GRANTS: &[Grant] = &[
    call("cognito-idp:DescribeUserPool", On::Pool, DESCRIBED),
    call("cognito-idp:GetUserPoolMfaConfig", On::Pool, MFA),
    call("cognito-idp:ListUserPoolClients", On::Pool, POOL),
    call("cognito-idp:DescribeUserPoolClient", On::Pool, OBSERVE),
    call("cognito-idp:ListPointInTimeRecoveries", On::Pool, POOL),
    call(
        "cognito-idp:ListUsers",
        On::Pool,
        &[Connect, Remaining, Import],
    ),
    call("cognito-idp:GetCSVHeader", On::Pool, IMPORT),
    call("cognito-idp:ListUserImportJobs", On::Pool, IMPORT),
    call("cognito-idp:CreateUserImportJob", On::Pool, IMPORT),
    call("cognito-idp:StartUserImportJob", On::Pool, IMPORT),
    call("cognito-idp:DescribeUserImportJob", On::Pool, IMPORT),
    call("iam:GetRole", On::ImportRole, &[Import, Teardown]),
    call("iam:CreateRole", On::ImportRoleWithBoundary, IMPORT),
    implied(
        "iam:TagRole",
        On::ImportRole,
        IMPORT,
        "IAM asks for it when a role is created with tags",
    ),
    call("iam:PutRolePolicy", On::ImportRoleWithBoundary, IMPORT),
    call("iam:DeleteRolePolicy", On::ImportRole, &[Import, Teardown]),
    call("iam:DeleteRole", On::ImportRole, &[Import, Teardown]),
    implied(
        "iam:PassRole",
        On::ImportRoleToCognito,
        IMPORT,
        "Cognito asks for it when a job is given the role for its log",
    ),
    call("logs:FilterLogEvents", On::ImportLog, IMPORT),
    implied(
        "secretsmanager:GetSecretValue",
        On::ImportSecret,
        LISTS,
        "the password of [import] may be kept there",
    ),
    implied(
        "ssm:GetParameter",
        On::ImportParameter,
        LISTS,
        "the password of [import] may be kept there",
    ),
    implied(
        "kms:Decrypt",
        On::ImportKey,
        LISTS,
        "the service that keeps the secret decrypts it in the reader's name",
    ),
    implied(
        "cognito-idp:ListUsers",
        On::OldPool,
        LISTS,
        "an old pool's users are listed there",
    ),
    implied(
        "cognito-idp:AdminInitiateAuth",
        On::OldPool,
        &[Try],
        "with --local the handler asks the old pool in the caller's name",
    ),
    implied(
        "cognito-idp:AdminGetUser",
        On::OldPool,
        &[Try],
        "with --local the handler asks the old pool in the caller's name",
    ),
    implied(
        "sts:AssumeRole",
        On::OldPoolRole,
        &[Try],
        "with --local the handler asks the old pool in the caller's name",
    ),
    call("cognito-idp:AdminGetUser", On::Pool, &[Probe, Try]),
    call("cognito-idp:UpdateUserPool", On::Pool, CHANGE),
    call("cognito-idp:UpdateUserPoolClient", On::Pool, CHANGE),
    call("lambda:GetFunction", On::Versions, POOL),
    implied(
        "lambda:ListTags",
        On::Function,
        POOL,
        "without it Lambda leaves the tags out of GetFunction's answer, and nothing is known to be ours",
    ),
    call(
        "lambda:GetPolicy",
        On::Versions,
        &[Plan, Deploy, Verify, Try, Status],
    ),
    call(
        "lambda:GetAlias",
        On::OwnVersions,
        &[Deploy, Try, Import, Rollback, Teardown],
    ),
    call("lambda:ListAliases", On::Function, CHECK),
    call("lambda:ListVersionsByFunction", On::Function, LISTED),
    call("lambda:ListEventSourceMappings", On::Account, CHECK),
    call("lambda:ListFunctionEventInvokeConfigs", On::Function, CHECK),
    call("lambda:ListFunctionUrlConfigs", On::Function, CHECK),
    call("lambda:GetFunctionCodeSigningConfig", On::Function, CHECK),
    call("lambda:GetCodeSigningConfig", On::CodeSigning, CHECK),
    call("lambda:GetRuntimeManagementConfig", On::Function, CHECK),
    call("wafv2:GetWebACLForResource", On::WebAcls, CHECK),
    call("wafv2:GetWebACLForResource", On::Pool, CHECK),
    implied(
        "cognito-idp:GetWebACLForResource",
        On::Pool,
        CHECK,
        "AWS WAF needs it to answer for a pool's web ACL",
    ),
    implied(
        "wafv2:GetWebACL",
        On::WebAcls,
        CHECK,
        "AWS WAF needs it to answer for a pool's web ACL",
    ),
    call("cloudtrail:LookupEvents", On::Account, &[History]),
    call("lambda:CreateFunction", On::OwnFunction, DEPLOY),
    call(
        "lambda:UpdateFunctionConfiguration",
        On::OwnFunction,
        DEPLOY,
    ),
    call("lambda:UpdateFunctionCode", On::OwnFunction, DEPLOY),
    call("lambda:PutFunctionConcurrency", On::OwnFunction, DEPLOY),
    call("lambda:DeleteFunctionConcurrency", On::OwnFunction, DEPLOY),
    call("lambda:TagResource", On::OwnFunction, CHANGE),
    call("lambda:UntagResource", On::OwnFunction, DEPLOY),
    call("lambda:PublishVersion", On::OwnFunction, DEPLOY),
    call("lambda:CreateAlias", On::OwnVersions, DEPLOY),
    call(
        "lambda:UpdateAlias",
        On::OwnVersions,
        &[Deploy, Import, Rollback, Teardown],
    ),
    call("lambda:AddPermission", On::VersionsToCognito, DEPLOY),
    call("lambda:RemovePermission", On::Versions, DEPLOY),
    call("lambda:RemovePermission", On::GivenVersions, TEARDOWN),
    call("lambda:GetPolicy", On::GivenVersions, TEARDOWN),
    call(
        "lambda:InvokeFunction",
        On::Versions,
        &[Deploy, Probe, Try, Rollback],
    ),
    call("lambda:DeleteFunction", On::OwnVersions, CHANGE),
    call(
        "lambda:UpdateFunctionConfiguration",
        On::FunctionInVpc,
        TEARDOWN,
    ),
    call("ec2:DescribeNetworkInterfaces", On::Network, CHANGE),
    call(
        "iam:GetRole",
        On::Role,
        &[Plan, Deploy, Verify, Try, Import, Rollback, Teardown],
    ),
    call("iam:ListRolePolicies", On::Role, OBSERVE),
    call("iam:GetRolePolicy", On::Role, FUNCTION),
    call("iam:ListAttachedRolePolicies", On::Role, OBSERVE),
    call("iam:GetPolicy", On::ManagedPolicies, &[Plan, Verify]),
    call("iam:GetPolicyVersion", On::ManagedPolicies, &[Plan, Verify]),
    call("iam:GetPolicy", On::JudgedPolicies, DEPLOY),
    call("iam:GetPolicyVersion", On::JudgedPolicies, DEPLOY),
    call("iam:CreateRole", On::RolesWithBoundary, DEPLOY),
    call("iam:PutRolePermissionsBoundary", On::BoundedRoles, DEPLOY),
    call("iam:TagRole", On::Roles, &[Deploy, Rollback, Teardown]),
    call(
        "iam:UpdateAssumeRolePolicy",
        On::OwnRole,
        &[Deploy, Rollback],
    ),
    call(
        "iam:PutRolePolicy",
        On::RolesWithBoundary,
        &[Deploy, Rollback],
    ),
    call("iam:DeleteRolePolicy", On::Roles, CHANGE),
    call("iam:DetachRolePolicy", On::OwnRole, CHANGE),
    call("iam:DeleteRole", On::Roles, CHANGE),
    implied(
        "iam:PassRole",
        On::RoleToLambda,
        DEPLOY,
        "Lambda asks for it whenever a function is given its role",
    ),
    implied(
        "iam:PassRole",
        On::SmsRoleToCognito,
        CHANGE,
        "Cognito asks for it whenever a pool with an SMS role is updated",
    ),
    implied(
        "kms:CreateGrant",
        On::SenderKey,
        CHANGE,
        "Cognito asks for it whenever a pool with message senders of its own is updated",
    ),
    call("logs:DescribeLogGroups", On::LogGroups, GROUP),
    call("logs:ListTagsForResource", On::LogGroup, TAGGED),
    call("logs:DescribeSubscriptionFilters", On::LogGroup, CHECK),
    call("logs:DescribeAccountPolicies", On::Account, CHECK),
    call("cloudwatch:GetMetricData", On::Account, METRICS),
    call("cloudwatch:DescribeAlarms", On::AllAlarms, WATCHED),
    call("cloudwatch:GetDashboard", On::Dashboard, WATCHED),
    call("logs:DescribeMetricFilters", On::LogGroup, WATCHED),
    call("lambda:GetAccountSettings", On::Account, CHECK),
    call("cloudwatch:PutMetricAlarm", On::Alarms, DEPLOY),
    implied(
        "cloudwatch:TagResource",
        On::Alarms,
        DEPLOY,
        "CloudWatch asks for it when an alarm is made with tags",
    ),
    call("cloudwatch:PutDashboard", On::Dashboard, DEPLOY),
    call("logs:PutMetricFilter", On::CountedLogGroup, DEPLOY),
    call("cloudwatch:DeleteAlarms", On::Alarms, CHANGE),
    call("cloudwatch:DeleteDashboards", On::Dashboard, CHANGE),
    call("logs:DeleteMetricFilter", On::CountedLogGroup, CHANGE),
    call("logs:CreateLogGroup", On::OwnLogGroup, DEPLOY),
    call("logs:TagResource", On::OwnLogGroup, DEPLOY),
    call("logs:PutRetentionPolicy", On::OwnLogGroup, DEPLOY),
    call("logs:AssociateKmsKey", On::EncryptedLogGroup, DEPLOY),
    call("logs:DisassociateKmsKey", On::OwnLogGroup, DEPLOY),
    call(
        "logs:FilterLogEvents",
        On::LogGroup,
        &[Probe, Status, Teardown],
    ),
    call("logs:StartQuery", On::LogGroup, LOG),
    call("logs:GetQueryResults", On::LogGroups, LOG),
    call("logs:DeleteLogGroup", On::OwnLogGroup, TEARDOWN),
    call("secretsmanager:DescribeSecret", On::Secrets, CHECK),
    call("secretsmanager:GetResourcePolicy", On::Secrets, CHECK),
    call("secretsmanager:GetSecretValue", On::Secrets, SECRET),
    call("ssm:GetParameter", On::Parameters, SECRET),
    implied(
        "kms:Decrypt",
        On::SecretKeys,
        SECRET,
        "the service that keeps the secret decrypts it in the reader's name",
    ),
    implied(
        "kms:Encrypt",
        On::OwnFunctionKey,
        DEPLOY,
        "Lambda encrypts the environment with the key in the caller's name",
    ),
    implied(
        "kms:Decrypt",
        On::FunctionKey,
        LIVE,
        "Lambda decrypts the environment it shows with the key in the caller's name",
    ),
    implied(
        "kms:CreateGrant",
        On::OwnFunctionKey,
        DEPLOY,
        "Lambda asks for it when a function is given a key",
    ),
    implied(
        "ec2:DescribeSecurityGroups",
        On::Network,
        DEPLOY,
        "Lambda looks the network up in the caller's name",
    ),
    implied(
        "ec2:DescribeSubnets",
        On::Network,
        DEPLOY,
        "Lambda looks the network up in the caller's name",
    ),
    implied(
        "ec2:DescribeVpcs",
        On::Network,
        DEPLOY,
        "Lambda looks the network up in the caller's name",
    ),
];

/// One pool, with the settings and the configuration that need additional permissions.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The pool and all names that follow from it.
    pub names: Names,
    /// The role with which the pool sends SMS.
    pub sms_role: Option<String>,
    /// The key of its custom message senders.
    pub sender_key: Option<String>,
    /// The configuration for this pool.
    pub config: Option<&'a Config>,
}

impl<'a> Subject<'a> {
    /// A pool as described by Cognito.
    pub fn new(names: Names, pool: &PoolDocument, config: Option<&'a Config>) -> Self {
        let text = |pointer: &str| {
            let value = pool.json().pointer(pointer)?.as_str()?;
            (!value.is_empty()).then(|| value.to_owned())
        };
        Self {
            names,
            sms_role: text("/SmsConfiguration/SnsCallerArn")
                .or_else(|| text("/SmsConfiguration/EumsSms/CallerArn")),
            sender_key: text("/LambdaConfig/KMSKeyID"),
            config,
        }
    }
}

/// A condition key and the one value that it must have.
type Condition = (&'static str, String);

/// ARNs, or `*`, each with its condition.
type Resources = Vec<(String, Option<Condition>)>;

/// The service through which a key is used.
const VIA_SERVICE: &str = "kms:ViaService";

/// Actions on the same resources under the same condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// ARNs, or `*`.
    pub resources: BTreeSet<String>,
    /// The condition, if there is one.
    pub condition: Option<Condition>,
    /// IAM actions.
    pub actions: BTreeSet<&'static str>,
}

/// The statements that allow these duties for these pools.
pub fn statements(duties: &[Duty], subjects: &[Subject<'_>]) -> Vec<Statement> {
    let mut actions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for grant in GRANTS {
        if !duties.iter().any(|duty| grant.is_for(*duty)) {
            continue;
        }
        let mut resources: BTreeMap<Option<Condition>, BTreeSet<String>> = BTreeMap::new();
        for subject in subjects {
            for (arn, condition) in resources_of(grant.on, subject) {
                resources.entry(condition).or_default().insert(arn);
            }
        }
        for (condition, arns) in resources {
            actions
                .entry((arns, condition))
                .or_default()
                .insert(grant.action);
        }
    }
    actions
        .into_iter()
        .map(|((resources, condition), actions)| Statement {
            resources,
            condition,
            actions,
        })
        .collect()
}

/// The policy document for IAM.
pub fn document(statements: &[Statement]) -> Value {
    let statements: Vec<Value> = statements
        .iter()
        .map(|statement| {
            let mut json = json!({
                "Effect": "Allow",
                "Action": statement.actions,
                "Resource": statement.resources,
            });
            if let Some((key, value)) = &statement.condition {
                json["Condition"] = json!({ "StringEquals": { *key: value } });
            }
            json
        })
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The ARNs, each with its condition; none if this pool or configuration has no such resource.
fn resources_of(on: On, subject: &Subject<'_>) -> Resources {
    let config = subject.config;
    let names = &subject.names;
    let pool = &names.pool;
    let secrets = || {
        config
            .map(Config::secrets)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(_, secret)| SecretAccess::of(pool, secret))
    };
    let kept_by = |action: &str| {
        let kept = secrets().filter(|secret| secret.action == action);
        plain(kept.map(|secret| secret.arn))
    };
    let import_secret = || {
        let secret = config.and_then(|config| config.import.password.as_ref());
        secret.and_then(|secret| SecretAccess::of(pool, secret))
    };
    let of_import = |action: &str| {
        let kept = import_secret().filter(|kept| kept.action == action);
        plain(kept.map(|kept| kept.arn))
    };
    let key_of = |secret: SecretAccess| {
        let condition = (VIA_SERVICE, secret.via_service);
        Some((secret.kms_key?, Some(condition)))
    };
    let passed = |roles: &mut dyn Iterator<Item = String>, service: &str| {
        let condition = ("iam:PassedToService", service.to_owned());
        roles.map(|role| (role, Some(condition.clone()))).collect()
    };
    // A given role's policies belong to its owner.
    let own_roles = || {
        let own = [names.role_arn.clone(), names.spare_role_arn.clone()];
        own.into_iter().filter(|_| !names.given_role)
    };
    let boundary = config.and_then(|config| config.function.permissions_boundary.as_ref());
    let with_boundary = |granted: Resources| {
        let condition = boundary.map(|arn| ("iam:PermissionsBoundary", arn.clone()));
        let bound = |(role, _)| (role, condition.clone());
        granted.into_iter().map(bound).collect()
    };
    let in_region = || {
        let condition = ("aws:RequestedRegion", pool.region.clone());
        vec![("*".to_owned(), Some(condition))]
    };
    let old_pool = || match config.map(|config| &config.directory) {
        Some(Directory::Cognito(old)) => Some(old),
        _ => None,
    };
    let alarmed = config.is_some_and(|config| config.alarms.topic.is_some());
    let networked =
        !names.given_function && config.is_some_and(|config| config.function.vpc.is_some());
    let alarm = |name: &str| {
        let arn = pool.sibling("cloudwatch", format_args!("alarm:{name}"));
        arn.to_string()
    };
    // Only its owner changes another tool's function.
    let own = |on: On| match names.given_function {
        true => Vec::new(),
        false => resources_of(on, subject),
    };
    match on {
        On::Pool => plain([pool.to_string()]),
        On::Function => plain([names.function_arn.clone()]),
        On::Versions => plain([
            names.function_arn.clone(),
            format!("{}:*", names.function_arn),
        ]),
        On::OwnFunction => own(On::Function),
        On::OwnVersions => own(On::Versions),
        On::GivenVersions => match names.given_function {
            true => resources_of(On::Versions, subject),
            false => Vec::new(),
        },
        On::VersionsToCognito => {
            let condition = Some(("lambda:Principal", COGNITO.to_owned()));
            let granted = resources_of(On::Versions, subject).into_iter();
            granted.map(|(arn, _)| (arn, condition.clone())).collect()
        }
        On::OwnLogGroup => own(On::LogGroup),
        On::CountedLogGroup if !alarmed => own(On::LogGroup),
        On::CountedLogGroup => resources_of(On::LogGroup, subject),
        On::OwnFunctionKey => own(On::FunctionKey),
        On::ManagedPolicies => plain([
            format!("arn:{}:iam::aws:policy/*", pool.partition),
            format!("arn:{}:iam::{}:policy/*", pool.partition, pool.account),
        ]),
        On::ImportRole => match config.and_then(|config| config.import.role_arn.as_ref()) {
            Some(_) => Vec::new(),
            None => plain([names.import_role_arn.clone()]),
        },
        On::ImportRoleToCognito => {
            let given = config.and_then(|config| config.import.role_arn.clone());
            let role = given.unwrap_or_else(|| names.import_role_arn.clone());
            passed(&mut std::iter::once(role), COGNITO)
        }
        On::ImportRoleWithBoundary => with_boundary(resources_of(On::ImportRole, subject)),
        On::ImportLog => plain([format!("{}*", names.import_log_arn)]),
        On::ImportSecret => of_import("secretsmanager:GetSecretValue"),
        On::ImportParameter => of_import("ssm:GetParameter"),
        On::ImportKey => import_secret().and_then(key_of).into_iter().collect(),
        On::OldPool => {
            let old = old_pool().filter(|old| old.role_arn.is_none());
            plain(old.map(|old| old_pool_arn(pool, old).to_string()))
        }
        On::OldPoolRole => plain(old_pool().and_then(|old| old.role_arn.clone())),
        On::Role => plain([names.role_arn.clone()]),
        On::OwnRole => plain(own_roles().take(1)),
        On::Roles => plain(own_roles()),
        On::RolesWithBoundary => with_boundary(plain(own_roles())),
        On::BoundedRoles => with_boundary(plain(own_roles().filter(|_| boundary.is_some()))),
        On::JudgedPolicies => match names.given_role {
            true => resources_of(On::ManagedPolicies, subject),
            false => plain(boundary.cloned()),
        },
        On::RoleToLambda if names.given_function => Vec::new(),
        On::RoleToLambda => passed(
            &mut std::iter::once(names.role_arn.clone()).chain(own_roles().skip(1)),
            "lambda.amazonaws.com",
        ),
        On::SmsRoleToCognito => passed(&mut subject.sms_role.iter().cloned(), COGNITO),
        On::SenderKey => plain(subject.sender_key.clone()),
        // The calls for tags name the group without `:*`, all others with it.
        On::LogGroup => plain([
            names.log_group_arn.clone(),
            format!("{}:*", names.log_group_arn),
        ]),
        On::EncryptedLogGroup => {
            match config.is_some_and(|config| config.function.log_kms_key_arn.is_some()) {
                true => own(On::LogGroup),
                false => Vec::new(),
            }
        }
        On::CodeSigning => {
            let any = pool.sibling("lambda", "code-signing-config:*");
            plain([any.to_string()])
        }
        On::WebAcls => {
            let any = pool.sibling("wafv2", "regional/webacl/*");
            plain([any.to_string()])
        }
        On::Alarms => plain(
            alarm_names(names)
                .iter()
                .map(|name| alarm(name))
                .filter(|_| alarmed),
        ),
        On::AllAlarms => plain(Some(alarm("*")).filter(|_| alarmed)),
        On::Dashboard => {
            let of_no_region = Arn {
                region: String::new(),
                ..pool.sibling("cloudwatch", format_args!("dashboard/{}", names.function))
            };
            plain(Some(of_no_region.to_string()).filter(|_| alarmed))
        }
        On::LogGroups => plain([format!(
            "arn:{}:logs:{}:{}:log-group:*",
            pool.partition, pool.region, pool.account
        )]),
        On::Account => in_region(),
        On::Secrets => kept_by("secretsmanager:GetSecretValue"),
        On::Parameters => kept_by("ssm:GetParameter"),
        On::SecretKeys => secrets().filter_map(key_of).collect(),
        On::FunctionKey => {
            let key = config.and_then(|config| config.function.kms_key_arn.clone());
            let lambda = partition::host("lambda", &pool.region, false, false);
            let via = |key| (key, Some((VIA_SERVICE, lambda)));
            key.map(via).into_iter().collect()
        }
        On::Network if networked => in_region(),
        On::Network => Vec::new(),
        On::FunctionInVpc => plain(networked.then(|| names.function_arn.clone())),
    }
}

fn plain(arns: impl IntoIterator<Item = String>) -> Resources {
    arns.into_iter().map(|arn| (arn, None)).collect()
}

#[cfg(test)]
mod tests;

//! Owns every name and ARN that is derived from a pool's. There are no calls to AWS: partition, region and account come from the
//! pool's ARN, so each ARN is known before the resource exists. (The pool's own id and ARN are types of `jane_migrate_config`.)

use jane_migrate_config::{Arn, Function};
pub use jane_migrate_config::{PoolArn, PoolId};

/// The alias of the function that the pool calls. Its version has passed a probe.
pub const ALIAS: &str = "live";

/// The function itself, in the form of a version.
pub const LATEST: &str = "$LATEST";

/// The suffix of the spare role's name, after that of the execution role.
const SPARE: &str = "-renew";

/// The suffix of the role for the log of imports, after the function's name.
const IMPORT: &str = "-log";

/// The prefix of Cognito's log groups for imports.
const IMPORT_LOGS: &str = "/aws/cognito/userpools";

/// The log group of the imports into a pool, which contains the pool's name.
pub fn import_log_group(pool: &PoolId, name: &str) -> String {
    format!("{IMPORT_LOGS}/{pool}/{name}")
}

/// The name of the role with which Cognito writes the log of an import, for this function.
pub fn import_role(function: &str) -> String {
    format!("{function}{IMPORT}")
}

/// The id of our statement in the alias's resource policy.
pub const STATEMENT_ID: &str = "jane-migrate-live";

/// The id of our statement in the function's own policy, from versions of this tool without the alias.
pub const OLD_STATEMENT_ID: &str = "jane-migrate-user-pool";

/// The id of the statement that is used while ours is replaced.
pub const STAND_IN_ID: &str = "jane-migrate-stand-in";

/// The prefix of our statements' ids in the policy of another tool's function. The digest of the snapshot that records deploy's
/// changes follows it.
const GIVEN_STATEMENT: &str = "jane-migrate-snapshot-";

/// The id of our statement there, for a snapshot with this digest.
pub fn given_statement(digest: &str) -> String {
    let begin = digest.get(..32).unwrap_or(digest);
    format!("{GIVEN_STATEMENT}{begin}")
}

/// The start of the digest in such an id.
pub fn digest_of_statement(id: &str) -> Option<&str> {
    id.strip_prefix(GIVEN_STATEMENT)
}

/// The name of the one inline policy of the execution role.
pub const ROLE_POLICY: &str = "jane-migrate";

/// The longest name that Lambda and IAM accept.
pub const LONGEST_NAME: usize = 64;

/// The name of the function and its role, without the configured prefix. IAM is global, so a replica's role must differ from its
/// primary's: the Region is appended if the pool's id does not start with it.
pub fn plain_name(pool: &PoolId, region: &str) -> String {
    if pool.region() == Some(region) {
        format!("jane-migrate-{pool}")
    } else {
        format!("jane-migrate-{pool}-{region}")
    }
}

/// Another tool's function, as named in the configuration.
struct Given<'a> {
    /// The complete ARN.
    arn: &'a str,
    /// The same without alias or version.
    function: &'a str,
    name: &'a str,
    /// The alias or version.
    qualifier: Option<&'a str>,
}

impl<'a> Given<'a> {
    fn of(function: Option<&'a Function>) -> Option<Self> {
        let arn = function?.arn.as_deref()?;
        // `arn:aws:lambda:REGION:ACCOUNT:function:NAME:QUALIFIER`; the file's parser has checked this.
        let (at, _) = arn.match_indices(':').nth(5)?;
        let name = &arn[at + 1..];
        Some(match name.split_once(':') {
            Some((name, qualifier)) => Self {
                arn,
                function: &arn[..at + 1 + name.len()],
                name,
                qualifier: Some(qualifier),
            },
            None => Self {
                arn,
                function: arn,
                name,
                qualifier: None,
            },
        })
    }
}

/// The alias or version of the function that the pool is to call; `None`: the function itself.
pub fn live_qualifier(function: Option<&Function>) -> Option<&str> {
    match Given::of(function) {
        Some(given) => given.qualifier,
        None => Some(ALIAS),
    }
}

/// The name of the function; `function` is its configuration, if there is one.
pub fn function_name(pool: &PoolId, region: &str, function: Option<&Function>) -> String {
    if let Some(given) = Given::of(function) {
        return given.name.to_owned();
    }
    let prefix = function.and_then(|function| function.name_prefix.as_deref());
    format!("{}{}", prefix.unwrap_or_default(), plain_name(pool, region))
}

/// The name of the execution role: the function's, unless the configuration names an existing one.
pub fn role_name(name: &str, function: Option<&Function>) -> String {
    let given = function.and_then(|function| function.role_arn.as_deref());
    let last = given.and_then(|arn| arn.rsplit('/').next());
    last.unwrap_or(name).to_owned()
}

/// The log group of this function.
pub fn log_group_name(function: &str) -> String {
    format!("/aws/lambda/{function}")
}

/// All names that follow from one pool.
#[derive(Debug, Clone)]
pub struct Names {
    /// The pool itself.
    pub pool: PoolArn,
    /// The Lambda function.
    pub function: String,
    /// ARN of the function, without a qualifier.
    pub function_arn: String,
    /// The ARN that the pool calls: of the alias, or the configured one.
    pub live_arn: String,
    /// The function is named in the configuration: another tool created it, and it is never changed.
    pub given_function: bool,
    /// The execution role: the function's name, unless it is a given one.
    pub role: String,
    /// Its path in IAM.
    pub role_path: String,
    /// ARN of the execution role.
    pub role_arn: String,
    /// The role is named in the configuration: it belongs to another owner, and is never changed.
    pub given_role: bool,
    /// The function's role for a moment while its own role is assigned again: an environment is encrypted for the role that is
    /// assigned to the function, and only another assignment changes that.
    pub spare_role: String,
    /// Its ARN.
    pub spare_role_arn: String,
    /// The role with which Cognito writes the log of an import.
    pub import_role: String,
    /// Its path in IAM.
    pub import_path: String,
    /// Its ARN.
    pub import_role_arn: String,
    /// The ARN of that log's group without the pool's name at the end.
    pub import_log_arn: String,
    /// Name of the log group.
    pub log_group: String,
    /// ARN of the log group, without the trailing `:*`.
    pub log_group_arn: String,
}

impl Names {
    /// Derives every name from the pool's ARN, without a configuration.
    pub fn new(pool: PoolArn) -> Self {
        Self::configured(pool, None)
    }

    /// Derives every name from the pool's ARN and the function's configuration.
    pub fn configured(pool: PoolArn, config: Option<&Function>) -> Self {
        let function = function_name(&pool.id, &pool.region, config);
        let log_group = log_group_name(&function);
        let arn = |service, resource| pool.sibling(service, resource);
        let role = role_name(&function, config);
        let given = config.and_then(|config| config.role_arn.as_deref());
        let path = match given.and_then(|arn| arn.split_once(":role")) {
            Some((_, path)) => path.strip_suffix(&role).map(str::to_owned),
            None => config.and_then(|config| config.role_path.clone()),
        };
        let role_path = path.unwrap_or_else(|| "/".to_owned());
        let role_arn = Arn {
            region: String::new(),
            ..arn("iam", format!("role{role_path}{role}"))
        };
        let role_arn = given.map_or_else(|| role_arn.to_string(), str::to_owned);
        let import_role = import_role(&function);
        let import_path = config.and_then(|config| config.role_path.clone());
        let import_path = import_path.unwrap_or_else(|| "/".to_owned());
        let arn_of_import = Arn {
            region: String::new(),
            ..arn("iam", format!("role{import_path}{import_role}"))
        };
        let given_function = Given::of(config);
        let (function_arn, live_arn) = match &given_function {
            Some(given) => (given.function.to_owned(), given.arn.to_owned()),
            None => (
                arn("lambda", format!("function:{function}")).to_string(),
                arn("lambda", format!("function:{function}:{ALIAS}")).to_string(),
            ),
        };
        Self {
            function_arn,
            live_arn,
            given_function: given_function.is_some(),
            spare_role: format!("{role}{SPARE}"),
            spare_role_arn: format!("{role_arn}{SPARE}"),
            given_role: given.is_some(),
            role_path,
            role_arn,
            role,
            import_role_arn: arn_of_import.to_string(),
            import_role,
            import_path,
            import_log_arn: arn("logs", format!("log-group:{IMPORT_LOGS}/{}/", pool.id))
                .to_string(),
            log_group_arn: arn("logs", format!("log-group:{log_group}")).to_string(),
            log_group,
            function,
            pool,
        }
    }

    /// The alias or version that the pool is to call; `None`: the function itself.
    pub fn live(&self) -> Option<&str> {
        self.qualifier(&self.live_arn)
    }

    /// The same as a name for Lambda's calls.
    pub fn live_name(&self) -> String {
        match self.live() {
            Some(qualifier) => format!("{}:{qualifier}", self.function),
            None => self.function.clone(),
        }
    }

    /// Why Cognito cannot call the configured function: it must be in the pool's account and Region.
    pub fn elsewhere(&self) -> Option<String> {
        let arn = self.function_arn.parse::<Arn>().ok()?;
        let pool = &self.pool;
        let there = |what: &str, theirs: &str, own: &str| {
            format!(
                "function {} is in {what} {theirs}, and user pool {} in {own}",
                self.function, pool.id
            )
        };
        if arn.region != pool.region {
            return Some(there("Region", &arn.region, &pool.region));
        }
        (arn.account != pool.account).then(|| there("account", &arn.account, &pool.account))
    }

    /// The alias or version in `arn`, if it is our function's.
    pub fn qualifier<'a>(&self, arn: &'a str) -> Option<&'a str> {
        arn.strip_prefix(&self.function_arn)?.strip_prefix(':')
    }

    /// Whether `arn` is the function itself, without an alias or numbered version.
    pub fn is_latest(&self, arn: &str) -> bool {
        arn == self.function_arn || self.qualifier(arn) == Some(LATEST)
    }

    /// Whether `arn` is our function, with or without an alias.
    pub fn is_our_function(&self, arn: &str) -> bool {
        arn == self.function_arn || self.qualifier(arn).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arn_is_derived_from_the_pools() {
        let arn =
            "arn:aws-us-gov:cognito-idp:us-gov-west-1:123456789012:userpool/us-gov-west-1_Ab1";
        let names = Names::new(arn.parse().unwrap());
        assert_eq!(names.pool.to_string(), arn);
        assert_eq!(
            names.function_arn,
            "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:jane-migrate-us-gov-west-1_Ab1"
        );
        assert_eq!(
            names.role_arn,
            "arn:aws-us-gov:iam::123456789012:role/jane-migrate-us-gov-west-1_Ab1"
        );
        assert_eq!(names.live_arn, format!("{}:live", names.function_arn));
        assert!(names.is_our_function(&names.live_arn));
        assert!(!names.is_our_function(&format!("{}x", names.function_arn)));
    }

    #[test]
    fn the_configuration_sets_the_name_prefix_and_the_role() {
        let names = |function: Function| {
            let arn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";
            Names::configured(arn.parse().unwrap(), Some(&function))
        };
        let ours = names(Function {
            name_prefix: Some("acme-".into()),
            role_path: Some("/apps/".into()),
            ..Function::default()
        });
        assert_eq!(ours.function, "acme-jane-migrate-us-east-1_Ab1");
        assert_eq!(
            ours.log_group,
            "/aws/lambda/acme-jane-migrate-us-east-1_Ab1"
        );
        assert_eq!((&*ours.role, &*ours.role_path), (&*ours.function, "/apps/"));
        assert_eq!(
            ours.role_arn,
            "arn:aws:iam::123456789012:role/apps/acme-jane-migrate-us-east-1_Ab1"
        );
        assert_eq!(ours.spare_role_arn, format!("{}-renew", ours.role_arn));
        assert_eq!(
            ours.import_role_arn,
            "arn:aws:iam::123456789012:role/apps/acme-jane-migrate-us-east-1_Ab1-log"
        );
        assert_eq!(
            import_log_group(&ours.pool.id, "Roots"),
            "/aws/cognito/userpools/us-east-1_Ab1/Roots"
        );
        assert!(!ours.given_role);
        for (arn, path) in [
            ("arn:aws:iam::123456789012:role/migration", "/"),
            ("arn:aws:iam::123456789012:role/a/b/migration", "/a/b/"),
        ] {
            let given = names(Function {
                role_arn: Some(arn.into()),
                ..Function::default()
            });
            assert_eq!(
                (&*given.role, &*given.role_path, &*given.role_arn),
                ("migration", path, arn)
            );
            assert!(given.given_role);
        }
    }

    #[test]
    fn another_tools_function_keeps_its_name_and_must_be_in_the_pools_region() {
        let names = |function: &str, region: &str| {
            let arn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";
            let function = Function {
                arn: Some(format!(
                    "arn:aws:lambda:{region}:123456789012:function:{function}"
                )),
                role_arn: Some("arn:aws:iam::123456789012:role/migration".into()),
                ..Function::default()
            };
            Names::configured(arn.parse().unwrap(), Some(&function))
        };
        let alias = names("migrate:prod", "us-east-1");
        assert!(alias.given_function && alias.elsewhere().is_none());
        assert_eq!((&*alias.function, alias.live()), ("migrate", Some("prod")));
        let function = Function {
            arn: Some(alias.live_arn.clone()),
            ..Function::default()
        };
        assert_eq!(live_qualifier(Some(&function)), Some("prod"));
        assert_eq!(live_qualifier(None), Some(ALIAS));
        assert_eq!(
            alias.function_arn,
            "arn:aws:lambda:us-east-1:123456789012:function:migrate"
        );
        assert_eq!(alias.live_arn, format!("{}:prod", alias.function_arn));
        assert_eq!(alias.log_group, "/aws/lambda/migrate");
        let itself = names("migrate", "us-east-1");
        assert_eq!((itself.live(), &*itself.live_name()), (None, "migrate"));
        assert!(names("migrate", "eu-west-1").elsewhere().is_some());
    }

    #[test]
    fn a_replica_gets_its_own_names() {
        let id: PoolId = "us-east-1_Ab1".parse().unwrap();
        assert_eq!(
            function_name(&id, "us-east-1", None),
            "jane-migrate-us-east-1_Ab1"
        );
        assert_eq!(
            function_name(&id, "eu-west-1", None),
            "jane-migrate-us-east-1_Ab1-eu-west-1"
        );
    }

    #[test]
    fn a_statements_id_names_the_start_of_the_snapshots_digest() {
        let digest = "0123456789abcdef0123456789abcdef0123456789abcdef";
        let id = given_statement(digest);
        assert_eq!(id, format!("jane-migrate-snapshot-{}", &digest[..32]));
        assert_eq!(digest_of_statement(&id), Some(&digest[..32]));
        assert_eq!(digest_of_statement(STATEMENT_ID), None);
    }
}

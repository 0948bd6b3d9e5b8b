//! Owns every name and ARN that is derived from a pool's. Nothing here asks AWS: partition, region and account come from the pool's
//! ARN, so each ARN is known before the thing exists. (The pool's own id and ARN are `jane_migrate_config`'s types.)

use jane_migrate_config::Arn;
pub use jane_migrate_config::{PoolArn, PoolId};

/// The alias of the function that the pool calls. What it leads to has answered a probe.
pub const ALIAS: &str = "live";

/// The function itself, as a version is called.
pub const LATEST: &str = "$LATEST";

/// What the name of the spare role adds to that of the execution role.
const SPARE: &str = "-renew";

/// The id of our statement in the alias's resource policy.
pub const STATEMENT_ID: &str = "jane-migrate-live";

/// The id of our statement in the function's own policy, from the versions of this tool that knew no alias.
pub const OLD_STATEMENT_ID: &str = "jane-migrate-user-pool";

/// The id of the statement that stands in while ours is replaced.
pub const STAND_IN_ID: &str = "jane-migrate-stand-in";

/// The name of the one inline policy of the execution role.
pub const ROLE_POLICY: &str = "jane-migrate";

/// The name shared by the function and its role. IAM is global, so a replica's role must differ from its primary's: the Region
/// is appended where the pool's id does not already begin with it.
pub fn function_name(pool: &PoolId, region: &str) -> String {
    if pool.region() == Some(region) {
        format!("jane-migrate-{pool}")
    } else {
        format!("jane-migrate-{pool}-{region}")
    }
}

/// The log group Lambda writes to for this function.
pub fn log_group_name(function: &str) -> String {
    format!("/aws/lambda/{function}")
}

/// Everything named after one pool.
#[derive(Debug, Clone)]
pub struct Names {
    /// The pool itself.
    pub pool: PoolArn,
    /// The Lambda function, and the execution role.
    pub function: String,
    /// ARN of the function, without a qualifier.
    pub function_arn: String,
    /// ARN of the alias that the pool calls.
    pub live_arn: String,
    /// ARN of the execution role.
    pub role_arn: String,
    /// The role that the function has for a moment while it is given its own anew: an environment is encrypted for the very role that
    /// the function is assigned, and only another assignment changes that.
    pub spare_role: String,
    /// Its ARN.
    pub spare_role_arn: String,
    /// Name of the log group.
    pub log_group: String,
    /// ARN of the log group, without the trailing `:*`.
    pub log_group_arn: String,
}

impl Names {
    /// Derives every name from the pool's ARN.
    pub fn new(pool: PoolArn) -> Self {
        let function = function_name(&pool.id, &pool.region);
        let log_group = log_group_name(&function);
        let arn = |service, resource| pool.sibling(service, resource);
        let role = Arn {
            region: String::new(),
            ..arn("iam", format!("role/{function}"))
        };
        Self {
            function_arn: arn("lambda", format!("function:{function}")).to_string(),
            live_arn: arn("lambda", format!("function:{function}:{ALIAS}")).to_string(),
            role_arn: role.to_string(),
            spare_role: format!("{function}{SPARE}"),
            spare_role_arn: format!("{role}{SPARE}"),
            log_group_arn: arn("logs", format!("log-group:{log_group}")).to_string(),
            log_group,
            function,
            pool,
        }
    }

    /// The alias or version of our function that `arn` names.
    pub fn qualifier<'a>(&self, arn: &'a str) -> Option<&'a str> {
        arn.strip_prefix(&self.function_arn)?.strip_prefix(':')
    }

    /// Whether `arn` names the function itself, and no alias or numbered version of it.
    pub fn is_latest(&self, arn: &str) -> bool {
        arn == self.function_arn || self.qualifier(arn) == Some(LATEST)
    }

    /// Whether `arn` names our function, with or without an alias.
    pub fn is_our_function(&self, arn: &str) -> bool {
        arn == self.function_arn || self.qualifier(arn).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arn_comes_from_the_pools() {
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
    fn a_replica_gets_names_of_its_own() {
        let id: PoolId = "us-east-1_Ab1".parse().unwrap();
        assert_eq!(
            function_name(&id, "us-east-1"),
            "jane-migrate-us-east-1_Ab1"
        );
        assert_eq!(
            function_name(&id, "eu-west-1"),
            "jane-migrate-us-east-1_Ab1-eu-west-1"
        );
    }
}

//! Owns the pool's id and ARN and every name and ARN derived from them. Nothing here asks AWS: partition, region and account
//! come from the pool's ARN, so each ARN is known before the thing exists.

use std::fmt;
use std::str::FromStr;

/// The id of a user pool, such as `us-east-1_AbC123456`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId(String);

impl PoolId {
    /// The id as Cognito writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Region the id begins with, where it begins with one. (A replica of a multi-Region pool keeps its primary's id, and
    /// emulators make ids without a Region, so `--region` wins over this.)
    pub fn region(&self) -> Option<&str> {
        let region = self.0.split_once('_')?.0;
        let is_region = region.split('-').count() >= 3
            && region
                .rsplit('-')
                .next()
                .is_some_and(|n| n.parse::<u8>().is_ok());
        is_region.then_some(region)
    }
}

impl FromStr for PoolId {
    type Err = String;

    /// Cognito's own pattern: `[\w-]+_[0-9a-zA-Z]+`, at most 55 characters.
    fn from_str(id: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{id}` is not a user pool id; one looks like us-east-1_AbC123456 (`aws cognito-idp list-user-pools --max-results 60` lists them)"
            )
        };
        let (region, suffix) = id.rsplit_once('_').ok_or_else(wrong)?;
        let region_fits = !region.is_empty()
            && region
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let suffix_fits = !suffix.is_empty() && suffix.chars().all(|c| c.is_ascii_alphanumeric());
        if region_fits && suffix_fits && id.len() <= 55 {
            Ok(Self(id.to_owned()))
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for PoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ARN of a user pool, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolArn {
    /// `aws`, `aws-cn`, `aws-us-gov`, ...
    pub partition: String,
    /// The Region the pool answers in.
    pub region: String,
    /// The twelve digits of the account that owns the pool.
    pub account: String,
    /// The pool's id.
    pub id: PoolId,
}

impl PoolArn {
    /// The ARN of a pool whose account is known. The Region tells the partition.
    pub fn new(id: PoolId, region: String, account: String) -> Self {
        const PARTITIONS: [(&str, &str); 7] = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-iso-", "aws-iso"),
            ("us-isob-", "aws-iso-b"),
            ("eu-isoe-", "aws-iso-e"),
            ("us-isof-", "aws-iso-f"),
            ("eusc-", "aws-eusc"),
        ];
        let partition = PARTITIONS
            .iter()
            .find(|(prefix, _)| region.starts_with(prefix))
            .map_or("aws", |(_, partition)| partition);
        Self {
            partition: partition.to_owned(),
            region,
            account,
            id,
        }
    }
}

impl FromStr for PoolArn {
    type Err = String;

    fn from_str(arn: &str) -> Result<Self, String> {
        let wrong = || format!("`{arn}` is not the ARN of a user pool");
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, "cognito-idp", region, account, resource] = parts[..] else {
            return Err(wrong());
        };
        let id = resource.strip_prefix("userpool/").ok_or_else(wrong)?;
        Ok(Self {
            partition: partition.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            id: id.parse().map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for PoolArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            region,
            account,
            id,
        } = self;
        write!(
            f,
            "arn:{partition}:cognito-idp:{region}:{account}:userpool/{id}"
        )
    }
}

/// The id of our statement in the function's resource policy.
pub const STATEMENT_ID: &str = "jane-migrate-user-pool";

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
    /// ARN of the execution role.
    pub role_arn: String,
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
        let PoolArn {
            partition,
            region,
            account,
            ..
        } = &pool;
        Self {
            function_arn: format!("arn:{partition}:lambda:{region}:{account}:function:{function}"),
            role_arn: format!("arn:{partition}:iam::{account}:role/{function}"),
            log_group_arn: format!("arn:{partition}:logs:{region}:{account}:log-group:{log_group}"),
            log_group,
            function,
            pool,
        }
    }

    /// Whether `arn` names our function, with or without an alias.
    pub fn is_our_function(&self, arn: &str) -> bool {
        arn == self.function_arn
            || arn
                .strip_prefix(&self.function_arn)
                .is_some_and(|rest| rest.starts_with(':'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_id_tells_its_region() {
        let id: PoolId = "eu-central-1_Ab12".parse().unwrap();
        assert_eq!(id.region(), Some("eu-central-1"));
        let id: PoolId = "us-gov-west-1_Ab12".parse().unwrap();
        assert_eq!(id.region(), Some("us-gov-west-1"));
        let id: PoolId = "local_5aBc".parse().unwrap();
        assert_eq!(id.region(), None);
    }

    #[test]
    fn a_wrong_pool_id_is_refused_with_an_example() {
        for wrong in [
            "",
            "us-east-1",
            "us-east-1_",
            "_abc",
            "us-east-1_a b",
            "arn:aws:x",
        ] {
            let error = wrong.parse::<PoolId>().unwrap_err();
            assert!(error.contains("us-east-1_AbC123456"), "{error}");
        }
    }

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
        assert!(names.is_our_function(&format!("{}:live", names.function_arn)));
        assert!(!names.is_our_function(&format!("{}x", names.function_arn)));
    }

    #[test]
    fn an_account_and_a_region_make_the_arn() {
        for arn in [
            "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1",
            "arn:aws-cn:cognito-idp:cn-north-1:123456789012:userpool/cn-north-1_Ab1",
            "arn:aws-us-gov:cognito-idp:us-gov-west-1:123456789012:userpool/us-gov-west-1_Ab1",
        ] {
            let read: PoolArn = arn.parse().unwrap();
            let made = PoolArn::new(read.id, read.region, read.account);
            assert_eq!(made.to_string(), arn);
        }
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

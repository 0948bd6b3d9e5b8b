//! A user pool's id and ARN. Only this module defines what an id is, for `[pool] id`, `--pool` and every other source.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Arn, is_region};

/// The id of a user pool, such as `us-east-1_AbC123456`.
///
/// The rule is Cognito's own pattern, `[\w-]+_[0-9a-zA-Z]+` with at most 55 characters. The part before the `_` may be
/// something else than a Region: emulators create ids such as `local_5aBc`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PoolId(String);

impl PoolId {
    /// The id as Cognito writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Region that the id starts with, if it does. (A replica of a multi-Region pool keeps its primary's id, and emulators
    /// create ids without a Region, so `--region` wins over this.)
    pub fn region(&self) -> Option<&str> {
        let region = self.0.split_once('_')?.0;
        is_region(region).then_some(region)
    }
}

impl FromStr for PoolId {
    type Err = InvalidPoolId;

    fn from_str(id: &str) -> Result<Self, InvalidPoolId> {
        let word = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let valid = id.len() <= 55
            && id
                .rsplit_once('_')
                .is_some_and(|(before, after)| word(before) && word(after) && !after.contains('-'));
        match valid {
            true => Ok(Self(id.to_owned())),
            false => Err(InvalidPoolId),
        }
    }
}

impl fmt::Display for PoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PoolId {
    type Error = InvalidPoolId;

    fn try_from(id: String) -> Result<Self, InvalidPoolId> {
        id.parse()
    }
}

impl From<PoolId> for String {
    fn from(id: PoolId) -> Self {
        id.0
    }
}

/// The error for a text that is no user pool id. It does not contain the text: in a file it may be a secret in the wrong
/// place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPoolId;

impl fmt::Display for InvalidPoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be a user pool's id, such as us-east-1_AbC123456 (`aws cognito-idp list-user-pools --max-results 60` lists them)")
    }
}

impl std::error::Error for InvalidPoolId {}

/// The parts of a user pool's ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolArn {
    /// `aws`, `aws-cn`, `aws-us-gov`, ...
    pub partition: String,
    /// The Region of the pool.
    pub region: String,
    /// The twelve digits of the account that owns the pool.
    pub account: String,
    /// The pool's id.
    pub id: PoolId,
}

impl PoolArn {
    /// The ARN of a pool whose account is known. The partition follows from the Region.
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

    /// The ARN of another resource in the pool's account and Region.
    pub fn sibling(&self, service: &str, resource: impl fmt::Display) -> Arn {
        Arn {
            partition: self.partition.clone(),
            service: service.to_owned(),
            region: self.region.clone(),
            account: self.account.clone(),
            resource: resource.to_string(),
        }
    }
}

impl FromStr for PoolArn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not the ARN of a user pool");
        let arn: Arn = text.parse().map_err(|_| wrong())?;
        let id = arn
            .resource
            .strip_prefix("userpool/")
            .filter(|_| arn.service == "cognito-idp")
            .and_then(|id| id.parse().ok())
            .ok_or_else(wrong)?;
        Ok(Self {
            partition: arn.partition,
            region: arn.region,
            account: arn.account,
            id,
        })
    }
}

impl fmt::Display for PoolArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = format_args!("userpool/{}", self.id);
        self.sibling("cognito-idp", resource).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> PoolId {
        text.parse().unwrap()
    }

    #[test]
    fn ids_of_aws_and_of_emulators_are_valid() {
        for (text, region) in [
            ("eu-central-1_Ab12", Some("eu-central-1")),
            ("us-gov-west-1_Ab12", Some("us-gov-west-1")),
            ("eusc-de-east-1_Ab12", Some("eusc-de-east-1")),
            // cognito-local, moto with a short id, LocalStack with a custom id.
            ("local_5aBc", None),
            (
                "us-east-1_0123456789abcdef0123456789abcdef",
                Some("us-east-1"),
            ),
            ("us-east-1_myid123", Some("us-east-1")),
            ("my_local_1", None),
        ] {
            assert_eq!(id(text).region(), region, "{text}");
            assert_eq!(id(text).to_string(), text);
        }
    }

    #[test]
    fn a_wrong_id_is_refused() {
        let longest = format!("us-east-1_{}", "a".repeat(45));
        assert!(longest.parse::<PoolId>().is_ok());
        for wrong in [
            "",
            "us-east-1",
            "us-east-1_",
            "_abc",
            "us-east-1_a-b",
            "us-east-1_a b",
            "us east-1_ab",
            "us-east-1_ä",
            "arn:aws:x_y",
            &format!("{longest}a"),
        ] {
            assert_eq!(wrong.parse::<PoolId>(), Err(InvalidPoolId), "{wrong}");
        }
    }

    #[test]
    fn serde_rejects_what_parse_rejects() {
        assert_eq!(
            serde_json::from_str::<PoolId>("\"local_5aBc\"").unwrap(),
            id("local_5aBc")
        );
        assert!(serde_json::from_str::<PoolId>("\"nonsense\"").is_err());
    }

    #[test]
    fn an_account_and_a_region_make_the_arn() {
        for (region, partition) in [
            ("us-east-1", "aws"),
            ("us-west-2", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let text =
                format!("arn:{partition}:cognito-idp:{region}:123456789012:userpool/{region}_Ab1");
            let read: PoolArn = text.parse().unwrap();
            let made = PoolArn::new(
                id(&format!("{region}_Ab1")),
                region.into(),
                "123456789012".into(),
            );
            assert_eq!(read, made);
            assert_eq!(made.to_string(), text);
        }
    }

    #[test]
    fn the_arn_of_another_resource_is_rejected() {
        for wrong in [
            "us-east-1_Ab1",
            "arn:aws:cognito-idp:us-east-1:123456789012:us-east-1_Ab1",
            "arn:aws:cognito-idp:us-east-1:123456789012:userpool/nonsense",
            "arn:aws:cognito-identity:us-east-1:123456789012:userpool/us-east-1_Ab1",
        ] {
            let error = wrong.parse::<PoolArn>().unwrap_err();
            assert!(error.contains(wrong), "{error}");
        }
    }
}

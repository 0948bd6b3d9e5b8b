//! The one type for ARNs. It owns their syntax; its callers judge the resource part.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An ARN in its parts: `arn:partition:service:region:account:resource`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn {
    /// `aws`, `aws-cn`, `aws-us-gov`, ...
    pub partition: String,
    /// The service's name in ARNs, such as `lambda`.
    pub service: String,
    /// The Region; empty for services without Regions, such as IAM.
    pub region: String,
    /// The account's id; empty for resources that need none.
    pub account: String,
    /// The rest, which may contain colons.
    pub resource: String,
}

impl FromStr for Arn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = parts[..] else {
            return Err(InvalidArn);
        };
        if [partition, service, resource].contains(&"") {
            return Err(InvalidArn);
        }
        Ok(Self {
            partition: partition.to_owned(),
            service: service.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            resource: resource.to_owned(),
        })
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            service,
            region,
            account,
            resource,
        } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

impl TryFrom<String> for Arn {
    type Error = InvalidArn;

    fn try_from(text: String) -> Result<Self, InvalidArn> {
        text.parse()
    }
}

impl From<Arn> for String {
    fn from(arn: Arn) -> Self {
        arn.to_string()
    }
}

/// The error for a text that is no ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidArn;

impl fmt::Display for InvalidArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an ARN such as arn:aws:iam::123456789012:role/name")
    }
}

impl std::error::Error for InvalidArn {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_parsed_and_written_unchanged() {
        for text in [
            "arn:aws:iam::123456789012:role/path/name",
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:name:live",
            "arn:aws:s3:::bucket",
        ] {
            assert_eq!(text.parse::<Arn>().unwrap().to_string(), text);
        }
        let arn: Arn = "arn:aws:lambda:us-east-1:123456789012:function:name:live"
            .parse()
            .unwrap();
        assert_eq!(arn.partition, "aws");
        assert_eq!(arn.service, "lambda");
        assert_eq!(arn.region, "us-east-1");
        assert_eq!(arn.account, "123456789012");
        assert_eq!(arn.resource, "function:name:live");
    }

    #[test]
    fn other_texts_are_rejected() {
        for text in [
            "",
            "arn",
            "arn:aws:iam::123456789012",
            "arn:aws:iam::123456789012:",
            "arn::iam::123456789012:role/r",
            "arn:aws:::123456789012:role/r",
            "ARN:aws:iam::123456789012:role/r",
            "123456789012",
        ] {
            assert_eq!(text.parse::<Arn>(), Err(InvalidArn), "{text}");
        }
        assert!(InvalidArn.to_string().contains("arn:aws:iam::"));
    }
}

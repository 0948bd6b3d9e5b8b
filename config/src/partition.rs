//! The host names of AWS's services in each partition. The handler and the program use only this list, which follows
//! botocore's `partitions.json` and its rules for these services.

/// The partitions: the prefix of their Regions' names, and the suffixes of hosts and of dual-stack hosts.
const PARTITIONS: [(&str, &str, &str); 8] = [
    ("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("us-gov-", "amazonaws.com", "api.aws"),
    ("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    ("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    // All other Regions.
    ("", "amazonaws.com", "api.aws"),
];

fn suffixes(region: &str) -> (&'static str, &'static str) {
    let of = |(begins, plain, dual): &(&str, &'static str, &'static str)| {
        region.starts_with(begins).then_some((*plain, *dual))
    };
    PARTITIONS.iter().find_map(of).unwrap_or_default()
}

/// The suffix of a Region's host names, such as `amazonaws.com`.
pub fn dns_suffix(region: &str) -> &'static str {
    suffixes(region).0
}

/// Whether a host is one of AWS's.
pub fn is_aws(host: &str) -> bool {
    let ends = |suffix: &str| {
        let rest = host.strip_suffix(suffix);
        rest.is_some_and(|rest| rest.ends_with('.'))
    };
    PARTITIONS
        .iter()
        .any(|(_, plain, dual)| ends(plain) || ends(dual))
}

/// The host of a service in a Region.
pub fn host(service: &str, region: &str, fips: bool, dual_stack: bool) -> String {
    // Its only endpoint is dual-stack.
    let dual_stack = dual_stack && service != "secretsmanager";
    // In GovCloud the normal endpoints of the other services are FIPS endpoints.
    let has_own = matches!(service, "cognito-idp" | "lambda" | "secretsmanager");
    let fips = fips && (has_own || dual_stack || !region.starts_with("us-gov-"));
    let (plain, dual) = suffixes(region);
    let suffix = if dual_stack { dual } else { plain };
    let fips = if fips { "-fips" } else { "" };
    format!("{service}{fips}.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_hosts() {
        for (region, expected) in [
            ("us-east-1", "ssm.us-east-1.amazonaws.com"),
            ("cn-north-1", "ssm.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", "ssm.us-gov-west-1.amazonaws.com"),
            ("eusc-de-east-1", "ssm.eusc-de-east-1.amazonaws.eu"),
            ("us-iso-east-1", "ssm.us-iso-east-1.c2s.ic.gov"),
            ("us-isob-east-1", "ssm.us-isob-east-1.sc2s.sgov.gov"),
            ("eu-isoe-west-1", "ssm.eu-isoe-west-1.cloud.adc-e.uk"),
            ("us-isof-south-1", "ssm.us-isof-south-1.csp.hci.ic.gov"),
        ] {
            assert_eq!(host("ssm", region, false, false), expected);
            assert!(is_aws(expected), "{expected}");
        }
        for other in [
            "localhost",
            "ssm.us-east-1.amazonaws.com.example",
            "xamazonaws.com",
        ] {
            assert!(!is_aws(other), "{other}");
        }
    }

    #[test]
    fn fips_hosts_are_other_hosts_but_in_govcloud() {
        let fips = |service, region| host(service, region, true, false);
        assert_eq!(fips("sts", "us-east-1"), "sts-fips.us-east-1.amazonaws.com");
        assert_eq!(
            fips("sts", "us-gov-west-1"),
            "sts.us-gov-west-1.amazonaws.com"
        );
        assert_eq!(
            fips("cognito-idp", "us-gov-west-1"),
            "cognito-idp-fips.us-gov-west-1.amazonaws.com"
        );
        assert_eq!(
            fips("secretsmanager", "us-gov-west-1"),
            "secretsmanager-fips.us-gov-west-1.amazonaws.com"
        );
    }

    #[test]
    fn dual_stack_hosts_have_suffixes_of_their_own() {
        let dual = |service, region| host(service, region, true, true);
        assert_eq!(
            dual("sts", "us-gov-west-1"),
            "sts-fips.us-gov-west-1.api.aws"
        );
        assert_eq!(dual("ssm", "us-east-1"), "ssm-fips.us-east-1.api.aws");
        assert_eq!(
            dual("secretsmanager", "us-east-1"),
            "secretsmanager-fips.us-east-1.amazonaws.com"
        );
        assert_eq!(dns_suffix("cn-north-1"), "amazonaws.com.cn");
        assert_eq!(dns_suffix("us-east-1"), "amazonaws.com");
    }
}

//! What to do next about a failure, where its kind tells: the hint below an error. Owns the advice; what failed, and in whose
//! words, is the error's own business.

use crate::aws::{AwsError, Kind};
use crate::environment;
use crate::failure::Failure;
use crate::observe::NoSuchPool;

/// What to do next, where that is known.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return Some(failure.hint().to_owned());
    }
    if let Some(missing) = error.downcast_ref::<NoSuchPool>() {
        return Some(no_such_pool(missing));
    }
    let aws = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<AwsError>())?;
    by_words(aws).or_else(|| by_kind(aws))
}

const WANTS_PASSWORD: &str = "the proxy wants a user name and password: write them into HTTPS_PROXY as http://NAME:PASSWORD@HOST:PORT";

/// A pool of another account looks exactly like one that does not exist.
fn no_such_pool(missing: &NoSuchPool) -> String {
    match missing
        .pool
        .region()
        .filter(|region| *region != missing.region)
    {
        Some(region) => format!(
            "the pool's id begins with its Region, {region}: leave --region (JANE_MIGRATE_REGION) out, unless {} holds a replica of it",
            missing.region
        ),
        None => format!(
            "see whose credentials these are with `aws sts get-caller-identity`, and the account's pools with `aws cognito-idp list-user-pools --max-results 60 --region {}`; --profile chooses another account",
            missing.region
        ),
    }
}

/// Situations that services tell by their words alone, whatever kind of refusal they call it.
fn by_words(aws: &AwsError) -> Option<String> {
    let code = aws.code.strip_suffix("Exception").unwrap_or(&aws.code);
    let hint = match code {
        "CodeStorageExceeded" => {
            "the account's storage for Lambda code in this Region is full: delete old versions of functions, or ask for more in Service Quotas (Lambda, function and layer storage)"
        }
        "InvalidSmsRoleTrustRelationship" | "InvalidSmsRoleAccessPolicy" => {
            "the pool's own SMS role is broken, and Cognito checks it at every update: mend the role (or the pool's SMS settings), then run the command again"
        }
        "InvalidEmailRoleAccessPolicy" => {
            "the pool's own email settings are broken, and Cognito checks them at every update: mend the permission of its SES identity, then run the command again"
        }
        "UserImportInProgress" => {
            "users are being imported into the pool, and nothing else can change it until that is done: run the command again afterwards, or stop the import"
        }
        "FeatureUnavailableInTier" => {
            "the pool has a setting that its own feature plan no longer allows, and Cognito refuses every update of it: settle that in the console first"
        }
        "LimitExceeded" => {
            "a quota of the account is used up, which no second try changes: the message names it; ask for more in Service Quotas"
        }
        "HTTP 407" => WANTS_PASSWORD,
        "function failed" => {
            "Lambda gives the reason above: a KMS key, a subnet or a security group of [function] as a rule; mend it, then run the command again"
        }
        _ if aws.says("UnreservedConcurrentExecution") => {
            "the account would keep too little concurrency for its other functions: lower [function] reserved_concurrency or leave it out, or ask for more in Service Quotas (Lambda, concurrent executions)"
        }
        _ if aws.says("cannot be assumed by Lambda") => {
            "a fresh role takes a while to reach Lambda: run the command again; if it stays, a policy of the account changed the role's trust"
        }
        _ if aws.says("being deleted") || aws.says("deletion in progress") => {
            "it is still being deleted: run the command again in a minute"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn by_kind(aws: &AwsError) -> Option<String> {
    Some(match aws.kind {
        Kind::NoCredentials => "give credentials as to any AWS tool: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or --profile NAME, or `aws sso login` and then --profile".into(),
        Kind::BadCredentials => bad_credentials(aws).into(),
        Kind::Denied => denied(aws),
        Kind::NotFound if aws.action == "cognito-idp:DescribeUserPoolClient" => {
            "is the client one of this pool's? look at [pool] clients in the configuration".into()
        }
        Kind::Throttled => {
            "AWS takes no more of these requests at the moment, also after several tries: run the command again in a minute, finished steps are kept".into()
        }
        Kind::Unreachable => unreachable(aws),
        Kind::NoAnswer => "run the command again: it looks first, and does only what is missing".into(),
        Kind::Busy => "something else is changing this at the moment: run the command again when it is done".into(),
        Kind::Refused if aws.action == "cognito-idp:UpdateUserPool" => {
            "the pool was sent back its own settings with the trigger added, and Cognito refuses one of them: it would refuse that to any tool; the pool is as it was".into()
        }
        _ => return None,
    })
}

fn bad_credentials(aws: &AwsError) -> &'static str {
    let code = aws.code.as_str();
    if aws.says("sso") || aws.says("SSO") {
        "the SSO session has expired: `aws sso login` (with the same --profile), then run the command again"
    } else if aws.says("credentials-login") {
        "profiles of `aws login` are not read here: let the AWS CLI hand their credentials over (`credential_process = aws configure export-credentials --profile NAME` in a profile of its own), and name that one with --profile"
    } else if aws.says("AssumeRole") {
        "the profile's role cannot be assumed; where it asks for MFA, let another tool answer (`aws configure export-credentials --profile NAME --format env`) and use what it prints"
    } else if code.contains("Skewed")
        || aws.says("Signature expired")
        || aws.says("Signature not yet current")
        || code == "RequestExpired"
    {
        "the clock of this machine is off: signatures are good for five minutes; set it (`timedatectl set-ntp true`), then run the command again"
    } else if code.contains("Expired") {
        "the session has expired: log in again (`aws sso login`, or new temporary keys), then run the command again"
    } else {
        "the keys are not valid here: were they deleted, are they of another partition, or is the Region one that the account has not enabled? `aws sts get-caller-identity` tells"
    }
}

fn denied(aws: &AwsError) -> String {
    // The action that was missing need not be the call: CreateFunction wants iam:PassRole too.
    let action = aws
        .message
        .split_once("perform: ")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .map_or(aws.action, |action| action.trim_end_matches('.'));
    if aws.says("service control policy") || aws.says("resource control policy") {
        format!(
            "a policy of the organisation denies `{action}`; no grant within the account helps: ask whoever owns the organisation's policies"
        )
    } else if aws.says("permissions boundary") {
        format!("the caller's permissions boundary leaves `{action}` out: ask whoever set it")
    } else if aws.says("explicit deny") {
        format!(
            "a policy denies `{action}` explicitly, so granting it elsewhere does not help; where that policy wants MFA, get a session with it (`aws sts get-session-token --serial-number ARN --token-code CODE`), else ask its owner"
        )
    } else {
        format!(
            "grant `{action}`, then run the command again; finished steps are kept (`jane-migrate policy` prints all that is needed)"
        )
    }
}

fn unreachable(aws: &AwsError) -> String {
    if aws.says("proxy authorization required") {
        return WANTS_PASSWORD.into();
    }
    if aws.says("invalid peer certificate") {
        return match environment::var("AWS_CA_BUNDLE") {
            Some(_) => "AWS_CA_BUNDLE is not read here: name the same file in SSL_CERT_FILE",
            None => "nobody whom this machine trusts vouches for the other side: install the system's certificates (`apt install ca-certificates`); where a proxy opens TLS, name the file of its authority in SSL_CERT_FILE",
        }
        .into();
    }
    let proxies = [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    let set = |name: &&&str| environment::var(name).is_some();
    if let Some(proxy) = proxies.iter().find(set) {
        return format!(
            "{proxy} is set, so requests go through that proxy: is it the right one and running? NO_PROXY names hosts that are reached without it"
        );
    }
    if let Some(endpoint) = own_endpoint(&aws.message) {
        return format!(
            "{endpoint} is not AWS's: is it running? it was named by --endpoint-url, JANE_MIGRATE_ENDPOINT_URL, AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE> or endpoint_url in the profile; without it, AWS is asked"
        );
    }
    if aws.says("dns") || aws.says("lookup") {
        return "the service's name is not known to DNS: check the network and --region".into();
    }
    "no connection: check the network, a firewall, and --region; behind a proxy set HTTPS_PROXY"
        .into()
}

/// The endpoint that was not reached, where it is none of AWS's.
fn own_endpoint(message: &str) -> Option<&str> {
    const AWS: [&str; 6] = [
        ".amazonaws.com",
        ".amazonaws.com.cn",
        ".amazonaws.eu",
        ".api.aws",
        ".gov",
        ".cloud.adc-e.uk",
    ];
    let endpoint = message
        .split_whitespace()
        .find(|word| word.starts_with("http://") || word.starts_with("https://"))?
        .trim_end_matches(':');
    (!AWS.iter().any(|domain| endpoint.ends_with(domain))).then_some(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint_for(action: &'static str, kind: Kind, code: &str, message: &str) -> String {
        let error = AwsError {
            action,
            kind,
            code: code.into(),
            message: message.into(),
            request_id: None,
        };
        hint(&anyhow::Error::new(error).context("failed to do it")).expect("a hint")
    }

    #[test]
    fn a_role_that_stays_unusable_is_told() {
        let said = "The role defined for the function cannot be assumed by Lambda.";
        let hint = hint_for(
            "lambda:CreateFunction",
            Kind::Refused,
            "InvalidParameterValueException",
            said,
        );
        assert!(hint.contains("trust"), "{hint}");
    }

    #[test]
    fn the_missing_action_is_the_one_the_service_names() {
        let said = "User: arn:aws:iam::1:user/a is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/r because no identity-based policy allows the iam:PassRole action";
        let hint = hint_for(
            "lambda:CreateFunction",
            Kind::Denied,
            "AccessDeniedException",
            said,
        );
        assert!(hint.contains("grant `iam:PassRole`"), "{hint}");
    }

    #[test]
    fn an_endpoint_of_ones_own_is_told_from_aws() {
        let unreached = |endpoint: &str| {
            let said = format!("io error: at {endpoint}: tcp connect error: Connection refused");
            hint_for(
                "lambda:GetFunction",
                Kind::Unreachable,
                "endpoint not reached",
                &said,
            )
        };
        assert!(unreached("http://127.0.0.1:4566").contains("http://127.0.0.1:4566 is not AWS's"));
        assert!(unreached("https://lambda.us-east-1.amazonaws.com").contains("firewall"));
    }

    #[test]
    fn a_failed_function_and_one_being_deleted_are_told_apart() {
        let failed = hint_for(
            "lambda:GetFunction",
            Kind::Refused,
            "function failed",
            "KMS key is disabled",
        );
        assert!(failed.contains("reason above"), "{failed}");
        let going = hint_for(
            "lambda:CreateFunction",
            Kind::Busy,
            "ResourceConflictException",
            "The function is being deleted",
        );
        assert!(going.contains("in a minute"), "{going}");
    }
}

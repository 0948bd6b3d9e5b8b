//! The hints for failed AWS calls, chosen by the kind of failure, and by the service's message if it is more precise.

use jane_migrate_config::partition;
use jane_migrate_core::aws_error::{AwsError, Kind};
use jane_migrate_core::fix::{Fix, fix};

use crate::environment;

/// What to do next.
pub(super) fn hint(aws: &AwsError) -> Fix {
    by_words(aws).map_or_else(|| by_kind(aws), Fix::from)
}

const WANTS_PASSWORD: &str = "the proxy requires a user name and password: set HTTPS_PROXY to http://NAME:PASSWORD@HOST:PORT";

/// Cases that only the service's message shows, whatever its error code.
fn by_words(aws: &AwsError) -> Option<&'static str> {
    let code = aws.code.strip_suffix("Exception").unwrap_or(&aws.code);
    Some(match code {
        "CodeStorageExceeded" => {
            "the account's storage for Lambda code in this Region is full: delete old function versions, or request an increase in Service Quotas (Lambda, function and layer storage)"
        }
        "InvalidSmsRoleTrustRelationship" | "InvalidSmsRoleAccessPolicy" => {
            "the pool's own SMS role is broken, and Cognito checks it on every update: fix the role or the pool's SMS settings, then run the command again"
        }
        "InvalidEmailRoleAccessPolicy" => {
            "the pool's own email settings are broken, and Cognito checks them on every update: fix the permissions of its SES identity, then run the command again"
        }
        "UserImportInProgress" => {
            "a user import job is running, and the pool cannot be changed until it ends: run the command again afterwards, or stop the job"
        }
        "FeatureUnavailableInTier" => {
            "the pool has a setting that its feature plan no longer allows, and Cognito refuses every update because of it: change the setting or the plan in the console first"
        }
        "LimitExceeded" => {
            "a quota of the account is used up (the message names it), and a retry does not help: request an increase in Service Quotas"
        }
        "HTTP 407" => WANTS_PASSWORD,
        "function failed" => {
            "Lambda gives the reason above, usually a KMS key, a subnet or a security group of [function]: fix it, then run the command again"
        }
        _ if aws.says("MultiFactorAuthentication failed") => {
            "type the code that the MFA device shows now; each code works once, so wait for the next one: run the command again"
        }
        _ if aws.says("that an MFA code began is over") => {
            "run the command again, which asks for a new code; `duration_seconds` in the profile makes the session longer, up to the role's maximum"
        }
        _ if aws.says("UnreservedConcurrentExecution") => {
            "the account would have too little concurrency left for its other functions: lower [function] reserved_concurrency or remove it, or request an increase in Service Quotas (Lambda, concurrent executions)"
        }
        _ if aws.says("cannot be assumed by Lambda") => {
            "a new role takes a while to reach Lambda: run the command again; if the error stays, check whether a policy of the account changed the role's trust policy"
        }
        _ if aws.says("being deleted") || aws.says("deletion in progress") => {
            "it is still being deleted: run the command again in a minute"
        }
        _ => return None,
    })
}

fn by_kind(aws: &AwsError) -> Fix {
    match aws.kind {
        Kind::NoCredentials => no_credentials(aws),
        Kind::BadCredentials => bad_credentials(aws),
        Kind::Denied => denied(aws),
        Kind::NotFound if aws.action == "cognito-idp:DescribeUserPoolClient" => {
            "the pool has no such app client: check [pool] clients in the configuration".into()
        }
        Kind::NotFound => "it does not exist: run the command again to see what is there now".into(),
        Kind::Exists => {
            "something with this name exists already: run the command again to see it in the plan".into()
        }
        Kind::Throttled => {
            "AWS still refused this for its rate after several retries: run the command again in a minute; finished steps are kept".into()
        }
        Kind::Unreachable => unreachable(aws).into(),
        Kind::NoAnswer => {
            "run the command again: it reads what is there first, and does only what is missing".into()
        }
        Kind::Busy => {
            "something else is changing this right now: run the command again when that is done".into()
        }
        Kind::Refused if aws.action == "cognito-idp:UpdateUserPool" => {
            "the pool was sent its own settings with the trigger added, and Cognito refuses one of them, as it would from any tool: fix that setting in the console first; the pool is unchanged".into()
        }
        Kind::Refused => {
            "the service gives the reason above; if that does not help, AWS Support can look the request id up".into()
        }
    }
}

fn no_credentials(aws: &AwsError) -> Fix {
    if aws.code == "MFA code needed" {
        return fix![
            "run the command at a terminal; or type the code to the AWS CLI and use the variables that it prints, without --profile: `",
            Fix::login("configure export-credentials --format env"),
            "`; a pipeline needs a role without MFA",
        ];
    }
    if aws.says("was not defined") {
        return "list the profiles there are with `aws configure list-profiles`; --profile or AWS_PROFILE chooses one".into();
    }
    "provide credentials as for any AWS tool: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or --profile NAME; a profile with SSO needs `aws sso login --profile NAME` first".into()
}

fn bad_credentials(aws: &AwsError) -> Fix {
    let code = aws.code.as_str();
    // The message of the access portal has no name in it.
    let portal = "Session token not found or invalid";
    if aws.says("sso") || aws.says("SSO") || aws.says(portal) {
        fix![
            "the SSO session has expired: log in with `",
            Fix::login("sso login"),
            "`, then run the command again",
        ]
    } else if aws.says("Login token") || aws.says("/login/cache/") {
        fix![
            "the session of `aws login` is over: log in with `",
            Fix::login("login"),
            "`, then run the command again",
        ]
    } else if aws.says("AssumeRole") {
        fix![
            "the profile's role cannot be assumed; if it requires MFA, let the AWS CLI ask for the code and use the variables that it prints: `",
            Fix::login("configure export-credentials --format env"),
            "`",
        ]
    } else if code.contains("Skewed")
        || aws.says("Signature expired")
        || aws.says("Signature not yet current")
        || code == "RequestExpired"
    {
        "this machine's clock is wrong, and a signature is valid for five minutes: set the clock (`timedatectl set-ntp true`), then run the command again".into()
    } else if code.contains("Expired") {
        fix![
            "the session has expired: log in again (`",
            Fix::login("sso login"),
            "`, or new temporary keys), then run the command again",
        ]
    } else {
        fix![
            "the access key is not valid here: it was deleted, it belongs to another partition, or the account has not enabled this Region; check it with `",
            Fix::aws("sts get-caller-identity"),
            "`",
        ]
    }
}

fn denied(aws: &AwsError) -> Fix {
    // The missing action need not be the call: CreateFunction also needs iam:PassRole.
    let action = aws
        .message
        .split_once("perform: ")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .map_or(aws.action, |action| action.trim_end_matches('.'));
    if aws.says("service control policy") || aws.says("resource control policy") {
        format!(
            "a policy of the organisation denies `{action}`, and no grant within the account helps: ask the owners of the organisation's policies"
        )
        .into()
    } else if aws.says("permissions boundary") {
        format!(
            "the caller's permissions boundary does not include `{action}`: ask its owner to add it"
        )
        .into()
    } else if aws.says("explicit deny") {
        format!(
            "a policy denies `{action}` explicitly, so granting it elsewhere does not help; if that policy requires MFA, get a session with MFA (`aws sts get-session-token --serial-number ARN --token-code CODE`), otherwise ask its owner"
        )
        .into()
    } else {
        // `policy` also reads the pool, unless the account is given.
        let account = (action == "cognito-idp:DescribeUserPool").then(|| account(&aws.message));
        fix![
            format!("grant `{action}`, then run the command again; finished steps are kept; `"),
            Fix::policy(account.flatten()),
            "` prints all that is needed",
        ]
    }
}

/// The caller's account, from an ARN in the message.
fn account(message: &str) -> Option<&str> {
    let arn = message
        .split_whitespace()
        .find(|word| word.starts_with("arn:"))?;
    let account = arn.split(':').nth(4)?;
    (account.len() == 12).then_some(account)
}

fn unreachable(aws: &AwsError) -> String {
    if aws.says("proxy authorization required") {
        return WANTS_PASSWORD.into();
    }
    if aws.says("invalid peer certificate") {
        return match environment::var("AWS_CA_BUNDLE") {
            Some(_) => "AWS_CA_BUNDLE is set, and none of its certificates vouches for the server: add the one of its authority to that file",
            None => "the server's TLS certificate is not trusted: install the system's certificates (`apt install ca-certificates`); if a proxy opens TLS, set SSL_CERT_FILE to the file of its certificate authority",
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
            "{proxy} is set, so requests go through that proxy: check that it is the right one and running; NO_PROXY names hosts to reach without it"
        );
    }
    if let Some(endpoint) = own_endpoint(&aws.message) {
        return format!(
            "{endpoint} is not an AWS endpoint: check that it is running; it comes from --endpoint-url, JANE_MIGRATE_ENDPOINT_URL, AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE> or endpoint_url in the profile, and without these AWS is called"
        );
    }
    if aws.says("dns") || aws.says("lookup") {
        return "DNS does not know the service's name: check the network and --region".into();
    }
    "no connection: check the network, the firewall and --region; behind a proxy, set HTTPS_PROXY"
        .into()
}

/// The endpoint that was not reached, if it is not AWS's.
fn own_endpoint(message: &str) -> Option<&str> {
    let endpoint = message
        .split_whitespace()
        .find(|word| word.starts_with("http://") || word.starts_with("https://"))?
        .trim_end_matches(':');
    (!partition::is_aws(endpoint)).then_some(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    use jane_migrate_core::fix::Flags;

    use crate::error::Error;

    fn hint_for(action: &'static str, kind: Kind, code: &str, message: &str) -> String {
        let error = AwsError {
            action,
            kind,
            code: code.into(),
            message: message.into(),
            request_id: None,
        };
        let error = Error::from(error).context("failed to do it");
        error.advice()
    }

    #[test]
    fn a_role_that_stays_unusable_has_a_hint() {
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
    fn the_policy_hint_is_for_the_current_command() {
        let given = Flags::default().of_command(" --pool us-east-1_Ab1".into(), Some("status"));
        let hint = |action: &str| {
            let said = format!(
                "User: arn:aws:iam::123456789012:user/a is not authorized to perform: {action} on resource: *"
            );
            let error = AwsError::ours("logs:FilterLogEvents", Kind::Denied, "AccessDenied", said);
            Error::from(error).hints()[0].render(&given)
        };
        let log = hint("logs:FilterLogEvents");
        assert!(
            log.contains("`jane-migrate policy --for status --pool us-east-1_Ab1`"),
            "{log}"
        );
        // `policy` without an account would read the pool itself.
        let pool = hint("cognito-idp:DescribeUserPool");
        assert!(
            pool.contains("--pool us-east-1_Ab1 --account 123456789012`"),
            "{pool}"
        );
    }

    #[test]
    fn every_kind_has_a_hint() {
        use Kind::*;
        for kind in [
            NotFound,
            Denied,
            Exists,
            Busy,
            Throttled,
            NoCredentials,
            BadCredentials,
            Unreachable,
            NoAnswer,
            Refused,
        ] {
            assert!(
                !hint_for("lambda:GetFunction", kind, "Code", "words").is_empty(),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_custom_endpoint_is_distinguished_from_aws() {
        let unreached = |endpoint: &str| {
            let said = format!("io error: at {endpoint}: tcp connect error: Connection refused");
            hint_for(
                "lambda:GetFunction",
                Kind::Unreachable,
                "endpoint not reached",
                &said,
            )
        };
        assert!(
            unreached("http://127.0.0.1:4566")
                .contains("http://127.0.0.1:4566 is not an AWS endpoint")
        );
        assert!(unreached("https://lambda.us-east-1.amazonaws.com").contains("firewall"));
    }

    #[test]
    fn a_failed_function_and_one_being_deleted_have_different_hints() {
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

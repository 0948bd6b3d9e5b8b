//! How an error is shown: what failed, its causes, and a hint that says the next thing to do.

use std::fmt::Write;

use super::Styles;
use crate::artifact;
use crate::aws::{AwsError, Kind};

/// The error with its causes and, where one is known, a hint.
pub fn render(error: &anyhow::Error, styles: &Styles) -> String {
    let mut text = format!("{}: {error}", styles.bad.apply_to("error"));
    for cause in error.chain().skip(1) {
        let _ = write!(text, "\n  caused by: {cause}");
    }
    if let Some(hint) = hint(error) {
        let _ = write!(text, "\n\n{}: {hint}", styles.strong.apply_to("hint"));
    }
    text
}

/// What to do next, where the failed AWS call tells.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(artifact) = error.downcast_ref::<artifact::Error>() {
        return Some(artifact.hint().to_owned());
    }
    let aws = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<AwsError>())?;
    let hint = match aws.kind {
        Kind::NoCredentials => {
            "give credentials as for any AWS tool: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or --profile NAME, or `aws sso login`".into()
        }
        Kind::BadCredentials => {
            "the credentials have expired or are not valid for this account; log in again (`aws sso login`, or new keys) and run the command again".into()
        }
        Kind::Denied if aws.says("explicit deny") => format!(
            "a policy denies `{}` explicitly; granting it elsewhere does not help, ask whoever owns that policy",
            aws.action
        ),
        Kind::Denied => format!("grant `{}`, then run the command again; finished steps are kept", aws.action),
        Kind::NotFound if aws.action == "cognito-idp:DescribeUserPool" => {
            "is the pool in this account and Region? the id begins with its Region; --region and --profile choose others".into()
        }
        Kind::NotFound if aws.action == "cognito-idp:DescribeUserPoolClient" => {
            "is the client one of this pool's? look at [pool] clients in the configuration".into()
        }
        Kind::Throttled => "AWS takes no more of these requests at the moment; run the command again in a minute, finished steps are kept".into(),
        Kind::Unreachable => "no connection: check the network, a proxy (HTTPS_PROXY), --region and --endpoint-url".into(),
        Kind::NoAnswer => "run the command again: it looks first, and does only what is missing".into(),
        Kind::Busy => "something else is changing this at the moment; run the command again when it is done".into(),
        _ if aws.says("DeletionProtection") => return None,
        _ if aws.says("InvalidSmsRole") || aws.code.contains("SmsRole") => {
            "the pool's own SMS role is broken, and Cognito checks it at every update; mend the role (or the pool's SMS settings) first".into()
        }
        _ => return None,
    };
    Some(hint)
}

//! KMS keys of another Region, which AWS rejects. The file alone may not show this: `--pool` may set the pool, and with it the
//! Region.

use jane_migrate_config::{Arn, Config, Secret};

use super::change::{Plan, Resource};
use crate::ids::Names;

/// Rejects each key that is in another Region than what it encrypts.
pub(super) fn check(plan: &mut Plan, names: &Names, config: Option<&Config>) {
    let Some(config) = config else { return };
    let own = names.pool.region.as_str();
    let elsewhere = |key: &str| {
        let key = key.parse::<Arn>().ok()?;
        (key.region != own).then_some(key.region)
    };
    if let Some(other) = config
        .function
        .log_kms_key_arn
        .as_deref()
        .and_then(elsewhere)
    {
        plan.conflict(
            Resource::LogGroup,
            &names.log_group,
            format!(
                "its KMS key is in {other}, and CloudWatch takes one in {own}, where the log is"
            ),
            format!("name a key in {own} as [function] log_kms_key_arn"),
        );
    }
    if let Some(other) = config.function.kms_key_arn.as_deref().and_then(elsewhere) {
        plan.conflict(
            Resource::Function,
            &names.function,
            format!(
                "its KMS key is in {other}, and Lambda takes one in {own}, where the function is"
            ),
            format!("name a key in {own} as [function] kms_key_arn"),
        );
    }
    for (member, secret) in config.secrets() {
        // A secret of Secrets Manager has its Region in its ARN, so the file's parser has compared them.
        if let Secret::Ssm {
            kms_key: Some(key), ..
        } = secret
            && let Some(other) = elsewhere(key)
        {
            plan.conflict(
                Resource::Role,
                &names.role,
                format!("the KMS key of {member} is in {other}, and the parameter in {own}"),
                format!("name the key in {own} that encrypts the parameter"),
            );
        }
    }
}

//! The file's references to secrets: `{ ssm = "/path" }` and similar.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{check, table::Table};
use crate::Arn;

/// What a secret must look like.
pub(super) const SECRET_FORMS: &str = "a secret is named, never written: { secretsmanager = \"arn:...\" } (with `key` for one key \
     of a JSON secret), { ssm = \"/path\" } (both with `kms_key` for a key of your own) or { env = \"NAME\" }";

/// A reference to a secret. The file never contains the secret itself.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct SecretForms {
    /// The ARN of a secret of AWS Secrets Manager.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(
            pattern = "^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^ *?]+$"
        ))
    )]
    secretsmanager: Option<String>,
    /// With `secretsmanager`: the key of the value, if the secret is a JSON object.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    key: Option<String>,
    /// The name of a parameter of the SSM parameter store.
    #[cfg_attr(
        feature = "schema",
        schemars(
            length(max = 1011),
            regex(pattern = "^(/?[A-Za-z0-9_.-]+|(/[A-Za-z0-9_.-]+){2,15})$"),
            extend("not" = {"pattern": "^/?([Aa][Ww][Ss]|[Ss][Ss][Mm])"})
        )
    )]
    ssm: Option<String>,
    /// With `secretsmanager` and `ssm`: the ARN of the customer managed KMS key that encrypts it.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = "^arn:aws[a-z-]*:kms:[a-z0-9-]*:[0-9]{12}:key/[^ *?]+$"))
    )]
    kms_key: Option<String>,
    /// The name of an environment variable. Deploy reads it and stores its value in the function's environment.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = "^[A-Za-z][A-Za-z0-9_]+$"), extend("not" = {"pattern": "^(AWS_|LAMBDA_|JANE_MIGRATE_)"}))
    )]
    env: Option<String>,
}

/// Checks a secret reference, and gives it [`crate::Secret`]'s form in JSON. No message repeats the file's text, because it may
/// be the secret itself.
pub(super) fn as_json(table: &Table<'_, '_>, forms: SecretForms) -> Value {
    let named = ["secretsmanager", "ssm", "env"];
    let named = named.into_iter().filter(|key| table.has(key)).count();
    let key_of_none = table.has("key") && !table.has("secretsmanager");
    if named != 1 || key_of_none || (table.has("kms_key") && table.has("env")) {
        table.problem(SECRET_FORMS);
    }
    let example = "arn:aws:secretsmanager:us-east-1:123456789012:secret:jane-AbCdEf";
    table.text("secretsmanager", |arn| {
        check::arn(arn, "secretsmanager", "secret:", example)
    });
    table.text("key", check::not_empty);
    table.text("ssm", check::parameter);
    table.text("kms_key", check::kms_key);
    let region = |key: &str| Some(table.str(key)?.parse::<Arn>().ok()?.region);
    if let (Some(own), Some(other)) = (region("secretsmanager"), region("kms_key"))
        && own != other
        && let Some(node) = table.get("kms_key")
    {
        let message =
            format_args!("`kms_key` must be in {own}, where the secret is, not in {other}");
        table.problem_at(node.span(), message);
    }
    table.text("env", check::variable);
    let kms_key = forms.kms_key;
    match (forms.secretsmanager, forms.ssm) {
        // An invalid ARN was already reported.
        (Some(arn), _) if arn.parse::<Arn>().is_ok() => {
            json!({ "secretsmanager": { "arn": arn, "key": forms.key, "kms_key": kms_key } })
        }
        (_, Some(name)) => json!({ "ssm": { "name": name, "kms_key": kms_key } }),
        _ => json!({ "env": forms.env.unwrap_or_default() }),
    }
}

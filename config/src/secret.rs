//! Where a secret is stored. The value itself never passes through this crate.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Arn;

/// A reference to a secret: safe to print, to store and to compare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Secret {
    /// A secret of AWS Secrets Manager.
    SecretsManager {
        /// The secret's ARN.
        arn: Arn,
        /// The key to read, if the secret is a JSON object.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The customer managed key it is encrypted with; `None` means AWS's own. The handler does not use it.
        #[serde(default, skip_serializing)]
        kms_key: Option<String>,
    },
    /// A parameter of the SSM parameter store.
    Ssm {
        /// Its name.
        name: String,
        /// The customer managed key it is encrypted with; `None` means AWS's own. The handler does not use it.
        #[serde(default, skip_serializing)]
        kms_key: Option<String>,
    },
    /// An environment variable: the operator's at deploy, the function's afterwards.
    Env(String),
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecretsManager { arn, key: None, .. } => write!(f, "secret {arn}"),
            Self::SecretsManager {
                arn,
                key: Some(key),
                ..
            } => write!(f, "key {key} of secret {arn}"),
            Self::Ssm { name, .. } => write!(f, "parameter {name}"),
            Self::Env(name) => write!(f, "environment variable {name}"),
        }
    }
}

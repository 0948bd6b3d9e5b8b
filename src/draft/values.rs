//! Values in the form of the file: quoted text, and where a secret is stored.

use jane_migrate_config::Arn;
use jane_migrate_core::fix;

/// Where a secret is stored. A draft never has the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In Secrets Manager, under this ARN.
    SecretsManager(String),
    /// In the SSM parameter store, under this name.
    Ssm(String),
    /// In this environment variable of the operator.
    Environment(String),
}

impl Place {
    /// The place that this text names, recognised by its form; a secret that was typed by mistake is rejected.
    pub fn at(place: &str) -> Option<Self> {
        let variable = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if place.starts_with("arn:") {
            Some(Self::SecretsManager(place.to_owned()))
        } else if place.starts_with('/') {
            Some(Self::Ssm(place.to_owned()))
        } else if place.contains('_') && place.chars().all(variable) {
            Some(Self::Environment(place.to_owned()))
        } else {
            None
        }
    }

    /// The service that stores it.
    pub fn service(&self) -> &'static str {
        match self {
            Self::SecretsManager(_) => "Secrets Manager",
            Self::Ssm(_) => "SSM",
            Self::Environment(_) => "the environment",
        }
    }

    /// The command that stores the secret, which is typed without echo and stored without a line break. `None` for an
    /// environment variable. `region` is the pool's.
    pub fn command(&self, region: &str) -> Option<String> {
        let put = match self {
            Self::SecretsManager(arn) => {
                let of_arn = arn.parse::<Arn>().ok().map(|arn| arn.region);
                let region = of_arn.as_deref().unwrap_or(region);
                let (region, arn) = (fix::quoted(region), fix::quoted(arn));
                format!(
                    "secretsmanager put-secret-value --region {region} --secret-id {arn} --secret-string"
                )
            }
            Self::Ssm(name) => {
                let (region, name) = (fix::quoted(region), fix::quoted(name));
                format!(
                    "ssm put-parameter --region {region} --type SecureString --name {name} --value"
                )
            }
            Self::Environment(_) => return None,
        };
        Some(format!(
            "IFS= read -rs SECRET && printf %s \"$SECRET\" | aws {put} file:///dev/stdin; unset SECRET"
        ))
    }

    /// The reference in the file.
    pub(super) fn render(&self) -> String {
        let (key, place) = match self {
            Self::SecretsManager(arn) => ("secretsmanager", arn),
            Self::Ssm(name) => ("ssm", name),
            Self::Environment(name) => ("env", name),
        };
        format!("{{ {key} = {} }}", quoted(place))
    }
}

/// A TOML string. TOML has JSON's escapes, and also needs DEL escaped.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secrets_place_is_recognised_by_its_form() {
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";
        assert_eq!(Place::at(arn), Some(Place::SecretsManager(arn.into())));
        assert_eq!(
            Place::at("/jane/secret"),
            Some(Place::Ssm("/jane/secret".into()))
        );
        assert_eq!(
            Place::at("JANE_SECRET"),
            Some(Place::Environment("JANE_SECRET".into()))
        );
        for secret in ["", "hunter2", "SECRET", "jane_secret", "S3CRET!_X"] {
            assert_eq!(Place::at(secret), None, "{secret}");
        }
    }

    #[test]
    fn the_command_stores_the_secret_where_it_is_read() {
        let command = |place: Place| place.command("us-east-1");
        let in_ssm = command(Place::Ssm("/jane/it's".into())).unwrap();
        assert!(in_ssm.contains("--region us-east-1 "), "{in_ssm}");
        assert!(in_ssm.contains("--name \"/jane/it's\" --value"), "{in_ssm}");
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";
        let in_manager = command(Place::SecretsManager(arn.into())).unwrap();
        // The ARN's Region, not the pool's.
        assert!(
            in_manager.contains(&format!("--region eu-west-1 --secret-id {arn}")),
            "{in_manager}"
        );
        assert_eq!(command(Place::Environment("JANE_SECRET".into())), None);
    }

    #[test]
    fn quoted_text_is_one_toml_string() {
        assert_eq!(quoted("a \"b\"\n\u{7f}"), r#""a \"b\"\n\u007F""#);
    }
}

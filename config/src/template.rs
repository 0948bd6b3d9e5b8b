//! Templates: text with `{placeholders}`, for requests to HTTP directories.

use std::fmt;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Literal text.
    Text(String),
    /// A value that is filled in.
    Placeholder(Placeholder),
}

/// The placeholders of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `{username}`: the typed name, in the form of `[response] username`.
    Username,
    /// `{password}`
    Password,
    /// `{client_id}`: the app client the user signs in with.
    ClientId,
    /// `{validation.KEY}`: from the event's `validationData`.
    Validation(String),
    /// `{metadata.KEY}`: from the event's `clientMetadata`.
    Metadata(String),
    /// `{attributes.NAME}`: an attribute of the user who migrates; only for `[on_migrated]`.
    Attribute(String),
    /// `{settings.KEY}`: from `[directory.settings]`.
    Setting(String),
    /// `{secrets.KEY}`: the value of a secret of `[directory.secrets]`.
    Secret(String),
}

impl Placeholder {
    fn parse(name: &str) -> Option<Self> {
        Some(match name.split_once('.') {
            None => match name {
                "username" => Self::Username,
                "password" => Self::Password,
                "client_id" => Self::ClientId,
                _ => return None,
            },
            Some((_, "")) => return None,
            Some(("validation", key)) => Self::Validation(key.to_owned()),
            Some(("metadata", key)) => Self::Metadata(key.to_owned()),
            Some(("attributes", key)) => Self::Attribute(key.to_owned()),
            Some(("settings", key)) => Self::Setting(key.to_owned()),
            Some(("secrets", key)) => Self::Secret(key.to_owned()),
            Some(_) => return None,
        })
    }
}

/// Parses a template. Braces have no other use, so one that encloses no known placeholder is an error.
pub fn parse(template: &str) -> Result<Vec<Part>, InvalidTemplate> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let invalid = || InvalidTemplate(rest[open..].chars().take(40).collect());
        let close = open + rest[open..].find('}').ok_or_else(invalid)?;
        let placeholder = Placeholder::parse(&rest[open + 1..close])
            .ok_or_else(|| InvalidTemplate(rest[open..=close].to_owned()))?;
        if open > 0 {
            parts.push(Part::Text(rest[..open].to_owned()));
        }
        parts.push(Part::Placeholder(placeholder));
        rest = &rest[close + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

/// The error for an unknown placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTemplate(String);

impl fmt::Display for InvalidTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no placeholder; there are {{username}}, {{password}}, {{client_id}}, {{validation.KEY}}, \
             {{metadata.KEY}}, {{settings.KEY}} and {{secrets.KEY}}",
            self.0
        )
    }
}

impl std::error::Error for InvalidTemplate {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_split_into_text_and_placeholders() {
        let parts = parse("/users/{username}/by/{settings.realm}").unwrap();
        assert_eq!(
            parts,
            [
                Part::Text("/users/".into()),
                Part::Placeholder(Placeholder::Username),
                Part::Text("/by/".into()),
                Part::Placeholder(Placeholder::Setting("realm".into())),
            ]
        );
        assert_eq!(parse(""), Ok(vec![]));
    }

    #[test]
    fn an_unknown_placeholder_is_rejected() {
        for template in [
            "{user}",
            "{",
            "a{username",
            "{}",
            "{secrets.}",
            "{ username }",
            "{other.key}",
        ] {
            assert!(parse(template).is_err(), "{template}");
        }
    }
}

//! The right-hand side of `[attributes]`: where the value of a Cognito attribute comes from.

/// Where an attribute's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `field`: a field of the directory's user.
    Field(String),
    /// `/a/b`: a JSON pointer into the directory's user.
    Pointer(String),
    /// `=text`: always this text; an empty text leaves the attribute out.
    Literal(String),
    /// `{username}`: the typed name, in the form of `[response] username`.
    Username,
    /// `{uuid}`: an id made from the pool and the name, the same at every attempt; for the `username` of pools whose
    /// users sign in with an alias.
    Uuid,
}

impl Source {
    /// The sources to try in order: `"given_name | firstName"`.
    pub fn alternatives(text: &str) -> impl Iterator<Item = Self> {
        let literal = text.starts_with('=');
        text.split(move |c| c == '|' && !literal)
            .map(|alternative| Self::from(alternative.trim()))
    }

    fn from(text: &str) -> Self {
        match text {
            "{username}" => Self::Username,
            "{uuid}" => Self::Uuid,
            _ => match text.strip_prefix('=') {
                Some(literal) => Self::Literal(literal.trim().to_owned()),
                None if text.starts_with('/') => Self::Pointer(text.to_owned()),
                None => Self::Field(text.to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alternative_is_a_source_of_its_own_and_a_literal_has_none() {
        let sources = |text: &str| Source::alternatives(text).collect::<Vec<_>>();
        let field = |name: &str| Source::Field(name.into());
        assert_eq!(
            sources("given_name | firstName|/name/first"),
            [
                field("given_name"),
                field("firstName"),
                Source::Pointer("/name/first".into())
            ]
        );
        assert_eq!(sources("=a | b"), [Source::Literal("a | b".into())]);
        assert_eq!(
            sources("{username} | {uuid}"),
            [Source::Username, Source::Uuid]
        );
    }
}

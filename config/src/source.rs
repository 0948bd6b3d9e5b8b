//! The right-hand side of `[attributes]`: where the value of a Cognito attribute comes from.

/// Where an attribute's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `field`: a member of the directory's user.
    Field(String),
    /// `/a/b`: a JSON pointer into the directory's user.
    Pointer(String),
    /// `=text`: always this text; with nothing after `=`, the attribute is left out.
    Literal(String),
    /// `{username}`: the name that was typed, as `[response] username` reads it.
    Username,
    /// `{uuid}`: an id made from the pool and the name, the same at every attempt; for the `username` of pools in which
    /// people sign in with an alias.
    Uuid,
}

impl Source {
    /// The places to look in, one after the other: `"given_name | firstName"`.
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

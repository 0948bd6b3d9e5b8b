//! The commands that are printed. They carry the flags that were given, so that each runs as it stands.

use std::fmt;

/// The global flags that were given, as a shell takes them: each after a space.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    ours: String,
    aws: String,
}

impl Flags {
    /// `config` is the file of `--config`; `shared` are the flags that the AWS command line understands too.
    pub fn new(config: Option<&str>, shared: &[(&str, Option<&str>)]) -> Self {
        let mut flags = Self::default();
        if let Some(config) = config {
            flags.ours = format!(" --config {}", quoted(config));
        }
        for (flag, value) in shared {
            if let Some(value) = value {
                let flag = format!(" {flag} {}", quoted(value));
                flags.ours.push_str(&flag);
                flags.aws.push_str(&flag);
            }
        }
        flags
    }

    /// A command of ours for this pool.
    pub fn ours(&self, command: &str, pool: &str) -> String {
        self.command(&format!("{command} --pool {pool}"))
    }

    /// A command of ours that names what it is about itself.
    pub fn command(&self, command: &str) -> String {
        format!("jane-migrate {command}{}", self.ours)
    }

    /// A command of AWS's command line.
    pub fn aws(&self, command: impl fmt::Display) -> String {
        format!("aws {command}{}", self.aws)
    }
}

/// One word of a shell. A NUL, which no shell can take, cannot come from a command line.
pub fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word() {
        for word in ["us-east-1", "a b", "it's", "$(x)", "", "a\"b`c"] {
            assert_eq!(shlex::split(&quoted(word)), Some(vec![word.to_owned()]));
        }
        assert_eq!(quoted("us-east-1"), "us-east-1");
    }
}

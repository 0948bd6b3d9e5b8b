//! What mends a finding, as a value: words, and commands without the global flags. [`Fix::render`] is the one place that writes it
//! out, with the flags that were given, so that each printed command runs as it stands.

use std::fmt;

use crate::ids::PoolId;

/// What mends a finding or conflict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fix(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A command of ours up to the global flags, and what follows them.
    Ours(String, String),
    /// A command of AWS's command line, without the global flags.
    Aws(String),
}

impl Fix {
    /// A command of ours for a pool; `more` are flags of this command, each after a space.
    pub fn ours(command: &str, pool: &PoolId, more: &str) -> Self {
        Self::command(&format!("{command} --pool {pool}"), more)
    }

    /// A command of ours that names what it is about itself.
    pub fn command(command: &str, more: &str) -> Self {
        Self(vec![Part::Ours(command.to_owned(), more.to_owned())])
    }

    /// A command of AWS's command line.
    pub fn aws(command: impl fmt::Display) -> Self {
        Self(vec![Part::Aws(command.to_string())])
    }

    /// This, and then that.
    pub fn and(mut self, more: impl Into<Self>) -> Self {
        self.0.extend(more.into().0);
        self
    }

    /// As people read it: every command with the flags that were given.
    pub fn render(&self, flags: &Flags) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Ours(command, more) => format!("{}{more}", flags.command(command)),
                Part::Aws(command) => flags.aws(command),
            })
            .collect()
    }
}

impl From<&str> for Fix {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Fix {
    fn from(text: String) -> Self {
        Self(vec![Part::Text(text)])
    }
}

/// Texts and commands, one after the other.
macro_rules! fix {
    ($first:expr $(, $more:expr)* $(,)?) => {
        $crate::fix::Fix::from($first)$(.and($more))*
    };
}
pub(crate) use fix;

/// The global flags that were given, as a shell takes them: each after a space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

    /// As a fixture has them.
    #[cfg(test)]
    pub(crate) fn recorded(ours: &str, aws: &str) -> Self {
        Self {
            ours: ours.to_owned(),
            aws: aws.to_owned(),
        }
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

    #[test]
    fn each_command_carries_the_flags_that_it_understands() {
        let flags = Flags::new(
            Some("my shop.toml"),
            &[("--region", Some("eu-west-1")), ("--profile", None)],
        );
        let pool = "us-east-1_Ab1".parse().unwrap();
        let fix = fix![
            "run `",
            Fix::ours("deploy", &pool, " --replace"),
            "`, or `",
            Fix::aws("lambda get-function"),
            "`",
        ];
        assert_eq!(
            fix.render(&flags),
            "run `jane-migrate deploy --pool us-east-1_Ab1 --config 'my shop.toml' --region eu-west-1 --replace`, \
             or `aws lambda get-function --region eu-west-1`"
        );
    }
}

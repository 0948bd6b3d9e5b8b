//! The fix of a finding or an error, as a value: text, and commands without the global flags. Only [`Fix::render`] renders it,
//! with the given flags, so that each printed command runs as it stands.

use std::fmt;

use crate::ids::PoolId;

/// The fix of a finding, a conflict or an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fix(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A command of this program up to the global flags, and what follows them.
    Ours(String, String),
    /// A command of the AWS CLI, without the global flags.
    Aws(String),
    /// The same in another Region.
    AwsIn(String, String),
    /// The same for credentials: only the profile flag applies.
    Login(String),
    /// The command that prints the policy for the current command; if the account is known, without a call to AWS.
    Policy(Option<String>),
}

impl Fix {
    /// A command of this program for a pool; `more` are its own flags, each after a space.
    pub fn ours(command: &str, pool: &PoolId, more: &str) -> Self {
        Self::command(&format!("{command} --pool {pool}"), more)
    }

    /// A command of this program that contains its pool, if it needs one.
    pub fn command(command: &str, more: &str) -> Self {
        Self(vec![Part::Ours(command.to_owned(), more.to_owned())])
    }

    /// A command of the AWS CLI.
    pub fn aws(command: impl fmt::Display) -> Self {
        Self(vec![Part::Aws(command.to_string())])
    }

    /// A command of the AWS CLI, in this Region.
    pub fn aws_in(region: &str, command: impl fmt::Display) -> Self {
        Self(vec![Part::AwsIn(region.to_owned(), command.to_string())])
    }

    /// A command of the AWS CLI about credentials.
    pub fn login(command: &str) -> Self {
        Self(vec![Part::Login(command.to_owned())])
    }

    /// The command that prints the policy for the current command; if the account is known, without a call to AWS.
    pub fn policy(account: Option<&str>) -> Self {
        Self(vec![Part::Policy(account.map(str::to_owned))])
    }

    /// This, followed by `more`.
    pub fn and(mut self, more: impl Into<Self>) -> Self {
        self.0.extend(more.into().0);
        self
    }

    /// The text for people: every command with the given flags.
    pub fn render(&self, flags: &Flags) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Ours(command, more) => format!("{}{more}", flags.command(command)),
                Part::Aws(command) => flags.aws(command),
                Part::AwsIn(region, command) => {
                    format!(
                        "aws {command} --region {}{}",
                        quoted(region),
                        flags.elsewhere
                    )
                }
                Part::Login(command) => format!("aws {command}{}", flags.profile),
                Part::Policy(account) => flags.policy(account.as_deref()),
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

/// Texts and commands in sequence.
#[macro_export]
macro_rules! fix {
    ($first:expr $(, $more:expr)* $(,)?) => {
        $crate::fix::Fix::from($first)$(.and($more))*
    };
}
pub use fix;

/// The given flags that other commands need, in shell syntax: each after a space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// For commands of this program.
    ours: String,
    /// For the AWS CLI.
    aws: String,
    /// The same without the Region.
    elsewhere: String,
    /// Only the profile.
    profile: String,
    /// The flags that select pools.
    pools: String,
    /// The name of the current command in `policy --for`.
    duty: Option<&'static str>,
}

impl Flags {
    /// `ours` are flags of this program only; `shared` are the flags that the AWS CLI also has.
    pub fn new(ours: &[(&str, Option<&str>)], shared: &[(&str, Option<&str>)]) -> Self {
        let mut flags = Self::default();
        let given =
            |(flag, value): &(&str, Option<&str>)| Some(format!(" {flag} {}", quoted((*value)?)));
        flags.ours.extend(ours.iter().filter_map(given));
        for (flag, value) in shared {
            let Some(words) = given(&(flag, *value)) else {
                continue;
            };
            flags.ours.push_str(&words);
            flags.aws.push_str(&words);
            if *flag != "--region" {
                flags.elsewhere.push_str(&words);
            }
            if *flag == "--profile" {
                flags.profile.push_str(&words);
            }
        }
        flags
    }

    /// The same for a pool whose profile is in the configuration: the AWS CLI needs it as a flag.
    #[must_use]
    pub fn as_profile(mut self, profile: Option<&str>) -> Self {
        if let Some(profile) = profile {
            let words = format!(" --profile {}", quoted(profile));
            for commands in [&mut self.aws, &mut self.elsewhere, &mut self.profile] {
                commands.push_str(&words);
            }
        }
        self
    }

    /// With values of some commands only: the flags that select pools, and the name in `policy --for`.
    pub fn of_command(self, pools: String, duty: Option<&'static str>) -> Self {
        Self {
            pools,
            duty,
            ..self
        }
    }

    /// The flags of a fixture.
    #[cfg(test)]
    pub(crate) fn recorded(ours: &str, aws: &str) -> Self {
        Self {
            ours: ours.to_owned(),
            aws: aws.to_owned(),
            ..Self::default()
        }
    }

    /// A command of this program for this pool.
    pub fn ours(&self, command: &str, pool: &str) -> String {
        self.command(&format!("{command} --pool {pool}"))
    }

    /// A command of this program that contains its pool, if it needs one.
    pub fn command(&self, command: &str) -> String {
        format!("jane-migrate {command}{}", self.ours)
    }

    /// A command of this program for the selected pools.
    pub fn for_pools(&self, command: &str) -> String {
        self.command(&format!("{command}{}", self.pools))
    }

    fn policy(&self, account: Option<&str>) -> String {
        let duty = self
            .duty
            .map_or_else(String::new, |duty| format!(" --for {duty}"));
        let account = account.map_or_else(String::new, |account| format!(" --account {account}"));
        self.command(&format!("policy{duty}{}{account}", self.pools))
    }

    /// A command of the AWS CLI.
    pub fn aws(&self, command: impl fmt::Display) -> String {
        format!("aws {command}{}", self.aws)
    }
}

/// One word of a shell. A NUL, which no shell accepts, cannot come from a command line.
pub fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_stays_one_word() {
        for word in ["us-east-1", "a b", "it's", "$(x)", "", "a\"b`c"] {
            assert_eq!(shlex::split(&quoted(word)), Some(vec![word.to_owned()]));
        }
        assert_eq!(quoted("us-east-1"), "us-east-1");
    }

    #[test]
    fn each_command_gets_only_flags_that_it_has() {
        let flags = Flags::new(
            &[("--config", Some("my shop.toml")), ("--timeout", None)],
            &[("--region", Some("eu-west-1")), ("--profile", Some("shop"))],
        )
        .of_command(" --pool us-east-1_Ab1".into(), Some("status"));
        let pool = "us-east-1_Ab1".parse().unwrap();
        for (fix, expected) in [
            (
                fix!["run `", Fix::ours("deploy", &pool, " --replace"), "`"],
                "run `jane-migrate deploy --pool us-east-1_Ab1 --config 'my shop.toml' --region eu-west-1 --profile shop --replace`",
            ),
            (
                Fix::aws("iam list-roles"),
                "aws iam list-roles --region eu-west-1 --profile shop",
            ),
            (
                Fix::aws_in("us-east-1", "iam list-roles"),
                "aws iam list-roles --region us-east-1 --profile shop",
            ),
            (Fix::login("sso login"), "aws sso login --profile shop"),
            (
                Fix::policy(Some("123456789012")),
                "jane-migrate policy --for status --pool us-east-1_Ab1 --account 123456789012 --config 'my shop.toml' --region eu-west-1 --profile shop",
            ),
        ] {
            assert_eq!(fix.render(&flags), expected);
        }
    }

    #[test]
    fn a_command_for_a_pool_names_it() {
        assert_eq!(
            Flags::default().ours("deploy", "us-east-1_Ab1"),
            "jane-migrate deploy --pool us-east-1_Ab1"
        );
    }
}

//! Repeats the flags of the command line in the commands that are printed.

use std::path::Path;

use jane_migrate_core::document::Decision;
use jane_migrate_core::fix::{Flags, quoted};
use jane_migrate_core::record::Place;

use super::{
    Allow, Cli, Command, Connect, Deploy, Global, INTERFACE_WAIT_S, Import, Plan, Pools, Remaining,
    Restore, Rollback, Teardown, Try,
};
use crate::policy::Duty;

impl Cli {
    /// The given flags, for the commands that are printed.
    pub fn flags(&self) -> Flags {
        let (pools, duty) = match &self.command {
            Command::Plan(args) => (args.pools.words(), Some(Duty::Plan)),
            Command::Deploy(args) => (args.pools.words(), Some(Duty::Deploy)),
            Command::Verify(args) if args.probe => (args.pools.words(), Some(Duty::Probe)),
            Command::Verify(args) => (args.pools.words(), Some(Duty::Verify)),
            Command::Status(args) => (args.pools.words(), Some(Duty::Status)),
            Command::Doctor(args) => (args.pools.words(), Some(Duty::Doctor)),
            Command::Try(args) => (args.pools.words(), Some(Duty::Try)),
            Command::Teardown(args) => (args.pools.words(), Some(Duty::Teardown)),
            Command::Connect(args) => (args.pools.words(), Some(Duty::Connect)),
            Command::Remaining(args) => (args.pools.words(), Some(Duty::Remaining)),
            Command::Import(args) => (args.pools.words(), Some(Duty::Import)),
            Command::Rollback(args) => (args.pools.words(), Some(Duty::Rollback)),
            Command::Policy(args) => (args.pools.words(), None),
            Command::History(args) => (args.pools.words(), Some(Duty::History)),
            Command::Settings(args) => (args.pools.words(), Some(Duty::Plan)),
            Command::Export(args) => (args.pools.words(), Some(Duty::Plan)),
            Command::Coexist(args) => (args.pools.words(), Some(Duty::Plan)),
            Command::Init(args) => {
                let pool = args.pool.as_ref().map(|pool| format!(" --pool {pool}"));
                (pool.unwrap_or_default(), Some(Duty::Plan))
            }
            // The snapshot contains the pool's id.
            Command::Restore(_) => (String::new(), Some(Duty::Deploy)),
            #[cfg(feature = "sandbox")]
            Command::Sandbox(_) => (String::new(), None),
            Command::Build(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Explain(_)
            | Command::Example(_) => (String::new(), None),
        };
        self.global.flags().of_command(pools, duty.map(Duty::name))
    }
}

impl Global {
    /// The given global flags, for the commands that are printed. Flags about output are left out.
    pub fn flags(&self) -> Flags {
        self.flags_with(self.config.as_deref())
    }

    /// The same with this configuration file.
    pub fn flags_with(&self, config: Option<&Path>) -> Flags {
        let config = config.map(Path::to_string_lossy);
        let timeout = self.timeout.map(|seconds| seconds.to_string());
        Flags::new(
            &[
                ("--config", config.as_deref()),
                ("--timeout", timeout.as_deref()),
            ],
            &[
                ("--region", self.region.as_deref()),
                ("--profile", self.profile.as_deref()),
                ("--endpoint-url", self.endpoint_url.as_deref()),
            ],
        )
    }
}

impl Pools {
    fn words(&self) -> String {
        if self.all {
            return " --all".to_owned();
        }
        let pools = self.pools.iter().map(|pool| format!(" --pool {pool}"));
        pools.collect()
    }
}

impl Deploy {
    /// This command with its flags, without pools and global flags.
    pub fn again(&self) -> String {
        Line::new("deploy")
            .allow(&self.allow)
            .value(
                "--plan",
                self.plan.as_deref().map(Path::to_string_lossy).as_deref(),
            )
            .flag("--no-probe", self.no_probe)
            .flag("--break-lease", self.break_lease)
            .interface_wait(self.interface_wait)
            .flag("--yes", self.yes)
            .0
    }

    /// The `plan` command that makes this deploy's plan again, without pools and global flags.
    pub fn planned_again(&self) -> String {
        let file = self.plan.as_deref().map(Path::to_string_lossy);
        Line::new("plan")
            .allow(&self.allow)
            .value("--out", file.as_deref())
            .0
    }
}

impl Plan {
    /// The `deploy` command that applies the plan that this command wrote, without pools and global flags.
    pub fn applied(&self) -> String {
        let file = self.out.as_deref().map(Path::to_string_lossy);
        Line::new("deploy")
            .allow(&self.allow)
            .value("--plan", file.as_deref())
            .0
    }
}

impl Teardown {
    /// This command with its flags, without pools and global flags.
    pub fn again(&self) -> String {
        let days = (self.recent_days != 7).then(|| self.recent_days.to_string());
        Line::new("teardown")
            .flag("--everything", self.everything)
            .flag("--force", self.force)
            .value("--recent-days", days.as_deref())
            .flag("--keep-logs", self.keep_logs)
            .value("--trust", self.trust.map(Place::name))
            .value("--trigger-account", self.trigger_account.as_deref())
            .unknown(&self.unknown)
            .accepted(&self.accept_difference)
            .flag("--break-lease", self.break_lease)
            .interface_wait(self.interface_wait)
            .flag("--yes", self.yes)
            .0
    }
}

impl Connect {
    /// This command with its flags, without pools and global flags; it continues from this page.
    pub fn again(&self, from: Option<&str>) -> String {
        let rate = (self.per_second != Self::PER_SECOND).then(|| self.per_second.to_string());
        Line::new("connect")
            .value("--per-second", rate.as_deref())
            .value("--from", from)
            .flag("--yes", self.yes)
            .0
    }
}

impl Remaining {
    /// This command with its flags, without pools and global flags.
    pub fn again(&self) -> String {
        let path = |path: &Option<std::path::PathBuf>| {
            path.as_deref()
                .map(|path| path.to_string_lossy().into_owned())
        };
        Line::new("remaining")
            .value("--from", path(&self.from).as_deref())
            .value("--names", path(&self.names).as_deref())
            .value("--mapping", path(&self.mapping).as_deref())
            .0
    }
}

impl Remaining {
    /// The `import` command for the users that this command counted, without pool and global flags.
    pub fn import(&self) -> String {
        let from = self.from.as_deref().map(Path::to_string_lossy);
        Line::new("import").value("--from", from.as_deref()).0
    }
}

impl Import {
    /// This command with its flags, without pools and global flags.
    pub fn again(&self) -> String {
        let from = self.from.as_deref().map(Path::to_string_lossy);
        Line::new("import")
            .value("--from", from.as_deref())
            .flag("--no-reset", self.no_reset)
            .flag("--break-lease", self.break_lease)
            .flag("--yes", self.yes)
            .0
    }
}

impl Rollback {
    /// This command with its flags, without pools and global flags.
    pub fn again(&self) -> String {
        Line::new("rollback")
            .flag("--break-lease", self.break_lease)
            .flag("--yes", self.yes)
            .0
    }
}

impl Restore {
    /// This command with its flags, without global flags.
    pub fn again(&self) -> String {
        Line::new("restore")
            .value("--snapshot", Some(&self.snapshot.to_string_lossy()))
            .unknown(&self.unknown)
            .accepted(&self.accept_difference)
            .flag("--break-lease", self.break_lease)
            .flag("--yes", self.yes)
            .0
    }
}

impl Try {
    /// This command with its flags, without pool and global flags.
    pub fn again(&self) -> String {
        Line::new("try")
            .value("--user", self.user.as_deref())
            .value(
                "--sample",
                self.sample.map(|rows| rows.to_string()).as_deref(),
            )
            .flag("--forgot-password", self.forgot_password)
            .value("--client", self.client.as_deref())
            .flag("--password-stdin", self.password_stdin)
            .flag("--local", self.local)
            .0
    }
}

/// A command line under construction.
struct Line(String);

impl Line {
    fn new(command: &str) -> Self {
        Self(command.to_owned())
    }

    fn flag(self, flag: &str, given: bool) -> Self {
        match given {
            true => Self(self.0 + " " + flag),
            false => self,
        }
    }

    fn value(self, flag: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => Self(format!("{} {flag} {}", self.0, quoted(value))),
            None => self,
        }
    }

    fn unknown(self, decisions: &[(String, Decision)]) -> Self {
        decisions.iter().fold(self, |line, (key, decision)| {
            let decision = match decision {
                Decision::Carry => "carry",
                Decision::Drop => "drop",
            };
            line.value("--unknown", Some(&format!("{key}={decision}")))
        })
    }

    fn interface_wait(self, seconds: u64) -> Self {
        let other = (seconds != INTERFACE_WAIT_S).then(|| seconds.to_string());
        self.value("--interface-wait", other.as_deref())
    }

    fn accepted(self, pointers: &[String]) -> Self {
        let flag = "--accept-difference";
        pointers
            .iter()
            .fold(self, |line, pointer| line.value(flag, Some(pointer)))
    }

    fn allow(self, allow: &Allow) -> Self {
        let artifact = allow.artifact.as_deref().map(Path::to_string_lossy);
        self.flag("--enable-password-auth", allow.enable_password_auth)
            .flag("--replace", allow.replace)
            .unknown(&allow.unknown)
            .accepted(&allow.accept_difference)
            .value("--artifact", artifact.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    /// Checks that the command line has every flag, except those that other code adds or that do not matter.
    #[track_caller]
    fn assert_repeated(line: &str) {
        let words = shlex::split(line).expect("words");
        let cli = Cli::try_parse_from(&words).expect(line);
        let again = match &cli.command {
            Command::Deploy(args) => args.again(),
            Command::Teardown(args) => args.again(),
            Command::Restore(args) => args.again(),
            Command::Connect(args) => args.again(args.from.as_deref()),
            Command::Remaining(args) => args.again(),
            Command::Import(args) => args.again(),
            Command::Rollback(args) => args.again(),
            Command::Try(args) => args.again(),
            _ => panic!("{line} is never repeated"),
        };
        let again = cli.global.flags().command(&again);
        let repeated = Cli::try_parse_from(shlex::split(&again).expect("words")).expect(&again);
        assert_eq!(format!("{cli:?}"), format!("{repeated:?}"));
        let program = Cli::command();
        let command = program.find_subcommand(&words[1]).expect("a command");
        for flag in command
            .get_arguments()
            .filter_map(|argument| argument.get_long())
        {
            let left_out = ["pool", "all", "password-stdin", "sample"].contains(&flag);
            assert!(
                left_out || words.contains(&format!("--{flag}")),
                "--{flag} is not tried"
            );
        }
    }

    #[test]
    fn a_repeated_command_has_every_flag_of_the_first() {
        assert_repeated(
            "jane-migrate deploy --enable-password-auth --replace --unknown A=carry --unknown 'B c=drop' --accept-difference '/A/B c' --artifact 'a zip' --plan 'a plan' --no-probe --break-lease --interface-wait 9 --yes --config 'my file.toml' --region eu-west-1 --timeout 9",
        );
        assert_repeated(
            "jane-migrate teardown --everything --force --recent-days 3 --keep-logs --trust role --trigger-account 210987654321 --unknown A=drop --accept-difference /A --break-lease --interface-wait 0 --yes --profile shop",
        );
        assert_repeated("jane-migrate connect --per-second 5 --from 'a b' --yes --profile shop");
        assert_repeated("jane-migrate rollback --break-lease --yes --profile shop");
        assert_repeated("jane-migrate remaining --from 'a b' --names c --mapping d");
        assert_repeated("jane-migrate import --from 'a b' --no-reset --break-lease --yes");
        assert_repeated(
            "jane-migrate restore --snapshot \"it's.json\" --unknown A=drop --accept-difference /A --break-lease --yes",
        );
        assert_repeated(
            "jane-migrate try --user 'a b' --forgot-password --client c --local --endpoint-url http://127.0.0.1:1",
        );
        let cli = Cli::try_parse_from(["jane-migrate", "deploy"]).expect("a command line");
        let Command::Deploy(args) = &cli.command else {
            panic!("{cli:?}")
        };
        assert_eq!(args.again(), "deploy");
    }
}

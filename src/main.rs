//! Parses the arguments, runs the command, exits. The library does everything else.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::CommandFactory;
use jane_migrate::cli::{self, Cli};
use jane_migrate::{
    commands,
    ui::{self, Ui},
};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if arguments.len() < 2 {
        return teach();
    }
    let cli = match cli::parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error, &arguments),
    };
    let ui = Ui::new(&cli);
    ui.follow();
    commands::run(cli, &ui).await.unwrap_or_else(|error| {
        ui.fatal(&error);
        error.kind().exit_code().into()
    })
}

/// Shows the help if there is no command. Clap does this too, but not if a variable sets a flag.
fn teach() -> ExitCode {
    let help = Cli::command().render_help();
    let mut err = std::io::stderr();
    let _ = match console::colors_enabled_stderr() {
        true => write!(err, "{}", help.ansi()),
        false => write!(err, "{help}"),
    };
    ExitCode::FAILURE
}

/// Shows the error in the command line. `--help` and `--version` also arrive here.
fn not_understood(error: &clap::Error, arguments: &[std::ffi::OsString]) -> ExitCode {
    let given = |word: &str| arguments.iter().any(|argument| argument == word);
    if let Err(lost) = error.print()
        && lost.kind() != ErrorKind::BrokenPipe
    {
        let _ = writeln!(std::io::stderr(), "error: failed to print: {lost}");
        return ExitCode::FAILURE;
    }
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if given("--json") {
        let message = error.render().to_string();
        let first = message.lines().next().unwrap_or_default();
        ui::print_usage_error(first.strip_prefix("error: ").unwrap_or(first));
    }
    // A wrong flag must not look like the 2 of `plan --detailed-exitcode`; for verify, 2 is right: it could not check.
    match given("verify") {
        true => ExitCode::from(2),
        false => ExitCode::FAILURE,
    }
}

//! Parses, runs, exits. Everything else is the library's.

use std::process::ExitCode;

use clap::Parser;
use jane_migrate::cli::{Cli, Command};
use jane_migrate::{
    commands,
    ui::{self, Ui},
};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() && std::env::args().any(|arg| arg == "--json") {
                let message = error.render().to_string();
                ui::print_usage_error(message.lines().next().unwrap_or_default());
            }
            // `--help` and `--version` come this way too. A wrong flag must not look like `plan --detailed-exitcode`'s 2; for
            // verify, 2 is the very thing: it could not check.
            return match (
                error.use_stderr(),
                std::env::args().any(|arg| arg == "verify"),
            ) {
                (false, _) => ExitCode::SUCCESS,
                (true, true) => ExitCode::from(2),
                (true, false) => ExitCode::FAILURE,
            };
        }
    };
    let ui = Ui::new(&cli.global);
    ui.follow();
    let verifying = matches!(cli.command, Command::Verify(_));
    match commands::run(cli, &ui).await {
        Ok(code) => code,
        Err(error) => {
            ui.fatal(&error);
            if verifying {
                ExitCode::from(2)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

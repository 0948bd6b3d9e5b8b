//! From arguments to [`Cli`]: clap's work, plus what clap cannot know before it has parsed all of
//! them.

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::{Arg, ColorChoice, Command, CommandFactory, FromArgMatches, ValueEnum};

use super::{Cli, Color};
use crate::environment;

/// Parses a command line, which begins with the program's name.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    match parse_by(without_empty_variables(Cli::command()), arguments) {
        // The help lists each variable, also those that are empty.
        Err(error) if error.kind() == ErrorKind::DisplayHelp => parse_by(Cli::command(), arguments),
        parsed => parsed,
    }
}

fn parse_by(command: Command, arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = command.color(color(arguments));
    let cli = command
        .try_get_matches_from_mut(arguments)
        .and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
    cli.map_err(|error| error.format(&mut command))
}

/// An empty variable sets no flag. Clap would use the empty text.
fn without_empty_variables(command: Command) -> Command {
    let without = |arg: Arg| match arg.get_env() {
        Some(name) if environment::var_os(name).is_none() => arg.env(Resettable::Reset),
        _ => arg,
    };
    command
        .mut_args(without)
        .mut_subcommands(|command| command.mut_args(without))
}

/// `--color` also applies to clap's own output, which may be printed before the flag is parsed.
fn color(arguments: &[OsString]) -> ColorChoice {
    let words = arguments.iter().filter_map(|word| word.to_str());
    let values = words.clone().skip(1).chain([""]);
    let given = words
        .take_while(|word| *word != "--")
        .zip(values)
        .filter_map(|(word, next)| match word.strip_prefix("--color")? {
            "" => Some(next),
            value => value.strip_prefix('='),
        })
        .filter_map(|value| Color::from_str(value, true).ok())
        .last();
    match given {
        Some(Color::Always) => ColorChoice::Always,
        Some(Color::Never) => ColorChoice::Never,
        Some(Color::Auto) | None => ColorChoice::Auto,
    }
}

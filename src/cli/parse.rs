//! From words to [`Cli`]: clap's own work, but for what it cannot know before it has read them all.

use std::ffi::OsString;

use clap::{ColorChoice, CommandFactory, FromArgMatches, ValueEnum};

use super::{Cli, Color};

/// Understands a command line, the program's name first.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = Cli::command().color(color(arguments));
    let cli = command
        .try_get_matches_from_mut(arguments)
        .and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
    cli.map_err(|error| error.format(&mut command))
}

/// `--color` holds for clap's own words too, which may be due before it is read.
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

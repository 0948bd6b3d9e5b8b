//! What people see: data on stdout, progress, prompts and warnings on stderr. Owns colour, width and the terminal; does not use
//! AWS.

pub mod census;
pub mod diagnosis;
pub mod error;
mod hidden;
mod kept;
#[cfg(unix)]
pub mod keys;
pub mod layout;
#[cfg(unix)]
mod modes;
pub mod numbers;
pub mod page;
pub mod plan;
mod printable;
mod progress;
pub mod status;
mod styles;
mod verbose;

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Arc, OnceLock};

use console::Term;
use secrecy::SecretString;

pub use kept::Kept;
pub use progress::{Progress, Task};
pub use styles::Styles;

use self::layout::Layout;
use self::styles::columns;
use crate::cli::{Cli, Color, Command, Format};
use crate::environment;
use crate::error::{Error, Explain, Result};
use jane_migrate_core::fix::Flags;
use jane_migrate_core::line::one_line;

/// The hint if there is no answer.
const UNATTENDED: &str = "run the command again, or answer with flags (see --help)";

/// The one owner of stdout and stderr.
#[derive(Debug, Clone)]
pub struct Ui {
    /// Only one JSON document goes to stdout.
    pub json: bool,
    /// Only errors and data.
    pub quiet: bool,
    /// More details about the run.
    pub verbose: bool,
    /// Styles for stdout.
    pub out: Styles,
    /// Styles for stderr.
    pub err: Styles,
    /// The given flags, for the commands that are printed.
    pub given: Flags,
    progress: Progress,
    /// Collects the output instead of showing it.
    kept: Option<Kept>,
    /// Why stdout can no longer be written.
    lost: Arc<OnceLock<io::Error>>,
}

impl Ui {
    /// A `Ui` that shows nothing and collects its output.
    pub fn keeping(cli: &Cli, kept: &Kept) -> Self {
        let plain = Styles::new(false, None);
        Self {
            progress: Progress::new(false, true, plain.clone()).keeping(kept),
            kept: Some(kept.clone()),
            out: plain.clone(),
            err: plain,
            ..Self::new(cli)
        }
    }

    /// Decides about colour and progress.
    pub fn new(cli: &Cli) -> Self {
        let global = &cli.global;
        let plain = environment::var("NO_COLOR").is_some()
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let color = |terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        let err_terminal = io::stderr().is_terminal();
        let err = Styles::new(color(err_terminal), columns(&Term::stderr()));
        Self {
            // An error before the first document is also printed in this format.
            json: global.json
                || matches!(&cli.command, Command::Verify(args) if args.format == Format::Json),
            quiet: global.quiet,
            verbose: global.verbose,
            out: Styles::new(color(io::stdout().is_terminal()), columns(&Term::stdout())),
            progress: Progress::new(err_terminal && !global.quiet, global.quiet, err.clone()),
            err,
            kept: None,
            given: cli.flags(),
            lost: Arc::default(),
        }
    }

    /// With `--verbose`, also shows debug messages. Called once in a program.
    pub fn follow(&self) {
        if self.verbose {
            verbose::install(&self.progress);
        }
    }

    /// Data for stdout, as it is.
    pub fn print(&self, text: &str) {
        let text = text.trim_end_matches('\n');
        if let Some(kept) = &self.kept {
            return kept.add(text);
        }
        let mut out = io::stdout().lock();
        if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) {
            // The first error is the reason; all later output is lost too.
            let _ = self.lost.set(error);
        }
    }

    /// Whether the output still has a reader. A closed pipe is no error; any other write error is.
    pub fn is_read(&self) -> Result<bool> {
        match self.lost.get() {
            None => Ok(true),
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Some(error) => Err(Error::new(
                format!("failed to write to standard output: {error}"),
                "the output is not complete; everything else that the command did is done",
            )),
        }
    }

    /// The result as text for people on stdout. Prints nothing with `--json`.
    pub fn say(&self, text: &str) {
        self.show(&Layout::of(&self.out).flow(text));
    }

    /// The same for lines that must not be wrapped: they are laid out already, or are to be copied.
    pub fn show(&self, text: &str) {
        if !self.json {
            self.print(&printable::printable(text, self.out.color));
        }
    }

    /// A closing remark on stdout. `--quiet` omits it.
    pub fn remark(&self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// The number of columns for drawings.
    pub fn width(&self) -> usize {
        self.out.columns.unwrap_or(100)
    }

    /// Whether earlier output can be replaced.
    pub fn can_redraw(&self) -> bool {
        io::stdout().is_terminal() && !self.json && !self.quiet
    }

    /// Replaces all earlier output, line by line, so that nothing flickers. Lines that do not fit on the terminal are left out at
    /// the end.
    pub fn redraw(&self, text: &str, last: &str) {
        let (rows, columns) = Term::stdout().size();
        // One for the last line, and one for the cursor.
        let mut room = usize::from(rows).saturating_sub(2);
        let text = printable::printable(text, self.out.color);
        let all = text.lines().count();
        // Move to the first column of the first row; then each line replaces the previous one.
        let mut screen = String::from("\x1b[H");
        let mut shown = 0;
        for line in text.lines() {
            let takes = console::measure_text_width(line).div_ceil(columns.max(1).into());
            let Some(left) = room.checked_sub(takes.max(1)) else {
                break;
            };
            room = left;
            shown += 1;
            screen.push_str(line);
            screen.push_str("\x1b[K\n");
        }
        if shown < all {
            screen.push_str(&format!("{} more line(s); ", all - shown));
        }
        screen.push_str(last);
        screen.push_str("\x1b[J");
        self.print(&screen);
    }

    /// The same, for a JSON document.
    pub fn as_json(&self, json: bool) -> Self {
        Self {
            json: self.json || json,
            ..self.clone()
        }
    }

    /// The one JSON document.
    pub fn document(&self, value: &impl serde::Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Error::bug(format!("failed to write JSON: {error}")))?;
        self.print(&printable::json(&text));
        Ok(())
    }

    /// A document for machines that is not JSON.
    pub fn markup(&self, text: &str) {
        self.print(&printable::printable(text, false));
    }

    /// A line on stderr. `--quiet` omits it.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.progress.line(&Layout::of(&self.err).flow(text));
        }
    }

    /// A warning on stderr.
    pub fn warn(&self, text: &str) {
        let warning = format!("{}: {text}", self.err.warn.apply_to("warning"));
        self.progress.line(&Layout::of(&self.err).wrap(&warning, 2));
    }

    /// An error on stderr.
    pub fn error(&self, error: &Error) {
        self.progress
            .line(&error::render(error, &self.err, &self.given));
    }

    /// An error that ended the program before it had a result: on stderr, and with `--json` also as the document.
    pub fn fatal(&self, error: &Error) {
        self.error(error);
        if self.json {
            let _ = self.document(&error::Document::of(error, &self.given));
        }
    }

    /// Starts something that takes a while.
    pub fn task(&self, label: impl Into<String>) -> Task {
        self.progress.task(label.into())
    }

    /// A user's password: the first line of standard input, or typed without echo.
    pub fn password(&self, name: &str, from_stdin: bool) -> Result<SecretString> {
        const INPUT: &str = "pass it on standard input with --password-stdin";
        let password = if from_stdin {
            let mut line = String::new();
            io::stdin()
                .read_line(&mut line)
                .explain("failed to read the password from standard input", INPUT)?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        } else {
            if !io::stderr().is_terminal() || !io::stdin().is_terminal() {
                return Err(Error::new(
                    "not a terminal: the password cannot be asked for",
                    INPUT,
                ));
            }
            self.prompt(&format!("Password of {}: ", one_line(name)))
                .and_then(|()| hidden::read_line())
                .explain("failed to read the password", INPUT)?
        };
        if password.is_empty() {
            return Err(Error::new(
                format!("the password of {name} is empty"),
                "run the command again and type the password",
            ));
        }
        Ok(password.into())
    }

    /// A one-time code, typed without echo. `None` without a terminal.
    pub fn code(&self, question: &str) -> Option<SecretString> {
        if !io::stderr().is_terminal() || !io::stdin().is_terminal() {
            return None;
        }
        let typed = || {
            self.prompt(question)
                .and_then(|()| hidden::read_line())
                .map(|code| SecretString::from(code.trim()))
        };
        self.progress.suspended(typed).ok()
    }

    /// Whether a person can answer questions.
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal() && !self.json
    }

    /// Asks; yes only for `y` or `yes`. Without a terminal the answer is no, and the complete command to continue is shown.
    pub fn confirm(&self, question: &str, command: &str) -> Result<bool> {
        if !io::stdin().is_terminal() {
            self.error(&Error::new(
                "not a terminal: the changes cannot be confirmed, and nothing was changed",
                format!("review the plan, then run `{command}`"),
            ));
            return Ok(false);
        }
        let answer = self.answer(&format!("{question} [y/N] "))?;
        Ok(matches!(answer.as_str(), "y" | "Y" | "yes" | "Yes"))
    }

    /// Asks for a line; an empty one means the default.
    pub fn ask(&self, question: &str, default: &str) -> Result<String> {
        let prompt = match default {
            "" => format!("{question}: "),
            default => format!(
                "{question} {}: ",
                self.err.dim.apply_to(format!("[{default}]"))
            ),
        };
        let answer = self.answer(&prompt)?;
        Ok(match answer.as_str() {
            "" => default.to_owned(),
            _ => answer,
        })
    }

    /// Prints a question, with the cursor behind it.
    fn prompt(&self, question: &str) -> io::Result<()> {
        let (text, space) = match question.strip_suffix(' ') {
            Some(text) => (text, " "),
            None => (question, ""),
        };
        let text = Layout::of(&self.err).flow(text);
        let text = printable::printable(&text, self.err.color);
        let mut err = io::stderr().lock();
        write!(err, "{text}{space}").and_then(|()| err.flush())
    }

    fn answer(&self, prompt: &str) -> Result<String> {
        let mut answer = String::new();
        let read = self
            .prompt(prompt)
            .and_then(|()| io::stdin().lock().read_line(&mut answer));
        let read = read.explain("failed to read the answer", UNATTENDED)?;
        if read == 0 {
            return Err(Error::new(
                "the input ended before the question was answered",
                UNATTENDED,
            ));
        }
        Ok(answer.trim().to_owned())
    }
}

/// The JSON document for an invalid command line, before there is a [`Ui`].
pub fn print_usage_error(message: &str) {
    let document = error::Document::of_usage(message);
    if let Ok(text) = serde_json::to_string_pretty(&document) {
        let _ = writeln!(io::stdout().lock(), "{}", printable::json(&text));
    }
}

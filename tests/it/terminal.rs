//! The program on a real terminal: a pseudo terminal of a given width, with typed keys.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::json;
use tokio::process::Child;
use tokio::sync::watch;

use crate::support::Corner;
use crate::transcript::assert_transcript;

/// The timeout for anything to appear on a terminal.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program on a terminal.
pub struct Terminal {
    child: Child,
    keys: File,
    shown: watch::Receiver<Vec<u8>>,
}

impl Terminal {
    /// Starts the program in this environment on a terminal with this many columns.
    pub fn start(corner: &Corner, columns: u16, arguments: &[&str]) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&controller).expect("a terminal");
        unlockpt(&controller).expect("a terminal");
        let name = ptsname(&controller, Vec::new()).expect("its name");
        let user = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
        let user = File::from(user.expect("its other end"));
        let size = Winsize {
            ws_row: 40,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&user, size).expect("its size");
        let end = || Stdio::from(user.try_clone().expect("an end"));
        let child = corner
            .command(arguments)
            .env("TERM", "xterm")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("the program starts");
        let mut screen = File::from(controller);
        let keys = screen.try_clone().expect("an end");
        let (sender, shown) = watch::channel(Vec::new());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // After the program has closed its side, the read returns an error.
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                sender.send_modify(|all| all.extend_from_slice(&bytes[..read]));
            }
        });
        Self { child, keys, shown }
    }

    /// Everything shown so far, without colours and overwritten text.
    pub fn screen(&self) -> String {
        plain(&String::from_utf8_lossy(&self.shown.borrow()))
    }

    /// Waits until these words are shown.
    pub async fn until(&mut self, words: &str) {
        let mut shown = self.shown.clone();
        let there = shown.wait_for(|all| plain(&String::from_utf8_lossy(all)).contains(words));
        let there = tokio::time::timeout(PATIENCE, there).await;
        let there = there.is_ok_and(|there| there.is_ok());
        assert!(there, "`{words}` was not shown:\n{}", self.screen());
    }

    /// Waits until typed text is no longer shown.
    pub async fn until_hidden(&self) {
        self.until_echo(false).await;
    }

    /// Waits until typed text is shown again.
    pub async fn until_visible(&self) {
        self.until_echo(true).await;
    }

    async fn until_echo(&self, on: bool) {
        let echoes = || {
            let modes = tcgetattr(&self.keys).expect("its modes").local_modes;
            modes.contains(LocalModes::ECHO)
        };
        let there = async {
            while echoes() != on {
                // A terminal does not signal a change of its modes.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let there = tokio::time::timeout(PATIENCE, there).await;
        assert!(there.is_ok(), "the terminal's echo did not become {on}");
    }

    /// Waits until these bytes were shown this many times.
    pub async fn until_times(&mut self, bytes: &str, times: usize) {
        let mut shown = self.shown.clone();
        let there =
            shown.wait_for(|all| String::from_utf8_lossy(all).matches(bytes).count() >= times);
        let there = tokio::time::timeout(PATIENCE, there).await;
        let there = there.is_ok_and(|there| there.is_ok());
        assert!(there, "{bytes:?} was not shown {times} times");
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        self.keys
            .write_all(format!("{line}\n").as_bytes())
            .expect("typed");
    }

    /// Presses keys, without Enter.
    pub fn presses(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("pressed");
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let id = id
            .and_then(rustix::process::Pid::from_raw)
            .expect("it runs");
        rustix::process::kill_process(id, signal).expect("signalled");
    }

    /// Waits for the end; returns the exit code and the raw output.
    pub async fn ended(mut self) -> (i32, String) {
        let status = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("it does not end:\n{}", self.screen()))
            .expect("its status");
        // The channel closes with the screen.
        while self.shown.changed().await.is_ok() {}
        let shown = String::from_utf8_lossy(&self.shown.borrow()).into_owned();
        (status.code().unwrap_or(-1), shown)
    }
}

/// Without colours, cursor movements and overwritten progress.
fn plain(shown: &str) -> String {
    let text = console::strip_ansi_codes(shown).replace("\r\n", "\n");
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.rsplit('\r').next().unwrap_or_default().trim_end())
        .collect();
    lines.join("\n")
}

/// A test environment whose pool has everything that a plan can show.
async fn pool_to_plan(corner: &Corner) -> String {
    let pool = corner
        .create_pool(json!({ "PoolName": "Jane Roots" }))
        .await;
    let srp = json!({ "ClientName": "mobile", "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
    corner.create_client(&pool, srp).await;
    pool
}

/// Replaces what differs between runs by a text of the same width.
fn steady(text: &str, corner: &Corner, pool: &str) -> String {
    let mut text = text
        .replace(pool, "us-west-2_AbCdEf123")
        .replace(&corner.account, "123456789012");
    // Client ids consist of 26 letters and digits.
    let ids: Vec<String> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() == 26)
        .map(str::to_owned)
        .collect();
    for id in ids {
        text = text.replace(&id, "1example23456789abcdefghij");
    }
    text
}

#[tokio::test]
async fn the_plan_fits_terminals_of_any_width() {
    let corner = Corner::new().await;
    let pool = pool_to_plan(&corner).await;
    for columns in [60, 80, 200] {
        for (name, flags) in [("plan", &["--enable-password-auth"][..]), ("stopped", &[])] {
            let arguments = [&["plan", "--pool", &pool][..], flags].concat();
            let terminal = Terminal::start(&corner, columns, &arguments);
            let (code, shown) = terminal.ended().await;
            assert_eq!(code, i32::from(name == "stopped"), "{shown}");
            let screen = plain(&shown);
            assert_fits(&screen, columns.into());
            assert_transcript(
                &format!("terminal/{name}-{columns}"),
                &steady(&screen, &corner, &pool),
            );
        }
    }
}

/// Each line fits, except a line with one part that cannot be wrapped, and text to paste.
#[track_caller]
fn assert_fits(screen: &str, columns: usize) {
    let pasted = |line: &str| {
        ["      IFS= ", "Next: ", "  user_", "    user_"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    for line in screen.lines().filter(|line| !pasted(line)) {
        // A part that cannot be wrapped is alone on its line, after its indentation or its arrow.
        let words = line
            .trim_start_matches("        => ")
            .split_whitespace()
            .count();
        let fits = line.chars().count() <= columns || words == 1;
        assert!(fits, "{columns} columns: {line}\n{screen}");
    }
}

#[tokio::test]
async fn every_command_fits_a_narrow_terminal() {
    const COLUMNS: u16 = 60;
    let corner = Corner::new().await;
    corner.add_accounts();
    let pool = pool_to_plan(&corner).await;
    let file = ["--output", "other.toml", "--closes", "2020-01-01"];
    let ada = ["--forgot-password", "--user", "ada@example.com"];
    let at = ["--pool", &pool];
    let commands = [
        [&["init", "--yes"], &at[..], &file].concat(),
        [&["deploy", "--yes", "--enable-password-auth"], &at[..]].concat(),
        [&["verify", "--probe"], &at[..]].concat(),
        [&["status"], &at[..]].concat(),
        [&["try"], &at[..], &ada].concat(),
        [&["coexist", "--for", "terraform"], &at[..]].concat(),
        vec!["build"],
        [&["teardown", "--yes"], &at[..]].concat(),
    ];
    // Compiling takes longer than the timeout on a terminal here.
    corner.run(&["build"]).await.ended(0);
    for arguments in commands {
        let terminal = Terminal::start(&corner, COLUMNS, &arguments);
        let (ended, shown) = terminal.ended().await;
        let screen = plain(&shown);
        assert_eq!(ended, 0, "{arguments:?}\n{screen}");
        assert_fits(&screen, COLUMNS.into());
    }
}

#[tokio::test]
async fn colour_is_only_used_on_terminals_that_support_it() {
    let mut corner = Corner::new().await;
    let pool = pool_to_plan(&corner).await;
    let arguments = ["plan", "--pool", &pool, "--enable-password-auth"];
    let (_, shown) = Terminal::start(&corner, 80, &arguments).ended().await;
    assert!(shown.contains("\u{1b}[32m+\u{1b}[0m"), "{shown:?}");
    corner.environment.push(("NO_COLOR".into(), "1".into()));
    let (_, shown) = Terminal::start(&corner, 80, &arguments).ended().await;
    assert!(!shown.contains("\u{1b}[32m"), "{shown:?}");
    assert!(plain(&shown).contains("  + role"), "{shown:?}");
    let always = [&arguments[..], &["--color", "always"]].concat();
    let piped = corner.run(&always).await.ended(0);
    assert!(piped.stdout.contains("\u{1b}[32m+"), "{piped:?}");
    let piped = corner.run(&arguments).await.ended(0);
    assert!(!piped.stdout.contains('\u{1b}'), "{piped:?}");
    assert!(!piped.stderr.contains('\u{1b}'), "{piped:?}");
}

#[tokio::test]
async fn deploy_asks_and_no_changes_nothing() {
    let corner = Corner::new().await;
    let pool = pool_to_plan(&corner).await;
    let before = corner.pool(&pool).await;
    let arguments = ["deploy", "--pool", &pool, "--enable-password-auth"];
    let mut terminal = Terminal::start(&corner, 80, &arguments);
    terminal.until("[y/N]").await;
    terminal.types("n");
    let (code, shown) = terminal.ended().await;
    assert_eq!(code, 1, "{shown}");
    assert!(plain(&shown).contains("nothing was changed"), "{shown}");
    assert_eq!(before, corner.pool(&pool).await);
}

#[tokio::test]
async fn verbose_shows_requests_and_quiet_only_the_result() {
    let corner = Corner::new().await;
    let pool = pool_to_plan(&corner).await;
    let plan = ["plan", "--pool", &pool, "--enable-password-auth"];
    let asked = corner.run(&plan).await.ended(0);
    let verbose = corner.run(&[&plan[..], &["-v"]].concat()).await.ended(0);
    assert_eq!(verbose.stdout, asked.stdout);
    for request in ["DescribeUserPool: 200 in", "GET ", "/functions/"] {
        assert!(verbose.stderr.contains(request), "{verbose:#?}");
    }
    assert!(!verbose.stderr.contains("ClientSecret"), "{verbose:#?}");
    let quiet = corner.run(&[&plan[..], &["-q"]].concat()).await.ended(0);
    assert_eq!(quiet.stdout, asked.stdout);
    assert_eq!(quiet.stderr, "");
}

//! What the benches share: the flags, the report, and a program as a process: its time, and what it used of the machine.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

/// The value of a flag, such as `--pools`.
pub fn given(flag: &str) -> Option<String> {
    std::env::args()
        .skip_while(|argument| argument != flag)
        .nth(1)
}

/// Writes a line of the report to stdout. A closed pipe is not an error.
pub fn say(line: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A program that has ended.
pub struct Run {
    pub took: Duration,
    /// Seconds of a processor.
    pub processor: f64,
    /// The most memory that it used, in KB.
    pub peak_kb: u64,
    pub stdout: String,
}

/// Runs a program to its end, which must be a success.
pub async fn run(mut command: Command) -> Run {
    let started = Instant::now();
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.expect("it starts");
    let id = child.id().expect("it runs");
    let ended = child.wait_with_output();
    tokio::pin!(ended);
    let (mut peak_kb, mut processor) = (0, 0.0_f64);
    let output = loop {
        tokio::select! {
            output = &mut ended => break output.expect("it ends"),
            () = tokio::time::sleep(Duration::from_millis(20)) => {
                peak_kb = peak_kb.max(memory(id));
                processor = processor.max(spent(id));
            }
        }
    };
    assert!(output.status.success(), "{output:#?}");
    Run {
        took: started.elapsed(),
        processor,
        peak_kb,
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
    }
}

/// The most memory the process had in use so far.
pub fn memory(id: u32) -> u64 {
    std::fs::read_to_string(format!("/proc/{id}/status"))
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// The seconds of a processor that the process took so far. The kernel counts hundredths.
fn spent(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = fields.split(' ').skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

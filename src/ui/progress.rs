//! Progress on stderr: on a terminal, spinners with the elapsed time; elsewhere a line when a step ends, and one every ten
//! seconds while it lasts.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::kept::Kept;
use super::layout::Layout;
use super::printable::printable;
use super::styles::Styles;

const HEARTBEAT: Duration = Duration::from_secs(10);

/// Everything in progress.
#[derive(Debug, Clone)]
pub struct Progress {
    bars: Option<MultiProgress>,
    quiet: bool,
    styles: Styles,
    kept: Option<Kept>,
}

impl Progress {
    pub(super) fn new(terminal: bool, quiet: bool, styles: Styles) -> Self {
        Self {
            bars: terminal.then(MultiProgress::new),
            quiet,
            styles,
            kept: None,
        }
    }

    /// The same, but collects its lines instead of writing them.
    pub(super) fn keeping(self, kept: &Kept) -> Self {
        Self {
            kept: Some(kept.clone()),
            ..self
        }
    }

    /// A line on stderr, above the spinners.
    pub(super) fn line(&self, text: &str) {
        let text = &*printable(text, self.styles.color);
        match &self.kept {
            Some(kept) => kept.add(text),
            None => self.suspended(|| write_line(text)),
        }
    }

    /// Runs this while nothing is drawn.
    pub(super) fn suspended<T>(&self, then: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.suspend(then),
            None => then(),
        }
    }

    /// Text of less importance.
    pub(super) fn dimmed(&self, text: &str) -> String {
        self.styles.dim.apply_to(text).to_string()
    }

    pub(super) fn task(&self, label: String) -> Task {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("  {spinner} {wide_msg} {elapsed:>4}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner())
                .tick_chars("|/-\\ ");
            bar.set_style(style);
            bar.set_message(label.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        let task = Task {
            progress: self.clone(),
            bar,
            label,
            started: Instant::now(),
            over: Arc::default(),
            doing: Arc::default(),
        };
        if self.bars.is_none() && !self.quiet {
            task.beat();
        }
        task
    }
}

/// One task in progress. If it is dropped without an end, it leaves no line.
#[derive(Debug)]
pub struct Task {
    progress: Progress,
    bar: Option<ProgressBar>,
    label: String,
    started: Instant,
    over: Arc<AtomicBool>,
    doing: Arc<Mutex<String>>,
}

impl Task {
    /// Shows what it is doing right now.
    pub fn doing(&self, what: &str) {
        what.clone_into(&mut self.doing.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} {what}", self.label));
        }
    }

    /// It succeeded.
    pub fn done(self) {
        let mark = self.progress.styles.good.apply_to("done").to_string();
        self.end(&mark);
    }

    /// It succeeded, with a note.
    pub fn done_with(self, note: &str) {
        let mark = self.progress.styles.good.apply_to("done").to_string();
        self.end(&format!("{mark}, {note}"));
    }

    /// It failed.
    pub fn failed(self) {
        let mark = self.progress.styles.bad.apply_to("failed").to_string();
        self.end(&mark);
    }

    /// It ended without a line.
    pub fn clear(self) {}

    fn end(self, mark: &str) {
        if self.progress.quiet {
            return;
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let elapsed = self.started.elapsed().as_secs_f32();
        let dim = &self.progress.styles.dim;
        let line = format!(
            "  {} {mark} {}",
            self.label,
            dim.apply_to(format!("({elapsed:.1} s)"))
        );
        let layout = Layout::of(&self.progress.styles);
        self.progress.line(&layout.flow(&line));
    }

    fn beat(&self) {
        let (over, doing) = (self.over.clone(), self.doing.clone());
        let (label, started) = (self.label.clone(), self.started);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let mut line = format!("  {label}");
                let doing = doing.lock().unwrap_or_else(PoisonError::into_inner);
                if !doing.is_empty() {
                    line = format!("{line} {doing}");
                }
                write_line(&format!(
                    "{line} ... [{} s elapsed]",
                    started.elapsed().as_secs()
                ));
            }
        });
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn write_line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

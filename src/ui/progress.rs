//! Progress on stderr: spinners with elapsed time on a terminal; elsewhere a line when a step ends and a heartbeat every ten
//! seconds while one lasts.

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

/// Everything that is under way.
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

    /// The same, with its lines kept and not written.
    pub(super) fn keeping(self, kept: &Kept) -> Self {
        Self {
            kept: Some(kept.clone()),
            ..self
        }
    }

    /// A line on stderr, above whatever is being drawn.
    pub(super) fn line(&self, text: &str) {
        let text = &*printable(text, self.styles.color);
        match &self.kept {
            Some(kept) => kept.add(text),
            None => self.suspended(|| write_line(text)),
        }
    }

    /// Does this while nothing is drawn.
    pub(super) fn suspended<T>(&self, then: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.suspend(then),
            None => then(),
        }
    }

    /// For what may be skipped.
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

/// One thing under way. Dropped without an end, it leaves no line.
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
    /// What it is doing right now.
    pub fn doing(&self, what: &str) {
        what.clone_into(&mut self.doing.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} {what}", self.label));
        }
    }

    /// It ended well.
    pub fn done(self) {
        let mark = self.progress.styles.good.apply_to("done").to_string();
        self.end(&mark);
    }

    /// It ended well, with something to say.
    pub fn done_with(self, note: &str) {
        let mark = self.progress.styles.good.apply_to("done").to_string();
        self.end(&format!("{mark}, {note}"));
    }

    /// It failed.
    pub fn failed(self) {
        let mark = self.progress.styles.bad.apply_to("failed").to_string();
        self.end(&mark);
    }

    /// It ended and needs no line.
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

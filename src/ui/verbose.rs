//! What `--verbose` adds: the program's own debug messages, on stderr above the spinners. Messages of its dependencies are not
//! shown: one of them would print complete responses.

use log::{LevelFilter, Log, Metadata, Record};

use super::progress::Progress;

struct Verbose {
    progress: Progress,
}

/// Shows messages from now on. A second call changes nothing.
pub(super) fn install(progress: &Progress) {
    let verbose = Verbose {
        progress: progress.clone(),
    };
    if log::set_logger(Box::leak(Box::new(verbose))).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

impl Log for Verbose {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("    {}", record.args());
            self.progress.line(&self.progress.dimmed(&line));
        }
    }

    fn flush(&self) {}
}

//! What a build reports while it runs. `ui` shows it.

/// What is going on while an artifact is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A new step began, which may take long.
    Step(&'a str),
    /// Something the operator should know afterwards, too.
    Note(&'a str),
    /// One more crate is compiled.
    Crate {
        /// Its name.
        name: &'a str,
        /// How many are done.
        done: usize,
        /// How many there are.
        total: usize,
    },
}

/// Receives each [`Progress`].
pub type OnProgress<'a> = &'a (dyn Fn(Progress<'_>) + Sync);

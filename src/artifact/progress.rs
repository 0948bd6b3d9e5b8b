//! What a build reports while it runs. `ui` shows it.

/// An event while an artifact is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A new step started, which may take long.
    Step(&'a str),
    /// Something the operator should also see afterwards.
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

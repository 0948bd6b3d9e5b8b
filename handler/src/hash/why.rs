//! Why a stored hash cannot be checked.

/// Why a hash cannot be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No known format.
    Unknown,
    /// A known format with an error in it.
    Damaged,
    /// A password in plain text, or a digest of it that gives no protection.
    Weak,
    /// It needs more memory than the function has.
    Memory,
    /// It takes longer than a sign-in may.
    Slow,
}

impl Why {
    /// As a short text, for logs and reports.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unknown => "unknown format",
            Self::Damaged => "damaged",
            Self::Weak => "plain text or a digest that is not fit for passwords",
            Self::Memory => "needs more memory than the function has",
            Self::Slow => "takes longer than a sign-in may",
        }
    }
}

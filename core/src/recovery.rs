//! Point-in-time recoveries of a pool: Cognito puts its users back to what they were at an earlier time.

use jane_migrate_config::Date;

/// One recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Its id.
    pub id: String,
    /// How far it is, by Cognito's name for it.
    pub status: String,
    /// The time that the users are put back to, in seconds since 1970.
    pub point: i64,
}

/// The states in which the pool takes writes again.
const ENDED: [&str; 5] = [
    "PREVIEW_CANCELLED",
    "PREVIEW_GENERATION_FAILED",
    "PREVIEW_EXPIRED",
    "RESTORE_COMPLETED",
    "AWS_ABORTED",
];

impl Recovery {
    /// Whether the pool takes no writes because of it, and so nobody migrates. A state that is not known here counts as such.
    pub fn is_active(&self) -> bool {
        !ENDED.contains(&self.status.as_str())
    }

    /// Whether the pool was put back.
    pub fn is_done(&self) -> bool {
        self.status == "RESTORE_COMPLETED"
    }

    /// The day that the users are put back to, in UTC.
    pub fn day(&self) -> String {
        let day = Date::from_epoch_days(self.point.div_euclid(86_400));
        day.map_or_else(|| "an unknown day".to_owned(), |day| day.to_string())
    }
}

//! Point-in-time recoveries of a pool: Cognito restores its users to their state at an earlier time.

use jane_migrate_config::Date;

/// One recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Its id.
    pub id: String,
    /// Its status in Cognito.
    pub status: String,
    /// The time to which the users are restored, in seconds since 1970.
    pub point: i64,
}

/// The states in which the pool accepts writes again.
const ENDED: [&str; 5] = [
    "PREVIEW_CANCELLED",
    "PREVIEW_GENERATION_FAILED",
    "PREVIEW_EXPIRED",
    "RESTORE_COMPLETED",
    "AWS_ABORTED",
];

impl Recovery {
    /// Whether it pauses writes to the pool, so that no user migrates. An unknown state counts as such.
    pub fn is_active(&self) -> bool {
        !ENDED.contains(&self.status.as_str())
    }

    /// Whether the users were restored.
    pub fn is_done(&self) -> bool {
        self.status == "RESTORE_COMPLETED"
    }

    /// The day to which the users are restored, in UTC.
    pub fn day(&self) -> String {
        let day = Date::from_epoch_days(self.point.div_euclid(86_400));
        day.map_or_else(|| "an unknown day".to_owned(), |day| day.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_is_active_until_it_has_ended_and_done_only_if_users_were_restored() {
        for (status, active, done) in [
            ("RESTORE_COMPLETED", false, true),
            ("PREVIEW_CANCELLED", false, false),
            ("PREVIEW_READY", true, false),
            ("A_STATUS_OF_TOMORROW", true, false),
        ] {
            let recovery = Recovery {
                id: "r".into(),
                status: status.into(),
                point: 1_798_761_600,
            };
            assert_eq!(recovery.is_active(), active, "{status}");
            assert_eq!(recovery.is_done(), done, "{status}");
            assert_eq!(recovery.day(), "2027-01-01");
        }
    }
}

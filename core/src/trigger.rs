//! The triggers of a pool that call the function, with their names in Cognito and for people.

use jane_migrate_config::{Config, Date};

/// A trigger. The function, its alias, its permission and its role are the same for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// A user who is not in the pool signs in, or has forgotten the password.
    UserMigration,
    /// A user is about to be created.
    PreSignUp,
    /// A user has confirmed a sign-up.
    PostConfirmation,
}

impl Trigger {
    /// All triggers, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::UserMigration, Self::PreSignUp, Self::PostConfirmation];

    /// The pool's setting in `LambdaConfig`.
    pub fn member(self) -> &'static str {
        match self {
            Self::UserMigration => "UserMigration",
            Self::PreSignUp => "PreSignUp",
            Self::PostConfirmation => "PostConfirmation",
        }
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::UserMigration => "user migration",
            Self::PreSignUp => "pre sign-up",
            Self::PostConfirmation => "post confirmation",
        }
    }

    /// When Cognito calls it.
    pub fn moment(self) -> &'static str {
        match self {
            Self::UserMigration => "for users it does not know",
            Self::PreSignUp => "before it creates a user",
            Self::PostConfirmation => "after a confirmed sign-up",
        }
    }

    /// What fails if the function cannot be called.
    pub fn stakes(self) -> &'static str {
        match self {
            Self::UserMigration => "every sign-in of a user not yet migrated",
            Self::PreSignUp => "every sign-up",
            Self::PostConfirmation => "every confirmation of a sign-up",
        }
    }

    /// Whether the configuration asks for it. After the window has closed, migration is over, and the function only serves the
    /// other triggers; without any of them the migration trigger stays until teardown.
    pub fn is_on(self, config: &Config, today: Date) -> bool {
        let on = &config.triggers;
        match self {
            Self::UserMigration => {
                let over = config.window.closes.is_some_and(|closes| closes < today);
                !over || !(on.pre_sign_up || on.post_confirmation)
            }
            Self::PreSignUp => on.pre_sign_up,
            Self::PostConfirmation => on.post_confirmation,
        }
    }

    /// The triggers that the configuration asks for.
    pub fn on(config: &Config, today: Date) -> Vec<Self> {
        let is_on = |trigger: &Self| trigger.is_on(config, today);
        Self::ALL.into_iter().filter(is_on).collect()
    }
}

/// Words in a sentence: `a, b and c`.
pub fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match &words[..] {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_window_ends_migration_if_other_triggers_are_on() {
        let config = |more: &str| {
            let toml = format!(
                "[directory]\nkind = 'jane'\nclient_id = 'c'\nclient_secret = {{ ssm = '/s' }}\n{more}"
            );
            jane_migrate_config::parse(&toml, "migrate.toml").unwrap()
        };
        let today: Date = "2026-11-26".parse().unwrap();
        let is_on = |trigger: Trigger, more: &str| trigger.is_on(&config(more), today);
        let on = "[triggers]\npre_sign_up = true\n";
        let closed = "[window]\ncloses = 2026-11-25\n";
        let last_day = "[window]\ncloses = 2026-11-26\n";
        assert!(is_on(Trigger::UserMigration, ""));
        assert!(is_on(Trigger::UserMigration, closed));
        assert!(is_on(Trigger::UserMigration, &format!("{on}{last_day}")));
        assert!(!is_on(Trigger::UserMigration, &format!("{on}{closed}")));
        assert!(is_on(Trigger::PreSignUp, &format!("{on}{closed}")));
        assert!(!is_on(Trigger::PreSignUp, closed));
        assert!(!is_on(Trigger::PostConfirmation, on));
        let asked = [Trigger::UserMigration, Trigger::PreSignUp];
        assert_eq!(Trigger::on(&config(on), today), asked);
    }
}

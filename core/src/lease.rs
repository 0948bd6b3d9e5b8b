//! The run that is changing a pool. Deploy, teardown, restore, rollback and import exclude each other with a lease in the
//! description of the alias, which Lambda changes only for a caller that names its revision. Without an alias the lease is in a
//! tag of the role. It expires, so that after a killed run others do not wait long.

use std::fmt;

use crate::fix::{Fix, fix};

/// How long a lease is valid after its last renewal, in seconds.
pub const LASTS_S: i64 = 120;

/// How wrong a caller's clock may be for AWS, in seconds.
const SKEW_S: i64 = 300;

/// An active run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The command, with its user and machine.
    pub by: String,
    /// When it started, in UTC.
    pub since: String,
    /// When it expires, in seconds since 1970.
    pub until_s: i64,
    /// The id of this run, unique among all runs.
    pub run: String,
}

impl Lease {
    /// Parses the output of [`Display`](fmt::Display). Any other text is no lease.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, run) = text.rsplit_once(" run ")?;
        let (rest, until) = rest.rsplit_once(" until ")?;
        let (by, since) = rest.rsplit_once(" since ")?;
        Some(Self {
            by: by.to_owned(),
            since: since.to_owned(),
            until_s: until.parse().ok()?,
            run: run.to_owned(),
        })
    }

    /// Whether it has expired. A lease whose end is later than any clock that AWS accepts could have written counts as expired,
    /// too.
    pub fn is_over(&self, now_s: i64) -> bool {
        self.until_s <= now_s || self.until_s > now_s + LASTS_S + SKEW_S
    }

    /// The same lease, released.
    pub fn ended(&self) -> Self {
        Self {
            until_s: 0,
            ..self.clone()
        }
    }

    /// The same lease, renewed from now on.
    pub fn renewed(&self, now_s: i64) -> Self {
        Self {
            until_s: now_s + LASTS_S,
            ..self.clone()
        }
    }

    /// As a sentence.
    pub fn explain(&self) -> String {
        format!(
            "another run is at work on this pool: {}, since {}",
            self.by, self.since
        )
    }

    /// The hint for it; `by_force` is the command that takes over the lease.
    pub fn wait(by_force: &Fix) -> Fix {
        fix![
            "wait until that run has ended, and run the command again. If it was killed, its lease ends two minutes after it was last renewed; `",
            by_force.clone(),
            "` takes it at once",
        ]
    }
}

/// Tags allow letters, digits, spaces and few other characters; a description allows all of these.
impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
        let by = self.by.chars().take(120);
        let by: String = by.map(|c| if plain(c) { c } else { '-' }).collect();
        let Self {
            since,
            until_s,
            run,
            ..
        } = self;
        write!(f, "{by} since {since} until {until_s} run {run}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::Flags;

    #[test]
    fn a_lease_is_parsed_from_its_text_and_other_texts_are_no_lease() {
        let lease = Lease {
            by: "deploy by ann@laptop since Monday".into(),
            since: "2026-11-26T15:00:00Z".into(),
            until_s: 1_790_000_000,
            run: "1f2e-77-123".into(),
        };
        assert_eq!(Lease::parse(&lease.to_string()), Some(lease.clone()));
        assert!(!lease.is_over(1_789_999_999) && lease.is_over(1_790_000_000));
        assert!(!lease.is_over(1_790_000_000 - 420) && lease.is_over(1_790_000_000 - 421));
        let ended = Lease::parse(&lease.ended().to_string()).unwrap();
        assert_eq!((ended.until_s, &ended.run), (0, &lease.run));
        assert_eq!(lease.renewed(5).until_s, 5 + LASTS_S);
        assert_eq!(
            lease.explain(),
            "another run is at work on this pool: deploy by ann@laptop since Monday, since 2026-11-26T15:00:00Z"
        );
        let hint = Lease::wait(&"deploy --break-lease".into()).render(&Flags::default());
        assert!(
            hint.contains("`deploy --break-lease` takes it at once"),
            "{hint}"
        );
        for text in ["", "none", "a since b until c run d", "the live version"] {
            assert_eq!(Lease::parse(text), None, "{text}");
        }
        let odd = Lease {
            by: format!("deploy by {}", "ä,\"\n".repeat(90)),
            ..lease
        };
        let text = odd.to_string();
        assert!(text.len() <= 256 && text.is_ascii() && !text.contains(['"', ',', '\n']));
    }
}

//! How many sign-ins a shop of a given size brings at once on the first day of its window. An estimate on the safe side, in one place:
//! the check `concurrency` holds it against what Lambda allows.

/// Of all customers, those who sign in on the first day, after a mail that tells them to.
const FIRST_DAY: f64 = 0.2;

/// Of these, those of the busiest hour.
const BUSIEST_HOUR: f64 = 0.2;

/// How much more a minute of that hour brings than its average.
const BURST: f64 = 3.0;

/// How long a first sign-in holds an execution, with a slow directory or a costly hash.
const SECONDS: f64 = 2.0;

/// How many executions the first day of so many customers needs at the same time, at least 1.
pub fn executions_at_once(customers: u64) -> u64 {
    let a_second = customers as f64 * FIRST_DAY * BUSIEST_HOUR / 3600.0;
    (a_second * BURST * SECONDS).ceil().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shop_of_a_million_outgrows_a_new_account_and_one_of_ten_thousand_does_not() {
        // A new account has 10 or 50, others have 1,000.
        assert_eq!(executions_at_once(1_000_000), 67);
        assert_eq!(executions_at_once(10_000), 1);
        assert_eq!(executions_at_once(0), 1);
        assert!(executions_at_once(14_000_000) < 1_000);
    }
}

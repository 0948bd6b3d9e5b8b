//! How many parallel sign-ins a shop of a given size has on the first day of its window. A cautious estimate, in one place: the
//! check `concurrency` compares it with Lambda's limits.

/// The share of customers who sign in on the first day, after a mail that asks them to.
const FIRST_DAY: f64 = 0.2;

/// The share of these sign-ins in the busiest hour.
const BUSIEST_HOUR: f64 = 0.2;

/// How many more there are in a peak minute of that hour than on average.
const BURST: f64 = 3.0;

/// How long a first sign-in uses an execution, with a slow directory or a costly hash.
const SECONDS: f64 = 2.0;

/// How many parallel executions the first day needs for this many customers, at least 1.
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

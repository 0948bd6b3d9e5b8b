//! `[window] share`: the part of all names that migrates at first. Raising the share adds names and
//! removes none. It depends neither on a secret, which may be replaced, nor on whether the name exists.

use ring::hmac;

/// Whether a name is in this percentage of all names.
pub fn has(percent: u8, pool: &str, name: &str) -> bool {
    let key = format!("jane-migrate share of {pool}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let tag = hmac::sign(&key, name.as_bytes());
    let place = tag
        .as_ref()
        .iter()
        .take(4)
        .fold(0_u64, |place, byte| place << 8 | u64::from(*byte));
    place * 100 < u64::from(percent) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOL: &str = "us-east-1_Ab1";

    #[test]
    fn about_the_given_share_of_names_migrates_and_stays_when_it_grows() {
        let names: Vec<String> = (0..20_000)
            .map(|n| format!("user{n}@example.com"))
            .collect();
        for percent in [1, 5, 50, 99] {
            let share = names.iter().filter(|name| has(percent, POOL, name)).count();
            let expected = names.len() * usize::from(percent) / 100;
            assert!(share.abs_diff(expected) < 300, "{percent}: {share}");
        }
        for name in &names[..500] {
            let from = (1..=100).find(|percent| has(*percent, POOL, name));
            let from = from.expect("all are in 100 %");
            assert!((from..=100).all(|percent| has(percent, POOL, name)));
        }
        let other = |name: &&String| has(50, POOL, name) != has(50, "us-east-1_Cd2", name);
        assert!(names.iter().filter(other).count() > 9_000, "pools differ");
    }
}

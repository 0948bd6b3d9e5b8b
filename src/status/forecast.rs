//! Estimates how many customers will migrate between two days, from how many have. Sign-ins decay: frequent customers migrate first.
//! Two curves are fitted to the days so far, one that falls by the same share each day and one that falls more and more slowly; real
//! shops are between them. Their mean, weighted by their likelihood, is the forecast; both together give its range.

use serde::Serialize;

/// A forecast needs this many complete days.
pub(super) const NEEDED_DAYS: usize = 7;

/// Standard deviations on each side of a range that holds in four of five cases.
const SPREAD: f64 = 1.28;

/// One complete day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Complete {
    /// Days since 1970.
    pub day: i64,
    /// How many customers migrated.
    pub migrated: u64,
}

/// How many customers will migrate: the likely number and its range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// The likely number.
    pub likely: f64,
    /// The lower bound: in nine of ten cases there are at least this many.
    pub least: f64,
    /// The upper bound: in nine of ten cases there are at most this many.
    pub most: f64,
}

impl Range {
    const NONE: Self = Self {
        likely: 0.0,
        least: 0.0,
        most: 0.0,
    };
}

/// How the number of a day falls: `e` to the power of slope times `x`; `x` grows with the days since the first.
#[derive(Debug, Clone, Copy)]
enum Curve {
    /// By the same share each day.
    Exponential,
    /// More and more slowly.
    Power,
}

/// A fitted curve.
#[derive(Debug, Clone, Copy)]
struct Fitted {
    curve: Curve,
    slope: f64,
    /// The steepest and the flattest slope that fit the days.
    slopes: [f64; 2],
    /// The logarithm of the likelihood, without the terms that all curves share.
    likelihood: f64,
    /// How much more the days differ from the curve than chance explains; at least 1.
    dispersion: f64,
}

/// A forecast, made from complete days.
#[derive(Debug, Clone)]
pub struct Forecast {
    first: i64,
    migrated: f64,
    days: Vec<f64>,
    fitted: [Fitted; 2],
}

impl Forecast {
    /// Fits the days, which are in order. The caller leaves out days with an outage: they do not show how customers behave.
    /// `None` if there are too few days.
    pub fn new(days: &[Complete]) -> Option<Self> {
        let first = days.first()?.day;
        let observed: Vec<(f64, f64)> = days
            .iter()
            .map(|day| ((day.day - first) as f64, day.migrated as f64))
            .collect();
        (observed.len() >= NEEDED_DAYS).then(|| Self {
            first,
            migrated: observed.iter().map(|(_, n)| n).sum(),
            fitted: [Curve::Exponential, Curve::Power].map(|curve| curve.fit(&observed)),
            days: observed.into_iter().map(|(day, _)| day).collect(),
        })
    }

    /// How many will migrate from one day to another, both included.
    pub fn between(&self, from: i64, to: i64) -> Range {
        if self.migrated == 0.0 || to < from {
            return Range::NONE;
        }
        let sum = |fitted: &Fitted, slope: f64| {
            let share = |day: f64| (slope * fitted.curve.x(day)).exp();
            let ahead: f64 = (from..=to)
                .map(|day| share((day - self.first) as f64))
                .sum();
            let past: f64 = self.days.iter().map(|day| share(*day)).sum();
            self.migrated * ahead / past
        };
        let sums = self.fitted.map(|fitted| sum(&fitted, fitted.slope));
        let likely = self.weigh(sums);
        let mut range = Range {
            likely,
            least: likely,
            most: likely,
        };
        for fitted in &self.fitted {
            let [steep, flat] = fitted.slopes.map(|slope| sum(fitted, slope));
            let chance = |n: f64| SPREAD * (fitted.dispersion * n).sqrt();
            range.least = range.least.min(steep - chance(steep)).max(0.0);
            range.most = range.most.max(flat + chance(flat));
        }
        range
    }

    /// The mean of the two curves' numbers, weighted by the likelihood of each curve.
    fn weigh(&self, [one, other]: [f64; 2]) -> f64 {
        let [exponential, power] = &self.fitted;
        let dispersion = exponential.dispersion.min(power.dispersion);
        let ahead = (power.likelihood - exponential.likelihood) / dispersion;
        let share = 1.0 / (1.0 + ahead.clamp(-50.0, 50.0).exp());
        share * one + (1.0 - share) * other
    }

    /// The first day from `from` to `to` at whose end this many more have migrated.
    pub fn reaches(&self, more: u64, from: i64, to: i64) -> Option<i64> {
        let (mut low, mut high) = (from, to);
        let enough = |day: i64| self.between(from, day).likely.round() >= more as f64;
        if !enough(high) {
            return None;
        }
        while low < high {
            let middle = i64::midpoint(low, high);
            match enough(middle) {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        Some(low)
    }
}

impl Curve {
    fn x(self, day: f64) -> f64 {
        match self {
            Self::Exponential => day / 30.0,
            Self::Power => day.max(0.0).ln_1p(),
        }
    }

    /// The most likely slope if the number of each day is a Poisson variable. The height of the curve follows from the slope
    /// and the sum, so only the slope is searched for.
    fn fit(self, days: &[(f64, f64)]) -> Fitted {
        let migrated: f64 = days.iter().map(|(_, n)| n).sum();
        let moments = |slope: f64| {
            let weigh = |power: i32| -> f64 {
                let of = |day: f64| self.x(day).powi(power) * (slope * self.x(day)).exp();
                days.iter().map(|(day, _)| of(*day)).sum()
            };
            let (weight, mean) = (weigh(0), weigh(1) / weigh(0));
            (weight, mean, weigh(2) / weight - mean * mean)
        };
        let seen = days.iter().map(|(day, n)| self.x(*day) * n).sum::<f64>() / migrated.max(1.0);
        let mut slope = 0.0_f64;
        for _ in 0..50 {
            let (_, mean, variance) = moments(slope);
            let step = (seen - mean) / variance.max(1e-9);
            slope = (slope + step.clamp(-1.0, 1.0)).clamp(-100.0, 100.0);
        }
        // In the long run the number cannot grow: each customer migrates once.
        let (weight, _, variance) = moments(slope);
        let expected = |day: f64| migrated * (slope * self.x(day)).exp() / weight;
        let chi_square: f64 = days
            .iter()
            .map(|(day, n)| (n - expected(*day)).powi(2) / expected(*day).max(1e-9))
            .sum();
        let dispersion = (chi_square / (days.len() as f64 - 2.0)).max(1.0);
        let error = (dispersion / (migrated * variance).max(1e-9)).sqrt();
        let falling = |slope: f64| slope.min(0.0);
        Fitted {
            curve: self,
            slope: falling(slope),
            slopes: [-1.0, 1.0].map(|side| falling(slope + side * SPREAD * error)),
            likelihood: migrated * (slope * seen - weight.ln()),
            dispersion,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::{Dice, shops};
    use super::*;

    /// Checks the error that `docs/while-it-runs.md` states: for forecasts halfway through a window of 90 days, with shops of
    /// three sizes, four mixes of habits and three kinds of weekends.
    #[test]
    fn a_forecast_made_halfway_is_about_right() {
        let mut dice = Dice(7);
        let (mut within, mut errors, mut naive) = (0, Vec::new(), Vec::new());
        let shops = shops();
        for shop in &shops {
            let days = shop.days(90, &mut dice).into_iter().enumerate();
            let history: Vec<_> = days
                .map(|(day, migrated)| Complete {
                    day: 20_000 + day as i64,
                    migrated,
                })
                .collect();
            let total: u64 = history.iter().map(|day| day.migrated).sum();
            let (past, ahead) = history.split_at(45);
            let came = ahead.iter().map(|day| day.migrated).sum::<u64>() as f64;
            let forecast = Forecast::new(past).unwrap();
            let range = forecast.between(ahead[0].day, ahead[44].day);
            within += usize::from(range.least <= came && came <= range.most);
            errors.push((range.likely - came).abs() / total as f64);
            let week = past[38..].iter().map(|day| day.migrated).sum::<u64>() as f64;
            naive.push((week / 7.0 * 45.0 - came).abs() / total as f64);
        }
        errors.sort_by(f64::total_cmp);
        naive.sort_by(f64::total_cmp);
        let at = |errors: &[f64], share: f64| errors[(errors.len() as f64 * share) as usize];
        let said = format!(
            "{within} of {} within; error: median {:.3}, nine of ten {:.3}; last week's rate: {:.3}, {:.3}",
            shops.len(),
            at(&errors, 0.5),
            at(&errors, 0.9),
            at(&naive, 0.5),
            at(&naive, 0.9)
        );
        assert!(within * 10 >= shops.len() * 9, "{said}");
        assert!(at(&errors, 0.5) < 0.04 && at(&errors, 0.9) < 0.1, "{said}");
        assert!(at(&errors, 0.5) * 2.0 < at(&naive, 0.5), "{said}");
    }

    fn flat(days: i64, migrated: u64) -> Vec<Complete> {
        (0..days).map(|day| Complete { day, migrated }).collect()
    }

    #[test]
    fn a_steady_number_continues_and_growth_does_not() {
        let forecast = Forecast::new(&flat(30, 100)).unwrap();
        let range = forecast.between(30, 39);
        assert!((range.likely - 1000.0).abs() < 1.0, "{range:?}");
        assert!(range.least < 1000.0 && range.most > 1000.0, "{range:?}");
        assert_eq!(forecast.reaches(1000, 30, 100), Some(39));
        let growing: Vec<_> = (0..14)
            .map(|day| Complete {
                day,
                migrated: 10 * day as u64,
            })
            .collect();
        let range = Forecast::new(&growing).unwrap().between(14, 23);
        assert!((range.likely - 650.0).abs() < 1.0, "{range:?}");
    }

    #[test]
    fn without_data_there_is_no_forecast() {
        assert!(Forecast::new(&flat(6, 100)).is_none());
        let nothing = Forecast::new(&flat(10, 0)).unwrap();
        assert_eq!(nothing.between(10, 500), Range::NONE);
        assert_eq!(nothing.reaches(1, 10, 500), None);
        let forecast = Forecast::new(&flat(10, 5)).unwrap();
        assert_eq!(forecast.between(10, 9), Range::NONE);
    }
}

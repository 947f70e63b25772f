//! The Hodges-Lehmann estimate and the exact interval of the Wilcoxon signed-rank test.
//!
//! The interval inverts the test: it runs between two order statistics of the Walsh averages `(d[i] + d[j]) / 2`,
//! `i <= j`. Both ends belong to it; so read, its coverage is at least the nominal one when there are ties and zeros as
//! well, and none has to be dropped (Noether, JASA 62, 1967). Sources: Wilcoxon, *Individual comparisons by ranking
//! methods*, Biometrics Bulletin 1 (1945); Hodges and Lehmann, *Estimates of location based on rank tests*, Annals of
//! Mathematical Statistics 34 (1963); Tukey for the order statistics of the Walsh averages.

use super::student::normal_quantile;

/// Above so many pairs the critical value comes from the normal approximation with its continuity correction.
const EXACT: usize = 200;

/// The null distribution function of the signed-rank sum: `P(T <= k)` for `k = 0 ..= up_to`.
///
/// Each rank is in the sum with probability one half: one convolution a rank, `n * up_to` additions.
pub fn null_cdf(n: usize, up_to: usize) -> Vec<f64> {
    let mut mass = vec![0.0; up_to + 1];
    mass[0] = 1.0;
    let mut reached = 0;
    for rank in 1..=n {
        reached = (reached + rank).min(up_to);
        for sum in (0..=reached).rev() {
            let with = if sum >= rank { mass[sum - rank] } else { 0.0 };
            mass[sum] = (mass[sum] + with) / 2.0;
        }
    }
    let mut total = 0.0;
    for p in &mut mass {
        total += *p;
        *p = total;
    }
    mass
}

/// The largest `k` with `P(T <= k) <= alpha / 2`; none when even `k = 0` is too likely for so few pairs.
pub fn critical(n: usize, alpha: f64) -> Option<usize> {
    let ranks = (n * (n + 1)) as f64;
    let normal = || {
        let sd = (ranks * (2 * n + 1) as f64 / 24.0).sqrt();
        ranks / 4.0 + normal_quantile(alpha / 2.0) * sd - 0.5
    };
    if n > EXACT {
        let k = normal().floor();
        return (k >= 0.0).then_some(k as usize);
    }
    // The tail of the exact distribution ends close to where the normal one does.
    let up_to = (normal().max(0.0) as usize + n).min(n * (n + 1) / 2);
    null_cdf(n, up_to).iter().rposition(|p| *p <= alpha / 2.0)
}

/// The Hodges-Lehmann estimate, and the interval that leaves `critical` Walsh averages out at each end.
///
/// `differences` must be finite and not empty. Cost: `n (n + 1) / 2` averages and four selections among them.
pub fn interval(differences: &[f64], critical: Option<usize>) -> (f64, Option<[f64; 2]>) {
    let mut walsh = Vec::with_capacity(differences.len() * (differences.len() + 1) / 2);
    for (i, a) in differences.iter().enumerate() {
        walsh.extend(differences[i..].iter().map(|b| a / 2.0 + b / 2.0));
    }
    let last = walsh.len() - 1;
    let mut nth = |k: usize| *walsh.select_nth_unstable_by(k, f64::total_cmp).1;
    let ends = critical.filter(|k| 2 * k < last + 1).map(|k| [nth(k), nth(last - k)]);
    let estimate = if last % 2 == 0 { nth(last / 2) } else { (nth(last / 2) + nth(last / 2 + 1)) / 2.0 };
    (estimate, ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two-sided 0.10, 0.05, 0.02, 0.01. Exact counts (rational arithmetic, Python 3 integers); they agree with the
    /// printed table of Wilcoxon, Katti and Wilcox (1963) wherever that keeps below the nominal level.
    const TABLE: [(usize, [Option<usize>; 4]); 10] = [
        (5, [Some(0), None, None, None]),
        (8, [Some(5), Some(3), Some(1), Some(0)]),
        (10, [Some(10), Some(8), Some(5), Some(3)]),
        (12, [Some(17), Some(13), Some(9), Some(7)]),
        (15, [Some(30), Some(25), Some(19), Some(15)]),
        (18, [Some(47), Some(40), Some(32), Some(27)]),
        (20, [Some(60), Some(52), Some(43), Some(37)]),
        (30, [Some(151), Some(137), Some(120), Some(109)]),
        (40, [Some(286), Some(264), Some(238), Some(220)]),
        (60, [Some(690), Some(648), Some(600), Some(567)]),
    ];

    #[test]
    fn critical_values_are_those_of_the_table() {
        for (n, row) in TABLE {
            for (alpha, k) in [0.10, 0.05, 0.02, 0.01].into_iter().zip(row) {
                assert_eq!(critical(n, alpha), k, "n = {n}, alpha = {alpha}");
            }
        }
    }

    #[test]
    fn the_null_distribution_of_three_ranks_is_the_one_counted_by_hand() {
        // Sums of the subsets of {1, 2, 3}: 0, 1, 2, 3, 3, 4, 5, 6.
        let eighths = [1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 8.0];
        assert_eq!(null_cdf(3, 6), eighths.map(|c| c / 8.0));
    }

    #[test]
    fn the_short_tail_holds_the_critical_value_of_the_whole_distribution() {
        for n in 1..=80 {
            let whole = null_cdf(n, n * (n + 1) / 2);
            for alpha in [0.2, 0.05, 0.02, 0.002, 0.0002, 1e-6] {
                assert_eq!(critical(n, alpha), whole.iter().rposition(|p| *p <= alpha / 2.0), "n = {n}, {alpha}");
            }
        }
    }

    #[test]
    fn the_normal_approximation_takes_over_smoothly() {
        for alpha in [0.05, 0.02, 0.002] {
            let exact = null_cdf(EXACT + 1, 12_000).iter().rposition(|p| *p <= alpha / 2.0).expect("a critical value");
            let near = critical(EXACT + 1, alpha).expect("a critical value");
            assert!(near.abs_diff(exact) <= exact / 250, "{near} and {exact} at {alpha}");
        }
    }

    #[test]
    fn estimate_and_interval_are_order_statistics_of_the_walsh_averages() {
        // numpy 2: the 55 sorted Walsh averages begin -0.02 -0.015 -0.01 0.005 0.01 0.01 0.015 0.015 0.02 0.02, end
        // 0.085 0.09 0.09 0.09 0.095 0.1 0.105 0.11 0.115 0.12, and have the median 0.055.
        let d = [-0.02, 0.05, 0.11, 0.03, 0.07, -0.01, 0.09, 0.04, 0.12, 0.06];
        let (estimate, ends) = interval(&d, critical(10, 0.05));
        let [low, high] = ends.expect("ten pairs are enough");
        // k = 8: the ninth from either end.
        assert!((estimate - 0.055).abs() < 1e-12 && (low - 0.02).abs() < 1e-12 && (high - 0.09).abs() < 1e-12);
    }

    #[test]
    fn too_few_pairs_for_the_level_have_no_interval() {
        assert_eq!(critical(7, 0.01), None);
        assert_eq!(critical(0, 0.5), None);
        assert_eq!(interval(&[1.0, 2.0], critical(2, 0.05)).1, None);
    }

    #[test]
    fn zeros_and_ties_stay_inside_the_interval() {
        let (estimate, ends) = interval(&[0.0; 12], critical(12, 0.02));
        assert_eq!((estimate, ends), (0.0, Some([0.0, 0.0])));
        let half: Vec<f64> = (0..12).map(|i| if i % 2 == 0 { 0.0 } else { 1.0 }).collect();
        let (_, ends) = interval(&half, critical(12, 0.02));
        assert_eq!(ends, Some([0.0, 1.0]));
    }
}

//! Quantiles of the normal and of Student's t distribution, and the t interval of a mean.
//!
//! Sources: Abramowitz and Stegun, *Handbook of Mathematical Functions* (1964), 26.2.11 for the normal distribution,
//! 26.7.3 and 26.7.4 for t with a whole number of degrees of freedom, 26.7.5 for t with many. The method is Student,
//! *The probable error of a mean*, Biometrika 6 (1908).

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Above so many degrees of freedom the expansion 26.7.5 is used: its error is below 1e-9 there.
const MANY: usize = 200;

/// The standard normal distribution function at `z`.
pub fn normal_cdf(z: f64) -> f64 {
    if z.abs() > 8.0 {
        return if z > 0.0 { 1.0 } else { 0.0 };
    }
    let mut term = z;
    let mut sum = z;
    let mut odd = 1.0;
    while term.abs() > 1e-17 * sum.abs() {
        odd += 2.0;
        term *= z * z / odd;
        sum += term;
    }
    let density = (-z * z / 2.0).exp() * FRAC_1_SQRT_2 / PI.sqrt();
    0.5 + density * sum
}

/// The `p` quantile of the standard normal distribution, `p` above 0 and below 1 (clamped to 8 standard deviations).
pub fn normal_quantile(p: f64) -> f64 {
    invert(p, normal_cdf, 8.0)
}

/// The distribution function of Student's t with `freedom` degrees of freedom (at least 1) at `t`.
pub fn t_cdf(t: f64, freedom: usize) -> f64 {
    let theta = (t.abs() / (freedom as f64).sqrt()).atan();
    let cosine = theta.cos();
    let odd = freedom % 2 == 1;
    // The terms of 26.7.3 (odd) and 26.7.4 (even), each from the one before it.
    let (mut term, mut k) = if odd { (cosine, 1) } else { (1.0, 0) };
    let mut sum = if freedom == 1 { 0.0 } else { term };
    while k + 2 < freedom {
        term *= cosine * cosine * (k + 1) as f64 / (k + 2) as f64;
        sum += term;
        k += 2;
    }
    let both = if odd { 2.0 / PI * (theta + theta.sin() * sum) } else { theta.sin() * sum };
    0.5 + both.copysign(t) / 2.0
}

/// The `p` quantile of Student's t with `freedom` degrees of freedom, `p` above 0 and below 1.
pub fn t_quantile(p: f64, freedom: usize) -> f64 {
    if freedom > MANY {
        return t_from_normal(normal_quantile(p), freedom);
    }
    if freedom == 1 {
        return (PI * (p - 0.5)).tan();
    }
    invert(p, |t| t_cdf(t, freedom), 1e6)
}

/// The t quantile of `freedom` degrees of freedom that belongs to the normal quantile `z`: the expansion 26.7.5. Its
/// error is below 1e-9 above two hundred degrees of freedom, and below 2 % from seven on for the levels used here.
pub fn t_from_normal(z: f64, freedom: usize) -> f64 {
    let v = freedom as f64;
    let (z3, z5, z7, z9) = (z.powi(3), z.powi(5), z.powi(7), z.powi(9));
    z + (z3 + z) / (4.0 * v)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * v.powi(2))
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * v.powi(3))
        + (79.0 * z9 + 776.0 * z7 + 1482.0 * z5 - 1920.0 * z3 - 945.0 * z) / (92160.0 * v.powi(4))
}

/// The mean of `values` and half the width of its interval, `quantile` standard errors; none below two values.
///
/// `least` is the smallest standard deviation that is believed (see [`super::sequential`] on coarse readings).
pub fn interval(values: &[f64], quantile: f64, least: f64) -> Option<(f64, f64)> {
    let n = values.len();
    if n < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    let error = variance.sqrt().max(least) / (n as f64).sqrt();
    Some((mean, quantile * error))
}

/// Solves `cdf(x) = p` for a symmetric distribution by bisection in `[-bound, bound]`.
fn invert(p: f64, cdf: impl Fn(f64) -> f64, bound: f64) -> f64 {
    if p == 0.5 {
        return 0.0;
    }
    // On the lower side the tail keeps its precision; the upper one is its mirror.
    let tail = p.min(1.0 - p);
    let (mut low, mut high) = (-bound, 0.0);
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle == low || middle == high {
            break;
        }
        if cdf(middle) < tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    let x = low + (high - low) / 2.0;
    if p < 0.5 { x } else { -x }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64, error: f64) -> bool {
        (a - b).abs() <= error * b.abs().max(1.0)
    }

    #[test]
    fn the_normal_distribution_agrees_with_scipy() {
        // scipy 1.17.1, scipy.stats.norm.cdf and .ppf
        let cdf = [(-3.0, 0.0013498980316300933), (-1.5, 0.06680720126885807), (0.0, 0.5), (0.7, 0.758036347776927)];
        for (z, p) in cdf {
            assert!(close(normal_cdf(z), p, 1e-14), "cdf({z}) = {}", normal_cdf(z));
        }
        let ppf = [
            (0.5, 0.0),
            (0.9, 1.2815515655446004),
            (0.975, 1.959963984540054),
            (0.999, 3.090232306167813),
            (1e-6, -4.753424308822899),
        ];
        for (p, z) in ppf {
            assert!(close(normal_quantile(p), z, 1e-9), "quantile({p}) = {}", normal_quantile(p));
        }
    }

    #[test]
    fn t_quantiles_agree_with_scipy() {
        // scipy 1.17.1, scipy.stats.t.ppf(p, df): the rows df 1 to 60 are those of every printed table as well.
        let figures = [
            (1, 0.975, 12.706204736174694),
            (1, 0.99, 31.820515953773935),
            (2, 0.975, 4.302652729749462),
            (2, 0.99, 6.9645567342832715),
            (2, 0.9995, 31.599054576445365),
            (4, 0.975, 2.7764451051977934),
            (4, 0.99, 3.746947387979196),
            (6, 0.995, 3.7074280213248065),
            (7, 0.99, 2.9979515668685277),
            (30, 0.975, 2.0422724563012378),
            (60, 0.9995, 3.460200469196392),
            (200, 0.99, 2.345137082259468),
            (201, 0.99, 2.345042887393453),
            (1000, 0.995, 2.580754698065951),
        ];
        for (freedom, p, t) in figures {
            assert!(close(t_quantile(p, freedom), t, 1e-9), "t({p}, {freedom}) = {}", t_quantile(p, freedom));
            assert!(close(t_quantile(1.0 - p, freedom), -t, 1e-9));
        }
    }

    #[test]
    fn the_quantile_turns_the_distribution_function_round() {
        for freedom in [1, 2, 3, 4, 5, 10, 59, 199] {
            for p in [0.001, 0.01, 0.2, 0.5, 0.7, 0.99, 0.9975] {
                assert!(close(t_cdf(t_quantile(p, freedom), freedom), p, 1e-11), "{p} at {freedom}");
            }
        }
    }

    #[test]
    fn the_interval_of_a_mean_agrees_with_scipy() {
        // scipy 1.17.1, scipy.stats.t.interval(0.98, 4, loc=mean, scale=sem)
        let (mean, half) = interval(&[-0.02, 0.05, 0.11, 0.03, 0.07], t_quantile(0.99, 4), 0.0).expect("five values");
        assert!(close(mean, 0.048, 1e-12));
        assert!(close(mean - half, -0.03271171683172047, 1e-10));
        assert!(close(mean + half, 0.12871171683172047, 1e-10));
    }

    #[test]
    fn the_expansion_is_close_already_for_few_degrees_of_freedom() {
        for freedom in 7..=MANY {
            for alpha in [0.0157, 0.008, 0.003, 0.0008] {
                let (exact, near) = (
                    t_quantile(1.0 - alpha / 2.0, freedom),
                    t_from_normal(normal_quantile(1.0 - alpha / 2.0), freedom),
                );
                assert!(close(near, exact, 0.02), "{near} and {exact} at {freedom}, {alpha}");
            }
        }
    }

    #[test]
    fn one_value_has_no_interval() {
        assert_eq!(interval(&[1.0], 2.0, 0.0), None);
        assert_eq!(interval(&[], 2.0, 0.0), None);
    }
}

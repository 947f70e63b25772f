//! What a curve comes to: what is paid always, what each piece adds, and where the second outgrows the first.

use super::Point;

/// `fixed + each * n`, and how the top of the curve grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    pub fixed: f64,
    pub each: f64,
    /// The slope of the logarithms over the last three sizes: 1 is in proportion, 0 not at all.
    pub exponent: f64,
}

impl Fit {
    /// Least squares of the relative errors, neither part below zero; nothing with fewer than three sizes.
    pub fn of(points: &[Point], value: impl Fn(&Point) -> f64) -> Option<Fit> {
        if points.len() < 3 {
            return None;
        }
        let pairs: Vec<(f64, f64)> = points.iter().map(|point| (point.size, value(point))).collect();
        // Weighted by 1/value², so that a millisecond counts beside a minute.
        let sum = |of: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(n, v)| of(*n, *v) / (v * v)).sum::<f64>();
        let (w, n, nn, v, nv) =
            (sum(&|_, _| 1.0), sum(&|n, _| n), sum(&|n, _| n * n), sum(&|_, v| v), sum(&|n, v| n * v));
        let determinant = w * nn - n * n;
        let (mut fixed, mut each) = ((v * nn - nv * n) / determinant, (w * nv - n * v) / determinant);
        if each < 0.0 {
            (fixed, each) = (v / w, 0.0);
        } else if fixed < 0.0 {
            (fixed, each) = (0.0, nv / nn);
        }
        let top: Vec<(f64, f64)> = pairs[pairs.len() - 3..].iter().map(|(n, v)| (n.ln(), v.ln())).collect();
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| top.iter().map(of).sum::<f64>() / 3.0;
        let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
        let exponent = mean(&|p| (p.0 - x) * (p.1 - y)) / mean(&|p| (p.0 - x).powi(2));
        Some(Fit { fixed, each, exponent })
    }

    /// Where what each piece adds has come to as much as what is paid always; nothing when that is beyond ten times `most`.
    pub fn bend(&self, most: f64) -> Option<f64> {
        Some(self.fixed / self.each).filter(|at| at.is_finite() && *at < 10.0 * most)
    }
}

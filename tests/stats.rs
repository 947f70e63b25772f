//! Properties of the statistics, over the public interface: symmetries, coverage, the error that is spent.

use git_verdict::config::{Better, Matters};
use git_verdict::stats::{Criticals, Look, Looks, Scale, Word, decide, look};
use git_verdict::units::Ratio;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const ALPHA: f64 = 0.02;

fn at(pairs: &[(f64, f64)], matters: f64, better: Better) -> Look {
    look(pairs, Matters::Relative(Ratio(matters)), better, ALPHA, &mut Criticals::default()).expect("finite pairs")
}

fn turned(word: Option<Word>) -> Option<Word> {
    word.map(|w| match w {
        Word::Improved => Word::Regressed,
        Word::Regressed => Word::Improved,
        other => other,
    })
}

/// Positive readings of both sides: a level, an effect, and noise on each reading.
fn positive() -> impl Strategy<Value = Vec<(f64, f64)>> {
    (3usize..40, 0.001f64..1e6, -0.4f64..0.4).prop_flat_map(|(n, level, effect)| {
        let noise = (-0.2f64..0.2, -0.2f64..0.2);
        prop::collection::vec(noise.prop_map(move |(a, b)| (level * a.exp(), level * (effect + b).exp())), n)
    })
}

/// Any finite readings: zeros, ties, both signs.
fn any_sign() -> impl Strategy<Value = Vec<(f64, f64)>> {
    let reading = || prop_oneof![(-5i32..5).prop_map(f64::from), -1e3f64..1e3, Just(0.0)];
    prop::collection::vec((reading(), reading()), 1..40)
}

/// Whether two results agree to rounding for numbers of this size.
fn near(a: f64, b: f64, size: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * size
}

proptest! {
    #[test]
    fn the_unit_of_the_readings_changes_nothing(pairs in positive(), factor in 1e-6f64..1e6) {
        let scaled: Vec<_> = pairs.iter().map(|(a, b)| (a * factor, b * factor)).collect();
        let (one, other) = (at(&pairs, 0.05, Better::Lower), at(&scaled, 0.05, Better::Lower));
        prop_assert_eq!(one.word, other.word);
        prop_assert!(near(one.estimate, other.estimate, 1.0));
        let (a, b) = (one.interval.expect("interval"), other.interval.expect("interval"));
        prop_assert!(near(a[0], b[0], 1.0) && near(a[1], b[1], 1.0));
    }

    #[test]
    fn swapped_sides_give_the_mirrored_interval(pairs in positive()) {
        let swapped: Vec<_> = pairs.iter().map(|(a, b)| (*b, *a)).collect();
        let (one, other) = (at(&pairs, 0.0, Better::Lower), at(&swapped, 0.0, Better::Lower));
        let (a, b) = (one.interval.expect("interval"), other.interval.expect("interval"));
        prop_assert!(near(one.estimate, -other.estimate, 1.0));
        prop_assert!(near(a[0], -b[1], 1.0) && near(a[1], -b[0], 1.0));
        prop_assert_eq!(turned(one.word), other.word);
    }

    #[test]
    fn higher_is_better_turns_the_word_and_nothing_else(pairs in positive(), matters in 0.0f64..0.2) {
        let (lower, higher) = (at(&pairs, matters, Better::Lower), at(&pairs, matters, Better::Higher));
        prop_assert_eq!(lower.interval, higher.interval);
        prop_assert_eq!(turned(lower.word), higher.word);
    }

    #[test]
    fn the_order_of_the_pairs_does_not_matter(pairs in any_sign(), seed: u64) {
        let mut shuffled = pairs.clone();
        let mut rng = StdRng::seed_from_u64(seed);
        for i in (1..shuffled.len()).rev() {
            shuffled.swap(i, rng.random_range(0..=i));
        }
        let (one, other) = (at(&pairs, 0.05, Better::Lower), at(&shuffled, 0.05, Better::Lower));
        prop_assert!(near(one.estimate, other.estimate, 1e4));
        match (one.interval, other.interval) {
            (Some(a), Some(b)) => prop_assert!(near(a[0], b[0], 1e4) && near(a[1], b[1], 1e4)),
            (a, b) => prop_assert_eq!(a, b),
        }
    }

    #[test]
    fn the_interval_contains_the_estimate_and_agrees_with_the_word(pairs in any_sign(), matters in 0.0f64..0.2) {
        let look = at(&pairs, matters, Better::Lower);
        let Some([low, high]) = look.interval else {
            prop_assert!(look.word.is_none() && look.pairs < 8);
            return Ok(());
        };
        prop_assert!(low <= look.estimate && look.estimate <= high);
        match look.word {
            Some(Word::Improved) => prop_assert!(high < 0.0 && high <= look.margin[0]),
            Some(Word::Regressed) => prop_assert!(low > 0.0 && low >= look.margin[1]),
            Some(Word::Unchanged) => prop_assert!(look.margin[0] <= low && high <= look.margin[1]),
            Some(Word::Inconclusive) => prop_assert!(false, "a look has an answer or none"),
            None => {
                let beyond = low > look.margin[1] || high < look.margin[0];
                let inside = look.margin[0] < low && high < look.margin[1];
                prop_assert!(!beyond && !inside);
            }
        }
    }

    #[test]
    fn log_ratios_are_used_exactly_when_every_reading_is_positive(pairs in any_sign()) {
        let positive = pairs.iter().all(|(a, b)| *a > 0.0 && *b > 0.0);
        prop_assert_eq!(at(&pairs, 0.05, Better::Lower).scale == Scale::LogRatio, positive);
    }

    #[test]
    fn whatever_finite_numbers_come_nothing_breaks(
        pairs in prop::collection::vec(
            (prop::num::f64::NORMAL | prop::num::f64::ZERO, prop::num::f64::NORMAL | prop::num::f64::ZERO),
            1..30,
        ),
        absolute in 0.0f64..1e9,
    ) {
        let look = look(&pairs, Matters::Absolute(absolute), Better::Lower, ALPHA, &mut Criticals::default()).expect("finite pairs");
        prop_assert!(look.relative().is_none_or(f64::is_finite));
        prop_assert!(look.relative_interval().is_none_or(|ends| ends.iter().all(|e| e.is_finite())));
        prop_assert!(look.detectable().is_none_or(f64::is_finite));
        prop_assert!(look.pairs_needed().is_none_or(|n| n >= 2));
    }

    #[test]
    fn a_word_does_not_depend_on_when_it_is_asked_for(pairs in positive(), more in 0usize..20) {
        let looks = Looks::up_to(None);
        let ask = |pairs: &[(f64, f64)]| {
            let look = decide(pairs, Matters::Relative(Ratio(0.05)), Better::Lower, &looks, &mut Criticals::default(), |_| 1).expect("finite");
            look.and_then(|l| Some((l.pairs, l.word?)))
        };
        let early = ask(&pairs[..pairs.len().saturating_sub(more)]);
        if early.is_some() {
            prop_assert_eq!(early, ask(&pairs));
        }
    }
}

/// Noise of one reading on the log scale, with a spread of about one.
fn noise(kind: &str, rng: &mut StdRng) -> f64 {
    let uniform = |rng: &mut StdRng| rng.random::<f64>().max(1e-300);
    let normal = |rng: &mut StdRng| {
        let radius = (-2.0 * uniform(rng).ln()).sqrt();
        radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
    };
    match kind {
        "normal" => normal(rng),
        "exponential" => -uniform(rng).ln(),
        "heavy" => normal(rng) / normal(rng).abs().max(1e-3),
        "two levels" => f64::from(u8::from(rng.random::<f64>() < 0.3)) + 0.01 * normal(rng),
        "coarse" => (normal(rng) * 1.5).round(),
        _ => unreachable!("no such noise"),
    }
}

const KINDS: [&str; 5] = ["normal", "exponential", "heavy", "two levels", "coarse"];

fn session(kind: &str, rounds: usize, spread: f64, effect: f64, rng: &mut StdRng) -> Vec<(f64, f64)> {
    let mut reading = |effect: f64| (effect + spread * noise(kind, rng)).exp();
    (0..rounds).map(|_| (reading(0.0), reading(effect))).collect()
}

/// The most events of rate `rate` that `trials` may show: four standard errors above the mean.
fn most(trials: usize, rate: f64) -> usize {
    let mean = trials as f64 * rate;
    (mean + 4.0 * mean.sqrt()) as usize
}

#[test]
fn one_look_covers_the_true_effect_as_often_as_it_says() {
    for kind in KINDS {
        for n in [3, 5, 8, 12, 27] {
            let mut rng = StdRng::seed_from_u64(7);
            let trials = 1500;
            let missed = (0..trials).filter(|_| {
                let effect = 0.1;
                let look = at(&session(kind, n, 0.05, effect, &mut rng), 0.05, Better::Lower);
                let [low, high] = look.interval.expect("enough pairs");
                effect < low - 1e-9 || effect > high + 1e-9
            });
            let missed = missed.count();
            assert!(missed <= most(trials, ALPHA), "{kind}, {n} pairs: missed {missed} of {trials}");
        }
    }
}

/// How many of `trials` sessions without any true effect have claimed one, by the looks they have had; margin zero.
fn claims(kind: &str, looks: &Looks, metrics: usize, trials: usize) -> Vec<usize> {
    let mut rng = StdRng::seed_from_u64(11);
    let mut criticals = Criticals::default();
    let mut by_look = vec![0; looks.points().len()];
    for _ in 0..trials {
        let sessions: Vec<_> = (0..metrics).map(|_| session(kind, looks.last(), 0.05, 0.0, &mut rng)).collect();
        let mut claimed = false;
        for (count, &n) in by_look.iter_mut().zip(looks.points()) {
            claimed = claimed
                || sessions.iter().any(|pairs| {
                    let alpha = Looks::alpha(n, metrics);
                    let look = look(&pairs[..n], Matters::Absolute(0.0), Better::Lower, alpha, &mut criticals)
                        .expect("finite");
                    matches!(look.word, Some(Word::Improved | Word::Regressed))
                });
            *count += usize::from(claimed);
        }
    }
    by_look
}

#[test]
fn all_looks_together_spend_at_most_five_percent_even_with_no_margin() {
    for kind in KINDS {
        let trials = if kind == "normal" { 2000 } else { 400 };
        let spent = claims(kind, &Looks::up_to(None), 1, trials);
        assert!(spent.windows(2).all(|w| w[0] <= w[1]), "{kind}: {spent:?}");
        assert!(spent[spent.len() - 1] <= most(trials, 0.05), "{kind}: {spent:?} of {trials}");
    }
}

#[test]
fn a_last_look_between_two_others_keeps_within_five_percent() {
    for last in [4, 10, 22, 50] {
        let trials = 500;
        let spent = claims("normal", &Looks::up_to(Some(last)), 1, trials);
        assert!(spent[spent.len() - 1] <= most(trials, 0.05), "{last} rounds: {spent:?} of {trials}");
    }
}

#[test]
fn ten_metrics_together_make_no_more_false_claims_than_one() {
    let trials = 300;
    let spent = claims("normal", &Looks::up_to(None), 10, trials);
    assert!(spent[spent.len() - 1] <= most(trials, 0.05), "{spent:?} of {trials}");
}

#[test]
fn a_true_change_of_ten_percent_is_found_among_noise_of_five() {
    let mut rng = StdRng::seed_from_u64(3);
    let mut criticals = Criticals::default();
    let (mut found, mut wrong, trials) = (0, 0, 500);
    for _ in 0..trials {
        let pairs = session("normal", 60, 0.05, 1.1f64.ln(), &mut rng);
        let look =
            decide(&pairs, Matters::Relative(Ratio(0.01)), Better::Lower, &Looks::up_to(None), &mut criticals, |_| 1);
        let word = look.expect("finite").and_then(|l| l.word);
        found += usize::from(word == Some(Word::Regressed));
        wrong += usize::from(word == Some(Word::Improved));
    }
    assert!(found >= 490 && wrong == 0, "found {found}, wrong {wrong} of {trials}");
}

/// The statements of docs/statistics.md that can be run.
mod the_page {
    use super::*;

    fn page() -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/statistics.md");
        std::fs::read_to_string(path).expect("the page is in the repository")
    }

    /// The cells of the table row that begins with `first`.
    fn cells(first: &str) -> Vec<String> {
        let page = page();
        let line = page.lines().find(|l| l.starts_with(&format!("| {first} |"))).expect("a row");
        line.split('|').map(|cell| cell.trim().to_string()).filter(|cell| !cell.is_empty()).skip(1).collect()
    }

    #[test]
    fn names_the_looks_and_their_levels_as_they_are() {
        let (looks, levels) = (cells("pairs"), cells("alpha of the look"));
        let table: Vec<(usize, f64)> =
            looks.iter().zip(&levels).filter_map(|(n, a)| Some((n.parse().ok()?, a.parse().ok()?))).collect();
        assert_eq!(table.iter().map(|(n, _)| *n).collect::<Vec<_>>(), Looks::up_to(None).points());
        for (n, alpha) in table {
            assert_eq!(Looks::alpha(n, 1), alpha, "{n} pairs");
        }
        assert_eq!(looks.last().map(String::as_str), Some("90, 135, ..."));
        assert_eq!(levels.last().map(String::as_str), Some("0.003, times 2/3 each"));
        assert_eq!(Looks::alpha(90, 1), 0.003);
        assert!(near(Looks::alpha(135, 1), 0.002, 0.002));
        assert_eq!(Looks::up_to(Some(135)).points()[8..], [90, 135]);
        assert!(page().contains("after 3, 5, 8, 12, 18, 27, 40 and 60 pairs"));
    }

    #[test]
    fn gives_examples_of_the_words_that_are_true() {
        // Eight pairs between the ends of each example: the signed-rank interval lies within them.
        for (example, word) in [
            ((-0.12, -0.07), Some(Word::Improved)),
            ((0.06, 0.09), Some(Word::Regressed)),
            ((-0.02, 0.01), Some(Word::Unchanged)),
            ((-0.01, 0.08), None),
        ] {
            let (low, high): (f64, f64) = example;
            let pairs: Vec<_> = (0..8).map(|i| (1.0, 1.0 + low + (high - low) * f64::from(i) / 7.0)).collect();
            let look = look(&pairs, Matters::Relative(Ratio(0.05)), Better::Lower, 0.0157, &mut Criticals::default());
            assert_eq!(look.expect("finite").word, word, "{example:?}");
        }
    }
}

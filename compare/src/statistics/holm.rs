//! Many contests at once.
//!
//! Whoever looks at twenty contests of equals at 5 % each finds one that is told apart. Holm's method keeps the
//! probability that *any* of them is told apart wrongly at 5 %, whatever they have to do with each other: the smallest p
//! is multiplied by the number of contests, the next by one less, and so on.

/// For each p the smallest level at which Holm's method would still tell the contest apart, in the same order.
pub(super) fn adjusted(p: &[f64]) -> Vec<f64> {
    let mut ascending: Vec<usize> = (0..p.len()).collect();
    ascending.sort_by(|one, other| p[*one].total_cmp(&p[*other]));
    let mut adjusted = vec![1.0; p.len()];
    let mut least: f64 = 0.0;
    for (place, index) in ascending.into_iter().enumerate() {
        // What comes later is never surer than what came before.
        least = least.max(p[index] * (p.len() - place) as f64).min(1.0);
        adjusted[index] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_counts_for_all() {
        let adjusted = adjusted(&[0.03, 0.01, 0.04, 0.005]);
        let expected = [0.06, 0.03, 0.06, 0.02];
        assert!(
            adjusted.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-12),
            "{adjusted:?}"
        );
        assert_eq!(super::adjusted(&[]), [0.0; 0]);
        assert_eq!(super::adjusted(&[0.7]), [0.7]);
        assert_eq!(super::adjusted(&[0.7, 0.8]), [1.0, 1.0]);
    }
}

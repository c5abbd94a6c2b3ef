//! The rank of a class among the scores of all classes: what top-1 and top-5 accuracy count.

/// Number of classes that score higher than class `own`; in a tie the lower class ranks first, and a class whose score is NaN ranks
/// behind all others. `score` gives the score of each of the `classes`.
pub fn rank<T: PartialOrd>(classes: usize, own: usize, score: impl Fn(usize) -> T) -> usize {
    let own_score = score(own);
    if own_score.partial_cmp(&own_score).is_none() {
        // No comparison with NaN is true: a classifier that has diverged would be right everywhere.
        return classes;
    }
    let higher = |class: &usize| {
        let score = score(*class);
        score > own_score || (score == own_score && *class < own)
    };
    (0..classes).filter(higher).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_higher_scores() {
        let scores = [0.5, 2.0, 0.5, -1.0];
        assert_eq!(
            [0, 1, 2, 3].map(|own| rank(4, own, |class| scores[class])),
            [1, 0, 2, 3]
        );
    }

    #[test]
    fn a_score_that_is_nan_is_never_right() {
        let scores = [f64::NAN, 0.0, f64::NAN];
        assert_eq!([0, 1, 2].map(|own| rank(3, own, |class| scores[class])), [3, 0, 3]);
    }
}

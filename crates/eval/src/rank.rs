//! The rank of a class among the scores of all classes: what top-1 and top-5 accuracy count.

/// Number of classes that score higher than class `own`; in a tie the lower class ranks first. `score` gives the score of each of the
/// `classes`.
pub fn rank<T: PartialOrd>(classes: usize, own: usize, score: impl Fn(usize) -> T) -> usize {
    let own_score = score(own);
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
}

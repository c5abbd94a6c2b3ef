//! A part of a labelled set that stands for the whole: as many images of each class as its share, evenly spread.

/// `count` indices of images, ascending; all if there are no more. Each class has its share, rounded by the largest remainders,
/// and at least one image as long as `count` allows it; within a class the images are evenly spread. The choice depends on the
/// labels alone.
pub fn stratified_part(labels: &[usize], classes: usize, count: usize) -> Vec<usize> {
    if count >= labels.len() {
        return (0..labels.len()).collect();
    }
    let mut members = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        members[label].push(index);
    }
    let present: Vec<Vec<usize>> = members.into_iter().filter(|members| !members.is_empty()).collect();
    let mut part = Vec::with_capacity(count);
    for (members, share) in present.iter().zip(shares(&present, count)) {
        // The middle of each of `share` equal stretches.
        part.extend((0..share).map(|k| members[(2 * k + 1) * members.len() / (2 * share)]));
    }
    part.sort_unstable();
    part
}

/// How many of each class are taken; `count` in all.
fn shares(members: &[Vec<usize>], count: usize) -> Vec<usize> {
    let images: usize = members.iter().map(Vec::len).sum();
    // One of each class first, as far as they go; the rest in proportion.
    let first = usize::from(count >= members.len());
    let rest = count - first * members.len();
    let left = images - first * members.len();
    let exact = |members: &Vec<usize>| (members.len() - first) as f64 * rest as f64 / left.max(1) as f64;
    let mut shares: Vec<usize> = members.iter().map(|class| first + exact(class) as usize).collect();
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|&a, &b| {
        exact(&members[b])
            .fract()
            .total_cmp(&exact(&members[a]).fract())
            .then(a.cmp(&b))
    });
    let missing = count - shares.iter().sum::<usize>();
    for class in order.into_iter().cycle().take(missing * members.len().max(1)) {
        if shares.iter().sum::<usize>() == count {
            break;
        }
        if shares[class] < members[class].len() {
            shares[class] += 1;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_share_and_at_least_one() {
        // 90 of class 0, 9 of class 2, 1 of class 3; class 1 is absent.
        let labels: Vec<usize> = (0..100)
            .map(|i| match i {
                99 => 3,
                i if i % 11 == 10 => 2,
                _ => 0,
            })
            .collect();
        let counts = |part: &[usize]| {
            let mut counts = [0; 4];
            part.iter().for_each(|&index| counts[labels[index]] += 1);
            counts
        };
        for count in [3, 10, 50, 99] {
            let part = stratified_part(&labels, 4, count);
            assert_eq!(part.len(), count);
            assert!(part.windows(2).all(|pair| pair[0] < pair[1]), "ascending, none twice");
            let counts = counts(&part);
            assert!(
                counts[0] >= 1 && counts[2] >= 1 && counts[3] == 1,
                "{count}: {counts:?}"
            );
        }
        assert_eq!(counts(&stratified_part(&labels, 4, 50)), [44, 0, 5, 1]);
        assert_eq!(stratified_part(&labels, 4, 1000).len(), 100);
    }

    #[test]
    fn a_part_is_spread_over_the_set() {
        let labels = vec![0; 1000];
        assert_eq!(stratified_part(&labels, 1, 4), [125, 375, 625, 875]);
    }

    #[test]
    fn fewer_than_classes_are_still_as_many_as_asked_for() {
        let labels: Vec<usize> = (0..20).collect();
        assert_eq!(stratified_part(&labels, 20, 7).len(), 7);
    }
}

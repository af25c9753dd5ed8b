//! In which order the subjects take their turns.
//!
//! A machine isn't the same at the begin of a round as at its end, and a subject may find the caches and the
//! clock rate that the one before left. So each subject takes each place equally often, as far as the count
//! of rounds allows, and with an even count of subjects each also follows each other one equally often: the
//! order of a *Williams design*, a Latin square for just that purpose. Which subject plays which part, and in
//! which order the rows come, is drawn by chance for each square.

/// The order of the subjects in each round.
pub(super) fn balanced(subjects: usize, rounds: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut order = Vec::with_capacity(rounds);
    while order.len() < rounds && subjects > 0 {
        let mut parts: Vec<usize> = (0..subjects).collect();
        let mut rows: Vec<usize> = (0..subjects).collect();
        random.shuffle(&mut parts);
        random.shuffle(&mut rows);
        let rows = rows.into_iter().take(rounds - order.len());
        order.extend(rows.map(|row| (0..subjects).map(|place| parts[cell(subjects, row, place)]).collect()));
    }
    order
}

/// A cell of the square. Its first row goes 0, 1, n − 1, 2, n − 2 … and the others are that, moved on.
fn cell(subjects: usize, row: usize, place: usize) -> usize {
    let first = if place % 2 == 1 { place.div_ceil(2) } else { (subjects - place / 2) % subjects };
    (first + row) % subjects
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_in_every_round_once() {
        for subjects in 1..9 {
            for round in balanced(subjects, 20, 7) {
                let mut sorted = round.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..subjects).collect::<Vec<_>>(), "{round:?}");
            }
        }
    }

    #[test]
    fn every_subject_is_in_every_place_as_often_as_any_other() {
        for subjects in 1..9 {
            for rounds in [1, 5, 7, 15, 40] {
                let order = balanced(subjects, rounds, 3);
                assert_eq!(order.len(), rounds);
                for place in 0..subjects {
                    for subject in 0..subjects {
                        let times = order.iter().filter(|round| round[place] == subject).count();
                        let fair = rounds / subjects;
                        assert!((fair..=fair + 1).contains(&times), "{subjects} subjects, {rounds} rounds");
                    }
                }
            }
        }
    }

    #[test]
    fn an_even_count_of_subjects_follow_each_other_equally_often() {
        for subjects in [2, 4, 6, 8] {
            let order = balanced(subjects, subjects, 5);
            for before in 0..subjects {
                for after in (0..subjects).filter(|&after| after != before) {
                    let follows = |round: &&Vec<usize>| round.windows(2).any(|pair| pair == [before, after]);
                    assert_eq!(order.iter().filter(follows).count(), 1, "{order:?}");
                }
            }
        }
    }

    #[test]
    fn the_seed_makes_the_order() {
        assert_eq!(balanced(6, 7, 1), balanced(6, 7, 1));
        assert_ne!(balanced(6, 7, 1), balanced(6, 7, 2));
    }

    #[test]
    fn nobody_and_no_rounds_are_no_order() {
        assert_eq!(balanced(0, 5, 1), Vec::<Vec<usize>>::new());
        assert_eq!(balanced(3, 0, 1), Vec::<Vec<usize>>::new());
    }
}

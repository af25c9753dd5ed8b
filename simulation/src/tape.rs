//! The tape: the source of all choices of a run.

/// A finite tape of random bytes, which makes all choices of a run. When it is over, no more faults occur and every number is
/// zero, so a shorter tape is a simpler run.
#[derive(Clone, Debug)]
pub struct Tape {
    bytes: Vec<u8>,
    position: usize,
}

/// The lengths of the tapes that seeds expand to.
const LENGTHS: [usize; 8] = [128, 256, 512, 512, 1024, 1024, 2048, 4096];

impl Tape {
    /// A tape with these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, position: 0 }
    }

    /// The tape that a seed expands to.
    pub fn from_seed(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let length = LENGTHS[random.usize(..LENGTHS.len())];
        let mut bytes = vec![0; length];
        random.fill(&mut bytes);
        Self::new(bytes)
    }

    /// All its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether all bytes were used.
    pub fn is_over(&self) -> bool {
        self.position >= self.bytes.len()
    }

    /// A number below `bound`, which is at most 65,536. Zero at the end of the tape.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound <= 1 {
            return 0;
        }
        if bound <= 256 {
            return usize::from(self.next().unwrap_or(0)) * bound / 256;
        }
        let high = usize::from(self.next().unwrap_or(0));
        (high << 8 | usize::from(self.next().unwrap_or(0))) * bound / 65_536
    }

    /// Whether an event occurs that has this chance of 256. Never at the end of the tape.
    pub fn chance(&mut self, of_256: u8) -> bool {
        of_256 > 0 && self.next().is_some_and(|byte| byte < of_256)
    }

    /// One of the items.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.position).copied();
        self.position += 1;
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tape_that_is_over_makes_the_simplest_choices() {
        let mut tape = Tape::new(vec![255, 0]);
        assert_eq!((tape.below(3), tape.chance(1), tape.is_over()), (2, true, true));
        assert_eq!((tape.below(1000), tape.chance(255), tape.pick(&['a', 'b'])), (0, false, 'a'));
    }

    #[test]
    fn numbers_cover_their_range() {
        let mut tape = Tape::from_seed(7);
        for bound in [2, 7, 256, 300] {
            let numbers: Vec<_> = (0..40).map(|_| tape.below(bound)).collect();
            assert!(numbers.iter().all(|&number| number < bound), "{numbers:?}");
            assert!(numbers.iter().max() > Some(&(bound / 3)), "{numbers:?}");
        }
        assert_eq!(Tape::from_seed(7).bytes(), Tape::from_seed(7).bytes());
        assert_ne!(Tape::from_seed(7).bytes(), Tape::from_seed(8).bytes());
    }
}

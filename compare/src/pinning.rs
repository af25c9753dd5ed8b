//! The pinning of server and generator to cores.

use super::{Settings, Shape};

/// The cores of server and generator, for each load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pinning {
    server: Vec<usize>,
    generator: Vec<usize>,
    /// Whether this applies to every load, and not only to closed loops and the highest rate.
    is_for_all: bool,
}

/// With fewer cores than these, server and generator compete for them.
const ENOUGH: usize = 4;

/// The cores of a server and of the generator; empty means not pinned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Placement<'a> {
    pub(super) server: &'a [usize],
    pub(super) generator: &'a [usize],
}

impl Pinning {
    /// The cores that the user chose, or else the division of `cores` that [`Settings`] describes.
    ///
    /// # Errors
    /// If a chosen core is not one of `cores`.
    pub(super) fn new(settings: &Settings, cores: &[usize]) -> Result<Self, String> {
        let (server, generator) = (settings.cpus_server.clone(), settings.cpus_load.clone());
        for (flag, chosen) in [("--cpus-server", &server), ("--cpus-load", &generator)] {
            if let Some(core) = chosen.iter().find(|core| !cores.contains(core)) {
                return Err(format!(
                    "{flag}: this process may not use core {core}; choose from {}",
                    list(cores)
                ));
            }
        }
        let rest = |chosen: &[usize]| cores.iter().copied().filter(|core| !chosen.contains(core)).collect();
        Ok(match cores {
            _ if !server.is_empty() && generator.is_empty() => {
                Self { generator: rest(&server), server, is_for_all: true }
            }
            _ if !generator.is_empty() && server.is_empty() => {
                Self { server: rest(&generator), generator, is_for_all: true }
            }
            _ if !server.is_empty() => Self { server, generator, is_for_all: true },
            // With subscribers there are no closed loops.
            _ if !settings.subscribers.is_empty() => Self::default(),
            [others @ .., last] if !others.is_empty() && cores.len() < ENOUGH => {
                Self { server: vec![*last], generator: others.to_vec(), is_for_all: false }
            }
            _ => Self::default(),
        })
    }

    /// The cores under a load.
    pub(super) fn under(&self, shape: &Shape) -> Placement<'_> {
        if self.is_for_all || shape.rate.is_none() { self.saturated() } else { Placement::default() }
    }

    /// The cores for loads that saturate a server.
    pub(super) fn saturated(&self) -> Placement<'_> {
        Placement { server: &self.server, generator: &self.generator }
    }

    /// The cores for loads that don't saturate a server: the common rate, and the curves.
    pub(super) fn usual(&self) -> Placement<'_> {
        if self.is_for_all { self.saturated() } else { Placement::default() }
    }

    /// The pinning in words; `None` if nothing is pinned.
    pub(super) fn in_words(&self) -> Option<String> {
        let what = if self.is_for_all { "all loads" } else { "closed loops and the highest rate" };
        let part =
            |who: &str, cores: &[usize]| (!cores.is_empty()).then(|| format!("{who} on {}", list(cores)));
        let parts: Vec<_> = [part("server", &self.server), part("generator", &self.generator)]
            .into_iter()
            .flatten()
            .collect();
        (!parts.is_empty()).then(|| format!("{what}: {}", parts.join(", ")))
    }
}

/// `core 1`, or `cores 0, 1`.
fn list(cores: &[usize]) -> String {
    let numbers: Vec<_> = cores.iter().map(usize::to_string).collect();
    format!("{} {}", if cores.len() == 1 { "core" } else { "cores" }, numbers.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinning(server: &[usize], load: &[usize], cores: &[usize]) -> Result<Pinning, String> {
        let settings =
            Settings { cpus_server: server.to_vec(), cpus_load: load.to_vec(), ..Settings::new(Vec::new()) };
        Pinning::new(&settings, cores)
    }

    fn open() -> Shape {
        Shape { rate: Some(1.0), ..Shape::default() }
    }

    #[test]
    fn with_subscribers_only_chosen_cores_are_used() {
        let settings = Settings { subscribers: vec![1], ..Settings::new(Vec::new()) };
        assert_eq!(Pinning::new(&settings, &[0, 1]), Ok(Pinning::default()));
        let chosen = Settings { cpus_server: vec![0], ..settings };
        assert_eq!(Pinning::new(&chosen, &[0, 1]).unwrap().usual().generator, [1]);
    }

    #[test]
    fn few_cores_are_divided_for_loads_that_saturate() {
        for (cores, generator) in [(&[0, 1][..], &[0][..]), (&[2, 3, 6], &[2, 3])] {
            let pinning = pinning(&[], &[], cores).unwrap();
            let placement = Placement { server: &cores[cores.len() - 1..], generator };
            assert_eq!(pinning.under(&Shape::default()), placement);
            assert_eq!(pinning.saturated(), placement);
            assert_eq!(pinning.under(&open()), Placement::default());
            assert_eq!(pinning.usual(), Placement::default());
        }
        let words = pinning(&[], &[], &[0, 1]).unwrap().in_words().unwrap();
        assert_eq!(words, "closed loops and the highest rate: server on core 1, generator on core 0");
    }

    #[test]
    fn one_core_and_many_cores_are_not_divided() {
        for cores in [&[][..], &[0], &[0, 1, 2, 3]] {
            let pinning = pinning(&[], &[], cores).unwrap();
            assert_eq!(pinning.saturated(), Placement::default());
            assert_eq!(pinning.in_words(), None);
        }
    }

    #[test]
    fn chosen_cores_apply_to_every_load() {
        let cores = [0, 1, 2, 3];
        let chosen = pinning(&[1, 2], &[1], &cores).unwrap();
        assert_eq!(chosen.under(&open()), Placement { server: &[1, 2], generator: &[1] });
        assert_eq!(chosen.under(&open()), chosen.usual());
        assert_eq!(chosen.in_words().unwrap(), "all loads: server on cores 1, 2, generator on core 1");
        // If only one of them is chosen, the other gets the remaining cores.
        let server = pinning(&[1, 2], &[], &cores).unwrap();
        assert_eq!(server.usual(), Placement { server: &[1, 2], generator: &[0, 3] });
        let load = pinning(&[], &[0], &cores).unwrap();
        assert_eq!(load.usual(), Placement { server: &[1, 2, 3], generator: &[0] });
        let all = pinning(&cores, &[], &cores).unwrap();
        assert_eq!(all.usual(), Placement { server: &cores, generator: &[] });
    }

    #[test]
    fn a_core_that_does_not_exist_is_an_error() {
        let error = pinning(&[0], &[7], &[0, 1]).unwrap_err();
        assert_eq!(error, "--cpus-load: this process may not use core 7; choose from cores 0, 1");
    }
}

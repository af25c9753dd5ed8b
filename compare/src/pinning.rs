//! Which cores server and generator get.

use super::{Settings, Shape};

/// Which cores server and generator get, under each load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pinning {
    server: Vec<usize>,
    load: Vec<usize>,
    /// Whether that is so for every load, and not only for closed loops and the highest rate.
    is_for_all: bool,
}

/// With fewer cores than these, server and generator compete for them.
const ENOUGH: usize = 4;

/// The cores of a server and of the generator; with none, they are not pinned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Placement<'a> {
    pub(super) server: &'a [usize],
    pub(super) load: &'a [usize],
}

impl Pinning {
    /// The cores that were chosen, or else, of these cores, the ones that [`Settings`] describes.
    ///
    /// # Errors
    /// If a core was chosen that is none of these.
    pub(super) fn new(settings: &Settings, cores: &[usize]) -> Result<Self, String> {
        let (server, load) = (settings.cpus_server.clone(), settings.cpus_load.clone());
        for (flag, chosen) in [("--cpus-server", &server), ("--cpus-load", &load)] {
            if let Some(core) = chosen.iter().find(|core| !cores.contains(core)) {
                return Err(format!(
                    "{flag}: core {core} is none of those that this process may use; choose from {}",
                    list(cores)
                ));
            }
        }
        let rest = |chosen: &[usize]| cores.iter().copied().filter(|core| !chosen.contains(core)).collect();
        Ok(match cores {
            _ if !server.is_empty() && load.is_empty() => {
                Self { load: rest(&server), server, is_for_all: true }
            }
            _ if !load.is_empty() && server.is_empty() => {
                Self { server: rest(&load), load, is_for_all: true }
            }
            _ if !server.is_empty() => Self { server, load, is_for_all: true },
            [others @ .., last] if !others.is_empty() && cores.len() < ENOUGH => {
                Self { server: vec![*last], load: others.to_vec(), is_for_all: false }
            }
            _ => Self::default(),
        })
    }

    /// The cores under a load.
    pub(super) fn under(&self, shape: &Shape) -> Placement<'_> {
        if self.is_for_all || shape.rate.is_none() { self.saturated() } else { Placement::default() }
    }

    /// The cores where it is measured how much a server can do.
    pub(super) fn saturated(&self) -> Placement<'_> {
        Placement { server: &self.server, load: &self.load }
    }

    /// The cores where a server is not at its limit: under the common rate, and in the curves.
    pub(super) fn usual(&self) -> Placement<'_> {
        if self.is_for_all { self.saturated() } else { Placement::default() }
    }

    /// What is pinned to what, in words; `None` if nothing is.
    pub(super) fn in_words(&self) -> Option<String> {
        let what = if self.is_for_all { "all loads" } else { "closed loops and the highest rate" };
        let part =
            |who: &str, cores: &[usize]| (!cores.is_empty()).then(|| format!("{who} on {}", list(cores)));
        let parts: Vec<_> =
            [part("server", &self.server), part("generator", &self.load)].into_iter().flatten().collect();
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
    fn few_cores_are_shared_out_where_a_server_is_at_its_limit() {
        for (cores, load) in [(&[0, 1][..], &[0][..]), (&[2, 3, 6], &[2, 3])] {
            let pinning = pinning(&[], &[], cores).unwrap();
            let placement = Placement { server: &cores[cores.len() - 1..], load };
            assert_eq!(pinning.under(&Shape::default()), placement);
            assert_eq!(pinning.saturated(), placement);
            assert_eq!(pinning.under(&open()), Placement::default());
            assert_eq!(pinning.usual(), Placement::default());
        }
        let words = pinning(&[], &[], &[0, 1]).unwrap().in_words().unwrap();
        assert_eq!(words, "closed loops and the highest rate: server on core 1, generator on core 0");
    }

    #[test]
    fn one_core_and_many_are_not_shared_out() {
        for cores in [&[][..], &[0], &[0, 1, 2, 3]] {
            let pinning = pinning(&[], &[], cores).unwrap();
            assert_eq!(pinning.saturated(), Placement::default());
            assert_eq!(pinning.in_words(), None);
        }
    }

    #[test]
    fn cores_that_were_chosen_are_for_every_load() {
        let cores = [0, 1, 2, 3];
        let chosen = pinning(&[1, 2], &[1], &cores).unwrap();
        assert_eq!(chosen.under(&open()), Placement { server: &[1, 2], load: &[1] });
        assert_eq!(chosen.under(&open()), chosen.usual());
        assert_eq!(chosen.in_words().unwrap(), "all loads: server on cores 1, 2, generator on core 1");
        // Who is not told has the others.
        let server = pinning(&[1, 2], &[], &cores).unwrap();
        assert_eq!(server.usual(), Placement { server: &[1, 2], load: &[0, 3] });
        let load = pinning(&[], &[0], &cores).unwrap();
        assert_eq!(load.usual(), Placement { server: &[1, 2, 3], load: &[0] });
        let all = pinning(&cores, &[], &cores).unwrap();
        assert_eq!(all.usual(), Placement { server: &cores, load: &[] });
    }

    #[test]
    fn a_core_that_does_not_exist_is_told() {
        let error = pinning(&[0], &[7], &[0, 1]).unwrap_err();
        assert_eq!(
            error,
            "--cpus-load: core 7 is none of those that this process may use; choose from cores 0, 1"
        );
    }
}

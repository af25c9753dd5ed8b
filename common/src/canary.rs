//! Defects on purpose, which the simulation must find. Only a build with `--cfg anyloop_canaries` contains them, and a run
//! chooses one of them.

/// Whether the defect with this name was chosen. In other builds it is the constant `false`, so no code remains of it.
#[cfg(not(anyloop_canaries))]
#[doc(hidden)]
#[macro_export]
macro_rules! canary {
    ($name:literal) => {
        false
    };
}

/// Whether the defect with this name was chosen.
#[cfg(anyloop_canaries)]
#[doc(hidden)]
#[macro_export]
macro_rules! canary {
    ($name:literal) => {
        $crate::canary::is_chosen($name)
    };
}

#[cfg(anyloop_canaries)]
thread_local! {
    static CHOSEN: std::cell::Cell<&'static str> = const { std::cell::Cell::new("") };
}

/// Chooses the defect of this thread. There is none with an empty name.
#[cfg(anyloop_canaries)]
pub fn choose(name: &'static str) {
    CHOSEN.set(name);
}

/// Whether the defect with this name was chosen on this thread.
#[cfg(anyloop_canaries)]
pub fn is_chosen(name: &str) -> bool {
    CHOSEN.get() == name
}

#[cfg(all(test, not(anyloop_canaries)))]
mod tests {
    #[test]
    fn a_normal_build_has_no_defects() {
        const IS_CHOSEN: bool = canary!("any defect");
        assert_eq!([IS_CHOSEN], [false], "a constant, which the compiler knows");
    }
}

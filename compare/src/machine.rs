//! The facts about a machine and a build without which numbers say nothing: for the report, which may be shown
//! to others, so nothing here tells whose machine it is.

use std::fs;
use std::thread::available_parallelism;

use load::host;
use load::procfs::{field, kibibytes, value_of};

/// The facts, a line for each: name and value. What the system doesn't tell is left out.
pub(crate) fn facts() -> Vec<(String, String)> {
    let facts = [
        ("anyloop", Some(env!("CARGO_PKG_VERSION").to_owned())),
        ("compiler", option_env!("ANYLOOP_COMPILER").map(str::to_owned)),
        ("build", Some(build().to_owned())),
        ("system", system()),
        ("CPU", cpu()),
        ("cores", available_parallelism().ok().map(|cores| cores.to_string())),
        ("frequency governor", value_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        ("memory", memory()),
        ("limit on open files", open_files()),
        ("backlog limit (somaxconn)", value_of("/proc/sys/net/core/somaxconn")),
        ("load average at the start", host::load_average().map(|load| format!("{load:.2}"))),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A build without optimisation measures the compiler's haste.
fn build() -> &'static str {
    if cfg!(debug_assertions) { "debug: these numbers say nothing, use --release" } else { "release" }
}

/// The kernel and its release, and the architecture.
fn system() -> Option<String> {
    let kernel = value_of("/proc/sys/kernel/ostype").unwrap_or_else(|| std::env::consts::OS.to_owned());
    let release = value_of("/proc/sys/kernel/osrelease").map(|release| format!(" {release}"));
    Some(format!("{kernel}{}, {}", release.unwrap_or_default(), std::env::consts::ARCH))
}

/// The name that the CPU gives itself: under different names on different architectures.
fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    ["model name", "Model", "cpu"].into_iter().find_map(|name| field(&text, name)).map(str::to_owned)
}

fn memory() -> Option<String> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let bytes = kibibytes(field(&text, "MemTotal")?)?;
    Some(format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)))
}

/// The soft limit, which the servers that are started from here inherit.
fn open_files() -> Option<String> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    open_files_in(&text).map(str::to_owned)
}

fn open_files_in(limits: &str) -> Option<&str> {
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_ascii_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_the_first() {
        let limits = "Limit   Soft Limit  Hard Limit  Units\nMax open files   20000   1048576   files\n";
        assert_eq!(open_files_in(limits), Some("20000"));
        assert_eq!(open_files_in("Max open files"), None);
        assert_eq!(open_files_in(""), None);
    }

    #[test]
    fn every_fact_has_a_name_and_a_value_of_one_line() {
        let facts = facts();
        assert!(facts.len() >= 4, "{facts:?}");
        for (name, value) in facts {
            assert!(!name.is_empty() && !value.is_empty() && !value.contains('\n'), "{name}: {value}");
        }
    }

    #[test]
    fn nothing_tells_whose_machine_it_is() {
        let own = ["HOME", "USER", "HOSTNAME", "PWD"].map(|name| std::env::var(name).unwrap_or_default());
        let host = value_of("/proc/sys/kernel/hostname").unwrap_or_default();
        let telling: Vec<_> = own.into_iter().chain([host]).filter(|text| text.len() > 3).collect();
        for (name, value) in facts() {
            assert!(!telling.iter().any(|text| value.contains(text.as_str())), "{name}: {value}");
        }
    }
}

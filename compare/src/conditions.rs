//! The conditions of a comparison: the facts about machine and build on which figures depend. Reports are published, so
//! nothing here identifies the machine or its user.

use std::time::SystemTime;

use super::pinning::Pinning;
use super::{Conditions, Settings};
use load::host::{self, value_of};

/// The conditions that are known before anything is measured.
pub(super) fn conditions(settings: &Settings, pinning: &Pinning) -> Conditions {
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Conditions {
        command: settings.command.clone(),
        started: started.unwrap_or_default().as_secs(),
        seconds: 0.0,
        seed: settings.seed,
        rounds: settings.rounds(),
        tier: settings.tier.name().to_owned(),
        handler: settings.handler.clone(),
        message_size: settings.messages.to_string(),
        slos: settings.slos.iter().map(ToString::to_string).collect(),
        pinned: pinning.in_words(),
        message: settings.message(),
        unverified: !settings.expect.verifies(),
        allow_refusals: settings.allow_refusals,
        facts: [build_facts(), settings.facts.clone()].concat(),
        machine: machine_facts(),
    }
}

/// Facts about the build, which may differ between comparisons on one machine.
fn build_facts() -> Vec<(String, String)> {
    known([
        ("anyloop", Some(env!("CARGO_PKG_VERSION").to_owned())),
        ("commit", option_env!("ANYLOOP_COMMIT").map(str::to_owned)),
        ("runtimes", option_env!("ANYLOOP_RUNTIMES").map(str::to_owned)),
    ])
}

/// Facts about the machine. What the system doesn't report is left out.
fn machine_facts() -> Vec<(String, String)> {
    known([
        ("compiler", option_env!("ANYLOOP_COMPILER").map(str::to_owned)),
        ("build", Some(build().to_owned())),
        ("system", system()),
        ("CPU", linux::cpu()),
        ("cores", Some(cores().len().to_string())),
        ("CPU quota (cgroup)", linux::quota()),
        ("SMT", value_of("/sys/devices/system/cpu/smt/control").map(|control| smt(&control))),
        ("frequency governor", value_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        ("memory", linux::memory()),
        ("limit on open files", linux::open_files()),
        ("backlog limit (somaxconn)", value_of("/proc/sys/net/core/somaxconn")),
        ("load average at the start", host::load_average().map(|load| format!("{load:.2}"))),
    ])
}

/// Linux's name for the state of simultaneous multithreading, in words.
fn smt(control: &str) -> String {
    match control {
        "notsupported" => "not supported by the CPU",
        "notimplemented" => "not controlled by the kernel",
        "forceoff" => "off, and can't be turned on",
        other => other,
    }
    .to_owned()
}

fn known<const COUNT: usize>(facts: [(&str, Option<String>); COUNT]) -> Vec<(String, String)> {
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The cores that this process may use, in ascending order.
#[cfg(target_os = "linux")]
pub(super) fn cores() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};

    let allowed = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect()
}

/// Other systems report only the number of cores.
#[cfg(not(target_os = "linux"))]
pub(super) fn cores() -> Vec<usize> {
    (0..std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)).collect()
}

/// The profile of this build. Figures of a build without optimisation are of no use.
fn build() -> &'static str {
    if cfg!(debug_assertions) {
        "debug: these figures are of no use, build with --release"
    } else {
        "release"
    }
}

/// The kernel and its release, and the architecture.
fn system() -> Option<String> {
    let kernel = value_of("/proc/sys/kernel/ostype").unwrap_or_else(|| std::env::consts::OS.to_owned());
    let release = value_of("/proc/sys/kernel/osrelease").map(|release| format!(" {release}"));
    Some(format!("{kernel}{}, {}", release.unwrap_or_default(), std::env::consts::ARCH))
}

/// Facts that Linux reports.
#[cfg(target_os = "linux")]
mod linux {
    use std::path::Path;

    use load::host::value_of;
    use procfs::process::{LimitValue, Process};
    use procfs::{CpuInfo, Current, Meminfo};

    /// The CPU's model name. The name of the field differs between architectures.
    pub(super) fn cpu() -> Option<String> {
        let info = CpuInfo::current().ok()?;
        let names = ["model name", "Model", "cpu"];
        let of_core = |name: &&str| info.get_field(0, name).or(info.fields.get(*name).map(String::as_str));
        names.iter().find_map(of_core).map(str::to_owned)
    }

    pub(super) fn memory() -> Option<String> {
        let bytes = Meminfo::current().ok()?.mem_total;
        Some(format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)))
    }

    /// The soft limit, which the servers inherit.
    pub(super) fn open_files() -> Option<String> {
        match Process::myself().ok()?.limits().ok()?.max_open_files.soft_limit {
            LimitValue::Unlimited => Some("unlimited".to_owned()),
            LimitValue::Value(value) => Some(value.to_string()),
        }
    }

    /// The CPU quota in cores: the lowest of this process's control group and its ancestors; `none` if there is no
    /// quota.
    pub(super) fn quota() -> Option<String> {
        let groups = Process::myself().ok()?.cgroups().ok()?;
        let quotas = groups.into_iter().filter_map(|group| match group.controllers.as_slice() {
            [] => least_quota("/sys/fs/cgroup", &group.pathname, of_version_2),
            some if some.iter().any(|controller| controller == "cpu") => {
                least_quota("/sys/fs/cgroup/cpu", &group.pathname, of_version_1)
            }
            _ => None,
        });
        let least = quotas.reduce(f64::min);
        Some(least.map_or_else(|| "none".to_owned(), |cores| format!("{cores:.2} cores")))
    }

    /// The lowest quota of a group and its ancestors.
    fn least_quota(mount: &str, group: &str, quota: fn(&Path) -> Option<f64>) -> Option<f64> {
        let group = Path::new(mount).join(group.trim_start_matches('/'));
        let around = group.ancestors().take_while(|folder| folder.starts_with(mount));
        around.filter_map(quota).reduce(f64::min)
    }

    fn of_version_2(group: &Path) -> Option<f64> {
        parse(&value_of(group.join("cpu.max").to_str()?)?)
    }

    fn of_version_1(group: &Path) -> Option<f64> {
        let value = |name| value_of(group.join(name).to_str()?);
        parse(&format!("{} {}", value("cpu.cfs_quota_us")?, value("cpu.cfs_period_us")?))
    }

    /// `50000 100000` is half a core; `max` and `-1` mean no quota.
    pub(super) fn parse(text: &str) -> Option<f64> {
        let (quota, period) = text.split_once(' ')?;
        let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
        (quota > 0.0 && period > 0.0).then(|| quota / period)
    }
}

/// Other systems don't report these facts in the same way.
#[cfg(not(target_os = "linux"))]
mod linux {
    pub(super) fn cpu() -> Option<String> {
        None
    }

    pub(super) fn memory() -> Option<String> {
        None
    }

    pub(super) fn open_files() -> Option<String> {
        None
    }

    pub(super) fn quota() -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Vec<(String, String)> {
        [machine_facts(), build_facts()].concat()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_quota_is_given_in_cores() {
        assert_eq!(linux::parse("50000 100000"), Some(0.5));
        for none in ["max 100000", "-1 100000", "", "7", "0 0"] {
            assert_eq!(linux::parse(none), None, "{none}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_facts_include_what_figures_depend_on() {
        let names: Vec<_> = facts().into_iter().map(|(name, _)| name).collect();
        for name in ["compiler", "cores", "CPU quota (cgroup)", "memory", "limit on open files", "runtimes"] {
            assert!(names.iter().any(|one| one == name), "{name} of {names:?}");
        }
        let (_, runtimes) = facts().into_iter().find(|(name, _)| name == "runtimes").unwrap();
        assert!(runtimes.contains("tokio 1.") && runtimes.contains("smol "), "{runtimes}");
    }

    #[test]
    fn every_fact_has_a_name_and_a_value_of_one_line() {
        let facts = facts();
        let names: std::collections::BTreeSet<_> = facts.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), facts.len(), "each name appears once: {facts:?}");
        assert!(facts.len() >= 4, "{facts:?}");
        for (name, value) in facts {
            assert!(!name.is_empty() && !value.is_empty() && !value.contains('\n'), "{name}: {value}");
        }
    }

    #[test]
    fn no_fact_identifies_the_machine_or_its_user() {
        let own = ["HOME", "USER", "HOSTNAME", "PWD"].map(|name| std::env::var(name).unwrap_or_default());
        let host = value_of("/proc/sys/kernel/hostname").unwrap_or_default();
        let telling: Vec<_> = own.into_iter().chain([host]).filter(|text| text.len() > 3).collect();
        for (name, value) in facts() {
            assert!(!telling.iter().any(|text| value.contains(text.as_str())), "{name}: {value}");
        }
    }

    #[test]
    fn the_state_of_smt_is_in_words() {
        assert_eq!(["on", "notsupported"].map(smt), ["on", "not supported by the CPU"]);
    }

    #[test]
    fn at_least_one_core_is_available() {
        assert!(!cores().is_empty());
    }
}

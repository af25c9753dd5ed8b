//! How many threads the system lets a process have.

use std::fs;

/// The kernel's default for `vm.max_map_count`, for where it can't be read.
const USUAL_MAPS: usize = 65_530;
/// A Rust thread's memory maps: its stack, the guard in front of it, and the same of its signal stack.
const MAPS_PER_THREAD: usize = 4;
/// Maps left for the program, its libraries and its heaps.
const OTHER_MAPS: usize = 2_000;

/// A thread's address space beside its stack, in bytes: guard pages, its signal stack, and what it allocates.
const BESIDE_A_STACK: usize = 64 * 1024;
/// Address space that is left for the program and its heaps, in bytes.
const OTHER_ADDRESSES: usize = 256 * 1024 * 1024;

/// The most threads that this backend starts with stacks of so many bytes: at least one.
///
/// std aborts the whole process where the map for a new thread's signal stack fails (tried: at 16,373
/// threads with the usual 65,530 maps). So the limits are held before the system's are reached.
pub(crate) fn max_threads(stack_size: usize) -> usize {
    let maps = read("/proc/sys/vm/max_map_count").unwrap_or(USUAL_MAPS);
    bounded(maps, address_space(), stack_size)
}

fn bounded(maps: usize, addresses: Option<usize>, stack_size: usize) -> usize {
    let by_maps = maps.saturating_sub(OTHER_MAPS) / MAPS_PER_THREAD;
    let by_addresses = addresses.map_or(usize::MAX, |addresses| {
        addresses.saturating_sub(OTHER_ADDRESSES) / stack_size.saturating_add(BESIDE_A_STACK)
    });
    by_maps.min(by_addresses).max(1)
}

/// How many bytes of addresses this process may still map, if there is a limit (`ulimit -v`).
fn address_space() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max address space"))?;
    let limit: usize = line.split_whitespace().nth(3)?.parse().ok()?; // or `unlimited`
    let pages: usize =
        fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().next()?.parse().ok()?;
    Some(limit.saturating_sub(pages.saturating_mul(PAGE)))
}

/// The size of a page, in bytes, at least.
const PAGE: usize = 4096;

fn read(path: &str) -> Option<usize> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_and_addresses_bound_the_threads() {
        const MIB: usize = 1024 * 1024;
        assert_eq!(bounded(65_530, None, 2 * MIB), 15_882);
        assert_eq!(bounded(65_530, Some(1000 * MIB), 2 * MIB), 744 * 1024 / (2048 + 64));
        assert_eq!(bounded(65_530, Some(1000 * MIB), 128 * 1024), 744 * 1024 / (128 + 64));
        assert_eq!(bounded(65_530, Some(100 * MIB), 2 * MIB), 1);
        assert_eq!(bounded(100, None, 2 * MIB), 1);
    }
}

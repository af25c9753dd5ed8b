//! The limit on the number of threads.

use std::fs;
use std::sync::OnceLock;
use std::thread;

/// The kernel's default for `vm.max_map_count`, used if it can't be read.
const DEFAULT_MAPS: usize = 65_530;
/// The memory maps of a Rust thread: its stack, its signal stack, and a guard page for each.
const MAPS_PER_THREAD: usize = 4;
/// Maps reserved for the program, its libraries and its heaps.
const OTHER_MAPS: usize = 2_000;

/// The address space of a thread besides its stack, in bytes: guard pages, signal stack, allocations.
const OTHER_PER_THREAD: usize = 64 * 1024;
/// Address space reserved for the program, in bytes.
const OTHER_ADDRESSES: usize = 256 * 1024 * 1024;
/// The address space of a heap in bytes. glibc creates one for each of the first threads.
const HEAP: usize = 64 * 1024 * 1024;
/// The most heaps that glibc creates for each core.
const HEAPS_PER_CORE: usize = 8;

/// The most threads that this backend starts with stacks of this size in bytes: at least one.
///
/// std aborts the process if it can't map the signal stack of a new thread (observed at 16,373 threads with the default of
/// 65,530 maps). So this backend stays below the limits of the system.
pub(crate) fn max_threads(stack_size: usize) -> usize {
    let maps = read("/proc/sys/vm/max_map_count").unwrap_or(DEFAULT_MAPS);
    let heaps = HEAPS_PER_CORE * thread::available_parallelism().map_or(1, Into::into);
    // Read once: later allocations of the server come out of the reserve.
    static ADDRESSES: OnceLock<Option<usize>> = OnceLock::new();
    bounded(maps, *ADDRESSES.get_or_init(address_space), stack_size, heaps)
}

fn bounded(maps: usize, addresses: Option<usize>, stack_size: usize, heaps: usize) -> usize {
    let by_maps = maps.saturating_sub(OTHER_MAPS) / MAPS_PER_THREAD;
    let by_addresses = addresses.map_or(usize::MAX, |addresses| {
        let left = addresses.saturating_sub(OTHER_ADDRESSES);
        let thread = stack_size.saturating_add(OTHER_PER_THREAD);
        let with_heap = (left / thread.saturating_add(HEAP)).min(heaps);
        if with_heap < heaps { with_heap } else { left.saturating_sub(heaps * HEAP) / thread }
    });
    by_maps.min(by_addresses).max(1)
}

/// How many more bytes of address space this process may map, if there is a limit (`ulimit -v`).
fn address_space() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max address space"))?;
    let limit: usize = line.split_whitespace().nth(3)?.parse().ok()?; // or `unlimited`
    let pages: usize =
        fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().next()?.parse().ok()?;
    Some(limit.saturating_sub(pages.saturating_mul(PAGE)))
}

/// The smallest page size, in bytes.
const PAGE: usize = 4096;

fn read(path: &str) -> Option<usize> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_and_address_space_limit_the_threads() {
        const MIB: usize = 1024 * 1024;
        assert_eq!(bounded(65_530, None, 2 * MIB, 16), 15_882);
        let of_gigabytes = |gigabytes: usize, stack| bounded(65_530, Some(gigabytes * 1024 * MIB), stack, 16);
        assert_eq!(of_gigabytes(4, 2 * MIB), (4096 - 256 - 16 * 64) * 1024 / (2048 + 64));
        assert_eq!(of_gigabytes(4, 128 * 1024), (4096 - 256 - 16 * 64) * 1024 / (128 + 64));
        // Too little address space for a heap per thread.
        assert_eq!(of_gigabytes(1, 2 * MIB), (1024 - 256) / 66);
        assert_eq!(bounded(65_530, Some(100 * MIB), 2 * MIB, 16), 1);
        assert_eq!(bounded(100, None, 2 * MIB, 16), 1);
    }
}

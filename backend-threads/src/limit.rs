//! How many threads the system lets a process have.

use std::fs;
use std::sync::OnceLock;
use std::thread;

/// The kernel's default for `vm.max_map_count`, for where it can't be read.
const USUAL_MAPS: usize = 65_530;
/// A Rust thread's memory maps: its stack, the guard in front of it, and the same of its signal stack.
const MAPS_PER_THREAD: usize = 4;
/// Maps left for the program, its libraries and its heaps.
const OTHER_MAPS: usize = 2_000;

/// A thread's address space beside its stack, in bytes: guard pages, its signal stack, and what it allocates.
const BESIDE_A_STACK: usize = 64 * 1024;
/// Address space that is left for the program, in bytes.
const OTHER_ADDRESSES: usize = 256 * 1024 * 1024;
/// The address space of a heap, of which glibc makes one for each of the first threads, in bytes.
const HEAP: usize = 64 * 1024 * 1024;
/// So many heaps there may be for each core.
const HEAPS_PER_CORE: usize = 8;

/// The most threads that this backend starts with stacks of so many bytes: at least one.
///
/// std aborts the whole process where the map for a new thread's signal stack fails (tried: at 16,373
/// threads with the usual 65,530 maps). So the limits are held before the system's are reached.
pub(crate) fn max_threads(stack_size: usize) -> usize {
    let maps = read("/proc/sys/vm/max_map_count").unwrap_or(USUAL_MAPS);
    let heaps = HEAPS_PER_CORE * thread::available_parallelism().map_or(1, Into::into);
    // As it is when first asked: what the server itself takes later is in what is left for the program.
    static ADDRESSES: OnceLock<Option<usize>> = OnceLock::new();
    bounded(maps, *ADDRESSES.get_or_init(address_space), stack_size, heaps)
}

fn bounded(maps: usize, addresses: Option<usize>, stack_size: usize, heaps: usize) -> usize {
    let by_maps = maps.saturating_sub(OTHER_MAPS) / MAPS_PER_THREAD;
    let by_addresses = addresses.map_or(usize::MAX, |addresses| {
        let left = addresses.saturating_sub(OTHER_ADDRESSES);
        let thread = stack_size.saturating_add(BESIDE_A_STACK);
        let with_heap = (left / thread.saturating_add(HEAP)).min(heaps);
        if with_heap < heaps { with_heap } else { left.saturating_sub(heaps * HEAP) / thread }
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
        assert_eq!(bounded(65_530, None, 2 * MIB, 16), 15_882);
        let of_gigabytes = |gigabytes: usize, stack| bounded(65_530, Some(gigabytes * 1024 * MIB), stack, 16);
        assert_eq!(of_gigabytes(4, 2 * MIB), (4096 - 256 - 16 * 64) * 1024 / (2048 + 64));
        assert_eq!(of_gigabytes(4, 128 * 1024), (4096 - 256 - 16 * 64) * 1024 / (128 + 64));
        // Not every thread gets a heap of its own.
        assert_eq!(of_gigabytes(1, 2 * MIB), (1024 - 256) / 66);
        assert_eq!(bounded(65_530, Some(100 * MIB), 2 * MIB, 16), 1);
        assert_eq!(bounded(100, None, 2 * MIB, 16), 1);
    }
}

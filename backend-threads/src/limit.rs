//! How many threads the system lets a process have.

use std::fs;

/// The kernel's default for `vm.max_map_count`, for where it can't be read.
const USUAL_MAPS: usize = 65_530;
/// A Rust thread's memory maps: its stack, the guard in front of it, and the same of its signal stack.
const MAPS_PER_THREAD: usize = 4;
/// Maps left for the program, its libraries and its heaps.
const OTHER_MAPS: usize = 2_000;

/// The most threads that this backend starts.
///
/// std aborts the whole process where the map for a new thread's signal stack fails (tried: at 16,373
/// threads with the usual 65,530 maps). So the limit is held before the system's is reached.
pub(crate) fn max_threads() -> usize {
    let maps = read("/proc/sys/vm/max_map_count").unwrap_or(USUAL_MAPS);
    maps.saturating_sub(OTHER_MAPS) / MAPS_PER_THREAD
}

fn read(path: &str) -> Option<usize> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

//! What a measurement reads off the process and how it condenses it: processor time, heap, resident memory, percentiles.
//!
//! Everything here is about the calling process as a whole; each measurement has a process of its own.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time of all threads of this process, user and system: what `getrusage` reports, to the nanosecond.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Heap bytes in use, as glibc's own books have them: for each block its usable size plus the 8 byte header.
///
/// A counting allocator would find the same figure, but would slow down every allocation of every row.
pub fn heap_bytes() -> usize {
    // SAFETY: `mallinfo2` takes no arguments and only reads the allocator's statistics, under the allocator's locks.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

/// Resident memory of this process, in bytes: the heap, its fragmentation, and everything else. (The cheaper `statm`
/// may be some hundred pages behind.)
pub fn resident_bytes() -> usize {
    let summary = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux shows each process its memory");
    let kilobytes = summary
        .lines()
        .find_map(|line| line.strip_prefix("Rss:")?.strip_suffix("kB"));
    kilobytes
        .and_then(|number| number.trim().parse::<usize>().ok())
        .expect("a line `Rss: 123 kB`")
        * 1024
}

/// The value below which `fraction` of the sorted `values` lie.
///
/// # Panics
///
/// If there are no values.
pub fn percentile(sorted: &[f64], fraction: f64) -> f64 {
    let rank = fraction * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    below + (above - below) * rank.fract()
}

/// Sorts durations given in nanoseconds and returns the given percentile of each fraction, in microseconds.
pub fn percentiles_us<const N: usize>(mut nanoseconds: Vec<f64>, fractions: [f64; N]) -> [f64; N] {
    nanoseconds.sort_by(f64::total_cmp);
    fractions.map(|fraction| percentile(&nanoseconds, fraction) / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_between_two_values_is_interpolated() {
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 5.0], 0.5), 2.5);
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 5.0], 1.0), 5.0);
        assert_eq!(percentile(&[7.0], 0.99), 7.0);
    }

    #[test]
    fn percentiles_come_sorted_and_in_microseconds() {
        assert_eq!(
            percentiles_us(vec![3000.0, 1000.0, 2000.0], [0.0, 0.5, 1.0]),
            [1.0, 2.0, 3.0]
        );
    }

    #[test]
    fn heap_bytes_sees_a_large_block() {
        let before = heap_bytes();
        let block = std::hint::black_box(vec![1_u8; 1 << 24]);
        assert!(
            heap_bytes() > before + block.len() / 2,
            "other tests allocate and free much less"
        );
    }
}

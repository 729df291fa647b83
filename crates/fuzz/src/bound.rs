//! What a target may cost: memory, as a counting allocator sees it, and time of the processor.

use rustix::time::{ClockId, clock_gettime};

/// What anything may hold, however short its input.
pub const FREE_BYTES: usize = 64 * 1024;

/// What reading `input_len` bytes may hold at most at one time, beside the input.
pub const fn twice(input_len: usize) -> usize {
    2 * input_len + FREE_BYTES
}

/// Does `work`, and panics if it held more than `bytes_max` at one time. A buffer that grows counts with its old and its
/// new place. Memory that a library in C takes is not seen.
#[track_caller]
pub fn within<T>(bytes_max: usize, work: impl FnOnce() -> T) -> T {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(work()));
    let bytes = info.bytes_max;
    assert!(bytes <= bytes_max as u64, "{bytes} bytes were held at one time, at most {bytes_max} may be");
    result.expect("the work was done")
}

/// The time that this thread has had a processor, in nanoseconds. Other load on the machine does not count.
pub(crate) fn processor_nanos() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// What one input may take.
pub(crate) const NANOS_MAX: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_and_not_what_was_given_back() {
        let bytes = within(1_000, || (0..100).map(|_| vec![0_u8; 900].len()).sum::<usize>());
        assert_eq!(bytes, 90_000);
    }

    #[test]
    #[should_panic(expected = "1001 bytes were held at one time, at most 1000 may be")]
    fn a_byte_too_much_is_found() {
        within(1_000, || vec![0_u8; 1_001]);
    }
}

//! Bytes that have arrived and were not asked for yet. Knows no socket: whoever has bytes puts them into
//! [`room`](Buffer::room).
//!
//! `storage[start..end]` is the data, what is behind it is room. Data moves to the front only when at least as much
//! has been taken, so that each byte is moved once on average at most.
//!
//! A buffer that waits for its first byte has no storage: thousands of idle connections cost nothing here. Storage of the usual size
//! comes from a few spare pieces that each thread keeps, which are not cleared again and again.

use memchr::{memchr, memmem};
use std::{cell::RefCell, mem};

/// The least room for a read; also the size from which on a read may as well go to its destination directly.
pub(super) const CHUNK: usize = 8 * 1024;

/// How many spare pieces of storage a thread keeps.
const SPARES: usize = 16;

thread_local! {
    /// Storage of the length [`CHUNK`].
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

#[derive(Default)]
pub(super) struct Buffer {
    storage: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(super) fn data(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }

    /// Where the next bytes go: at least [`CHUNK`] of them.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.storage.len() - self.end < CHUNK {
            if self.start > 0 && self.start >= self.end - self.start {
                self.storage.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.storage.is_empty() {
                self.storage = spare();
            } else if self.storage.len() - self.end < CHUNK {
                self.storage.resize(2 * self.storage.len(), 0);
            }
        }
        &mut self.storage[self.end..]
    }

    /// `count` bytes have been put into the room.
    pub(super) fn filled(&mut self, count: usize) {
        self.end += count;
        assert!(
            self.end <= self.storage.len(),
            "a read of more bytes than there was room for"
        );
    }

    /// Forgets the first `count` bytes.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        assert!(self.start <= self.end, "more bytes consumed than there are");
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Gives the storage back, if there is no data in it.
    pub(super) fn release(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            give_back(mem::take(&mut self.storage));
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        give_back(mem::take(&mut self.storage));
    }
}

fn spare() -> Vec<u8> {
    let spare = SPARE.try_with(|spare| spare.borrow_mut().pop());
    spare.ok().flatten().unwrap_or_else(|| vec![0; CHUNK])
}

fn give_back(storage: Vec<u8>) {
    if storage.len() == CHUNK {
        // At the end of a thread there is nowhere to put it.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < SPARES {
                spare.push(storage);
            }
        });
    }
}

/// Where `separator` first begins in `data`, at `from` or later.
pub(super) fn find(data: &[u8], separator: &[u8], from: usize) -> Option<usize> {
    let rest = &data[from..];
    let found = match separator {
        [byte] => memchr(*byte, rest),
        _ => memmem::find(rest, separator),
    };
    found.map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(buffer: &mut Buffer, bytes: &[u8]) {
        for piece in bytes.chunks(CHUNK) {
            buffer.room()[..piece.len()].copy_from_slice(piece);
            buffer.filled(piece.len());
        }
    }

    #[test]
    fn bytes_come_out_as_they_went_in_whatever_the_pieces() {
        let mut expected = Vec::new();
        let mut got: Vec<u8> = Vec::new();
        let mut buffer = Buffer::default();
        for round in 0..2000_usize {
            let piece: Vec<u8> = (0..round * 37 % 3000).map(|n| (n + round) as u8).collect();
            put(&mut buffer, &piece);
            expected.extend(piece);
            let count = (round * 53 % 3500).min(buffer.data().len());
            got.extend(&buffer.data()[..count]);
            buffer.consume(count);
        }
        got.extend(buffer.data());
        buffer.consume(buffer.data().len());
        assert!(got == expected);
        assert!(buffer.data().is_empty());
    }

    #[test]
    fn an_empty_buffer_gives_its_storage_back() {
        for length in [1, 4 * CHUNK] {
            let mut buffer = Buffer::default();
            put(&mut buffer, &vec![1; length]);
            buffer.release();
            assert_eq!(buffer.data().len(), length);
            buffer.consume(length);
            buffer.release();
            assert_eq!(buffer.storage.capacity(), 0);
        }
    }

    #[test]
    fn storage_is_used_again() {
        let mut buffer = Buffer::default();
        let first = buffer.room().as_ptr();
        buffer.release();
        assert_eq!(buffer.room().as_ptr(), first);
    }

    #[test]
    fn a_buffer_that_is_read_as_it_is_filled_does_not_grow() {
        let mut buffer = Buffer::default();
        for _ in 0..1000 {
            put(&mut buffer, &[7; 1000]);
            buffer.consume(buffer.data().len() - 10);
        }
        assert!(buffer.storage.len() <= 4 * CHUNK, "{}", buffer.storage.len());
    }

    #[test]
    fn a_separator_is_found_where_it_first_begins() {
        assert_eq!(find(b"a\nb\n", b"\n", 0), Some(1));
        assert_eq!(find(b"a\nb\n", b"\n", 2), Some(3));
        assert_eq!(find(b"a\r\r\nb", b"\r\n", 0), Some(2));
        assert_eq!(find(b"a\r", b"\r\n", 0), None);
        assert_eq!(find(b"ab", b"abc", 0), None);
        assert_eq!(find(b"ab", b"b", 2), None);
    }
}

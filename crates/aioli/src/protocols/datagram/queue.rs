//! Datagrams that the system has not taken yet.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

/// With more than this waiting, the protocol is told to pause.
const HIGH_WATER: usize = 64 * 1024;

/// How many times the low mark goes into the high one.
const RATIO: usize = 4;

/// What a datagram counts for besides its bytes, as in asyncio: its header. So that empty ones count, too.
const HEADER: usize = 8;

/// A datagram and where it goes; `None`: to the address that the socket is connected to.
#[derive(Clone)]
pub(super) struct Datagram {
    pub(super) data: Arc<[u8]>,
    pub(super) target: Option<SocketAddr>,
}

/// They are sent in order, and none is dropped for want of room: who sends is told to pause.
pub(super) struct Queue {
    datagrams: VecDeque<Datagram>,
    size: usize,
    low: usize,
    high: usize,
    paused: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            datagrams: VecDeque::new(),
            size: 0,
            low: HIGH_WATER / RATIO,
            high: HIGH_WATER,
            paused: false,
        }
    }
}

impl Queue {
    pub(super) fn keep(&mut self, data: &[u8], target: Option<SocketAddr>) {
        self.size += data.len() + HEADER;
        self.datagrams.push_back(Datagram {
            data: data.into(),
            target,
        });
        self.adjust();
    }

    pub(super) fn first(&self) -> Option<Datagram> {
        self.datagrams.front().cloned()
    }

    /// The first one has been sent, or cannot be. (There is none if somebody has cleared the queue meanwhile.)
    pub(super) fn remove_first(&mut self) {
        if let Some(datagram) = self.datagrams.pop_front() {
            self.size -= datagram.data.len() + HEADER;
            self.adjust();
        }
    }

    pub(super) fn clear(&mut self) {
        self.datagrams = VecDeque::new();
        self.size = 0;
        self.paused = false;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// The low and the high mark.
    pub(super) fn limits(&self) -> (usize, usize) {
        (self.low, self.high)
    }

    /// Sets the marks, each from the other if it is not given. The low one is not to be above the high one.
    pub(super) fn set_limits(&mut self, low: Option<usize>, high: Option<usize>) {
        self.high = high.unwrap_or_else(|| low.map_or(HIGH_WATER, |low| low.saturating_mul(RATIO)));
        self.low = low.unwrap_or(self.high / RATIO);
        self.adjust();
    }

    fn adjust(&mut self) {
        if self.size > self.high {
            self.paused = true;
        } else if self.size <= self.low {
            self.paused = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_paused_above_the_high_mark_and_resumed_at_the_low_one() {
        let mut queue = Queue::default();
        assert_eq!(queue.limits(), (16 * 1024, 64 * 1024));
        queue.set_limits(None, Some(40));
        assert_eq!(queue.limits(), (10, 40));
        queue.keep(&[0; 2], None);
        queue.keep(&[0; 22], None);
        assert_eq!((queue.size(), queue.is_paused()), (40, false));
        queue.keep(b"", None);
        assert_eq!((queue.size(), queue.is_paused()), (48, true));
        queue.remove_first();
        assert_eq!((queue.size(), queue.is_paused()), (38, true));
        queue.remove_first();
        assert_eq!((queue.size(), queue.is_paused()), (8, false));
        queue.remove_first();
        queue.remove_first();
        assert!(queue.is_empty());
    }

    #[test]
    fn marks_that_are_set_count_at_once() {
        let mut queue = Queue::default();
        queue.keep(&[0; 92], None);
        queue.set_limits(None, Some(0));
        assert!(queue.is_paused());
        queue.set_limits(Some(100), None);
        assert_eq!((queue.limits(), queue.is_paused()), ((100, 400), false));
        queue.set_limits(None, Some(99));
        assert!(queue.is_paused());
        queue.clear();
        assert!(queue.is_empty() && !queue.is_paused());
    }
}

//! Which registration an event is for.
//!
//! The kernel hands back the number under which a source was registered. By then the source may be gone and its place
//! taken by another: the event was already collected when the source was dropped. So the number, the *key*, names the
//! place and the *generation* of its occupant, and an event whose generation is not the occupant's is thrown away.
//!
//! A source leaves the registry before its descriptor is closed; so whoever finds an entry, and holds the registry,
//! holds a descriptor that is open.

use crate::{readiness::Ready, registration::Registration};
use aioli_primitives::sync::Arc;
use slab::Slab;
use std::{os::fd::RawFd, task::Waker};

/// Names one source, once: see the module's page. No source's key is `usize::MAX`.
pub type Key = usize;

const PLACE_BITS: u32 = if usize::BITS == 64 { 32 } else { 20 };
const PLACES: usize = 1 << PLACE_BITS;

/// The key that no source has; the backends use it for wake-ups.
pub(crate) const NOBODY: Key = usize::MAX;

/// All the registered sources. Lives behind one short lock.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Slab<Entry>,
    /// Of the next occupant; wraps. Only the bits that fit above a place count.
    generation: usize,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    fd: RawFd,
    registration: Arc<Registration>,
}

impl Registry {
    /// Nothing registered.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many sources are registered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no source is registered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Gives a registration its key; `None` if there is no place left.
    pub fn insert(&mut self, fd: RawFd, registration: Arc<Registration>) -> Option<Key> {
        let place = self.entries.vacant_key();
        // The last place stays empty, so that no key is `NOBODY`.
        if place >= PLACES - 1 {
            return None;
        }
        let key = self.generation << PLACE_BITS | place;
        self.generation = self.generation.wrapping_add(1);
        self.entries.insert(Entry { key, fd, registration });
        Some(key)
    }

    /// Forgets the source named `key`. The caller drops the registration after it let go of the registry: the wakers
    /// in it run foreign code when they are dropped.
    #[must_use]
    pub fn remove(&mut self, key: Key) -> Option<Arc<Registration>> {
        self.get(key)?;
        Some(self.entries.remove(key % PLACES).registration)
    }

    /// Passes an event on to the source named `key`, if that is still here, and gives the source.
    pub fn event(&self, key: Key, ready: Ready, wakers: &mut Vec<Waker>) -> Option<(&Registration, RawFd)> {
        let entry = self.get(key)?;
        entry.registration.event(ready, wakers);
        Some((&entry.registration, entry.fd))
    }

    fn get(&self, key: Key) -> Option<&Entry> {
        self.entries.get(key % PLACES).filter(|entry| entry.key == key)
    }
}

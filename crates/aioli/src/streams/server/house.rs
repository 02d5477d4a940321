//! What a server, those who accept for it and its connections share: who is there, and what changes.

use crate::streams::{changes::Changes, connection::Connection, outbox::Ending, wire::Wire};
use aioli_primitives::sync::Mutex;
use slab::Slab;
use std::{
    io,
    sync::{Arc, Weak},
};

pub(super) struct House {
    state: Mutex<State>,
    /// The last of those who accept, or of the connections, has left.
    changes: Changes,
}

pub(super) struct State {
    pub(super) phase: Phase,
    /// Tasks that accept.
    pub(super) doorkeepers: usize,
    /// Connections that are open.
    guests: Slab<Visit>,
    pub(super) failure: Option<io::Error>,
}

/// How far a server has come. It only ever moves on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Listening, and nobody accepts.
    Listening,
    Serving,
    Closed,
}

impl State {
    pub(super) fn has_guests(&self) -> bool {
        !self.guests.is_empty()
    }
}

/// How far a connection has come.
#[derive(Clone)]
enum Visit {
    /// Accepted, and not greeted yet: a TLS handshake takes its time.
    Arriving(Weak<dyn Wire>),
    Connected(Weak<Connection>),
}

impl House {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                phase: Phase::Listening,
                doorkeepers: 0,
                guests: Slab::new(),
                failure: None,
            }),
            changes: Changes::default(),
        })
    }

    pub(super) async fn until(&self, ready: impl Fn(&State) -> bool) {
        self.changes.until(|| ready(&self.state.lock()).then_some(())).await;
    }

    /// Looks at the state, or changes it. Nothing foreign is to be called in there.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock())
    }

    /// Those who wait look again.
    pub(super) fn announce(&self) {
        self.changes.announce();
    }

    pub(super) fn guests(&self) -> usize {
        self.state.lock().guests.len()
    }

    /// Has every connection end: with what it has to send, or at once.
    pub(super) fn send_away(&self, at_once: bool) {
        let visits: Vec<Visit> = self
            .state
            .lock()
            .guests
            .iter()
            .map(|(_, visit)| visit.clone())
            .collect();
        for visit in visits {
            match visit {
                Visit::Arriving(wire) => {
                    if let Some(wire) = wire.upgrade() {
                        wire.close();
                    }
                }
                Visit::Connected(connection) => match connection.upgrade() {
                    Some(connection) if at_once => connection.abort(),
                    Some(connection) => Connection::end(&connection, Ending::Everything),
                    None => {}
                },
            }
        }
    }
}

/// Held by a task that accepts, and counted by who makes it.
pub(super) struct Doorkeeper(pub(super) Arc<House>);

impl Drop for Doorkeeper {
    fn drop(&mut self) {
        let last = self.0.look(|state| {
            state.doorkeepers -= 1;
            state.doorkeepers == 0
        });
        if last {
            self.0.announce();
        }
    }
}

/// Held by a connection of a server's, for as long as it is open.
pub(crate) struct Guest {
    house: Arc<House>,
    place: usize,
}

impl Guest {
    pub(super) fn enter(house: &Arc<House>, wire: &Arc<dyn Wire>) -> Arc<Self> {
        let visit = Visit::Arriving(Arc::downgrade(wire));
        let place = house.state.lock().guests.insert(visit);
        Arc::new(Self {
            house: house.clone(),
            place,
        })
    }

    /// The connection is there, or another one has taken its wire over.
    pub(in crate::streams) fn is_connected(&self, connection: &Arc<Connection>) {
        let visit = Visit::Connected(Arc::downgrade(connection));
        self.house.look(|state| state.guests[self.place] = visit);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let last = self.house.look(|state| {
            state.guests.remove(self.place);
            state.guests.is_empty()
        });
        if last {
            self.house.announce();
        }
    }
}

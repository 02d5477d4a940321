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
    guests: Slab<Visitor>,
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

/// One of the connections, and what it was told.
struct Visitor {
    visit: Visit,
    told: Option<Goodbye>,
}

/// How a connection is told to end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Goodbye {
    /// With what it has to send.
    Close,
    /// At once.
    Abort,
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

    /// Tells every connection to end. One that is just being handed from one to another hears of it when it arrives.
    pub(super) fn send_away(&self, goodbye: Goodbye) {
        let visits: Vec<Visit> = {
            let mut state = self.state.lock();
            let visitors = state.guests.iter_mut();
            visitors.map(|(_, visitor)| visitor.tell(goodbye)).collect()
        };
        for visit in visits {
            visit.end(goodbye);
        }
    }
}

impl Visitor {
    fn tell(&mut self, goodbye: Goodbye) -> Visit {
        self.told = self.told.max(Some(goodbye));
        self.visit.clone()
    }
}

impl Visit {
    fn end(&self, goodbye: Goodbye) {
        match self {
            Self::Arriving(wire) => {
                if let Some(wire) = wire.upgrade() {
                    wire.close();
                }
            }
            Self::Connected(connection) => match connection.upgrade() {
                Some(connection) if goodbye == Goodbye::Abort => connection.abort(),
                Some(connection) => Connection::end(&connection, Ending::Everything),
                None => {}
            },
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
        let visitor = Visitor {
            visit: Visit::Arriving(Arc::downgrade(wire)),
            told: None,
        };
        let place = house.state.lock().guests.insert(visitor);
        Arc::new(Self {
            house: house.clone(),
            place,
        })
    }

    /// The connection is there.
    pub(in crate::streams) fn is_connected(&self, connection: &Arc<Connection>) {
        self.has_come(Visit::Connected(Arc::downgrade(connection)));
    }

    /// The connection gives its wire to another one, which is to come.
    #[cfg(feature = "tls")]
    pub(in crate::streams) fn is_arriving(&self, wire: &Arc<dyn Wire>) {
        self.has_come(Visit::Arriving(Arc::downgrade(wire)));
    }

    fn has_come(&self, visit: Visit) {
        let told = self.house.look(|state| {
            let visitor = &mut state.guests[self.place];
            visitor.visit = visit.clone();
            visitor.told
        });
        if let Some(goodbye) = told {
            visit.end(goodbye);
        }
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

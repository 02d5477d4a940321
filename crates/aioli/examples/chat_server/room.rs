//! Who is in the room, and a queue for each of them. To say something never waits for those who hear it.

use aioli::{Event, Queue};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many lines may wait for a client before it is taken for one that does not read.
const BEHIND: usize = 1000;

/// The longest nickname, in characters.
const NICKNAME: usize = 20;

#[derive(Default)]
pub struct Room {
    places: Mutex<Places>,
    closing: Event,
}

/// In the order of their nicknames.
type Places = BTreeMap<String, Arc<Place>>;

/// What the room knows of a client.
struct Place {
    lines: Queue<Arc<str>>,
    fell_behind: Event,
}

impl Room {
    /// A place for a new client, or why it gets none.
    pub fn join(self: &Arc<Self>, name: &str) -> Result<Seat, &'static str> {
        if name.is_empty() || name.chars().count() > NICKNAME || !name.chars().all(char::is_alphanumeric) {
            return Err("a nickname has up to 20 letters and digits");
        }
        let mut places = self.places();
        if places.contains_key(name) {
            return Err("this nickname is taken");
        }
        tell(&mut places, &format!("* {name} is here\n"), None);
        let place = Arc::new(Place {
            lines: Queue::bounded(BEHIND),
            fell_behind: Event::new(),
        });
        places.insert(name.to_owned(), place.clone());
        // It is the first line in the queue, so there is room for it.
        let _ = place
            .lines
            .put_nowait(format!("* hello {name}; {}", who(&places)).into());
        Ok(Seat {
            room: self.clone(),
            name: name.to_owned(),
            place,
        })
    }

    /// Tells all clients to go.
    pub fn close(&self) {
        self.closing.set();
    }

    /// Waits until the room is closed.
    pub async fn closed(&self) {
        self.closing.wait().await;
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        // A panic in the middle of a change would leave nothing behind that makes no sense.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's place in the room, which it leaves when this is dropped, however that comes about.
pub struct Seat {
    room: Arc<Room>,
    name: String,
    place: Arc<Place>,
}

impl Seat {
    /// Says something to all others.
    pub fn say(&self, text: &str) {
        let line = format!("{}: {text}\n", self.name);
        tell(&mut self.room.places(), &line, Some(&self.name));
    }

    /// A line with all who are there.
    pub fn who(&self) -> String {
        format!("* {}", who(&self.room.places()))
    }

    /// The next line that this client is told. It does not come to an end.
    pub async fn next_line(&self) -> Arc<str> {
        match self.place.lines.get().await {
            Ok(line) => line,
            Err(_) => unreachable!("nobody shuts the queue down"),
        }
    }

    /// Waits until the client has lost its place because it did not read.
    pub async fn fell_behind(&self) {
        self.place.fell_behind.wait().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut places = self.room.places();
        // Somebody else may have the name by now, if the place was lost before.
        if places
            .get(&self.name)
            .is_some_and(|place| Arc::ptr_eq(place, &self.place))
        {
            places.remove(&self.name);
            tell(&mut places, &format!("* {} has left\n", self.name), None);
        }
    }
}

fn who(places: &Places) -> String {
    let names: Vec<&str> = places.keys().map(String::as_str).collect();
    format!("here are: {}\n", names.join(", "))
}

/// Puts a line into all queues but one. Under the room's lock, so that all get all lines in the same order.
fn tell(places: &mut Places, line: &str, except: Option<&str>) {
    let line: Arc<str> = line.into();
    let mut behind = Vec::new();
    for (name, place) in places.iter() {
        if Some(name.as_str()) != except && place.lines.put_nowait(line.clone()).is_err() {
            behind.push(name.clone());
        }
    }
    for name in &behind {
        if let Some(place) = places.remove(name) {
            place.fell_behind.set();
        }
    }
    for name in &behind {
        tell(places, &format!("* {name} fell behind, and is out\n"), None);
    }
}

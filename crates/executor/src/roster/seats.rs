//! The seats of a group: a list in the order of arrival, from which anyone is taken out in constant time.
//!
//! A doubly linked list whose links are numbers, in one vector: a member costs no allocation of its own, and memory is as much as
//! for the most members that there were at a time.

/// Where a member sits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat(u32);

const NONE: u32 = u32::MAX;

pub(super) struct Seats<M> {
    all: Vec<Place<M>>,
    first: u32,
    last: u32,
    /// The first of those that are free, linked by `next`.
    free: u32,
    taken: usize,
}

struct Place<M> {
    prev: u32,
    next: u32,
    who: Who<M>,
}

enum Who<M> {
    Nobody,
    /// The seat is taken, and its member has no name yet.
    Unnamed,
    Named(M),
    /// It has left before it had a name. The seat is not free before that has come.
    Gone,
}

impl<M> Seats<M> {
    pub(super) fn new() -> Self {
        Self {
            all: Vec::new(),
            first: NONE,
            last: NONE,
            free: NONE,
            taken: 0,
        }
    }

    fn at(&mut self, seat: u32) -> &mut Place<M> {
        &mut self.all[seat as usize]
    }

    /// Takes a seat behind all others.
    pub(super) fn take(&mut self) -> Seat {
        let place = Place {
            prev: self.last,
            next: NONE,
            who: Who::Unnamed,
        };
        let seat = self.free;
        let seat = if seat == NONE {
            let seat = u32::try_from(self.all.len()).expect("a group has less than 2^32 members at a time");
            assert!(seat != NONE, "a group has less than 2^32 members at a time");
            self.all.push(place);
            seat
        } else {
            self.free = self.at(seat).next;
            *self.at(seat) = place;
            seat
        };
        match self.last {
            NONE => self.first = seat,
            last => self.at(last).next = seat,
        }
        self.last = seat;
        self.taken += 1;
        Seat(seat)
    }

    /// Puts a name on a seat. If the member has left, the name comes back.
    pub(super) fn sit(&mut self, Seat(seat): Seat, name: M) -> Option<M> {
        if matches!(self.at(seat).who, Who::Gone) {
            self.vacate(seat);
            return Some(name);
        }
        self.at(seat).who = Who::Named(name);
        None
    }

    /// Leaves a seat. The name comes back, if there is one.
    pub(super) fn leave(&mut self, Seat(seat): Seat) -> Option<M> {
        match std::mem::replace(&mut self.at(seat).who, Who::Gone) {
            Who::Named(name) => {
                self.vacate(seat);
                Some(name)
            }
            _ => None,
        }
    }

    fn vacate(&mut self, seat: u32) {
        let free = self.free;
        let place = self.at(seat);
        let (prev, next) = (place.prev, place.next);
        place.who = Who::Nobody;
        place.next = free;
        self.free = seat;
        match prev {
            NONE => self.first = next,
            prev => self.at(prev).next = next,
        }
        match next {
            NONE => self.last = prev,
            next => self.at(next).prev = prev,
        }
        self.taken -= 1;
    }

    /// How many seats are taken.
    pub(super) fn len(&self) -> usize {
        self.taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// Those that have a name, in the order in which they came.
    pub(super) fn names(&self) -> impl Iterator<Item = &M> {
        let mut seat = self.first;
        std::iter::from_fn(move || {
            let place = self.all.get(seat as usize)?;
            seat = place.next;
            Some(&place.who)
        })
        .filter_map(|who| match who {
            Who::Named(name) => Some(name),
            _ => None,
        })
    }
}

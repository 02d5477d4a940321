//! Where the timers of a wheel live: nodes in one growing array, and the lists threaded through them.
//!
//! A node is known inside the wheel by its index, and outside by a [`Key`], which is the index with a generation. A
//! node is either *vacant*, without a value and linked into the free list through `next`, or *occupied*, with a value
//! and in exactly one [`List`]; the wheel sees to the latter. Vacating a node moves its generation on, so that a key
//! fits one occupation only. A node that has used up its generations is never occupied again: it costs a few bytes for
//! every four billion timers, and buys keys of eight bytes that never fit a stranger.

use std::num::NonZeroU32;

/// No node: the end of a list.
const NIL: u32 = u32::MAX;

/// Names a timer in the [`Wheel`](crate::Wheel) that gave the key, as long as the timer is there.
///
/// Once the timer has fired or was removed, its key fits nothing any more, whatever is inserted later. In a wheel other
/// than its own a key means nothing, and may fit somebody else's timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    index: u32,
    generation: NonZeroU32,
}

impl Key {
    /// Which node this is the key of.
    #[inline]
    pub(crate) fn index(self) -> u32 {
        self.index
    }
}

struct Node<T> {
    deadline: u64,
    prev: u32,
    /// The next node in the list or, of a vacant node, in the free list.
    next: u32,
    generation: NonZeroU32,
    value: Option<T>,
}

/// The ends of a doubly linked list of nodes.
#[derive(Clone, Copy)]
pub(crate) struct List {
    head: u32,
    tail: u32,
}

impl List {
    /// A list without nodes.
    pub(crate) const EMPTY: Self = Self { head: NIL, tail: NIL };

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.head == NIL
    }

    /// The first node, if there is one.
    #[inline]
    pub(crate) fn first(self) -> Option<u32> {
        (self.head != NIL).then_some(self.head)
    }

    /// The node of a list that has exactly one.
    #[inline]
    pub(crate) fn only(self) -> Option<u32> {
        self.first().filter(|_| self.head == self.tail)
    }
}

/// The nodes.
pub(crate) struct Slab<T> {
    nodes: Vec<Node<T>>,
    /// The first vacant node.
    free: u32,
    occupied: usize,
}

impl<T> Slab<T> {
    /// A slab without nodes, nor memory for any.
    pub(crate) const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            free: NIL,
            occupied: 0,
        }
    }

    /// How many nodes are occupied.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.occupied
    }

    /// Occupies a node, which is in no list yet.
    #[inline]
    pub(crate) fn occupy(&mut self, deadline: u64, value: T) -> Key {
        let index = self.free;
        let key = if let Some(node) = self.nodes.get_mut(index as usize) {
            self.free = node.next;
            node.deadline = deadline;
            node.value = Some(value);
            Key {
                index,
                generation: node.generation,
            }
        } else {
            self.grow(deadline, value)
        };
        self.occupied += 1;
        key
    }

    #[cold]
    fn grow(&mut self, deadline: u64, value: T) -> Key {
        let index = u32::try_from(self.nodes.len()).ok().filter(|&index| index != NIL);
        let key = Key {
            index: index.expect("a wheel holds at most 2^32 - 1 timers"),
            generation: NonZeroU32::MIN,
        };
        let generation = key.generation;
        self.nodes.push(Node {
            deadline,
            prev: NIL,
            next: NIL,
            generation,
            value: Some(value),
        });
        key
    }

    /// Vacates a node that is in no list any more, and gives its value.
    #[inline]
    pub(crate) fn vacate(&mut self, index: u32) -> T {
        let node = &mut self.nodes[index as usize];
        let value = node.value.take().expect("only an occupied node can be vacated");
        if let Some(generation) = node.generation.checked_add(1) {
            node.generation = generation;
            node.next = self.free;
            self.free = index;
        }
        self.occupied -= 1;
        value
    }

    /// The deadline of an occupied node, in nanoseconds.
    #[inline]
    pub(crate) fn deadline(&self, index: u32) -> u64 {
        self.nodes[index as usize].deadline
    }

    /// The deadline and the value of the node that the key fits.
    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<(u64, &T)> {
        let node = self
            .nodes
            .get(key.index as usize)
            .filter(|node| node.generation == key.generation)?;
        Some((node.deadline, node.value.as_ref()?))
    }

    /// The value of the node that the key fits.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let node = self
            .nodes
            .get_mut(key.index as usize)
            .filter(|node| node.generation == key.generation)?;
        node.value.as_mut()
    }

    /// Adds a node that is in no list at the end of `list`.
    #[inline]
    pub(crate) fn push_back(&mut self, list: &mut List, index: u32) {
        let node = &mut self.nodes[index as usize];
        node.prev = list.tail;
        node.next = NIL;
        match self.nodes.get_mut(list.tail as usize) {
            Some(tail) => tail.next = index,
            None => list.head = index,
        }
        list.tail = index;
    }

    /// Takes a node out of `list`, where it is.
    #[inline]
    pub(crate) fn unlink(&mut self, list: &mut List, index: u32) {
        let Node { prev, next, .. } = self.nodes[index as usize];
        match self.nodes.get_mut(prev as usize) {
            Some(node) => node.next = next,
            None => list.head = next,
        }
        match self.nodes.get_mut(next as usize) {
            Some(node) => node.prev = prev,
            None => list.tail = prev,
        }
    }

    /// The node after this one in its list, if there is one.
    #[inline]
    pub(crate) fn next(&self, index: u32) -> Option<u32> {
        let next = self.nodes[index as usize].next;
        (next != NIL).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_used_up_its_generations_is_never_occupied_again() {
        let mut slab = Slab::new();
        let first = slab.occupy(0, 'a');
        slab.vacate(first.index);
        slab.nodes[first.index as usize].generation = NonZeroU32::MAX;

        let last = slab.occupy(0, 'b');
        assert_eq!((last.index, last.generation), (first.index, NonZeroU32::MAX));
        assert_eq!(slab.vacate(last.index), 'b');
        assert_eq!((slab.get(last), slab.len()), (None, 0));

        let other = slab.occupy(0, 'c');
        assert_ne!(other.index, last.index);
        assert_eq!(slab.get(last), None);
        assert_eq!(slab.get(other), Some((0, &'c')));
    }

    #[test]
    fn a_list_keeps_its_order_when_nodes_leave_it_anywhere() {
        let mut slab = Slab::new();
        let mut list = List::EMPTY;
        let nodes: Vec<u32> = (0..5).map(|n| slab.occupy(n, ()).index).collect();
        nodes.iter().for_each(|&node| slab.push_back(&mut list, node));
        let order = |slab: &Slab<()>, list: List| -> Vec<u64> {
            std::iter::successors(list.first(), |&node| slab.next(node))
                .map(|node| slab.deadline(node))
                .collect()
        };
        for (leaves, rest) in [
            (2, vec![0, 1, 3, 4]),
            (0, vec![1, 3, 4]),
            (4, vec![1, 3]),
            (1, vec![3]),
            (3, vec![]),
        ] {
            slab.unlink(&mut list, nodes[leaves]);
            assert_eq!(order(&slab, list), rest);
            assert_eq!(list.only().is_some(), rest.len() == 1);
            assert_eq!(list.is_empty(), rest.is_empty());
        }
    }
}

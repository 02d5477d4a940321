//! One task of many: running, or over with its outcome.

use super::rule::{Judge, Rule};
use crate::task::{Task, TaskRef};
use std::{
    future::{Future, IntoFuture},
    pin::pin,
    task::{Context, Poll},
};

/// What an item is kept in, whose task gives a `T`, and for which a `V` stands among the values.
pub enum Slot<T, V> {
    #[doc(hidden)]
    Running(Task<T>),
    #[doc(hidden)]
    Over(V),
    /// What it had was given.
    #[doc(hidden)]
    Given,
}

impl<T, V> Slot<T, V> {
    /// The value of one that is over.
    pub(super) fn into_value(self) -> V {
        match self {
            Slot::Over(value) => value,
            _ => unreachable!("every task is over, and none has failed"),
        }
    }
}

/// A slot, whatever its type, by the rule `R`. It does not pass cancellations on: it only looks at its task.
pub trait AnySlot<R: Rule> {
    /// The task, unless it is over and its outcome was taken.
    fn task(&self) -> Option<&TaskRef>;

    /// Takes the outcome, if the task is over; a failure is given here and nowhere else. Not to be called again once it was
    /// ready.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), R::Error>>;
}

impl<T, R: Judge<T>> AnySlot<R> for Slot<T, R::Value> {
    fn task(&self) -> Option<&TaskRef> {
        match self {
            Slot::Running(task) => Some(task),
            Slot::Over(_) | Slot::Given => None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), R::Error>> {
        let Slot::Running(task) = self else {
            unreachable!("its outcome was taken before");
        };
        pin!(task.into_future()).poll(cx).map(|outcome| {
            let (slot, result) = match R::judge(outcome) {
                Ok(value) => (Slot::Over(value), Ok(())),
                Err(error) => (Slot::Given, Err(error)),
            };
            *self = slot;
            result
        })
    }
}

/// The slots of all items, which follow the rule `R`.
pub trait Slots<R: Rule> {
    /// What stands for the items in the result.
    type Values;

    /// How many there are.
    fn count(&self) -> usize;

    /// The slot with that number.
    fn slot(&mut self, number: usize) -> &mut dyn AnySlot<R>;

    /// To be called when all are over and none has failed.
    fn into_values(self) -> Self::Values;
}

impl<T, R: Judge<T>> Slots<R> for Vec<Slot<T, R::Value>> {
    type Values = Vec<R::Value>;

    fn count(&self) -> usize {
        self.len()
    }

    fn slot(&mut self, number: usize) -> &mut dyn AnySlot<R> {
        &mut self[number]
    }

    fn into_values(self) -> Vec<R::Value> {
        self.into_iter().map(Slot::into_value).collect()
    }
}

/// The slots of an array's items.
pub struct Fixed<T, V, const N: usize>(pub(super) Vec<Slot<T, V>>);

impl<T, R: Judge<T>, const N: usize> Slots<R> for Fixed<T, R::Value, N> {
    type Values = [R::Value; N];

    fn count(&self) -> usize {
        N
    }

    fn slot(&mut self, number: usize) -> &mut dyn AnySlot<R> {
        &mut self.0[number]
    }

    fn into_values(self) -> [R::Value; N] {
        let mut slots = self.0.into_iter();
        [(); N].map(|()| slots.next().expect("there is a slot for each item").into_value())
    }
}

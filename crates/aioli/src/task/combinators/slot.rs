//! One task of many: running, or over with its outcome.

use super::rule::{Judge, Rule};
use crate::task::{Task, TaskRef};
use std::{
    future::{Future, IntoFuture},
    pin::pin,
    task::{Context, Poll},
};

/// What an item of type `T` is kept in, by a gathering that follows the rule `R`.
pub enum Slot<T, R: Judge<T>> {
    #[doc(hidden)]
    Running(Task<T>),
    #[doc(hidden)]
    Over(R::Value),
    /// What it had was given.
    #[doc(hidden)]
    Given,
}

impl<T, R: Judge<T>> Slot<T, R> {
    /// The value of one that is over.
    pub(super) fn into_value(self) -> R::Value {
        match self {
            Slot::Over(value) => value,
            _ => unreachable!("every task is over, and none has failed"),
        }
    }
}

/// A slot, whatever its type. It does not pass cancellations on: it only looks at its task.
pub trait AnySlot<E> {
    /// The task, unless it is over and its outcome was taken.
    fn task(&self) -> Option<&TaskRef>;

    /// Takes the outcome, if the task is over; a failure is given here and nowhere else. Not to be called again once it was
    /// ready.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>>;
}

impl<T, R: Judge<T>> AnySlot<R::Error> for Slot<T, R> {
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

/// The slots of all items.
pub trait Slots {
    /// What the gathering follows.
    type Rule: Rule;
    /// What stands for the items in the result.
    type Values;

    /// How many there are.
    fn count(&self) -> usize;

    /// The slot with that number.
    fn slot(&mut self, number: usize) -> &mut dyn AnySlot<<Self::Rule as Rule>::Error>;

    /// To be called when all are over and none has failed.
    fn into_values(self) -> Self::Values;
}

impl<T, R: Judge<T>> Slots for Vec<Slot<T, R>> {
    type Rule = R;
    type Values = Vec<R::Value>;

    fn count(&self) -> usize {
        self.len()
    }

    fn slot(&mut self, number: usize) -> &mut dyn AnySlot<R::Error> {
        &mut self[number]
    }

    fn into_values(self) -> Vec<R::Value> {
        self.into_iter().map(Slot::into_value).collect()
    }
}

/// The slots of an array's items.
pub struct Fixed<T, R: Judge<T>, const N: usize>(pub(super) Vec<Slot<T, R>>);

impl<T, R: Judge<T>, const N: usize> Slots for Fixed<T, R, N> {
    type Rule = R;
    type Values = [R::Value; N];

    fn count(&self) -> usize {
        N
    }

    fn slot(&mut self, number: usize) -> &mut dyn AnySlot<R::Error> {
        &mut self.0[number]
    }

    fn into_values(self) -> [R::Value; N] {
        let mut slots = self.0.into_iter();
        [(); N].map(|()| slots.next().expect("there is a slot for each item").into_value())
    }
}

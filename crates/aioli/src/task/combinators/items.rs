//! What can be gathered: tuples, arrays, vectors, and the `map` of an iterator.

use super::{
    rule::{Judge, Rule},
    slot::{AnySlot, Fixed, Slot, Slots},
};
use crate::task::IntoTask;
use std::iter::Map;

/// Several items for [`gather`](super::gather()), [`try_gather`](super::try_gather) or [`gather_settled`](super::gather_settled), as
/// the rule `R` says. Each item is a task, or a future that becomes one.
///
/// | items | values |
/// |---|---|
/// | a tuple, of up to eight items of different types | a tuple |
/// | an array | an array |
/// | a `Vec` | a `Vec` |
/// | the [`map`](Iterator::map) of an iterator | a `Vec` |
///
/// Any other iterator has to be collected first, since the compiler cannot know that a tuple will never be one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be gathered",
    label = "not a tuple, an array, a `Vec`, or the `map` of an iterator, of tasks or of futures that are `Send + 'static`",
    note = "of another iterator, collect the items into a `Vec` first: `items.collect::<Vec<_>>()`"
)]
pub trait GatherItems<R: Rule>: Sized {
    /// The values of all items.
    type Values;

    #[doc(hidden)]
    type Slots: Slots<R, Values = Self::Values>;

    /// Makes tasks of those that are none.
    #[doc(hidden)]
    #[track_caller]
    fn into_slots(self) -> Self::Slots;
}

impl<I: IntoTask, R: Judge<I::Output>> GatherItems<R> for Vec<I> {
    type Values = Vec<R::Value>;
    type Slots = Vec<Slot<I::Output, R::Value>>;

    fn into_slots(self) -> Self::Slots {
        collect(self.into_iter())
    }
}

impl<I: IntoTask, R: Judge<I::Output>, const N: usize> GatherItems<R> for [I; N] {
    type Values = [R::Value; N];
    type Slots = Fixed<I::Output, R::Value, N>;

    fn into_slots(self) -> Self::Slots {
        Fixed(collect(self.into_iter()))
    }
}

impl<F, S: Iterator, I, R> GatherItems<R> for Map<S, F>
where
    F: FnMut(S::Item) -> I,
    I: IntoTask,
    R: Judge<I::Output>,
{
    type Values = Vec<R::Value>;
    type Slots = Vec<Slot<I::Output, R::Value>>;

    fn into_slots(self) -> Self::Slots {
        collect(self)
    }
}

/// A loop and no closure, so that the tasks are created where the caller of all this is.
#[track_caller]
fn collect<I: IntoTask, V>(items: impl Iterator<Item = I>) -> Vec<Slot<I::Output, V>> {
    let mut slots = Vec::with_capacity(items.size_hint().0);
    for item in items {
        slots.push(Slot::Running(item.into_task()));
    }
    slots
}

macro_rules! tuples {
    ($(($($item:ident $number:tt),+))+) => {$(
        impl<R: Rule, $($item),+> GatherItems<R> for ($($item,)+)
        where
            $($item: IntoTask, R: Judge<$item::Output>,)+
        {
            type Values = ($(<R as Judge<$item::Output>>::Value,)+);
            type Slots = ($(Slot<$item::Output, <R as Judge<$item::Output>>::Value>,)+);

            fn into_slots(self) -> Self::Slots {
                ($(Slot::Running(self.$number.into_task()),)+)
            }
        }

        impl<R, $($item),+> Slots<R> for ($(Slot<$item, <R as Judge<$item>>::Value>,)+)
        where
            R: Rule $(+ Judge<$item>)+,
        {
            type Values = ($(<R as Judge<$item>>::Value,)+);

            fn count(&self) -> usize {
                [$($number),+].len()
            }

            fn slot(&mut self, number: usize) -> &mut dyn AnySlot<R> {
                match number {
                    $($number => &mut self.$number,)+
                    _ => unreachable!("there is no such item"),
                }
            }

            fn into_values(self) -> Self::Values {
                ($(self.$number.into_value(),)+)
            }
        }
    )+};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}

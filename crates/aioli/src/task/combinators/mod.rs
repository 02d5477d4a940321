//! Waiting for several things at once, and for one without being able to hurt it.
//!
//! | file | what it is |
//! |---|---|
//! | `gather` | [`gather`], [`try_gather`], [`gather_settled`]: all values, in order |
//! | `items` | what can be gathered: tuples, arrays, vectors |
//! | `rule` | which outcome ends a gathering at once, and what it gives |
//! | `slot` | one task of many: running, or over with its outcome |
//! | `arrivals` | which of many have something new, so that nobody looks at all of them each time |
//! | `wait` | [`wait`]: until some are over, touching none |
//! | `as_completed` | [`as_completed`]: one outcome after the other, as they come |
//! | `race` | [`race`]: the first to finish, and the others cleaned up |
//! | `shield` | [`shield`]: waiting that can be cancelled, for a task that is not |

mod arrivals;
mod as_completed;
mod gather;
mod items;
mod race;
mod rule;
mod shield;
mod slot;
mod wait;

pub use as_completed::{AsCompleted, AsCompletedWithin, as_completed};
pub use gather::{Gather, gather, gather_settled, try_gather};
pub use items::GatherItems;
pub use race::{Race, RaceItems, race};
pub use rule::{FirstError, FirstFailure, Rule, Settle, TaskError};
pub use shield::{Shield, Shieldable, shield};
pub use wait::{AsTaskRef, ReturnWhen, Wait, wait};

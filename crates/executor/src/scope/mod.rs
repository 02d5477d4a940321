//! Scopes: what a cancellation stops, what can take it on its way, and what keeps the async work that a dropped future
//! leaves behind.
//!
//! | file | what it is |
//! |---|---|
//! | `deferred` | async work that a dropped future hands to the scope around it: [`defer`], [`closing`] |
//! | `around` | what is around the code that runs just now |
//! | `dropping` | for what cancellation something is being dropped |
//! | `issue` | what a scope asks of what is inside it, and who holds it back |
//! | `tree` | the tree in which a request finds those who can take it: read this for the protocol |
//! | `inner`, `root` | a scope inside a task, and the one that is all of it |
//! | `scoped` | [`Scoped`]: a body in a scope, which can be cancelled and can be a frame |
//! | `cancelled` | [`CancelledError`]: a request that a frame took |
//! | `catch` | [`catch_cancelled`], [`finally`], [`uncancellable`] |
//! | `join` | the frame of one who awaits a task |
//!
//! # How a request goes
//!
//! * **Deliver.** A scope that is cancelled starts a new wave, and its request comes to every innermost open frame below it. If there
//!   is none, the scope is *unwinding*.
//! * **Take.** A frame with a request and no open frame inside takes it: a catcher drops its body, finishes what that deferred,
//!   closes, and gives the request to the program as a token; a join cancels its task and stays. Until the token is let
//!   go, it *holds* the scope.
//! * **Go on.** A token that is resumed or dropped, and a request that came to a frame which closes without taking it, go
//!   outward to the nearest open frame, or else to the scope, which is then unwinding. Only a token that is swallowed ends. A
//!   frame to which a request goes on has it come to frames inside that opened later, and waits for tokens that were taken inside.
//! * **Unwind.** A scope that is unwinding drops its body when no frame below is open (those that are get the request, too)
//!   and nobody holds it. Then it finishes what was deferred, and answers.
//!
//! Everything but the request to a task's root, which is a bit of its state word, happens on the thread that runs the
//! task. A scope without a frame inside has no node, and a task without any has no tree.

mod around;
mod cancelled;
mod catch;
mod deferred;
mod dropping;
mod inner;
mod issue;
mod join;
mod root;
mod scoped;
mod tree;

pub use around::unwinds_around;
pub use cancelled::{CancelledError, Resume};
pub use catch::{CatchCancelled, Finally, Uncancellable, catch_cancelled, finally, uncancellable};
pub use deferred::{Closing, Defer, closing, defer};
pub use issue::CancelCause;
pub use scoped::Scoped;

pub(crate) use deferred::defer_wait;
pub(crate) use dropping::{cause as cause_of_drop, dropping_bare, dropping_for};
pub(crate) use inner::Scope;
pub(crate) use issue::{Origin, Text};
pub(crate) use join::JoinFrame;
pub(crate) use root::Root;
pub(crate) use tree::Node;

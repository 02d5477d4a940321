//! `Queue`, `LifoQueue` and `PriorityQueue`.

mod kinds;
mod leaving;
mod joining;
mod line;
mod misuse;
mod shutting_down;
mod threads;
#[path = "../wakers/mod.rs"]
mod wakers;

//! `Queue`, `LifoQueue` and `PriorityQueue`.

#[path = "../common/mod.rs"]
mod common;
mod joining;
mod kinds;
mod leaving;
mod line;
mod misuse;
mod shutting_down;
mod threads;

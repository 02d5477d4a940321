//! The conformance tests: small asyncio programs, ported, which must print what CPython printed.
//!
//! `scripts/` has the programs, `traces/` what CPython 3.13 printed, and `record.sh` records that again. Each port is a test
//! with the name of its script, and reads like it, side by side. `docs/conformance.md` says how to read them.

mod callbacks;
mod context;
mod gather;
mod harness;
mod index;
mod processes;
mod protocols;
mod queues;
mod shield;
mod streams;
mod sync;
mod task_group;
mod tasks;
mod threads;
mod timeouts;

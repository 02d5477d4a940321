//! The models are in `tests/`, one file for each protocol; `cargo models` runs them.

//! Cancellation in short scenes: what happens, in which order and when. The chapter is `docs/cancellation.md`.
//!
//! ```sh
//! cargo run --release --example cancellation            # all scenes
//! cargo run --release --example cancellation -- 7 8     # some of them
//! AIOLI_WORKERS=1 cargo run --release --example cancellation
//! ```
//!
//! Each scene is a program of its own, and reads as one that a user would write. Its clock is virtual: it stands still while
//! anything is left to do, so that the times are exact and the story is the same on any machine and any number of workers.
//!
//! | file | what is in it |
//! |---|---|
//! | `main` | the programme |
//! | `stage` | opens a scene, plays it on a loop of its own, and says what happens when |
//! | `alone` | one task: cleaning up, catching, counting |
//! | `limits` | what keeps a cancellation in, or out: timeouts, shields |
//! | `together` | several tasks: awaiting, gathering, racing, groups, the end of the program |
//! | `mistakes` | what makes no sense, and what becomes of it |

mod alone;
mod limits;
mod mistakes;
mod stage;
mod together;

use stage::Stage;
use std::{env, process::ExitCode};

const SCENES: &[fn(Stage)] = &[
    alone::being_cancelled,
    alone::work_that_is_deferred,
    alone::catching_and_resuming,
    alone::catching_and_going_on,
    alone::finally_in_any_case,
    alone::a_token_that_is_dropped,
    alone::the_second_request,
    alone::reasons_and_counts,
    limits::a_timeout,
    limits::timeouts_in_timeouts,
    limits::a_timeout_with_a_value,
    limits::holding_it_back,
    limits::a_shield,
    limits::somebody_elses_select,
    together::awaiting_passes_it_on,
    together::the_child_objects,
    together::dropping_and_looking,
    together::a_gathering_is_cancelled,
    together::the_first_error_of_several,
    together::a_race,
    together::a_group_fails,
    together::a_group_is_cancelled,
    together::the_end_of_run,
    mistakes::cancelling_what_is_not_there,
    mistakes::awaiting_oneself,
    mistakes::cleanup_that_panics,
    mistakes::cleanup_that_cancels_and_spawns,
    mistakes::cleanup_that_hangs,
    mistakes::swallowing_for_ever,
    mistakes::everything_fails_at_once,
    mistakes::a_thread_without_a_loop,
    mistakes::a_promise_kept_twice,
];

fn main() -> ExitCode {
    let Some(numbers) = numbers() else {
        eprintln!(
            "usage: cancellation [SCENE...]    where a scene is a number from 1 to {}",
            SCENES.len()
        );
        return ExitCode::from(2);
    };
    if let Err(error) = aioli::Builder::new().build() {
        eprintln!("cancellation: {error}");
        return ExitCode::FAILURE;
    }
    stage::announce(
        "Cancellation, in short scenes. The clock is virtual, so the times are exact and nobody waits for them;\n\
         only where cleanup is cut off does the wall clock count.",
    );
    for number in numbers {
        SCENES[number - 1](Stage::new(number));
    }
    ExitCode::SUCCESS
}

/// The scenes that were asked for; `None`: there is no such scene.
fn numbers() -> Option<Vec<usize>> {
    let asked: Option<Vec<usize>> = env::args().skip(1).map(|text| text.parse().ok()).collect();
    let asked = asked?;
    if asked.is_empty() {
        return Some((1..=SCENES.len()).collect());
    }
    asked
        .iter()
        .all(|number| (1..=SCENES.len()).contains(number))
        .then_some(asked)
}

//! The tour, and the scenes on cancellation.

use crate::{example, output};

#[test]
fn the_tour_ends_well() {
    let output = output("tour", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for part in [
        "service",
        "latency",
        "timeouts",
        "timers",
        "callbacks",
        "348,513 primes",
        "heard \"thank you\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_scenes_on_cancellation_are_the_same_on_any_number_of_workers() {
    let play = |workers: &str, scenes: &[&str]| {
        let output = example("cancellation")
            .env("AIOLI_WORKERS", workers)
            .args(scenes)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let complaints = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && complaints.is_empty(),
            "with {workers} workers: {text}{complaints}"
        );
        text
    };
    let story = play("1", &[]);
    for line in [
        "   + 10 ms  worker: a destructor closes the file",
        "   + 35 ms  worker: goodbye",
        "   + 50 ms  worker: deferred work is done",
        "   + 40 ms  outer: Err(TimeoutError)",
        "   + 40 ms  slow: cleaned up",
        "   + 40 ms  grandparent: cleaned up",
        "   + 30 ms  main: the winner is the tortoise",
        "   + 40 ms  main: the group failed: no more paper",
        "   + 40 ms  run: returns",
        "   + 30 ms  main: 3 errors:",
        "   + 10 ms  main: kept twice: the promise is done already",
    ] {
        assert!(story.lines().any(|said| said == line), "{line}: {story}");
    }
    assert!(!story.contains("is never here"), "{story}");
    for workers in ["2", "4"] {
        assert_eq!(play(workers, &[]), story, "with {workers} workers");
    }
    // Some of them by number, in that order.
    let some = play("2", &["9", "1"]);
    let (first, second) = (some.find("\n 9. A timeout\n"), some.find("\n 1. Being cancelled\n"));
    assert!(first.is_some() && first < second && !some.contains("\n 2. "), "{some}");
}

//! Every row of every peer runs, at a fraction of its size, and gives figures that can be figures.

use std::process::Command;

use serde_json::Value;

#[test]
fn every_row_of_every_peer_gives_positive_figures() {
    let output = Command::new(env!("CARGO_BIN_EXE_aioli-benches"))
        .args(["--quick", "--rounds", "1", "--json"])
        .output()
        .expect("the benchmarks start");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");

    let lines = report["lines"].as_array().expect("lines");
    assert!(lines.len() >= 100, "a line per row at least: {lines:?}");
    for line in lines {
        let row = line["row"].as_str().expect("a name");
        let has_floor = ["echo", "stream", "lines", "protocol", "churn", "syscalls", "children"];
        let has_floor = has_floor.into_iter().any(|prefix| row.starts_with(prefix));
        let peers = ["aioli", "aioli-1", "tokio", "tokio-ct", "smol", "raw"];
        for peer in peers.into_iter().take(if has_floor { 6 } else { 5 }) {
            if was_skipped(&report, row, peer) {
                assert!(
                    row.starts_with("syscalls"),
                    "only these need what a machine may lack: {row}"
                );
                continue;
            }
            let figure = line["medians"][peer]
                .as_f64()
                .unwrap_or_else(|| panic!("{peer} has no figure in {line}"));
            assert!(figure.is_finite() && figure > 0.0, "{peer} has {figure} in {line}");
        }
    }
}

fn was_skipped(report: &Value, row: &str, peer: &str) -> bool {
    let troubles = report["troubles"].as_array().expect("troubles");
    troubles
        .iter()
        .any(|trouble| trouble["row"] == row && trouble["peer"] == peer)
}

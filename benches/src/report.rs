//! From samples to a table (Markdown) or JSON: medians, steadiness, and the ratios of aioli to the others.
//!
//! A ratio is always one of costs (where more is better, of the reciprocals): below 1 aioli is ahead. `raw` is no
//! competitor but a floor, so it never is the best of the others.

use serde_json::{Value, json};

use crate::harness::{Cell, Measured, Plan};
use crate::meter::percentile;
use crate::peers::PeerId;
use crate::rows::{Metric, NoSample};

/// A median is unsteady when the middle half of its samples spans more than this part of it.
const UNSTEADY: f64 = 0.3;

/// The samples of one peer for one metric, condensed.
struct Summary {
    median: f64,
    unsteady: bool,
}

/// One line of the table.
struct Line<'a> {
    row: &'static str,
    metric: &'a Metric,
    figures: Vec<(PeerId, Summary)>,
}

/// The ratios of a line, where both sides were measured.
struct Ratios {
    to_tokio: Option<f64>,
    to_best: Option<f64>,
    single: Option<f64>,
}

impl Summary {
    fn of(cell: &Cell, metric: usize) -> Option<Summary> {
        let mut values: Vec<f64> = cell.samples.iter().map(|sample| sample[metric]).collect();
        if values.is_empty() {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let median = percentile(&values, 0.5);
        let middle_half = percentile(&values, 0.75) - percentile(&values, 0.25);
        Some(Summary {
            median,
            unsteady: middle_half > UNSTEADY * median,
        })
    }
}

impl Line<'_> {
    fn summary(&self, peer: PeerId) -> Option<&Summary> {
        self.figures
            .iter()
            .find(|(of, _)| *of == peer)
            .map(|(_, summary)| summary)
    }

    /// What this peer's figure costs: itself, or its reciprocal where more is better.
    fn cost(&self, peer: PeerId) -> Option<f64> {
        let median = self.summary(peer)?.median;
        Some(if self.metric.more_is_better {
            1.0 / median
        } else {
            median
        })
    }

    fn ratios(&self) -> Ratios {
        let ratio = |one: PeerId, other: Option<f64>| Some(self.cost(one)? / other?);
        let others = [PeerId::Tokio, PeerId::TokioCt, PeerId::Smol];
        let best = others
            .into_iter()
            .filter_map(|peer| self.cost(peer))
            .min_by(f64::total_cmp);
        Ratios {
            to_tokio: ratio(PeerId::Aioli, self.cost(PeerId::Tokio)),
            to_best: ratio(PeerId::Aioli, best),
            single: ratio(PeerId::Aioli1, self.cost(PeerId::TokioCt)),
        }
    }
}

fn lines(measured: &[Measured]) -> impl Iterator<Item = Line<'_>> {
    measured.iter().flat_map(|row| {
        row.metrics.iter().enumerate().map(|(index, metric)| {
            let summaries = row.cells.iter().map(|cell| (cell.peer, Summary::of(cell, index)));
            let figures = summaries.filter_map(|(peer, summary)| Some((peer, summary?))).collect();
            Line {
                row: row.name,
                metric,
                figures,
            }
        })
    })
}

/// The results as a Markdown table, followed by a line for each cell that is missing samples.
pub fn table(plan: &Plan, measured: &[Measured]) -> String {
    let names: Vec<_> = plan.peers.iter().map(|peer| peer.name()).collect();
    let mut text = format!(
        "| workload | {} | aioli : tokio | : best | 1 : ct |\n",
        names.join(" | ")
    );
    text += &format!("|---|{}\n", "---:|".repeat(names.len() + 3));
    for line in lines(measured) {
        let Metric {
            name,
            unit,
            more_is_better,
        } = line.metric;
        let name = if name.is_empty() {
            String::new()
        } else {
            format!(" {name}")
        };
        let direction = if *more_is_better { " (more is better)" } else { "" };
        text += &format!("| {}{name}, {unit}{direction} |", line.row);
        for peer in &plan.peers {
            text += &line.summary(*peer).map_or(" |".to_owned(), |summary| {
                format!(
                    " {}{} |",
                    number(summary.median),
                    if summary.unsteady { " ~" } else { "" }
                )
            });
        }
        let Ratios {
            to_tokio,
            to_best,
            single,
        } = line.ratios();
        for ratio in [to_tokio, to_best, single] {
            text += &ratio.map_or(" |".to_owned(), |ratio| format!(" {ratio:.2} |"));
        }
        text.push('\n');
    }
    for (row, peer, trouble) in troubles(measured) {
        text += &format!("\n{row}, {peer}: {trouble}\n");
    }
    text
}

/// The results as JSON, with all samples.
pub fn json(plan: &Plan, measured: &[Measured]) -> Value {
    let lines: Vec<_> = lines(measured).map(|line| json_of_line(&line)).collect();
    let samples = measured.iter().map(|row| {
        let cells = row
            .cells
            .iter()
            .map(|cell| (cell.peer.name().to_owned(), json!(cell.samples)));
        (row.name.to_owned(), Value::Object(cells.collect()))
    });
    let troubles: Vec<_> = troubles(measured)
        .map(|(row, peer, trouble)| json!({"row": row, "peer": peer, "trouble": trouble}))
        .collect();
    json!({
        "workers": plan.workers,
        "rounds": plan.rounds,
        "quick": plan.quick,
        "lines": lines,
        "samples": Value::Object(samples.collect()),
        "troubles": troubles,
    })
}

fn json_of_line(line: &Line<'_>) -> Value {
    let Ratios {
        to_tokio,
        to_best,
        single,
    } = line.ratios();
    let medians = line
        .figures
        .iter()
        .map(|(peer, summary)| (peer.name().to_owned(), json!(summary.median)));
    let unsteady: Vec<_> = line
        .figures
        .iter()
        .filter(|(_, summary)| summary.unsteady)
        .map(|(peer, _)| peer.name())
        .collect();
    json!({
        "row": line.row,
        "metric": line.metric.name,
        "unit": line.metric.unit,
        "more_is_better": line.metric.more_is_better,
        "medians": Value::Object(medians.collect()),
        "unsteady": unsteady,
        "aioli_to_tokio": to_tokio,
        "aioli_to_best": to_best,
        "aioli_1_to_tokio_ct": single,
    })
}

/// Row, peer and reason of each cell that is missing samples.
fn troubles(measured: &[Measured]) -> impl Iterator<Item = (&'static str, &'static str, String)> {
    measured.iter().flat_map(|row| {
        row.cells.iter().filter_map(|cell| {
            let trouble = match cell.trouble.as_ref()? {
                NoSample::Skipped(why) => format!("skipped: {why}"),
                NoSample::Failed(why) => format!("FAILED: {why}"),
            };
            Some((row.name, cell.peer.name(), trouble))
        })
    })
}

/// Three or four significant digits.
fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Metric = Metric {
        name: "",
        unit: "ns",
        more_is_better: false,
    };
    const GAIN: Metric = Metric {
        name: "",
        unit: "requests/s",
        more_is_better: true,
    };

    fn measured(metric: Metric, figures: &[(PeerId, &[f64])]) -> Vec<Measured> {
        let cells = figures.iter().map(|(peer, values)| Cell {
            peer: *peer,
            samples: values.iter().map(|value| vec![*value]).collect(),
            trouble: None,
        });
        vec![Measured {
            name: "row",
            metrics: vec![metric],
            cells: cells.collect(),
        }]
    }

    fn ratios(measured: &[Measured]) -> Ratios {
        lines(measured).next().expect("one line").ratios()
    }

    #[test]
    fn ratios_compare_medians_with_tokio_and_with_the_best_runtime() {
        let measured = measured(
            COST,
            &[
                (PeerId::Aioli, &[40.0, 60.0, 50.0]),
                (PeerId::Aioli1, &[30.0]),
                (PeerId::Tokio, &[200.0]),
                (PeerId::TokioCt, &[120.0]),
                (PeerId::Smol, &[100.0]),
                (PeerId::Raw, &[1.0]),
            ],
        );
        let Ratios {
            to_tokio,
            to_best,
            single,
        } = ratios(&measured);
        assert_eq!((to_tokio, to_best, single), (Some(0.25), Some(0.5), Some(0.25)));
    }

    #[test]
    fn where_more_is_better_a_ratio_below_one_still_means_ahead() {
        let measured = measured(
            GAIN,
            &[
                (PeerId::Aioli, &[256.0]),
                (PeerId::Tokio, &[64.0]),
                (PeerId::Smol, &[128.0]),
            ],
        );
        let Ratios {
            to_tokio,
            to_best,
            single,
        } = ratios(&measured);
        assert_eq!((to_tokio, to_best, single), (Some(0.25), Some(0.5), None));
    }

    #[test]
    fn a_wide_middle_half_is_unsteady() {
        let steady = measured(COST, &[(PeerId::Aioli, &[90.0, 100.0, 100.0, 110.0, 500.0])]);
        let unsteady = measured(COST, &[(PeerId::Aioli, &[50.0, 80.0, 100.0, 120.0, 150.0])]);
        let mark = |measured: &[Measured]| lines(measured).next().expect("one line").figures[0].1.unsteady;
        assert!(!mark(&steady));
        assert!(mark(&unsteady));
    }

    #[test]
    fn the_table_names_what_is_missing() {
        let mut measured = measured(COST, &[(PeerId::Tokio, &[1234.5]), (PeerId::Smol, &[])]);
        measured[0].cells[1].trouble = Some(NoSample::Failed("it fell over".to_owned()));
        let peers = vec![PeerId::Tokio, PeerId::Smol];
        let plan = Plan {
            peers,
            only: Vec::new(),
            rounds: 1,
            workers: 2,
            quick: false,
        };
        let table = table(&plan, &measured);
        assert!(table.contains("| row, ns | 1234 | | | | |"), "{table}");
        assert!(table.contains("row, smol: FAILED: it fell over"), "{table}");
    }
}

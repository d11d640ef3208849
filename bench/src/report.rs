//! Medians and ratios over the rounds, as a Markdown table.
//!
//! A ratio is the median of the rounds' own ratios: servers alternate within a round, so that a slow minute of the machine
//! weighs on both sides of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use crate::metric::{Metric, Target};
use crate::server::Kind;
use headwater_load::{Unit, three};

const BEGIN: &str = "<!-- results begin -->";
const END: &str = "<!-- results end -->";

#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    /// The workload, and what went wrong on which server.
    failures: Vec<(String, String)>,
}

#[derive(Debug)]
struct Row {
    workload: String,
    name: &'static str,
    unit: Unit,
    target: Option<Target>,
    /// By round; a server that did not run or failed leaves a hole.
    headwater: Vec<Option<f64>>,
    official: Vec<Option<f64>>,
}

impl Report {
    pub(crate) fn add(&mut self, workload: &str, round: usize, kind: Kind, metrics: Vec<Metric>) {
        for metric in metrics {
            let row = self.row(workload, &metric);
            let values = match kind {
                Kind::Headwater => &mut row.headwater,
                Kind::Official => &mut row.official,
            };
            values.resize(values.len().max(round + 1), None);
            values[round] = Some(metric.value);
        }
    }

    pub(crate) fn add_failure(&mut self, workload: &str, kind: Kind, error: &dyn std::error::Error) {
        self.failures.push((workload.to_owned(), format!("{}: {error}", kind.label())));
    }

    /// How many workloads failed at least once.
    pub(crate) fn failed_workloads(&self) -> usize {
        self.failures.iter().map(|(workload, _)| workload).collect::<BTreeSet<_>>().len()
    }

    fn row(&mut self, workload: &str, metric: &Metric) -> &mut Row {
        let known = self.rows.iter().position(|row| row.workload == workload && row.name == metric.name);
        let index = known.unwrap_or_else(|| {
            self.rows.push(Row::new(workload, metric));
            self.rows.len() - 1
        });
        let row = &mut self.rows[index];
        row.target = row.target.or(metric.target);
        row
    }

    pub(crate) fn markdown(&self, preamble: &str) -> String {
        let mut text = format!("{preamble}\n\n");
        text.push_str("| workload | measure | Headwater | official Rust server | ratio | target |\n");
        text.push_str("| --- | --- | ---: | ---: | ---: | --- |\n");
        let mut previous = "";
        for row in &self.rows {
            let workload = if row.workload == previous { "" } else { row.workload.as_str() };
            previous = &row.workload;
            row.write(workload, &mut text);
        }
        for (workload, failure) in &self.failures {
            text.push_str(&format!("\nFailed: {workload}, {failure}\n"));
        }
        text
    }

    /// One line per metric, for progress.
    pub(crate) fn summary(metrics: &[Metric]) -> String {
        let parts: Vec<String> =
            metrics.iter().map(|metric| format!("{} {}", metric.name, metric.unit.write(metric.value))).collect();
        parts.join(", ")
    }
}

impl Row {
    fn new(workload: &str, metric: &Metric) -> Row {
        let workload = workload.to_owned();
        let (headwater, official) = (Vec::new(), Vec::new());
        Row { workload, name: metric.name, unit: metric.unit, target: None, headwater, official }
    }

    fn write(&self, workload: &str, text: &mut String) {
        let ours = median(self.headwater.iter().flatten().copied().collect());
        let theirs = median(self.official.iter().flatten().copied().collect());
        let ratio = self.ratio();
        let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| self.unit.write(value));
        let ratio_text = ratio.map_or("–".to_owned(), |ratio| format!("{}×", three(ratio)));
        let target = self.target.map_or(String::new(), |target| {
            let verdict = match target.met(ours, ratio) {
                Some(true) => " met",
                Some(false) => " **missed**",
                None => "",
            };
            format!("{}{verdict}", target.describe(self.unit))
        });
        let (ours, theirs) = (number(ours), number(theirs));
        writeln!(text, "| {workload} | {} | {ours} | {theirs} | {ratio_text} | {target} |", self.name)
            .expect("writing to a string cannot fail");
    }

    fn ratio(&self) -> Option<f64> {
        let pairs = self.headwater.iter().zip(&self.official);
        let ratios = pairs.filter_map(|(ours, theirs)| match (ours, theirs) {
            (Some(ours), Some(theirs)) if *theirs > 0.0 => Some(ours / theirs),
            _ => None,
        });
        median(ratios.collect())
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// Puts `table` between the result markers of `file`, or makes it the whole file when there are none.
pub(crate) fn publish(file: &Path, table: &str) -> io::Result<()> {
    let current = fs::read_to_string(file).unwrap_or_default();
    let text = match (current.find(BEGIN), current.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}{BEGIN}\n{table}\n{}", &current[..begin], &current[end..])
        }
        _ => table.to_owned(),
    };
    fs::write(file, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_own_ratios() {
        let mut report = Report::default();
        for (round, (ours, theirs)) in [(30.0, 10.0), (200.0, 100.0), (1.0, 1.0)].into_iter().enumerate() {
            let metric =
                |value| vec![Metric::new("rate", Unit::PerSecond, value).target(Some(Target::RatioAtLeast(1.4)))];
            report.add("appends", round, Kind::Headwater, metric(ours));
            report.add("appends", round, Kind::Official, metric(theirs));
        }
        assert!(report.markdown("").contains("| 30.0/s | 10.0/s | 2.00× | ≥ 1.4× met |"), "{}", report.markdown(""));
    }

    #[test]
    fn a_workload_of_one_server_has_no_ratio() {
        let mut report = Report::default();
        report.add("idle", 0, Kind::Headwater, vec![Metric::new("resident", Unit::Bytes, 512.0)]);
        assert!(report.markdown("").contains("| idle | resident | 512 B | – | – |  |"));
    }

    #[test]
    fn publishing_replaces_only_what_is_between_the_markers() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("README.md");
        fs::write(&file, format!("before\n{BEGIN}\nold\n{END}\nafter\n")).unwrap();
        publish(&file, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("before\n{BEGIN}\nnew\n{END}\nafter\n"));
    }
}

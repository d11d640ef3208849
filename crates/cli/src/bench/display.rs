//! How a measurement goes, as a line that is drawn anew while it runs; on a terminal only.

use std::rc::Rc;
use std::time::Duration;

use headwater_load::{Gauge, Unit};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::interval;

use super::measurement::Measurement;
use crate::limits::{BENCH_DISPLAY_INTERVAL, REDRAWS_PER_SECOND};
use crate::remote::Told;

/// The line; it goes away when this is dropped.
#[derive(Debug)]
pub(super) struct Display {
    bar: ProgressBar,
    drawing: JoinHandle<()>,
}

impl Display {
    /// Shows what `gauge` counts of a measurement of this length.
    pub(super) fn start(told: Told, measurement: Measurement, length: Duration, gauge: Rc<Gauge>) -> Self {
        // Draws nothing unless standard error is a terminal.
        let target = if told.quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND)
        };
        let bar = ProgressBar::with_draw_target(None, target)
            .with_style(ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is well formed"));
        let drawn = bar.clone();
        let drawing = spawn_local(async move {
            let mut ticks = interval(BENCH_DISPLAY_INTERVAL);
            while !drawn.is_hidden() {
                ticks.tick().await;
                drawn.set_message(line(measurement, length, &gauge));
                drawn.tick();
            }
        });
        Self { bar, drawing }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.drawing.abort();
        self.bar.finish_and_clear();
    }
}

fn line(measurement: Measurement, length: Duration, gauge: &Gauge) -> String {
    let (name, elapsed, errors) = (measurement.name(), gauge.recorded_for(), gauge.failures());
    if elapsed.is_zero() {
        return format!("{name}: getting ready, {errors} errors");
    }
    let rate = measurement.rate_unit().0.write(measurement.rate(gauge));
    let [p50, p99] = [0.50, 0.99].map(|quantile| Unit::Micros.write(gauge.latencies().micros(quantile)));
    let (elapsed, length) = (elapsed.as_secs_f64(), length.as_secs_f64());
    format!("{name}: {rate}, p50 {p50}, p99 {p99}, {errors} errors, {elapsed:.1} of {length} s")
}

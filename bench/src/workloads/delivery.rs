//! From the moment an append is sent to the moment a live reader holds its bytes.

use std::io;
use std::rc::Rc;

use headwater_load::{Delivery, Gauge, LIVE_CONTENT_TYPE, Mode, Stop, create_streams};

use crate::metric::{Metric, Target};

use super::Trial;
use super::outcome::quantiles;

/// Appends per second: slow enough that each is delivered alone.
const RATE: u32 = 200;
pub(crate) const MESSAGE_BYTES: usize = 256;

pub(crate) async fn run(trial: &mut Trial<'_>, mode: Mode) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    create_streams(&server.site(), 1, LIVE_CONTENT_TYPE, b"", &Stop::default()).await?;
    let gauge = Rc::new(Gauge::default());
    let window = trial.scale.without_warm_up();
    let load = Delivery { mode, readers: 1, rate: RATE, bytes: MESSAGE_BYTES, window };
    load.run(&server.site(), &gauge, || Ok(())).await?;
    gauge.check()?;
    Ok(quantiles(gauge.latencies(), None, Some(Target::RatioAtMost(1.0))).to_vec())
}
